//! The rules made ready for the packet path: what a worker holds for a burst. Immutable, and swapped whole by a reload.
//!
//! What must survive a reload (tables, limiter levels) is not in a plan but behind it, in [`Tables`], which the next plan
//! takes over by the bridge's name.

use std::hash::{DefaultHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hashbrown::HashMap;
use ipnet::Ipv6Net;
use rules::{Bridge, Mac, Role, Rules, Side, Tags, Vid};

use crate::frame::build::Nonce;
use crate::frame::icmp6;
use crate::shortcut::Shortcut;
use crate::table::bucket::Pool;
use crate::table::hold::{Hold, OwnAddress};
use crate::table::mac::{MacTable, Place};
use crate::table::neighbour::NeighbourTable;
use crate::table::pins::{Pin, Pins};
use crate::time::Time;

/// A bridge (by its slot: its place in [`Plan::bridges`] and in all books, for as long as the process lives) and a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The bridge's slot.
    pub bridge: u16,
    /// The side.
    pub side: Side,
}

/// The most bridges that one process has had in its life: slots are never given back.
pub const MOST_BRIDGES: usize = 1024;

/// The rules, ready.
#[derive(Debug)]
pub struct Plan {
    /// What it was made from.
    pub rules: Rules,
    /// 1 for the rules at start, one more for each reload.
    pub generation: u64,
    /// By port index.
    pub ports: Vec<PortMap>,
    /// By slot; a slot whose bridge was removed by a reload keeps its tables and has no port that leads to it.
    pub bridges: Vec<BridgePlan>,
}

/// One bridge, ready.
#[derive(Debug)]
pub struct BridgePlan {
    /// Its rules.
    pub rules: Bridge,
    /// The rules no longer have it: it is kept for its books.
    pub removed: bool,
    /// The bridge's own MAC on each side.
    pub own: [Mac; 2],
    /// The members' MACs.
    pub pins: Pins,
    /// The members' addresses, and whose each is.
    pub owners: Owners,
    /// The bridge's own link-local address on each side: from that side's MAC.
    pub link_local: [Ipv6Addr; 2],
    /// What our own duplicate address detection carries on each side (RFC 7527).
    pub nonces: [Nonce; 2],
    /// The way of most frames, by the side that they come from.
    shortcuts: [Shortcut; 2],
    /// What survives a reload.
    pub tables: Arc<Tables>,
}

/// What all workers share of a bridge, and what survives a reload.
#[derive(Debug)]
pub struct Tables {
    /// Learned addresses.
    pub macs: MacTable,
    /// Whose MAC an address is.
    pub neighbours: NeighbourTable,
    /// What is held: flooding, while there is a loop; our own addresses, while somebody else has them.
    pub hold: Hold,
    /// The sides' token pools.
    pub pools: [Pools; 2],
}

/// One side's token pools.
#[derive(Debug, Default)]
pub struct Pools {
    /// Broadcast.
    pub broadcast: Pool,
    /// Multicast.
    pub multicast: Pool,
    /// Frames to unknown destinations.
    pub unknown: Pool,
    /// New addresses.
    pub new: Pool,
    /// Replies of the bridge.
    pub answers: Pool,
    /// Path-MTU errors.
    pub mtu_errors: Pool,
}

impl Plan {
    /// The plan for these rules, taking over the tables of `before` by the bridges' names. A side without a MAC derives
    /// one from its port's. `seed` is that of the hashes: random live and fixed in a replay (DESIGN 1.5).
    pub fn new(rules: Rules, before: Option<&Plan>, port_macs: &[Mac], seed: u64) -> Plan {
        let mut bridges: Vec<BridgePlan> =
            before.map_or_else(Vec::new, |plan| plan.bridges.iter().map(BridgePlan::retired).collect());
        let mut ports: Vec<PortMap> = rules.ports.iter().map(|_| PortMap::default()).collect();
        for bridge in &rules.bridges {
            let slot = bridges.iter().position(|known| known.is_same(bridge));
            let tables = match slot {
                Some(slot) => Arc::clone(&bridges[slot].tables),
                None => Arc::new(Tables::new(bridge, seed)),
            };
            let ready = BridgePlan::new(bridge.clone(), tables, port_macs, seed);
            let slot = match slot {
                Some(slot) => {
                    bridges[slot] = ready;
                    slot
                }
                None => {
                    bridges.push(ready);
                    bridges.len() - 1
                }
            };
            for side in Side::BOTH {
                let rules = bridge.side(side);
                ports[rules.port].add(rules.tags, At { bridge: slot as u16, side });
            }
        }
        Plan { generation: before.map_or(1, |plan| plan.generation + 1), rules, ports, bridges }
    }

    /// The bridge in a slot.
    #[inline]
    pub fn bridge(&self, at: At) -> &BridgePlan {
        &self.bridges[usize::from(at.bridge)]
    }
}

impl BridgePlan {
    fn new(rules: Bridge, tables: Arc<Tables>, port_macs: &[Mac], seed: u64) -> BridgePlan {
        let own = Side::BOTH.map(|side| {
            let rules = rules.side(side);
            rules.mac.unwrap_or_else(|| {
                derived_mac(port_macs.get(rules.port).copied().unwrap_or_default(), rules.tags, side)
            })
        });
        let nonces = Side::BOTH.map(|side| nonce(seed, own[side.index()], 0));
        BridgePlan {
            shortcuts: Side::BOTH.map(|side| Shortcut::new(&rules, side)),
            nonces,
            own,
            link_local: own.map(icmp6::link_local),
            pins: Pins::new(&rules.members, own),
            owners: Owners::new(&rules),
            tables,
            removed: false,
            rules,
        }
    }

    /// The same bridge, so that what was learned on it holds: tables know sides by their order, and have their size for
    /// life. One that was removed and comes back otherwise starts anew.
    fn is_same(&self, rules: &Bridge) -> bool {
        let identity = |rules: &Bridge| {
            let sides = rules.sides.each_ref().map(|side| side.name.clone());
            (rules.name.clone(), sides, rules.macs.capacity, rules.neighbours.capacity)
        };
        identity(&self.rules) == identity(rules)
    }

    fn retired(&self) -> BridgePlan {
        BridgePlan {
            rules: self.rules.clone(),
            removed: true,
            own: self.own,
            pins: self.pins.clone(),
            owners: self.owners.clone(),
            link_local: self.link_local,
            nonces: self.nonces,
            shortcuts: Side::BOTH.map(|side| Shortcut::new(&self.rules, side)),
            tables: Arc::clone(&self.tables),
        }
    }

    /// The way of most frames that come in on a side.
    #[inline]
    pub(crate) fn shortcut(&self, side: Side) -> &Shortcut {
        &self.shortcuts[side.index()]
    }

    /// The side that a MAC is on: where it is pinned, or was last heard.
    pub fn side_of(&self, mac: Mac, now: Time) -> Option<Side> {
        if let Some(Pin::To(side)) = self.pins.get(mac) {
            return Some(side);
        }
        match self.tables.macs.lookup(mac, now, &self.rules.macs) {
            Some(Place::Side(side)) => Some(side),
            Some(Place::Quarantined) | None => None,
        }
    }

    /// Which of our own addresses this is.
    pub fn own6(&self, address: Ipv6Addr) -> Option<OwnAddress> {
        if self.rules.own.ipv6 == Some(address) {
            return Some(OwnAddress::V6);
        }
        Side::BOTH
            .into_iter()
            .find(|side| self.link_local[side.index()] == address)
            .map(OwnAddress::LinkLocal)
    }

    /// An address of our own, of any kind.
    pub fn is_own(&self, address: IpAddr) -> bool {
        let own = &self.rules.own;
        match address {
            IpAddr::V4(address) => own.ipv4 == Some(address) || own.icmp_source4 == Some(address),
            IpAddr::V6(address) => self.own6(address).is_some() || own.icmp_source6 == Some(address),
        }
    }

    /// The bridge's own MAC on a side.
    pub fn own(&self, side: Side) -> Mac {
        self.own[side.index()]
    }

    /// An address of the exchange's.
    pub fn is_peering4(&self, address: Ipv4Addr) -> bool {
        self.rules.peering4.iter().any(|prefix| prefix.contains(&address))
    }

    /// An address of the exchange's.
    pub fn is_peering6(&self, address: Ipv6Addr) -> bool {
        self.rules.peering6.iter().any(|prefix| prefix.contains(&address))
    }

    /// An anycast address as far as we are told: nobody answers for it alone, and no error goes to it (SPEC D.4, rows 9
    /// to 13). By configuration, never by inference: a zero interface identifier of some other prefix is a host's.
    pub fn anycast(&self, address: Ipv6Addr) -> Option<Anycast> {
        let rules = &self.rules.anycast;
        if rules.never.iter().any(|prefix| prefix.contains(&address)) {
            return None;
        }
        if rules.extra.iter().any(|prefix| prefix.contains(&address)) {
            return Some(Anycast::Service);
        }
        let prefix = *self.rules.peering6.iter().find(|prefix| prefix.contains(&address))?;
        if rules.subnet_router && prefix.prefix_len() <= 126 && prefix.network() == address {
            return Some(Anycast::SubnetRouter(prefix)); // not /127: RFC 6164
        }
        is_reserved_anycast(prefix, address).then_some(Anycast::Reserved(prefix))
    }

    /// A peering prefix's broadcast address. A /31 or /32 has none (RFC 3021).
    pub fn is_directed_broadcast(&self, address: Ipv4Addr) -> bool {
        self.rules.peering4.iter().any(|prefix| prefix.prefix_len() <= 30 && prefix.broadcast() == address)
    }

    /// A peering prefix's network or broadcast address.
    pub fn is_net_or_broadcast(&self, address: Ipv4Addr) -> bool {
        let is = |prefix: &ipnet::Ipv4Net| prefix.network() == address || prefix.broadcast() == address;
        self.rules.peering4.iter().any(|prefix| prefix.prefix_len() <= 30 && is(prefix))
    }
}

/// A value that nobody can guess who does not know the seed, for a MAC of ours and a number.
pub fn nonce(seed: u64, mac: Mac, number: u64) -> Nonce {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write_u64(mac.as_u64());
    hasher.write_u64(number);
    Mac::from_u64(hasher.finish()).bytes()
}

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

/// RFC 2526 §2: in a /64 the interface identifiers fdff:ffff:ffff:ff80 and up (the universal bit is 0 in them); in a longer
/// prefix the highest 128 addresses. Beyond /120 there is no room for them.
fn is_reserved_anycast(prefix: Ipv6Net, address: Ipv6Addr) -> bool {
    let number = u128::from(address);
    match prefix.prefix_len() {
        0..=64 => number as u64 >= 0xfdff_ffff_ffff_ff80 && number as u64 <= 0xfdff_ffff_ffff_ffff,
        65..=120 => number | 0x7f == u128::from(prefix.broadcast()),
        _ => false,
    }
}

/// A locally administered MAC for a side without one: from the port's MAC, the VLAN (several sides share a trunk) and the
/// side's index, so that it is the same at every start.
fn derived_mac(port: Mac, tags: Tags, side: Side) -> Mac {
    let vlan = match tags {
        Tags::Untagged => 0,
        Tags::Single(vid) => vid.get(),
        Tags::Double { outer, inner } => outer.get() << 4 ^ inner.get(),
    };
    let mixed = port.as_u64() ^ u64::from(vlan) << 25 ^ (side.index() as u64) << 24;
    Mac::from_u64(mixed & !0x0100_0000_0000 | 0x0200_0000_0000)
}

impl Tables {
    fn new(bridge: &Bridge, seed: u64) -> Tables {
        Tables {
            macs: MacTable::new(&bridge.macs, seed),
            neighbours: NeighbourTable::new(&bridge.neighbours, seed),
            hold: Hold::default(),
            pools: Default::default(),
        }
    }
}

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
pub struct Owners(HashMap<IpAddr, Owner>);

impl Owners {
    fn new(bridge: &Bridge) -> Owners {
        let each = |member: &rules::Member| {
            let owner = Owner { macs: member.macs.clone(), role: member.role };
            member.addresses.clone().into_iter().map(move |address| (address, owner.clone()))
        };
        Owners(bridge.members.iter().flat_map(each).collect())
    }

    /// Whose an address is.
    pub fn get(&self, address: IpAddr) -> Option<&Owner> {
        self.0.get(&address)
    }

    /// The address is a member's, and none of these MACs is.
    pub fn is_foreign(&self, address: IpAddr, macs: &[Mac]) -> bool {
        self.get(address).is_some_and(|owner| !macs.iter().any(|mac| owner.macs.contains(mac)))
    }
}

/// Which tags on a port lead to which side.
#[derive(Debug, Default)]
pub struct PortMap {
    untagged: Option<At>,
    /// By VID; none on a port without tagged sides.
    single: Option<Box<[Option<At>; 4096]>>,
    /// (outer, inner, side); a few at the most.
    double: Vec<(Vid, Vid, At)>,
}

impl PortMap {
    fn add(&mut self, tags: Tags, at: At) {
        match tags {
            Tags::Untagged => self.untagged = Some(at),
            Tags::Single(vid) => {
                let sides = self.single.get_or_insert_with(|| Box::new([None; 4096]));
                sides[usize::from(vid.get())] = Some(at);
            }
            Tags::Double { outer, inner } => self.double.push((outer, inner, at)),
        }
    }

    /// The side of untagged frames.
    #[inline]
    pub fn untagged(&self) -> Option<At> {
        self.untagged
    }

    /// The side of frames with this one tag.
    #[inline]
    pub fn single(&self, vid: u16) -> Option<At> {
        self.single.as_ref()?[usize::from(vid & 0xfff)]
    }

    /// Some side of the port has a service tag.
    pub fn has_double(&self) -> bool {
        !self.double.is_empty()
    }

    /// Some side has this service tag.
    pub fn has_outer(&self, vid: u16) -> bool {
        self.double.iter().any(|(outer, _, _)| outer.get() == vid)
    }

    /// The side of frames with these two tags.
    pub fn double(&self, outer: u16, inner: u16) -> Option<At> {
        self.double.iter().find(|(o, i, _)| o.get() == outer && i.get() == inner).map(|(_, _, at)| *at)
    }
}
