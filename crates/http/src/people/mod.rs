//! The pages by which people sign up and in, and keep their account. They work without a script, and go into
//! nobody's frame.
//!
//! A request becomes a [`Visit`]: who is there, as far as cookies say. What is posted becomes [`Posted`] (a
//! form) or `Scripted` (JSON of our one script), and only if it is from a form that was given to this very
//! browser and session. A form that did its work is answered by going somewhere else; one that did not, by
//! the same page with what was wrong, since what was typed belongs into no URL.

mod account;
mod code;
pub(crate) mod cookies;
mod flow;
mod outbox;
mod passkeys;
pub(crate) mod posted;
mod problem;
mod reset;
mod sign_in;
mod sign_out;
mod sign_up;
pub(crate) mod target;
pub(crate) mod visit;

use axum::Router;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hallpass_pages::assets;

pub(crate) use cookies::Cookie;
pub(crate) use posted::Posted;
pub(crate) use target::{MAX_BYTES as MAX_TARGET_BYTES, Target};
pub(crate) use visit::Visit;

use crate::state::Http;

/// The routes of people.
pub(crate) fn routes() -> Router<Http> {
    Router::new()
        .route("/sign-in", get(sign_in::show).post(sign_in::post))
        .route("/sign-in/code", get(code::show_sign_in).post(code::post_sign_in))
        .route("/sign-up", get(sign_up::show).post(sign_up::post))
        .route("/sign-up/account", get(sign_up::show_account).post(sign_up::post_account))
        .route("/reset", get(reset::show).post(reset::post))
        .route("/reset/code", get(code::show_reset).post(code::post_reset))
        .route("/reset/password", get(reset::show_password).post(reset::post_password))
        .route("/account", get(account::show))
        .route("/account/profile", post(account::profile))
        .route("/account/password", post(account::password))
        .route("/account/emails", post(account::add_address))
        .route("/account/emails/code", get(code::show_address).post(code::post_address))
        .route("/account/emails/remove", post(account::remove_address))
        .route("/account/passkeys/rename", post(account::rename_passkey))
        .route("/account/passkeys/remove", post(account::remove_passkey))
        .route("/account/sessions/end", post(account::end_session))
        .route("/account/sessions/end-others", post(account::end_other_sessions))
        .route("/account/apps/revoke", post(account::revoke_app))
        .route("/sign-out", get(sign_out::show).post(sign_out::post))
        .route("/passkeys/sign-in/begin", post(passkeys::begin_sign_in))
        .route("/passkeys/sign-in/finish", post(passkeys::finish_sign_in))
        .route("/passkeys/add/begin", post(passkeys::begin_add))
        .route("/passkeys/add/finish", post(passkeys::finish_add))
        .route("/passkeys/sign-up/begin", post(passkeys::begin_sign_up))
        .route("/passkeys/sign-up/finish", post(passkeys::finish_sign_up))
        .route("/dev/outbox", get(outbox::show))
        .route("/assets/sign-in.css", get(style))
        .route("/assets/passkeys.js", get(script))
}

/// Their names, for metrics and the log; each is read, posted to, or both.
const OPERATIONS: [(&str, &str, Does); 28] = [
    ("/sign-in", "people.sign_in", Does::Both),
    ("/sign-in/code", "people.code", Does::Both),
    ("/sign-up", "people.sign_up", Does::Both),
    ("/sign-up/account", "people.sign_up", Does::Both),
    ("/reset", "people.reset", Does::Both),
    ("/reset/code", "people.code", Does::Both),
    ("/reset/password", "people.reset", Does::Both),
    ("/account", "people.account", Does::Reads),
    ("/account/profile", "people.account", Does::Posts),
    ("/account/password", "people.account", Does::Posts),
    ("/account/emails", "people.account", Does::Posts),
    ("/account/emails/code", "people.code", Does::Both),
    ("/account/emails/remove", "people.account", Does::Posts),
    ("/account/passkeys/rename", "people.account", Does::Posts),
    ("/account/passkeys/remove", "people.account", Does::Posts),
    ("/account/sessions/end", "people.account", Does::Posts),
    ("/account/sessions/end-others", "people.account", Does::Posts),
    ("/account/apps/revoke", "people.account", Does::Posts),
    ("/sign-out", "people.sign_out", Does::Both),
    ("/passkeys/sign-in/begin", "people.passkeys", Does::Posts),
    ("/passkeys/sign-in/finish", "people.passkeys", Does::Posts),
    ("/passkeys/add/begin", "people.passkeys", Does::Posts),
    ("/passkeys/add/finish", "people.passkeys", Does::Posts),
    ("/passkeys/sign-up/begin", "people.passkeys", Does::Posts),
    ("/passkeys/sign-up/finish", "people.passkeys", Does::Posts),
    ("/dev/outbox", "people.outbox", Does::Reads),
    ("/assets/sign-in.css", "assets", Does::Reads),
    ("/assets/passkeys.js", "assets", Does::Reads),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Reads,
    Posts,
    Both,
}

/// `(path, method, name)` of every route.
pub(crate) fn operations() -> impl Iterator<Item = (&'static str, Method, &'static str)> {
    OPERATIONS.into_iter().flat_map(|(path, name, does)| {
        let reads = (does != Does::Posts).then_some([Method::GET, Method::HEAD]);
        let posts = (does != Does::Reads).then_some(Method::POST);
        reads.into_iter().flatten().chain(posts).map(move |method| (path, method, name))
    })
}

async fn style() -> Response {
    asset(assets::STYLE, "text/css; charset=utf-8")
}

async fn script() -> Response {
    asset(assets::PASSKEYS, "text/javascript; charset=utf-8")
}

fn asset(text: &'static str, kind: &'static str) -> Response {
    let mut response = text.into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
