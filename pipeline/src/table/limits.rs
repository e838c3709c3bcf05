//! Every limit of a bridge (docs/decisions/0010): by station and by side, for all workers together; what one worker has drawn
//! of the sides'; and the rates, as the buckets reckon with them.

use std::hash::{DefaultHasher, Hasher};
use std::net::Ipv6Addr;

use rules::{Bridge, Mac, Rate, Side};

use super::bucket::{Admitted, Bucket, Lot, Pace, Pool, Seen, Sources, Standing};
use crate::base::event::EventKind;
use crate::base::time::Time;

/// Who claims something that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimant {
    /// The station.
    pub mac: Mac,
    /// Its side.
    pub side: Side,
    /// It is a member's.
    pub listed: bool,
}

impl Claimant {
    fn standing(&self, seen: Seen) -> Standing {
        Standing::new(self.listed, seen)
    }
}

/// A limit of one kind: of each station, and of each side.
#[derive(Debug)]
pub struct Limit {
    stations: Sources,
    sides: [Pool; 2],
}

/// The rates of a [`Limit`].
#[derive(Debug, Clone, Copy)]
pub struct Paces {
    /// Of a station.
    pub station: Pace,
    /// Of a side.
    pub side: Pace,
}

impl Paces {
    const fn new(station: Rate, side: Rate) -> Paces {
        Paces { station: Pace::new(station), side: Pace::new(side) }
    }

    /// A station alone may have all that its side may.
    const fn of_side(side: Rate) -> Paces {
        Paces::new(side, side)
    }
}

impl Limit {
    fn new(stations: u32, seed: u64) -> Limit {
        Limit { stations: Sources::new(stations, seed), sides: Default::default() }
    }

    /// Asks the station's bucket, then its side's: from both or from neither.
    pub fn admit(&self, lots: &mut [Lot; 2], who: Claimant, now: Time, paces: Paces) -> Admitted {
        let (pool, lot) = (&self.sides[who.side.index()], &mut lots[who.side.index()]);
        let side = |seen| lot.take(pool, now, paces.side, who.standing(seen));
        self.stations.admit(who.mac.as_u64(), now, paces.station, side)
    }
}

/// What a bridge limits, for all workers together.
#[derive(Debug)]
pub struct Limits {
    /// Broadcast and multicast of each station.
    storm: Sources,
    broadcast: [Pool; 2],
    multicast: [Pool; 2],
    /// Looks for duplicates of each member's address.
    duplicates: Sources,
    /// Addresses that no member has.
    new: [Pool; 2],
    /// Frames to unknown destinations.
    pub unknown: Limit,
    /// Replies of the bridge.
    pub answers: Limit,
    /// What the control thread is told of addresses' owners.
    pub notices: Limit,
    /// Moves that the control thread is asked to verify.
    pub challenges: Limit,
    /// Path-MTU errors.
    mtu_errors: Limit,
    /// Path-MTU errors by source address.
    mtu_sources: Sources,
    /// Events by kind and station.
    events: Sources,
    /// Of the hash that makes a source address a key.
    seed: u64,
}

/// Stations that are limited one by one in what few do at a time: the quietest is forgotten first.
const FEW: u32 = 4096;

/// Source addresses whose path-MTU errors are limited one by one (docs/spec D.6).
const MTU_SOURCES: u32 = 16 << 10;

/// What a side may tell the control thread of owners: the queue of a worker holds more than it takes in between.
const NOTICES: Rate = Rate { per_second: 4000, burst: 1000 };

/// What a station may tell of owners. It says what it has again at most once a second each (docs/spec C.4), and has
/// `neighbours.per_mac` addresses at most; and it may be wrong.
fn notices(rules: &Bridge) -> Rate {
    let addresses = rules.neighbours.per_mac;
    Rate { per_second: addresses.max(50), burst: addresses.saturating_mul(2).max(150) }
}

/// A move is verified once a second at most; all members of an exchange may move in one.
const CHALLENGES: Paces = Paces::new(Rate { per_second: 1, burst: 1 }, Rate { per_second: 500, burst: 500 });

/// Looks for duplicates of a member's address: who looks does so once a second (RetransTimer, RFC 4862 §5.1), and two may at one time.
const DUPLICATES: Pace = Pace::new(Rate { per_second: 1, burst: 20 });

/// The same event of one station, and events of one kind. What is told of them is less (`control::alarms`).
const SAME_EVENT: Pace = Pace::new(Rate { per_second: 16, burst: 128 });
const EVENTS: Pace = Pace::new(Rate { per_second: 64, burst: 256 });

/// Probes that come back the same way.
const RETURNED: Pace = Pace::new(Rate { per_second: 16, burst: 64 });

impl Limits {
    /// Fresh ones.
    pub fn new(bridge: &Bridge, seed: u64) -> Limits {
        Limits::for_sources(Limits::sources(bridge), FEW, MTU_SOURCES, seed)
    }

    /// Every source that passed `learn` has a place: the members and what the table holds.
    fn sources(bridge: &Bridge) -> u32 {
        /// Members that reloads may add before their limits get crowded.
        const TO_COME: u32 = 4096;
        2 * bridge.macs.capacity + bridge.members.len() as u32 + TO_COME
    }

    /// Bytes that those of a bridge take.
    pub fn memory_for(bridge: &Bridge) -> usize {
        2 * Sources::memory_for(Limits::sources(bridge))
            + 6 * Sources::memory_for(FEW)
            + Sources::memory_for(MTU_SOURCES)
    }

    /// Bytes that these take.
    pub fn memory(&self) -> usize {
        let limits = [&self.unknown, &self.answers, &self.notices, &self.challenges, &self.mtu_errors];
        let stations = limits.map(|limit| &limit.stations);
        let all =
            stations.into_iter().chain([&self.storm, &self.mtu_sources, &self.events, &self.duplicates]);
        all.map(Sources::memory).sum()
    }

    /// Those of a bridge that the rules no longer have: the smallest there are.
    pub fn retired() -> Limits {
        Limits::for_sources(1, 1, 1, 0)
    }

    fn for_sources(stations: u32, few: u32, mtu_sources: u32, seed: u64) -> Limits {
        let few = || Limit::new(few, seed);
        Limits {
            storm: Sources::new(stations, seed),
            broadcast: Default::default(),
            multicast: Default::default(),
            new: Default::default(),
            unknown: few(),
            answers: few(),
            notices: few(),
            challenges: few(),
            mtu_errors: Limit::new(stations, seed),
            mtu_sources: Sources::new(mtu_sources, seed),
            events: few().stations,
            duplicates: few().stations,
            seed,
        }
    }

    /// Goes over to other rates, as a reload brings them: the levels stay.
    pub fn repace(&self, now: Time, old: &LimitRates, new: &LimitRates) {
        self.storm.repace(now, old.storm, new.storm);
        self.mtu_sources.repace(now, old.mtu_source, new.mtu_source);
        let sides = [
            (&self.broadcast, old.broadcast, new.broadcast),
            (&self.multicast, old.multicast, new.multicast),
            (&self.new, old.new, new.new),
        ];
        for (pools, old, new) in sides {
            pools.iter().for_each(|pool| pool.repace(now, old, new));
        }
        let limits = [
            (&self.answers, Some(old.answers), Some(new.answers)),
            (&self.notices, Some(old.notices), Some(new.notices)),
            (&self.mtu_errors, Some(old.mtu_errors), Some(new.mtu_errors)),
            (&self.unknown, old.unknown, new.unknown),
        ];
        for (limit, old, new) in limits {
            if let (Some(old), Some(new)) = (old, new) {
                limit.stations.repace(now, old.station, new.station);
                limit.sides.iter().for_each(|pool| pool.repace(now, old.side, new.side));
            }
        }
    }

    /// A broadcast of a station.
    pub fn broadcast(&self, lots: &mut Lots, who: Claimant, now: Time, rates: &LimitRates) -> Admitted {
        let pools = (&self.broadcast, &mut lots.broadcast);
        self.storm(pools, who, now, rates.storm, rates.broadcast)
    }

    /// A multicast of a station.
    pub fn multicast(&self, lots: &mut Lots, who: Claimant, now: Time, rates: &LimitRates) -> Admitted {
        let pools = (&self.multicast, &mut lots.multicast);
        self.storm(pools, who, now, rates.storm, rates.multicast)
    }

    #[inline]
    fn storm(
        &self,
        (pools, lots): (&[Pool; 2], &mut [Lot; 2]),
        who: Claimant,
        now: Time,
        station: Pace,
        side: Pace,
    ) -> Admitted {
        let (pool, lot) = (&pools[who.side.index()], &mut lots[who.side.index()]);
        let wider = |seen| lot.take(pool, now, side, who.standing(seen));
        self.storm.admit(who.mac.as_u64(), now, station, wider)
    }

    /// A look for duplicates of a member's address by somebody else, which is one of a storm besides: the member answers
    /// each to all nodes (RFC 4861 §7.2.4), at the cost of its own limit. Only what `storm` admits takes from the address's; none where that
    /// refuses it.
    pub fn duplicates(
        &self,
        target: Ipv6Addr,
        now: Time,
        storm: impl FnOnce() -> Admitted,
    ) -> Option<Admitted> {
        let mut admitted = Admitted::Yes;
        let look = self.duplicates.admit(self.key(Mac::ZERO, target.into()), now, DUPLICATES, |_| {
            admitted = storm();
            admitted == Admitted::Yes
        });
        (look != Admitted::SourceLimit).then_some(admitted)
    }

    /// An address that no member has is learned on a side: it is nobody's yet, so that is for all strangers there.
    pub fn new_address(&self, lots: &mut Lots, side: Side, now: Time, rates: &LimitRates) -> bool {
        let stranger = Standing { listed: false, quiet: false };
        lots.new[side.index()].take(&self.new[side.index()], now, rates.new, stranger)
    }

    /// A path-MTU error to a source address behind a station: limits that cannot starve anyone, tried from the narrowest on, and
    /// a refusal takes nothing anywhere (docs/spec D.6). The station's limit is shared by all that is behind it, and whoever
    /// invents sources there has each of them claim for the first time: a source that comes back once a second goes before
    /// those, and among such sources the one that had an error last time.
    ///
    /// # Errors
    /// Which limit refuses it.
    pub fn mtu_error(
        &self,
        lots: &mut Lots,
        who: Claimant,
        source: u128,
        now: Time,
        rates: &LimitRates,
    ) -> Result<(), MtuLimit> {
        let (pool, lot) = (&self.mtu_errors.sides[who.side.index()], &mut lots.mtu_errors[who.side.index()]);
        let mut of_mac = Admitted::Yes;
        let of_source = self.mtu_sources.admit(self.key(who.mac, source), now, rates.mtu_source, |seen| {
            let sixteenths = if seen.returns() { 1 + u8::from(seen.served) } else { 0 };
            let side = |seen| lot.take(pool, now, rates.mtu_errors.side, who.standing(seen));
            let stations = &self.mtu_errors.stations;
            of_mac = stations.admit_beyond(who.mac.as_u64(), now, rates.mtu_errors.station, sixteenths, side);
            of_mac == Admitted::Yes
        });
        match (of_source, of_mac) {
            (Admitted::Yes, _) => Ok(()),
            (Admitted::SourceLimit, _) => Err(MtuLimit::Source),
            (Admitted::SideLimit, Admitted::SourceLimit) => Err(MtuLimit::Mac),
            (Admitted::SideLimit, _) => Err(MtuLimit::Side),
        }
    }

    /// A source, by the MAC that it came from and its address, as one word that nobody outside can make collide.
    fn key(&self, mac: Mac, source: u128) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write_u64(mac.as_u64());
        hasher.write_u128(source);
        hasher.finish().max(1)
    }

    /// An event about a station: of each station's alike ones a few, and of each kind some, listed stations' apart.
    pub fn event(&self, lots: &Lots, who: Claimant, kind: EventKind, now: Time) -> bool {
        self.told(lots, who, kind.index(), now)
    }

    /// The same for a station behind which an anycast source draws no error.
    pub fn anycast(&self, lots: &Lots, who: Claimant, now: Time) -> bool {
        self.told(lots, who, ANYCAST, now)
    }

    fn told(&self, lots: &Lots, who: Claimant, kind: usize, now: Time) -> bool {
        let slot = &lots.events[who.side.index()][usize::from(who.listed)][kind];
        let key = who.mac.as_u64() << 8 | (kind as u64 + 1);
        self.events.admit(key, now, SAME_EVENT, |_| slot.take(now, EVENTS)) == Admitted::Yes
    }
}

/// The limit that refused a path-MTU error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MtuLimit {
    /// Of the source address.
    Source,
    /// Of the station.
    Mac,
    /// Of the side.
    Side,
}

/// One worker's part in one bridge's limits, by side: what it has drawn of the pools; and its slots for events, as its queue to the
/// control thread is its own.
#[derive(Debug)]
pub struct Lots {
    broadcast: [Lot; 2],
    multicast: [Lot; 2],
    new: [Lot; 2],
    mtu_errors: [Lot; 2],
    /// Of [`Limits::unknown`].
    pub unknown: [Lot; 2],
    /// Of [`Limits::answers`].
    pub answers: [Lot; 2],
    /// Of [`Limits::notices`].
    pub notices: [Lot; 2],
    /// Of [`Limits::challenges`].
    pub challenges: [Lot; 2],
    /// Probes of our own that came back: by the side that sent them, and the one where they came in.
    returned: [[Bucket; 2]; 2],
    /// By side, listed or not, and kind.
    events: [[EventSlots; 2]; 2],
}

/// Events that may be told, by kind: none crowds out another.
type EventSlots = [Bucket; EventKind::COUNT + 1];

/// The slots of what is told of anycast sources, behind those of the kinds.
const ANYCAST: usize = EventKind::COUNT;

impl Lots {
    /// Empty ones, of one of so many workers.
    pub fn of(workers: usize) -> Lots {
        let lots = || [Lot::of(workers), Lot::of(workers)];
        let slots = || std::array::from_fn(|_| Bucket::default());
        Lots {
            broadcast: lots(),
            multicast: lots(),
            new: lots(),
            mtu_errors: lots(),
            unknown: lots(),
            answers: lots(),
            notices: lots(),
            challenges: lots(),
            returned: Default::default(),
            events: [[slots(), slots()], [slots(), slots()]],
        }
    }

    /// A probe that one side sent came in on one, and may be told: one would be enough.
    pub fn returned(&self, sent: Side, at: Side, now: Time) -> bool {
        self.returned[sent.index()][at.index()].take(now, RETURNED)
    }
}

/// Slots for events of frames that belong to no side, in one worker.
#[derive(Debug)]
pub struct StrayEvents(EventSlots);

impl Default for StrayEvents {
    fn default() -> StrayEvents {
        StrayEvents(std::array::from_fn(|_| Bucket::default()))
    }
}

impl StrayEvents {
    /// One more of a kind may be told.
    pub fn take(&self, kind: EventKind, now: Time) -> bool {
        self.0[kind.index()].take(now, EVENTS)
    }
}

/// The rates of a bridge's limits, by its rules.
#[derive(Debug, Clone, Copy)]
pub struct LimitRates {
    storm: Pace,
    broadcast: Pace,
    multicast: Pace,
    new: Pace,
    mtu_source: Pace,
    mtu_errors: Paces,
    /// None where unknown destinations are dropped.
    pub unknown: Option<Paces>,
    /// Of replies.
    pub answers: Paces,
    /// Of notices.
    pub notices: Paces,
    /// Of moves to be verified.
    pub challenges: Paces,
}

impl LimitRates {
    /// Of these rules.
    pub fn new(rules: &Bridge) -> LimitRates {
        let errors = &rules.mtu_errors;
        LimitRates {
            storm: Pace::new(rules.storm.mac),
            broadcast: Pace::new(rules.storm.broadcast),
            multicast: Pace::new(rules.storm.multicast),
            new: Pace::new(rules.macs.new),
            mtu_source: Pace::new(errors.source),
            mtu_errors: Paces::new(errors.mac, errors.side),
            unknown: rules.unknown_unicast.map(Paces::of_side),
            answers: Paces::of_side(rules.answers),
            notices: Paces::new(notices(rules), NOTICES),
            challenges: CHALLENGES,
        }
    }
}
