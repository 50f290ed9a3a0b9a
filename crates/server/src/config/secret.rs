//! Secrets in the configuration: read from text, printed masked.

use std::fmt;
use std::path::Path;

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};

const MASK: &str = "********";

/// A secret value. Empty is none.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Secret(SecretString);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Secret {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.expose_secret().is_empty()
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The value, or what its `*_file` twin holds; none if neither is given.
    pub(crate) fn or_file(&self, key: &str, file: &Path) -> anyhow::Result<Option<Self>> {
        match (self.is_empty(), file.as_os_str().is_empty()) {
            (true, true) => Ok(None),
            (false, true) => Ok(Some(self.clone())),
            (false, false) => bail!("{key} and {key}_file are both set; keep one of them"),
            (true, false) => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("{key}_file: cannot read {}", file.display()))?;
                let text = Self::from(text.trim().to_owned());
                if text.is_empty() {
                    bail!("{key}_file: {} is empty", file.display());
                }
                Ok(Some(text))
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { MASK })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { MASK })
    }
}

/// Serialises a URL with its password masked, for people to see the rest.
pub(crate) fn masked_url<S: Serializer>(url: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&mask_password(url.expose()))
}

/// `postgres://user:********@host/database`. What does not look like a URL is masked whole, and so
/// are the values of query parameters: some drivers take a password there.
pub(crate) fn mask_password(url: &str) -> String {
    if url.is_empty() {
        return String::new();
    }
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.to_owned() };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, _)) => (rest, format!("?{MASK}")),
        None => (rest, String::new()),
    };
    // The last one: passwords may hold an @ of their own.
    let masked = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{host}"),
            None => format!("{user}@{host}"),
        },
        None => rest.to_owned(),
    };
    format!("{scheme}://{masked}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_masked() {
        for (url, masked) in [
            ("", ""),
            ("postgres://h/db", "postgres://h/db"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("postgres://u:pw@h:5432/db", "postgres://u:********@h:5432/db"),
            ("postgres://u:p@w:x@h/db", "postgres://u:********@h/db"),
            ("postgres://h/db?password=pw", "postgres://h/db?********"),
            ("pw", "********"),
        ] {
            assert_eq!(mask_password(url), masked, "{url}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let secret = Secret::from("hidden".to_owned());
        assert_eq!(format!("{secret:?}{}", serde_json::to_string(&secret).unwrap()), "********\"********\"");
    }
}
