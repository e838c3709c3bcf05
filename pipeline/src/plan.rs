//! The rules made ready for the packet path: what a worker holds for a burst. Immutable, and swapped whole by a reload.
//!
//! What must survive a reload (tables, limiter levels) is not in a plan but behind it, in [`Tables`], which the next plan
//! takes over by the bridge's name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hashbrown::HashMap;
use rules::{Bridge, Mac, Rules, Side, Tags, Vid};

use crate::table::bucket::Pool;
use crate::table::mac::MacTable;
use crate::table::pins::Pins;

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
    /// The members' addresses, and the MACs that may claim each.
    pub claims: Claims,
    /// What survives a reload.
    pub tables: Arc<Tables>,
}

/// What all workers share of a bridge, and what survives a reload.
#[derive(Debug)]
pub struct Tables {
    /// Learned addresses.
    pub macs: MacTable,
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
            let ready = BridgePlan::new(bridge.clone(), tables, port_macs);
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
    fn new(rules: Bridge, tables: Arc<Tables>, port_macs: &[Mac]) -> BridgePlan {
        let own = Side::BOTH.map(|side| {
            let rules = rules.side(side);
            rules.mac.unwrap_or_else(|| {
                derived_mac(port_macs.get(rules.port).copied().unwrap_or_default(), rules.tags, side)
            })
        });
        BridgePlan {
            own,
            pins: Pins::new(&rules.members),
            claims: Claims::new(&rules),
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
            claims: self.claims.clone(),
            tables: Arc::clone(&self.tables),
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
        Tables { macs: MacTable::new(&bridge.macs, seed), pools: Default::default() }
    }
}

/// Which MACs may claim which member's address.
#[derive(Debug, Clone, Default)]
pub struct Claims(HashMap<IpAddr, Vec<Mac>>);

impl Claims {
    fn new(bridge: &Bridge) -> Claims {
        let each = |member: &rules::Member| {
            let macs = member.macs.clone();
            member.addresses.clone().into_iter().map(move |address| (address, macs.clone()))
        };
        Claims(bridge.members.iter().flat_map(each).collect())
    }

    /// The address is a member's, and none of these MACs is.
    pub fn is_foreign(&self, address: IpAddr, macs: &[Mac]) -> bool {
        self.0.get(&address).is_some_and(|owner| !macs.iter().any(|mac| owner.contains(mac)))
    }
}

/// Which tags on a port lead to which side.
#[derive(Debug, Default)]
pub struct PortMap {
    untagged: Option<At>,
    /// By VID; empty on a port without tagged sides.
    single: Box<[Option<At>]>,
    /// (outer, inner, side); a few at the most.
    double: Vec<(Vid, Vid, At)>,
}

impl PortMap {
    fn add(&mut self, tags: Tags, at: At) {
        match tags {
            Tags::Untagged => self.untagged = Some(at),
            Tags::Single(vid) => {
                if self.single.is_empty() {
                    self.single = vec![None; 4096].into_boxed_slice();
                }
                self.single[usize::from(vid.get())] = Some(at);
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
        self.single.get(usize::from(vid)).copied().flatten()
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
