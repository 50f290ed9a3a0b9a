//! Companies and connected accounts: how an app enrols its users.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::clock::Entropy;
use hallpass_core::decision::Action;
use hallpass_core::entity::{Company, User};
use hallpass_core::file::FileUse;
use hallpass_core::id::{AuthorizedUserId, CompanyId, FileId, MemberId, UserId};
use hallpass_core::role::Role;
use hallpass_core::webhook::EventType;
use hallpass_store::{CompanyFilter, CompanyPatch, Key, NewCompany, NewUser, Tx};
use jiff::Timestamp;

use crate::caller::Caller;
use crate::error::AppError;
use crate::files::{Shape, forget_picture, use_picture};
use crate::page::{Direction, Page, PageAsk};
use crate::profiles::Shown;
use crate::webhooks::Subject;
use crate::{App, Ticket};

/// What company is to be made.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of Company")]
pub struct CreateCompany {
    pub title: String,
    /// What a new owner is called, and their username made of; none if the title is nobody's choice but
    /// made of an address, which is not for everybody to see.
    pub owner_name: Option<String>,
    /// Makes a connected account of this company.
    pub parent: Option<CompanyId>,
    /// The owner's address; required for a connected account.
    pub email: Option<String>,
    pub description: Option<String>,
    pub metadata: Option<String>,
    pub country: Option<String>,
    pub send_customer_emails: Option<bool>,
    pub logo: Option<FileId>,
}

/// A company with its owner as shown in it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "two parts, named")]
pub struct CompanyWithOwner {
    pub company: Arc<Company>,
    pub owner: Arc<Shown>,
    /// The address of its logo.
    pub logo: Option<String>,
    /// The address of its banner.
    pub banner: Option<String>,
}

/// Which companies a list shows.
#[derive(Clone, Debug, Default)]
pub struct ListCompanies {
    /// The connected accounts of this company; none for the caller's own.
    pub parent: Option<CompanyId>,
    /// A key's own are its company and that company's connected accounts, not its company alone.
    pub family: bool,
    /// Created after.
    pub after: Option<Timestamp>,
    /// Created before.
    pub before: Option<Timestamp>,
    /// Which page.
    pub page: PageAsk,
}

/// The ids that making a company may need, drawn before the transaction.
#[derive(Clone, Copy)]
struct NewIds {
    company: CompanyId,
    user: UserId,
    member: MemberId,
    team: AuthorizedUserId,
}

struct Creation {
    ids: NewIds,
    ask: CreateCompany,
    by: Option<UserId>,
    suffix: String,
    at: Timestamp,
    /// An earlier attempt may have made it.
    again: bool,
}

impl App {
    /// Makes a company, or a connected account with its owner's user (the same address again under
    /// the same parent: the same user).
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a parent out of reach, [`AppError::MissingScopes`],
    /// [`AppError::Invalid`] without the owner's address.
    pub async fn create_company(
        &self,
        caller: &Caller,
        ask: CreateCompany,
        ticket: Option<Ticket>,
    ) -> Result<CompanyWithOwner, AppError> {
        let by = self.may_create_company(caller, ask.parent).await?;
        if ask.parent.is_some() && ask.email.is_none() {
            return Err(AppError::missing("email"));
        }
        if let Some(logo) = ask.logo {
            self.adopt_image(caller, "logo", logo, Shape::Squares).await?;
        }
        let id = self.make_company(ask, by, ticket).await?;
        self.describe(id).await
    }

    /// Whether the caller may make a company (of `parent`); for a user, who will own it.
    ///
    /// # Errors
    /// As for [`create_company`](Self::create_company).
    pub async fn may_create_company(
        &self,
        caller: &Caller,
        parent: Option<CompanyId>,
    ) -> Result<Option<UserId>, AppError> {
        match (caller, parent) {
            (Caller::Key(_), Some(parent)) => {
                self.permit(caller, Action::CreateChildCompany, parent, None, "company").await?;
                let parent = self.company(parent).await?.ok_or(AppError::NotFound("company"))?;
                if parent.parent.is_some() {
                    return Err(AppError::unprocessable(
                        "nested_account",
                        "parent_company_id",
                        "a connected account cannot have connected accounts",
                    ));
                }
                Ok(None)
            }
            // A key acts for a company; a company of its own would belong to nobody.
            (Caller::Key(_), None) => Err(AppError::missing("parent_company_id")),
            (Caller::User(_), Some(_)) => Err(AppError::Forbidden {
                code: "user_token",
                message: "connected accounts are made with an API key".to_owned(),
            }),
            (Caller::User(user), None) => {
                self.permit(caller, Action::CreateCompany, user.company(), None, "company").await?;
                Ok(Some(user.user()))
            }
        }
    }

    /// The caller's own company: the key's, or the token's.
    ///
    /// # Errors
    /// [`AppError::MissingScopes`].
    pub async fn retrieve_own_company(&self, caller: &Caller) -> Result<CompanyWithOwner, AppError> {
        self.permit(caller, Action::ReadOwnAccount, caller.home(), None, "company").await?;
        self.describe(caller.home()).await
    }

    /// The owner's address, for those who may read addresses in the company.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn owner_email(
        &self,
        caller: &Caller,
        found: &CompanyWithOwner,
    ) -> Result<Option<String>, AppError> {
        match self.permit(caller, Action::ReadEmails, found.company.id, None, "company").await {
            Ok(_) => self.address_in(&found.company, found.company.owner).await,
            // A token sees what its user owns elsewhere in the family, but reads no addresses there.
            Err(AppError::MissingScopes(_) | AppError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A user's address as a company may see it: supplied for it, by itself or its parent, or proved by the
    /// person whose own user this is. As the lists of members and the team show it.
    async fn address_in(&self, company: &Company, user: UserId) -> Result<Option<String>, AppError> {
        let Some(user) = self.user(user).await? else { return Ok(None) };
        match (user.home, user.person) {
            (Some(home), _) if home == company.id || company.parent == Some(home) => Ok(user.email.clone()),
            (None, Some(person)) => Ok(self.store.read().await?.find_proved_address(person).await?),
            _ => Ok(None),
        }
    }

    /// Makes a company, unconditionally: for the command line and first starts too.
    pub(crate) async fn make_company(
        &self,
        ask: CreateCompany,
        by: Option<UserId>,
        ticket: Option<Ticket>,
    ) -> Result<CompanyId, AppError> {
        let at = self.clock.now();
        let entropy: &dyn Entropy = &*self.entropy;
        let ids = NewIds {
            company: CompanyId::from_bits(self.bits(ticket)),
            user: UserId::generate(at, entropy),
            member: MemberId::generate(at, entropy),
            team: AuthorizedUserId::generate(at, entropy),
        };
        let suffix = self.suffix();
        let again = ticket.is_some_and(|ticket| ticket.is_again());
        let creation = Creation { ids, ask, by, suffix, at, again };
        self.store.write(creation, |creation, tx| Box::pin(create(creation, tx))).await?;
        self.hooks.wake();
        Ok(ids.company)
    }

    /// Makes a top-level company whose owner is a new user without a person behind: for tests and the
    /// command line.
    ///
    /// # Errors
    /// [`AppError::Unprocessable`] for a username that is taken.
    pub async fn make_top_company(
        &self,
        title: &str,
        owner_username: &str,
    ) -> Result<(CompanyId, UserId), AppError> {
        let at = self.clock.now();
        let owner = UserId::generate(at, &*self.entropy);
        let new = NewUser {
            id: owner,
            person: None,
            home: None,
            username: owner_username.to_owned(),
            name: Some(owner_username.to_owned()),
            email: None,
        };
        self.store
            .write((new, at), |(new, at), tx| {
                Box::pin(async move {
                    if tx.insert_user(new, *at).await? {
                        return Ok(());
                    }
                    Err(AppError::unprocessable("username_taken", "username", "this username is taken"))
                })
            })
            .await?;
        let ask = CreateCompany {
            title: title.to_owned(),
            owner_name: Some(title.to_owned()),
            ..CreateCompany::default()
        };
        Ok((self.make_company(ask, Some(owner), None).await?, owner))
    }

    /// A few random characters that make a route or username unique.
    pub(crate) fn suffix(&self) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        self.random::<6>().iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
    }

    /// One company.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`].
    pub async fn retrieve_company(
        &self,
        caller: &Caller,
        id: CompanyId,
    ) -> Result<CompanyWithOwner, AppError> {
        self.permit(caller, Action::ReadCompany, id, None, "company").await?;
        self.describe(id).await
    }

    pub(crate) async fn describe(&self, id: CompanyId) -> Result<CompanyWithOwner, AppError> {
        // Not from the cache: counts and texts must be current.
        let found = self.store.read().await?.find_company(id).await?;
        self.with_owner(found.ok_or(AppError::NotFound("company"))?).await
    }

    async fn with_owner(&self, company: Company) -> Result<CompanyWithOwner, AppError> {
        let owner = self.shown(company.id, company.owner).await?;
        let logo = company.logo.map(|id| self.picture_url(id));
        let banner = company.banner.map(|id| self.banner_url(id));
        Ok(CompanyWithOwner { company: Arc::new(company), owner, logo, banner })
    }

    /// Companies by creation: the connected accounts of a parent, or the caller's own.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a parent out of reach, [`AppError::MissingScopes`].
    pub async fn list_companies(
        &self,
        caller: &Caller,
        ask: ListCompanies,
    ) -> Result<Page<CompanyWithOwner>, AppError> {
        let home = ask.parent.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::ReadCompany, home, None, "company").await?;
        let filter = match (ask.parent, caller) {
            (Some(parent), _) => CompanyFilter::ChildrenOf(parent),
            // A token is good in one company: what its user owns elsewhere is not that company's to see.
            (None, Caller::User(user)) => CompanyFilter::OwnedWithin(user.user(), user.company()),
            (None, Caller::Key(live)) if ask.family => CompanyFilter::Family(live.key.company),
            (None, Caller::Key(live)) => {
                // The caller's own: the company of the key.
                let own = self.describe(live.key.company).await?;
                let within = ask.after.is_none_or(|at| own.company.created_at > at)
                    && ask.before.is_none_or(|at| own.company.created_at < at);
                // Plans all the same, so that a bad cursor or size is told.
                ask.page.plan(self, "companies.own", home, &[], (Direction::Desc, 100))?;
                return Ok(Page {
                    items: if within { vec![own] } else { Vec::new() },
                    start_cursor: None,
                    end_cursor: None,
                    has_next: false,
                    has_previous: false,
                });
            }
        };
        let bounds = time_bounds(ask.after, ask.before);
        let filters = [bounds.0.to_string(), bounds.1.to_string(), format!("{filter:?}")];
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let plan = ask.page.plan(self, "companies.list", home, &filters, (Direction::Desc, 100))?;
        let key =
            |company: &Company| Key { at: company.created_at.as_millisecond(), id: company.id.to_string() };
        let filter = &filter;
        let list = |scan| async move { self.store.read().await?.list_companies(filter, bounds, &scan).await };
        let page = plan.fetch(self, key, list).await?;
        let (found, page) = page.take();
        let mut items = Vec::with_capacity(found.len());
        for company in found {
            items.push(self.with_owner(company).await?);
        }
        Ok(page.fill(items))
    }

    /// Changes a company.
    ///
    /// # Errors
    /// [`AppError::Unprocessable`] for a route that is taken.
    pub async fn update_company(
        &self,
        caller: &Caller,
        id: CompanyId,
        patch: CompanyPatch,
    ) -> Result<CompanyWithOwner, AppError> {
        self.permit(caller, Action::UpdateCompany, id, None, "company").await?;
        if patch == CompanyPatch::default() {
            return self.describe(id).await;
        }
        if let Some(Some(logo)) = patch.logo {
            self.adopt_image(caller, "logo", logo, Shape::Squares).await?;
        }
        if let Some(Some(banner)) = patch.banner {
            self.adopt_image(caller, "banner_image", banner, Shape::Banner).await?;
        }
        let n = self
            .store
            .write((id, patch, self.clock.now()), |(id, patch, at), tx| {
                Box::pin(async move {
                    if let Some(route) = &patch.route
                        && tx.is_route_taken(route, *id).await?
                    {
                        return Err(AppError::unprocessable("route_taken", "route", "this route is taken"));
                    }
                    tx.update_company(*id, patch, *at).await?;
                    if let Some(logo) = patch.logo {
                        use_picture(tx, FileUse::Logo(*id), logo, *at).await?;
                    }
                    if let Some(banner) = patch.banner {
                        use_picture(tx, FileUse::Banner(*id), banner, *at).await?;
                    }
                    App::note(tx, &[(Change::Company(*id), false)], *at).await
                })
            })
            .await?;
        self.settle(n).await?;
        self.describe(id).await
    }

    /// Changes how a company hands out tokens and enrols: for the command line.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no such company.
    pub async fn set_company_settings(
        &self,
        id: CompanyId,
        explicit_scopes: Option<bool>,
        open_enrolment: Option<bool>,
    ) -> Result<(), AppError> {
        if explicit_scopes.is_none() && open_enrolment.is_none() {
            return self.describe(id).await.map(drop);
        }
        let n = self
            .store
            .write((id, explicit_scopes, open_enrolment, self.clock.now()), |(id, scopes, open, at), tx| {
                Box::pin(async move {
                    if !tx.update_company_settings(*id, *scopes, *open, *at).await? {
                        return Err(AppError::NotFound("company"));
                    }
                    App::note(tx, &[(Change::Company(*id), false)], *at).await
                })
            })
            .await?;
        self.settle(n).await
    }

    /// Cuts a connected account from its parent: the parent's keys reach it no more, and tokens they
    /// minted for it are dead.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if it is no connected account.
    pub async fn detach_company(&self, id: CompanyId) -> Result<(), AppError> {
        let n = self
            .store
            .write((id, self.clock.now()), |(id, at), tx| {
                Box::pin(async move {
                    let none = || AppError::NotFound("connected account");
                    let company = tx.find_company(*id).await?.ok_or_else(none)?;
                    let parent = company.parent.ok_or_else(none)?;
                    if !tx.detach_company(*id, *at).await? {
                        return Err(none());
                    }
                    let mut changes = vec![(Change::Company(*id), true)];
                    // Owning this account was what enrolled its owner with the parent.
                    if !tx.owns_another_child(parent, company.owner, *id).await?
                        && tx.revoke_member(parent, company.owner, *at).await?
                    {
                        tx.revoke_all_experience_access(parent, company.owner).await?;
                        forget_picture(tx, parent, company.owner, *at).await?;
                        changes.push((Change::Standing(parent, company.owner), true));
                    }
                    App::note(tx, &changes, *at).await
                })
            })
            .await?;
        self.settle(n).await
    }
}

/// Open interval of milliseconds for `created_after` and `created_before`.
pub(crate) fn time_bounds(after: Option<Timestamp>, before: Option<Timestamp>) -> (i64, i64) {
    (after.map_or(i64::MIN, Timestamp::as_millisecond), before.map_or(i64::MAX, Timestamp::as_millisecond))
}

async fn create(creation: &Creation, tx: &mut Tx) -> Result<(), AppError> {
    let Creation { ids, ask, by, suffix, at, again } = creation;
    if *again && tx.find_company(ids.company).await?.is_some() {
        return Ok(());
    }
    let owner = match (ask.parent, ask.email.as_deref(), by) {
        (Some(parent), Some(email), _) => local_user(tx, parent, email, ask, ids, suffix, *at).await?.id,
        (_, _, Some(user)) => *user,
        _ => return Err(AppError::missing("email")),
    };
    tx.insert_company(
        &NewCompany {
            id: ids.company,
            parent: ask.parent,
            owner,
            title: ask.title.clone(),
            route: format!("{}-{suffix}", slug(ask.owner_name.as_deref().unwrap_or_default(), "company")),
            description: ask.description.clone(),
            metadata: ask.metadata.clone(),
            country: ask.country.clone(),
            send_customer_emails: ask.send_customer_emails.unwrap_or(true),
            explicit_scopes: false,
            open_enrolment: false,
        },
        *at,
    )
    .await?;
    if let Some(logo) = ask.logo {
        let patch = CompanyPatch { logo: Some(Some(logo)), ..CompanyPatch::default() };
        tx.update_company(ids.company, &patch, *at).await?;
        use_picture(tx, FileUse::Logo(ids.company), Some(logo), *at).await?;
    }
    tx.update_team_role(ids.team, ids.company, owner, Role::Owner, *at).await?;
    if let Some(parent) = ask.parent {
        if tx.insert_member(ids.member, parent, owner, *at).await? {
            App::tell(tx, parent, EventType::UserEnrolled, &Subject::User { user: owner }, *at).await?;
        }
        tx.insert_member(MemberId::from_bits(ids.member.bits() ^ 1), ids.company, owner, *at).await?;
    }
    Ok(())
}

/// The user of `parent` for an address, made if there is none.
async fn local_user(
    tx: &mut Tx,
    parent: CompanyId,
    email: &str,
    ask: &CreateCompany,
    ids: &NewIds,
    suffix: &str,
    at: Timestamp,
) -> Result<User, AppError> {
    for attempt in 0..3 {
        if let Some(user) = tx.find_local_user(parent, email).await? {
            return Ok(user);
        }
        // Not of the address: a username is shown to everybody in the channel.
        let stem = slug(ask.owner_name.as_deref().unwrap_or_default(), "user");
        let username = match attempt {
            0 => stem,
            1 => format!("{stem}-{suffix}"),
            _ => format!("{stem}-{}", &ids.user.to_string()[20..].to_lowercase()),
        };
        let new = NewUser {
            id: ids.user,
            person: None,
            home: Some(parent),
            username,
            name: ask.owner_name.clone(),
            email: Some(email.to_owned()),
        };
        // Not stored: either the username or the address is taken. Look again, then try another name.
        tx.insert_user(&new, at).await?;
    }
    tx.find_local_user(parent, email).await?.ok_or(AppError::Conflict {
        code: "concurrent_change",
        message: "a concurrent change got in the way; try again".to_owned(),
        permanent: false,
    })
}

/// Lower-case letters, digits and single hyphens, at most thirty; `fallback` if nothing is left.
pub(crate) fn slug(text: &str, fallback: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 30 {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() { fallback.to_owned() } else { slug.to_owned() }
}
