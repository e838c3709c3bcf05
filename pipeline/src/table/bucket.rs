//! Token buckets (docs/spec F.7, F39, F49): how much may pass, of one source in the worker that sees it, and of a whole side
//! in all workers together.
//!
//! Every limit is a [`Rate`] that the caller passes along, so a reload that changes it leaves the levels alone but for
//! capping them to a smaller burst. The bucket of a source is asked before that of its side, and a token is taken from both or
//! from neither: a refused frame costs nothing.

use std::fmt;
use std::time::Duration;

use rules::Rate;

use super::hash::HashKey;
use super::sync::{AtomicU64, Ordering};
use crate::base::time::Time;

/// A token, in the unit of the levels: what a rate of one a second brings in a nanosecond. So no level is ever rounded.
const TOKEN: u64 = 1_000_000_000;

/// A worker that found a pool empty looks again after so long.
const RETRY: Duration = Duration::from_millis(1);

/// What a full bucket holds.
const fn full(rate: Rate) -> u64 {
    rate.burst as u64 * TOKEN
}

/// What a level has grown to after `elapsed`.
const fn grown(level: u64, elapsed: Duration, rate: Rate) -> u64 {
    let brought = (elapsed.as_nanos() as u64).saturating_mul(rate.per_second as u64);
    let level = level.saturating_add(brought);
    if level < full(rate) { level } else { full(rate) }
}

/// One token bucket of one thread. Over any stretch of time t it gives at most `burst + per_second x t`, and exactly that
/// where as much is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    level: u64,
    at: Time,
}

impl Bucket {
    /// Full for any rate, as everyone starts.
    pub const FULL: Bucket = Bucket { level: u64::MAX, at: Time::ZERO };

    /// Takes a token if there is one. A `now` before the last one counts as the last one.
    pub fn take(&mut self, now: Time, rate: Rate) -> bool {
        let ready = self.ready(now, rate);
        if ready {
            self.spend();
        }
        ready
    }

    /// A token is there, to be [spent](Bucket::spend).
    fn ready(&mut self, now: Time, rate: Rate) -> bool {
        self.level = grown(self.level, now.since(self.at), rate);
        self.at = self.at.max(now);
        self.level >= TOKEN
    }

    fn spend(&mut self) {
        self.level -= TOKEN;
    }
}

/// The bucket of a whole side, from which workers draw through their [`Share`]s.
///
/// With one worker that draws one by one it gives exactly what a [`Bucket`] does. With more, what they have drawn and
/// not used yet comes on top: a lot each at most.
#[derive(Debug)]
#[repr(align(64))]
pub struct Pool {
    level: AtomicU64,
    at: AtomicU64,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::new()
    }
}

impl Pool {
    /// A full one.
    pub fn new() -> Pool {
        Pool { level: AtomicU64::new(Bucket::FULL.level), at: AtomicU64::new(Bucket::FULL.at.as_nanos()) }
    }

    /// Takes up to `most` tokens, `reserve` of them left, and says how many.
    fn draw(&self, now: Time, rate: Rate, most: u32, reserve: u32) -> u32 {
        let at = self.at.load(Ordering::Relaxed);
        // The worker that moves the time on adds the tokens for the time since, so that they are added once.
        let mine = now.as_nanos() > at
            && self.at.compare_exchange(at, now.as_nanos(), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let elapsed = if mine { now.since(Time::from_nanos(at)) } else { Duration::ZERO };
        let mut drawn = 0;
        let take = |level| {
            let level = grown(level, elapsed, rate);
            drawn = (level / TOKEN).saturating_sub(reserve.into()).min(most.into());
            Some(level - drawn * TOKEN)
        };
        // Relaxed: the level stands for itself. It never fails, as `take` always has a new level.
        let _ = self.level.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        drawn as u32
    }
}

/// A source whose bucket gave no token for so long is rested: see [`Sources::admit_knowing`].
const RESTED: Duration = Duration::from_secs(1);

/// What one worker has drawn from a [`Pool`].
#[derive(Debug, Clone)]
pub struct Share {
    tokens: u32,
    lot: u32,
    retry: Time,
}

impl Share {
    /// Tokens to draw at a time where there are several workers: so many frames touch the shared line once.
    pub const LOT: u32 = 32;

    /// An empty share, for one of so many workers. A single one draws token by token: nobody else needs them, and a
    /// replay is exact.
    pub const fn of(workers: usize) -> Share {
        Share { tokens: 0, lot: if workers > 1 { Share::LOT } else { 1 }, retry: Time::ZERO }
    }

    /// Takes a token if there is one, here or in the pool. Always draw from the same pool.
    pub fn take(&mut self, pool: &Pool, now: Time, rate: Rate) -> bool {
        self.take_above(pool, now, rate, 0)
    }

    /// The same, leaving at least so many tokens in the pool for others.
    pub fn take_above(&mut self, pool: &Pool, now: Time, rate: Rate, reserve: u32) -> bool {
        if self.tokens == 0 && (self.lot == 1 || now >= self.retry) {
            self.tokens = pool.draw(now, rate, self.lot, reserve);
            if self.tokens < self.lot {
                self.retry = now.after(RETRY);
            }
        }
        let some = self.tokens > 0;
        self.tokens -= u32::from(some);
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

/// Buckets of one set: the keys on one cache line.
#[repr(align(64))]
struct Set {
    /// Zero in a slot that was never used: its bucket is full, as an unknown source's is.
    keys: [u64; Set::WAYS],
    buckets: [Bucket; Set::WAYS],
    /// When each last paid; zero where it never has.
    paid: [Time; Set::WAYS],
}

impl Set {
    const WAYS: usize = 8;

    /// The bucket of `key`. Where it has none yet, it replaces the fullest: a full bucket is what a new source has too, so
    /// the fuller one is, the less is forgotten.
    fn bucket(&mut self, key: u64, now: Time, rate: Rate) -> (&mut Bucket, &mut Time) {
        let way = self.keys.iter().position(|&k| k == key).unwrap_or_else(|| {
            let level = |&way: &usize| grown(self.buckets[way].level, now.since(self.buckets[way].at), rate);
            let fullest = (0..Set::WAYS).max_by_key(level).unwrap_or(0);
            self.keys[fullest] = key;
            self.buckets[fullest] = Bucket::FULL;
            self.paid[fullest] = Time::ZERO;
            fullest
        });
        (&mut self.buckets[way], &mut self.paid[way])
    }
}

/// The buckets of the sources that one worker sees, in fixed memory.
pub struct Sources {
    sets: Box<[Set]>,
    key: HashKey,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("slots", &(self.sets.len() * Set::WAYS)).finish_non_exhaustive()
    }
}

impl Sources {
    /// Room for two to four times so many sources: 64 to 128 bytes for each. `seed` is that of the hash: for live traffic
    /// one that nobody can guess.
    pub fn new(sources: u32, seed: u64) -> Sources {
        let set = || Set {
            keys: [0; Set::WAYS],
            buckets: [Bucket::FULL; Set::WAYS],
            paid: [Time::ZERO; Set::WAYS],
        };
        Sources {
            sets: (0..Sources::sets_for(sources)).map(|_| set()).collect(),
            key: HashKey::from_seed(seed),
        }
    }

    fn sets_for(sources: u32) -> usize {
        (2 * sources as usize).div_ceil(Set::WAYS).next_power_of_two()
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
    pub fn admit(&mut self, source: u64, now: Time, rate: Rate, wider: impl FnOnce() -> bool) -> Admitted {
        self.admit_knowing(source, now, rate, |_| wider())
    }

    /// The same; the wider limit is told whether this source is rested, which is that it took no token for a second.
    pub fn admit_knowing(
        &mut self,
        source: u64,
        now: Time,
        rate: Rate,
        wider: impl FnOnce(bool) -> bool,
    ) -> Admitted {
        let set = self.key.hash(source) as usize & (self.sets.len() - 1);
        let (bucket, paid) = self.sets[set].bucket(source, now, rate);
        if !bucket.ready(now, rate) {
            Admitted::SourceLimit
        } else if !wider(*paid == Time::ZERO || now.since(*paid) >= RESTED) {
            Admitted::SideLimit
        } else {
            bucket.spend();
            *paid = now;
            Admitted::Yes
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = TOKEN;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(1_700_000_000_000_000_000 + nanos)
    }

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate { per_second, burst }
    }

    fn taken(count: u32, mut take: impl FnMut() -> bool) -> u32 {
        (0..count).map(|_| u32::from(take())).sum()
    }

    #[test]
    fn a_bucket_starts_full_and_fills_no_further() {
        let (mut bucket, rate) = (Bucket::FULL, rate(50, 300));
        assert_eq!(taken(1000, || bucket.take(at(0), rate)), 300);
        assert_eq!(taken(1000, || bucket.take(at(3600 * SECOND), rate)), 300);
    }

    #[test]
    fn a_rate_that_is_no_whole_part_of_a_second_does_not_drift() {
        let (mut bucket, rate) = (Bucket::FULL, rate(7, 2));
        assert_eq!(taken(2, || bucket.take(at(0), rate)), 2);
        // 7/s for 1,000 s, looked at every millisecond
        let took = (1..=1_000_000).map(|ms| u32::from(bucket.take(at(ms * 1_000_000), rate))).sum::<u32>();
        assert_eq!(took, 7000);
        assert!(!bucket.take(at(1000 * SECOND + 142_857_142), rate));
        assert!(bucket.take(at(1000 * SECOND + 142_857_143), rate));
    }

    #[test]
    fn time_that_goes_back_brings_nothing() {
        let (mut bucket, rate) = (Bucket::FULL, rate(10, 1));
        assert!(bucket.take(at(SECOND), rate));
        assert!(!bucket.take(at(0), rate));
        assert!(!bucket.take(at(SECOND), rate));
        assert!(bucket.take(at(SECOND + SECOND / 10), rate));
    }

    #[test]
    fn the_largest_rate_over_the_longest_time_overflows_nothing() {
        let (mut bucket, rate) = (Bucket::FULL, rate(u32::MAX, u32::MAX));
        assert!(bucket.take(Time::ZERO, rate));
        assert!(bucket.take(Time::from_nanos(u64::MAX), rate));
    }

    #[test]
    fn a_reload_keeps_the_level_but_for_a_smaller_burst() {
        let mut bucket = Bucket::FULL;
        assert_eq!(taken(90, || bucket.take(at(0), rate(10, 100))), 90);
        assert_eq!(taken(100, || bucket.take(at(0), rate(1000, 1000))), 10, "a larger burst is no gift");
        assert_eq!(taken(100, || bucket.take(at(SECOND / 10), rate(1000, 5))), 5);

        let pool = Pool::new();
        let mut share = Share::of(1);
        assert_eq!(taken(90, || share.take(&pool, at(0), rate(10, 100))), 90);
        assert_eq!(taken(100, || share.take(&pool, at(0), rate(1000, 1000))), 10);
        assert_eq!(taken(100, || share.take(&pool, at(SECOND / 10), rate(1000, 5))), 5);
    }

    #[test]
    fn f190_a_side_lets_its_burst_and_then_its_rate_through() {
        let (pool, rate) = (Pool::new(), rate(1000, 2000));
        let mut share = Share::of(1);
        let took = (0..15_000).filter(|i| share.take(&pool, at(i * SECOND / 5000), rate)).count();
        assert!((4999..=5000).contains(&took), "{took}");
    }

    #[test]
    fn a_worker_among_several_draws_a_lot_at_a_time_and_asks_an_empty_pool_once_a_millisecond() {
        let (pool, rate) = (Pool::new(), rate(1_000_000, 40));
        let (mut one, mut other) = (Share::of(2), Share::of(2));
        assert!(one.take(&pool, at(0), rate));
        assert_eq!(taken(100, || other.take(&pool, at(0), rate)), 8, "40 less the first worker's 32");
        assert_eq!(taken(100, || one.take(&pool, at(0), rate)), 31);
        assert!(!one.take(&pool, at(999_999), rate), "the pool has filled, but it is not asked");
        assert_eq!(
            taken(100, || one.take(&pool, at(1_000_000), rate)),
            40,
            "lot after lot, while there is one"
        );
    }

    #[test]
    fn workers_together_get_no_more_than_the_rate_and_what_they_hold() {
        let (pool, rate) = (Pool::new(), rate(10_000, 100));
        let took = thread::scope(|scope| {
            let work = || {
                let mut share = Share::of(4);
                (0..1_000_000).filter(|i| share.take(&pool, at(i * 1000), rate)).count()
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>()
        });
        assert!(took <= 100 + 10_000, "{took}");
    }

    #[test]
    fn f191_a_source_over_its_rate_costs_the_others_nothing() {
        let mut sources = Sources::new(4096, 1);
        let rate = rate(50, 300);
        let mut loud = 0;
        for ms in 0..10_000 {
            let now = at(ms * 1_000_000);
            loud += u32::from(ms % 2 == 0 && sources.admit(1, now, rate, || true) == Admitted::Yes);
            if ms % 500 == 0 {
                assert_eq!(sources.admit(2, now, rate, || true), Admitted::Yes);
            }
        }
        assert!((300 + 499..=300 + 500).contains(&loud), "{loud}");
    }

    #[test]
    fn f192_a_router_that_comes_up_has_its_burst() {
        let mut sources = Sources::new(4096, 1);
        let passed = (0..130).filter(|i| {
            let now = at(i * 50_000_000 / 130);
            sources.admit(1, now, rate(50, 300), || true) == Admitted::Yes
        });
        assert_eq!(passed.count(), 130);
    }

    #[test]
    fn a_refused_frame_takes_nothing_from_any_bucket() {
        let mut sources = Sources::new(16, 1);
        let (pool, mut share) = (Pool::new(), Share::of(1));
        let (narrow, wide) = (rate(1, 2), rate(1, 3));
        use Admitted::{SideLimit, SourceLimit, Yes};
        let outcomes = [1, 1, 1, 1, 2, 2, 2]
            .map(|source| sources.admit(source, at(0), narrow, || share.take(&pool, at(0), wide)));
        assert_eq!(outcomes, [Yes, Yes, SourceLimit, SourceLimit, Yes, SideLimit, SideLimit]);
        assert_eq!(sources.admit(2, at(0), narrow, || true), Yes, "its second token is still there");
        assert_eq!(sources.admit(2, at(0), narrow, || true), SourceLimit);
    }

    #[test]
    fn a_full_set_forgets_the_source_that_has_sent_least() {
        let mut sources = Sources::new(4, 1); // one set
        assert_eq!(sources.sets.len(), 1);
        let rate = rate(1, 10);
        for source in 1..=8 {
            for _ in 0..source {
                assert_eq!(sources.admit(source, at(0), rate, || true), Admitted::Yes);
            }
        }
        assert_eq!(sources.admit(9, at(0), rate, || true), Admitted::Yes);
        let mut left = |source| taken(20, || sources.admit(source, at(0), rate, || true) == Admitted::Yes);
        assert_eq!((2..=8).map(&mut left).collect::<Vec<_>>(), [8, 7, 6, 5, 4, 3, 2]);
    }

    #[test]
    fn a_million_sources_take_no_more_memory_and_starve_nobody() {
        let mut sources = Sources::new(64, 1);
        let slots = sources.sets.len() * Set::WAYS;
        for source in 1..1_000_000 {
            assert_eq!(sources.admit(source, at(source), rate(1, 1), || true), Admitted::Yes);
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
            let rate = rate(per_second, burst);
            let mut bucket = Bucket::FULL;
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
            // No less either: a level kept in wide numbers says the same.
            let mut level = u128::from(burst) * u128::from(SECOND);
            let mut last = 0;
            for (time, asked, count) in given {
                level += u128::from(time - last) * u128::from(per_second);
                level = level.min(u128::from(burst) * u128::from(SECOND));
                last = time;
                let due = (level / u128::from(SECOND)).min(asked.into());
                prop_assert_eq!(u128::from(count), due);
                level -= due * u128::from(SECOND);
            }
        }

        #[test]
        fn a_single_workers_pool_is_a_bucket(
            demand in demand(), per_second in 1..2_000_000u32, burst in 1..200u32,
        ) {
            let rate = rate(per_second, burst);
            let (mut bucket, pool, mut share, mut now) = (Bucket::FULL, Pool::new(), Share::of(1), 0);
            for (pause, asked) in demand {
                now += pause;
                for _ in 0..asked {
                    prop_assert_eq!(share.take(&pool, at(now), rate), bucket.take(at(now), rate));
                }
            }
        }
    }
}
