//! The floor: what any answer over HTTP costs.

use axum::Router;
use axum::routing::get;

pub(crate) fn router() -> Router {
    Router::new().route("/hello", get(|| async { "hello" }))
}
