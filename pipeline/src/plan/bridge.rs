//! One bridge, ready.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rules::{Admission, Bridge, Mac, Side, Tags};

use super::anycast::{Anycast, anycast};
use super::edges::Edges;
use super::fast::FastRules;
use super::owners::Owners;
use crate::base::time::Time;
use crate::frame::icmp6;
use crate::table::Tables;
use crate::table::fdb::{Fdb, Place};
use crate::table::hold::OwnAddress;
use crate::table::limits::LimitRates;
use crate::table::static_fdb::{StaticEntry, StaticFdb};

/// One bridge, ready.
#[derive(Debug)]
pub struct BridgePlan {
    /// Its rules.
    pub rules: Bridge,
    /// The rules no longer have it: it is kept for its books.
    pub removed: bool,
    /// The bridge's own MAC on each side.
    pub own: [Mac; 2],
    /// The edges of the IPv4 peering prefixes.
    pub edges: Edges,
    /// The members' MACs.
    pub static_fdb: StaticFdb,
    /// The members' addresses, and whose each is.
    pub owners: Owners,
    /// The bridge's own link-local address on each side: from that side's MAC.
    pub link_local: [Ipv6Addr; 2],
    /// What the fast path needs, by ingress side.
    fast: [FastRules; 2],
    /// How much stations and sides may send.
    pub rates: LimitRates,
    /// Where the listed stations without a side are: strangers take no room from them (F195). It survives a reload that lists the
    /// same ones; else the next plan has another, with all that is known of them.
    pub roaming: Arc<Fdb>,
    /// What survives a reload.
    pub tables: Arc<Tables>,
}

/// The listed MACs without a side.
fn roaming(rules: &Bridge) -> HashSet<Mac> {
    let members = rules.members.iter().filter(|member| member.side.is_none());
    members.flat_map(|member| member.macs.iter().copied()).collect()
}

impl BridgePlan {
    /// `before` had the same tables.
    pub(super) fn new(
        rules: Bridge,
        tables: Arc<Tables>,
        before: Option<&BridgePlan>,
        port_macs: &[Mac],
        seed: u64,
    ) -> BridgePlan {
        let own = Side::BOTH.map(|side| {
            let rules = rules.side(side);
            rules.mac.unwrap_or_else(|| {
                derived_mac(port_macs.get(rules.port).copied().unwrap_or_default(), rules.tags, side)
            })
        });
        BridgePlan {
            fast: Side::BOTH.map(|side| FastRules::new(&rules, side)),
            own,
            link_local: own.map(icmp6::link_local),
            static_fdb: StaticFdb::new(&rules.members, own),
            edges: Edges::new(&rules.peering4),
            owners: Owners::new(&rules),
            rates: LimitRates::new(&rules),
            roaming: BridgePlan::roaming(&rules, &tables, before, seed),
            tables,
            removed: false,
            rules,
        }
    }

    /// The table of the listed stations without a side. What is known of a station goes along when it is listed, and when it is
    /// struck off (law 4).
    fn roaming(rules: &Bridge, tables: &Tables, before: Option<&BridgePlan>, seed: u64) -> Arc<Fdb> {
        let listed = roaming(rules);
        if let Some(before) = before.filter(|before| roaming(&before.rules) == listed) {
            return Arc::clone(&before.roaming);
        }
        let table = Fdb::lasting(listed.len() as u32, seed);
        if let Some(before) = before {
            let old = roaming(&before.rules);
            table.take_over(&before.roaming, |mac| listed.contains(&mac));
            table.take_over(&tables.macs, |mac| listed.contains(&mac) && !old.contains(&mac));
            if rules.admission == Admission::Learned {
                let struck = |mac: &Mac| !rules.members.iter().any(|member| member.macs.contains(mac));
                let struck: HashSet<Mac> = old.into_iter().filter(struck).collect();
                tables.macs.take_over(&before.roaming, |mac| struck.contains(&mac));
            }
        }
        Arc::new(table)
    }

    /// Bytes that the tables of a bridge with these rules take.
    pub fn memory_for(rules: &Bridge) -> usize {
        Tables::memory_for(rules) + Fdb::memory_for(roaming(rules).len() as u32)
    }

    /// Bytes that its tables take.
    pub fn memory(&self) -> usize {
        self.tables.memory() + self.roaming.memory()
    }

    /// The table that a MAC is in if it was learned, by what the rules know of it.
    #[inline]
    pub fn fdb(&self, known: Option<StaticEntry>) -> &Fdb {
        match known {
            Some(StaticEntry::Roaming) => &self.roaming,
            Some(StaticEntry::To(_) | StaticEntry::Own) | None => &self.tables.macs,
        }
    }

    /// [`BridgePlan::fdb`] of a MAC.
    pub fn fdb_of(&self, mac: Mac) -> &Fdb {
        self.fdb(self.static_fdb.get(mac))
    }

    /// Where a MAC was learned.
    pub fn place(&self, mac: Mac, now: Time) -> Option<Place> {
        self.fdb_of(mac).lookup(mac, now, &self.rules.macs)
    }

    /// A station is asked on its side before it is believed on the other (F198): somebody can, and knows an address of its.
    pub fn must_verify(&self, mac: Mac) -> bool {
        let known =
            || !self.owners.addresses_of(mac).is_empty() || self.tables.neighbours.has_address_of(mac);
        self.tables.hold.verifies_moves() && known()
    }

    /// Whether these are rules of the same bridge, which keeps its books and, unless it was removed meanwhile, its tables: the
    /// same name, the same sides in the same order (tables know sides by it), the same capacities (no table changes its size).
    pub(super) fn is_same(&self, rules: &Bridge) -> bool {
        let identity = |rules: &Bridge| {
            let sides = rules.sides.each_ref().map(|side| side.name.clone());
            (rules.name.clone(), sides, rules.macs.capacity, rules.neighbours.capacity)
        };
        identity(&self.rules) == identity(rules)
    }

    pub(super) fn retired(&self) -> BridgePlan {
        BridgePlan {
            rules: self.rules.clone(),
            removed: true,
            own: self.own,
            static_fdb: self.static_fdb.clone(),
            edges: self.edges.clone(),
            owners: self.owners.clone(),
            link_local: self.link_local,
            fast: Side::BOTH.map(|side| FastRules::new(&self.rules, side)),
            rates: self.rates,
            roaming: Arc::new(Fdb::lasting(0, 0)),
            tables: Arc::new(Tables::retired()),
        }
    }

    pub(super) fn leave_fast_path(&mut self) {
        self.fast.iter_mut().for_each(|rules| rules.fit.room = 0);
    }

    /// What the fast path needs for frames that come in on a side.
    #[inline]
    pub(crate) fn fast(&self, side: Side) -> &FastRules {
        &self.fast[side.index()]
    }

    /// The side that a MAC is on: where it is pinned, or was last heard.
    pub fn side_of(&self, mac: Mac, now: Time) -> Option<Side> {
        if let Some(StaticEntry::To(side)) = self.static_fdb.get(mac) {
            return Some(side);
        }
        match self.place(mac, now) {
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

    /// An anycast address, as far as we are told.
    pub fn anycast(&self, address: Ipv6Addr) -> Option<Anycast> {
        anycast(&self.rules, address)
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
