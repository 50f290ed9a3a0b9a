//! `/passkeys/…`: what the script asks for and brings back. Begin gives options, finish takes what the
//! browser made of them and says where to go.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hallpass_app::AppError;
use hallpass_app::people::NewAccount;
use hallpass_pages::{CodeFor, Notice, Problem};
use serde_json::{Value, json};

use super::posted::{ScriptBody, Scripted};
use super::problem::{told, wants_again};
use super::target::{ACCOUNT, Target};
use super::visit::Visit;
use crate::error::ApiError;
use crate::state::Http;

/// `POST /passkeys/sign-in/begin`
pub(crate) async fn begin_sign_in(State(http): State<Http>, scripted: Scripted) -> Response {
    let visit = scripted.visit;
    if !visit.passkeys {
        return say(visit, json!({}));
    }
    let options = http.app.begin_passkey_sign_in(&visit.asker()).await;
    offer(visit, options)
}

/// `POST /passkeys/sign-in/finish`
pub(crate) async fn finish_sign_in(State(http): State<Http>, scripted: Scripted) -> Response {
    let Scripted { mut visit, body } = scripted;
    match http.app.sign_in_with_passkey(&visit.asker(), credential(&body)).await {
        Ok(signed) => match visit.begin(signed).await {
            Ok(_) => go(visit, Target::parse(&body.target).as_str()),
            Err(error) => refuse(visit, error),
        },
        Err(error) => refuse(visit, error),
    }
}

/// `POST /passkeys/add/begin`
pub(crate) async fn begin_add(State(http): State<Http>, scripted: Scripted) -> Response {
    let visit = scripted.visit;
    let Some(session) = visit.session.clone() else { return go(visit, "/sign-in") };
    let options = http.app.begin_passkey(&visit.asker(), &session).await;
    offer(visit, options)
}

/// `POST /passkeys/add/finish`
pub(crate) async fn finish_add(State(http): State<Http>, scripted: Scripted) -> Response {
    let Scripted { visit, body } = scripted;
    let Some(session) = visit.session.clone() else { return go(visit, "/sign-in") };
    let name = visit.device_name();
    match http.app.add_passkey(&visit.asker(), &session, &name, credential(&body)).await {
        Ok(_) => go(visit, &super::account::done(Notice::PasskeyAdded)),
        Err(error) => refuse(visit, error),
    }
}

/// `POST /passkeys/sign-up/begin`
pub(crate) async fn begin_sign_up(State(http): State<Http>, scripted: Scripted) -> Response {
    let Scripted { visit, body } = scripted;
    let Some(flow) = visit.kept(CodeFor::SignIn) else { return go(visit, "/sign-up") };
    let options = match account(&body) {
        Ok(account) => http.app.begin_passkey_sign_up(&visit.asker(), flow.id, &account).await,
        Err(problem) => return problem_of(visit, problem, StatusCode::UNPROCESSABLE_ENTITY),
    };
    offer(visit, options)
}

/// `POST /passkeys/sign-up/finish`
pub(crate) async fn finish_sign_up(State(http): State<Http>, scripted: Scripted) -> Response {
    let Scripted { mut visit, body } = scripted;
    let Some(flow) = visit.kept(CodeFor::SignIn) else { return go(visit, "/sign-up") };
    let account = match account(&body) {
        Ok(account) => account,
        Err(problem) => return problem_of(visit, problem, StatusCode::UNPROCESSABLE_ENTITY),
    };
    let (asker, name) = (visit.asker(), visit.device_name());
    match http.app.create_account_with_passkey(&asker, flow.id, account, &name, credential(&body)).await {
        Ok(signed) => match visit.begin(signed).await {
            Ok(_) => go(visit, Target::parse(&body.target).as_str()),
            Err(error) => refuse(visit, error),
        },
        Err(error) => refuse(visit, error),
    }
}

fn account(body: &ScriptBody) -> Result<NewAccount, Problem> {
    let name = body.name.trim();
    if name.is_empty() {
        return Err(Problem::Name);
    }
    let username = body.username.trim().to_owned();
    Ok(NewAccount { name: Some(name.to_owned()), username, password: None })
}

fn credential(body: &ScriptBody) -> &str {
    body.credential.as_ref().map_or("", |credential| credential.get())
}

fn offer(visit: Visit, options: Result<String, AppError>) -> Response {
    let parsed = options.map(|text| serde_json::from_str::<Value>(&text));
    match parsed {
        Ok(Ok(options)) => say(visit, json!({ "publicKey": options })),
        Ok(Err(_)) => problem_of(visit, Problem::Passkey, StatusCode::INTERNAL_SERVER_ERROR),
        Err(error) => refuse(visit, error),
    }
}

fn go(visit: Visit, location: &str) -> Response {
    say(visit, json!({ "location": location }))
}

fn say(visit: Visit, value: Value) -> Response {
    visit.finish(Json(value).into_response())
}

fn refuse(visit: Visit, error: AppError) -> Response {
    if wants_again(&error) {
        let location = Target::parse(ACCOUNT).behind("/sign-in", "&again=1");
        return go(visit, &location);
    }
    match told(error) {
        // Not the password's words.
        Ok((Problem::Credentials, status)) => problem_of(visit, Problem::Passkey, status),
        Ok((problem, status)) => problem_of(visit, problem, status),
        Err(error) => visit.finish(ApiError::from(error).into_response()),
    }
}

fn problem_of(visit: Visit, problem: Problem, status: StatusCode) -> Response {
    let said = json!({ "problem": problem.words(visit.locale) });
    visit.finish((status, Json(said)).into_response())
}
