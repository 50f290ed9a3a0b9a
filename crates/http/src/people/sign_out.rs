//! `/sign-out`: asked first, unless the form of the account was used.

use axum::extract::State;
use axum::response::Response;
use hallpass_pages::{SignOut, SignedOut};

use super::cookies::Cookie;
use super::posted::Posted;
use super::visit::Visit;
use crate::state::Http;

/// `GET /sign-out`
pub(crate) async fn show(visit: Visit) -> Response {
    if visit.session.is_none() {
        return visit.page(&SignedOut::default());
    }
    visit.page(&SignOut { app: None, action: "/sign-out", hidden: &[] })
}

/// `POST /sign-out`
pub(crate) async fn post(State(http): State<Http>, posted: Posted) -> Response {
    let mut visit = posted.visit;
    if let Some(session) = visit.session.take()
        && let Err(error) = http.app.end_session(session.person, session.id).await
    {
        return visit.fail(error);
    }
    for cookie in [Cookie::Session, Cookie::Flow] {
        visit.clear(cookie);
    }
    visit.to("/sign-out")
}
