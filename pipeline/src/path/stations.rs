//! Which stations are where, for a burst of frames: the static entries and the learned ones together.

use rules::{Mac, Side};

use crate::base::time::Time;
use crate::plan::bridge::BridgePlan;
use crate::table::fdb::{FdbLookup, FdbView, Learned};
use crate::table::static_fdb::{StaticHit, StaticView};

/// The stations of a bridge, as a burst of frames sees them.
#[derive(Debug, Clone, Copy)]
pub struct Stations<'a> {
    bridge: &'a BridgePlan,
    static_fdb: StaticView<'a>,
    fdb: FdbView<'a>,
    /// Unlisted stations are admitted.
    learned: bool,
    now: Time,
}

/// A MAC that the tables know as one station's, on the side where it was looked for. So it is neither a group's nor zero
/// nor the bridge's own, and no other side has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station {
    /// Learned, and not heard in this tick of the table's clock yet: to be refreshed where it is a source.
    stale: bool,
}

impl<'a> Stations<'a> {
    /// Those of a bridge, now.
    pub fn new(bridge: &'a BridgePlan, learned: bool, now: Time) -> Stations<'a> {
        let fdb = bridge.tables.macs.view(now, &bridge.rules.macs);
        Stations { bridge, static_fdb: bridge.static_fdb.view(), fdb, learned, now }
    }

    /// The station of a MAC on a side: pinned to it, or learned.
    #[inline(always)]
    pub fn on(&self, mac: Mac, side: Side) -> Option<Station> {
        let known = match self.static_fdb.lookup_from(mac, side) {
            StaticHit::Here => FdbLookup::Hit,
            StaticHit::Unlisted if self.learned => self.fdb.known(mac, side),
            StaticHit::Roaming => self.fdb.known(mac, side),
            StaticHit::Unlisted | StaticHit::Elsewhere => FdbLookup::Miss,
        };
        match known {
            FdbLookup::Miss => None,
            FdbLookup::HitStale => Some(Station { stale: true }),
            FdbLookup::Hit => Some(Station { stale: false }),
        }
    }

    /// The table is larger than the caches near a core.
    pub fn is_large(&self) -> bool {
        self.fdb.is_large()
    }

    /// Where a MAC most likely is in memory.
    #[inline(always)]
    pub fn place(&self, mac: Mac) -> *const u8 {
        self.fdb.place(mac)
    }

    /// A source was heard on its side; false where that changes more than when it was last heard.
    #[inline(always)]
    pub fn heard(&self, station: Station, mac: Mac, side: Side) -> bool {
        !station.stale || self.refresh(mac, side)
    }

    #[cold]
    #[inline(never)]
    fn refresh(&self, mac: Mac, side: Side) -> bool {
        let learn = || {
            let fdb = &self.bridge.tables.macs;
            fdb.learn(mac, side, self.now, &self.bridge.rules.macs, || false) == Learned::Known
        };
        self.fdb.refresh(mac, side) || learn()
    }
}
