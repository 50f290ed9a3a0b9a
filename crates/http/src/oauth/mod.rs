//! The OAuth face: endpoints for clients, in the shapes of RFC 6749 rather than those of the API.
//!
//! Answers of these endpoints are flat JSON, kept by nobody; what goes wrong is `error` and
//! `error_description` (§5.2), also where it is not the client's doing.

mod authorize;
mod discovery;
mod introspect;
mod logout;
mod revoke;
mod token;
mod userinfo;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallpass_app::AppError;
use hallpass_app::oauth::{Client, Credentials, OAuthFailure, Proof};
use hallpass_oauth::{ErrorCode, OAuthError, Params};
use serde::Serialize;
use std::sync::Arc;

pub(crate) use authorize::{asked_again, authorize, authorize_by_post, consent, no_head};
pub(crate) use discovery::metadata;
pub(crate) use introspect::introspect;
pub(crate) use logout::{confirm as confirm_logout, logout, logout_by_post};
pub(crate) use revoke::revoke;
pub(crate) use token::token;
pub(crate) use userinfo::userinfo;

use crate::edge::Edge;
use crate::error::{ApiError, Code};
use crate::extract;
use crate::state::Http;

/// A refusal on its way to the client.
pub(crate) enum Refused {
    /// In the words of the RFC.
    OAuth {
        error: OAuthError,
        /// How to prove oneself, where that failed.
        challenge: Option<&'static str>,
    },
    /// Not an OAuth matter.
    Api(ApiError),
}

impl From<OAuthError> for Refused {
    fn from(error: OAuthError) -> Self {
        Self::OAuth { error, challenge: None }
    }
}

impl From<OAuthFailure> for Refused {
    fn from(failure: OAuthFailure) -> Self {
        match failure {
            OAuthFailure::Refused(error) => error.into(),
            OAuthFailure::App(error) => Self::Api(error.into()),
        }
    }
}

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        Self::Api(error.into())
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    error_description: &'a str,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::OAuth { error, challenge } => {
                let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
                let body = ErrorBody { error: error.code.name(), error_description: &error.description };
                let mut response = answer(status, &body);
                if let Some(challenge) = challenge {
                    let value = HeaderValue::from_static(challenge);
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
                }
                response
            }
            Self::Api(error) => flat(&error),
        }
    }
}

/// An error of the API in the shape of the RFC.
fn flat(error: &ApiError) -> Response {
    if let Some(cause) = &error.cause {
        tracing::error!(cause, "an OAuth request failed");
    }
    let name = match error.code {
        Code::RateLimited => ErrorCode::RateLimitExceeded,
        Code::Unavailable => ErrorCode::TemporarilyUnavailable,
        Code::Internal => ErrorCode::ServerError,
        Code::CredentialMissing
        | Code::CredentialInvalid
        | Code::CredentialExpired
        | Code::CredentialRevoked => ErrorCode::InvalidToken,
        Code::ScopeMissing | Code::Forbidden => ErrorCode::InsufficientScope,
        _ => ErrorCode::InvalidRequest,
    };
    let description: String =
        error.message.chars().filter(|c| (' '..='~').contains(c) && !matches!(c, '"' | '\\')).collect();
    let body = ErrorBody { error: name.name(), error_description: &description };
    let mut response = answer(error.code.status(), &body);
    error.headers(response.headers_mut());
    response
}

/// JSON that nobody keeps (RFC 6749 §5.1).
fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let bytes = serde_json::to_vec(body).expect("texts and numbers serialise");
    let mut response = (status, Body::from(bytes)).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The parameters of a request to an endpoint of clients: from its body, each once. In a URL they would be
/// written to logs.
async fn body_params(http: &Http, request: Request) -> Result<(Parts, Params), Refused> {
    let (parts, body) = request.into_parts();
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(OAuthError::invalid_request("parameters belong in the body, not in the URL").into());
    }
    let bytes = extract::read_body(body, http).await?;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    let params = if bytes.is_empty() {
        Params::default()
    } else if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Params::from_form(&bytes)?
    } else if essence.eq_ignore_ascii_case("application/json") {
        Params::from_json(&bytes)?
    } else {
        return Err(OAuthError::invalid_request(
            "send application/x-www-form-urlencoded or application/json",
        )
        .into());
    };
    params.must_be_unique()?;
    Ok((parts, params))
}

/// The client that asks, counted against its limits. Guessing secrets is limited by address.
async fn client(http: &Http, parts: &Parts, params: &Params) -> Result<(Arc<Client>, Proof), Refused> {
    let edge = Edge::of(parts)?;
    let header = one_header(&parts.headers, &header::AUTHORIZATION)?;
    let found = match Credentials::read(header, params) {
        Ok(credentials) => http.app.authenticate_client(&credentials).await,
        Err(error) => Err(error.into()),
    };
    match found {
        Ok((client, proof)) => {
            http.app.count_client_call(client.id, edge.address, edge.operation)?;
            edge.note(client.id.to_string());
            Ok((client, proof))
        }
        Err(OAuthFailure::Refused(error)) if error.code == ErrorCode::InvalidClient => {
            http.app.count_bad_credential(edge.address)?;
            // RFC 6749 §5.2: the way that was tried.
            let challenge = header.is_some().then_some("Basic realm=\"hallpass\", charset=\"UTF-8\"");
            Err(Refused::OAuth { error, challenge })
        }
        Err(failure) => Err(failure.into()),
    }
}

/// A header that comes at most once and is text. Anything odd is refused, never overlooked.
fn one_header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, OAuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => Err(OAuthError::invalid_client("the Authorization header is malformed")),
    }
}
