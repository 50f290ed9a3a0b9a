//! `/.well-known/openid-configuration` (OpenID Connect Discovery §4) and
//! `/.well-known/oauth-authorization-server` (RFC 8414 §3).

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::state::Http;

/// The document, the same under both names.
pub(crate) async fn metadata(State(http): State<Http>) -> Response {
    let document = hallpass_oauth::metadata::document(http.app.public_url()).to_string();
    let kind = HeaderValue::from_static("application/json");
    let cache = HeaderValue::from_static("public, max-age=300");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], document).into_response()
}
