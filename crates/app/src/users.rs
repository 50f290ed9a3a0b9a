//! Users: who is seen by whom, and who may change which profile.

use std::sync::Arc;

use hallpass_core::authority::Change;
use hallpass_core::decision::Action;
use hallpass_core::entity::User;
use hallpass_core::file::FileUse;
use hallpass_core::id::{CompanyId, UserId};
use hallpass_store::{Key, StoreError, UserPatch};

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;
use crate::files::{Shape, use_picture};
use crate::page::{Direction, Page, PageAsk};
use crate::sessions::end_others;

/// How a path names a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    /// `user_…`
    Id(UserId),
    /// The caller's own.
    Me,
    /// A username, as the company means it.
    Username(String),
}

/// A user with the name to show.
#[derive(Clone, Debug, PartialEq)]
pub struct UserProfile {
    /// The user.
    pub user: Arc<User>,
    /// The company's override, else the global name.
    pub name: Option<String>,
    /// The address of the picture to show.
    pub picture: Option<String>,
}

/// What is changed of a profile.
#[derive(Clone, Debug, Default)]
pub struct UpdateUser {
    /// Overrides in this company; none for the global profile.
    pub company: Option<CompanyId>,
    /// The global fields, or the name of the override.
    pub patch: UserPatch,
}

impl App {
    /// A user, as `company` shows them; without one, the global profile.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a user or company out of reach.
    pub async fn retrieve_user(
        &self,
        caller: &Caller,
        user: &UserRef,
        company: Option<CompanyId>,
    ) -> Result<UserProfile, AppError> {
        let home = company.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::ReadUsers, home, None, "company").await?;
        let id = self.resolve(caller, user, home).await?;
        self.profile(id, company).await
    }

    /// The users enrolled in a company, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach.
    pub async fn list_users(
        &self,
        caller: &Caller,
        company: Option<CompanyId>,
        query: &str,
        page: &PageAsk,
    ) -> Result<Page<UserProfile>, AppError> {
        let home = company.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::ReadUsers, home, None, "company").await?;
        let plan = page.plan(self, "users.list", home, &[query], (Direction::Desc, 50))?;
        let key = |user: &User| Key { at: 0, id: user.id.to_string() };
        let list = |scan| async move { self.store.read().await?.list_users(home, query, &scan).await };
        let page = plan.fetch(self, key, list).await?;
        let (found, page) = page.take();
        let mut items = Vec::with_capacity(found.len());
        for user in found {
            let shown = self.shown(home, user.id).await?;
            let (name, picture) = (shown.name.clone(), shown.picture.clone());
            items.push(UserProfile { user: Arc::new(user), name, picture });
        }
        Ok(page.fill(items))
    }

    /// Changes a profile: with a company, what that company shows; without, the global one.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a user out of reach, [`AppError::Forbidden`] for a global profile
    /// that is not the caller's to edit, [`AppError::Unprocessable`] for a username that is taken.
    pub async fn update_user(
        &self,
        caller: &Caller,
        user: &UserRef,
        ask: UpdateUser,
    ) -> Result<UserProfile, AppError> {
        let home = ask.company.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::UpdateProfile, home, None, "company").await?;
        let id = self.resolve(caller, user, home).await?;
        if let Caller::User(own) = caller
            && own.user() != id
        {
            return Err(AppError::Forbidden {
                code: "not_own_profile",
                message: "a user token edits its own user's profile only".to_owned(),
            });
        }
        if let Some(Some(picture)) = ask.patch.picture {
            self.adopt_image(caller, "profile_picture", picture, Shape::Squares).await?;
        }
        match ask.company {
            Some(company) => self.update_override(company, id, ask.patch).await?,
            None => self.update_global(caller, id, ask.patch).await?,
        }
        self.profile(id, ask.company).await
    }

    async fn update_override(
        &self,
        company: CompanyId,
        id: UserId,
        patch: UserPatch,
    ) -> Result<(), AppError> {
        if patch.username.is_some() {
            return Err(AppError::invalid("username", "a company cannot override the username"));
        }
        // Null is no value, and there is none to clear here.
        if patch.bio.flatten().is_some() {
            return Err(AppError::invalid("bio", "a company cannot override the bio"));
        }
        let (name, picture) = (patch.name, patch.picture);
        if name.is_none() && picture.is_none() {
            return Ok(());
        }
        let n = self
            .store
            .write((company, id, name, picture, self.clock.now()), |(company, id, name, picture, at), tx| {
                Box::pin(async move {
                    let text = name.as_ref().map(Option::as_deref);
                    tx.update_override(*company, *id, text, *picture, *at).await?;
                    if let Some(picture) = picture {
                        use_picture(tx, FileUse::Override(*company, *id), *picture, *at).await?;
                    }
                    App::note(tx, &[(Change::Standing(*company, *id), false)], *at).await
                })
            })
            .await?;
        self.settle(n).await
    }

    async fn update_global(&self, caller: &Caller, id: UserId, patch: UserPatch) -> Result<(), AppError> {
        let user = self.user(id).await?.ok_or(AppError::NotFound("user"))?;
        if !self.made(caller, &user).await? {
            let message = match caller {
                Caller::Key(_) => "only the company that made this user edits the global profile",
                Caller::User(_) => {
                    "a token edits the global profile only of a user made by its company, or by the parent that \
                     minted it"
                }
            };
            return Err(AppError::Forbidden {
                code: "not_own_user",
                message: format!("{message}; name a company to change what is shown there"),
            });
        }
        if patch == UserPatch::default() {
            return Ok(());
        }
        self.write_global(id, user.home, patch).await
    }

    /// Writes a global profile of a user of `home`, or of a person's own.
    pub(crate) async fn write_global(
        &self,
        id: UserId,
        home: Option<CompanyId>,
        patch: UserPatch,
    ) -> Result<(), AppError> {
        let n = self
            .store
            .write((id, home, patch, self.clock.now()), |(id, home, patch, at), tx| {
                Box::pin(async move {
                    let taken =
                        || AppError::unprocessable("username_taken", "username", "this username is taken");
                    if let Some(username) = &patch.username
                        && tx.is_username_taken(*home, username, *id).await?
                    {
                        return Err(taken());
                    }
                    tx.update_user(*id, patch, *at).await.map_err(|error| match error {
                        StoreError::Conflict => taken(),
                        error => error.into(),
                    })?;
                    if let Some(picture) = patch.picture {
                        use_picture(tx, FileUse::User(*id), picture, *at).await?;
                    }
                    App::note(tx, &[(Change::User(*id), false)], *at).await
                })
            })
            .await?;
        self.settle(n).await
    }

    /// Whether the caller's company made the user. A minted token is its key's doing: a parent's key may
    /// send its users into connected accounts, whose own keys change nothing about them.
    async fn made(&self, caller: &Caller, user: &User) -> Result<bool, AppError> {
        let Some(home) = user.home else { return Ok(false) };
        Ok(home == caller.home() || home == self.key_of(caller).await?.company)
    }

    /// The user that a path names, if the caller may know of them through `company`.
    pub(crate) async fn resolve(
        &self,
        caller: &Caller,
        user: &UserRef,
        company: CompanyId,
    ) -> Result<UserId, AppError> {
        let not_found = AppError::NotFound("user");
        let id = match (user, caller) {
            (UserRef::Me, Caller::User(own)) => return Ok(own.user()),
            (UserRef::Me, Caller::Key(_)) => {
                return Err(AppError::Forbidden {
                    code: "api_key",
                    message: "an API key has no user of its own".to_owned(),
                });
            }
            (UserRef::Id(id), Caller::User(own)) if own.user() == *id => return Ok(*id),
            (UserRef::Id(id), _) => *id,
            (UserRef::Username(name), _) => {
                let found = self.store.read().await?.find_user_by_username(company, name).await?;
                return Ok(found.ok_or(not_found)?.id);
            }
        };
        let seen = self.standing(company, id).await?.enrolled()
            || self.store.read().await?.is_user_seen_from(company, id).await?;
        if seen { Ok(id) } else { Err(not_found) }
    }

    pub(crate) async fn profile(
        &self,
        id: UserId,
        company: Option<CompanyId>,
    ) -> Result<UserProfile, AppError> {
        let user = self.user(id).await?.ok_or(AppError::NotFound("user"))?;
        let (name, picture) = match company {
            Some(company) => {
                let shown = self.shown(company, id).await?;
                (shown.name.clone(), shown.picture.clone())
            }
            None => (user.name.clone(), user.picture.map(|id| self.picture_url(id))),
        };
        Ok(UserProfile { user, name, picture })
    }

    /// Deactivates a user everywhere: their tokens are dead within a second.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no active user with that id.
    pub async fn deactivate_user(&self, id: UserId) -> Result<(), AppError> {
        let n = self
            .store
            .write((id, self.clock.now()), |(id, at), tx| {
                Box::pin(async move {
                    if !tx.deactivate_user(*id, *at).await? {
                        return Err(AppError::NotFound("active user"));
                    }
                    tx.revoke_grants_of_user(*id, None, *at).await?;
                    // A person without their own user is signed in nowhere.
                    let user = tx.find_user(*id).await?.filter(|user| user.home.is_none());
                    if let Some(person) = user.and_then(|user| user.person) {
                        end_others(tx, person, None, *at).await?;
                    }
                    App::note(tx, &[(Change::User(*id), true)], *at).await
                })
            })
            .await?;
        self.settle(n).await
    }

    /// Undoes a deactivation; tokens from before stay dead.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no such user.
    pub async fn reactivate_user(&self, id: UserId) -> Result<(), AppError> {
        let n = self
            .store
            .write((id, self.clock.now()), |(id, at), tx| {
                Box::pin(async move {
                    if !tx.reactivate_user(*id).await? {
                        return Err(AppError::NotFound("user"));
                    }
                    App::note(tx, &[(Change::User(*id), false)], *at).await
                })
            })
            .await?;
        self.settle(n).await
    }
}
