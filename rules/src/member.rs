//! The members: each entry read, then all of them against one another.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::net::IpAddr;

use crate::ether::{Mac, Side};
use crate::fields::{Fields, Notes, suggest};
use crate::form::{ADDRESS4, ADDRESS6, Choice, LABEL, NAME, Station};
use crate::model::{Anycast, Member, Own, Role, SideRules};
use crate::peering::Peering;
use crate::tree::{Id, shown};

/// MACs of one entry: routers of one network, and their VRRP addresses.
const MAX_MACS: usize = 64;
/// Addresses of each IP version of one entry.
const MAX_ADDRESSES: usize = 1024;

struct Entry {
    name: String,
    side: Option<Side>,
    macs: Vec<(Option<Id>, Mac)>,
    addresses: Vec<(Option<Id>, IpAddr)>,
    role: Role,
}

/// Whose the MACs of the file are: no member has one of the bridges' own, be it another bridge's.
#[derive(Default)]
pub(crate) struct Stations {
    /// The number of the bridge that is being read.
    bridge: usize,
    /// The bridges' own MACs, where they are configured: number and name of the bridge, and the side.
    own: HashMap<Mac, (usize, String, String)>,
    /// The members' MACs, each with the number of its bridge.
    members: Vec<(Option<Id>, Mac, usize)>,
}

impl Stations {
    /// What follows is of the next bridge.
    pub(crate) fn bridge(&mut self, name: &str, sides: &[SideRules]) {
        self.bridge += 1;
        for side in sides {
            if let Some(mac) = side.mac {
                self.own.entry(mac).or_insert_with(|| (self.bridge, name.to_owned(), side.name.clone()));
            }
        }
    }

    /// Notes the members that have an own MAC: when all bridges have been read.
    pub(crate) fn check(&self, notes: &mut Notes) {
        for (id, mac, bridge) in &self.members {
            if let Some((owner, name, side)) = self.own.get(mac) {
                let whose = if owner == bridge { "the bridge".to_owned() } else { format!("bridge {name}") };
                let message = format!("{mac} is {whose}'s own MAC on side {side}");
                notes.error(*id, message, "expected a member's");
            }
        }
    }
}

/// Reads the members and checks each against the bridge and all others.
pub(crate) fn read(
    m: &mut Fields<'_, '_>,
    sides: &[SideRules],
    peering: &Peering,
    own: &Own,
    anycast: &Anycast,
    stations: &mut Stations,
) -> Vec<Member> {
    let help = "The networks at the exchange.";
    let entries = m.mappings("members", help, |m| {
        let entry = entry(m, sides);
        for (id, mac) in &entry.macs {
            stations.members.push((*id, *mac, stations.bridge));
        }
        for (id, address) in &entry.addresses {
            address_fits(m.notes, *id, *address, peering, own, anycast);
        }
        entry
    });
    join(m.notes, entries, sides)
}

fn entry(m: &mut Fields<'_, '_>, sides: &[SideRules]) -> Entry {
    let name = m.required("name", LABEL, "Its name.").unwrap_or_default();
    let help = "The side that it is pinned to; without one it is admitted on either, and may move as macs.move_guard allows.";
    let side = m.optional("side", NAME, "either", help).and_then(|wanted| {
        let found = sides.iter().position(|side| side.name == wanted);
        if found.is_none() {
            let names = sides.iter().map(|side| side.name.as_str());
            m.notes.error(
                m.at("side"),
                format!("there is no side {}", shown(&wanted)),
                suggest(&wanted, names),
            );
        }
        found.map(Side::from_index)
    });
    let single = m.optional("mac", Station, "none", "Its MAC; or give macs.").map(|mac| (m.at("mac"), mac));
    let several =
        m.list("macs", MAX_MACS, Station, "Its MACs, if it has several; VRRP addresses must be listed.");
    match (m.has("mac"), m.has("macs")) {
        (true, true) => m.notes.error(m.at("macs"), "both mac and macs", "expected one of them"),
        (false, false) => m.notes.error(m.here(), "has no MAC", "expected a key mac, or macs"),
        (false, true) if m.has_nothing("macs") => {
            m.notes.error(m.at("macs"), "names no MAC", "expected at least one")
        }
        _ => {}
    }
    let macs = single.into_iter().chain(several).collect();
    let v4 = m.list(
        "ipv4",
        MAX_ADDRESSES,
        ADDRESS4,
        "IPv4 addresses that are its alone, in the peering prefixes.",
    );
    let v6 = m.list(
        "ipv6",
        MAX_ADDRESSES,
        ADDRESS6,
        "IPv6 addresses that are its alone, in the peering prefixes.",
    );
    let addresses = v4
        .into_iter()
        .map(|(id, address)| (id, IpAddr::V4(address)))
        .chain(v6.into_iter().map(|(id, address)| (id, IpAddr::V6(address))))
        .collect();
    let roles = Choice(&[("router", Role::Router), ("host", Role::Host)]);
    let role = m.or(
        "role",
        roles,
        Role::default(),
        "Whether answers sent on its behalf call it a router (the R flag, RFC 4861 section 4.4).",
    );
    Entry { name, side, macs, addresses, role }
}

fn address_fits(
    notes: &mut Notes,
    id: Option<Id>,
    address: IpAddr,
    peering: &Peering,
    own: &Own,
    anycast: &Anycast,
) {
    let own = [
        ("own.ipv4", own.ipv4.map(IpAddr::V4)),
        ("own.ipv6", own.ipv6.map(IpAddr::V6)),
        ("own.icmp_source4", own.icmp_source4.map(IpAddr::V4)),
        ("own.icmp_source6", own.icmp_source6.map(IpAddr::V6)),
    ];
    if let Some((key, _)) = own.iter().find(|(_, own)| *own == Some(address)) {
        notes.error(id, format!("{address} is the bridge's own ({key})"), "expected a member's");
    } else if let Some(wrong) = peering.refuses(address) {
        notes.error(id, wrong.message, wrong.hint);
    } else if let IpAddr::V6(address) = address {
        let never = || anycast.never.iter().any(|net| net.contains(&address));
        if let Some(net) = peering.subnet_router(address).filter(|_| anycast.subnet_router && !never()) {
            let message = format!(
                "{address} is the subnet-router anycast address of {net}: it draws no Packet Too Big"
            );
            notes.warn(id, message, "list it under anycast.never if it is one router's");
        }
    }
}

/// Joins the entries that share a MAC on one side (the WIX table has such a pair), and notes where two entries
/// cannot both be true.
fn join(notes: &mut Notes, entries: Vec<Entry>, sides: &[SideRules]) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::with_capacity(entries.len());
    let mut by_mac: HashMap<Mac, usize> = HashMap::new();
    let mut by_address: HashMap<IpAddr, usize> = HashMap::new();
    for entry in entries {
        let mut joined: Option<usize> = None;
        for (id, mac) in &entry.macs {
            let Some(index) = by_mac.get(mac).copied().filter(|index| joined != Some(*index)) else {
                continue;
            };
            let other = &members[index];
            let whose = format!("{mac} is {}'s too", shown(&other.name));
            if other.side != entry.side {
                let place = other.side.and_then(|side| sides.get(side.index()));
                let place = place.map_or("either side".to_owned(), |side| format!("side {}", side.name));
                notes.error(*id, format!("{whose}, on {place}"), "expected a MAC on one side only");
            } else if other.role != entry.role {
                notes.error(*id, format!("{whose}, in another role"), "expected one role of a MAC");
            } else if joined.is_some() {
                let hint = "expected the MACs of one member in one entry";
                notes.error(*id, format!("{whose}: three entries share MACs"), hint);
            } else {
                let both = format!("{} / {}", shown(&other.name), shown(&entry.name));
                notes.warn(*id, format!("{whose}: joined as {both}"), "write one entry if they are one");
                joined = Some(index);
            }
        }
        let index = joined.unwrap_or(members.len());
        let Entry { name, side, macs, addresses, role } = entry;
        if joined.is_some() {
            members[index].name += &format!(" / {name}");
        } else {
            members.push(Member { name, side, macs: Vec::new(), addresses: Vec::new(), role });
        }
        for (id, mac) in macs {
            match by_mac.entry(mac) {
                Slot::Vacant(free) => {
                    free.insert(index);
                    members[index].macs.push(mac);
                }
                Slot::Occupied(_) if joined.is_none() && members[index].macs.contains(&mac) => {
                    notes.warn(id, format!("{mac} is listed twice"), "write it once");
                }
                Slot::Occupied(_) => {}
            }
        }
        for (id, address) in addresses {
            match by_address.entry(address) {
                Slot::Vacant(free) => {
                    free.insert(index);
                    members[index].addresses.push(address);
                }
                Slot::Occupied(owner) if *owner.get() != index => {
                    let message = format!("{address} is {}'s already", shown(&members[*owner.get()].name));
                    notes.error(id, message, "expected an address of one member only");
                }
                Slot::Occupied(_) => {}
            }
        }
    }
    members
}
