//! `[webhooks]`: where events are sent to, and how long the log of it is kept.

use std::sync::Arc;

use anyhow::bail;
use hallpass_app::webhooks::{LOG_KEPT, WebhookParts};
use hallpass_http::WebhookWire;
use hallpass_outbound::{Outbound, Policy};
use ipnet::IpNet;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Section;
use super::list::{list, texts};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebhooksConfig {
    pub(crate) allow_private: bool,
    #[serde(deserialize_with = "list", serialize_with = "texts")]
    pub(crate) allowed_networks: Vec<IpNet>,
    pub(crate) keep_log_days: u16,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        let days = u16::try_from(LOG_KEPT.as_hours() / 24).expect("a month's days fit");
        Self { allow_private: false, allowed_networks: Vec::new(), keep_log_days: days }
    }
}

impl Section for WebhooksConfig {
    const NAME: &'static str = "webhooks";
    const ABOUT: &'static str = "Events that are sent to URLs of others.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        (
            "allow_private",
            "Send to any address: private, loopback and link-local ones too. Whoever may manage webhooks\n\
             can then make this server speak to whatever it reaches.",
        ),
        (
            "allowed_networks",
            "Networks that may be sent to although they are private, also without TLS, [\"10.1.0.0/16\"].\n\
             In the environment: separated by commas.",
        ),
        ("keep_log_days", "How long the delivery log goes back."),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        if !(6..=3650).contains(&self.keep_log_days) {
            bail!("webhooks.keep_log_days: must be 6 to 3650; deliveries are tried for five");
        }
        Ok(())
    }
}

impl WebhooksConfig {
    /// What the application needs; `dev` also sends to this machine.
    pub(crate) fn parts(&self, dev: bool) -> WebhookParts {
        let mut policy = if dev { Policy::with_loopback() } else { Policy::default() };
        policy.allow_private = self.allow_private;
        policy.allowed.extend(self.allowed_networks.iter().copied());
        WebhookParts {
            outbound: Outbound::new(policy, concat!("Hallpass/", env!("CARGO_PKG_VERSION"), " (webhooks)")),
            wire: Arc::new(WebhookWire),
            dispatch: true,
            log_kept: SignedDuration::from_hours(24 * i64::from(self.keep_log_days)),
        }
    }
}
