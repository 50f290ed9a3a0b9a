//! `/sign-up`: an address, a code, then who it is.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hallpass_app::people::{CodePurpose, NewAccount as Account};
use hallpass_pages::{CodeFor, NewAccount, Problem, SignUp};

use super::flow::Flow;
use super::posted::{Form, Posted};
use super::problem::told;
use super::target::Target;
use super::visit::Visit;
use crate::state::Http;

/// `GET /sign-up`
pub(crate) async fn show(visit: Visit) -> Response {
    let target = visit.target();
    page(visit, &target, "", None).await
}

/// `POST /sign-up`
pub(crate) async fn post(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { mut visit, form } = posted;
    let (target, email) = (form.target(), form.text("email").trim());
    match http.app.begin_code(&visit.asker(), email, CodePurpose::SignIn).await {
        Ok(id) => {
            visit.keep(&Flow { id, purpose: CodeFor::SignIn, email: email.to_owned() });
            visit.to(&target.behind(CodeFor::SignIn.action(), ""))
        }
        Err(error) => match told(error) {
            Ok(problem) => page(visit, &target, email, Some(problem)).await,
            Err(error) => visit.fail(error),
        },
    }
}

async fn page(
    visit: Visit,
    target: &Target,
    email: &str,
    problem: Option<(Problem, StatusCode)>,
) -> Response {
    let waiting = match visit.waiting(target).await {
        Ok(waiting) => waiting,
        Err(error) => return visit.fail(error),
    };
    let view = SignUp {
        app: waiting.asking(),
        email,
        continue_to: target.as_str(),
        problem: problem.map(|(problem, _)| problem),
    };
    let status = problem.map_or(StatusCode::OK, |(_, status)| status);
    visit.page_with(&view, status)
}

/// `GET /sign-up/account`
pub(crate) async fn show_account(visit: Visit) -> Response {
    let target = visit.target();
    let Some(flow) = visit.kept(CodeFor::SignIn) else { return visit.to(&target.behind("/sign-up", "")) };
    account_page(visit, &flow, &target, ("", ""), None)
}

/// `POST /sign-up/account`
pub(crate) async fn post_account(State(http): State<Http>, posted: Posted) -> Response {
    let Posted { mut visit, form } = posted;
    let target = form.target();
    let Some(flow) = visit.kept(CodeFor::SignIn) else { return visit.to(&target.behind("/sign-up", "")) };
    let typed = (form.text("name"), form.text("username"));
    let opened = match account(&form) {
        Ok(account) => http.app.create_account(&visit.asker(), flow.id, account).await.map_err(told),
        Err(problem) => Err(Ok((problem, StatusCode::UNPROCESSABLE_ENTITY))),
    };
    match opened {
        Ok(signed) => match visit.begin(signed).await {
            Ok(_) => visit.to(target.as_str()),
            Err(error) => visit.fail(error),
        },
        Err(Ok(problem)) => account_page(visit, &flow, &target, typed, Some(problem)),
        Err(Err(error)) => visit.fail(error),
    }
}

fn account(form: &Form) -> Result<Account, Problem> {
    let name = form.text("name").trim();
    if name.is_empty() {
        return Err(Problem::Name);
    }
    Ok(Account {
        name: Some(name.to_owned()),
        username: form.text("username").trim().to_owned(),
        password: form.secret("new_password"),
    })
}

fn account_page(
    visit: Visit,
    flow: &Flow,
    target: &Target,
    (name, username): (&str, &str),
    problem: Option<(Problem, StatusCode)>,
) -> Response {
    let view = NewAccount {
        email: &flow.email,
        name,
        username,
        continue_to: target.as_str(),
        problem: problem.map(|(problem, _)| problem),
    };
    let status = problem.map_or(StatusCode::OK, |(_, status)| status);
    visit.page_with(&view, status)
}
