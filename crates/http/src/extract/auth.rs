//! `Authorization: Bearer …` → an authenticated caller, counted against its limits.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use hallpass_app::{AppError, Caller, Unauthenticated};

use crate::edge::Edge;
use crate::error::ApiError;
use crate::state::Http;

/// An authenticated caller.
pub(crate) struct Authed(pub(crate) Caller);

impl FromRequestParts<Http> for Authed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, http: &Http) -> Result<Self, ApiError> {
        let edge = Edge::of(parts)?;
        let authenticated = match bearer(&parts.headers) {
            Ok(bearer) => http.app.authenticate(bearer).await,
            Err(why) => Err(AppError::Unauthenticated(why)),
        };
        let caller = match authenticated {
            Ok(caller) => caller,
            // Guessing is limited by address. Who has no credential guesses nothing; one that expired or
            // was revoked was ours, and its bearer must learn to mint again.
            Err(error @ AppError::Unauthenticated(Unauthenticated::Invalid)) => {
                http.app.count_bad_credential(edge.address)?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        http.app.count_call(&caller, edge.operation)?;
        edge.note_caller(&caller);
        Ok(Self(caller))
    }
}

/// The one bearer credential of a request. Anything odd is no credential, never a lesser one.
fn bearer(headers: &HeaderMap) -> Result<&str, Unauthenticated> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Unauthenticated::Missing)?;
    if values.next().is_some() {
        return Err(Unauthenticated::Invalid);
    }
    let value = value.to_str().map_err(|_| Unauthenticated::Invalid)?;
    let (scheme, credential) = value.split_once(' ').ok_or(Unauthenticated::Invalid)?;
    if !scheme.eq_ignore_ascii_case("bearer") || credential.is_empty() {
        return Err(Unauthenticated::Invalid);
    }
    Ok(credential)
}
