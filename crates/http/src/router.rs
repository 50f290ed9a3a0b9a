//! Every route: the table of contents of the product.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::http::Method;
use axum::routing::{get, post, put};
use axum::{Router, middleware};
use hallpass_app::App;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access_log::AccessLog;
use crate::api::{
    access_tokens, accounts, apps, authorized_users, chat_channels, companies, dm_channels, dm_members,
    experiences, files, members, messages, reactions, search, support_channels, team_members, users,
    webhooks,
};
use crate::edge::{self, Operations};
use crate::error::{ApiError, Code};
use crate::state::{Http, HttpPolicy, Shared};
use crate::{files as bytes, oauth, openapi, ops, pages, people};

/// The operations of the API, under `/api/v1`.
fn api() -> OpenApiRouter<Http> {
    OpenApiRouter::new()
        .routes(routes!(access_tokens::create))
        .routes(routes!(access_tokens::revoke))
        .routes(routes!(companies::list, companies::create))
        .routes(routes!(companies::retrieve, companies::update))
        .routes(routes!(companies::create_api_key))
        .routes(routes!(members::enrol, members::unenrol))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::me))
        .routes(routes!(accounts::retrieve, accounts::update))
        .routes(routes!(users::list))
        .routes(routes!(users::retrieve, users::update))
        .routes(routes!(users::check_access))
        .routes(routes!(members::list))
        .routes(routes!(members::retrieve))
        .routes(routes!(authorized_users::list, authorized_users::create))
        .routes(routes!(authorized_users::retrieve, authorized_users::delete))
        .routes(routes!(team_members::list, team_members::create))
        .routes(routes!(team_members::retrieve, team_members::update, team_members::delete))
        .routes(routes!(apps::list, apps::create))
        .routes(routes!(apps::retrieve, apps::update))
        .routes(routes!(apps::rotate_secret))
        .routes(routes!(experiences::list, experiences::create))
        .routes(routes!(experiences::retrieve, experiences::update, experiences::delete))
        .routes(routes!(experiences::attach))
        .routes(routes!(experiences::detach))
        .routes(routes!(experiences::duplicate))
        .routes(routes!(experiences::grant_access, experiences::revoke_access))
        .routes(routes!(files::create))
        .routes(routes!(files::retrieve))
        .routes(routes!(chat_channels::list))
        .routes(routes!(chat_channels::retrieve, chat_channels::update))
        .routes(routes!(messages::list, messages::create))
        .routes(routes!(search::messages))
        .routes(routes!(messages::retrieve, messages::update, messages::delete))
        .routes(routes!(reactions::list, reactions::create))
        .routes(routes!(reactions::retrieve, reactions::delete))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::retrieve, webhooks::update, webhooks::delete))
        .routes(routes!(webhooks::rotate_secret))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::replay))
        .routes(routes!(messages::edits))
        .routes(routes!(dm_channels::list, dm_channels::create))
        .routes(routes!(dm_channels::retrieve, dm_channels::update, dm_channels::delete))
        .routes(routes!(dm_members::list, dm_members::create))
        .routes(routes!(dm_members::retrieve, dm_members::update, dm_members::delete))
        .routes(routes!(support_channels::list, support_channels::create))
        .routes(routes!(support_channels::retrieve))
        .routes(routes!(support_channels::resolve))
        .routes(routes!(support_channels::reopen))
}

/// The operations under their base, described.
fn described() -> OpenApiRouter<Http> {
    OpenApiRouter::with_openapi(openapi::Base::openapi()).nest("/api/v1", api())
}

/// Everything else: pages, keys, health.
fn around() -> Router<Http> {
    Router::new()
        .route("/", get(pages::start))
        .route("/api", get(pages::reference))
        .route("/assets/site.css", get(pages::style))
        .route("/assets/site.js", get(pages::script))
        .route("/assets/icon.svg", get(pages::icon))
        .route("/assets/person.svg", get(pages::person))
        .route("/api/v1/openapi.json", get(pages::openapi))
        .route("/.well-known/jwks.json", get(ops::jwks))
        .route("/.well-known/openid-configuration", get(oauth::metadata))
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata))
        .route("/oauth/authorize", get(oauth::authorize).post(oauth::authorize_by_post).head(oauth::no_head))
        .route("/oauth/consent", post(oauth::consent))
        .route("/oauth/logout", get(oauth::logout).post(oauth::logout_by_post).head(oauth::no_head))
        .route("/oauth/logout/confirm", post(oauth::confirm_logout))
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/oauth/introspect", post(oauth::introspect))
        .route("/oauth/userinfo", get(oauth::userinfo).post(oauth::userinfo))
        .route("/uploads/{link}", put(bytes::upload))
        .route("/files/{id}/{name}", get(bytes::file))
        .route("/pictures/{id}", get(bytes::picture))
        .route("/livez", get(ops::livez))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
}

/// The routes of [`around`], for limits, metrics and the log.
const AROUND: [(&str, &str); 18] = [
    ("/", "start"),
    ("/api", "reference"),
    ("/assets/site.css", "assets"),
    ("/assets/site.js", "assets"),
    ("/assets/icon.svg", "assets"),
    ("/assets/person.svg", "assets"),
    ("/api/v1/openapi.json", "openapi"),
    ("/.well-known/jwks.json", "jwks"),
    ("/.well-known/openid-configuration", "oauth.metadata"),
    ("/.well-known/oauth-authorization-server", "oauth.metadata"),
    ("/oauth/authorize", "oauth.authorize"),
    ("/oauth/logout", "oauth.logout"),
    ("/oauth/userinfo", "oauth.userinfo"),
    ("/files/{id}/{name}", "files.read"),
    ("/pictures/{id}", "pictures.read"),
    ("/livez", "livez"),
    ("/readyz", "readyz"),
    ("/metrics", "metrics"),
];

/// Those that change something, or take what no URL should hold.
const ACTING: [(&str, Method, &str); 9] = [
    ("/uploads/{link}", Method::PUT, "uploads.put"),
    ("/oauth/authorize", Method::POST, "oauth.authorize"),
    ("/oauth/consent", Method::POST, "oauth.consent"),
    ("/oauth/logout", Method::POST, "oauth.logout"),
    ("/oauth/logout/confirm", Method::POST, "oauth.logout"),
    ("/oauth/token", Method::POST, "oauth.token"),
    ("/oauth/revoke", Method::POST, "oauth.revoke"),
    ("/oauth/introspect", Method::POST, "oauth.introspect"),
    ("/oauth/userinfo", Method::POST, "oauth.userinfo"),
];

/// The router over an application.
pub fn router(app: App, policy: Arc<HttpPolicy>) -> Router {
    let (routes, document) = described().split_for_parts();
    let around_operations = AROUND
        .iter()
        .flat_map(|(path, name)| [Method::GET, Method::HEAD].map(|method| (*path, method, *name)))
        .chain(ACTING)
        .chain(people::operations())
        .map(|(path, method, name)| (path.to_owned(), method, name.to_owned()));
    let node = u64::from_be_bytes(hallpass_core::clock::draw(app.entropy()));
    let shared = Shared {
        operations: Operations::new(operations(&document).into_iter().chain(around_operations)),
        log: AccessLog::new(policy.access_log),
        node,
        counter: AtomicU64::new(0),
    };
    let http = Http { app, policy, shared: Arc::new(shared) };
    routes
        .merge(around())
        .merge(people::routes())
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(http.clone(), edge::edge))
        .with_state(http)
}

/// `(path, method, operation id)` of every operation of the API.
pub(crate) fn operations(document: &Document) -> Vec<(String, Method, String)> {
    let mut operations = Vec::new();
    for (path, item) in &document.paths.paths {
        let methods = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PUT, &item.put),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ];
        for (method, operation) in methods {
            if let Some(id) = operation.as_ref().and_then(|operation| operation.operation_id.clone()) {
                operations.push((path.clone(), method, id));
            }
        }
    }
    operations
}

/// The OpenAPI document of the API, in JSON.
pub fn openapi_json() -> String {
    let (_, document) = described().split_for_parts();
    openapi::render(document)
}

/// `(method, path, operation id)` of every operation: what the authorisation sweep walks.
pub fn routes_of_api() -> Vec<(Method, String, String)> {
    let (_, document) = described().split_for_parts();
    operations(&document).into_iter().map(|(path, method, id)| (method, path, id)).collect()
}

async fn not_found() -> ApiError {
    ApiError::new(Code::NotFound, "no such route")
}
