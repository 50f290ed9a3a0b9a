//! The account: who somebody is here, how they sign in, where they are signed in, and what they allowed.

use hallpass_core::{Scope, ScopeSet};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::device;
use crate::problem::{Notice, Problem};
use crate::shell::Page;

/// Who somebody is here.
#[derive(Clone, Debug, Serialize)]
pub struct Profile<'a> {
    /// As saved, or as typed.
    pub name: &'a str,
    /// As saved, or as typed.
    pub username: &'a str,
    /// Where their picture is, on this server.
    pub picture: Option<&'a str>,
}

/// An address of the account.
#[derive(Clone, Debug, Serialize)]
pub struct AccountAddress<'a> {
    /// It.
    pub email: &'a str,
}

/// A passkey of the account.
#[derive(Clone, Debug, Serialize)]
pub struct AccountPasskey<'a> {
    /// Its id.
    pub id: &'a str,
    /// What its owner calls it.
    pub name: &'a str,
    /// When it was added.
    #[serde(serialize_with = "crate::when::serialize")]
    pub added_at: Timestamp,
    /// When it was last used.
    #[serde(serialize_with = "crate::when::serialize_option")]
    pub used_at: Option<Timestamp>,
}

/// A place where somebody is signed in.
#[derive(Clone, Debug, Serialize)]
pub struct AccountSession<'a> {
    /// Its id.
    pub id: &'a str,
    /// The one that sees the page.
    pub this: bool,
    #[serde(rename = "device")]
    device: Option<(&'static str, &'static str)>,
    /// From where it was last used.
    pub address: &'a str,
    /// When it was last used.
    #[serde(serialize_with = "crate::when::serialize")]
    pub seen_at: Timestamp,
}

impl<'a> AccountSession<'a> {
    /// A session, its browser told from what it calls itself.
    pub fn new(id: &'a str, this: bool, user_agent: &str, address: &'a str, seen_at: Timestamp) -> Self {
        Self { id, this, device: device::recognise(user_agent), address, seen_at }
    }
}

/// An app that was allowed in.
#[derive(Clone, Debug, Serialize)]
pub struct AccountApp<'a> {
    /// The id of the grant.
    pub id: &'a str,
    /// What the app is called.
    pub name: &'a str,
    /// Where its picture is, on this server.
    pub picture: Option<&'a str>,
    /// The company that it is bound to.
    pub company: Option<&'a str>,
    /// What was allowed.
    #[serde(serialize_with = "names")]
    pub scopes: ScopeSet,
    /// When.
    #[serde(serialize_with = "crate::when::serialize")]
    pub since: Timestamp,
}

fn names<S: Serializer>(scopes: &ScopeSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scopes.iter().map(Scope::name))
}

/// The whole account.
#[derive(Clone, Debug, Serialize)]
pub struct Account<'a> {
    /// Who.
    pub profile: Profile<'a>,
    /// Proved addresses.
    pub emails: Vec<AccountAddress<'a>>,
    /// The address being typed, after a problem with it.
    pub new_email: &'a str,
    /// Whether there is a password.
    pub has_password: bool,
    /// Whether somebody proved who they are a moment ago: then the old password is not asked for.
    pub recent: bool,
    /// Passkeys.
    pub passkeys: Vec<AccountPasskey<'a>>,
    /// Devices, this one first.
    pub sessions: Vec<AccountSession<'a>>,
    /// Apps.
    pub apps: Vec<AccountApp<'a>>,
    /// What went well.
    pub notice: Option<Notice>,
    /// What was wrong.
    pub problem: Option<Problem>,
}

impl Page for Account<'_> {
    const TEMPLATE: &'static str = "account.html";
}
