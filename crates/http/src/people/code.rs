//! Entering a code: to sign in or up, to choose a new password, to add an address.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hallpass_app::AppError;
use hallpass_app::people::{CodeOutcome, CodePurpose};
use hallpass_core::id::FlowId;
use hallpass_pages::{Code, CodeFor, Notice, Problem};

use super::cookies::Cookie;
use super::flow::Flow;
use super::posted::Posted;
use super::problem::{told, wants_again};
use super::target::{ACCOUNT, Target};
use super::visit::Visit;
use crate::state::Http;

/// `GET /sign-in/code`
pub(crate) async fn show_sign_in(visit: Visit) -> Response {
    show(visit, CodeFor::SignIn)
}

/// `GET /reset/code`
pub(crate) async fn show_reset(visit: Visit) -> Response {
    show(visit, CodeFor::Reset)
}

/// `GET /account/emails/code`
pub(crate) async fn show_address(visit: Visit) -> Response {
    if visit.session.is_none() {
        return visit.sign_in_first(false);
    }
    show(visit, CodeFor::Address)
}

/// `POST /sign-in/code`
pub(crate) async fn post_sign_in(state: State<Http>, posted: Posted) -> Response {
    post(state, posted, CodeFor::SignIn).await
}

/// `POST /reset/code`
pub(crate) async fn post_reset(state: State<Http>, posted: Posted) -> Response {
    post(state, posted, CodeFor::Reset).await
}

/// `POST /account/emails/code`
pub(crate) async fn post_address(state: State<Http>, posted: Posted) -> Response {
    post(state, posted, CodeFor::Address).await
}

fn show(visit: Visit, purpose: CodeFor) -> Response {
    let target = visit.target();
    let Some(flow) = visit.kept(purpose) else { return from_the_start(visit, purpose, &target) };
    let notice = visit.query.one("done").ok().flatten().and_then(Notice::parse);
    page(visit, &flow, &target, notice, None)
}

async fn post(State(http): State<Http>, posted: Posted, purpose: CodeFor) -> Response {
    let Posted { mut visit, form } = posted;
    let target = form.target();
    let Some(flow) = visit.kept(purpose) else { return from_the_start(visit, purpose, &target) };
    if form.does("resend") {
        return match send_again(&visit, &http, &flow).await {
            Ok(id) => {
                visit.keep(&Flow { id, ..flow });
                let location = target.behind(purpose.action(), "&done=code_sent");
                visit.to(&location)
            }
            Err(error) => refused(visit, &flow, &target, error),
        };
    }
    let code = form.text("code");
    if purpose == CodeFor::Address {
        let Some(session) = visit.session.clone() else { return visit.sign_in_first(false) };
        return match http.app.prove_address(&visit.asker(), &session, flow.id, code).await {
            Ok(()) => {
                visit.clear(Cookie::Flow);
                visit.to(&super::account::done(Notice::AddressAdded))
            }
            Err(error) => refused(visit, &flow, &target, error),
        };
    }
    match http.app.give_code(&visit.asker(), flow.id, code).await {
        Ok(CodeOutcome::SignedIn(signed)) => match visit.begin(signed).await {
            Ok(_) => visit.to(target.as_str()),
            Err(error) => visit.fail(error),
        },
        Ok(CodeOutcome::NewHere { .. }) => {
            let location = target.behind("/sign-up/account", "");
            visit.to(&location)
        }
        Ok(CodeOutcome::MayReset { .. }) => {
            let location = target.behind("/reset/password", "");
            visit.to(&location)
        }
        Err(error) => refused(visit, &flow, &target, error),
    }
}

async fn send_again(visit: &Visit, http: &Http, flow: &Flow) -> Result<FlowId, AppError> {
    let (app, asker) = (&http.app, visit.asker());
    match (flow.purpose, &visit.session) {
        (CodeFor::SignIn, _) => app.begin_code(&asker, &flow.email, CodePurpose::SignIn).await,
        (CodeFor::Reset, _) => app.begin_code(&asker, &flow.email, CodePurpose::Reset).await,
        (CodeFor::Address, Some(session)) => app.begin_address(&asker, session, &flow.email).await,
        (CodeFor::Address, None) => Err(AppError::NotFound("session")),
    }
}

/// Whoever waits for nothing is at the beginning.
fn from_the_start(visit: Visit, purpose: CodeFor, target: &Target) -> Response {
    match purpose {
        CodeFor::SignIn => visit.to(&target.behind("/sign-in", "")),
        CodeFor::Reset => visit.to(&target.behind("/reset", "")),
        CodeFor::Address => visit.to(ACCOUNT),
    }
}

fn refused(visit: Visit, flow: &Flow, target: &Target, error: AppError) -> Response {
    if wants_again(&error) {
        return visit.sign_in_first(true);
    }
    match told(error) {
        Ok(problem) => page(visit, flow, target, None, Some(problem)),
        Err(error) => visit.fail(error),
    }
}

fn page(
    visit: Visit,
    flow: &Flow,
    target: &Target,
    notice: Option<Notice>,
    problem: Option<(Problem, StatusCode)>,
) -> Response {
    let view = Code {
        purpose: flow.purpose,
        email: &flow.email,
        continue_to: target.as_str(),
        notice,
        problem: problem.map(|(problem, _)| problem),
        action: flow.purpose.action(),
    };
    let status = problem.map_or(StatusCode::OK, |(_, status)| status);
    visit.page_with(&view, status)
}
