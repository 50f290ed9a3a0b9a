//! What every handler reaches: the application and the policy of the HTTP face.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use hallpass_app::App;
use hallpass_core::redirect_uri;
use ipnet::IpNet;

use crate::access_log::AccessLog;

/// How the HTTP face behaves.
pub struct HttpPolicy {
    /// Proxies whose `X-Forwarded-For` is believed; from anyone else it is ignored.
    pub trusted_proxies: Vec<IpNet>,
    /// Write a line for each request to stderr.
    pub access_log: bool,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long the request line and headers may take to arrive.
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub keep_alive: Duration,
    /// How long a write may stand still because the client does not read.
    pub write_timeout: Duration,
    /// The largest body.
    pub max_body_bytes: usize,
    /// The most connections at once.
    pub max_connections: usize,
    /// The most connections at once from an address, or an IPv6 network of 64 bits, but for trusted
    /// proxies.
    pub max_connections_per_address: usize,
    /// Renders `/metrics`.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// What the start page of `hallpass dev` shows.
    pub dev: Option<DevPage>,
    /// The only `Host`s answered, and nothing forwarded; none answers every host.
    pub allowed_hosts: Option<Vec<String>>,
}

/// What the start page of `hallpass dev` shows.
pub struct DevPage {
    /// The ready line.
    pub ready: serde_json::Value,
}

impl Default for HttpPolicy {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            access_log: true,
            body_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            max_body_bytes: 1 << 20,
            max_connections: 20_000,
            max_connections_per_address: 12_000,
            metrics: Arc::new(String::new),
            dev: None,
            allowed_hosts: None,
        }
    }
}

impl HttpPolicy {
    /// Whether an address is a trusted proxy's.
    pub(crate) fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }

    /// The client's address: the peer's, or what trusted proxies say, read from the right. A proxy may
    /// have added a line of its own below the client's: all lines are one list (RFC 9110 §5.3).
    pub(crate) fn client_address<'h>(
        &self,
        peer: IpAddr,
        forwarded: impl IntoIterator<Item = &'h HeaderValue, IntoIter: DoubleEndedIterator>,
    ) -> IpAddr {
        let mut address = peer;
        if !self.is_trusted(address) {
            return address;
        }
        // An unreadable hop ends the trail: the last good address stands.
        let lines = forwarded.into_iter().rev().map(|line| line.to_str().unwrap_or_default());
        for hop in lines.flat_map(|line| line.rsplit(',')) {
            let Some(hop) = parse_hop(hop.trim()) else { break };
            address = hop.to_canonical();
            if !self.is_trusted(address) {
                break;
            }
        }
        address
    }
}

/// An address, as proxies write it: some add the port, and then brackets around IPv6.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|hop| hop.ip()))
}

/// The state of every handler. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) app: App,
    pub(crate) policy: Arc<HttpPolicy>,
    pub(crate) shared: Arc<Shared>,
}

impl Http {
    /// What the server is called on pages: its host.
    pub(crate) fn site(&self) -> &str {
        let url = self.app.public_url();
        redirect_uri::origin(url).and_then(|origin| origin.split_once("://")).map_or(url, |(_, host)| host)
    }
}

/// Made once with the router.
pub(crate) struct Shared {
    pub(crate) operations: crate::edge::Operations,
    pub(crate) log: AccessLog,
    /// A node's own part of request ids.
    pub(crate) node: u64,
    pub(crate) counter: std::sync::atomic::AtomicU64,
}
