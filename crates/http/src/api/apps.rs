//! Apps: OAuth clients, their credentials and what they keep secret.

use std::collections::BTreeMap;
use std::fmt;

use axum::extract::State;
use axum::response::Response;
use hallpass_app::apps::{AppDetails, CreateApp, CreatedApp, ListApps, SecretValue, UpdateApp};
use hallpass_app::{AppFilter, AppPatch};
use hallpass_core::app::{AppStatus, AppType, ClientType, RequestedPermission};
use hallpass_core::catalogue::NOT_APP;
use hallpass_core::id::AppId;
use hallpass_core::redirect_uri::{self, MAX_REDIRECT_URIS};
use hallpass_core::scope::Scope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::companies::route;
use super::files::FileRef;
use super::{ListView, PageParams, UrlView, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Patch, Query};
use crate::idempotent::{Post, json};
use crate::state::Http;

const MAX_NAME: usize = 30;
const MAX_TEXT: usize = 10_000;
const MAX_PATH: usize = 500;
const MAX_PERMISSIONS: usize = 100;
const MAX_JUSTIFICATION: usize = 1000;
const MAX_SECRET_NAME: usize = 100;
const MAX_SECRET: usize = 16_384;
const VIEWS: [&str; 7] = ["hub", "discover", "dash", "dashboard", "analytics", "skills", "openapi"];
const ORDERS: [&str; 12] = [
    "created_at",
    "discoverable_at",
    "total_installs_last_30_days",
    "total_installs_last_7_days",
    "time_spent",
    "time_spent_last_24_hours",
    "daily_active_users",
    "ai_prompt_count",
    "total_ai_cost_usd",
    "total_ai_tokens",
    "last_ai_prompt_at",
    "ai_average_rating",
];

/// The company that owns an app.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppCompanyView {
    id: String,
    title: String,
}

/// Who made an app: the owner of its company.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppCreatorView {
    id: String,
    name: Option<String>,
    username: String,
}

/// An app, as lists show it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppListItem {
    id: String,
    name: String,
    description: Option<String>,
    status: &'static str,
    app_type: &'static str,
    verified: bool,
    domain_id: String,
    /// Scheme, host and port of `base_url`.
    origin: Option<String>,
    base_url: Option<String>,
    route: Option<String>,
    /// Always null: nothing is hosted here.
    hosted_url: Option<String>,
    dashboard_path: Option<String>,
    discover_path: Option<String>,
    experience_path: Option<String>,
    openapi_path: Option<String>,
    skills_path: Option<String>,
    icon: Option<UrlView>,
    company: AppCompanyView,
    creator: AppCreatorView,
}

/// What a permission is called.
#[derive(Serialize, ToSchema)]
pub(crate) struct PermissionActionView {
    action: &'static str,
    name: &'static str,
}

/// A permission that an app asks for.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestedPermissionView {
    is_required: bool,
    justification: String,
    permission_action: PermissionActionView,
}

/// The API key of a new app. Its token is never shown again.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppKeyView {
    id: String,
    token: String,
    #[schema(format = DateTime)]
    created_at: String,
}

/// An app.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppView {
    #[serde(flatten)]
    item: AppListItem,
    redirect_uris: Vec<String>,
    requested_permissions: Vec<RequestedPermissionView>,
    /// With a new app only; null afterwards.
    api_key: Option<AppKeyView>,
    /// For those who may manage the app.
    #[schema(value_type = Option<Object>)]
    secrets: Option<BTreeMap<String, String>>,
    production_web_build: Option<UrlView>,
    stats: Option<UrlView>,
    /// Ours: how the app authenticates at the token endpoint.
    oauth_client_type: Option<&'static str>,
    /// Ours: with a new app only, never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

impl fmt::Debug for AppView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppView").field("id", &self.item.id).finish_non_exhaustive()
    }
}

fn item(found: &AppDetails) -> AppListItem {
    let app = found.app.clone();
    AppListItem {
        id: app.id.to_string(),
        name: app.name,
        description: app.description,
        status: app.status.name(),
        app_type: app.app_type.name(),
        verified: false,
        domain_id: app.id.to_string()[AppId::PREFIX.len()..].to_lowercase(),
        origin: app.base_url.as_deref().and_then(redirect_uri::origin).map(str::to_owned),
        base_url: app.base_url,
        route: app.route,
        hosted_url: None,
        dashboard_path: app.paths.dashboard,
        discover_path: app.paths.discover,
        experience_path: app.paths.experience,
        openapi_path: app.paths.openapi,
        skills_path: app.paths.skills,
        icon: UrlView::of(found.icon.as_deref()),
        company: AppCompanyView { id: found.company.id.to_string(), title: found.company.title.clone() },
        creator: AppCreatorView {
            id: found.creator.id.to_string(),
            name: found.creator.name.clone(),
            username: found.creator.username.clone(),
        },
    }
}

fn view(found: AppDetails) -> AppView {
    AppView {
        item: item(&found),
        redirect_uris: found.app.redirect_uris,
        requested_permissions: found
            .app
            .requested_permissions
            .into_iter()
            .map(|asked| RequestedPermissionView {
                is_required: asked.required,
                justification: asked.justification,
                permission_action: PermissionActionView {
                    action: asked.action.name(),
                    name: asked.action.entry().description,
                },
            })
            .collect(),
        api_key: None,
        secrets: found
            .secrets
            .map(|secrets| secrets.into_iter().map(|(name, SecretValue(text))| (name, text)).collect()),
        production_web_build: None,
        stats: None,
        oauth_client_type: found.app.client_type.map(ClientType::name),
        client_secret: None,
    }
}

fn created(made: CreatedApp) -> AppView {
    AppView {
        client_secret: Some(made.client_secret.expose().to_owned()),
        api_key: Some(AppKeyView {
            id: made.key.key.id.to_string(),
            token: made.key.secret.expose().to_owned(),
            created_at: time(made.key.key.created_at),
        }),
        ..view(made.details)
    }
}

/// List apps
///
/// The apps that a company owns, newest first. Orders by what is not counted here are that order, too.
#[utoipa::path(get, path = "/apps", operation_id = "apps.list", tag = "Apps",
    params(("company_id" = Option<String>, Query, description = "None: the caller's."),
           ("query" = Option<String>, Query, description = "Part of the name."),
           ("app_type" = Option<String>, Query), ("view_type" = Option<String>, Query),
           ("verified_apps_only" = Option<bool>, Query), ("order" = Option<String>, Query),
           ("direction" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<AppListItem>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    query.word("order", &ORDERS)?;
    let view = query.word("view_type", &VIEWS)?.unwrap_or_default();
    let verified = query.word("verified_apps_only", &["true", "false"])? == Some("true");
    let ask = ListApps {
        company: query.company()?,
        filter: AppFilter {
            app_type: query.one("app_type")?.map(app_type).transpose()?,
            query: extract::bounded("query", query.one("query")?.unwrap_or_default(), 200)?,
            view: if view == "dash" { "dashboard" } else { view }.to_owned(),
        },
        // Nobody is verified, and nothing analysed.
        matches_none: verified || view == "analytics",
        page: query.page()?,
    };
    let page = http.app.list_apps(&caller, ask).await?;
    Ok(json(&ListView::of(page, |found| item(&found))))
}

/// Retrieve an app
///
/// An app of a company in reach, or installed in the caller's; its secrets for those who may manage it.
#[utoipa::path(get, path = "/apps/{id}", operation_id = "apps.retrieve", tag = "Apps",
    params(("id" = String, Path)), responses((status = 200, body = AppView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&view(http.app.retrieve_app(&caller, extract::id("id", &id)?).await?)))
}

/// What app to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateAppBody {
    /// At most 30 characters.
    #[schema(value_type = String)]
    name: Option<String>,
    /// None: the caller's.
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
    /// https, or http on localhost.
    base_url: Option<String>,
    /// A picture that is ready.
    icon: Option<FileRef>,
    /// At most 50, of at most 2048 bytes: https, http on localhost, or the app's own scheme. Kept and
    /// compared byte for byte.
    redirect_uris: Option<Vec<String>>,
    /// Lower case letters, digits, hyphens; unique on the server.
    route: Option<String>,
}

/// Create an app
///
/// The answer holds the app's `client_secret` and its `api_key.token`; neither is ever shown again.
#[utoipa::path(post, path = "/apps", operation_id = "apps.create", tag = "Apps",
    request_body = CreateAppBody, responses((status = 200, body = AppView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateAppBody>,
) -> Result<Response, ApiError> {
    let ask = CreateApp {
        company: extract::company(
            ["company_id", "account_id"],
            body.company_id.as_deref(),
            body.account_id.as_deref(),
        )?,
        name: extract::text("name", extract::required("name", body.name.as_deref())?, MAX_NAME)?,
        base_url: body.base_url.map(base_url).transpose()?,
        route: body.route.map(route).transpose()?,
        redirect_uris: body.redirect_uris.map(redirect_uris).transpose()?.unwrap_or_default(),
        icon: FileRef::given("icon", body.icon.as_ref())?,
    };
    let allowed = |_, _| async { Ok(()) };
    post.secret()
        .once(bytes, allowed, move |app, by, ticket| async move {
            Ok(created(app.create_app(&by, ask, ticket).await?))
        })
        .await
}

/// A permission to ask for.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RequestedPermissionBody {
    action: String,
    /// What for.
    justification: String,
    /// Whether the app does without it. Default true.
    required: Option<bool>,
}

/// What to change of an app.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateAppBody {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    description: Patch<String>,
    /// Accepted; there is no store.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    app_store_description: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    base_url: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    dashboard_path: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    discover_path: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    experience_path: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    openapi_path: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    skills_path: Patch<String>,
    /// A square picture; null clears.
    #[serde(default)]
    #[schema(value_type = Option<FileRef>)]
    icon: Patch<FileRef>,
    /// Replaces them all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    redirect_uris: Patch<Vec<String>>,
    /// `public` or `confidential`; null: it may come with or without its secret.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    oauth_client_type: Patch<String>,
    /// Accepted: `read_user` is all it may hold.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    required_scopes: Patch<Vec<String>>,
    /// Replaces them all (extension). At most 100.
    #[serde(default)]
    #[schema(value_type = Option<Vec<RequestedPermissionBody>>)]
    requested_permissions: Patch<Vec<RequestedPermissionBody>>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    route: Patch<String>,
    /// Merged with what is there; null or an empty text forgets one.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    secrets: Patch<BTreeMap<String, Option<String>>>,
    /// live, unlisted or hidden.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    status: Patch<String>,
    /// `b2b_app`, `b2c_app`, `company_app` or component.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    app_type: Patch<String>,
}

/// Update an app
#[utoipa::path(patch, path = "/apps/{id}", operation_id = "apps.update", tag = "Apps",
    params(("id" = String, Path)), request_body = UpdateAppBody,
    responses((status = 200, body = AppView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    body: JsonBody<UpdateAppBody>,
) -> Result<Response, ApiError> {
    let id: AppId = extract::id("id", &id)?;
    let body = body.value;
    if let Some(text) = body.app_store_description.value() {
        extract::bounded("app_store_description", &text, MAX_TEXT)?;
    }
    if body.required_scopes.value().is_some_and(|scopes| scopes.iter().any(|scope| scope != "read_user")) {
        return Err(ApiError::invalid("required_scopes", "required_scopes may hold read_user only"));
    }
    let view_of = |param: &'static str| move |text: String| view_path(param, &text);
    let patch = AppPatch {
        name: body.name.value().map(|name| extract::text("name", &name, MAX_NAME)).transpose()?,
        status: body.status.value().map(|name| status(&name)).transpose()?,
        app_type: body.app_type.value().map(|name| app_type(&name)).transpose()?,
        // Null clears a list.
        redirect_uris: body.redirect_uris.clearable(redirect_uris)?.map(Option::unwrap_or_default),
        requested_permissions: body
            .requested_permissions
            .clearable(permissions)?
            .map(Option::unwrap_or_default),
        description: body.description.clearable(|text| extract::bounded("description", &text, MAX_TEXT))?,
        base_url: body.base_url.clearable(base_url)?,
        route: body.route.clearable(route)?,
        dashboard_path: body.dashboard_path.clearable(view_of("dashboard_path"))?,
        discover_path: body.discover_path.clearable(view_of("discover_path"))?,
        experience_path: body.experience_path.clearable(view_of("experience_path"))?,
        openapi_path: body.openapi_path.clearable(view_of("openapi_path"))?,
        skills_path: body.skills_path.clearable(view_of("skills_path"))?,
        client_type: body.oauth_client_type.clearable(|name| client_type(&name))?,
        icon: FileRef::patch("icon", body.icon)?,
    };
    let secrets = body.secrets.value().map(secrets).transpose()?.unwrap_or_default();
    let found = Box::pin(http.app.update_app(&caller, id, UpdateApp { patch, secrets })).await?;
    Ok(json(&view(found)))
}

/// A new client secret. Never shown again.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClientSecretView {
    id: String,
    client_secret: String,
}

/// Rotate an app's client secret (extension)
///
/// The old one ends at once.
#[utoipa::path(post, path = "/apps/{id}/rotate_secret", operation_id = "apps.rotate_secret", tag = "Apps",
    params(("id" = String, Path)), responses((status = 200, body = ClientSecretView)))]
pub(crate) async fn rotate_secret(
    post: Post,
    Param(id): Param,
    JsonBody { bytes, .. }: JsonBody<RotateBody>,
) -> Result<Response, ApiError> {
    let id: AppId = extract::id("id", &id)?;
    let allowed = |_, _| async { Ok(()) };
    post.secret()
        .once(bytes, allowed, move |app, by, _| async move {
            let secret = app.rotate_client_secret(&by, id).await?;
            Ok(ClientSecretView { id: id.to_string(), client_secret: secret.expose().to_owned() })
        })
        .await
}

/// Nothing is asked.
#[derive(Deserialize)]
pub(crate) struct RotateBody {}

fn redirect_uris(uris: Vec<String>) -> Result<Vec<String>, ApiError> {
    if uris.len() > MAX_REDIRECT_URIS {
        return Err(ApiError::invalid(
            "redirect_uris",
            format!("more than {MAX_REDIRECT_URIS} redirect URIs"),
        ));
    }
    for (n, uri) in uris.iter().enumerate() {
        redirect_uri::check_redirect_uri(uri)
            .map_err(|error| ApiError::invalid("redirect_uris", format!("redirect URI {} {error}", n + 1)))?;
    }
    Ok(uris)
}

fn base_url(url: String) -> Result<String, ApiError> {
    redirect_uri::check_web_url(&url)
        .map_err(|error| ApiError::invalid("base_url", format!("base_url {error}")))?;
    Ok(url)
}

/// A path of the app, which may hold places for ids in brackets.
fn view_path(param: &'static str, text: &str) -> Result<String, ApiError> {
    let is_path = text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !is_path {
        let message = format!("{param} is a path that begins with one slash, in printable ASCII");
        return Err(ApiError::invalid(param, message));
    }
    extract::bounded(param, text, MAX_PATH)
}

fn permissions(asked: Vec<RequestedPermissionBody>) -> Result<Vec<RequestedPermission>, ApiError> {
    let invalid = |message: String| ApiError::invalid("requested_permissions", message);
    if asked.len() > MAX_PERMISSIONS {
        return Err(invalid(format!("more than {MAX_PERMISSIONS} permissions")));
    }
    let mut seen = std::collections::HashSet::new();
    asked
        .into_iter()
        .map(|asked| {
            let action = Scope::parse(&asked.action).map_err(|unknown| invalid(unknown.to_string()))?;
            if action.flags().has(NOT_APP) {
                return Err(invalid(format!("{action} cannot be granted to an app")));
            }
            if !seen.insert(action) {
                return Err(invalid(format!("{action} is asked for twice")));
            }
            let justification =
                extract::text("requested_permissions", &asked.justification, MAX_JUSTIFICATION)?;
            Ok(RequestedPermission { action, justification, required: asked.required.unwrap_or(true) })
        })
        .collect()
}

fn secrets(
    changes: BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, Option<SecretValue>>, ApiError> {
    changes
        .into_iter()
        .map(|(name, value)| {
            let is_name = (1..=MAX_SECRET_NAME).contains(&name.len())
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_name {
                let message =
                    format!("a secret's name is 1 to {MAX_SECRET_NAME} letters, digits and underscores");
                return Err(ApiError::invalid("secrets", message));
            }
            let value = value.filter(|text| !text.is_empty());
            if let Some(text) = &value {
                extract::bounded("secrets", text, MAX_SECRET)?;
            }
            Ok((name, value.map(SecretValue)))
        })
        .collect()
}

fn status(name: &str) -> Result<AppStatus, ApiError> {
    AppStatus::parse(name)
        .ok_or_else(|| ApiError::invalid("status", "status is one of live, unlisted, hidden"))
}

fn app_type(name: &str) -> Result<AppType, ApiError> {
    AppType::parse(name).ok_or_else(|| {
        ApiError::invalid("app_type", "app_type is one of b2b_app, b2c_app, company_app, component")
    })
}

fn client_type(name: &str) -> Result<ClientType, ApiError> {
    ClientType::parse(name).ok_or_else(|| {
        ApiError::invalid("oauth_client_type", "oauth_client_type is one of public, confidential")
    })
}
