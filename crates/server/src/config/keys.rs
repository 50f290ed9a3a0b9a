//! `[keys]`: the master key that everything at rest is sealed under.

use std::path::PathBuf;

use anyhow::Context as _;
use hallpass_token::MasterKey;
use serde::{Deserialize, Serialize};

use super::Section;
use super::secret::Secret;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KeysConfig {
    pub(crate) master_key: Secret,
    pub(crate) master_key_file: PathBuf,
}

impl Section for KeysConfig {
    const NAME: &'static str = "keys";
    const ABOUT: &'static str = "The master key that signing keys are sealed under.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        (
            "master_key",
            "32 bytes as 64 hexadecimal digits or base64 (openssl rand -hex 32). Empty: made on first start\n\
             and kept in the data folder, in master.key; with PostgreSQL it must be given, the same on every node.",
        ),
        ("master_key_file", "A file that holds it."),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        self.resolve().map(drop)
    }
}

impl KeysConfig {
    /// Whether a key is given at all.
    pub(crate) fn is_given(&self) -> bool {
        !self.master_key.is_empty() || !self.master_key_file.as_os_str().is_empty()
    }

    /// The master key, wherever it is given.
    pub(crate) fn resolve(&self) -> anyhow::Result<Option<MasterKey>> {
        let Some(text) = self.master_key.or_file("keys.master_key", &self.master_key_file)? else {
            return Ok(None);
        };
        MasterKey::parse(text.expose())
            .map(Some)
            .context("keys.master_key: make one with `openssl rand -hex 32`")
    }
}
