//! `[log]`: what is logged, and how.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::Section;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Section for LogConfig {
    const NAME: &'static str = "log";
    const ABOUT: &'static str = "What is logged to stderr, and how.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("format", "text or json."),
        ("level", "error, warn, info, debug or trace; or per part: info,hallpass_app=debug."),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        EnvFilter::try_new(&self.level)
            .map(drop)
            .context("log.level: write a level, such as info, or info,hallpass_app=debug")
    }
}
