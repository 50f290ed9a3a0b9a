//! `/oauth/logout` (OpenID Connect RP-Initiated Logout §2).

use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use hallpass_app::oauth::inspect::LoggedOut;
use hallpass_oauth::Params;
use hallpass_pages::{SignOut, SignedOut};

use super::authorize::{by_get, told};
use crate::people::{Cookie, Posted, Visit};
use crate::state::Http;

const CONFIRM: &str = "/oauth/logout/confirm";

/// `GET /oauth/logout`
pub(crate) async fn logout(State(http): State<Http>, RawQuery(raw): RawQuery, visit: Visit) -> Response {
    follow(&http, visit, &raw.unwrap_or_default(), false).await
}

/// `POST /oauth/logout`: the same by GET, which brings the cookies along.
pub(crate) async fn logout_by_post(State(http): State<Http>, visit: Visit, request: Request) -> Response {
    by_get(&http, visit, request, "/oauth/logout").await
}

/// `POST /oauth/logout/confirm`: they mean it.
pub(crate) async fn confirm(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    follow(&http, visit, form.text("request"), true).await
}

async fn follow(http: &Http, mut visit: Visit, query: &str, confirmed: bool) -> Response {
    let params = match Params::from_query(query) {
        Ok(params) => params,
        Err(error) => return told(visit, &error),
    };
    match http.app.log_out(&params, visit.session.as_ref(), confirmed).await {
        Err(error) => visit.fail(error),
        Ok(LoggedOut::Page(error)) => told(visit, &error),
        Ok(LoggedOut::Confirm { client }) => {
            let hidden = [("request", query)];
            visit.page(&SignOut { app: client.as_deref(), action: CONFIRM, hidden: &hidden })
        }
        Ok(LoggedOut::Done { destination }) => {
            visit.session = None;
            for cookie in [Cookie::Session, Cookie::Flow] {
                visit.clear(cookie);
            }
            match destination {
                Some(destination) => visit.to(&destination),
                None => visit.page(&SignedOut::default()),
            }
        }
    }
}
