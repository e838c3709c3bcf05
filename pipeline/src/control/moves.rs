//! Who is alive stays (docs/spec B.2, F198 to F200): a station that speaks on another side than its own is asked there, and believed
//! on the new side only when it was silent on the old one. The same question keeps a silent station from being forgotten (F211).
//!
//! Any frame that it sends on its own side is its answer, as that is what renews its entry. Who speaks on the wrong side is never
//! answered, and so learns nothing.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use rules::{Mac, Rate, Side};
use serde::{Deserialize, Serialize};

use super::ask::ask;
use super::effects::Effects;
use crate::base::event::{Event, EventKind};
use crate::base::time::Time;
use crate::base::{At, BridgeId};
use crate::path::control_queue::Challenge;
use crate::plan::bridge::BridgePlan;
use crate::table::bucket::{Bucket, Pace};
use crate::table::fdb::Verdict;
use crate::table::neighbour::Writer;

/// One that has spoken within this time need not be asked: it may speak again by itself.
const QUIET: Duration = Duration::from_millis(500);
/// From the first question to the second.
const AGAIN: Duration = Duration::from_millis(250);
/// From the first question to the verdict.
const VERDICT: Duration = Duration::from_millis(500);
/// A verdict that is later than this is none: nobody listened meanwhile, as where the whole machine was suspended.
const LATE: Duration = Duration::from_secs(2);
/// Last sights are known to this.
const STEP: Duration = Duration::from_millis(250);
/// A station is looked for once in this time.
const ONCE: Duration = Duration::from_secs(1);
/// Stations looked for at a time, and remembered for how often they were found; half of them for listed ones. How many a second
/// come here is limited where they are challenged (`table::limits`).
const MOST: usize = 1024;
/// Questions to stations that are about to age, a side.
const REFRESHES: Pace = Pace::new(Rate { per_second: 100, burst: 100 });
/// Stations remembered as asked before they aged.
const MOST_REFRESHED: usize = 16384;

/// What became of stations that spoke on another side than their own. Its JSON is a stable interface: fields are added, never
/// renamed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveCounts {
    /// Asked on their own side.
    pub asked: u64,
    /// They answered, and were refused on the other side.
    pub refused: u64,
    /// They were silent, and have moved.
    pub moved: u64,
    /// Not looked for, as too many others were: refused on the other side until they are.
    pub over_budget: u64,
    /// Asked as they were about to be forgotten.
    pub refreshed: u64,
}

impl fmt::Display for MoveCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MoveCounts { asked, refused, moved, over_budget, refreshed } = self;
        write!(
            f,
            "moves: {asked} stations asked on their old side, {refused} were there and refused on the new one, {moved} moved, \
             {over_budget} not asked as there were too many; {refreshed} asked before they would have aged"
        )
    }
}

/// Moves of one bridge.
#[derive(Debug, Default)]
pub(super) struct Moves {
    pending: BTreeMap<Mac, Pending>,
    /// Asked before they aged, and when.
    refreshed: HashMap<Mac, Time>,
    refreshes: [Bucket; 2],
    /// When what is over was last forgotten.
    tidied: Option<Time>,
    pub(super) counts: MoveCounts,
}

/// A station that spoke on another side than its own.
#[derive(Debug)]
struct Pending {
    listed: bool,
    /// Where it spoke, and when.
    at: At,
    challenged: Time,
    step: Step,
    /// When it was found on its own side: within `flap.within`.
    refusals: Vec<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// To be asked at this time.
    Waits(Time),
    /// Asked at this time; what is next, and when.
    Asked { first: Time, again: bool, due: Time },
    /// Nothing is to be done. It is remembered.
    Settled,
}

impl Pending {
    fn due(&self) -> Option<Time> {
        match self.step {
            Step::Waits(due) | Step::Asked { due, .. } => Some(due),
            Step::Settled => None,
        }
    }
}

/// What a verification is about.
pub(super) struct Around<'a> {
    pub(super) bridge: &'a BridgePlan,
    /// Whose addresses are known.
    pub(super) neighbours: &'a Writer,
    pub(super) now: Time,
    pub(super) effects: &'a mut Effects,
}

impl Moves {
    /// A station has spoken on another side than its own.
    pub(super) fn challenged(&mut self, challenge: &Challenge) {
        let Challenge { time, at, mac, listed } = *challenge;
        let known = self.pending.get(&mac);
        if known.is_some_and(|it| it.due().is_some() || time.since(it.challenged) < ONCE) {
            return;
        }
        if known.is_none() && !self.make_room(listed) {
            self.counts.over_budget += 1;
            return;
        }
        let step = Step::Waits(time);
        let fresh = || Pending { listed, at, challenged: time, step, refusals: Vec::new() };
        let pending = self.pending.entry(mac).or_insert_with(fresh);
        (pending.listed, pending.at, pending.challenged, pending.step) = (listed, at, time, step);
    }

    /// The next time at which something is to be done.
    pub(super) fn due(&self) -> Option<Time> {
        self.pending.values().filter_map(Pending::due).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        let due = |pending: &Pending| pending.due().is_some_and(|due| due <= now);
        let macs: Vec<Mac> =
            self.pending.iter().filter(|(_, pending)| due(pending)).map(|(mac, _)| *mac).collect();
        macs.into_iter().for_each(|mac| self.step(mac, around));
        if self.tidied.is_some_and(|tidied| now.since(tidied) < ONCE) {
            return;
        }
        self.tidied = Some(now);
        let within = around.bridge.rules.macs.flap.within;
        self.pending.retain(|_, pending| {
            pending.refusals.retain(|refused| now.since(*refused) < within);
            let idle = pending.step == Step::Settled && now.since(pending.challenged) >= ONCE;
            !(idle && pending.refusals.is_empty())
        });
        let forget = around.bridge.rules.macs.age / 5;
        self.refreshed.retain(|_, asked| now.since(*asked) < forget);
    }

    /// A station was silent for nine tenths of its time.
    pub(super) fn fades(&mut self, id: BridgeId, mac: Mac, side: Side, around: &mut Around<'_>) {
        let known = around.bridge.static_fdb.get(mac).is_some(); // a reload has listed it: its entry is elsewhere
        if known || self.refreshed.contains_key(&mac) || self.refreshed.len() >= MOST_REFRESHED {
            return;
        }
        let addresses = addresses(mac, around);
        if !addresses.is_empty() && self.refreshes[side.index()].take(around.now, REFRESHES) {
            self.refreshed.insert(mac, around.now);
            self.counts.refreshed += 1;
            questions(At { bridge: id, side }, mac, &addresses, around);
        }
    }

    /// Room for another station, if need be by forgetting one that nothing is to be done about.
    fn make_room(&mut self, listed: bool) -> bool {
        let strangers = self.pending.values().filter(|pending| !pending.listed).count();
        if self.pending.len() < MOST && (listed || strangers < MOST / 2) {
            return true;
        }
        let idle = self.pending.iter().filter(|(_, it)| it.step == Step::Settled && (listed || !it.listed));
        // a stranger before a listed one
        let oldest = idle.min_by_key(|(_, it)| (it.listed, it.challenged)).map(|(mac, _)| *mac);
        oldest.is_some_and(|mac| self.pending.remove(&mac).is_some())
    }

    /// Takes one station's verification a step on, where that is due.
    fn step(&mut self, mac: Mac, around: &mut Around<'_>) {
        let (bridge, now) = (around.bridge, around.now);
        let (fdb, rules) = (bridge.fdb_of(mac), &bridge.rules.macs);
        let Some(pending) = self.pending.get_mut(&mac) else { return };
        let Some(sight) = fdb.sight(mac, now, rules).filter(|sight| sight.side != pending.at.side) else {
            self.pending.remove(&mac); // it is there already, or forgotten, and then it may be anywhere
            return;
        };
        let old = At { side: sight.side, ..pending.at };
        pending.step = match pending.step {
            Step::Asked { due, .. } if now.since(due) > LATE => Step::Waits(now),
            Step::Waits(_) if sight.heard > pending.challenged => Step::Settled, // it speaks by itself
            Step::Waits(_) => {
                // not before its guard ends soon, so that what is found holds for the move
                let lead = rules.move_guard.saturating_sub(VERDICT).max(QUIET);
                let first = sight.heard.after(lead).max(pending.challenged);
                let addresses = addresses(mac, around);
                if now < first {
                    Step::Waits(first)
                } else if addresses.is_empty() {
                    Step::Settled // nobody to ask any more: from now on the guard alone decides
                } else {
                    self.counts.asked += 1;
                    questions(old, mac, &addresses, around);
                    Step::Asked { first: now, again: false, due: now.after(AGAIN) }
                }
            }
            Step::Asked { first, again: false, .. } if sight.heard.after(STEP) <= first => {
                let addresses = addresses(mac, around);
                questions(old, mac, &addresses, around);
                Step::Asked { first, again: true, due: first.after(VERDICT) }
            }
            Step::Asked { first, .. } => match fdb.move_silent(mac, pending.at.side, first, now, rules) {
                Verdict::Guarded => {
                    let guarded = sight.heard.after(rules.move_guard).after(STEP);
                    let due = if guarded > now { guarded } else { now.after(STEP) };
                    Step::Asked { first, again: true, due }
                }
                Verdict::Alive => {
                    self.counts.refused += 1;
                    pending.refusals.retain(|refused| now.since(*refused) < rules.flap.within);
                    pending.refusals.push(now);
                    if pending.refusals.len() >= rules.flap.moves as usize {
                        pending.refusals.clear();
                        fdb.refuse_challengers(mac, now, rules.flap.hold);
                        tell(EventKind::MacFlapping, pending.at, mac, around);
                    }
                    Step::Settled
                }
                Verdict::Moved => {
                    self.counts.moved += 1;
                    pending.refusals.clear();
                    tell(EventKind::MacMoved, pending.at, mac, around);
                    Step::Settled
                }
                Verdict::Full => {
                    tell(EventKind::MacTableFull, pending.at, mac, around);
                    Step::Settled
                }
                Verdict::Settled => Step::Settled,
            },
            Step::Settled => Step::Settled,
        };
    }
}

fn tell(kind: EventKind, at: At, mac: Mac, around: &mut Around<'_>) {
    let port = around.bridge.rules.side(at.side).port;
    around.effects.event(Event { time: around.now, port, at: Some(at), kind, mac });
}

/// Asks a station on a side for these addresses.
fn questions(at: At, mac: Mac, addresses: &[IpAddr], around: &mut Around<'_>) {
    addresses.iter().for_each(|address| ask(at, around.bridge, mac, *address, around.effects));
}

/// What a station is asked for: one IPv4 and two IPv6 addresses, listed ones first, and of these the ones that were last heard
/// with that very MAC. Those of another MAC of its member come last: with VRRP an answer comes from the MAC that the address has.
fn addresses(mac: Mac, around: &Around<'_>) -> Vec<IpAddr> {
    let listed = around.bridge.owners.addresses_of(mac);
    let learned = around.neighbours.addresses_of(mac).filter(|address| !listed.contains(address));
    let heard = |address: &IpAddr| match around.bridge.tables.neighbours.get(*address) {
        Some(known) if known.mac == mac => (2, known.confirmed),
        Some(_) => (0, Time::ZERO),
        None => (1, Time::ZERO),
    };
    let mut all: Vec<IpAddr> = listed.iter().copied().chain(learned).collect();
    all.sort_by_key(|address| std::cmp::Reverse((listed.contains(address), heard(address))));
    let some = |of: fn(&IpAddr) -> bool, most| all.iter().copied().filter(of).take(most);
    let mut asked: Vec<IpAddr> = some(IpAddr::is_ipv4, 1).chain(some(IpAddr::is_ipv6, 2)).collect();
    // and in any case for the one that it spoke of last though another one claims it: the others may be of the past
    asked.extend(around.neighbours.said_by(mac).filter(|said| !asked.contains(said)));
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(moves: &mut Moves, number: u64, listed: bool, ms: u64) {
        let time = Time::from_nanos(ms * 1_000_000);
        let at = At { bridge: BridgeId::FIRST, side: Side::First };
        moves.challenged(&Challenge { time, at, mac: Mac::from_u64(0x0200_0000_0000 + number), listed });
    }

    #[test]
    fn strangers_take_half_of_the_places_and_listed_stations_the_rest() {
        let mut moves = Moves::default();
        (0..2000).for_each(|number| challenge(&mut moves, number, false, 1));
        assert_eq!((moves.pending.len(), moves.counts.over_budget), (MOST / 2, 2000 - MOST as u64 / 2));
        (5000..5000 + MOST as u64 / 2).for_each(|number| challenge(&mut moves, number, true, 1));
        assert_eq!((moves.pending.len(), moves.counts.over_budget), (MOST, 2000 - MOST as u64 / 2));
        challenge(&mut moves, 9000, true, 1);
        assert_eq!(moves.pending.len(), MOST, "all are being looked for");
        // one that nothing is to be done about makes room
        moves.pending.values_mut().for_each(|pending| pending.step = Step::Settled);
        challenge(&mut moves, 9000, true, 1);
        assert!(moves.pending.len() == MOST && moves.pending.contains_key(&Mac::from_u64(0x0200_0000_2328)));
        assert_eq!(moves.pending.values().filter(|pending| pending.listed).count(), MOST / 2 + 1);
    }

    #[test]
    fn a_station_is_looked_for_once_a_second() {
        let mut moves = Moves::default();
        let mut began = 0;
        for ms in 0..10_000 {
            challenge(&mut moves, 1, true, ms);
            let pending = moves.pending.values_mut().next().unwrap();
            began += u32::from(pending.step != Step::Settled);
            pending.step = Step::Settled; // as after a verdict at once
        }
        assert_eq!(began, 10);
    }

    /// A bridge on which a listed station without a side is known on the first one, and the time at which it was challenged on the other.
    fn asked() -> (crate::plan::Plan, Writer, Moves, Effects, Time) {
        let plan = crate::plan::small(
            "    members:\n      - { name: r, mac: \"02:cc:00:00:00:03\", ipv4: [202.7.0.30] }",
        );
        let (bridge, mac) = (&plan.bridges[0], Mac::from_u64(0x02cc_0000_0003));
        let heard = Time::from_nanos(10_000_000_000);
        let _ = bridge.roaming.learn(mac, Side::First, heard, &bridge.rules.macs, || true);
        let time = heard.after(Duration::from_secs(60));
        let mut moves = Moves::default();
        let at = At { bridge: BridgeId::FIRST, side: Side::Second };
        moves.challenged(&Challenge { time, at, mac, listed: true });
        let (writer, mut effects) = (Writer::new(true), Effects::default());
        let mut around = Around { bridge, neighbours: &writer, now: time, effects: &mut effects };
        moves.tick(&mut around);
        assert_eq!((moves.counts.asked, effects.send.len()), (1, 1));
        (plan, writer, moves, effects, time)
    }

    #[test]
    fn silence_while_the_machine_was_suspended_moves_nobody() {
        let (plan, neighbours, mut moves, mut effects, time) = asked();
        let mut tick = |now| {
            let mut around =
                Around { bridge: &plan.bridges[0], neighbours: &neighbours, now, effects: &mut effects };
            moves.tick(&mut around);
            moves.counts
        };
        let woke = time.after(Duration::from_secs(3600));
        assert_eq!((tick(woke).moved, tick(woke).asked), (0, 2), "it is asked anew");
        for ms in (250..=1500).step_by(250) {
            tick(woke.after(Duration::from_millis(ms)));
        }
        let counts = tick(woke.after(Duration::from_secs(2)));
        assert_eq!((counts.asked, counts.moved), (2, 1), "silent while it could be heard");
    }
}
