//! Which addresses are anycast.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use rules::{Bridge, is_reserved_anycast};

/// Why an address is anycast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anycast {
    /// The subnet-router anycast address of a peering prefix (RFC 4291 §2.6.1).
    SubnetRouter(Ipv6Net),
    /// One of the 128 reserved addresses of a peering prefix (RFC 2526).
    Reserved(Ipv6Net),
    /// `anycast.extra` lists it.
    Service,
}

/// An anycast address as far as we are told: nobody answers for it alone, and no error goes to it (docs/spec D.4, rows 9
/// to 13). By configuration, never by inference: a zero interface identifier of some other prefix is a host's.
pub fn anycast(bridge: &Bridge, address: Ipv6Addr) -> Option<Anycast> {
    let rules = &bridge.anycast;
    if rules.never.iter().any(|prefix| prefix.contains(&address)) {
        return None;
    }
    if rules.extra.iter().any(|prefix| prefix.contains(&address)) {
        return Some(Anycast::Service);
    }
    let prefix = *bridge.peering6.iter().find(|prefix| prefix.contains(&address))?;
    if rules.subnet_router && prefix.prefix_len() <= 126 && prefix.network() == address {
        return Some(Anycast::SubnetRouter(prefix)); // not /127: RFC 6164
    }
    is_reserved_anycast(prefix, address).then_some(Anycast::Reserved(prefix))
}
