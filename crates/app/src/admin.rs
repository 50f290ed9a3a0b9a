//! What operators do from the command line: one command in, one JSON value out.
//!
//! No [`Caller`](crate::Caller): whoever reaches this has the data folder or the database, and with it
//! everything. `hallpass` runs a command in its own process, or hands it to the running server over
//! the socket in the data folder. What narrows rights goes through the authority log like any other
//! change. Secrets inside commands never print ([`SecretText`]); a new key's secret, or a password
//! made here, is in the answer, once.

use std::fmt;

use hallpass_core::authority::Change;
use hallpass_core::clock::wire_time;
use hallpass_core::entity::{ApiKey, Company, User};
use hallpass_core::id::*;
use hallpass_core::role::Role;
use hallpass_core::scope::{Scope, ScopeSet};
use hallpass_core::statement::{KeyRights, Pattern, Statement};
use hallpass_core::webhook::EventType;
use hallpass_store::{CompanyApp, CompanyFilter, Key, NewCompany, NewUser, Scan, Store};
use hallpass_token::TokenError;
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::api_keys::CreateApiKey;
use crate::companies::slug;
use crate::error::AppError;
use crate::people::{self, NewPerson};
use crate::webhooks::Subject;
use crate::{App, MODE};

/// A secret on its way to the server. Serialises, for the socket; does not print.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}
impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}
impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// One command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are the command line's, described in its help")]
pub enum AdminCommand {
    /// How the server is.
    Status,
    /// The signing keys.
    ListSigningKeys,
    /// Lets the next signing key sign.
    RotateSigningKeys { now: bool },
    /// Ends a signing key.
    RetireSigningKey { kid: String, now: bool },
    /// Makes an API key.
    CreateApiKey {
        company: CompanyId,
        app: Option<AppId>,
        name: Option<String>,
        role: Option<Role>,
        permissions: Vec<String>,
        expires_in_secs: Option<i64>,
    },
    /// Makes an app of a company.
    CreateApp { company: CompanyId, name: String },
    /// The apps that a company owns or installed.
    ListApps { company: CompanyId },
    /// Lets an app's keys work in a company.
    InstallApp { app: AppId, company: CompanyId },
    /// Ends that.
    UninstallApp { app: AppId, company: CompanyId },
    /// A company's API keys.
    ListApiKeys { company: CompanyId },
    /// Ends an API key and every token it minted.
    RevokeApiKey { id: ApiKeyId },
    /// Ends the token with this text.
    RevokeToken { token: SecretText },
    /// Ends a token of a company, or minted by its keys.
    RevokeJti { company: CompanyId, jti: TokenId },
    /// Ends every token of a user in a company.
    RevokeUserTokens { company: CompanyId, user: UserId },
    /// Makes a company of its own.
    CreateCompany { title: String, owner: Owner },
    /// Companies, newest first, behind `after`.
    ListCompanies { of: CompaniesOf, after: Option<CompanyId>, limit: u32 },
    /// One company.
    ShowCompany { id: CompanyId },
    /// Changes how a company hands out tokens and enrols.
    SetCompany { id: CompanyId, explicit_scopes: Option<bool>, open_enrolment: Option<bool> },
    /// Cuts a connected account from its parent.
    DetachCompany { id: CompanyId },
    /// Makes a person with a user of their own.
    CreatePerson(PersonAsk),
    /// Makes a user of a company, enrolled there.
    CreateUser { company: CompanyId, email: String, username: Option<String>, name: Option<String> },
    /// Ends a user everywhere.
    DeactivateUser { id: UserId },
    /// Undoes that.
    ReactivateUser { id: UserId },
    /// Makes a user a member.
    EnrolUser { company: CompanyId, user: UserId },
    /// Ends membership and team role.
    UnenrolUser { company: CompanyId, user: UserId },
    /// Puts a user on a team with a role, or takes them off it.
    SetRole { company: CompanyId, user: UserId, role: Option<Role> },
}

/// A person to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonAsk {
    /// Taken as verified: the operator says so.
    pub email: String,
    /// Of their own user; unique on the server.
    pub username: String,
    /// Of their own user.
    pub name: Option<String>,
    /// None: one is made and answered.
    pub password: Option<SecretText>,
}

/// Who owns a new company.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// A user that exists.
    User(UserId),
    /// A person made with it.
    New(PersonAsk),
}

/// Which companies a list shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompaniesOf {
    /// All, connected accounts included.
    Server,
    /// The connected accounts of this one.
    Parent(CompanyId),
    /// Those this user owns.
    Owner(UserId),
}

impl AdminCommand {
    /// Whether the command makes sense on a database that does not exist yet.
    pub fn begins(&self) -> bool {
        matches!(self, Self::CreateCompany { .. } | Self::CreatePerson(_))
    }
}

/// Whether a migrated database was made by `hallpass dev`; none for an empty one.
///
/// # Errors
/// Those of the store.
pub async fn is_dev_database(store: &Store) -> Result<Option<bool>, AppError> {
    Ok(store.read().await?.find_fact(MODE).await?.map(|mode| mode == "dev"))
}

impl App {
    /// Carries out a command.
    ///
    /// # Errors
    /// Those of what is asked for.
    pub async fn admin(&self, command: AdminCommand) -> Result<Value, AppError> {
        use AdminCommand as C;
        match command {
            C::Status => self.status().await,
            C::ListSigningKeys => Ok(json!(self.keyring().list().await?)),
            C::RotateSigningKeys { now } => {
                self.keyring().rotate(now).await?;
                Ok(json!(self.keyring().list().await?))
            }
            C::RetireSigningKey { kid, now } => {
                self.keyring().retire(&kid, now).await?;
                Ok(json!(self.keyring().list().await?))
            }
            C::CreateApiKey { company, app, name, role, permissions, expires_in_secs } => {
                let rights = key_rights(company, app, role, &permissions)?;
                let expires_at =
                    expires_in_secs.map(|secs| self.clock.now() + SignedDuration::from_secs(secs));
                self.admin_create_key(CreateApiKey { company, app, name, rights, expires_at }).await
            }
            C::CreateApp { company, name } => {
                people::check_name(Some(&name))?;
                if name.trim().is_empty() {
                    return Err(AppError::invalid("name", "an app has a name"));
                }
                Ok(app_view(&self.make_app(company, name).await?))
            }
            C::ListApps { company } => {
                self.must_exist(company).await?;
                let apps = self.store.read().await?.list_company_apps(company).await?;
                Ok(apps.iter().map(app_view).collect())
            }
            C::InstallApp { app, company } => {
                self.install_app(app, company).await?;
                Ok(json!({"installed": true, "app_id": app, "company_id": company}))
            }
            C::UninstallApp { app, company } => {
                self.uninstall_app(app, company).await?;
                Ok(json!({"uninstalled": true, "app_id": app, "company_id": company}))
            }
            C::ListApiKeys { company } => {
                self.must_exist(company).await?;
                let keys = self.list_company_keys(company).await?;
                Ok(keys.iter().map(key_view).collect())
            }
            C::RevokeApiKey { id } => {
                self.end_api_key(id).await?;
                Ok(json!({"revoked": true, "id": id}))
            }
            C::RevokeToken { token } => self.admin_revoke_token(&token).await,
            C::RevokeJti { company, jti } => {
                self.must_exist(company).await?;
                self.narrow(vec![Change::Token(company, jti)]).await?;
                Ok(json!({"revoked": true, "jti": jti}))
            }
            C::RevokeUserTokens { company, user } => {
                self.must_exist(company).await?;
                self.user(user).await?.ok_or(AppError::NotFound("user"))?;
                self.narrow(vec![Change::Standing(company, user)]).await?;
                Ok(json!({"revoked": true, "company_id": company, "user_id": user}))
            }
            C::CreateCompany { title, owner } => self.admin_create_company(title, owner).await,
            C::ListCompanies { of, after, limit } => self.admin_list_companies(of, after, limit).await,
            C::ShowCompany { id } => {
                let found = self.describe(id).await?;
                Ok(company_view(&found.company))
            }
            C::SetCompany { id, explicit_scopes, open_enrolment } => {
                self.set_company_settings(id, explicit_scopes, open_enrolment).await?;
                Ok(company_view(&self.describe(id).await?.company))
            }
            C::DetachCompany { id } => {
                self.detach_company(id).await?;
                Ok(company_view(&self.describe(id).await?.company))
            }
            C::CreatePerson(ask) => self.admin_create_person(ask).await,
            C::CreateUser { company, email, username, name } => {
                self.admin_create_user(company, email, username, name).await
            }
            C::DeactivateUser { id } => {
                self.deactivate_user(id).await?;
                self.admin_show_user(id).await
            }
            C::ReactivateUser { id } => {
                self.reactivate_user(id).await?;
                self.admin_show_user(id).await
            }
            C::EnrolUser { company, user } => {
                self.must_exist(company).await?;
                self.user(user).await?.ok_or(AppError::NotFound("user"))?;
                let member = self.make_member(company, user).await?;
                Ok(json!({"member_id": member.id, "company_id": company, "user_id": user}))
            }
            C::UnenrolUser { company, user } => {
                self.end_membership(company, user).await?;
                Ok(json!({"unenrolled": true, "company_id": company, "user_id": user}))
            }
            C::SetRole { company, user, role } => {
                self.set_team_role(company, user, role).await?;
                Ok(json!({"company_id": company, "user_id": user, "role": role}))
            }
        }
    }

    async fn status(&self) -> Result<Value, AppError> {
        let head = self.store.read().await?.authority_head().await?;
        Ok(json!({
            "ready": self.is_ready(),
            "mode": if self.dev { "dev" } else { "production" },
            "database": if self.store.is_shared() { "postgresql" } else { "sqlite" },
            "public_url": self.public_url(),
            "authority": head.n,
            "signing_keys": self.keyring().list().await?,
        }))
    }

    async fn must_exist(&self, company: CompanyId) -> Result<(), AppError> {
        self.company(company).await?.map(drop).ok_or(AppError::NotFound("company"))
    }

    async fn admin_create_key(&self, ask: CreateApiKey) -> Result<Value, AppError> {
        if let Some(app) = ask.app {
            // The built-in app belongs to no company: nobody holds its key.
            let owner = self.store.read().await?.find_app(app).await?.and_then(|(owner, _)| owner);
            if owner != Some(ask.company) {
                return Err(AppError::NotFound("app of that company"));
            }
        }
        let created = self.make_api_key(ask, None).await?;
        let mut view = key_view(&created.key);
        view["secret"] = created.secret.expose().into();
        Ok(view)
    }

    async fn admin_revoke_token(&self, token: &SecretText) -> Result<Value, AppError> {
        let ring = self.keyring().ring().await?;
        match ring.verifier.verify_access(token.0.expose_secret(), self.clock.now()) {
            Ok(claims) => {
                let company = claims.company_id.ok_or(AppError::NotFound("token"))?;
                self.narrow(vec![Change::Token(company, claims.jti)]).await?;
                Ok(json!({"revoked": true, "jti": claims.jti}))
            }
            Err(TokenError::Expired { .. }) => Ok(json!({"revoked": true, "expired": true})),
            Err(_) => Err(AppError::invalid(
                "token",
                format!("the token is none of ours, or not issued by {}", self.public_url()),
            )),
        }
    }

    async fn admin_create_company(&self, title: String, owner: Owner) -> Result<Value, AppError> {
        if title.trim().is_empty() || title.contains('\0') {
            return Err(AppError::invalid("title", "a company has a title"));
        }
        let at = self.clock.now();
        let (owner, person, password) = match owner {
            Owner::User(user) => {
                self.user(user).await?.ok_or(AppError::NotFound("user"))?;
                (user, None, None)
            }
            Owner::New(ask) => {
                let (person, password) = self.person(ask).await?;
                (person.user, Some(person), password)
            }
        };
        let company = NewCompany {
            id: CompanyId::generate(at, &*self.entropy),
            parent: None,
            owner,
            route: format!("{}-{}", slug(&title, "company"), self.suffix()),
            title,
            description: None,
            metadata: None,
            country: None,
            send_customer_emails: true,
            explicit_scopes: false,
            open_enrolment: false,
        };
        let id = company.id;
        let (team, member) =
            (AuthorizedUserId::generate(at, &*self.entropy), MemberId::generate(at, &*self.entropy));
        self.store
            .write((company, person, team, member, at), |(company, person, team, member, at), tx| {
                Box::pin(async move {
                    if let Some(person) = person {
                        person.insert(tx, *at).await?;
                    }
                    tx.insert_company(company, *at).await?;
                    tx.update_team_role(*team, company.id, company.owner, Role::Owner, *at).await?;
                    tx.insert_member(*member, company.id, company.owner, *at).await?;
                    Ok::<_, AppError>(())
                })
            })
            .await?;
        let mut view = company_view(&self.describe(id).await?.company);
        view["owner"] = self.admin_show_user(owner).await?;
        if let Some(password) = password {
            view["owner"]["password"] = password.expose_secret().into();
        }
        Ok(view)
    }

    /// Checks what is asked for and hashes the password; also the password, if it was made here.
    async fn person(&self, ask: PersonAsk) -> Result<(NewPerson, Option<SecretString>), AppError> {
        people::check_email(&ask.email)?;
        people::check_username(&ask.username)?;
        people::check_name(ask.name.as_deref())?;
        let made = ask.password.is_none().then(|| people::generate_password(&*self.entropy));
        if let Some(SecretText(chosen)) = &ask.password {
            people::check_password(chosen)?;
        }
        let password = ask.password.map(|SecretText(chosen)| chosen).or_else(|| made.clone());
        let password = password.ok_or_else(|| AppError::missing("password"))?;
        let phc = self.hash_password(password).await?;
        let at = self.clock.now();
        let person = NewPerson {
            id: PersonId::generate(at, &*self.entropy),
            user: UserId::generate(at, &*self.entropy),
            email: ask.email,
            username: ask.username,
            name: ask.name,
            phc: Some(phc),
        };
        Ok((person, made))
    }

    async fn admin_create_person(&self, ask: PersonAsk) -> Result<Value, AppError> {
        let (person, password) = self.person(ask).await?;
        let (id, email) = (person.user, person.email.clone());
        self.store
            .write((person, self.clock.now()), |(person, at), tx| Box::pin(person.insert(tx, *at)))
            .await?;
        let mut view = self.admin_show_user(id).await?;
        view["email"] = email.into();
        if let Some(password) = password {
            view["password"] = password.expose_secret().into();
        }
        Ok(view)
    }

    async fn admin_create_user(
        &self,
        company: CompanyId,
        email: String,
        username: Option<String>,
        name: Option<String>,
    ) -> Result<Value, AppError> {
        self.must_exist(company).await?;
        people::check_email(&email)?;
        let username = match username {
            Some(username) => username,
            // Not of the address: a username is shown to everybody in the channel.
            None => format!("{}-{}", slug(name.as_deref().unwrap_or_default(), "user"), self.suffix()),
        };
        people::check_username(&username)?;
        people::check_name(name.as_deref())?;
        let at = self.clock.now();
        let new = NewUser {
            id: UserId::generate(at, &*self.entropy),
            person: None,
            home: Some(company),
            username,
            name,
            email: Some(email),
        };
        let (id, member) = (new.id, MemberId::generate(at, &*self.entropy));
        self.store
            .write((new, member, company, at), |(new, member, company, at), tx| {
                Box::pin(async move {
                    if !tx.insert_user(new, *at).await? {
                        return Err(AppError::unprocessable(
                            "user_exists",
                            "email",
                            "the company has a user with this address or username",
                        ));
                    }
                    tx.insert_member(*member, *company, new.id, *at).await?;
                    let subject = Subject::User { user: new.id };
                    App::tell(tx, *company, EventType::UserEnrolled, &subject, *at).await
                })
            })
            .await?;
        self.hooks.wake();
        self.admin_show_user(id).await
    }

    async fn admin_show_user(&self, id: UserId) -> Result<Value, AppError> {
        let found = self.store.read().await?.find_user(id).await?;
        Ok(user_view(&found.ok_or(AppError::NotFound("user"))?))
    }

    async fn admin_list_companies(
        &self,
        of: CompaniesOf,
        after: Option<CompanyId>,
        limit: u32,
    ) -> Result<Value, AppError> {
        let limit = i64::from(limit);
        let mut conn = self.store.read().await?;
        let filter = match of {
            CompaniesOf::Server => {
                let companies = conn.list_every_company(after, limit).await?;
                return Ok(companies.iter().map(company_view).collect());
            }
            CompaniesOf::Parent(parent) => {
                self.must_exist(parent).await?;
                CompanyFilter::ChildrenOf(parent)
            }
            CompaniesOf::Owner(user) => CompanyFilter::OwnedBy(user),
        };
        let from = match after {
            Some(id) => {
                let last = conn.find_company(id).await?.ok_or(AppError::NotFound("company"))?;
                Some(Key { at: last.created_at.as_millisecond(), id: id.to_string() })
            }
            None => None,
        };
        let scan = Scan { descending: true, from, limit };
        let companies = conn.list_companies(&filter, (i64::MIN, i64::MAX), &scan).await?;
        Ok(companies.iter().map(company_view).collect())
    }
}

fn key_rights(
    company: CompanyId,
    app: Option<AppId>,
    role: Option<Role>,
    permissions: &[String],
) -> Result<KeyRights, AppError> {
    let rights = match (role, permissions) {
        (Some(role), []) if role.fits_key() => KeyRights::Role(role),
        (Some(role), []) => {
            return Err(AppError::invalid(
                "role",
                format!("an API key cannot have the role {}", role.name()),
            ));
        }
        (None, []) => return Err(AppError::invalid("role", "name a role or permissions")),
        (Some(_), _) => return Err(AppError::invalid("role", "name a role or permissions, not both")),
        (None, names) => {
            let actions: ScopeSet = names
                .iter()
                .map(|name| Scope::parse(name))
                .collect::<Result<_, _>>()
                .map_err(|error| AppError::invalid("permissions", error.to_string()))?;
            // An app's key works in the companies that installed the app, too.
            let resource = app.map_or_else(|| company.to_string(), |_| "*".to_owned());
            let resource = Pattern::try_from(resource)
                .map_err(|error| AppError::invalid("company_id", error.to_string()))?;
            KeyRights::Statements(vec![Statement { actions, grant: true, resources: vec![resource] }])
        }
    };
    let ungrantable: Vec<_> = rights.ungrantable().iter().map(|scope| scope.name()).collect();
    if !ungrantable.is_empty() {
        return Err(AppError::invalid(
            "permissions",
            format!("not grantable to an API key by name: {}", ungrantable.join(", ")),
        ));
    }
    Ok(rights)
}

fn app_view(app: &CompanyApp) -> Value {
    json!({
        "id": app.id,
        "company_id": app.owner,
        "name": app.name,
        "created_at": wire_time(app.created_at),
        "installed_at": app.installed_at.map(wire_time),
    })
}

fn key_view(key: &ApiKey) -> Value {
    let (role, permissions) = match &key.rights {
        KeyRights::Role(role) => (Some(role.name()), None),
        KeyRights::Statements(statements) => (None, Some(json!(statements))),
    };
    json!({
        "id": key.id,
        "company_id": key.company,
        "app_id": key.app,
        "name": key.name,
        "hint": key.hint,
        "role": role,
        "permissions": permissions,
        "created_at": wire_time(key.created_at),
        "last_used_at": key.last_used_at.map(wire_time),
        "expires_at": key.expires_at.map(wire_time),
        "revoked_at": key.revoked_at.map(wire_time),
    })
}

fn company_view(company: &Company) -> Value {
    json!({
        "id": company.id,
        "title": company.title,
        "route": company.route,
        "parent_company_id": company.parent,
        "owner_id": company.owner,
        "member_count": company.member_count,
        "explicit_scopes": company.explicit_scopes,
        "open_enrolment": company.open_enrolment,
        "created_at": wire_time(company.created_at),
    })
}

fn user_view(user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "company_id": user.home,
        "email": user.email,
        "deactivated": user.deactivated,
        "created_at": wire_time(user.created_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_cross_the_socket_but_do_not_print() {
        let command = AdminCommand::RevokeToken { token: "hidden".to_owned().into() };
        assert!(!format!("{command:?}").contains("hidden"));
        let line = serde_json::to_string(&command).unwrap();
        assert_eq!(line, r#"{"command":"revoke_token","token":"hidden"}"#);
        let back: AdminCommand = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), line);
    }

    #[test]
    fn a_key_has_a_role_or_permissions_never_both_nor_none() {
        let company = CompanyId::from_bits(1);
        assert!(key_rights(company, None, Some(Role::Admin), &[]).is_ok());
        assert!(key_rights(company, None, None, &["chat:read".to_owned()]).is_ok());
        assert!(key_rights(company, None, Some(Role::Support), &[]).is_err());
        assert!(key_rights(company, None, None, &[]).is_err());
        assert!(key_rights(company, None, Some(Role::Admin), &["chat:read".to_owned()]).is_err());
        assert!(key_rights(company, None, None, &["chat:nonsense".to_owned()]).is_err());
    }
}
