//! Which stations are where, for a burst of frames: the static entries and the learned ones together.

use rules::{Mac, Side};

use crate::base::time::Time;
use crate::plan::bridge::BridgePlan;
use crate::table::fdb::{FdbLookup, FdbView, Learned};
use crate::table::static_fdb::{StaticEntry, StaticHit, StaticView};

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
            StaticHit::Here => return Some(Station { stale: false }),
            StaticHit::Unlisted if self.learned => self.fdb.known(mac, side),
            StaticHit::Unlisted => return None,
            StaticHit::Unsure => self.seek(mac, side),
        };
        match known {
            FdbLookup::Miss => None,
            FdbLookup::HitStale => Some(Station { stale: true }),
            FdbLookup::Hit => Some(Station { stale: false }),
        }
    }

    /// [`Stations::on`] where the short look is not enough. Out of line, so that the others do not pay for the table of the listed
    /// stations without a side.
    #[cold]
    #[inline(never)]
    fn seek(&self, mac: Mac, side: Side) -> FdbLookup {
        match self.bridge.static_fdb.get(mac) {
            Some(StaticEntry::To(there)) if there == side => FdbLookup::Hit,
            Some(StaticEntry::Roaming) => {
                self.bridge.roaming.view(self.now, &self.bridge.rules.macs).known(mac, side)
            }
            None if self.learned => self.fdb.known(mac, side),
            Some(StaticEntry::To(_) | StaticEntry::Own) | None => FdbLookup::Miss,
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
        let (fdb, rules) = (self.bridge.fdb_of(mac), &self.bridge.rules.macs);
        let learn = || fdb.learn_unless(mac, side, self.now, rules, || false, || true) == Learned::Known;
        fdb.view(self.now, rules).refresh(mac, side) || learn()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::Plan;
    use crate::table::fdb::State;

    const NOW: Time = Time::from_nanos(5_000_000_000);

    fn plan() -> Plan {
        crate::plan::small("    admission: learned\n    macs: { capacity: 16 }")
    }

    fn learn(bridge: &BridgePlan, mac: Mac) {
        let learned = bridge.tables.macs.learn(mac, Side::First, NOW, &bridge.rules.macs, || true);
        assert_eq!(learned, Learned::New);
    }

    /// Since when a station was silent, as the table has it.
    fn idle(bridge: &BridgePlan, mac: Mac, now: Time) -> Duration {
        match bridge
            .tables
            .macs
            .entries(now, &bridge.rules.macs)
            .find(|entry| entry.mac == mac)
            .unwrap()
            .state
        {
            State::Heard { idle } => idle,
            State::Quarantined { .. } => panic!("{mac:?}"),
        }
    }

    #[test]
    fn a_station_that_is_heard_again_is_refreshed_also_where_another_has_its_first_slot() {
        let plan = plan();
        let bridge = &plan.bridges[0];
        let stations = Stations::new(bridge, true, NOW);
        let macs = |from: u64| (from..).map(|last| Mac::from_u64(0x0200_0000_0000 + last));
        let one = macs(1).next().unwrap();
        let two = macs(2).find(|mac| stations.place(*mac) == stations.place(one)).unwrap();
        learn(bridge, one);
        learn(bridge, two);
        let later = NOW.after(Duration::from_secs(7));
        let stations = Stations::new(bridge, true, later);
        for mac in [one, two] {
            assert_eq!(idle(bridge, mac, later), Duration::from_secs(7));
            let station = stations.on(mac, Side::First).unwrap();
            assert_eq!(station, Station { stale: true });
            assert!(stations.heard(station, mac, Side::First));
            assert_eq!(idle(bridge, mac, later), Duration::ZERO);
            assert_eq!(stations.on(mac, Side::First), Some(Station { stale: false }));
            assert_eq!(stations.on(mac, Side::Second), None);
        }
    }

    #[test]
    fn a_station_that_has_gone_meanwhile_is_not_heard_by_the_fast_path() {
        let plan = plan();
        let bridge = &plan.bridges[0];
        let mac = Mac::from_u64(0x0200_0000_0001);
        let stations = Stations::new(bridge, true, NOW.after(Duration::from_secs(7)));
        learn(bridge, mac);
        let station = stations.on(mac, Side::First).unwrap();
        bridge.tables.macs.sweep_all(NOW.after(Duration::from_secs(3600)), &bridge.rules.macs);
        assert!(!stations.heard(station, mac, Side::First));
    }
}
