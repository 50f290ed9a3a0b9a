//! Pages for people: the start page, the reference, and what they are styled with.
//!
//! Rendered here, without a framework and without anything from elsewhere, so that they work offline.
//! They hold no inline script or style and say so in their policy (CSP Level 3); scripts only add
//! comfort, such as buttons that copy.

mod html;
mod json;
mod reference;
mod start;

use std::sync::OnceLock;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::router::openapi_json;
use crate::state::Http;

/// Only our own files, nobody's frame, no base, no forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The start page.
pub(crate) async fn start(State(http): State<Http>) -> Response {
    let page = match &http.policy.dev {
        Some(dev) => start::dev(&dev.ready),
        None => start::production(http.app.public_url()),
    };
    // In dev it shows a key.
    answer(page, "text/html; charset=utf-8", "no-store")
}

/// The reference, rendered once from the OpenAPI document.
pub(crate) async fn reference() -> Response {
    static PAGE: OnceLock<String> = OnceLock::new();
    let page = PAGE.get_or_init(|| reference::render(document()));
    answer(page.as_str(), "text/html; charset=utf-8", "no-cache")
}

/// The OpenAPI document, made when somebody first asks: a server nobody asks does without.
fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(openapi_json)
}

/// The OpenAPI document.
pub(crate) async fn openapi() -> Response {
    let kind = HeaderValue::from_static("application/json");
    let cache = HeaderValue::from_static("public, max-age=300");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], document()).into_response()
}

/// The style of every page.
pub(crate) async fn style() -> Response {
    answer(include_str!("pages/site.css"), "text/css; charset=utf-8", "public, max-age=300")
}

/// The script of every page.
pub(crate) async fn script() -> Response {
    answer(include_str!("pages/site.js"), "text/javascript; charset=utf-8", "public, max-age=300")
}

/// The mark.
pub(crate) async fn icon() -> Response {
    answer(include_str!("pages/icon.svg"), "image/svg+xml", "public, max-age=86400")
}

/// Whoever has no picture of their own.
pub(crate) async fn person() -> Response {
    answer(include_str!("pages/person.svg"), "image/svg+xml", "public, max-age=86400")
}

fn answer<B: IntoResponse>(body: B, kind: &'static str, cache: &'static str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_take_nothing_from_elsewhere_and_go_into_no_frame() {
        let response = answer("", "text/html; charset=utf-8", "no-store");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"));
    }
}
