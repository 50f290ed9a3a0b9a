//! Redirect URIs: which may be registered (RFC 6749 §3.1.2, RFC 8252 §7, OAuth 2.1 §2.3).
//!
//! A registered URI is kept byte for byte and later compared byte for byte; nothing here normalises.
//! What browsers and servers are known to read differently is refused at the door: user information,
//! backslashes, dot segments, anything that is not printable ASCII.

/// The most of one app.
pub const MAX_REDIRECT_URIS: usize = 50;
/// The longest, in bytes.
pub const MAX_REDIRECT_URI_BYTES: usize = 2048;

/// Schemes that run, read or hand over something else than a sign-in's answer.
#[rustfmt::skip]
const REFUSED: [&str; 46] = [
    "about", "afp", "blob", "chrome", "chrome-extension", "cifs", "content", "data", "dav", "davs", "dict", "dns",
    "feed", "file", "filesystem", "ftp", "ftps", "git", "gopher", "imap", "intent", "irc", "ircs",
    "itms-services", "jar", "javascript", "ldap", "ldaps", "mailto", "moz-extension", "news", "nfs", "nntp", "pop",
    "resource", "rtsp", "sftp", "smb", "sms", "ssh", "tel", "telnet", "vbscript", "view-source", "ws", "wss",
];

/// Why a redirect URI cannot be registered. Says nothing of the URI itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each says it in its message")]
pub enum InvalidRedirectUri {
    #[error("is not 1 to {MAX_REDIRECT_URI_BYTES} bytes long")]
    Length,
    #[error("has a character that no URI has; only printable ASCII, percent-encoded where needed")]
    Character,
    #[error("is not absolute: it must begin with a scheme in lower case")]
    Relative,
    #[error("must not have a fragment")]
    Fragment,
    #[error("has a scheme that nobody is redirected to")]
    Scheme,
    #[error("must be https; http is for localhost, 127.0.0.1 and [::1]")]
    Insecure,
    #[error("must not have user information")]
    UserInfo,
    #[error("has no well-formed host and port")]
    Host,
    #[error("has a dot segment in its path")]
    DotSegment,
}

/// Checks a redirect URI: https, http on the loopback interface, or an app's own scheme.
///
/// # Errors
/// The first reason why not.
pub fn check_redirect_uri(uri: &str) -> Result<(), InvalidRedirectUri> {
    let (scheme, rest) = split_scheme(uri)?;
    match scheme {
        "https" | "http" => check_web(scheme, rest),
        _ if REFUSED.contains(&scheme) => Err(InvalidRedirectUri::Scheme),
        // Private-use schemes (RFC 8252 §7.1); the operating system says whose they are. Without a slash, the
        // rest might be an address of another scheme.
        _ if !rest.starts_with('/') => Err(InvalidRedirectUri::Host),
        _ => {
            let (authority, path) = rest.strip_prefix("//").map_or(("", rest), split_authority);
            if authority.contains('@') {
                return Err(InvalidRedirectUri::UserInfo);
            }
            if authority.is_empty() && !path.starts_with('/') {
                return Err(InvalidRedirectUri::Host);
            }
            check_path(path)
        }
    }
}

/// Checks the address of a web page of an app: https, or http on the loopback interface.
///
/// # Errors
/// The first reason why not.
pub fn check_web_url(url: &str) -> Result<(), InvalidRedirectUri> {
    match split_scheme(url)? {
        (scheme @ ("https" | "http"), rest) => check_web(scheme, rest),
        _ => Err(InvalidRedirectUri::Scheme),
    }
}

/// The origin of an address that [`check_web_url`] accepts: scheme, host and port as they stand.
pub fn origin(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = split_authority(rest).0;
    Some(&url[..url.len() - rest.len() + authority.len()])
}

/// Form and characters; the scheme and what is behind its colon.
fn split_scheme(uri: &str) -> Result<(&str, &str), InvalidRedirectUri> {
    if uri.is_empty() || uri.len() > MAX_REDIRECT_URI_BYTES {
        return Err(InvalidRedirectUri::Length);
    }
    if uri.contains('#') {
        return Err(InvalidRedirectUri::Fragment);
    }
    // RFC 3986 §2: what is neither reserved nor unreserved.
    let strange = |byte: u8| !byte.is_ascii_graphic() || b"\\\"<>^`{|}".contains(&byte);
    let mut escapes = uri.split('%').skip(1);
    if uri.bytes().any(strange)
        || escapes.any(|rest| rest.len() < 2 || !rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(InvalidRedirectUri::Character);
    }
    let (scheme, rest) = uri.split_once(':').ok_or(InvalidRedirectUri::Relative)?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
    if is_scheme { Ok((scheme, rest)) } else { Err(InvalidRedirectUri::Relative) }
}

fn check_web(scheme: &str, rest: &str) -> Result<(), InvalidRedirectUri> {
    let rest = rest.strip_prefix("//").ok_or(InvalidRedirectUri::Host)?;
    let (authority, path) = split_authority(rest);
    if authority.contains('@') {
        return Err(InvalidRedirectUri::UserInfo);
    }
    let (host, port) = split_port(authority).ok_or(InvalidRedirectUri::Host)?;
    if !is_host(host) || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(InvalidRedirectUri::Host);
    }
    if scheme == "http" && !["localhost", "127.0.0.1", "[::1]"].contains(&host) {
        return Err(InvalidRedirectUri::Insecure);
    }
    check_path(path)
}

fn split_authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let from = if authority.starts_with('[') { authority.find(']')? } else { 0 };
    match authority[from..].find(':') {
        Some(at) => {
            let port = &authority[from + at + 1..];
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            digits.then_some((&authority[..from + at], Some(port)))
        }
        None => Some((authority, None)),
    }
}

/// A name of letters, digits, hyphens and dots, or an IPv6 address in brackets. Percent-encoded names are
/// read differently by different readers.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|six| six.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// No `.` or `..`, however it is written.
fn check_path(path: &str) -> Result<(), InvalidRedirectUri> {
    let path = path.split('?').next().unwrap_or_default();
    let is_dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if path.split('/').any(is_dots) { Err(InvalidRedirectUri::DotSegment) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_loopback_and_private_schemes_may_be_registered() {
        for good in [
            "https://myapp.com/api/auth/callback/whop",
            "https://myapp.com",
            "https://myapp.com?a=b",
            "https://MyApp.com:8443/Callback?x=%2F..&y=..",
            "https://[2001:db8::1]/cb",
            "http://localhost:3000/api/auth/callback/whop",
            "http://127.0.0.1:0/cb",
            "http://[::1]:9/cb",
            "com.yourapp.bundle://oauth/callback",
            "myapp://auth/callback",
            "com.example.app:/oauth",
            "com.example.app:///oauth",
        ] {
            assert_eq!(check_redirect_uri(good), Ok(()), "{good}");
        }
        assert_eq!(check_redirect_uri(&format!("https://a.b/{}", "x".repeat(2036))), Ok(()));
    }

    #[test]
    fn each_trick_has_its_refusal() {
        use InvalidRedirectUri::*;
        for (bad, why) in [
            ("", Length),
            ("/callback", Relative),
            ("myapp.com/callback", Relative),
            ("HTTPS://myapp.com/", Relative),
            ("JavaScript:alert(1)", Relative),
            ("1a://x/", Relative),
            ("://x", Relative),
            ("https://myapp.com/#", Fragment),
            ("https://myapp.com/#x", Fragment),
            ("https://user@myapp.com/", UserInfo),
            ("https://myapp.com:pw@evil.test/", UserInfo),
            ("myapp://user@host/", UserInfo),
            ("http://myapp.com/", Insecure),
            ("http://localhost.evil.test/", Insecure),
            ("http://127.0.0.2/", Insecure),
            ("https:///callback", Host),
            ("https:myapp.com", Host),
            ("https:/myapp.com", Host),
            ("https://", Host),
            ("https://my_app.com/", Host),
            ("https://myapp..com/", Host),
            ("https://myapp.com:/", Host),
            ("https://myapp.com:99999/", Host),
            ("https://myapp.com:8x/", Host),
            ("https://[::1/", Host),
            ("https://%6dyapp.com/", Host),
            ("myapp:", Host),
            ("myapp:callback", Host),
            ("wrapper:javascript:alert(1)", Host),
            ("myapp://?x=y", Host),
            ("myapp://", Host),
            ("https://myapp.com/a/../b", DotSegment),
            ("https://myapp.com/a/%2E%2e", DotSegment),
            ("myapp://host/./x", DotSegment),
            ("https://myapp.com\\@evil.test/", Character),
            ("https://myapp.com/a b", Character),
            ("https://myapp.com/\n", Character),
            ("https://myapp.com/\u{e9}", Character),
            ("https://my\u{430}pp.com/", Character),
            ("https://myapp.com/%", Character),
            ("https://myapp.com/%2", Character),
            ("https://myapp.com/%zz", Character),
            ("https://myapp.com/\u{0}", Character),
        ] {
            assert_eq!(check_redirect_uri(bad), Err(why), "{bad:?}");
        }
        for scheme in REFUSED {
            assert_eq!(check_redirect_uri(&format!("{scheme}:x")), Err(Scheme), "{scheme}");
        }
        assert_eq!(check_redirect_uri(&format!("https://a.b/{}", "x".repeat(2037))), Err(Length));
        assert_eq!(check_web_url("myapp://x/y"), Err(Scheme));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (url, expected) in [
            ("https://myapp.com", "https://myapp.com"),
            ("https://myapp.com:8443/a?b", "https://myapp.com:8443"),
            ("http://[::1]:9?x", "http://[::1]:9"),
        ] {
            assert_eq!(check_web_url(url), Ok(()));
            assert_eq!(origin(url), Some(expected));
        }
    }
}
