//! `/sign-in`: with a password, or on to a code.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hallpass_app::people::CodePurpose;
use hallpass_pages::{CodeFor, Problem, SignIn};

use super::flow::Flow;
use super::posted::Posted;
use super::problem::told;
use super::target::{ACCOUNT, Target};
use super::visit::Visit;
use crate::state::Http;

/// `GET /sign-in`
pub(crate) async fn show(visit: Visit) -> Response {
    let target = visit.target();
    let again = visit.query.one("again").ok().flatten().is_some();
    if visit.session.is_some() && target == Target::default() && !again {
        return visit.to(ACCOUNT);
    }
    page(visit, &target, None, again, None).await
}

/// `POST /sign-in`
pub(crate) async fn post(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { mut visit, form } = posted;
    let (target, email) = (form.target(), form.text("email").trim());
    if form.does("code") {
        return send(visit, email, CodeFor::SignIn, &target).await;
    }
    let Some(password) = form.secret("password") else {
        return again(visit, &target, email, Problem::PasswordMissing, StatusCode::UNPROCESSABLE_ENTITY)
            .await;
    };
    match http.app.sign_in_with_password(&visit.asker(), email, password).await {
        Ok(signed) => match visit.begin(signed).await {
            Ok(_) => visit.to(target.as_str()),
            Err(error) => visit.fail(error),
        },
        Err(error) => match told(error) {
            Ok((problem, status)) => again(visit, &target, email, problem, status).await,
            Err(error) => visit.fail(error),
        },
    }
}

/// Sends a code, and goes where it is entered.
pub(super) async fn send(mut visit: Visit, email: &str, purpose: CodeFor, target: &Target) -> Response {
    let wanted = if purpose == CodeFor::Reset { CodePurpose::Reset } else { CodePurpose::SignIn };
    match visit.http.app.begin_code(&visit.asker(), email, wanted).await {
        Ok(id) => {
            visit.keep(&Flow { id, purpose, email: email.to_owned() });
            let location = target.behind(purpose.action(), "");
            visit.to(&location)
        }
        Err(error) => match told(error) {
            Ok((problem, status)) if purpose == CodeFor::Reset => {
                super::reset::page(visit, target, email, Some((problem, status)))
            }
            Ok((problem, status)) => again(visit, target, email, problem, status).await,
            Err(error) => visit.fail(error),
        },
    }
}

async fn again(visit: Visit, target: &Target, email: &str, problem: Problem, status: StatusCode) -> Response {
    page(visit, target, Some(email), false, Some((problem, status))).await
}

async fn page(
    visit: Visit,
    target: &Target,
    email: Option<&str>,
    again: bool,
    problem: Option<(Problem, StatusCode)>,
) -> Response {
    let waiting = match visit.waiting(target).await {
        Ok(waiting) => waiting,
        Err(error) => return visit.fail(error),
    };
    let view = SignIn {
        app: waiting.asking(),
        email: email.unwrap_or(&waiting.login_hint),
        continue_to: target.as_str(),
        again,
        problem: problem.map(|(problem, _)| problem),
    };
    let status = problem.map_or(StatusCode::OK, |(_, status)| status);
    visit.page_with(&view, status)
}
