//! `[oauth]`: how signing in behaves.

use anyhow::bail;
use hallpass_app::oauth::{OAuthPolicy, PkcePolicy};
use hallpass_app::sessions::SessionPolicy;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Section;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OAuthConfig {
    pub(crate) refresh_grace_secs: u32,
    pub(crate) refresh_idle_days: u16,
    pub(crate) refresh_longest_days: u16,
    pub(crate) session_idle_days: u16,
    pub(crate) session_longest_days: u16,
    pub(crate) pkce: Pkce,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pkce {
    Always,
    PublicClients,
}

impl Default for OAuthConfig {
    fn default() -> Self {
        Self {
            refresh_grace_secs: 30,
            refresh_idle_days: 30,
            refresh_longest_days: 365,
            session_idle_days: 14,
            session_longest_days: 90,
            pkce: Pkce::Always,
        }
    }
}

impl Section for OAuthConfig {
    const NAME: &'static str = "oauth";
    const ABOUT: &'static str = "Signing in: sessions of people, and what apps are given.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        (
            "refresh_grace_secs",
            "For how long a refresh token that was used gets the same successor again, so that a lost\n\
             answer or two tabs sign nobody out. 0: never.",
        ),
        ("refresh_idle_days", "How long an app stays signed in without refreshing."),
        ("refresh_longest_days", "How long an app stays signed in at all."),
        ("session_idle_days", "How long a browser stays signed in without being used."),
        ("session_longest_days", "How long a browser stays signed in at all."),
        (
            "pkce",
            "always; or public_clients, for old confidential clients and conformance tools that send\n\
             no code_challenge.",
        ),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        if self.refresh_grace_secs > 600 {
            bail!("oauth.refresh_grace_secs: must be 0 to 600");
        }
        for (key, idle, longest) in [
            ("refresh", self.refresh_idle_days, self.refresh_longest_days),
            ("session", self.session_idle_days, self.session_longest_days),
        ] {
            if !(1..=3650).contains(&idle) || !(idle..=3650).contains(&longest) {
                bail!("oauth.{key}_idle_days: must be 1 to oauth.{key}_longest_days, which is at most 3650");
            }
        }
        Ok(())
    }
}

impl OAuthConfig {
    /// What the application needs.
    pub(crate) fn policy(&self) -> OAuthPolicy {
        let days = |days: u16| SignedDuration::from_hours(i64::from(days) * 24);
        OAuthPolicy {
            sessions: SessionPolicy {
                idle: days(self.session_idle_days),
                longest: days(self.session_longest_days),
            },
            refresh_grace: SignedDuration::from_secs(self.refresh_grace_secs.into()),
            refresh_idle: days(self.refresh_idle_days),
            refresh_longest: days(self.refresh_longest_days),
            pkce: match self.pkce {
                Pkce::Always => PkcePolicy::Always,
                Pkce::PublicClients => PkcePolicy::PublicClients,
            },
        }
    }
}
