//! A free JSON object, such as `metadata`, kept as it was sent: a number keeps its digits.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::ApiError;

/// How deep it may be nested.
const MAX_DEPTH: usize = 16;

/// A JSON value that should be an object.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Object(Box<RawValue>);

impl Object {
    /// Its text, if it is one that every JSON parser reads alike: an object of at most `max_bytes` and 16
    /// levels, no member twice in it, no broken text, no number that is out of reach.
    pub(crate) fn checked(&self, param: &str, max_bytes: usize) -> Result<String, ApiError> {
        let text = self.0.get();
        if !text.starts_with('{') {
            return Err(ApiError::invalid(param, format!("{param} is not an object")));
        }
        if text.len() > max_bytes {
            let message = format!("{param} is larger than {max_bytes} bytes");
            return Err(ApiError::unprocessable("too_long", param, message));
        }
        check(&self.0, MAX_DEPTH)
            .map_err(|error| ApiError::invalid(param, format!("{param} does not fit: {error}")))?;
        Ok(text.to_owned())
    }
}

fn check(value: &RawValue, levels: usize) -> Result<(), serde_json::Error> {
    let text = value.get();
    let within = match text.as_bytes().first() {
        Some(b'{') => serde_json::from_str::<Members<'_>>(text)?.0,
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(text)?,
        Some(b'"') => return serde_json::from_str::<String>(text).map(drop),
        Some(b'-' | b'0'..=b'9') => return serde_json::from_str::<f64>(text).map(drop),
        _ => return Ok(()),
    };
    let levels = levels
        .checked_sub(1)
        .ok_or_else(|| serde_json::Error::custom(format!("it is nested deeper than {MAX_DEPTH} levels")))?;
    within.into_iter().try_for_each(|value| check(value, levels))
}

/// The values of an object with each member once.
struct Members<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<'de>, A::Error> {
                let (mut names, mut values) = (HashSet::new(), Vec::new());
                while let Some((name, value)) = access.next_entry::<String, &RawValue>()? {
                    if !names.insert(name) {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                    values.push(value);
                }
                Ok(Members(values))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<String, u16> {
        let object: Object = serde_json::from_str(text).expect("JSON");
        object.checked("metadata", 1000).map_err(|error| error.code.status().as_u16())
    }

    #[test]
    fn what_every_parser_reads_alike_is_kept_to_the_letter() {
        let deepest = format!("{}1{}", r#"{"a":"#.repeat(16), "}".repeat(16));
        for text in [
            "{}",
            r#"{ "a": [1, null, true, {"a": -0.10e-5}], "b": "\u00e9\/\ud83d\ude00" }"#,
            r#"{"n":12345678901234567890123,"m":0.10000000000000000000000001,"k":-1e308}"#,
            &deepest,
        ] {
            assert_eq!(checked(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_read_in_several_ways_is_refused() {
        let too_deep = format!("{}1{}", "{\"a\":[".repeat(9), "]}".repeat(9));
        for text in [
            "[]",
            "1",
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":[{"b":1,"b":1}]}"#,
            r#"{"a":["\ud800"]}"#,
            r#"{"\udc00":1}"#,
            r#"{"a":1e400}"#,
            r#"{"a":[-1e999]}"#,
            &too_deep,
        ] {
            assert_eq!(checked(text), Err(400), "{text}");
        }
        assert_eq!(checked(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1000))), Err(422));
    }
}
