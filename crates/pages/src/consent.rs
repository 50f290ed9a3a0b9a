//! Consent: what an app would be able to do, where, and where the browser goes afterwards.

use hallpass_core::catalogue::scopes::{EMAIL, OPENID, PROFILE};
use hallpass_core::{Scope, ScopeSet};
use serde::Serialize;

use crate::problem::Problem;
use crate::scopes::{ScopeGroup, scope_group};
use crate::shell::Page;
use crate::sign_in::AskingApp;

/// Who is asked, or the company that it is about.
#[derive(Clone, Debug, Serialize)]
pub struct Consenting<'a> {
    /// What they are called there.
    pub name: &'a str,
    /// Where their picture is, on this server.
    pub picture: Option<&'a str>,
}

/// Whether to let an app use the account.
#[derive(Clone, Debug, Serialize)]
pub struct Consent<'a> {
    /// Who asks.
    pub app: AskingApp<'a>,
    /// The company that it would be bound to.
    pub company: Option<Consenting<'a>>,
    /// As whom the app would act.
    pub user: Consenting<'a>,
    /// The address of the account.
    pub email: &'a str,
    groups: Vec<Group>,
    /// Whether anything was allowed before, so that what is new is marked.
    some_before: bool,
    /// Where the browser goes afterwards: the host of a web address, or the scheme of an app.
    pub host: &'a str,
    /// Where the form is posted to.
    pub action: &'a str,
    /// What the form carries: the request as it came.
    pub hidden: &'a [(&'a str, &'a str)],
    /// Where to choose another account, a path of ours.
    pub another: &'a str,
    /// What was wrong.
    pub problem: Option<Problem>,
}

#[derive(Clone, Debug, Serialize)]
struct Group {
    heading: &'static str,
    scopes: Vec<Line>,
}

#[derive(Clone, Debug, Serialize)]
struct Line {
    name: &'static str,
    new: bool,
}

impl<'a> Consent<'a> {
    /// A page that asks for `scopes`, of which `before` were allowed earlier.
    #[expect(clippy::too_many_arguments, reason = "each is another thing that the person must see")]
    pub fn new(
        app: AskingApp<'a>,
        company: Option<Consenting<'a>>,
        user: Consenting<'a>,
        email: &'a str,
        scopes: &ScopeSet,
        before: &ScopeSet,
        host: &'a str,
        action: &'a str,
        hidden: &'a [(&'a str, &'a str)],
        another: &'a str,
    ) -> Self {
        let groups = ScopeGroup::ALL
            .into_iter()
            .map(|group| Group {
                heading: group.key(),
                scopes: in_order(scopes, group)
                    .into_iter()
                    .map(|scope| Line { name: scope.name(), new: !before.contains(scope) })
                    .collect(),
            })
            .filter(|group| !group.scopes.is_empty())
            .collect();
        let some_before = !scopes.and(before).is_empty();
        Self { app, company, user, email, groups, some_before, host, action, hidden, another, problem: None }
    }
}

/// The scopes of a group: who somebody is first, reading before writing.
fn in_order(scopes: &ScopeSet, group: ScopeGroup) -> Vec<Scope> {
    let mut found: Vec<_> = scopes.iter().filter(|scope| scope_group(*scope) == group).collect();
    let first = [OPENID, PROFILE, EMAIL];
    found.sort_by_key(|scope| {
        (first.iter().position(|one| one == scope).unwrap_or(first.len()), !scope.name().ends_with(":read"))
    });
    found
}

impl Page for Consent<'_> {
    const TEMPLATE: &'static str = "consent.html";
}
