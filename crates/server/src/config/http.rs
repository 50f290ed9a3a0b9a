//! `[http]`: where the server listens and how it treats requests.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use hallpass_http::HttpPolicy;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Section;
use super::list::{list, texts};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: String,
    #[serde(deserialize_with = "list", serialize_with = "texts")]
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) access_log: bool,
    pub(crate) header_timeout_secs: u64,
    pub(crate) body_timeout_secs: u64,
    pub(crate) keep_alive_secs: u64,
    pub(crate) write_timeout_secs: u64,
    pub(crate) max_body_bytes: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_connections_per_address: usize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        let policy = HttpPolicy::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            trusted_proxies: policy.trusted_proxies,
            access_log: policy.access_log,
            header_timeout_secs: policy.header_timeout.as_secs(),
            body_timeout_secs: policy.body_timeout.as_secs(),
            keep_alive_secs: policy.keep_alive.as_secs(),
            write_timeout_secs: policy.write_timeout.as_secs(),
            max_body_bytes: policy.max_body_bytes,
            max_connections: policy.max_connections,
            max_connections_per_address: policy.max_connections_per_address,
        }
    }
}

impl Section for HttpConfig {
    const NAME: &'static str = "http";
    const ABOUT: &'static str = "Where the server listens and how it treats requests.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        (
            "listen",
            "Address and port. Behind a proxy on this machine, or in a container, set public_url too.",
        ),
        (
            "public_url",
            "How clients reach the server, https://chat.example.com, without a path: the issuer of tokens.\n\
             Empty: http:// and the address above, where that is this machine only.",
        ),
        (
            "trusted_proxies",
            "Networks of proxies whose X-Forwarded-For is believed, [\"10.0.0.0/8\"].\n\
             In the environment: separated by commas.",
        ),
        ("access_log", "A line of JSON for each request, to stderr."),
        (
            "header_timeout_secs",
            "How long the request line and headers may take to arrive, from their first byte.",
        ),
        ("body_timeout_secs", "How long a body may take to arrive."),
        (
            "keep_alive_secs",
            "How long a connection may wait for its next request. Longer than a proxy in front waits.",
        ),
        ("write_timeout_secs", "How long a write may stand still because the client does not read."),
        ("max_body_bytes", "The largest body."),
        ("max_connections", "The most connections at once. Each takes a file descriptor."),
        (
            "max_connections_per_address",
            "The most from an address, or an IPv6 /64. Trusted proxies have as many as they like.",
        ),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        if !self.public_url.is_empty() {
            PublicUrl::parse(&self.public_url)?;
        } else if !self.listen.ip().is_loopback() {
            bail!(
                "http.public_url: set it to how clients reach this server, such as https://chat.example.com: \
                 http.listen ({}) is not this machine's own address",
                self.listen
            );
        }
        for (key, secs) in [
            ("header_timeout_secs", self.header_timeout_secs),
            ("body_timeout_secs", self.body_timeout_secs),
            ("keep_alive_secs", self.keep_alive_secs),
            ("write_timeout_secs", self.write_timeout_secs),
        ] {
            if !(1..=600).contains(&secs) {
                bail!("http.{key}: must be 1 to 600");
            }
        }
        if !(1024..=64 << 20).contains(&self.max_body_bytes) {
            bail!("http.max_body_bytes: must be 1024 to {}", 64 << 20);
        }
        for (key, most) in [
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
        ] {
            if !(1..=1_000_000).contains(&most) {
                bail!("http.{key}: must be 1 to 1000000");
            }
        }
        Ok(())
    }
}

impl HttpConfig {
    /// The issuer of tokens, for a server that listens on `address`.
    pub(crate) fn public_url(&self, address: SocketAddr) -> String {
        if self.public_url.is_empty() { format!("http://{address}") } else { self.public_url.clone() }
    }

    /// The policy, but for what only the running server knows.
    pub(crate) fn policy(&self) -> HttpPolicy {
        HttpPolicy {
            trusted_proxies: self.trusted_proxies.clone(),
            access_log: self.access_log,
            body_timeout: Duration::from_secs(self.body_timeout_secs),
            header_timeout: Duration::from_secs(self.header_timeout_secs),
            keep_alive: Duration::from_secs(self.keep_alive_secs),
            write_timeout: Duration::from_secs(self.write_timeout_secs),
            max_body_bytes: self.max_body_bytes,
            max_connections: self.max_connections,
            max_connections_per_address: self.max_connections_per_address,
            ..HttpPolicy::default()
        }
    }
}

/// A public URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl<'a> {
    pub(crate) https: bool,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

impl<'a> PublicUrl<'a> {
    /// Reads scheme, host and port; anything more is refused.
    pub(crate) fn parse(text: &'a str) -> anyhow::Result<Self> {
        let refuse = |why: &str| {
            anyhow::anyhow!(
                "http.public_url: {why}; write it like https://chat.example.com or http://localhost:8080"
            )
        };
        let (https, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err(refuse("it must begin with https:// or http://"));
        };
        if rest.contains(['/', '?', '#']) {
            return Err(refuse("it must have no path and no slash at the end"));
        }
        if rest.contains('@') || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(refuse("it must hold a host and a port only"));
        }
        let after_brackets = rest.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match rest[after_brackets..].rfind(':') {
            Some(colon) => {
                let (host, port) = rest.split_at(after_brackets + colon);
                (host, port[1..].parse().map_err(|_| refuse("its port is no port"))?)
            }
            None => (rest, if https { 443 } else { 80 }),
        };
        if host.is_empty() || port == 0 {
            return Err(refuse("it must name a host"));
        }
        Ok(Self { https, host, port })
    }

    /// Whether the host is this machine only.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_urls_are_taken_apart() {
        let parsed = |text| PublicUrl::parse(text).unwrap();
        assert_eq!(
            parsed("https://chat.example.com"),
            PublicUrl { https: true, host: "chat.example.com", port: 443 }
        );
        assert_eq!(parsed("http://[::1]:8080"), PublicUrl { https: false, host: "[::1]", port: 8080 });
        assert!(parsed("http://[::1]").is_loopback() && parsed("http://localhost:1").is_loopback());
        assert!(!parsed("http://10.0.0.1").is_loopback());
        for bad in [
            "",
            "chat.example.com",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a:b",
            "https://u@a",
            "ftp://a",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
