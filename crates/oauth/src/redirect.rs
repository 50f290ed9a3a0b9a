//! Redirect URIs: compared byte for byte with those that were registered, and written to without being
//! parsed.

use hallpass_core::app::ClientType;
use hallpass_core::redirect_uri::check_redirect_uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::OAuthError;

/// What stays as it is in a query: RFC 3986 §2.3.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Where a native app listens for its answer (RFC 8252 §7.3); `localhost` may be anybody's (§8.3).
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Whether a client may be answered at `sent`: it is registered, byte for byte (RFC 9700 §4.1.3). Of public
/// clients, loopback addresses agree whatever their port.
pub fn is_registered(registered: &[String], sent: &str, client: Option<ClientType>) -> bool {
    if registered.iter().any(|one| one == sent) {
        return true;
    }
    client != Some(ClientType::Confidential)
        && check_redirect_uri(sent).is_ok()
        && without_port(sent)
            .is_some_and(|sent| registered.iter().any(|one| without_port(one).is_some_and(|one| one == sent)))
}

/// A loopback address and what is behind its port.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    LOOPBACK.iter().find_map(|host| {
        let rest = uri.strip_prefix(host)?;
        let rest =
            rest.strip_prefix(':').map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((*host, rest))
    })
}

/// A redirect URI with an answer in its query.
pub fn with_answer<'a>(uri: &str, answer: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::with_capacity(uri.len() + 256);
    out.push_str(uri);
    let mut separator = if uri.contains('?') { '&' } else { '?' };
    // One that ends in its question mark, or has an empty last part, needs none.
    if uri.ends_with(['?', '&']) {
        separator = '\0';
    }
    for (name, value) in answer {
        if separator != '\0' {
            out.push(separator);
        }
        separator = '&';
        out.push_str(name);
        out.push('=');
        out.extend(utf8_percent_encode(value, KEPT));
    }
    out
}

/// The answer that tells a client why not (RFC 6749 §4.1.2.1, RFC 9207 §2).
pub fn with_error(uri: &str, error: &OAuthError, state: Option<&str>, issuer: &str) -> String {
    let answer = [("error", error.code.name()), ("error_description", &*error.description)]
        .into_iter()
        .chain(state.map(|state| ("state", state)))
        .chain([("iss", issuer)]);
    with_answer(uri, answer)
}

/// The answer with a code (RFC 6749 §4.1.2, RFC 9207 §2).
pub fn with_code(uri: &str, code: &str, state: Option<&str>, issuer: &str) -> String {
    let answer =
        [("code", code)].into_iter().chain(state.map(|state| ("state", state))).chain([("iss", issuer)]);
    with_answer(uri, answer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PUBLIC: Option<ClientType> = Some(ClientType::Public);

    fn may(registered: &str, sent: &str) -> bool {
        is_registered(&[registered.to_owned()], sent, PUBLIC)
    }

    #[test]
    fn threat_05_only_the_very_bytes_are_answered() {
        let registered = "https://app.test/cb";
        assert!(may(registered, registered));
        for trick in [
            "https://app.test/cb/",
            "https://app.test/cb?",
            "https://app.test/cb?a=b",
            "https://app.test/cb#",
            "https://app.test/CB",
            "https://APP.test/cb",
            "HTTPS://app.test/cb",
            "https://app.test:443/cb",
            "https://app.test./cb",
            "https://app.test/./cb",
            "https://app.test/x/../cb",
            "https://app.test/%63b",
            "https://app.test//cb",
            "https://user@app.test/cb",
            "https://app.test@evil.test/cb",
            "https://evil.test\\@app.test/cb",
            "https://app.test\\cb",
            "https://\u{430}pp.test/cb",
            "https://app.test/cb\u{200b}",
            " https://app.test/cb",
            "https://app.test/cb ",
            "https://app.test/cb\n",
            "https://app.test/cb%0a",
            "http://app.test/cb",
            "https:app.test/cb",
            "//app.test/cb",
            "",
        ] {
            assert!(!may(registered, trick), "{trick:?}");
        }
        let app = "com.yourapp.bundle://oauth/callback";
        assert!(may(app, app));
        for trick in [
            "com.yourapp.bundle://OAUTH/callback",
            "com.yourapp.bundle://oauth/callback/",
            "com.yourapp.bundle:/oauth/callback",
        ] {
            assert!(!may(app, trick), "{trick}");
        }
    }

    #[test]
    fn the_port_is_free_on_the_loopback_addresses_of_public_clients() {
        for (registered, sent) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"),
            ("http://127.0.0.1:3000/cb", "http://127.0.0.1/cb"),
            ("http://[::1]:1/cb?a=b", "http://[::1]:65535/cb?a=b"),
        ] {
            assert!(may(registered, sent), "{sent}");
            assert!(is_registered(&[registered.to_owned()], sent, None));
            assert!(!is_registered(&[registered.to_owned()], sent, Some(ClientType::Confidential)));
        }
        for (registered, sent) in [
            ("http://localhost:3000/cb", "http://localhost:3001/cb"),
            ("http://localhost:3000/cb", "http://127.0.0.1:3000/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1/cb/"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:99999/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.test/cb"),
            ("http://127.0.0.1", "http://127.0.0.1.evil.test"),
            ("http://127.0.0.1/cb", "http://127.0.0.10/cb"),
            ("http://127.0.0.1/cb", "https://127.0.0.1:1/cb"),
            ("http://127.0.0.1/cb", "http://[::1]:1/cb"),
            ("https://127.0.0.1/cb", "https://127.0.0.1:1/cb"),
        ] {
            assert!(!may(registered, sent), "{sent}");
        }
    }

    #[test]
    fn answers_are_appended_to_the_bytes_as_they_stand() {
        assert_eq!(
            with_code("https://app.test/cb", "c", Some("a b&c=\u{e9}\r\n"), "https://chat.test"),
            "https://app.test/cb?code=c&state=a%20b%26c%3D%C3%A9%0D%0A&iss=https%3A%2F%2Fchat.test"
        );
        assert_eq!(with_answer("a:/b?x=y", [("c", "d")]), "a:/b?x=y&c=d");
        assert_eq!(with_answer("a:/b?", [("c", "d"), ("e", "f")]), "a:/b?c=d&e=f");
    }

    proptest! {
        #[test]
        fn what_is_not_loopback_agrees_with_itself_alone(
            a in "https://[a-z]{1,8}\\.test(:[0-9]{1,5})?/[a-zA-Z0-9/?=&]{0,12}",
            b in "https://[a-z]{1,8}\\.test(:[0-9]{1,5})?/[a-zA-Z0-9/?=&]{0,12}",
        ) {
            prop_assert_eq!(may(&a, &b), a == b);
        }

        #[test]
        fn no_state_breaks_out_of_its_place(state: String) {
            let url = with_code("https://app.test/cb", "c", Some(&state), "i");
            let query = url.split_once('?').unwrap().1;
            prop_assert!(url.is_ascii() && !url.contains(['#', '\r', '\n', ' ']));
            let params = crate::Params::from_query(query);
            if !state.contains('\0') {
                let params = params.unwrap();
                prop_assert_eq!(params.get("state").unwrap().unwrap_or(""), &state);
                prop_assert_eq!(params.get("iss").unwrap(), Some("i"));
            }
        }
    }
}
