//! Apps: what a company makes to work in others, which install it; and OAuth clients.
//!
//! Two credentials come with an app made over the API, each shown once and kept as a hash. The *client
//! secret* (`hpc_…`) proves at the token endpoint which client asks, and opens nothing else. The *API
//! key* (`hpa_…`) is a bearer credential of the app in its own company, no wider than the key that made
//! it. They are two so that leaking or rotating one is not leaking or rotating the other. What an app
//! keeps for itself (`secrets`) rests sealed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hallpass_core::app::{AppStatus, AppType, RegisteredApp, ViewPaths};
use hallpass_core::authority::Change;
use hallpass_core::catalogue::{NOT_APP, NOT_KEY};
use hallpass_core::decision::Action;
use hallpass_core::entity::{ApiKey, Company};
use hallpass_core::file::FileUse;
use hallpass_core::id::{ApiKeyId, AppId, CompanyId, FileId};
use hallpass_core::scope::ScopeSet;
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_core::webhook::EventType;
use hallpass_store::{AppFilter, AppPatch, CompanyApp, Key, NewApiKey, NewApp, StoreError, Tx};
use hallpass_token::{KeyRealm, KeySecret};
use jiff::Timestamp;

use crate::access_tokens::listed;
use crate::api_keys::{CreatedApiKey, MAX_LIVE_KEYS};
use crate::caller::{Caller, rights_within};
use crate::error::AppError;
use crate::files::{Shape, use_picture};
use crate::idempotency::secret_is_gone;
use crate::page::{Direction, Page, PageAsk};
use crate::profiles::Shown;
use crate::webhooks::Subject;
use crate::{App, Ticket};

/// The most secrets of one app.
pub const MAX_APP_SECRETS: usize = 100;
/// What an app keeps secret in all, names and values, in bytes.
pub const MAX_APP_SECRETS_BYTES: usize = 64 << 10;

/// What app is to be made.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the fields are those of RegisteredApp")]
pub struct CreateApp {
    /// None for the caller's own.
    pub company: Option<CompanyId>,
    pub name: String,
    pub base_url: Option<String>,
    pub route: Option<String>,
    pub redirect_uris: Vec<String>,
    pub icon: Option<FileId>,
}

/// Which apps a list shows.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are the query's")]
pub struct ListApps {
    pub company: Option<CompanyId>,
    pub filter: AppFilter,
    /// A filter that no app of ours matches was given.
    pub matches_none: bool,
    pub page: PageAsk,
}

/// What is changed of an app.
#[derive(Clone, Debug, Default)]
pub struct UpdateApp {
    /// Its fields.
    pub patch: AppPatch,
    /// Secrets to set, or to forget (none).
    pub secrets: BTreeMap<String, Option<SecretValue>>,
}

/// A text that does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(pub String);

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// What an app keeps secret.
pub type AppSecrets = BTreeMap<String, SecretValue>;

/// An app with what its view needs.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "parts, named")]
pub struct AppDetails {
    pub app: RegisteredApp,
    pub company: Arc<Company>,
    pub creator: Arc<Shown>,
    /// None for those who may not see them.
    pub secrets: Option<AppSecrets>,
    /// The address of its icon.
    pub icon: Option<String>,
}

/// A new app, with the only copies of its two credentials.
pub struct CreatedApp {
    /// The app.
    pub details: AppDetails,
    /// For the token endpoint.
    pub client_secret: KeySecret,
    /// For the API.
    pub key: CreatedApiKey,
}

/// What making an app writes.
#[derive(Clone)]
struct Creation {
    new: NewApp,
    key: Option<NewApiKey>,
    again: bool,
    at: Timestamp,
}

impl App {
    /// Makes an app, its client secret and its API key.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`],
    /// [`AppError::Unprocessable`] for a route that is taken, [`AppError::Conflict`] if the company has
    /// its hundred live keys or an earlier attempt made the app.
    pub async fn create_app(
        &self,
        caller: &Caller,
        ask: CreateApp,
        ticket: Option<Ticket>,
    ) -> Result<CreatedApp, AppError> {
        let id = ask.company.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::CreateApp, id, None, "company").await?;
        let company = self.company(id).await?.ok_or(AppError::NotFound("company"))?;
        if let Some(icon) = ask.icon {
            self.adopt_image(caller, "icon", icon, Shape::Squares).await?;
        }
        let at = self.clock.now();
        let client_secret = KeySecret::generate(KeyRealm::Client, &*self.entropy);
        let realm = if self.dev { KeyRealm::Dev } else { KeyRealm::App };
        let secret = KeySecret::generate(realm, &*self.entropy);
        let app = blank(AppId::from_bits(self.bits(ticket)), &company, ask, at);
        let held = self.held_throughout(caller, &company).await?;
        let key = ApiKey {
            id: ApiKeyId::generate(at, &*self.entropy),
            company: company.id,
            app: Some(app.id),
            rights: key_rights(company.id, &held)?,
            name: Some(app.name.clone()),
            hint: secret.hint(),
            created_at: at,
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
        };
        let creation = Creation {
            new: NewApp { app: app.clone(), client_secret_hash: Some(client_secret.hash().0) },
            key: Some(NewApiKey { key: key.clone(), secret_hash: secret.hash().0 }),
            again: ticket.is_some_and(|ticket| ticket.is_again()),
            at,
        };
        self.store.write(creation, |creation, tx| Box::pin(create(creation, tx))).await?;
        let details = self.describe_app(app, company, Some(AppSecrets::new())).await?;
        Ok(CreatedApp { details, client_secret, key: CreatedApiKey { key, secret } })
    }

    /// Makes an app of a company, without credentials: for the command line.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no such company.
    pub(crate) async fn make_app(&self, company: CompanyId, name: String) -> Result<CompanyApp, AppError> {
        let company = self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        let at = self.clock.now();
        let ask = CreateApp { name, ..CreateApp::default() };
        let app = blank(AppId::generate(at, &*self.entropy), &company, ask, at);
        let made = CompanyApp {
            id: app.id,
            owner: app.company,
            name: app.name.clone(),
            created_at: at,
            installed_at: None,
        };
        let new = NewApp { app, client_secret_hash: None };
        let creation = Creation { new, key: None, again: false, at };
        self.store.write(creation, |creation, tx| Box::pin(create(creation, tx))).await?;
        Ok(made)
    }

    /// The apps that a company owns, newest first.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach.
    pub async fn list_apps(&self, caller: &Caller, ask: ListApps) -> Result<Page<AppDetails>, AppError> {
        let id = ask.company.unwrap_or_else(|| caller.home());
        self.permit(caller, Action::ReadApps, id, None, "company").await?;
        let company = self.company(id).await?.ok_or(AppError::NotFound("company"))?;
        let filters = format!("{:?} {}", ask.filter, ask.matches_none);
        let plan = ask.page.plan(self, "apps.list", id, &[&filters], (Direction::Desc, 100))?;
        let key = |app: &RegisteredApp| Key { at: app.created_at.as_millisecond(), id: app.id.to_string() };
        let (none, filter) = (ask.matches_none, &ask.filter);
        let list = |scan| async move {
            if none {
                return Ok(Vec::new());
            }
            self.store.read().await?.list_owned_apps(id, filter, &scan).await
        };
        let (found, page) = plan.fetch(self, key, list).await?.take();
        let mut items = Vec::with_capacity(found.len());
        for app in found {
            items.push(self.describe_app(app, Arc::clone(&company), None).await?);
        }
        Ok(page.fill(items))
    }

    /// One app: of a company in reach, or installed in the caller's; its secrets for those who may manage
    /// it. The built-in one is everybody's, and looks like the caller's own.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach.
    pub async fn retrieve_app(&self, caller: &Caller, id: AppId) -> Result<AppDetails, AppError> {
        self.permit(caller, Action::ReadApps, caller.home(), None, "app").await?;
        let absent = || AppError::NotFound("app");
        let app = self.store.read().await?.find_registered_app(id).await?.ok_or_else(absent)?;
        let owner = app.company.unwrap_or_else(|| caller.home());
        let in_reach = match self.permit(caller, Action::ReadApps, owner, None, "app").await {
            Ok(_) => true,
            Err(AppError::NotFound(_)) => false,
            Err(error) => return Err(error),
        };
        if !in_reach && !self.store.read().await?.is_app_installed(id, caller.home()).await? {
            return Err(absent());
        }
        let manages = in_reach
            && app.company.is_some()
            && match self.permit(caller, Action::ManageApp, owner, None, "app").await {
                Ok(_) => true,
                Err(AppError::MissingScopes(_)) => false,
                Err(error) => return Err(error),
            };
        let secrets = if manages { Some(self.app_secrets(id).await?) } else { None };
        let company = self.company(owner).await?.ok_or_else(absent)?;
        self.describe_app(app, company, secrets).await
    }

    /// Changes an app and what it keeps secret.
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`], [`AppError::Unprocessable`] for
    /// a route that is taken or too many secrets.
    pub async fn update_app(
        &self,
        caller: &Caller,
        id: AppId,
        ask: UpdateApp,
    ) -> Result<AppDetails, AppError> {
        self.permit_app(caller, id).await?;
        if ask.patch == AppPatch::default() && ask.secrets.is_empty() {
            return self.retrieve_app(caller, id).await;
        }
        if let Some(Some(icon)) = ask.patch.icon {
            self.adopt_image(caller, "icon", icon, Shape::Squares).await?;
        }
        let this = self.clone();
        let n = self
            .store
            .write((this, id, ask, self.clock.now()), |(this, id, ask, at), tx| {
                Box::pin(async move {
                    if !tx.lock_app(*id).await? {
                        return Err(AppError::NotFound("app"));
                    }
                    if let Some(Some(route)) = &ask.patch.route
                        && tx.is_app_route_taken(route, *id).await?
                    {
                        return Err(route_taken());
                    }
                    if !ask.secrets.is_empty() {
                        let sealed = tx.find_app_secrets(*id).await?;
                        let merged = merge(this.open_secrets(*id, sealed.as_deref())?, &ask.secrets)?;
                        let sealed = this.seal_secrets(*id, &merged);
                        tx.update_app_secrets(*id, sealed.as_deref(), *at).await?;
                    }
                    tx.update_app(*id, &ask.patch, *at).await.map_err(|error| match error {
                        StoreError::Conflict => route_taken(),
                        error => error.into(),
                    })?;
                    if let Some(icon) = ask.patch.icon {
                        use_picture(tx, FileUse::App(*id), icon, *at).await?;
                    }
                    App::note(tx, &[(Change::App(*id), false)], *at).await
                })
            })
            .await?;
        self.settle(n).await?;
        self.retrieve_app(caller, id).await
    }

    /// Replaces an app's client secret; the old one ends at once. (extension)
    ///
    /// # Errors
    /// [`AppError::NotFound`] out of reach, [`AppError::MissingScopes`]; [`AppError::Forbidden`] if the
    /// app's own key may do what the caller may not: the secret gives tokens of that key's rights.
    pub async fn rotate_client_secret(&self, caller: &Caller, id: AppId) -> Result<KeySecret, AppError> {
        self.permit_app(caller, id).await?;
        self.must_hold_the_apps_rights(caller, id).await?;
        let secret = KeySecret::generate(KeyRealm::Client, &*self.entropy);
        let n = self
            .store
            .write((id, secret.hash().0, self.clock.now()), |(id, hash, at), tx| {
                Box::pin(async move {
                    if !tx.update_client_secret(*id, hash, *at).await? {
                        return Err(AppError::NotFound("app"));
                    }
                    App::note(tx, &[(Change::App(*id), false)], *at).await
                })
            })
            .await?;
        self.settle(n).await?;
        Ok(secret)
    }

    async fn must_hold_the_apps_rights(&self, caller: &Caller, id: AppId) -> Result<(), AppError> {
        let Some(key) = self.key_of_app(id).await? else { return Ok(()) };
        let company = self.company(key.company).await?.ok_or(AppError::NotFound("app"))?;
        let held = self.held_throughout(caller, &company).await?;
        held.narrow(&rights_within(&key, &company)).map(drop).map_err(|lacking| {
            let few: ScopeSet = lacking.iter().take(5).collect();
            AppError::Forbidden {
                code: "app_above_own",
                message: format!(
                    "the app's own key may do what this credential may not, such as {}",
                    listed(&few)
                ),
            }
        })
    }

    /// Whether the caller may manage an app. Absent, another tenant's, or the built-in one: the same
    /// answer, which depends on the caller alone.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`AppError::MissingScopes`].
    pub async fn permit_app(&self, caller: &Caller, id: AppId) -> Result<(), AppError> {
        let owner = self.store.read().await?.find_app(id).await?.and_then(|(owner, _)| owner);
        let permitted = match owner {
            Some(owner) => self.permit(caller, Action::ManageApp, owner, None, "app").await.map(drop),
            None => Err(AppError::NotFound("app")),
        };
        if matches!(permitted, Err(AppError::NotFound(_))) {
            self.permit(caller, Action::ManageApp, caller.home(), None, "app").await?;
        }
        permitted
    }

    async fn describe_app(
        &self,
        app: RegisteredApp,
        company: Arc<Company>,
        secrets: Option<AppSecrets>,
    ) -> Result<AppDetails, AppError> {
        let creator = self.shown(company.id, app.creator.unwrap_or(company.owner)).await?;
        let icon = app.icon.map(|id| self.picture_url(id));
        Ok(AppDetails { app, company, creator, secrets, icon })
    }

    async fn app_secrets(&self, id: AppId) -> Result<AppSecrets, AppError> {
        let sealed = self.store.read().await?.find_app_secrets(id).await?;
        self.open_secrets(id, sealed.as_deref())
    }

    fn open_secrets(&self, id: AppId, sealed: Option<&[u8]>) -> Result<AppSecrets, AppError> {
        let Some(sealed) = sealed else { return Ok(AppSecrets::new()) };
        let corrupt = || {
            AppError::Internal(StoreError::Corrupt { table: "apps", column: "secrets", id: id.to_string() })
        };
        let plain = self.app_seal.open(&place(id), sealed).map_err(|_| corrupt())?;
        let texts: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(|_| corrupt())?;
        Ok(texts.into_iter().map(|(name, text)| (name, SecretValue(text))).collect())
    }

    fn seal_secrets(&self, id: AppId, secrets: &AppSecrets) -> Option<Vec<u8>> {
        let texts: BTreeMap<&str, &str> =
            secrets.iter().map(|(name, SecretValue(text))| (name.as_str(), text.as_str())).collect();
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(&texts).expect("texts serialise"));
        (!secrets.is_empty()).then(|| self.app_seal.seal(&*self.entropy, &place(id), &plain))
    }

    /// Lets an app's keys work in a company that does not own it.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for an absent app or company, [`AppError::Conflict`] where nothing is to be
    /// installed.
    pub(crate) async fn install_app(&self, app: AppId, company: CompanyId) -> Result<(), AppError> {
        self.company(company).await?.ok_or(AppError::NotFound("company"))?;
        let (owner, _) = self.store.read().await?.find_app(app).await?.ok_or(AppError::NotFound("app"))?;
        if owner.is_none_or(|owner| owner == company) {
            let message = "the company owns this app, or it is the built-in one: there is nothing to install";
            return Err(AppError::conflict("app_not_installable", message));
        }
        self.store
            .write((app, company, self.clock.now()), |(app, company, at), tx| {
                Box::pin(async move {
                    tx.insert_app_install(*app, *company, *at).await?;
                    let subject = Subject::App { app: *app };
                    App::tell(tx, *company, EventType::AppAuthorized, &subject, *at).await
                })
            })
            .await
            .inspect(|()| self.hooks.wake())
    }

    /// Takes an app out of a company: its keys, and the tokens they minted, reach the company no more.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if it is not installed there.
    pub(crate) async fn uninstall_app(&self, app: AppId, company: CompanyId) -> Result<(), AppError> {
        let n = self
            .store
            .write((app, company, self.clock.now()), |(app, company, at), tx| {
                Box::pin(async move {
                    let n = App::note(tx, &[(Change::Company(*company), false)], *at).await?;
                    if !tx.delete_app_install(*app, *company).await? {
                        return Err(AppError::NotFound("installed app"));
                    }
                    Ok(n)
                })
            })
            .await?;
        self.settle(n).await
    }
}

/// A new app of a company, as far as it was asked for.
pub(crate) fn blank(id: AppId, company: &Company, ask: CreateApp, at: Timestamp) -> RegisteredApp {
    RegisteredApp {
        id,
        company: Some(company.id),
        creator: Some(company.owner),
        name: ask.name,
        description: None,
        status: AppStatus::Unlisted,
        app_type: AppType::B2b,
        base_url: ask.base_url,
        route: ask.route,
        paths: ViewPaths::default(),
        client_type: None,
        redirect_uris: ask.redirect_uris,
        requested_permissions: Vec::new(),
        icon: ask.icon,
        created_at: at,
        updated_at: at,
    }
}

/// What an app's first key may do: in the app's own company, what its maker may and any app may. In
/// companies that install the app it may nothing; what they grant is theirs to say.
pub(crate) fn key_rights(company: CompanyId, held: &ScopeSet) -> Result<KeyRights, AppError> {
    let unfit = |flags: hallpass_core::catalogue::Flags| flags.has(NOT_APP) || flags.has(NOT_KEY);
    let actions = held.iter().filter(|scope| !unfit(scope.flags())).collect();
    let own = Pattern::try_from(company.to_string())
        .map_err(|error| AppError::invalid("company_id", error.to_string()))?;
    Ok(KeyRights::Statements(vec![Statement { actions, grant: true, resources: vec![own] }]))
}

async fn create(creation: &Creation, tx: &mut Tx) -> Result<(), AppError> {
    let Creation { new, key, again, at } = creation;
    if *again && tx.find_app(new.app.id).await?.is_some() {
        return Err(secret_is_gone());
    }
    if let Some(route) = &new.app.route
        && tx.is_app_route_taken(route, new.app.id).await?
    {
        return Err(route_taken());
    }
    tx.insert_registered_app(new).await.map_err(|error| match error {
        StoreError::Conflict if new.app.route.is_some() => route_taken(),
        error => error.into(),
    })?;
    if new.app.icon.is_some() {
        use_picture(tx, FileUse::App(new.app.id), new.app.icon, *at).await?;
    }
    let Some(key) = key else { return Ok(()) };
    if !tx.lock_company(key.key.company).await? {
        return Err(AppError::NotFound("company"));
    }
    if tx.count_live_api_keys(key.key.company, *at).await? >= MAX_LIVE_KEYS {
        return Err(AppError::conflict(
            "too_many_keys",
            format!(
                "a company has at most {MAX_LIVE_KEYS} live API keys, its apps' included; revoke one first"
            ),
        ));
    }
    Ok(tx.insert_api_key(key).await?)
}

fn merge(
    mut secrets: AppSecrets,
    changes: &BTreeMap<String, Option<SecretValue>>,
) -> Result<AppSecrets, AppError> {
    for (name, value) in changes {
        match value {
            Some(value) => drop(secrets.insert(name.clone(), value.clone())),
            None => drop(secrets.remove(name)),
        }
    }
    let bytes: usize = secrets.iter().map(|(name, SecretValue(text))| name.len() + text.len()).sum();
    if secrets.len() > MAX_APP_SECRETS || bytes > MAX_APP_SECRETS_BYTES {
        return Err(AppError::unprocessable(
            "too_long",
            "secrets",
            format!(
                "an app keeps at most {MAX_APP_SECRETS} secrets, of {MAX_APP_SECRETS_BYTES} bytes in all"
            ),
        ));
    }
    Ok(secrets)
}

/// What seals an app's secrets to their row.
fn place(id: AppId) -> Vec<u8> {
    format!("apps/secrets/{id}").into_bytes()
}

fn route_taken() -> AppError {
    AppError::unprocessable("route_taken", "route", "this route is taken")
}
