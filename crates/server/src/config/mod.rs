//! The configuration: defaults, then `hallpass.toml`, then `HALLPASS_SECTION__KEY`, then flags.
//!
//! Only this crate sees it; everyone else is handed a small policy of their own.

mod database;
mod files;
mod http;
mod keys;
mod limits;
mod list;
mod log;
mod mail;
mod oauth;
mod passwords;
mod sample;
mod secret;
mod tokens;
mod webhooks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use config::{Environment, File, FileFormat, Source as _, Value};
use hallpass_app::Limits;
use hallpass_store::Database;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use database::DatabaseConfig;
pub(crate) use files::FilesConfig;
pub(crate) use http::{HttpConfig, PublicUrl};
pub(crate) use keys::KeysConfig;
pub(crate) use log::{LogConfig, LogFormat};
pub(crate) use mail::MailConfig;
pub(crate) use oauth::OAuthConfig;
pub(crate) use passwords::PasswordsConfig;
pub(crate) use sample::{print, sample};
pub(crate) use tokens::TokensConfig;
pub(crate) use webhooks::WebhooksConfig;

/// The file that is read where it lies in the working directory.
const FILE: &str = "hallpass.toml";
/// The folder of a server that was told of none.
pub(crate) const DATA_DIR: &str = "./data";

/// One table of the file.
pub(crate) trait Section: Serialize + DeserializeOwned + Default {
    /// Its name.
    const NAME: &'static str;
    /// What it is about.
    const ABOUT: &'static str;
    /// Its keys and what they mean, in order.
    const KEYS: &'static [(&'static str, &'static str)];

    /// Checks what types alone do not.
    ///
    /// # Errors
    /// Naming the key and the remedy.
    fn validate(&self) -> anyhow::Result<()>;
}

/// Everything there is to set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// None: [`DATA_DIR`] with SQLite, and no folder at all with PostgreSQL.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) http: HttpConfig,
    pub(crate) database: DatabaseConfig,
    pub(crate) tokens: TokensConfig,
    pub(crate) keys: KeysConfig,
    pub(crate) files: FilesConfig,
    pub(crate) oauth: OAuthConfig,
    pub(crate) limits: Limits,
    pub(crate) webhooks: WebhooksConfig,
    pub(crate) mail: MailConfig,
    pub(crate) passwords: PasswordsConfig,
    pub(crate) log: LogConfig,
}

/// Where a configuration is read from.
#[derive(Default)]
pub(crate) struct Sources {
    /// This file, and an error if it is not there.
    pub(crate) file: Option<PathBuf>,
    /// Also [`FILE`] where no file is named.
    pub(crate) usual_file: bool,
    /// Variables of the environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Keys given by flags.
    pub(crate) flags: Vec<(&'static str, String)>,
}

impl Sources {
    /// What `hallpass` reads: the named or the usual file, and the environment with `DATABASE_URL`.
    pub(crate) fn usual(file: Option<PathBuf>) -> Self {
        let mut env = environment();
        if let Ok(url) = std::env::var("DATABASE_URL") {
            env.entry("HALLPASS_DATABASE__URL".to_owned()).or_insert(url);
        }
        Self { file, usual_file: true, env, flags: Vec::new() }
    }

    /// What `hallpass dev` reads: a file only where one is named, and of the environment only names of
    /// our own: `DATABASE_URL` may be that of the app under development.
    pub(crate) fn dev(file: Option<PathBuf>) -> Self {
        Self { file, usual_file: false, env: environment(), flags: Vec::new() }
    }
}

/// The variables that name a key: with a section, or the one key without.
fn environment() -> BTreeMap<String, String> {
    std::env::vars()
        .filter(|(name, value)| {
            let key = name.strip_prefix("HALLPASS_");
            key.is_some_and(|key| key.contains("__") || key == "DATA_DIR") && !value.is_empty()
        })
        .collect()
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// Naming the key, where it was set and the remedy.
    pub(crate) fn load(sources: &Sources) -> anyhow::Result<Self> {
        let mut builder = config::Config::builder();
        let usual = (sources.usual_file && Path::new(FILE).exists()).then(|| PathBuf::from(FILE));
        if let Some(file) = sources.file.clone().or(usual) {
            let text = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read the configuration {}", file.display()))?;
            // Parsed here once more for an error that names the file.
            builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
            builder.build_cloned().with_context(|| file.display().to_string())?;
        }
        let environment = Environment::with_prefix("HALLPASS")
            .prefix_separator("_")
            .separator("__")
            .source(Some(sources.env.clone().into_iter().collect()));
        builder = builder.add_source(environment);
        for (key, value) in &sources.flags {
            builder = builder.set_override(*key, value.as_str())?;
        }
        let built = builder.build()?;
        refuse_unknown(&built.collect()?)?;
        let config: Self = built.try_deserialize().context("the configuration")?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> anyhow::Result<()> {
        self.http.validate()?;
        self.database.validate()?;
        self.tokens.validate()?;
        self.keys.validate()?;
        self.files.validate()?;
        self.oauth.validate()?;
        self.limits.validate()?;
        self.webhooks.validate()?;
        self.mail.validate()?;
        self.passwords.validate()?;
        self.log.validate()
    }

    /// Where the data lies.
    pub(crate) fn database(&self, folder: Option<&Path>) -> anyhow::Result<Database> {
        Ok(match (self.database.resolve()?, folder) {
            (Some(url), _) => Database::Postgres {
                url: url.expose().to_owned(),
                max_connections: self.database.max_connections,
            },
            (None, Some(folder)) => Database::Sqlite(folder.join("hallpass.db")),
            (None, None) => bail!("data_dir: SQLite needs a data folder"),
        })
    }

    /// Whether nodes share the database.
    pub(crate) fn is_shared(&self) -> anyhow::Result<bool> {
        Ok(self.database.resolve()?.is_some())
    }

    /// The data folder; none with PostgreSQL, unless one is named.
    pub(crate) fn folder(&self) -> anyhow::Result<Option<PathBuf>> {
        match &self.data_dir {
            Some(folder) => Ok(Some(folder.clone())),
            None if self.is_shared()? => Ok(None),
            None => Ok(Some(PathBuf::from(DATA_DIR))),
        }
    }
}

/// Every section, by name, with its keys.
fn sections() -> [(&'static str, &'static [(&'static str, &'static str)]); 11] {
    fn entry<S: Section>() -> (&'static str, &'static [(&'static str, &'static str)]) {
        (S::NAME, S::KEYS)
    }
    [
        entry::<HttpConfig>(),
        entry::<DatabaseConfig>(),
        entry::<TokensConfig>(),
        entry::<KeysConfig>(),
        entry::<FilesConfig>(),
        entry::<Limits>(),
        entry::<OAuthConfig>(),
        entry::<WebhooksConfig>(),
        entry::<MailConfig>(),
        entry::<PasswordsConfig>(),
        entry::<LogConfig>(),
    ]
}

/// A misspelt key must not pass for its default.
fn refuse_unknown(values: &config::Map<String, Value>) -> anyhow::Result<()> {
    for (name, value) in values {
        if name == "data_dir" {
            continue;
        }
        let section = sections().into_iter().find(|(section, _)| section == name);
        let (Some((_, keys)), config::ValueKind::Table(table)) = (section, &value.kind) else {
            let names: Vec<_> = sections().iter().map(|(name, _)| *name).collect();
            bail!(
                "{name}{}: unknown; there are data_dir and the sections {}",
                origin(value),
                names.join(", ")
            );
        };
        if let Some((key, value)) = table.iter().find(|(key, _)| !keys.iter().any(|(known, _)| known == key))
        {
            let known: Vec<_> = keys.iter().map(|(key, _)| *key).collect();
            bail!("{name}.{key}{}: unknown key; [{name}] has {}", origin(value), known.join(", "));
        }
    }
    Ok(())
}

fn origin(value: &Value) -> String {
    value.origin().map(|origin| format!(" (in {origin})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, env: &[(&str, &str)], flags: &[(&'static str, &str)]) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hallpass.toml");
        std::fs::write(&file, toml).unwrap();
        Config::load(&Sources {
            file: Some(file),
            usual_file: false,
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            flags: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
        })
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file_which_beats_defaults() {
        let toml = "[http]\nlisten = '127.0.0.1:1'\n[tokens]\npublish_ahead_hours = 1";
        let env = [("HALLPASS_HTTP__LISTEN", "127.0.0.1:2")];
        let port = |config: &Config| config.http.listen.port();
        assert_eq!(port(&load("", &[], &[]).unwrap()), 8080);
        assert_eq!(port(&load(toml, &[], &[]).unwrap()), 1);
        assert_eq!(port(&load(toml, &env, &[]).unwrap()), 2);
        let flagged = load(toml, &env, &[("http.listen", "127.0.0.1:3")]).unwrap();
        assert_eq!((port(&flagged), flagged.tokens.publish_ahead_hours), (3, 1));
    }

    #[test]
    fn the_environment_speaks_every_type() {
        let config = load(
            "",
            &[
                ("HALLPASS_DATA_DIR", "/srv/hallpass"),
                ("HALLPASS_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1/128"),
                ("HALLPASS_HTTP__ACCESS_LOG", "false"),
                ("HALLPASS_LIMITS__MINTS_PER_MINUTE", "7"),
                ("HALLPASS_LOG__FORMAT", "json"),
                // Digits only must stay text: as a number it would be another key.
                ("HALLPASS_KEYS__MASTER_KEY", &"0123456789".repeat(7)[..64]),
            ],
            &[],
        )
        .unwrap();
        assert_eq!(config.data_dir, Some(PathBuf::from("/srv/hallpass")));
        assert_eq!(config.http.trusted_proxies.len(), 2);
        assert!(!config.http.access_log);
        assert_eq!(config.limits.mints_per_minute, 7);
        assert_eq!(config.log.format, LogFormat::Json);
        assert!(config.keys.resolve().unwrap().is_some());
    }

    #[test]
    fn what_is_wrong_names_its_key() {
        for (toml, env, key) in [
            ("[http]\nlisen = 'x'", vec![], "http.lisen"),
            ("[htpp]\nlisten = 'x'", vec![], "htpp"),
            ("listen = 'x'", vec![], "listen"),
            ("", vec![("HALLPASS_HTTP__LISEN", "x")], "http.lisen"),
            ("[http]\nlisten = 'x'", vec![], "http.listen"),
            ("[http]\nbody_timeout_secs = 'x'", vec![], "http.body_timeout_secs"),
            ("[http]\nbody_timeout_secs = 0", vec![], "http.body_timeout_secs"),
            ("[http]\nlisten = '0.0.0.0:80'", vec![], "http.public_url"),
            ("[http]\npublic_url = 'https://a/'", vec![], "http.public_url"),
            ("[http]\ntrusted_proxies = ['x']", vec![], "http.trusted_proxies"),
            ("[database]\nurl = 'mysql://x'", vec![], "database.url"),
            ("[database]\nurl = 'postgres://x'\nurl_file = 'y'", vec![], "database.url"),
            ("[database]\nmax_connections = 1", vec![], "database.max_connections"),
            ("[keys]\nmaster_key = 'x'", vec![], "keys.master_key"),
            ("[keys]\nmaster_key_file = '/nowhere'", vec![], "keys.master_key_file"),
            ("[files]\nmax_bytes = 0", vec![], "files.max_bytes"),
            ("[files]\ntypes = ['text/html']", vec![], "files.types"),
            ("[files]\npublic_url = 'https://a/b'", vec![], "files.public_url"),
            ("[files]\ns3_endpoint = 'https://s3'", vec![], "files.s3_endpoint"),
            ("[files]\ns3_bucket = 'b'\ns3_endpoint = 'http://s3'", vec![], "files.s3_endpoint"),
            ("[files]\ns3_bucket = 'b'\ns3_access_key_id = 'x'", vec![], "files.s3_secret_access_key"),
            ("[files]\nkeep_unused_days = 0", vec![], "files.keep_unused_days"),
            ("[limits]\nmints_per_minute = 0", vec![], "limits.mints_per_minute"),
            ("[log]\nformat = 'xml'", vec![], "log.format"),
            ("[log]\nlevel = 'a=b=c'", vec![], "log.level"),
            ("[tokens]\npublish_ahead_hours = 10000", vec![], "tokens.publish_ahead_hours"),
        ] {
            let error = format!("{:#}", load(toml, &env, &[]).unwrap_err());
            assert!(error.contains(key), "{toml}: {error}");
        }
    }

    #[test]
    fn errors_do_not_repeat_secrets() {
        let secret = "s3cr3ts3cr3t";
        for toml in [
            format!("[keys]\nmaster_key = '{secret}'"),
            format!("[database]\nurl = '{secret}'"),
            format!("[database]\nurl = 'mysql://u:{secret}@h/d'"),
            format!("[database]\nurl = 'postgres://u:{secret}@h/d'\nurl_file = 'x'"),
        ] {
            let error = format!("{:#}", load(&toml, &[], &[]).unwrap_err());
            assert!(!error.contains(secret), "{error}");
        }
    }
}
