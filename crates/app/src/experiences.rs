//! Experiences: what channels hang on, attached to products, open or private.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::decision::{Action, ChannelKind, Place, decide};
use hallpass_core::entity::{ChannelRules, Company, Experience, Product};
use hallpass_core::file::FileUse;
use hallpass_core::id::{AppId, ChatFeedId, CompanyId, ExperienceId, FileId, ProductId, UserId};
use hallpass_store::{EventKind, ExperienceFilter, ExperiencePatch, Key, NewExperience, Tx};
use jiff::Timestamp;

use crate::caller::Caller;
use crate::companies::time_bounds;
use crate::error::AppError;
use crate::files::{Shape, use_picture};
use crate::page::{Direction, Page, PageAsk};
use crate::{App, Ticket};

/// What experience is to be made.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Experience")]
pub struct CreateExperience {
    pub company: CompanyId,
    pub app: AppId,
    /// The app's name if there is none.
    pub name: Option<String>,
    /// Private if not said.
    pub public: Option<bool>,
    pub picture: Option<FileId>,
}

/// Which experiences a list shows.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the query's")]
pub struct ListExperiences {
    pub company: CompanyId,
    pub app: Option<AppId>,
    pub product: Option<ProductId>,
    pub after: Option<Timestamp>,
    pub before: Option<Timestamp>,
    pub page: PageAsk,
}

/// An experience with what its view needs.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "three parts, named")]
pub struct ExperienceDetails {
    pub experience: Experience,
    pub company: Arc<Company>,
    pub products: Vec<Product>,
}

impl App {
    /// Makes an experience, and its channel if it is the chat app's.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company or app out of reach, [`AppError::MissingScopes`].
    pub async fn create_experience(
        &self,
        caller: &Caller,
        ask: CreateExperience,
        ticket: Option<Ticket>,
    ) -> Result<ExperienceDetails, AppError> {
        self.permit(caller, Action::CreateExperience, ask.company, None, "company").await?;
        if let Some(picture) = ask.picture {
            self.adopt_image(caller, "logo", picture, Shape::Squares).await?;
        }
        let id = self.make_experience(ask, ticket).await?;
        self.experience_details(id).await
    }

    /// Whether the caller may make experiences in a company.
    ///
    /// # Errors
    /// As for [`create_experience`](Self::create_experience).
    pub async fn may_create_experience(&self, caller: &Caller, company: CompanyId) -> Result<(), AppError> {
        self.permit(caller, Action::CreateExperience, company, None, "company").await.map(drop)
    }

    /// Whether the caller may do something to an experience.
    ///
    /// # Errors
    /// As for doing it.
    pub async fn may_change_experience(
        &self,
        caller: &Caller,
        action: Action,
        id: ExperienceId,
    ) -> Result<(), AppError> {
        self.permit_experience(caller, action, id).await.map(drop)
    }

    /// Makes an experience, unconditionally: for first starts too.
    pub(crate) async fn make_experience(
        &self,
        ask: CreateExperience,
        ticket: Option<Ticket>,
    ) -> Result<ExperienceId, AppError> {
        let found = self.store.read().await?.find_app(ask.app).await?;
        let (owner, app_name) = found.ok_or(AppError::NotFound("app"))?;
        // Another company's app is theirs to know about, unless it is the built-in one.
        if let Some(owner) = owner
            && owner != ask.company
            && !self.store.read().await?.is_app_installed(ask.app, ask.company).await?
        {
            return Err(AppError::NotFound("app"));
        }
        let at = self.clock.now();
        let new = NewExperience {
            id: ExperienceId::from_bits(self.bits(ticket)),
            company: ask.company,
            app: ask.app,
            name: ask.name.unwrap_or(app_name),
            public: ask.public.unwrap_or(false),
            sort_order: None,
        };
        let channel = (ask.app == self.builtin_app).then(|| ChatFeedId::generate(at, &*self.entropy));
        let id = new.id;
        let again = ticket.is_some_and(|ticket| ticket.is_again());
        self.store
            .write((new, channel, at, again, ask.picture), |(new, channel, at, again, picture), tx| {
                Box::pin(async move {
                    if *again && tx.find_experience(new.id).await?.is_some() {
                        return Ok(());
                    }
                    tx.insert_experience(new, *at).await?;
                    show_picture(tx, new.id, *picture, *at).await?;
                    if let Some(channel) = channel {
                        tx.insert_channel(*channel, new.company, new.id, &ChannelRules::default(), *at)
                            .await?;
                    }
                    Ok::<_, AppError>(())
                })
            })
            .await?;
        Ok(id)
    }

    pub(crate) async fn experience_details(&self, id: ExperienceId) -> Result<ExperienceDetails, AppError> {
        let mut conn = self.store.read().await?;
        let experience = conn.find_experience(id).await?.ok_or(AppError::NotFound("experience"))?;
        let products = conn.list_experience_products(id).await?;
        drop(conn);
        let company = self.company(experience.company).await?.ok_or(AppError::NotFound("company"))?;
        Ok(ExperienceDetails { experience, company, products })
    }

    /// Decides about an action on an existing experience.
    pub(crate) async fn permit_experience(
        &self,
        caller: &Caller,
        action: Action,
        id: ExperienceId,
    ) -> Result<Experience, AppError> {
        let found = self.store.read().await?.find_experience(id).await?;
        let experience = found.ok_or(AppError::NotFound("experience"))?;
        let granted = self.has_access(experience.company, id, caller.user()).await?;
        let place =
            Place { kind: ChannelKind::Channel, public: experience.public, granted, admins_post: false };
        let inner = id.to_string();
        self.permit(caller, action, experience.company, Some((place, &inner)), "experience").await?;
        Ok(experience)
    }

    /// Whether a user was let into an experience of `company`. Only a yes is cached.
    pub(crate) async fn has_access(
        &self,
        company: CompanyId,
        id: ExperienceId,
        user: Option<UserId>,
    ) -> Result<bool, AppError> {
        let Some(user) = user else { return Ok(false) };
        if self.access.get(&(id, user)).is_some() {
            return Ok(true);
        }
        let rev = self.authority.rev();
        let granted = self.store.read().await?.has_experience_access(id, user).await?;
        if granted {
            let (access, experience) = (Change::Access(id, user), Change::Experience(id));
            // Un-enrolment ends access too.
            let standing = Change::Standing(company, user);
            self.access.put((id, user), (), rev, [&access, &experience, &standing]);
        }
        Ok(granted)
    }

    /// One experience.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach or without access.
    pub async fn retrieve_experience(
        &self,
        caller: &Caller,
        id: ExperienceId,
    ) -> Result<ExperienceDetails, AppError> {
        self.permit_experience(caller, Action::ReadExperiences, id).await?;
        self.experience_details(id).await
    }

    /// A company's experiences that the caller has access to, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach.
    pub async fn list_experiences(
        &self,
        caller: &Caller,
        ask: ListExperiences,
    ) -> Result<(Page<Experience>, Arc<Company>), AppError> {
        self.permit(caller, Action::ReadExperiences, ask.company, None, "company").await?;
        let company = self.company(ask.company).await?.ok_or(AppError::NotFound("company"))?;
        let (after, before) = time_bounds(ask.after, ask.before);
        let viewer = self.viewer(caller, ask.company).await?;
        let filter = ExperienceFilter { after, before, app: ask.app, product: ask.product, viewer };
        let filters = format!("{after} {before} {:?} {:?}", ask.app, ask.product);
        let plan =
            ask.page.plan(self, "experiences.list", ask.company, &[&filters], (Direction::Desc, 100))?;
        let key = |experience: &Experience| Key {
            at: experience.created_at.as_millisecond(),
            id: experience.id.to_string(),
        };
        let (company_id, filter) = (ask.company, &filter);
        let list =
            |scan| async move { self.store.read().await?.list_experiences(company_id, filter, &scan).await };
        let page = plan.fetch(self, key, list).await?;
        Ok((page, company))
    }

    /// As whom a list of places is to be narrowed: the user, unless the decision would let the caller
    /// into a private place without a grant.
    pub(crate) async fn viewer(
        &self,
        caller: &Caller,
        company: CompanyId,
    ) -> Result<Option<UserId>, AppError> {
        let place = Place { kind: ChannelKind::Channel, public: false, granted: false, admins_post: false };
        let facts = self.facts(caller, company, Some((place, ""))).await?;
        Ok(if decide(Action::ReadExperiences, &facts).is_ok() { None } else { caller.user() })
    }

    /// Changes an experience. Made private, those without access lose it within a second.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn update_experience(
        &self,
        caller: &Caller,
        id: ExperienceId,
        patch: ExperiencePatch,
    ) -> Result<ExperienceDetails, AppError> {
        self.permit_experience(caller, Action::UpdateExperience, id).await?;
        if patch == ExperiencePatch::default() {
            return self.experience_details(id).await;
        }
        if let Some(Some(picture)) = patch.picture {
            self.adopt_image(caller, "logo", picture, Shape::Squares).await?;
        }
        let n = self
            .store
            .write((id, patch, self.clock.now()), |(id, patch, at), tx| {
                Box::pin(async move {
                    // First, because senders hold the log before they hold the channel's head.
                    let n = App::note(tx, &[(Change::Experience(*id), false)], *at).await?;
                    if !tx.update_experience(*id, patch, *at).await? {
                        return Err(AppError::NotFound("experience"));
                    }
                    if let Some(picture) = patch.picture {
                        use_picture(tx, FileUse::Experience(*id), picture, *at).await?;
                    }
                    if let Some(channel) = tx.find_channel_of(*id).await? {
                        tx.insert_event(
                            channel.id.into(),
                            EventKind::ChannelUpdated,
                            &channel.id.to_string(),
                            *at,
                        )
                        .await?;
                    }
                    Ok::<_, AppError>(n)
                })
            })
            .await?;
        self.settle(n).await?;
        self.experience_details(id).await
    }

    /// Deletes an experience and closes its channel.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn delete_experience(&self, caller: &Caller, id: ExperienceId) -> Result<(), AppError> {
        self.permit_experience(caller, Action::DeleteExperience, id).await?;
        let n = self
            .store
            .write((id, self.clock.now()), |(id, at), tx| {
                Box::pin(async move {
                    let n = App::note(tx, &[(Change::Experience(*id), false)], *at).await?;
                    let channel = tx.find_channel_of(*id).await?;
                    if !tx.delete_experience(*id, *at).await? {
                        return Err(AppError::NotFound("experience"));
                    }
                    use_picture(tx, FileUse::Experience(*id), None, *at).await?;
                    if let Some(channel) = channel {
                        tx.insert_event(
                            channel.id.into(),
                            EventKind::ExperienceDeleted,
                            &id.to_string(),
                            *at,
                        )
                        .await?;
                    }
                    Ok(n)
                })
            })
            .await?;
        self.settle(n).await
    }

    /// Attaches an experience to a product, which is recorded on first use.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for an experience out of reach.
    pub async fn attach_experience(
        &self,
        caller: &Caller,
        id: ExperienceId,
        product: ProductId,
    ) -> Result<ExperienceDetails, AppError> {
        let experience = self.permit_experience(caller, Action::AttachExperience, id).await?;
        self.store
            .write((experience, product, self.clock.now()), |(experience, product, at), tx| {
                Box::pin(tx.insert_experience_product(experience.company, experience.id, *product, *at))
            })
            .await?;
        self.experience_details(id).await
    }

    /// Detaches an experience from a product; detaching again changes nothing.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for an experience out of reach or a product the company never named.
    pub async fn detach_experience(
        &self,
        caller: &Caller,
        id: ExperienceId,
        product: ProductId,
    ) -> Result<ExperienceDetails, AppError> {
        let experience = self.permit_experience(caller, Action::DetachExperience, id).await?;
        if !self.store.read().await?.has_product(experience.company, product).await? {
            return Err(AppError::NotFound("product"));
        }
        self.store
            .write((id, product), |(id, product), tx| {
                Box::pin(async move { Ok::<_, AppError>(tx.delete_experience_product(*id, *product).await?) })
            })
            .await?;
        self.experience_details(id).await
    }

    /// Copies an experience: settings and products, no messages, nobody let in.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn duplicate_experience(
        &self,
        caller: &Caller,
        id: ExperienceId,
        name: Option<String>,
        ticket: Option<Ticket>,
    ) -> Result<ExperienceDetails, AppError> {
        let original = self.permit_experience(caller, Action::CreateExperience, id).await?;
        let at = self.clock.now();
        let copy = NewExperience {
            id: ExperienceId::from_bits(self.bits(ticket)),
            company: original.company,
            app: original.app,
            name: name.unwrap_or(original.name),
            public: original.public,
            sort_order: original.sort_order,
        };
        let feed = ChatFeedId::generate(at, &*self.entropy);
        let copy_id = copy.id;
        let again = ticket.is_some_and(|ticket| ticket.is_again());
        self.store
            .write(
                (id, copy, feed, at, again, original.picture),
                |(id, copy, feed, at, again, picture), tx| {
                    Box::pin(async move {
                        if *again && tx.find_experience(copy.id).await?.is_some() {
                            return Ok(());
                        }
                        tx.insert_experience(copy, *at).await?;
                        show_picture(tx, copy.id, *picture, *at).await?;
                        tx.copy_experience_products(*id, copy.id, *at).await?;
                        if let Some(channel) = tx.find_channel_of(*id).await? {
                            tx.insert_channel(*feed, copy.company, copy.id, &channel.rules, *at).await?;
                        }
                        Ok::<_, AppError>(())
                    })
                },
            )
            .await?;
        self.experience_details(copy_id).await
    }

    /// Lets an enrolled user into a private experience (extension).
    ///
    /// # Errors
    /// [`AppError::NotFound`] for an experience out of reach or a user who is not enrolled.
    pub async fn grant_access(
        &self,
        caller: &Caller,
        id: ExperienceId,
        user: UserId,
    ) -> Result<(), AppError> {
        let experience = self.permit_experience(caller, Action::UpdateExperience, id).await?;
        if !self.standing(experience.company, user).await?.enrolled() {
            return Err(AppError::NotFound("user"));
        }
        self.store
            .write((id, experience.company, user, self.clock.now()), |(id, company, user, at), tx| {
                Box::pin(async move {
                    // Un-enrolled in between: a grant must not outlive the enrolment.
                    if !tx.find_standing(*company, *user).await?.enrolled() {
                        return Err(AppError::NotFound("user"));
                    }
                    Ok(tx.insert_experience_access(*id, *user, *at).await?)
                })
            })
            .await
    }

    /// Ends a user's access to a private experience (extension).
    ///
    /// # Errors
    /// [`AppError::NotFound`] if they had none.
    pub async fn revoke_access(
        &self,
        caller: &Caller,
        id: ExperienceId,
        user: UserId,
    ) -> Result<(), AppError> {
        self.permit_experience(caller, Action::UpdateExperience, id).await?;
        let n = self
            .store
            .write((id, user, self.clock.now()), |(id, user, at), tx| {
                Box::pin(async move {
                    if !tx.revoke_experience_access(*id, *user).await? {
                        return Err(AppError::NotFound("access"));
                    }
                    App::note(tx, &[(Change::Access(*id, *user), false)], *at).await
                })
            })
            .await?;
        self.settle(n).await
    }
}

/// Gives a new experience its picture.
async fn show_picture(
    tx: &mut Tx,
    id: ExperienceId,
    picture: Option<FileId>,
    at: Timestamp,
) -> Result<(), AppError> {
    if picture.is_none() {
        return Ok(());
    }
    let patch = ExperiencePatch { picture: Some(picture), ..ExperiencePatch::default() };
    tx.update_experience(id, &patch, at).await?;
    use_picture(tx, FileUse::Experience(id), picture, at).await
}
