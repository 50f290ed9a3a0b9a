//! Users: how they are shown, and their profiles.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::UserPatch;
use hallpass_app::access::{AccessLevel, Resource};
use hallpass_app::users::{UpdateUser, UserProfile, UserRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::files::FileRef;
use super::{ListView, PageParams, UrlView, time};
use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Params2, Patch, Query};
use crate::idempotent::json;
use crate::state::Http;

const MAX_NAME: usize = 100;
const MAX_BIO: usize = 1000;
const MAX_USERNAME: usize = 42;

/// Identity checks of the contract; always null here.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerificationView {
    individual: Option<UrlView>,
    business: Option<UrlView>,
}

/// A user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    id: String,
    username: String,
    /// The company's override, else the global name.
    name: Option<String>,
    bio: Option<String>,
    profile_picture: Option<UrlView>,
    #[schema(format = DateTime)]
    created_at: String,
    balance: Option<UrlView>,
    balance_history: Option<UrlView>,
    earnings_usd: Option<UrlView>,
    verification: VerificationView,
    whop_partner_enabled_at: Option<String>,
}

fn view(profile: UserProfile) -> UserView {
    UserView {
        id: profile.user.id.to_string(),
        username: profile.user.username.clone(),
        name: profile.name,
        bio: profile.user.bio.clone(),
        profile_picture: UrlView::of(profile.picture.as_deref()),
        created_at: time(profile.user.created_at),
        balance: None,
        balance_history: None,
        earnings_usd: None,
        verification: VerificationView { individual: None, business: None },
        whop_partner_enabled_at: None,
    }
}

/// `user_…`, `me` or a username.
fn user_ref(text: &str) -> Result<UserRef, ApiError> {
    if text == "me" {
        return Ok(UserRef::Me);
    }
    if text.starts_with("user_") {
        return extract::id("id", text).map(UserRef::Id);
    }
    Ok(UserRef::Username(text.trim_start_matches('@').to_owned()))
}

/// List users
///
/// The users enrolled in a company, newest first.
#[utoipa::path(get, path = "/users", operation_id = "users.list", tag = "Users",
    params(("query" = Option<String>, Query, description = "Part of a username or name."),
           ("account_id" = Option<String>, Query), PageParams),
    responses((status = 200, body = ListView<UserView>)))]
pub(crate) async fn list(
    State(http): State<Http>,
    Authed(caller): Authed,
    query: Query,
) -> Result<Response, ApiError> {
    let text = extract::bounded("query", query.one("query")?.unwrap_or_default(), 200)?;
    let page = http.app.list_users(&caller, query.company()?, &text, &query.page()?).await?;
    Ok(json(&ListView::of(page, view)))
}

/// Retrieve a user
///
/// With a company: as shown there.
#[utoipa::path(get, path = "/users/{id}", operation_id = "users.retrieve", tag = "Users",
    params(("id" = String, Path, description = "A user's id, a username, or `me`."),
           ("account_id" = Option<String>, Query)),
    responses((status = 200, body = UserView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    query: Query,
) -> Result<Response, ApiError> {
    let profile = http.app.retrieve_user(&caller, &user_ref(&id)?, query.company()?).await?;
    Ok(json(&view(profile)))
}

/// What to change of a profile.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdateUserBody {
    /// At most 100 characters. Null clears it; with a company, clears the override.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    bio: Patch<String>,
    /// Letters, digits and hyphens, at most 42.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    username: Patch<String>,
    /// A picture that the caller uploaded. Null clears it; with a company, clears the override.
    #[serde(default)]
    #[schema(value_type = Option<FileRef>)]
    profile_picture: Patch<FileRef>,
    /// In the body or the query: sets what this company shows. Without: the global profile.
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
}

/// Update a user
///
/// With a company: the name that company shows. Without: the global profile, by the user's own token or
/// by a key of the company that made the user. `me` is the token's own user; an API key has none: 403.
#[utoipa::path(patch, path = "/users/{id}", operation_id = "users.update", tag = "Users",
    params(("id" = String, Path, description = "A user's id, a username, or `me`."),
           ("account_id" = Option<String>, Query)),
    request_body = UpdateUserBody, responses((status = 200, body = UserView)))]
pub(crate) async fn update(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
    query: Query,
    body: JsonBody<UpdateUserBody>,
) -> Result<Response, ApiError> {
    let body = body.value;
    let in_body = extract::company(
        ["company_id", "account_id"],
        body.company_id.as_deref(),
        body.account_id.as_deref(),
    )?;
    let company = match (query.company()?, in_body) {
        (Some(a), Some(b)) if a != b => {
            return Err(ApiError::invalid("account_id", "the query and the body name different companies"));
        }
        (a, b) => a.or(b),
    };
    let patch = UserPatch {
        username: body.username.value().map(username).transpose()?,
        name: body.name.clearable(|name| extract::text("name", &name, MAX_NAME))?,
        bio: body.bio.clearable(|bio| extract::bounded("bio", &bio, MAX_BIO))?,
        picture: FileRef::patch("profile_picture", body.profile_picture)?,
    };
    let profile = http.app.update_user(&caller, &user_ref(&id)?, UpdateUser { company, patch }).await?;
    Ok(json(&view(profile)))
}

/// Whether a user has access, and as what.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessView {
    has_access: bool,
    /// `admin` on the team, `customer` as a member, else `no_access`.
    access_level: &'static str,
}

/// Check a user's access
///
/// To a company, an experience or a product. What the caller cannot see is a 404. For a private
/// experience: those let in, and those who may change it. Products open nothing to anybody but the team.
#[utoipa::path(get, path = "/users/{id}/access/{resource_id}", operation_id = "users.check_access",
    tag = "Users",
    params(("id" = String, Path, description = "A user's id, a username, or `me`."),
           ("resource_id" = String, Path, description = "`biz_…`, `exp_…` or `prod_…`")),
    responses((status = 200, body = AccessView)))]
pub(crate) async fn check_access(
    State(http): State<Http>,
    Authed(caller): Authed,
    Params2(id, resource): Params2,
) -> Result<Response, ApiError> {
    let resource = match resource.split('_').next() {
        Some("biz") => Resource::Company(extract::id("resource_id", &resource)?),
        Some("exp") => Resource::Experience(extract::id("resource_id", &resource)?),
        Some("prod") => Resource::Product(extract::id("resource_id", &resource)?),
        _ => return Err(ApiError::invalid("resource_id", "resource_id is a biz_…, exp_… or prod_…")),
    };
    let level = http.app.check_access(&caller, &user_ref(&id)?, resource).await?;
    Ok(json(&AccessView {
        has_access: level != AccessLevel::None,
        access_level: match level {
            AccessLevel::None => "no_access",
            AccessLevel::Customer => "customer",
            AccessLevel::Admin => "admin",
        },
    }))
}

fn username(text: String) -> Result<String, ApiError> {
    let well_formed = (1..=MAX_USERNAME).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.eq_ignore_ascii_case("me")
        && !text.eq_ignore_ascii_case("everyone");
    if well_formed {
        return Ok(text);
    }
    Err(ApiError::unprocessable(
        "username_invalid",
        "username",
        format!("a username is 1 to {MAX_USERNAME} letters, digits and hyphens"),
    ))
}
