//! Whom the bridge may answer for (RFC 9161): the owner of an address across the bridge, if it is sure who that is.

use std::net::IpAddr;

use rules::{Mac, Role};

use crate::path::packet::Frame;
use crate::table::neighbour::Neighbour;
use crate::table::static_fdb::StaticEntry;

/// An owner that may be answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProxyEntry {
    pub(super) mac: Mac,
    /// It forwards: R.
    pub(super) router: bool,
    /// It said so within 30 s, or the operator did: O.
    pub(super) overrides: bool,
    /// Provisioned, or heard within 30 s: enough to defend an address with.
    pub(super) sure: bool,
}

/// What is known of the owner of an address that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyLookup {
    /// Nothing certain: the request is bridged.
    Unsure,
    /// On the side of the one who asks: it hears the request itself.
    SameSide,
    /// Across the bridge.
    Across(ProxyEntry),
}

/// Whether a request that the owner should have heard on its own side crosses nevertheless: for an address that nobody listed,
/// as long as it was not looked for there in vain (row F218).
pub(super) fn searches(frame: &Frame<'_>, address: IpAddr) -> bool {
    let bridge = frame.bridge;
    bridge.owners.get(address).is_none() && bridge.tables.neighbours.searches(address, frame.now)
}

/// Whose an address is that these MACs ask for. Never an asking MAC's own, nor its member's: a router that has moved here
/// looks for duplicates of itself (openwrt#14309).
pub(super) fn lookup(frame: &Frame<'_>, address: IpAddr, asking: &[Mac]) -> ProxyLookup {
    let bridge = frame.bridge;
    let in_time = |known: &Neighbour| frame.now.since(known.confirmed) < bridge.rules.macs.age;
    let known = bridge.tables.neighbours.get(address).filter(|known| !known.contested && in_time(known));
    let owner = match bridge.owners.get(address) {
        Some(owner) if asking.iter().any(|mac| owner.macs.contains(mac)) => None,
        Some(owner) => {
            let spoken = known.map(|known| known.mac).filter(|mac| owner.macs.contains(mac));
            // of several MACs (VRRP) only the one that speaks for the address is sure
            let only = <[Mac; 1]>::try_from(owner.macs.as_slice()).ok().map(|[mac]| mac);
            only.or(spoken).map(|mac| ProxyEntry {
                mac,
                router: owner.role == Role::Router,
                overrides: true,
                sure: true,
            })
        }
        None => known.map(|known| ProxyEntry {
            mac: known.mac,
            router: known.router,
            overrides: known.overrides && known.is_confirmed(frame.now),
            sure: known.is_confirmed(frame.now),
        }),
    };
    let Some(owner) = owner.filter(|owner| !asking.contains(&owner.mac)) else { return ProxyLookup::Unsure };
    let heard = known.is_some_and(|known| known.mac == owner.mac && known.is_confirmed(frame.now));
    let pinned = matches!(bridge.static_fdb.get(owner.mac), Some(StaticEntry::To(_)));
    match bridge.side_of(owner.mac, frame.now) {
        Some(side) if side != frame.side() => ProxyLookup::Across(owner),
        // who is pinned here is here; who was only learned may have left unnoticed
        Some(_) if heard || pinned => ProxyLookup::SameSide,
        _ => ProxyLookup::Unsure,
    }
}
