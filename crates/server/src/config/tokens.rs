//! `[tokens]`: user tokens and the keys that sign them.

use anyhow::bail;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Section;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TokensConfig {
    pub(crate) publish_ahead_hours: u16,
}

impl Default for TokensConfig {
    fn default() -> Self {
        let hours = hallpass_app::keyring::PUBLISH_AHEAD.as_hours();
        Self { publish_ahead_hours: u16::try_from(hours).expect("a day's hours fit") }
    }
}

impl Section for TokensConfig {
    const NAME: &'static str = "tokens";
    const ABOUT: &'static str = "User tokens and the keys that sign them.";
    const KEYS: &'static [(&'static str, &'static str)] = &[(
        "publish_ahead_hours",
        "How long a signing key is published before it may sign. Clients cache the key set for twelve hours.",
    )];

    fn validate(&self) -> anyhow::Result<()> {
        if self.publish_ahead_hours > 24 * 30 {
            bail!("tokens.publish_ahead_hours: must be at most {}", 24 * 30);
        }
        Ok(())
    }
}

impl TokensConfig {
    pub(crate) fn publish_ahead(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.publish_ahead_hours))
    }
}
