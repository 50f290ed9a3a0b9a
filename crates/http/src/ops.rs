//! For operators and their machines: is it alive, is it ready, what does it measure; and the key set.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::state::Http;

/// The process runs.
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// The process may answer: the database answers, and the authority log was read within a second.
pub(crate) async fn readyz(State(http): State<Http>) -> Response {
    let age_ms = http.app.authority().age().as_millis();
    let fresh = http.app.is_ready();
    let status = if fresh { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "ready": fresh,
        "authority": { "rev": http.app.authority().rev(), "age_ms": u64::try_from(age_ms).unwrap_or(u64::MAX) },
        "reason": if fresh { None } else { Some("the authority log was not read within a second: is the database there?") },
    });
    (status, axum::Json(body)).into_response()
}

/// Metrics in Prometheus' text format.
pub(crate) async fn metrics(State(http): State<Http>) -> Response {
    http.app.measure();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    ([(header::CONTENT_TYPE, kind)], (http.policy.metrics)()).into_response()
}

/// The public signing keys (RFC 7517). Keys appear here a day before they sign.
pub(crate) async fn jwks(State(http): State<Http>) -> Result<Response, ApiError> {
    let ring = http.app.keyring().ring().await?;
    let mut response = Body::from(ring.jwks.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=900"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}
