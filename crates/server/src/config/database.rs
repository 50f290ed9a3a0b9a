//! `[database]`: SQLite in the data folder, or PostgreSQL.

use std::path::PathBuf;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::Section;
use super::secret::{Secret, masked_url};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseConfig {
    #[serde(serialize_with = "masked_url")]
    pub(crate) url: Secret,
    pub(crate) url_file: PathBuf,
    pub(crate) max_connections: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: Secret::default(), url_file: PathBuf::new(), max_connections: 20 }
    }
}

impl Section for DatabaseConfig {
    const NAME: &'static str = "database";
    const ABOUT: &'static str = "SQLite in the data folder, or PostgreSQL for many nodes.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        (
            "url",
            "postgres://user:password@host/database. Empty: SQLite in the data folder.\n\
             The environment may name it DATABASE_URL.",
        ),
        ("url_file", "A file that holds the URL, to keep its password out of here."),
        ("max_connections", "The most connections to PostgreSQL at once."),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        if let Some(url) = self.resolve()? {
            let scheme = url.expose().split_once("://").map_or("", |(scheme, _)| scheme);
            if !matches!(scheme, "postgres" | "postgresql") {
                bail!(
                    "database.url: must begin with postgres://; leave it empty for SQLite in the data folder"
                );
            }
        }
        // One is held for reading the authority log.
        if !(4..=1000).contains(&self.max_connections) {
            bail!("database.max_connections: must be 4 to 1000");
        }
        Ok(())
    }
}

impl DatabaseConfig {
    /// The URL, wherever it is given; none for SQLite.
    pub(crate) fn resolve(&self) -> anyhow::Result<Option<Secret>> {
        self.url.or_file("database.url", &self.url_file)
    }
}
