//! Signing in: with a password, or with a code.

use serde::{Deserialize, Serialize};

use crate::problem::{Notice, Problem};
use crate::shell::Page;

/// The app that sent somebody here.
#[derive(Clone, Debug, Serialize)]
pub struct AskingApp<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Where its picture is, on this server.
    pub picture: Option<&'a str>,
    /// Whose it is.
    pub company: Option<&'a str>,
}

/// Signing in with a password, a passkey, or a code that is sent.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SignIn<'a> {
    /// Who asks for it, if an app does.
    pub app: Option<AskingApp<'a>>,
    /// As typed, or as the app hints.
    pub email: &'a str,
    /// Where to go afterwards, a path of ours.
    pub continue_to: &'a str,
    /// Somebody signed in must prove again that it is them.
    pub again: bool,
    /// What was wrong.
    pub problem: Option<Problem>,
}

impl Page for SignIn<'_> {
    const TEMPLATE: &'static str = "sign_in.html";
}

/// What a code was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeFor {
    /// To sign in, or to begin an account.
    SignIn,
    /// To choose a new password.
    Reset,
    /// To add an address.
    Address,
}

impl CodeFor {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SignIn, Self::Reset, Self::Address];

    /// Where the code is posted to.
    pub const fn action(self) -> &'static str {
        match self {
            Self::SignIn => "/sign-in/code",
            Self::Reset => "/reset/code",
            Self::Address => "/account/emails/code",
        }
    }
}

/// Entering a code.
#[derive(Clone, Debug, Serialize)]
pub struct Code<'a> {
    /// What for.
    pub purpose: CodeFor,
    /// Where it was sent.
    pub email: &'a str,
    /// Where to go afterwards, a path of ours.
    pub continue_to: &'a str,
    /// Another one was sent.
    pub notice: Option<Notice>,
    /// What was wrong.
    pub problem: Option<Problem>,
    /// Where the form is posted to: [`CodeFor::action`].
    pub action: &'a str,
}

impl Page for Code<'_> {
    const TEMPLATE: &'static str = "code.html";
}
