//! Whose each of the members' addresses is.

use std::net::IpAddr;

use hashbrown::HashMap;
use rules::{Bridge, Mac, Role};

/// Whose a member's address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The MACs that may claim it.
    pub macs: Vec<Mac>,
    /// Whether it forwards.
    pub role: Role,
}

/// The members' addresses.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    owners: HashMap<IpAddr, Owner>,
    addresses: HashMap<Mac, Vec<IpAddr>>,
}

impl Owners {
    pub(super) fn new(bridge: &Bridge) -> Owners {
        let each = |member: &rules::Member| {
            let owner = Owner { macs: member.macs.clone(), role: member.role };
            member.addresses.clone().into_iter().map(move |address| (address, owner.clone()))
        };
        let addresses = |member: &rules::Member| {
            let addresses = member.addresses.clone();
            member.macs.clone().into_iter().map(move |mac| (mac, addresses.clone()))
        };
        Owners {
            owners: bridge.members.iter().flat_map(each).collect(),
            addresses: bridge.members.iter().flat_map(addresses).collect(),
        }
    }

    /// Whose an address is.
    pub fn get(&self, address: IpAddr) -> Option<&Owner> {
        self.owners.get(&address)
    }

    /// The listed addresses of the member that has a MAC.
    pub fn addresses_of(&self, mac: Mac) -> &[IpAddr] {
        self.addresses.get(&mac).map_or(&[], Vec::as_slice)
    }

    /// The address is a member's, and none of these MACs is that member's.
    pub fn is_foreign(&self, address: IpAddr, macs: &[Mac]) -> bool {
        self.get(address).is_some_and(|owner| !macs.iter().any(|mac| owner.macs.contains(mac)))
    }
}
