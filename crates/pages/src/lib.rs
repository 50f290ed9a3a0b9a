//! What people read: pages and letters in eleven languages. Pure: a view in, HTML or text out.
//!
//! A page is a struct that says what is to be seen; [`Page::html`] renders it inside a [`Shell`]. Pages are
//! templates under `templates/`, words are under `locales/`, one file a language, and what they are styled
//! with is in [`assets`]. Everything works without a script; the one script adds passkeys.
//!
//! What people typed is escaped and stands in `<bdi>`, so that a name from right to left, or one full of
//! markup, stays a name.

mod account;
pub mod assets;
mod consent;
mod device;
mod error;
pub mod letters;
mod outbox;
mod problem;
mod scopes;
mod shell;
mod sign_in;
mod sign_out;
mod sign_up;
mod templates;
mod when;
mod words;

pub use account::{Account, AccountAddress, AccountApp, AccountPasskey, AccountSession, Profile};
pub use consent::{Consent, Consenting};
pub use device::device_name;
pub use error::{ErrorKind, ErrorPage};
pub use outbox::{Outbox, OutboxLetter};
pub use problem::{Notice, Problem};
pub use scopes::{ScopeGroup, opens_something, scope_group, scope_words};
pub use shell::{Csrf, Page, Shell};
pub use sign_in::{AskingApp, Code, CodeFor, SignIn};
pub use sign_out::{SignOut, SignedOut};
pub use sign_up::{NewAccount, NewPassword, Reset, SignUp};

#[cfg(test)]
mod tests;
