//! What a scope lets an app do, in plain words.

use hallpass_core::catalogue::scopes::{EMAIL, OFFLINE_ACCESS, OPENID, PROFILE};
use hallpass_core::decision::Action;
use hallpass_core::locale::Locale;
use hallpass_core::{Scope, ScopeSet};

use crate::words::Words;

/// Under which heading a scope stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeGroup {
    /// Who somebody is.
    You,
    /// Channels.
    Channels,
    /// Direct messages.
    DirectMessages,
    /// Support chats.
    Support,
    /// Companies, their members and teams.
    Company,
    /// Apps, keys, webhooks.
    Developer,
    /// What opens nothing here.
    Nothing,
}

impl ScopeGroup {
    /// In the order they are shown.
    pub const ALL: [Self; 7] = [
        Self::You,
        Self::Channels,
        Self::DirectMessages,
        Self::Support,
        Self::Company,
        Self::Developer,
        Self::Nothing,
    ];

    /// The text of its heading.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::You => "group.you",
            Self::Channels => "group.channels",
            Self::DirectMessages => "group.dms",
            Self::Support => "group.support",
            Self::Company => "group.company",
            Self::Developer => "group.developer",
            Self::Nothing => "group.nothing",
        }
    }
}

/// Whether a scope opens something on this server: it is among the alternatives of an action, or it is one
/// of OpenID Connect's.
pub fn opens_something(scope: Scope) -> bool {
    const IDENTITY: ScopeSet = ScopeSet::of(&[OPENID, PROFILE, EMAIL, OFFLINE_ACCESS]);
    IDENTITY.contains(scope)
        || Action::ALL.iter().any(|action| action.alternatives().iter().any(|set| set.contains(scope)))
}

/// The heading of a scope.
pub fn scope_group(scope: Scope) -> ScopeGroup {
    if !opens_something(scope) {
        return ScopeGroup::Nothing;
    }
    match scope.name().split(':').next().unwrap_or_default() {
        "chat" | "experience" => ScopeGroup::Channels,
        "dms" => ScopeGroup::DirectMessages,
        "support_chat" => ScopeGroup::Support,
        "company" | "authorized_user" | "member" => ScopeGroup::Company,
        "developer" => ScopeGroup::Developer,
        _ => ScopeGroup::You,
    }
}

/// What a scope lets its holder do, in plain words. One that opens nothing here says so, with its name.
pub fn scope_words(scope: Scope, locale: Locale) -> String {
    let words = Words::of(locale);
    if opens_something(scope) {
        words.plain(&format!("scope.{scope}"), &[])
    } else {
        words.plain("scope.nothing", &[("scope", scope.name())])
    }
}
