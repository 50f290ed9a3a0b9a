//! A company's team: authorised users and their roles; and apps, as far as keys and experiences
//! need them.

use hallpass_core::id::{AppId, AuthorizedUserId, CompanyId, UserId};
use hallpass_core::role::Role;
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::row::{parsed, parsed_opt, time};

const SET: &str = "INSERT INTO authorized_users (id, company_id, user_id, role, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $5)
     ON CONFLICT (company_id, user_id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at";
const REMOVE: &str = "DELETE FROM authorized_users WHERE company_id = $1 AND user_id = $2 RETURNING id";
const INSERT_APP: &str = "INSERT INTO apps (id, company_id, name, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $4) ON CONFLICT DO NOTHING";
const FIND_APP: &str = "SELECT company_id, name FROM apps WHERE id = $1";
const INSTALL: &str =
    "INSERT INTO app_installs (app_id, company_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const IS_INSTALLED: &str = "SELECT 1 FROM app_installs WHERE app_id = $1 AND company_id = $2";
const UNINSTALL: &str = "DELETE FROM app_installs WHERE app_id = $1 AND company_id = $2 RETURNING app_id";
const LIST_APPS: &str = "SELECT a.id, a.company_id, a.name, a.created_at, i.created_at AS installed_at
     FROM apps a LEFT JOIN app_installs i ON i.app_id = a.id AND i.company_id = $1 WHERE a.company_id = $1
     UNION ALL
     SELECT a.id, a.company_id, a.name, a.created_at, i.created_at
     FROM app_installs i JOIN apps a ON a.id = i.app_id
     WHERE i.company_id = $1 AND COALESCE(a.company_id, '') <> $1";

pub(crate) const ALL: &[&str] =
    &[SET, REMOVE, INSERT_APP, FIND_APP, INSTALL, IS_INSTALLED, UNINSTALL, LIST_APPS];

/// An app, as a company that owns or installed it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompanyApp {
    /// The app.
    pub id: AppId,
    /// Its owner; none for the built-in one.
    pub owner: Option<CompanyId>,
    /// Its name for people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the company installed it.
    pub installed_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct AppRow {
    id: String,
    company_id: Option<String>,
    name: String,
    created_at: i64,
    installed_at: Option<i64>,
}

impl TryFrom<AppRow> for CompanyApp {
    type Error = StoreError;
    fn try_from(row: AppRow) -> Result<Self, StoreError> {
        let installed = |at| time("app_installs", "created_at", &row.id, at);
        Ok(Self {
            id: parsed("apps", "id", &row.id, &row.id)?,
            owner: parsed_opt("apps", "company_id", &row.id, row.company_id.as_deref())?,
            created_at: time("apps", "created_at", &row.id, row.created_at)?,
            installed_at: row.installed_at.map(installed).transpose()?,
            name: row.name,
        })
    }
}

impl Conn {
    /// An app's owner (none for the built-in one) and name.
    pub async fn find_app(&mut self, id: AppId) -> Result<Option<(Option<CompanyId>, String)>, StoreError> {
        let row: Option<(Option<String>, String)> =
            on!(self, c => sqlx::query_as(FIND_APP).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(|(company, name)| {
            Ok((parsed_opt("apps", "company_id", &id.to_string(), company.as_deref())?, name))
        })
        .transpose()
    }

    /// The apps that a company owns or installed, newest first.
    pub async fn list_company_apps(&mut self, company: CompanyId) -> Result<Vec<CompanyApp>, StoreError> {
        let rows: Vec<AppRow> =
            on!(self, c => sqlx::query_as(LIST_APPS).bind(company.to_string()).fetch_all(c).await)?;
        let mut apps = rows.into_iter().map(CompanyApp::try_from).collect::<Result<Vec<_>, _>>()?;
        apps.sort_by_key(|app| std::cmp::Reverse((app.created_at, app.id)));
        Ok(apps)
    }

    /// Whether a company installed an app.
    pub async fn is_app_installed(&mut self, app: AppId, company: CompanyId) -> Result<bool, StoreError> {
        let installed: Option<i32> = on!(self, c => sqlx::query_scalar(IS_INSTALLED)
            .bind(app.to_string()).bind(company.to_string()).fetch_optional(c).await)?;
        Ok(installed.is_some())
    }
}

impl Tx {
    /// Puts a user on a company's team, or changes their role.
    pub async fn update_team_role(
        &mut self,
        id: AuthorizedUserId,
        company: CompanyId,
        user: UserId,
        role: Role,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(SET)
            .bind(id.to_string()).bind(company.to_string()).bind(user.to_string()).bind(role.name())
            .bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Takes a user off a company's team; `false` if they were not on it.
    pub async fn revoke_team_role(&mut self, company: CompanyId, user: UserId) -> Result<bool, StoreError> {
        let removed: Option<String> = on!(self.0, c => sqlx::query_scalar(REMOVE)
            .bind(company.to_string()).bind(user.to_string()).fetch_optional(c).await)?;
        Ok(removed.is_some())
    }

    /// Stores an app, unless it is there.
    pub async fn insert_app(
        &mut self,
        id: AppId,
        company: Option<CompanyId>,
        name: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSERT_APP)
            .bind(id.to_string()).bind(company.map(|id| id.to_string())).bind(name)
            .bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Notes that a company installed an app.
    pub async fn insert_app_install(
        &mut self,
        app: AppId,
        company: CompanyId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(INSTALL)
            .bind(app.to_string()).bind(company.to_string()).bind(at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Takes an app out of a company; `false` if it was not installed there.
    pub async fn delete_app_install(&mut self, app: AppId, company: CompanyId) -> Result<bool, StoreError> {
        let removed: Option<String> = on!(self.0, c => sqlx::query_scalar(UNINSTALL)
            .bind(app.to_string()).bind(company.to_string()).fetch_optional(c).await)?;
        Ok(removed.is_some())
    }
}
