//! The parameters of a request: a query, a form or a JSON object; each at most once.
//!
//! Two layers that read a repeated parameter differently are a way in (threat 13), so a repeated one, known
//! or not, is never read at all. A parameter without a value is absent (RFC 6749 §3.1).

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::error::OAuthError;

/// The most parameters of a request.
pub const MAX_PARAMS: usize = 64;
/// The longest value, in bytes.
pub const MAX_VALUE_BYTES: usize = 8 << 10;

/// The parameters of one request.
#[derive(Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    /// Names that came more than once.
    repeated: Vec<String>,
}

impl Params {
    /// From the query of a URL, without its question mark (RFC 6749 appendix B).
    ///
    /// # Errors
    /// `invalid_request` for what is not percent-encoded UTF-8, NUL, or beyond the limits.
    pub fn from_query(query: &str) -> Result<Self, OAuthError> {
        let mut params = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            params.push(decode(name)?, decode(value)?)?;
        }
        Ok(params)
    }

    /// From a body of `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// As [`from_query`](Self::from_query).
    pub fn from_form(body: &[u8]) -> Result<Self, OAuthError> {
        let text = std::str::from_utf8(body).map_err(|_| not_utf8())?;
        Self::from_query(text)
    }

    /// From a body of `application/json`: one flat object of texts; `null` is absent.
    ///
    /// # Errors
    /// `invalid_request` for anything else.
    pub fn from_json(body: &[u8]) -> Result<Self, OAuthError> {
        let flat = || OAuthError::invalid_request("the body must be a JSON object whose members are strings");
        let mut parser = serde_json::Deserializer::from_slice(body);
        let Members(members) = serde::Deserialize::deserialize(&mut parser).map_err(|_| flat())?;
        parser.end().map_err(|_| flat())?;
        let mut params = Self::default();
        for (name, value) in members {
            params.push(name, value.unwrap_or_default())?;
        }
        Ok(params)
    }

    fn push(&mut self, name: String, value: String) -> Result<(), OAuthError> {
        if self.pairs.len() == MAX_PARAMS {
            return Err(OAuthError::invalid_request("too many parameters"));
        }
        if value.len() > MAX_VALUE_BYTES || name.len() > MAX_VALUE_BYTES {
            return Err(OAuthError::invalid_request("a parameter is too long"));
        }
        if value.contains('\0') || name.contains('\0') {
            return Err(OAuthError::invalid_request("a parameter holds a NUL"));
        }
        if self.pairs.iter().any(|(known, _)| *known == name) {
            self.repeated.push(name);
        } else {
            self.pairs.push((name, value));
        }
        Ok(())
    }

    /// A parameter with a value, if it came exactly once.
    ///
    /// # Errors
    /// `invalid_request` if it was repeated.
    pub fn get(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        if self.repeated.iter().any(|repeated| repeated == name) {
            return Err(repeated(name));
        }
        let found = self.pairs.iter().find(|(known, _)| known == name);
        Ok(found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()))
    }

    /// Refuses a request with any parameter repeated (RFC 6749 §3.2).
    ///
    /// # Errors
    /// `invalid_request` naming a known one.
    pub fn must_be_unique(&self) -> Result<(), OAuthError> {
        self.repeated.first().map_or(Ok(()), |name| Err(repeated(name)))
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// `invalid_request` if it is not.
    pub fn require(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name)?.ok_or_else(|| OAuthError::invalid_request(format!("{name} is required")))
    }
}

/// Names alone: values may be secrets.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

fn repeated(name: &str) -> OAuthError {
    // A name of ours may be repeated in the answer; what else was sent may not.
    let ours =
        !name.is_empty() && name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let name = if ours { name } else { "a parameter" };
    OAuthError::invalid_request(format!("{name} was sent more than once"))
}

fn not_utf8() -> OAuthError {
    OAuthError::invalid_request("the parameters are not percent-encoded UTF-8")
}

/// `+` is a space, `%` begins two digits, and all of it is UTF-8.
fn decode(text: &str) -> Result<String, OAuthError> {
    let escapes = text.split('%').skip(1);
    for rest in escapes {
        if rest.len() < 2 || !rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()) {
            return Err(not_utf8());
        }
    }
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| not_utf8())
}

struct Members(Vec<(String, Option<String>)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Flat;
        impl<'de> Visitor<'de> for Flat {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if members.len() > MAX_PARAMS {
                        return Err(A::Error::custom("too many"));
                    }
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Flat)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn queries_forms_and_json_say_the_same() {
        for params in [
            Params::from_query("a=1&b=x+y%2Bz&c=&d&&e=%C3%A9").unwrap(),
            Params::from_form(b"a=1&b=x%20y%2bz&c=&d=&e=\xc3\xa9").unwrap(),
            Params::from_json(r#"{"a":"1","b":"x y+z","c":"","d":null,"e":"é"}"#.as_bytes()).unwrap(),
        ] {
            let got = ["a", "b", "c", "d", "e", "f"].map(|name| params.get(name).unwrap());
            assert_eq!(got, [Some("1"), Some("x y+z"), None, None, Some("é"), None]);
            assert_eq!(params.require("c").unwrap_err().code, ErrorCode::InvalidRequest);
        }
    }

    #[test]
    fn threat_13_a_repeated_parameter_is_never_read() {
        for params in [
            Params::from_query("a=1&b=2&a=1").unwrap(),
            Params::from_query("a=1&b=2&%61=").unwrap(),
            Params::from_query("a&b=2&a").unwrap(),
            Params::from_json(br#"{"a":"1","b":"2","\u0061":null}"#).unwrap(),
        ] {
            assert_eq!(params.get("a").unwrap_err().code, ErrorCode::InvalidRequest);
            assert_eq!(params.get("b"), Ok(Some("2")));
            assert!(params.must_be_unique().is_err());
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for query in ["a=%", "a=%2", "a=%zz", "a=%ff", "a=%00", "%00=a"] {
            assert!(Params::from_query(query).is_err(), "{query}");
        }
        let many: Vec<String> = (0..=MAX_PARAMS).map(|n| format!("p{n}=1")).collect();
        assert!(Params::from_query(&many.join("&")).is_err());
        assert!(Params::from_query(&format!("a={}", "x".repeat(MAX_VALUE_BYTES + 1))).is_err());
        assert!(Params::from_form(b"a=\xff").is_err());
        for json in
            ["", "[]", "null", "\"a\"", r#"{"a":1}"#, r#"{"a":["b"]}"#, r#"{"a":{}}"#, "{}x", "{\"a\":true}"]
        {
            assert!(Params::from_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn debug_shows_names_alone() {
        let params = Params::from_query("client_secret=hush&a=b").unwrap();
        assert_eq!(format!("{params:?}"), r#"["client_secret", "a"]"#);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_panic(bytes: Vec<u8>) {
            let _ = Params::from_form(&bytes);
            let _ = Params::from_json(&bytes);
        }
    }
}
