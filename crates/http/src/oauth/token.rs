//! `POST /oauth/token` (RFC 6749 §3.2).

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use hallpass_app::oauth::RefreshToken;
use hallpass_core::ScopeSet;
use serde::Serialize;

use super::{Refused, answer, body_params, client};
use crate::state::Http;

/// RFC 6749 §5.1, OpenID Connect Core §3.1.3.3.
#[derive(Serialize)]
struct TokensView<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    scope: ScopeSet,
}

/// Gives tokens for a code, a refresh token, or a client's own secret.
pub(crate) async fn token(State(http): State<Http>, request: Request) -> Result<Response, Refused> {
    let (parts, params) = body_params(&http, request).await?;
    let (client, proof) = client(&http, &parts, &params).await?;
    let tokens = http.app.give_tokens(client, proof, &params).await?;
    let view = TokensView {
        access_token: &tokens.access_token,
        token_type: "Bearer",
        expires_in: tokens.expires_in,
        refresh_token: tokens.refresh_token.as_ref().map(RefreshToken::expose),
        id_token: tokens.id_token.as_deref(),
        scope: tokens.scope,
    };
    Ok(answer(StatusCode::OK, &view))
}
