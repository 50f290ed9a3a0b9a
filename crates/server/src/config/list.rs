//! Lists: an array in the file, text separated by commas in the environment.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

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

/// Writes the array.
pub(super) fn texts<S: Serializer, T: Display>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(items.iter().map(ToString::to_string))
}
