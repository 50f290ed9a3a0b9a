//! How many connections are open: in all, and by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use metrics::{Counter, Gauge};
use parking_lot::Mutex;

use crate::state::HttpPolicy;

/// The open connections.
pub(crate) struct Connections {
    policy: Arc<HttpPolicy>,
    open: Mutex<Open>,
    gauge: Gauge,
    refused: Counter,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// An open connection, counted until it is dropped.
pub(crate) struct Counted {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
}

impl Connections {
    pub(crate) fn new(policy: Arc<HttpPolicy>) -> Arc<Self> {
        Arc::new(Self {
            policy,
            open: Mutex::default(),
            gauge: metrics::gauge!("hallpass_http_connections"),
            refused: metrics::counter!("hallpass_http_connections_refused_total"),
        })
    }

    /// Counts a connection; none if it is one too many. Proxies have as many as they like.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Counted> {
        let address = (!self.policy.is_trusted(peer)).then(|| network(peer));
        let mut open = self.open.lock();
        let mut admitted = open.all < self.policy.max_connections;
        if let Some(address) = address.filter(|_| admitted) {
            let here = open.by_address.entry(address).or_default();
            admitted = *here < self.policy.max_connections_per_address;
            *here += usize::from(admitted);
        }
        if !admitted {
            self.refused.increment(1);
            return None;
        }
        open.all += 1;
        self.gauge.increment(1.0);
        Some(Counted { connections: Arc::clone(self), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.all -= 1;
        self.connections.gauge.decrement(1.0);
        if let Some(address) = self.address
            && let Some(here) = open.by_address.get_mut(&address)
        {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

/// Whoever has an IPv6 address has the 2⁶⁴ around it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}
