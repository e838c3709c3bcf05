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
/// The default is full, for any rate, as everyone starts.
#[derive(Debug, Default)]
pub struct Bucket(AtomicU64);

impl Bucket {
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
        let (full_at, first) = (self.0.load(Ordering::Relaxed), now.as_nanos().saturating_add(pace.token));
        // a full one begins anew from now; where another worker has just done that, there is something to add to
        let full = full_at <= now.as_nanos();
        if !(full && self.0.compare_exchange(full_at, first, Ordering::Relaxed, Ordering::Relaxed).is_ok()) {
            self.0.fetch_add(pace.token, Ordering::Relaxed);
        }
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
    /// It has claimed none lately.
    pub quiet: bool,
}

/// Who claims once a second is quiet, and so are those a little faster: clocks and networks jitter.
const QUIET: u64 = millis(750);

impl Standing {
    /// By what is known of a claimant's last claim. A member may claim several tokens a second, of whatever kinds, and still be
    /// quiet: members are not invented.
    pub fn new(listed: bool, seen: Seen) -> Standing {
        Standing { listed, quiet: seen.since >= if listed { millis(200) } else { QUIET } }
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
    /// It comes back once a second, with some jitter.
    pub fn returns(self) -> bool {
        self.known && self.since >= QUIET
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
    const SIGHT: u64 = millis(25);
    const SERVED: u64 = 1;
    const RETURNED: u64 = 2;
    /// One that came back is kept for so much longer than those that came once, which may all be invented.
    const KEPT: u64 = millis(4000);

    /// The time of a sight.
    const fn time(sight: u64) -> u64 {
        sight & !(Set::SERVED | Set::RETURNED)
    }

    fn new() -> Set {
        let zero = |_| AtomicU64::new(0);
        Set {
            keys: std::array::from_fn(zero),
            buckets: Default::default(),
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
mod tests;
