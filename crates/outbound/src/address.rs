//! Which addresses this server may be made to speak to by somebody else's URL.
//!
//! What is not plainly a public unicast address is refused: IANA's special-purpose registries
//! (RFC 6890 and its successors) for IPv4, and everything but global unicast for IPv6, less what
//! carries an IPv4 address inside it, whose judgement another machine would make.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Where a request may go.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Any address at all.
    pub allow_private: bool,
    /// Networks that are allowed whatever they are.
    pub allowed: Vec<IpNet>,
}

impl Policy {
    /// Public addresses and this machine: for `dev` and tests.
    pub fn with_loopback() -> Self {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let whole = [8, 128];
        let allowed =
            loopback.into_iter().zip(whole).filter_map(|(ip, length)| IpNet::new(ip, length).ok()).collect();
        Self { allow_private: false, allowed }
    }

    /// Whether the operator has named this address.
    pub fn names(&self, ip: IpAddr) -> bool {
        self.allow_private
            || self.allowed.iter().any(|net| net.contains(&ip) || net.contains(&ip.to_canonical()))
    }

    /// Judges an address.
    ///
    /// # Errors
    /// What kind of address it is, if requests do not go there.
    pub fn judge(&self, ip: IpAddr) -> Result<(), &'static str> {
        match kind(ip) {
            Some(kind) if !self.names(ip) => Err(kind),
            _ => Ok(()),
        }
    }
}

/// What is special about an address; none for a public one.
pub fn kind(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => kind_v4(ip),
        IpAddr::V6(ip) => kind_v6(ip),
    }
}

fn kind_v4(ip: Ipv4Addr) -> Option<&'static str> {
    let bits = u32::from(ip);
    let within = |network: [u8; 4], length: u32| {
        let mask = u32::MAX << (32 - length);
        bits & mask == u32::from(Ipv4Addr::from(network)) & mask
    };
    Some(match () {
        () if within([0, 0, 0, 0], 8) => "unspecified",
        () if within([10, 0, 0, 0], 8) || within([172, 16, 0, 0], 12) || within([192, 168, 0, 0], 16) => {
            "private"
        }
        () if within([100, 64, 0, 0], 10) => "shared (carrier-grade NAT)",
        () if within([127, 0, 0, 0], 8) => "loopback",
        () if within([169, 254, 0, 0], 16) => "link-local",
        () if within([192, 0, 0, 0], 24) => "reserved for protocols",
        () if within([192, 0, 2, 0], 24) || within([198, 51, 100, 0], 24) || within([203, 0, 113, 0], 24) => {
            "documentation"
        }
        () if within([192, 88, 99, 0], 24) => "6to4 relay",
        () if within([198, 18, 0, 0], 15) => "benchmarking",
        () if within([224, 0, 0, 0], 4) => "multicast",
        () if within([255, 255, 255, 255], 32) => "broadcast",
        () if within([240, 0, 0, 0], 4) => "reserved",
        () => return None,
    })
}

fn kind_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let segments = ip.segments();
    let within = |network: &[u16], length: u32| {
        let mut bits = [0; 8];
        bits[..network.len()].copy_from_slice(network);
        let mask = u128::MAX << (128 - length);
        u128::from(ip) & mask == u128::from(Ipv6Addr::from(bits)) & mask
    };
    Some(match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        [0, 0, 0, 0, 0, 0xffff, ..] => "IPv4-mapped",
        [0, 0, 0, 0, 0, 0, ..] => "IPv4-compatible",
        [0, 0, 0, 0, 0xffff, 0, ..] => "IPv4-translated",
        [0x64, 0xff9b, ..] => "NAT64",
        _ if within(&[0xfe80], 10) => "link-local",
        _ if within(&[0xfec0], 10) => "site-local",
        _ if within(&[0xfc00], 7) => "private (unique local)",
        _ if within(&[0xff00], 8) => "multicast",
        _ if !within(&[0x2000], 3) => "reserved",
        [0x2001, 0, ..] => "Teredo",
        [0x2001, 2, 0, ..] => "benchmarking",
        [0x2001, 0xdb8, ..] => "documentation",
        _ if within(&[0x2001], 23) => "reserved for protocols",
        [0x2002, ..] => "6to4",
        _ if within(&[0x3fff], 20) => "documentation",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn special_addresses_are_refused_each_by_its_name() {
        for (text, want) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.255.0.1", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "shared (carrier-grade NAT)"),
            ("100.127.255.255", "shared (carrier-grade NAT)"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("169.254.169.254", "link-local"),
            ("192.0.0.170", "reserved for protocols"),
            ("192.0.2.1", "documentation"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.1", "documentation"),
            ("192.88.99.1", "6to4 relay"),
            ("198.19.255.255", "benchmarking"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "broadcast"),
            ("240.0.0.1", "reserved"),
            ("::", "unspecified"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "IPv4-mapped"),
            ("::ffff:8.8.8.8", "IPv4-mapped"),
            ("::8.8.8.8", "IPv4-compatible"),
            ("::ffff:0:8.8.8.8", "IPv4-translated"),
            ("64:ff9b::10.0.0.1", "NAT64"),
            ("64:ff9b:1::1", "NAT64"),
            ("100::1", "reserved"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "site-local"),
            ("fc00::1", "private (unique local)"),
            ("fd12:3456::1", "private (unique local)"),
            ("ff02::1", "multicast"),
            ("2001::1", "Teredo"),
            ("2001:2::1", "benchmarking"),
            ("2001:db8::1", "documentation"),
            ("2001:10::1", "reserved for protocols"),
            ("2002:7f00:1::", "6to4"),
            ("3fff:fff::1", "documentation"),
            ("4000::1", "reserved"),
        ] {
            assert_eq!(Policy::default().judge(ip(text)), Err(want), "{text}");
        }
        for text in
            ["8.8.8.8", "100.128.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1", "2606:4700::1", "2a00::1"]
        {
            assert_eq!(Policy::default().judge(ip(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn the_operator_names_exceptions() {
        let policy =
            Policy { allowed: vec!["10.1.0.0/16".parse().expect("a network")], allow_private: false };
        assert_eq!(policy.judge(ip("10.1.2.3")), Ok(()));
        assert_eq!(policy.judge(ip("::ffff:10.1.2.3")), Ok(()));
        assert_eq!(policy.judge(ip("10.2.0.1")), Err("private"));
        let anything = Policy { allow_private: true, allowed: Vec::new() };
        assert_eq!(anything.judge(ip("169.254.169.254")), Ok(()));
        assert_eq!(Policy::with_loopback().judge(ip("127.0.0.9")), Ok(()));
        assert_eq!(Policy::with_loopback().judge(ip("10.0.0.9")), Err("private"));
    }

    proptest! {
        /// What the standard library knows to be special, we know too.
        #[test]
        fn nothing_that_std_knows_as_special_is_public(bits: u128) {
            let v4 = Ipv4Addr::from(u32::try_from(bits & 0xffff_ffff).expect("32 bits"));
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_documentation() || v4.is_broadcast() || v4.is_unspecified()
            {
                prop_assert!(kind(v4.into()).is_some());
            }
            let v6 = Ipv6Addr::from(bits);
            if v6.is_loopback() || v6.is_multicast() || v6.is_unicast_link_local() || v6.is_unique_local()
                || v6.to_ipv4().is_some()
            {
                prop_assert!(kind(v6.into()).is_some());
            }
            prop_assert!(kind(v4.to_ipv6_mapped().into()).is_some());
        }
    }
}
