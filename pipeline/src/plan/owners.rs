//! Whose each of the members' addresses and MACs is.

use std::net::IpAddr;

use hashbrown::HashMap;
use rules::{Bridge, Mac, Member};

/// The members, by their addresses and by their MACs.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    members: Vec<Member>,
    /// Indices of `members`.
    by_address: HashMap<IpAddr, usize>,
    by_mac: HashMap<Mac, usize>,
}

impl Owners {
    pub(super) fn new(bridge: &Bridge) -> Owners {
        let members = bridge.members.clone();
        let each = || members.iter().enumerate();
        Owners {
            by_address: each()
                .flat_map(|(at, member)| member.addresses.iter().map(move |ip| (*ip, at)))
                .collect(),
            by_mac: each().flat_map(|(at, member)| member.macs.iter().map(move |mac| (*mac, at))).collect(),
            members,
        }
    }

    /// Whose an address is.
    pub fn get(&self, address: IpAddr) -> Option<&Member> {
        self.by_address.get(&address).map(|at| &self.members[*at])
    }

    /// The listed addresses of the member that has a MAC.
    pub fn addresses_of(&self, mac: Mac) -> &[IpAddr] {
        self.by_mac.get(&mac).map_or(&[], |at| &self.members[*at].addresses)
    }

    /// Two MACs of one member: a router's own and its virtual ones (VRRP).
    pub fn are_one(&self, mac: Mac, other: Mac) -> bool {
        self.by_mac.get(&mac).is_some_and(|member| self.by_mac.get(&other) == Some(member))
    }

    /// The address is a member's, and this MAC is not that member's.
    pub fn is_foreign(&self, address: IpAddr, mac: Mac) -> bool {
        self.get(address).is_some_and(|owner| !owner.macs.contains(&mac))
    }
}
