//! The exchange's prefixes, and which addresses they allow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::fields::{Fields, values};
use crate::form::{PREFIX4, PREFIX6, Wrong};
use crate::tree::Id;

/// Peering prefixes of each IP version.
const MAX_PREFIXES: usize = 64;

/// The exchange's prefixes.
pub(crate) struct Peering {
    pub(crate) v4: Vec<Ipv4Net>,
    pub(crate) v6: Vec<Ipv6Net>,
    /// Read without error: only then can an address be said to be outside of them.
    sound: bool,
}

impl Peering {
    /// Why an address cannot be that of a router in the prefixes, if it cannot.
    pub(crate) fn refuses(&self, address: IpAddr) -> Option<Wrong> {
        let (inside, edge) = match address {
            IpAddr::V4(address) => (self.v4.iter().any(|net| net.contains(&address)), self.edge(address)),
            IpAddr::V6(address) => (self.v6.iter().any(|net| net.contains(&address)), None),
        };
        if !inside && self.sound {
            let nets: Vec<String> = match address {
                IpAddr::V4(_) => self.v4.iter().map(ToString::to_string).collect(),
                IpAddr::V6(_) => self.v6.iter().map(ToString::to_string).collect(),
            };
            let hint = if nets.is_empty() {
                "expected no address of this version, or a prefix under peering".to_owned()
            } else {
                format!("expected one in {}", nets.join(" or "))
            };
            return Some(Wrong::new(format!("{address} is outside the peering prefixes"), hint));
        }
        edge
    }

    /// Why an address cannot be a host's, if it is a prefix's network or broadcast address (a /31 has neither: RFC 3021).
    pub(crate) fn edge(&self, address: Ipv4Addr) -> Option<Wrong> {
        let net = self.v4.iter().find(|net| net.prefix_len() <= 30 && net.contains(&address))?;
        let edge = match address {
            _ if address == net.network() => "network",
            _ if address == net.broadcast() => "broadcast",
            _ => return None,
        };
        Some(Wrong::new(format!("{address} is the {edge} address of {net}"), "expected a host's address"))
    }

    /// The prefix whose subnet-router anycast address this is (RFC 4291 section 2.6.1; a /127 has none: RFC 6164).
    pub(crate) fn subnet_router(&self, address: Ipv6Addr) -> Option<Ipv6Net> {
        self.v6.iter().copied().find(|net| net.prefix_len() <= 126 && net.network() == address)
    }

    /// Which anycast address of the prefixes this is, if it is one: no node may send from it (RFC 4443 section 2.2).
    pub(crate) fn anycast(&self, address: Ipv6Addr) -> Option<String> {
        if let Some(net) = self.subnet_router(address) {
            return Some(format!("is the subnet-router anycast address of {net}"));
        }
        let net = self.v6.iter().find(|net| net.contains(&address) && is_reserved_anycast(**net, address))?;
        Some(format!("is a reserved anycast address of {net} (RFC 2526)"))
    }
}

/// Whether an address of this prefix is one of its 128 reserved anycast addresses. RFC 2526 section 2: in a /64 the interface
/// identifiers fdff:ffff:ffff:ff80 and up (the universal bit is 0 in them); in a longer prefix the highest 128 addresses.
/// Beyond /120 there is no room for them.
pub fn is_reserved_anycast(prefix: Ipv6Net, address: Ipv6Addr) -> bool {
    let number = u128::from(address);
    match prefix.prefix_len() {
        0..=64 => number as u64 >= 0xfdff_ffff_ffff_ff80 && number as u64 <= 0xfdff_ffff_ffff_ffff,
        65..=120 => number | 0x7f == u128::from(prefix.broadcast()),
        _ => false,
    }
}

/// Reads the prefixes.
pub(crate) fn read(m: &mut Fields<'_, '_>) -> Peering {
    let before = m.notes.count();
    let v4 = m.list("ipv4", MAX_PREFIXES, PREFIX4, "IPv4 prefixes, /8 to /31.");
    let v6 = m.list("ipv6", MAX_PREFIXES, PREFIX6, "IPv6 prefixes, /16 to /127.");
    if v4.is_empty() && v6.is_empty() && m.notes.count() == before {
        m.notes.error(m.here(), "there is no peering prefix", "expected at least one under ipv4 or ipv6");
    }
    apart(m, &v4, |a, b| a.contains(b) || b.contains(a));
    apart(m, &v6, |a, b| a.contains(b) || b.contains(a));
    let sound = m.notes.count() == before && m.here().is_some();
    Peering { v4: values(v4), v6: values(v6), sound }
}

/// Notes prefixes that overlap an earlier one.
fn apart<N: std::fmt::Display>(
    m: &mut Fields<'_, '_>,
    nets: &[(Option<Id>, N)],
    overlap: impl Fn(&N, &N) -> bool,
) {
    for (index, (id, net)) in nets.iter().enumerate() {
        if let Some((_, other)) = nets.iter().take(index).find(|(_, other)| overlap(net, other)) {
            m.notes.error(*id, format!("{net} overlaps {other}"), "expected prefixes apart from one another");
        }
    }
}
