//! Pages for people: the start page and the reference.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

use crate::state::Http;

/// The start page.
pub(crate) async fn start(State(http): State<Http>) -> Response {
    let _ = &http.policy.dev;
    Html("<!doctype html><title>Hallpass</title><h1>Hallpass</h1>").into_response()
}

/// The OpenAPI document.
pub(crate) async fn openapi(State(http): State<Http>) -> Response {
    let kind = HeaderValue::from_static("application/json");
    let cache = HeaderValue::from_static("public, max-age=300");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], http.shared.openapi.clone())
        .into_response()
}

/// The reference.
pub(crate) async fn reference() -> Response {
    Html("<!doctype html><title>Hallpass API</title><h1>API</h1>").into_response()
}
