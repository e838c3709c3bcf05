//! Token buckets (docs/spec F.7, F.8; docs/decisions/0010): how much may pass, of one station and of a whole side, in all
//! workers together.
//!
//! A bucket is one word, the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371 Annex A): a token
//! is taken by moving that on by the time that a token takes to come. A frame that is refused only reads. So workers share
//! buckets as they share the MAC table, and a limit is the YAML's however many of them a station's frames are spread over.
//!
//! The bucket of a station is asked before that of its side, and a token is taken from both or from neither: a refused frame
//! costs nothing.

use std::fmt;

use rules::Rate;

use super::hash::HashKey;
use super::sync::{AtomicU64, Ordering};
use crate::base::time::Time;

/// A rate as buckets reckon with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Nanoseconds that a token takes to come, rounded up: never more than the rate.
    token: u64,
    /// Tokens of a full bucket.
    burst: u32,
}

impl Pace {
    /// Of a rate of the rules, whose numbers are 1 at least.
    pub const fn new(rate: Rate) -> Pace {
        Pace { token: 1_000_000_000u64.div_ceil(rate.per_second as u64), burst: rate.burst }
    }

    /// How long so many tokens take to come.
    const fn time(self, tokens: u32) -> u64 {
        self.token * tokens as u64
    }

    /// A full bucket's.
    const fn full(self) -> u64 {
        self.time(self.burst)
    }

    /// What the quiet may draw beyond the burst, once and again (docs/spec F.8): 1/16 of it.
    const fn spare(self) -> u64 {
        self.time(self.burst / 16)
    }

    /// What strangers leave to listed stations that claim anything: 1/4 of the burst.
    const fn reserve(self) -> u64 {
        self.time(self.burst / 4)
    }
}

/// How often a worker starts over because another one took a token meanwhile. Each time that one succeeded.
const TRIES: usize = 8;

/// One token bucket: when it is full again, in nanoseconds of the clock. Over any stretch of time t it gives at most
/// `burst + per_second x t`, and all of that where as much is asked for, but for what is lost to whole nanoseconds.
#[derive(Debug)]
pub struct Bucket(AtomicU64);

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket::new()
    }
}

impl Bucket {
    /// A full one for any rate, as everyone starts.
    pub fn new() -> Bucket {
        Bucket(AtomicU64::new(0))
    }

    /// Takes a token if there is one.
    pub fn take(&self, now: Time, pace: Pace) -> bool {
        self.draw(now, pace, pace.full(), 1) == 1
    }

    /// What is missing, as time.
    fn debt(&self, now: Time) -> u64 {
        // Relaxed: the word stands for itself.
        self.0.load(Ordering::Relaxed).saturating_sub(now.as_nanos())
    }

    /// There is a token where so much may be missing.
    fn ready(&self, now: Time, pace: Pace, ceiling: u64) -> bool {
        self.debt(now).saturating_add(pace.token) <= ceiling
    }

    /// Takes a token, whether there is one or not: for who has found it [`ready`](Bucket::ready). Workers that find one token
    /// at one moment all take it, and it is missing later.
    fn spend(&self, now: Time, pace: Pace) {
        let later = |full_at: u64| Some(full_at.max(now.as_nanos()).saturating_add(pace.token));
        // it never fails, as there always is a new value
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    /// Takes up to `most` tokens while no more than `ceiling` is missing, and says how many.
    fn draw(&self, now: Time, pace: Pace, ceiling: u64, most: u32) -> u32 {
        for _ in 0..TRIES {
            let full_at = self.0.load(Ordering::Relaxed);
            let room = ceiling.saturating_sub(full_at.saturating_sub(now.as_nanos()));
            if room < pace.token {
                return 0;
            }
            let drawn = if most == 1 { 1 } else { u64::from(most).min(room / pace.token) };
            let after = full_at.max(now.as_nanos()).saturating_add(drawn * pace.token);
            if self.0.compare_exchange(full_at, after, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return drawn as u32;
            }
        }
        0
    }

    /// Goes over to another pace: the tokens that are there stay, as far as the new burst has room for them. A full one is full.
    fn repace(&self, now: Time, old: Pace, new: Pace) {
        let over = |full_at: u64| {
            let debt = full_at.saturating_sub(now.as_nanos());
            let left = u64::from(old.burst).saturating_sub(debt.div_ceil(old.token));
            let missing = u64::from(new.burst).saturating_sub(left);
            (debt > 0).then(|| now.as_nanos().saturating_add(missing * new.token))
        };
        // a full one stays as it is
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, over);
    }
}

/// Who claims a token of a side: what is listed comes first, and who has not claimed one lately before who claims and claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// A member of the YAML.
    pub listed: bool,
    /// It has claimed none for most of a second.
    pub quiet: bool,
}

impl Standing {
    /// By what is known of a claimant's last claim. A stranger that claims a token once a second is quiet, and so are those a little
    /// faster: clocks and networks jitter. A member may claim several a second, of whatever kinds, and still be quiet: members are
    /// not invented.
    pub fn new(listed: bool, seen: Seen) -> Standing {
        const STRANGER: u64 = millis(750);
        const MEMBER: u64 = millis(200);
        Standing { listed, quiet: seen.still_for(if listed { MEMBER } else { STRANGER }) }
    }
}

/// In nanoseconds, as all times of this file: a [`Duration`](std::time::Duration) is a division.
const fn millis(millis: u64) -> u64 {
    millis * 1_000_000
}

/// So long after a listed station's claim strangers leave some for the next one.
const EXPECTED: u64 = millis(10_000);

/// A claim need not be noted again within this time: that spares the shared line.
const NOTED: u64 = millis(1000);

/// The bucket of a whole side, from which workers draw through their [`Lot`]s.
///
/// Whoever is alone in its standing gets exactly the burst and the rate. Where several compete (docs/spec F.8):
///
/// ```text
/// quiet and listed      may have all, and 2/16 of the burst beyond
/// listed                all
/// quiet                 1/16 beyond, but not what is left to the listed
/// others                all, but not what is left to the listed
/// ```
///
/// What is left to the listed is 1/4 of the burst for 10 s after one of them has claimed anything. What comes in is first what
/// the better ones are short of, so the parts need not be large.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Pool {
    bucket: Bucket,
    /// When a listed station last claimed a token; 0 for never.
    listed: AtomicU64,
}

impl Pool {
    /// What may be missing for there to be a token for this standing.
    fn ceiling(&self, now: Time, pace: Pace, standing: Standing) -> u64 {
        let all = pace.full();
        match standing {
            Standing { listed: true, quiet: true } => all + 2 * pace.spare(),
            Standing { listed: true, quiet: false } => all,
            Standing { listed: false, quiet } => {
                let expected = self.since_listed(now) < EXPECTED;
                let reserve = if expected { pace.reserve() } else { 0 };
                all + if quiet { pace.spare() } else { 0 } - reserve
            }
        }
    }

    fn since_listed(&self, now: Time) -> u64 {
        match self.listed.load(Ordering::Relaxed) {
            0 => u64::MAX,
            claimed => now.as_nanos().saturating_sub(claimed),
        }
    }

    /// Goes over to another pace, as a reload brings it.
    pub fn repace(&self, now: Time, old: Pace, new: Pace) {
        self.bucket.repace(now, old, new);
    }

    fn draw(&self, now: Time, pace: Pace, standing: Standing, most: u32) -> u32 {
        if standing.listed && self.since_listed(now) >= NOTED {
            self.listed.store(now.as_nanos(), Ordering::Relaxed);
        }
        self.bucket.draw(now, pace, self.ceiling(now, pace, standing), most)
    }
}

/// What one worker has drawn from a [`Pool`].
#[derive(Debug, Clone)]
pub struct Lot {
    workers: u32,
    /// Tokens for strangers that are not quiet, and for such members. The quiet draw theirs one by one.
    tokens: [u32; 2],
}

impl Lot {
    /// Tokens to draw at a time where there are several workers: so many frames write the shared line once.
    const MOST: u32 = 32;

    /// An empty one, of one of so many workers. A single one draws token by token: nobody else writes the line, and a replay
    /// is exact.
    pub const fn of(workers: usize) -> Lot {
        Lot { workers: workers as u32, tokens: [0; 2] }
    }

    /// Takes a token if there is one, here or in the pool. Always draw from the same pool.
    pub fn take(&mut self, pool: &Pool, now: Time, pace: Pace, standing: Standing) -> bool {
        if standing.quiet || self.workers == 1 {
            return pool.draw(now, pace, standing, 1) == 1;
        }
        let tokens = &mut self.tokens[usize::from(standing.listed)];
        if *tokens == 0 {
            // what lies with workers that do not need it is an eighth of the burst at most
            let lot = (pace.burst / (8 * self.workers)).clamp(1, Lot::MOST);
            *tokens = pool.draw(now, pace, standing, lot);
        }
        let some = *tokens > 0;
        *tokens -= u32::from(some);
        some
    }
}

/// What the limits say to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Admitted {
    /// It passes, and has paid.
    Yes,
    /// Its source sends too much.
    SourceLimit,
    /// Its side sends too much.
    SideLimit,
}

/// What is known of a source at its next claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// It has claimed before, lately enough to be remembered.
    pub known: bool,
    /// Its last claim was granted.
    pub served: bool,
    /// Nanoseconds since its last claim, which is known to 25 ms; the most where it is not known.
    pub since: u64,
}

impl Seen {
    /// It has claimed nothing for so many nanoseconds.
    pub fn still_for(self, nanos: u64) -> bool {
        self.since >= nanos
    }

    /// It comes back once a second, with some jitter.
    pub fn returns(self) -> bool {
        self.known && self.still_for(millis(750))
    }
}

/// Sources of one set: keys, buckets and sights on a cache line each.
#[repr(align(64))]
struct Set {
    /// Zero in a slot that was never used: its bucket is full, as an unknown source's is.
    keys: [AtomicU64; Set::WAYS],
    buckets: [Bucket; Set::WAYS],
    /// When each last claimed anything, to [`Set::SIGHT`]; the lowest bits: and was granted it; and had come back.
    sights: [AtomicU64; Set::WAYS],
}

impl Set {
    const WAYS: usize = 8;
    /// A sight is not written again for so long: that spares the shared line.
    const SIGHT: u64 = 25_000_000;
    const SERVED: u64 = 1;
    const RETURNED: u64 = 2;
    /// One that came back is kept for so much longer than those that came once, which may all be invented.
    const KEPT: u64 = 4_000_000_000;

    /// The time of a sight.
    const fn time(sight: u64) -> u64 {
        sight & !(Set::SERVED | Set::RETURNED)
    }

    fn new() -> Set {
        let zero = |_| AtomicU64::new(0);
        Set {
            keys: std::array::from_fn(zero),
            buckets: std::array::from_fn(|_| Bucket::new()),
            sights: std::array::from_fn(zero),
        }
    }

    /// The place of a key. Where it has none yet, it replaces the one that has been still for longest with nothing missing: what
    /// is forgotten of that is the least. Two workers that meet one key at once may give it two places, of which the first one
    /// counts from then on.
    fn way(&self, key: u64) -> usize {
        let find = || self.keys.iter().position(|slot| slot.load(Ordering::Relaxed) == key);
        find().unwrap_or_else(|| self.replace(key))
    }

    #[cold]
    fn replace(&self, key: u64) -> usize {
        let last = |&way: &usize| {
            let sight = self.sights[way].load(Ordering::Relaxed);
            let kept = if sight & Set::RETURNED != 0 { Set::KEPT } else { 0 };
            sight.saturating_add(kept).max(self.buckets[way].0.load(Ordering::Relaxed))
        };
        let way = (0..Set::WAYS).min_by_key(last).unwrap_or(0);
        self.keys[way].store(key, Ordering::Relaxed);
        self.buckets[way].0.store(0, Ordering::Relaxed);
        self.sights[way].store(0, Ordering::Relaxed);
        way
    }

    fn seen(&self, way: usize, now: Time) -> Seen {
        let sight = self.sights[way].load(Ordering::Relaxed);
        Seen {
            known: sight != 0,
            served: sight & Set::SERVED != 0,
            since: if sight == 0 { u64::MAX } else { now.as_nanos().saturating_sub(Set::time(sight)) },
        }
    }

    fn note(&self, way: usize, now: Time, seen: Seen, served: bool) {
        let sight = self.sights[way].load(Ordering::Relaxed);
        let (before, returned) = (Set::time(sight), sight & Set::RETURNED);
        let is_new = !seen.known || now.as_nanos().saturating_sub(before) >= Set::SIGHT;
        let time = if is_new { Set::time(now.as_nanos()).max(4) } else { before };
        let returned = if seen.returns() { Set::RETURNED } else { returned };
        let noted = time | returned | u64::from(served);
        if noted != sight {
            self.sights[way].store(noted, Ordering::Relaxed);
        }
    }
}

/// The buckets of sources, in fixed memory: one for all workers.
pub struct Sources {
    sets: Box<[Set]>,
    key: HashKey,
}

impl fmt::Debug for Sources {
    /// With what is missing in all of them, which tests compare.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.sets.iter().flat_map(|set| &set.buckets);
        let full_at = all.fold(0u64, |sum, bucket| sum.wrapping_add(bucket.0.load(Ordering::Relaxed)));
        f.debug_struct("Sources")
            .field("slots", &(self.sets.len() * Set::WAYS))
            .field("full_at", &full_at)
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// Room for two to four times so many sources: 48 to 96 bytes for each. `seed` is that of the hash: for live traffic
    /// one that nobody can guess.
    pub fn new(sources: u32, seed: u64) -> Sources {
        Sources {
            sets: (0..Sources::sets_for(sources)).map(|_| Set::new()).collect(),
            key: HashKey::from_seed(seed),
        }
    }

    fn sets_for(sources: u32) -> usize {
        (2 * sources as usize).div_ceil(Set::WAYS).next_power_of_two()
    }

    /// Goes over to another pace, as a reload brings it.
    pub fn repace(&self, now: Time, old: Pace, new: Pace) {
        if old != new {
            self.sets.iter().flat_map(|set| &set.buckets).for_each(|bucket| bucket.repace(now, old, new));
        }
    }

    /// Bytes that so many sources take.
    pub fn memory_for(sources: u32) -> usize {
        Sources::sets_for(sources) * size_of::<Set>()
    }

    /// Bytes that these take.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.sets)
    }

    /// Asks the bucket of `source` (a MAC, say; not zero) and, if that has a token, the wider limit. A token is taken from
    /// both or from neither.
    pub fn admit(&self, source: u64, now: Time, pace: Pace, wider: impl FnOnce(Seen) -> bool) -> Admitted {
        self.admit_beyond(source, now, pace, 0, wider)
    }

    /// The same, for a claim that may have so many sixteenths of the burst beyond it: the station's bucket is a pool for what is
    /// behind that station.
    pub fn admit_beyond(
        &self,
        source: u64,
        now: Time,
        pace: Pace,
        sixteenths: u8,
        wider: impl FnOnce(Seen) -> bool,
    ) -> Admitted {
        let set = &self.sets[self.key.hash(source) as usize & (self.sets.len() - 1)];
        let way = set.way(source);
        let (bucket, seen) = (&set.buckets[way], set.seen(way, now));
        let admitted = if !bucket.ready(now, pace, pace.full() + u64::from(sixteenths) * pace.spare()) {
            Admitted::SourceLimit
        } else if !wider(seen) {
            Admitted::SideLimit
        } else {
            bucket.spend(now, pace);
            Admitted::Yes
        };
        set.note(way, now, seen, admitted == Admitted::Yes);
        admitted
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(1_700_000_000_000_000_000 + nanos)
    }

    fn pace(per_second: u32, burst: u32) -> Pace {
        Pace::new(Rate { per_second, burst })
    }

    /// A member that claims and claims.
    const LOUD: Standing = Standing { listed: true, quiet: false };

    fn taken(count: u32, mut take: impl FnMut() -> bool) -> u32 {
        (0..count).map(|_| u32::from(take())).sum()
    }

    #[test]
    fn a_bucket_starts_full_and_fills_no_further() {
        let (bucket, rate) = (Bucket::new(), pace(50, 300));
        assert_eq!(taken(1000, || bucket.take(at(0), rate)), 300);
        assert_eq!(taken(1000, || bucket.take(at(3600 * SECOND), rate)), 300);
    }

    #[test]
    fn a_rate_that_is_no_whole_part_of_a_second_does_not_drift() {
        let (bucket, rate) = (Bucket::new(), pace(7, 2));
        assert_eq!(taken(2, || bucket.take(at(0), rate)), 2);
        // 7/s for 1,000 s, looked at every millisecond
        let took = (1..=1_000_000).map(|ms| u32::from(bucket.take(at(ms * 1_000_000), rate))).sum::<u32>();
        // a token takes 142,857,143 ns: 1 ns in 7,000 tokens more than it should
        assert!((6999..=7000).contains(&took), "{took}");
    }

    #[test]
    fn time_that_goes_back_brings_nothing() {
        let (bucket, rate) = (Bucket::new(), pace(10, 1));
        assert!(bucket.take(at(SECOND), rate));
        assert!(!bucket.take(at(0), rate));
        assert!(!bucket.take(at(SECOND), rate));
        assert!(bucket.take(at(SECOND + SECOND / 10), rate));
    }

    #[test]
    fn the_largest_rate_over_the_longest_time_overflows_nothing() {
        let (bucket, rate) = (Bucket::new(), pace(u32::MAX, u32::MAX));
        assert!(bucket.take(Time::ZERO, rate));
        assert!(bucket.take(Time::from_nanos(u64::MAX), rate));
    }

    #[test]
    fn a_reload_keeps_the_level_but_for_a_smaller_burst() {
        let (slow, fast, small) = (pace(10, 100), pace(1000, 1000), pace(1000, 5));
        let bucket = Bucket::new();
        assert_eq!(taken(90, || bucket.take(at(0), slow)), 90);
        bucket.repace(at(0), slow, fast);
        assert_eq!(taken(100, || bucket.take(at(0), fast)), 10, "a larger burst is no gift");
        bucket.repace(at(SECOND / 10), fast, small);
        assert_eq!(taken(100, || bucket.take(at(SECOND / 10), small)), 5);
        let full = Bucket::new();
        full.repace(at(0), small, fast);
        assert_eq!(taken(2000, || full.take(at(0), fast)), 1000, "a full one is full");
    }

    #[test]
    fn f190_a_side_lets_its_burst_and_then_its_rate_through() {
        let (pool, rate) = (Pool::default(), pace(1000, 2000));
        let mut lot = Lot::of(1);
        let took = (0..15_000).filter(|i| lot.take(&pool, at(i * SECOND / 5000), rate, LOUD)).count();
        assert!((4999..=5000).contains(&took), "{took}");
    }

    #[test]
    fn a_worker_among_several_draws_a_lot_at_a_time_that_is_small_beside_the_burst() {
        let (pool, rate) = (Pool::default(), pace(1_000_000, 160));
        let (mut one, mut other) = (Lot::of(2), Lot::of(2));
        assert!(one.take(&pool, at(0), rate, LOUD));
        assert_eq!(
            taken(1000, || other.take(&pool, at(0), rate, LOUD)),
            150,
            "160 less the first worker's 10"
        );
        assert_eq!(taken(100, || one.take(&pool, at(0), rate, LOUD)), 9);
        assert_eq!(taken(100, || one.take(&pool, at(3_000), rate, LOUD)), 3, "what there is of a lot");
    }

    /// Claims once a microsecond in each of these standings in turn for a second; how many of each were granted.
    fn competition(pool: &Pool, pace: Pace, standings: &[(Standing, u64)]) -> Vec<u32> {
        let mut lot = Lot::of(1);
        let mut granted = vec![0; standings.len()];
        for microsecond in 0..1_000_000 {
            for (place, (standing, every)) in standings.iter().enumerate() {
                if microsecond % every == 0 {
                    granted[place] += u32::from(lot.take(pool, at(microsecond * 1000), pace, *standing));
                }
            }
        }
        granted
    }

    const fn standing(listed: bool, quiet: bool) -> Standing {
        Standing { listed, quiet }
    }

    #[test]
    fn whoever_is_alone_in_its_standing_has_exactly_the_rate_and_the_quiet_a_little_more() {
        let alone = |standing| competition(&Pool::default(), pace(1000, 160), &[(standing, 10)])[0];
        assert_eq!(alone(standing(true, false)), 160 + 999);
        assert_eq!(alone(standing(false, false)), 160 + 999);
        assert_eq!(alone(standing(false, true)), 160 + 10 + 999);
        assert_eq!(alone(standing(true, true)), 160 + 20 + 999);
    }

    #[test]
    fn what_is_listed_loses_nothing_to_strangers_and_what_is_quiet_loses_nothing_to_what_is_loud() {
        // 100,000 a second of strangers, and as many quiet ones; 100 a second of a member, 10 of a quiet one
        let all = [
            (standing(false, false), 10),
            (standing(false, true), 10),
            (standing(true, false), 10_000),
            (standing(true, true), 100_000),
        ];
        let granted = competition(&Pool::default(), pace(1000, 160), &all);
        assert_eq!(granted[2..], [100, 10]);
        let few = [(standing(false, false), 10), (standing(false, true), 100_000)];
        assert_eq!(competition(&Pool::default(), pace(1000, 160), &few)[1], 10);
        let members = [(standing(true, false), 10), (standing(true, true), 100_000)];
        assert_eq!(competition(&Pool::default(), pace(1000, 160), &members)[1], 10);
    }

    #[test]
    fn strangers_have_it_all_again_once_no_member_has_claimed_for_ten_seconds() {
        let (pool, rate, mut lot) = (Pool::default(), pace(1, 160), Lot::of(1));
        let stranger = standing(false, false);
        assert!(lot.take(&pool, at(0), rate, LOUD));
        assert_eq!(taken(1000, || lot.take(&pool, at(9 * SECOND), rate, stranger)), 160 - 40);
        assert_eq!(taken(1000, || lot.take(&pool, at(10 * SECOND), rate, stranger)), 1 + 40);
    }

    #[test]
    fn a_source_that_comes_back_is_told_from_one_that_is_new_and_a_quiet_one_from_one_that_is_not() {
        let sources = Sources::new(64, 1);
        let seen = |millisecond: u64, grant: bool| {
            let mut seen = None;
            let wider = |now| {
                seen = Some(now);
                grant
            };
            let _ = sources.admit(1, at(millisecond * 1_000_000), pace(1000, 1000), wider);
            seen.unwrap()
        };
        let sight = |known: bool, served, since: u64| Seen {
            known,
            served,
            since: if known { millis(since) } else { u64::MAX },
        };
        assert_eq!(seen(0, false), sight(false, false, 0));
        assert_eq!(seen(500, true), sight(true, false, 500));
        assert_eq!(seen(510, true), sight(true, true, 10));
        assert_eq!(seen(1500, true), sight(true, true, 1000), "sights are known to 25 ms");
        assert_eq!(seen(2500, false), sight(true, true, 1000));
        assert_eq!(seen(4000, true), sight(true, false, 1500));
    }

    #[test]
    fn a_source_that_comes_back_is_not_crowded_out_by_ever_new_ones() {
        let sources = Sources::new(4, 1); // one set
        let claim = |source, millisecond: u64| {
            let mut seen = None;
            let wider = |now: Seen| {
                seen = Some(now.known);
                true
            };
            let _ = sources.admit(source, at(millisecond * 1_000_000), pace(1000, 1000), wider);
            seen.unwrap()
        };
        claim(1, 0);
        assert!(claim(1, 1000));
        for second in 1..30u64 {
            for invented in 0..100 {
                assert!(!claim(1000 * second + invented, second * 1000 + invented));
            }
            assert!(claim(1, second * 1000 + 1000), "{second}");
        }
    }

    #[test]
    fn workers_that_share_a_source_get_what_one_worker_would() {
        let (sources, rate) = (Sources::new(64, 1), pace(5_000, 500));
        let took = thread::scope(|scope| {
            let work = || {
                (0..1_000_000u64)
                    .filter(|i| sources.admit(1, at(i * 1000), rate, |_| true) == Admitted::Yes)
                    .count()
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>()
        });
        // each of them may find the last token of all once
        assert!((5_300..=5_550).contains(&took), "{took}");
    }

    #[test]
    fn workers_together_get_no_more_than_the_rate_and_what_they_hold() {
        let (pool, rate) = (Pool::default(), pace(10_000, 100));
        let took = thread::scope(|scope| {
            let work = || {
                let mut lot = Lot::of(4);
                (0..1_000_000).filter(|i| lot.take(&pool, at(i * 1000), rate, LOUD)).count()
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>()
        });
        assert!(took <= 100 + 10_000, "{took}");
    }

    #[test]
    fn f191_a_source_over_its_rate_costs_the_others_nothing() {
        let sources = Sources::new(4096, 1);
        let rate = pace(50, 300);
        let mut loud = 0;
        for ms in 0..10_000 {
            let now = at(ms * 1_000_000);
            loud += u32::from(ms % 2 == 0 && sources.admit(1, now, rate, |_| true) == Admitted::Yes);
            if ms % 500 == 0 {
                assert_eq!(sources.admit(2, now, rate, |_| true), Admitted::Yes);
            }
        }
        assert!((300 + 499..=300 + 500).contains(&loud), "{loud}");
    }

    #[test]
    fn f192_a_router_that_comes_up_has_its_burst() {
        let sources = Sources::new(4096, 1);
        let passed = (0..130).filter(|i| {
            let now = at(i * 50_000_000 / 130);
            sources.admit(1, now, pace(50, 300), |_| true) == Admitted::Yes
        });
        assert_eq!(passed.count(), 130);
    }

    #[test]
    fn a_refused_frame_takes_nothing_from_any_bucket() {
        let sources = Sources::new(16, 1);
        let (pool, mut lot) = (Pool::default(), Lot::of(1));
        let (narrow, wide) = (pace(1, 2), pace(1, 3));
        use Admitted::{SideLimit, SourceLimit, Yes};
        let outcomes = [1, 1, 1, 1, 2, 2, 2]
            .map(|source| sources.admit(source, at(0), narrow, |_| lot.take(&pool, at(0), wide, LOUD)));
        assert_eq!(outcomes, [Yes, Yes, SourceLimit, SourceLimit, Yes, SideLimit, SideLimit]);
        assert_eq!(sources.admit(2, at(0), narrow, |_| true), Yes, "its second token is still there");
        assert_eq!(sources.admit(2, at(0), narrow, |_| true), SourceLimit);
    }

    #[test]
    fn a_full_set_forgets_the_source_that_has_sent_least() {
        let sources = Sources::new(4, 1); // one set
        assert_eq!(sources.sets.len(), 1);
        let rate = pace(1, 10);
        for source in 1..=8 {
            for _ in 0..source {
                assert_eq!(sources.admit(source, at(0), rate, |_| true), Admitted::Yes);
            }
        }
        assert_eq!(sources.admit(9, at(0), rate, |_| true), Admitted::Yes);
        let mut left = |source| taken(20, || sources.admit(source, at(0), rate, |_| true) == Admitted::Yes);
        assert_eq!((2..=8).map(&mut left).collect::<Vec<_>>(), [8, 7, 6, 5, 4, 3, 2]);
    }

    #[test]
    fn a_million_sources_take_no_more_memory_and_starve_nobody() {
        let sources = Sources::new(64, 1);
        let slots = sources.sets.len() * Set::WAYS;
        for source in 1..1_000_000 {
            assert_eq!(sources.admit(source, at(source), pace(1, 1), |_| true), Admitted::Yes);
        }
        assert_eq!(sources.sets.len() * Set::WAYS, slots);
    }

    /// Frames as (nanoseconds since the one before, tokens asked for).
    fn demand() -> impl Strategy<Value = Vec<(u64, u32)>> {
        let pause = prop_oneof![Just(0u64), 0..1000u64, 0..SECOND, 0..100 * SECOND];
        prop::collection::vec((pause, 1..50u32), 1..60)
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_burst_and_rate_and_full_demand_gets_all_of_it(
            demand in demand(), per_second in 1..2_000_000u32, burst in 1..200u32,
        ) {
            let rate = pace(per_second, burst);
            let bucket = Bucket::new();
            let (mut now, mut given) = (0u64, vec![]);
            for (pause, asked) in demand {
                now += pause;
                given.push((now, asked, taken(asked, || bucket.take(at(now), rate))));
            }
            for first in 0..given.len() {
                let mut sum = 0u128;
                for &(time, _, count) in &given[first..] {
                    sum += u128::from(count);
                    let elapsed = u128::from(time - given[first].0);
                    let most = (u128::from(burst) * u128::from(SECOND) + elapsed * u128::from(per_second))
                        / u128::from(SECOND);
                    prop_assert!(sum <= most, "{sum} > {most}");
                }
            }
            // No less either: a level of time, of which a token takes whole nanoseconds, says the same.
            let token = u128::from(SECOND.div_ceil(per_second.into()));
            let mut level = u128::from(burst) * token;
            let mut last = 0;
            for (time, asked, count) in given {
                level = (level + u128::from(time - last)).min(u128::from(burst) * token);
                last = time;
                let due = (level / token).min(asked.into());
                prop_assert_eq!(u128::from(count), due);
                level -= due * token;
            }
        }

        #[test]
        fn a_single_workers_pool_is_a_bucket(
            demand in demand(), per_second in 1..2_000_000u32, burst in 1..200u32,
        ) {
            let rate = pace(per_second, burst);
            let (bucket, pool, mut lot, mut now) = (Bucket::new(), Pool::default(), Lot::of(1), 0);
            for (pause, asked) in demand {
                now += pause;
                for _ in 0..asked {
                    prop_assert_eq!(lot.take(&pool, at(now), rate, LOUD), bucket.take(at(now), rate));
                }
            }
        }
    }
}
