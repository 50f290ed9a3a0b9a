//! Lists: an array in the file, text separated by commas in the environment.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Items(Vec<String>),
    Text(String),
}

/// Reads either form.
pub(super) fn list<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let items = match Either::deserialize(deserializer)? {
        Either::Items(items) => items,
        Either::Text(text) => {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        }
    };
    items
        .iter()
        .map(|item| item.parse().map_err(|error| D::Error::custom(format!("{item:?}: {error}"))))
        .collect()
}
