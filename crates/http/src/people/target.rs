//! Where somebody goes after signing in: one of few paths of ours, written exactly so. Anything else is the
//! account, so that no link leads through our sign-in to somewhere else.

const AUTHORIZE: &str = "/oauth/authorize?";
pub(crate) const ACCOUNT: &str = "/account";
/// The longest, in bytes: it must fit into a URL once more, encoded.
pub(crate) const MAX_BYTES: usize = 4096;

/// Whether a text goes into a URL as it is.
pub(super) fn is_plain(text: &str) -> bool {
    text.len() <= MAX_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}#".contains(&byte))
}

/// A path of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(String);

impl Default for Target {
    fn default() -> Self {
        Self(ACCOUNT.to_owned())
    }
}

impl Target {
    /// Reads `continue`.
    pub(crate) fn parse(text: &str) -> Self {
        if is_plain(text) && text.len() > AUTHORIZE.len() && text.starts_with(AUTHORIZE) {
            return Self(text.to_owned());
        }
        Self::default()
    }

    /// An authorization request by its query; none if it does not fit into a URL once more.
    pub(crate) fn of_request(query: &str) -> Option<Self> {
        let text = format!("{AUTHORIZE}{query}");
        let read = Self::parse(&text);
        (read.0 == text).then_some(read)
    }

    /// It, for headers and forms.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The query of the authorization request that waits.
    pub(crate) fn request(&self) -> Option<&str> {
        self.0.strip_prefix(AUTHORIZE)
    }

    /// `path` with this as its `continue`, and more.
    pub(crate) fn behind(&self, path: &str, more: &str) -> String {
        let encoded = percent_encoding::utf8_percent_encode(&self.0, percent_encoding::NON_ALPHANUMERIC);
        format!("{path}?continue={encoded}{more}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_paths_are_gone_to() {
        let ours = "/oauth/authorize?client_id=app_1&redirect_uri=https%3A%2F%2Fa.example%2Fcb";
        assert_eq!(Target::parse(ours).as_str(), ours);
        assert_eq!(Target::parse(ours).request(), ours.strip_prefix("/oauth/authorize?"));
        for evil in [
            "",
            "/",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "//evil.example/oauth/authorize?x",
            "https:/oauth/authorize?x",
            "javascript:alert(1)",
            "/%2fevil.example",
            "/%5cevil.example",
            "%2foauth/authorize?x",
            "/oauth%2fauthorize?x",
            "/oauth/authorize",
            "/oauth/authorize?",
            "/oauth/authorize/..//evil?x",
            "/oauth/../oauth/authorize?x",
            "/oauth/authorize?x\r\nlocation: //evil.example",
            "/oauth/authorize?x\n",
            "/oauth/authorize?x#y",
            "/oauth/authorize?\u{e9}",
            "/oauth/authorize?a\\b",
            " /oauth/authorize?x",
            "\t/account",
            "/account/../evil",
            "/account//evil.example",
            "/sign-out",
            "@evil.example",
            "/oauth/authorize;@evil.example?x",
        ] {
            assert_eq!(Target::parse(evil), Target::default(), "{evil:?}");
        }
        assert_eq!(Target::parse(&format!("{ours}{}", "a".repeat(5000))), Target::default());
    }
}
