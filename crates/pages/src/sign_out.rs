//! Signing out: asked first, said afterwards.

use serde::Serialize;

use crate::shell::Page;

/// Whether to sign out.
#[derive(Clone, Debug, Serialize)]
pub struct SignOut<'a> {
    /// The app that asks for it, if one does.
    pub app: Option<&'a str>,
    /// Where the form is posted to.
    pub action: &'a str,
    /// What the form carries.
    pub hidden: &'a [(&'a str, &'a str)],
}

impl Page for SignOut<'_> {
    const TEMPLATE: &'static str = "sign_out.html";
}

/// Signed out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SignedOut<'a> {
    /// The app and the address it registered for going back to.
    pub back: Option<(&'a str, &'a str)>,
}

impl Page for SignedOut<'_> {
    const TEMPLATE: &'static str = "signed_out.html";
}
