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
    let (bucket, rate) = (Bucket::default(), pace(50, 300));
    assert_eq!(taken(1000, || bucket.take(at(0), rate)), 300);
    assert_eq!(taken(1000, || bucket.take(at(3600 * SECOND), rate)), 300);
}

#[test]
fn a_rate_that_is_no_whole_part_of_a_second_does_not_drift() {
    let (bucket, rate) = (Bucket::default(), pace(7, 2));
    assert_eq!(taken(2, || bucket.take(at(0), rate)), 2);
    // 7/s for 1,000 s, looked at every millisecond
    let took = (1..=1_000_000).map(|ms| u32::from(bucket.take(at(ms * 1_000_000), rate))).sum::<u32>();
    // a token takes 142,857,143 ns: 1 ns in 7,000 tokens more than it should
    assert!((6999..=7000).contains(&took), "{took}");
}

#[test]
fn time_that_goes_back_brings_nothing() {
    let (bucket, rate) = (Bucket::default(), pace(10, 1));
    assert!(bucket.take(at(SECOND), rate));
    assert!(!bucket.take(at(0), rate));
    assert!(!bucket.take(at(SECOND), rate));
    assert!(bucket.take(at(SECOND + SECOND / 10), rate));
}

#[test]
fn the_largest_rate_over_the_longest_time_overflows_nothing() {
    let (bucket, rate) = (Bucket::default(), pace(u32::MAX, u32::MAX));
    assert!(bucket.take(Time::ZERO, rate));
    assert!(bucket.take(Time::from_nanos(u64::MAX), rate));
}

#[test]
fn a_reload_keeps_the_level_but_for_a_smaller_burst() {
    let (slow, fast, small) = (pace(10, 100), pace(1000, 1000), pace(1000, 5));
    let bucket = Bucket::default();
    assert_eq!(taken(90, || bucket.take(at(0), slow)), 90);
    bucket.repace(at(0), slow, fast);
    assert_eq!(taken(100, || bucket.take(at(0), fast)), 10, "a larger burst is no gift");
    bucket.repace(at(SECOND / 10), fast, small);
    assert_eq!(taken(100, || bucket.take(at(SECOND / 10), small)), 5);
    let full = Bucket::default();
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
    assert_eq!(taken(1000, || other.take(&pool, at(0), rate, LOUD)), 150, "160 less the first worker's 10");
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
        let bucket = Bucket::default();
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
        let (bucket, pool, mut lot, mut now) = (Bucket::default(), Pool::default(), Lot::of(1), 0);
        for (pause, asked) in demand {
            now += pause;
            for _ in 0..asked {
                prop_assert_eq!(lot.take(&pool, at(now), rate, LOUD), bucket.take(at(now), rate));
            }
        }
    }
}
