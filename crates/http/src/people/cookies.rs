//! What browsers keep for us (RFC 6265).
//!
//! | cookie | holds | lives |
//! |---|---|---|
//! | `session` | the secret of a session | as long as the session may |
//! | `browser` | an id from before anybody signs in: forms, codes and challenges are bound to it | until the browser is closed |
//! | `device` | that somebody signed in here before | 400 days |
//! | `flow` | the code that is being waited for, and where it was sent | an hour |
//! | `language` | the language that was chosen | a year |
//!
//! All are `HttpOnly`, `SameSite=Lax` and for this host alone. Under https their names begin with `__Host-`,
//! so that no neighbouring host and no plain connection can plant one. A name that comes twice, or a value
//! that is not what we write, is as good as absent: never a lesser check (threat 18).

use axum::http::{HeaderMap, HeaderValue, header};

/// The longest value that is looked at, in bytes.
const MAX_VALUE_BYTES: usize = 1024;

/// One of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    Session,
    Browser,
    Device,
    Flow,
    Language,
}

impl Cookie {
    const fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-hallpass-session",
            (Self::Browser, true) => "__Host-hallpass-browser",
            (Self::Device, true) => "__Host-hallpass-device",
            (Self::Flow, true) => "__Host-hallpass-flow",
            (Self::Language, true) => "__Host-hallpass-language",
            (Self::Session, false) => "hallpass-session",
            (Self::Browser, false) => "hallpass-browser",
            (Self::Device, false) => "hallpass-device",
            (Self::Flow, false) => "hallpass-flow",
            (Self::Language, false) => "hallpass-language",
        }
    }

    /// Its value, if it came exactly once.
    pub(crate) fn read(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        let name = self.name(secure);
        let mut found = None;
        for line in headers.get_all(header::COOKIE) {
            // A line that is not text may hide another copy.
            for pair in line.to_str().ok()?.split(';') {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                if key.trim_matches([' ', '\t']) == name && found.replace(value).is_some() {
                    return None;
                }
            }
        }
        found.filter(|value| is_plain(value))
    }

    /// Sets it, for so many seconds, or until the browser is closed.
    pub(crate) fn set(self, secure: bool, value: &str, max_age_secs: Option<i64>) -> Option<HeaderValue> {
        debug_assert!(is_plain(value), "a value that we would not read");
        let expiry = max_age_secs.map(|secs| format!("; Max-Age={secs}")).unwrap_or_default();
        let secure_too = if secure { "; Secure" } else { "" };
        let line =
            format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure_too}{expiry}", self.name(secure));
        let mut line = HeaderValue::from_str(&line).ok()?;
        line.set_sensitive(true);
        Some(line)
    }

    /// Takes it back.
    pub(crate) fn clear(self, secure: bool) -> Option<HeaderValue> {
        self.set(secure, "", Some(0))
    }
}

/// What we write: letters, digits and a few marks, without quotes or spaces.
fn is_plain(value: &str) -> bool {
    value.len() <= MAX_VALUE_BYTES
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn a_cookie_is_read_only_if_it_comes_once_and_is_ours_in_form() {
        let read =
            |lines: &[&'static str]| Cookie::Session.read(&headers(lines), true).map(ToOwned::to_owned);
        assert_eq!(read(&["a=b; __Host-hallpass-session=hps_x; c=d"]).as_deref(), Some("hps_x"));
        assert_eq!(read(&["a=b", "__Host-hallpass-session=hps_x"]).as_deref(), Some("hps_x"));
        for bad in [
            &["hallpass-session=hps_x"][..],
            &["__host-hallpass-session=hps_x"],
            &["__Host-hallpass-session=a; __Host-hallpass-session=b"],
            &["__Host-hallpass-session=a", "__Host-hallpass-session=a"],
            &["__Host-hallpass-session=a; __Host-hallpass-session"],
            &["__Host-hallpass-session=\"a\""],
            &["__Host-hallpass-session= a"],
            &["__Host-hallpass-session=a b"],
            &["__Host-hallpass-session=a=b"],
            &["__Host-hallpass-session%3da"],
            &["x=__Host-hallpass-session=a"],
            &[],
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        let mut odd = headers(&["__Host-hallpass-session=a"]);
        odd.append(header::COOKIE, HeaderValue::from_bytes(b"x=\xff").unwrap());
        assert_eq!(Cookie::Session.read(&odd, true), None, "a line that is not text");
    }

    #[test]
    fn cookies_are_for_this_host_and_no_script() {
        let line = |secure| Cookie::Session.set(secure, "hps_x", Some(60)).unwrap();
        assert_eq!(
            line(true).to_str().unwrap(),
            "__Host-hallpass-session=hps_x; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60"
        );
        assert_eq!(
            line(false).to_str().unwrap(),
            "hallpass-session=hps_x; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"
        );
        assert!(line(true).is_sensitive() && !format!("{:?}", line(true)).contains("hps_x"));
        assert!(Cookie::Session.clear(true).unwrap().to_str().unwrap().contains("session=; "));
    }
}
