//! API keys: made once, shown once, stored as a hash.

use hallpass_core::authority::Change;
use hallpass_core::catalogue::scopes::DEVELOPER_MANAGE_API_KEY;
use hallpass_core::decision::Action;
use hallpass_core::entity::ApiKey;
use hallpass_core::id::{ApiKeyId, AppId, CompanyId};
use hallpass_core::role;
use hallpass_core::scope::ScopeSet;
use hallpass_core::statement::KeyRights;
use hallpass_core::webhook::EventType;
use hallpass_store::{Key, NewApiKey, Scan};
use hallpass_token::{KeyRealm, KeySecret};
use jiff::Timestamp;

use crate::access_tokens::listed;
use crate::caller::{Caller, rights_throughout};
use crate::error::AppError;
use crate::idempotency::secret_is_gone;
use crate::webhooks::Subject;
use crate::{App, Ticket};

/// The most live keys of one company.
pub const MAX_LIVE_KEYS: i64 = 100;

/// What key is to be made.
#[derive(Clone, Debug)]
pub struct CreateApiKey {
    /// The company it belongs to.
    pub company: CompanyId,
    /// For an app's key.
    pub app: Option<AppId>,
    /// A name for people.
    pub name: Option<String>,
    /// What it may do.
    pub rights: KeyRights,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
}

/// A new key, with the only copy of its secret.
pub struct CreatedApiKey {
    /// The key.
    pub key: ApiKey,
    /// The secret.
    pub secret: KeySecret,
}

impl App {
    /// Makes a key for a connected account (or the parent itself) by a key of the parent.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a company out of reach, [`AppError::MissingScopes`] without
    /// `developer:manage_api_key`, [`AppError::Forbidden`] for rights the caller lacks itself.
    pub async fn create_api_key(
        &self,
        caller: &Caller,
        parent: CompanyId,
        ask: CreateApiKey,
        ticket: Option<Ticket>,
    ) -> Result<CreatedApiKey, AppError> {
        self.permit(caller, Action::ManageApiKeys, parent, None, "company").await?;
        let child = self.company(ask.company).await?.ok_or(AppError::NotFound("company"))?;
        if child.id != parent && child.parent != Some(parent) {
            return Err(AppError::NotFound("company"));
        }
        self.permit(caller, Action::ManageApiKeys, child.id, None, "company").await?;
        let Caller::Key(live) = caller else {
            return Err(AppError::MissingScopes(vec![ScopeSet::of(&[DEVELOPER_MANAGE_API_KEY])]));
        };
        let ungrantable = ask.rights.ungrantable();
        if !ungrantable.is_empty() {
            let names: Vec<_> = ungrantable.iter().map(|scope| scope.name()).collect();
            return Err(AppError::Forbidden {
                code: "not_grantable",
                message: format!("not grantable to an API key by name: {}", names.join(", ")),
            });
        }
        // A key never makes a wider one.
        let held = rights_throughout(&live.key, &child);
        if let Err(lacking) = held.narrow(&ask.rights.ever()) {
            return Err(AppError::Forbidden {
                code: "scope_exceeds_key",
                message: format!("the API key itself lacks {}", listed(&lacking)),
            });
        }
        if let KeyRights::Statements(statements) = &ask.rights {
            let child_id = child.id.to_string();
            let foreign = statements
                .iter()
                .filter(|statement| statement.grant)
                .flat_map(|statement| &statement.resources)
                .find(|pattern| pattern.company() != child_id && !pattern.company().ends_with('*'));
            if foreign.is_some() {
                return Err(AppError::invalid(
                    "permissions",
                    "resources must lie in the company the key is for",
                ));
            }
        }
        self.make_api_key(ask, ticket).await
    }

    /// Makes a key, unconditionally: for the command line and first starts.
    ///
    /// # Errors
    /// [`AppError::Conflict`] if the company has its hundred live keys, or an earlier attempt made the
    /// key.
    pub async fn make_api_key(
        &self,
        ask: CreateApiKey,
        ticket: Option<Ticket>,
    ) -> Result<CreatedApiKey, AppError> {
        let realm = match (self.dev, ask.app) {
            (true, _) => KeyRealm::Dev,
            (false, Some(_)) => KeyRealm::App,
            (false, None) => KeyRealm::Company,
        };
        let secret = KeySecret::generate(realm, &*self.entropy);
        let now = self.clock.now();
        if ask.expires_at.is_some_and(|at| at <= now) {
            return Err(AppError::invalid("expires_at", "expires_at is in the past"));
        }
        let rights = match (ask.app, ask.rights) {
            // An app's key never holds what no app may, even by role; the decision takes it away too.
            (Some(_), KeyRights::Statements(statements))
                if !KeyRights::Statements(statements.clone())
                    .ever()
                    .and(&role::not_for_apps())
                    .is_empty() =>
            {
                return Err(AppError::Forbidden {
                    code: "not_grantable",
                    message: "some of these permissions cannot be granted to an app".to_owned(),
                });
            }
            (_, rights) => rights,
        };
        let key = ApiKey {
            id: ApiKeyId::from_bits(self.bits(ticket)),
            company: ask.company,
            app: ask.app,
            rights,
            name: ask.name,
            hint: secret.hint(),
            created_at: now,
            last_used_at: None,
            expires_at: ask.expires_at,
            revoked_at: None,
        };
        let new = NewApiKey { key: key.clone(), secret_hash: secret.hash().0 };
        let again = ticket.is_some_and(|ticket| ticket.is_again());
        self.store
            .write((new, again, now), |(new, again, now), tx| {
                Box::pin(async move {
                    if *again && tx.find_api_key(new.key.id).await?.is_some() {
                        return Err(secret_is_gone());
                    }
                    if !tx.lock_company(new.key.company).await? {
                        return Err(AppError::NotFound("company"));
                    }
                    if tx.count_live_api_keys(new.key.company, *now).await? >= MAX_LIVE_KEYS {
                        return Err(AppError::conflict(
                            "too_many_keys",
                            format!("a company has at most {MAX_LIVE_KEYS} live API keys; revoke one first"),
                        ));
                    }
                    tx.insert_api_key(new).await?;
                    let subject = Subject::ApiKey { api_key: new.key.id };
                    App::tell(tx, new.key.company, EventType::ApiKeyCreated, &subject, *now).await
                })
            })
            .await?;
        self.hooks.wake();
        Ok(CreatedApiKey { key, secret })
    }

    /// A company's keys, newest first, without secrets: for the command line.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list_company_keys(&self, company: CompanyId) -> Result<Vec<ApiKey>, AppError> {
        let mut keys: Vec<ApiKey> = Vec::new();
        let mut conn = self.store.read().await?;
        loop {
            let from =
                keys.last().map(|key| Key { at: key.created_at.as_millisecond(), id: key.id.to_string() });
            let page = conn.list_api_keys(company, &Scan { descending: true, from, limit: 200 }).await?;
            let done = page.len() < 200;
            keys.extend(page);
            if done {
                return Ok(keys);
            }
        }
    }

    /// Revokes a key by another one that may manage keys where it belongs.
    pub(crate) async fn revoke_api_key(&self, caller: &Caller, id: ApiKeyId) -> Result<(), AppError> {
        let key = self.api_key(id).await?.ok_or(AppError::NotFound("api key"))?;
        self.permit(caller, Action::ManageApiKeys, key.company, None, "api key").await?;
        self.end_api_key(id).await
    }

    /// Revokes a key, and with it every token it minted.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no such key. A key that was revoked before stays so.
    pub async fn end_api_key(&self, id: ApiKeyId) -> Result<(), AppError> {
        let found = self.store.read().await?.find_api_key(id).await?;
        let company = found.ok_or(AppError::NotFound("api key"))?.company;
        let n = self
            .store
            .write((id, company, self.clock.now()), |(id, company, at), tx| {
                Box::pin(async move {
                    tx.revoke_api_key(*id, *at).await?;
                    let n = tx.insert_authority(&Change::Key(*id), true, *at).await?;
                    let subject = Subject::Tokens { token: None, user: None, api_key: Some(*id) };
                    App::tell(tx, *company, EventType::TokenRevoked, &subject, *at).await?;
                    Ok::<_, AppError>(n)
                })
            })
            .await?;
        self.hooks.wake();
        self.settle(n).await
    }
}
