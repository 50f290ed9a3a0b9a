//! `/reset`: an address, a code, then a new password. Nobody is told whether the address is anybody's.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hallpass_pages::{CodeFor, NewPassword, Problem, Reset};

use super::flow::Flow;
use super::posted::Posted;
use super::problem::told;
use super::target::Target;
use super::visit::Visit;
use crate::state::Http;

/// `GET /reset`
pub(crate) async fn show(visit: Visit) -> Response {
    let target = visit.target();
    page(visit, &target, "", None)
}

/// `POST /reset`
pub(crate) async fn post(posted: Posted) -> Response {
    let Posted { visit, form } = posted;
    super::sign_in::send(visit, form.text("email").trim(), CodeFor::Reset, &form.target()).await
}

pub(super) fn page(
    visit: Visit,
    target: &Target,
    email: &str,
    problem: Option<(Problem, StatusCode)>,
) -> Response {
    let view = Reset { email, continue_to: target.as_str(), problem: problem.map(|(problem, _)| problem) };
    let status = problem.map_or(StatusCode::OK, |(_, status)| status);
    visit.page_with(&view, status)
}

/// `GET /reset/password`
pub(crate) async fn show_password(visit: Visit) -> Response {
    let target = visit.target();
    let Some(flow) = visit.kept(CodeFor::Reset) else { return visit.to(&target.behind("/reset", "")) };
    password_page(visit, &flow, &target, None)
}

/// `POST /reset/password`
pub(crate) async fn post_password(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { mut visit, form } = posted;
    let target = form.target();
    let Some(flow) = visit.kept(CodeFor::Reset) else { return visit.to(&target.behind("/reset", "")) };
    let Some(password) = form.secret("new_password") else {
        let problem = (Problem::Password, StatusCode::UNPROCESSABLE_ENTITY);
        return password_page(visit, &flow, &target, Some(problem));
    };
    match http.app.reset_password(&visit.asker(), flow.id, password).await {
        Ok(signed) => match visit.begin(signed).await {
            Ok(session) => match http.app.end_other_sessions(session.person, Some(session.id)).await {
                Ok(_) => visit.to(target.as_str()),
                Err(error) => visit.fail(error),
            },
            Err(error) => visit.fail(error),
        },
        Err(error) => match told(error) {
            Ok(problem) => password_page(visit, &flow, &target, Some(problem)),
            Err(error) => visit.fail(error),
        },
    }
}

fn password_page(
    visit: Visit,
    flow: &Flow,
    target: &Target,
    problem: Option<(Problem, StatusCode)>,
) -> Response {
    let view = NewPassword {
        email: &flow.email,
        continue_to: target.as_str(),
        problem: problem.map(|(problem, _)| problem),
    };
    let status = problem.map_or(StatusCode::OK, |(_, status)| status);
    visit.page_with(&view, status)
}
