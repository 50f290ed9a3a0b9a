//! Apps: what they are, who installed them, and what they keep secret.

use hallpass_core::app::{AppStatus, AppType, ClientType, RegisteredApp, RequestedPermission, ViewPaths};
use hallpass_core::id::{AppId, CompanyId, FileId, UserId};
use jiff::Timestamp;

use crate::conn::{Conn, Tx, on};
use crate::error::StoreError;
use crate::page::Scan;
use crate::row::{json, like_pattern, parsed, parsed_opt, time, to_json};

macro_rules! columns {
    () => {
        "id, company_id, creator_user_id, name, description, status, app_type, base_url, route, dashboard_path,
         discover_path, experience_path, openapi_path, skills_path, oauth_client_type, redirect_uris,
         requested_permissions, icon_file_id, created_at, updated_at"
    };
}
// $2/$3 the key, $4 type or '', $5 name pattern or '', $6 a view that it has or ''.
macro_rules! list {
    ($beyond:literal, $order:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM apps WHERE company_id = $1 AND (created_at, id) ",
            $beyond,
            " ($2, $3) AND ($4 = '' OR app_type = $4) AND ($5 = '' OR name_key LIKE $5 ESCAPE '\\')
              AND ($6 = '' OR CASE $6 WHEN 'hub' THEN experience_path WHEN 'discover' THEN discover_path
                   WHEN 'dashboard' THEN dashboard_path WHEN 'skills' THEN skills_path
                   WHEN 'openapi' THEN openapi_path END IS NOT NULL)
              ORDER BY created_at ",
            $order,
            ", id ",
            $order,
            " LIMIT $7"
        )
    };
}
const FIND: &str = concat!("SELECT ", columns!(), " FROM apps WHERE id = $1");
const LIST_DOWN: &str = list!("<", "DESC");
const LIST_UP: &str = list!(">", "ASC");
const INSERT: &str =
    "INSERT INTO apps (id, company_id, creator_user_id, name, name_key, description, status, app_type,
         base_url, route, redirect_uris, requested_permissions, oauth_client_type, client_secret_hash,
         client_secret_at, icon_file_id, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)";
const UPDATE: &str = "UPDATE apps SET name = COALESCE($2, name), name_key = COALESCE($3, name_key),
         status = COALESCE($4, status), app_type = COALESCE($5, app_type),
         redirect_uris = COALESCE($6, redirect_uris),
         requested_permissions = COALESCE($7, requested_permissions),
         description = CASE WHEN $8 THEN $9 ELSE description END,
         base_url = CASE WHEN $10 THEN $11 ELSE base_url END,
         route = CASE WHEN $12 THEN $13 ELSE route END,
         dashboard_path = CASE WHEN $14 THEN $15 ELSE dashboard_path END,
         discover_path = CASE WHEN $16 THEN $17 ELSE discover_path END,
         experience_path = CASE WHEN $18 THEN $19 ELSE experience_path END,
         openapi_path = CASE WHEN $20 THEN $21 ELSE openapi_path END,
         skills_path = CASE WHEN $22 THEN $23 ELSE skills_path END,
         oauth_client_type = CASE WHEN $24 THEN $25 ELSE oauth_client_type END,
         icon_file_id = CASE WHEN $26 THEN $27 ELSE icon_file_id END, updated_at = $28
     WHERE id = $1";
const ROUTE_TAKEN: &str = "SELECT 1 FROM apps WHERE route = $1 AND id <> $2";
const LOCK: &str = "UPDATE apps SET updated_at = updated_at WHERE id = $1 RETURNING id";
const FIND_SECRETS: &str = "SELECT secrets FROM apps WHERE id = $1";
const SET_SECRETS: &str = "UPDATE apps SET secrets = $2, updated_at = $3 WHERE id = $1";
const FIND_CLIENT_SECRET: &str = "SELECT client_secret_hash FROM apps WHERE id = $1";
const SET_CLIENT_SECRET: &str = "UPDATE apps SET client_secret_hash = $2, client_secret_at = $3, updated_at = $3 WHERE id = $1 RETURNING id";
const BEGIN: &str = "INSERT INTO apps (id, company_id, name, name_key, created_at, updated_at)
     VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING";
const FIND_OWNER: &str = "SELECT company_id, name FROM apps WHERE id = $1";
const INSTALL: &str =
    "INSERT INTO app_installs (app_id, company_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const IS_INSTALLED: &str = "SELECT 1 FROM app_installs WHERE app_id = $1 AND company_id = $2";
const UNINSTALL: &str = "DELETE FROM app_installs WHERE app_id = $1 AND company_id = $2 RETURNING app_id";
const LIST_BOTH: &str = "SELECT a.id, a.company_id, a.name, a.created_at, i.created_at AS installed_at
     FROM apps a LEFT JOIN app_installs i ON i.app_id = a.id AND i.company_id = $1 WHERE a.company_id = $1
     UNION ALL
     SELECT a.id, a.company_id, a.name, a.created_at, i.created_at
     FROM app_installs i JOIN apps a ON a.id = i.app_id
     WHERE i.company_id = $1 AND COALESCE(a.company_id, '') <> $1";

pub(crate) const ALL: &[&str] = &[
    FIND,
    LIST_DOWN,
    LIST_UP,
    INSERT,
    UPDATE,
    ROUTE_TAKEN,
    LOCK,
    FIND_SECRETS,
    SET_SECRETS,
    FIND_CLIENT_SECRET,
    SET_CLIENT_SECRET,
    BEGIN,
    FIND_OWNER,
    INSTALL,
    IS_INSTALLED,
    UNINSTALL,
    LIST_BOTH,
];

/// An app to be stored.
#[derive(Clone)]
pub struct NewApp {
    /// The app. Its view paths are not stored: they come by updates.
    pub app: RegisteredApp,
    /// SHA-256 of its client secret, if it has one.
    pub client_secret_hash: Option<[u8; 32]>,
}

/// What is changed of an app. The outer `Option`: whether; the inner: to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of RegisteredApp")]
pub struct AppPatch {
    pub name: Option<String>,
    pub status: Option<AppStatus>,
    pub app_type: Option<AppType>,
    pub redirect_uris: Option<Vec<String>>,
    pub requested_permissions: Option<Vec<RequestedPermission>>,
    pub description: Option<Option<String>>,
    pub base_url: Option<Option<String>>,
    pub route: Option<Option<String>>,
    pub dashboard_path: Option<Option<String>>,
    pub discover_path: Option<Option<String>>,
    pub experience_path: Option<Option<String>>,
    pub openapi_path: Option<Option<String>>,
    pub skills_path: Option<Option<String>>,
    pub client_type: Option<Option<ClientType>>,
    pub icon: Option<Option<FileId>>,
}

/// Which apps of a company a list shows.
#[derive(Clone, Debug, Default)]
pub struct AppFilter {
    /// Of this type.
    pub app_type: Option<AppType>,
    /// Part of the name.
    pub query: String,
    /// Having this view: hub, discover, dashboard, skills or openapi. Empty: any.
    pub view: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    company_id: Option<String>,
    creator_user_id: Option<String>,
    name: String,
    description: Option<String>,
    status: String,
    app_type: String,
    base_url: Option<String>,
    route: Option<String>,
    dashboard_path: Option<String>,
    discover_path: Option<String>,
    experience_path: Option<String>,
    openapi_path: Option<String>,
    skills_path: Option<String>,
    oauth_client_type: Option<String>,
    redirect_uris: String,
    requested_permissions: String,
    icon_file_id: Option<String>,
    created_at: i64,
    updated_at: i64,
}

const TABLE: &str = "apps";

impl TryFrom<Row> for RegisteredApp {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let corrupt = |column| StoreError::Corrupt { table: TABLE, column, id: row.id.clone() };
        let client_type = |text: &str| ClientType::parse(text).ok_or_else(|| corrupt("oauth_client_type"));
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, &row.id)?,
            company: parsed_opt(TABLE, "company_id", &row.id, row.company_id.as_deref())?,
            creator: parsed_opt(TABLE, "creator_user_id", &row.id, row.creator_user_id.as_deref())?,
            status: AppStatus::parse(&row.status).ok_or_else(|| corrupt("status"))?,
            app_type: AppType::parse(&row.app_type).ok_or_else(|| corrupt("app_type"))?,
            client_type: row.oauth_client_type.as_deref().map(client_type).transpose()?,
            icon: parsed_opt(TABLE, "icon_file_id", &row.id, row.icon_file_id.as_deref())?,
            redirect_uris: json(TABLE, "redirect_uris", &row.id, &row.redirect_uris)?,
            requested_permissions: json(TABLE, "requested_permissions", &row.id, &row.requested_permissions)?,
            created_at: time(TABLE, "created_at", &row.id, row.created_at)?,
            updated_at: time(TABLE, "updated_at", &row.id, row.updated_at)?,
            paths: ViewPaths {
                dashboard: row.dashboard_path,
                discover: row.discover_path,
                experience: row.experience_path,
                openapi: row.openapi_path,
                skills: row.skills_path,
            },
            name: row.name,
            description: row.description,
            base_url: row.base_url,
            route: row.route,
        })
    }
}

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
struct BothRow {
    id: String,
    company_id: Option<String>,
    name: String,
    created_at: i64,
    installed_at: Option<i64>,
}

impl TryFrom<BothRow> for CompanyApp {
    type Error = StoreError;
    fn try_from(row: BothRow) -> Result<Self, StoreError> {
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
    /// An app, without its secrets.
    pub async fn find_registered_app(&mut self, id: AppId) -> Result<Option<RegisteredApp>, StoreError> {
        let row: Option<Row> =
            on!(self, c => sqlx::query_as(FIND).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(RegisteredApp::try_from).transpose()
    }

    /// The apps that a company owns, by creation.
    pub async fn list_owned_apps(
        &mut self,
        company: CompanyId,
        filter: &AppFilter,
        scan: &Scan,
    ) -> Result<Vec<RegisteredApp>, StoreError> {
        let (at, id) = scan.start();
        let statement = if scan.descending { LIST_DOWN } else { LIST_UP };
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(statement)
            .bind(company.to_string()).bind(at).bind(id).bind(filter.app_type.map_or("", AppType::name))
            .bind(like_pattern(&filter.query)).bind(&filter.view).bind(scan.limit).fetch_all(c).await)?;
        rows.into_iter().map(RegisteredApp::try_from).collect()
    }

    /// Whether another app has this route.
    pub async fn is_app_route_taken(
        &mut self,
        route: &str,
        by_other_than: AppId,
    ) -> Result<bool, StoreError> {
        let taken: Option<i32> = on!(self, c => sqlx::query_scalar(ROUTE_TAKEN)
            .bind(route).bind(by_other_than.to_string()).fetch_optional(c).await)?;
        Ok(taken.is_some())
    }

    /// What an app keeps secret, sealed.
    pub async fn find_app_secrets(&mut self, id: AppId) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed: Option<Option<Vec<u8>>> =
            on!(self, c => sqlx::query_scalar(FIND_SECRETS).bind(id.to_string()).fetch_optional(c).await)?;
        Ok(sealed.flatten())
    }

    /// SHA-256 of an app's client secret; none if it has none, or there is no such app.
    pub async fn find_client_secret_hash(&mut self, id: AppId) -> Result<Option<[u8; 32]>, StoreError> {
        let hash: Option<Option<Vec<u8>>> = on!(self, c => sqlx::query_scalar(FIND_CLIENT_SECRET)
            .bind(id.to_string()).fetch_optional(c).await)?;
        let corrupt =
            |_| StoreError::Corrupt { table: TABLE, column: "client_secret_hash", id: id.to_string() };
        hash.flatten().map(|bytes| bytes.try_into().map_err(corrupt)).transpose()
    }

    /// An app's owner (none for the built-in one) and name.
    pub async fn find_app(&mut self, id: AppId) -> Result<Option<(Option<CompanyId>, String)>, StoreError> {
        let row: Option<(Option<String>, String)> =
            on!(self, c => sqlx::query_as(FIND_OWNER).bind(id.to_string()).fetch_optional(c).await)?;
        row.map(|(company, name)| {
            Ok((parsed_opt("apps", "company_id", &id.to_string(), company.as_deref())?, name))
        })
        .transpose()
    }

    /// The apps that a company owns or installed, newest first.
    pub async fn list_company_apps(&mut self, company: CompanyId) -> Result<Vec<CompanyApp>, StoreError> {
        let rows: Vec<BothRow> =
            on!(self, c => sqlx::query_as(LIST_BOTH).bind(company.to_string()).fetch_all(c).await)?;
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
    /// Stores an app.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the id or the route is taken.
    pub async fn insert_registered_app(&mut self, new: &NewApp) -> Result<(), StoreError> {
        let app = &new.app;
        on!(self.0, c => sqlx::query(INSERT)
            .bind(app.id.to_string()).bind(app.company.map(|id| id.to_string()))
            .bind(app.creator.map(|id: UserId| id.to_string())).bind(&app.name).bind(app.name.to_lowercase())
            .bind(&app.description).bind(app.status.name()).bind(app.app_type.name()).bind(&app.base_url)
            .bind(&app.route).bind(to_json(&app.redirect_uris)).bind(to_json(&app.requested_permissions))
            .bind(app.client_type.map(ClientType::name)).bind(new.client_secret_hash.map(|hash| hash.to_vec()))
            .bind(new.client_secret_hash.map(|_| app.created_at.as_millisecond()))
            .bind(app.icon.map(|id| id.to_string())).bind(app.created_at.as_millisecond())
            .execute(c).await.map(drop))?;
        Ok(())
    }

    /// Changes an app.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the route is taken.
    pub async fn update_app(&mut self, id: AppId, patch: &AppPatch, at: Timestamp) -> Result<(), StoreError> {
        on!(self.0, c => {
            let mut query = sqlx::query(UPDATE)
                .bind(id.to_string()).bind(&patch.name).bind(patch.name.as_ref().map(|name| name.to_lowercase()))
                .bind(patch.status.map(AppStatus::name)).bind(patch.app_type.map(AppType::name))
                .bind(patch.redirect_uris.as_ref().map(to_json))
                .bind(patch.requested_permissions.as_ref().map(to_json));
            for field in [
                &patch.description,
                &patch.base_url,
                &patch.route,
                &patch.dashboard_path,
                &patch.discover_path,
                &patch.experience_path,
                &patch.openapi_path,
                &patch.skills_path,
            ] {
                query = query.bind(field.is_some()).bind(field.clone().flatten());
            }
            query.bind(patch.client_type.is_some()).bind(patch.client_type.flatten().map(ClientType::name))
                .bind(patch.icon.is_some()).bind(patch.icon.flatten().map(|id| id.to_string()))
                .bind(at.as_millisecond()).execute(c).await.map(drop)
        })?;
        Ok(())
    }

    /// Holds an app until the transaction ends; `false` if there is none.
    pub async fn lock_app(&mut self, id: AppId) -> Result<bool, StoreError> {
        let locked: Option<String> =
            on!(self.0, c => sqlx::query_scalar(LOCK).bind(id.to_string()).fetch_optional(c).await)?;
        Ok(locked.is_some())
    }

    /// Replaces what an app keeps secret, sealed.
    pub async fn update_app_secrets(
        &mut self,
        id: AppId,
        sealed: Option<&[u8]>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(SET_SECRETS)
            .bind(id.to_string()).bind(sealed).bind(at.as_millisecond()).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Replaces an app's client secret; `false` if there is no such app.
    pub async fn update_client_secret(
        &mut self,
        id: AppId,
        hash: &[u8; 32],
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let updated: Option<String> = on!(self.0, c => sqlx::query_scalar(SET_CLIENT_SECRET)
            .bind(id.to_string()).bind(hash.to_vec()).bind(at.as_millisecond()).fetch_optional(c).await)?;
        Ok(updated.is_some())
    }

    /// Stores an app, unless it is there.
    pub async fn insert_app(
        &mut self,
        id: AppId,
        company: Option<CompanyId>,
        name: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        on!(self.0, c => sqlx::query(BEGIN)
            .bind(id.to_string()).bind(company.map(|id| id.to_string())).bind(name)
            .bind(name.to_lowercase()).bind(at.as_millisecond()).execute(c).await.map(drop))?;
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
