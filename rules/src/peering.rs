//! The exchange's prefixes, and which addresses they allow.

use std::net::{IpAddr, Ipv6Addr};

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
            IpAddr::V4(address) => {
                let net = self.v4.iter().find(|net| net.contains(&address));
                let edge = net.filter(|net| net.prefix_len() <= 30).and_then(|net| match address {
                    _ if address == net.network() => Some(format!("the network address of {net}")),
                    _ if address == net.broadcast() => Some(format!("the broadcast address of {net}")),
                    _ => None,
                });
                (net.is_some(), edge)
            }
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
        edge.map(|edge| Wrong::new(format!("{address} is {edge}"), "expected a host's address"))
    }

    /// The prefix whose subnet-router anycast address this is (RFC 4291 section 2.6.1; a /127 has none: RFC 6164).
    pub(crate) fn subnet_router(&self, address: Ipv6Addr) -> Option<Ipv6Net> {
        self.v6.iter().copied().find(|net| net.prefix_len() <= 126 && net.network() == address)
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
