//! Beginning an account, and choosing a new password: each starts with a proof of the address.

use serde::Serialize;

use crate::problem::Problem;
use crate::shell::Page;
use crate::sign_in::AskingApp;

/// Naming an address.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SignUp<'a> {
    /// Who asks for it, if an app does.
    pub app: Option<AskingApp<'a>>,
    /// As typed.
    pub email: &'a str,
    /// Where to go afterwards, a path of ours.
    pub continue_to: &'a str,
    /// What was wrong.
    pub problem: Option<Problem>,
}

impl Page for SignUp<'_> {
    const TEMPLATE: &'static str = "sign_up.html";
}

/// The address is proved; who is it?
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewAccount<'a> {
    /// The address.
    pub email: &'a str,
    /// As typed.
    pub name: &'a str,
    /// As typed.
    pub username: &'a str,
    /// Where to go afterwards, a path of ours.
    pub continue_to: &'a str,
    /// What was wrong.
    pub problem: Option<Problem>,
}

impl Page for NewAccount<'_> {
    const TEMPLATE: &'static str = "new_account.html";
}

/// Asking for a code that lets choose a new password.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reset<'a> {
    /// As typed.
    pub email: &'a str,
    /// Where to go afterwards, a path of ours.
    pub continue_to: &'a str,
    /// What was wrong.
    pub problem: Option<Problem>,
}

impl Page for Reset<'_> {
    const TEMPLATE: &'static str = "reset.html";
}

/// Choosing it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewPassword<'a> {
    /// The address of the account, for password managers too.
    pub email: &'a str,
    /// Where to go afterwards, a path of ours.
    pub continue_to: &'a str,
    /// What was wrong.
    pub problem: Option<Problem>,
}

impl Page for NewPassword<'_> {
    const TEMPLATE: &'static str = "new_password.html";
}
