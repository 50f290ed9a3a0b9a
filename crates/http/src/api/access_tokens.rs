//! Minting and revoking user tokens.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::access_tokens::MintToken;
use hallpass_app::revocation::Revoke;
use hallpass_core::scope::{Scope, ScopeSet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time;
use crate::error::{ApiError, Code};
use crate::extract::{self, Authed, JsonBody};
use crate::idempotent::{Post, json};
use crate::state::Http;

/// The most scopes of one request: more than there are.
const MAX_SCOPES: usize = 256;

/// For whom, where, for what, and how long.
#[derive(Deserialize, ToSchema)]
pub(crate) struct MintBody {
    /// The company the token is for. Required.
    #[schema(value_type = Option<String>)]
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
    /// The user to act as, enrolled in the company. Required.
    user_id: Option<String>,
    /// A subset of what the key may do. Empty or absent: everything chat needs that key and role allow.
    scoped_actions: Option<Vec<String>>,
    /// ISO 8601; at most three hours ahead. Default: one hour.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// A token.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// A JWT (RFC 9068). Send as `Authorization: Bearer`.
    token: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Mint a user token
///
/// Swaps an API key for a short-lived token of one user inside one company. User tokens cannot mint.
#[utoipa::path(post, path = "/access_tokens", operation_id = "access_tokens.create", tag = "Access tokens",
    request_body = MintBody, responses((status = 200, body = TokenView)))]
pub(crate) async fn create(
    State(http): State<Http>,
    Authed(caller): Authed,
    body: JsonBody<MintBody>,
) -> Result<Response, ApiError> {
    let body = body.value;
    let ask = MintToken {
        company: extract::company(
            ["company_id", "account_id"],
            body.company_id.as_deref(),
            body.account_id.as_deref(),
        )?,
        user: extract::id_opt("user_id", body.user_id.as_deref())?,
        scopes: scopes(body.scoped_actions.as_deref().unwrap_or_default())?,
        expires_at: body.expires_at.as_deref().map(|at| extract::time("expires_at", at)).transpose()?,
    };
    let minted = Box::pin(http.app.mint_user_token(&caller, ask)).await?;
    Ok(json(&TokenView { token: minted.token, expires_at: time(minted.expires_at) }))
}

fn scopes(names: &[String]) -> Result<ScopeSet, ApiError> {
    if names.len() > MAX_SCOPES {
        return Err(ApiError::invalid("scoped_actions", "more scopes than there are"));
    }
    names
        .iter()
        .map(|name| {
            Scope::parse(name).map_err(|unknown| ApiError::invalid("scoped_actions", unknown.to_string()))
        })
        .collect()
}

/// What to revoke: exactly one of `token`, `jti`, `user_id`, `api_key_id`.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RevokeBody {
    /// The token itself.
    token: Option<String>,
    /// A token's id, its `jti` claim.
    jti: Option<String>,
    /// Every token of this user in `company_id`.
    user_id: Option<String>,
    /// Goes with `user_id`; the key's or token's own company if absent.
    company_id: Option<String>,
    /// The same as `company_id`.
    account_id: Option<String>,
    /// The key, and every token it minted.
    api_key_id: Option<String>,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevokedView {
    revoked: bool,
}

/// Revoke tokens (extension)
///
/// Holds on every node within a second.
#[utoipa::path(post, path = "/access_tokens/revoke", operation_id = "access_tokens.revoke",
    tag = "Access tokens", request_body = RevokeBody, responses((status = 200, body = RevokedView)))]
pub(crate) async fn revoke(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<RevokeBody>,
) -> Result<Response, ApiError> {
    let company = extract::company(
        ["company_id", "account_id"],
        body.company_id.as_deref(),
        body.account_id.as_deref(),
    )?;
    let what = match (body.token, body.jti, body.user_id, body.api_key_id) {
        (Some(token), None, None, None) => Revoke::Token(token),
        (None, Some(jti), None, None) => Revoke::Jti(extract::id("jti", &jti)?),
        (None, None, Some(user), None) => {
            Revoke::User(company.unwrap_or_else(|| post.caller.home()), extract::id("user_id", &user)?)
        }
        (None, None, None, Some(key)) => Revoke::Key(extract::id("api_key_id", &key)?),
        (None, None, None, None) => {
            return Err(ApiError {
                param: Some("token".to_owned()),
                ..ApiError::new(Code::ParameterMissing, "one of token, jti, user_id, api_key_id is required")
            });
        }
        _ => return Err(ApiError::invalid("token", "only one of token, jti, user_id, api_key_id")),
    };
    // Revoking twice is revoking: a replay needs no more right than having asked.
    let allowed = |_, _| async { Ok(()) };
    post.once(bytes, allowed, move |app, by, _| async move {
        app.revoke(&by, what).await?;
        Ok(RevokedView { revoked: true })
    })
    .await
}
