//! `GET` and `POST /oauth/userinfo` (OpenID Connect Core §5.3).

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hallpass_app::oauth::{OAuthFailure, ProfileClaims};
use hallpass_core::id::UserId;
use hallpass_oauth::ErrorCode;
use serde::Serialize;

use super::{Refused, answer};
use crate::error::ApiError;
use crate::extract::Authed;
use crate::state::Http;

#[derive(Serialize)]
struct UserInfoView {
    sub: UserId,
    #[serde(flatten)]
    profile: ProfileClaims,
}

/// Tells who a token speaks for.
pub(crate) async fn userinfo(
    State(http): State<Http>,
    caller: Result<Authed, ApiError>,
) -> Result<Response, Refused> {
    let Authed(caller) = caller?;
    let info = http.app.userinfo(&caller).await.map_err(|failure| match failure {
        // RFC 6750 §3.1.
        OAuthFailure::Refused(error) if error.code == ErrorCode::InsufficientScope => Refused::OAuth {
            error,
            challenge: Some("Bearer realm=\"hallpass\", error=\"insufficient_scope\", scope=\"openid\""),
        },
        failure => failure.into(),
    })?;
    Ok(answer(StatusCode::OK, &UserInfoView { sub: info.sub, profile: info.profile }))
}
