use std::collections::HashMap;
use std::sync::Barrier;
use std::thread;

use proptest::prelude::*;
use rules::{Flap, Rate};

use super::*;

const M: Side = Side::First;
const W: Side = Side::Second;
const X: Mac = Mac::from_u64(0x0021_a056_2c19);

fn rules() -> Macs {
    Macs {
        capacity: 64,
        age: Duration::from_secs(300),
        new: Rate { per_second: 50, burst: 1000 },
        move_guard: Duration::from_secs(1),
        flap: Flap { moves: 5, within: Duration::from_secs(180), hold: Duration::from_secs(540) },
    }
}

/// Milliseconds after a moment such as captures have.
fn at(ms: u64) -> Time {
    Time::from_nanos(1_700_000_000_123_456_789 + ms * 1_000_000)
}

/// A table with its rules, and tokens without end.
struct Bench {
    table: Fdb,
    rules: Macs,
}

impl Bench {
    fn new(rules: Macs) -> Bench {
        Bench { table: Fdb::new(&rules, 1), rules }
    }

    fn learn(&self, mac: Mac, side: Side, ms: u64) -> Learned {
        self.table.learn(mac, side, at(ms), &self.rules, || true)
    }

    fn lookup(&self, mac: Mac, ms: u64) -> Option<Place> {
        self.table.lookup(mac, at(ms), &self.rules)
    }

    fn counts(&self) -> [u32; 2] {
        Side::BOTH.map(|side| self.table.count(side))
    }
}

fn station(i: u64) -> Mac {
    Mac::from_u64(0x0021_a000_0000 + i)
}

#[test]
fn f38_an_address_is_found_on_the_side_that_it_was_learned_on() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(station(1), M, 0), Learned::New);
    assert_eq!(b.learn(station(2), W, 0), Learned::New);
    assert_eq!(b.learn(station(1), M, 1), Learned::Known);
    assert_eq!(b.lookup(station(1), 2), Some(Place::Side(M)));
    assert_eq!(b.lookup(station(2), 2), Some(Place::Side(W)));
    assert_eq!(b.lookup(station(3), 2), None);
    assert_eq!(b.counts(), [1, 1]);
}

#[test]
fn f43_an_address_on_both_sides_within_the_guard_is_refused_and_its_entry_unchanged() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 0), Learned::New);
    assert_eq!(b.learn(X, W, 500), Learned::BothSides);
    assert_eq!(b.lookup(X, 500), Some(Place::Side(M)));
    assert_eq!(b.learn(X, W, 1300), Learned::Moved, "the refused frame was no sight of it");
}

#[test]
fn f43_the_guard_runs_from_the_last_sight() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 0), Learned::New);
    assert_eq!(b.learn(X, M, 900), Learned::Known);
    assert_eq!(b.learn(X, W, 1850), Learned::BothSides);
}

#[test]
fn f44_f45_a_silent_address_moves_and_is_found_on_its_new_side_at_once() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 0), Learned::New);
    assert_eq!(b.learn(X, W, 2000), Learned::Moved);
    assert_eq!(b.lookup(X, 2000), Some(Place::Side(W)));
    assert_eq!(b.counts(), [0, 1]);
}

#[test]
fn f46_the_fifth_move_quarantines_on_both_sides_and_is_told_once() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 0), Learned::New);
    for (i, side) in [W, M, W, M].into_iter().enumerate() {
        assert_eq!(b.learn(X, side, 2000 * (i as u64 + 1)), Learned::Moved);
    }
    assert_eq!(b.learn(X, W, 10_000), Learned::Flapping { first: true });
    for ms in [10_001, 12_000, 400_000, 549_999] {
        assert_eq!(b.learn(X, M, ms), Learned::Flapping { first: false });
        assert_eq!(b.learn(X, W, ms), Learned::Flapping { first: false });
        assert_eq!(b.lookup(X, ms), Some(Place::Quarantined));
    }
}

#[test]
fn f46_moves_spread_over_more_than_the_window_do_not_quarantine() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 0), Learned::New);
    for i in 1..100 {
        assert_eq!(b.learn(X, if i % 2 == 1 { W } else { M }, 45_100 * i), Learned::Moved);
    }
}

#[test]
fn f46_sixteen_moves_can_be_asked_for() {
    let mut rules = rules();
    rules.flap.moves = 16;
    let b = Bench::new(rules);
    assert_eq!(b.learn(X, M, 0), Learned::New);
    for i in 1..16 {
        assert_eq!(b.learn(X, if i % 2 == 1 { W } else { M }, 2000 * i), Learned::Moved);
    }
    assert_eq!(b.learn(X, M, 32_000), Learned::Flapping { first: true });
}

/// Flaps `X` into quarantine at 10 s.
fn quarantined(rules: Macs) -> Bench {
    let b = Bench::new(rules);
    for i in 0..=5 {
        let _ = b.learn(X, Side::from_index(i), 2000 * i as u64);
    }
    assert_eq!(b.lookup(X, 10_000), Some(Place::Quarantined));
    b
}

#[test]
fn f46_a_move_long_ago_counts_for_nothing_however_long_ago_it_was() {
    let b = Bench::new(Macs { flap: Flap { moves: 2, ..rules().flap }, ..rules() });
    // times of moves have 32 bits
    for years in [1, 5, 10, 16] {
        let gap = years * 365 * 24 * 3_600_000;
        let history = &b.table.histories[0];
        history.clear();
        history.record(at(0));
        assert_eq!(history.recent(at(180_000), Duration::from_secs(180)), 1);
        assert_eq!(history.recent(at(gap), Duration::from_secs(180)), 0, "{years} years");
        history.hold(at(0), Duration::from_secs(540));
        assert!(history.left(at(gap)).is_zero());
    }
}

#[test]
fn f47_after_the_quarantine_it_is_learned_wherever_it_speaks() {
    for side in Side::BOTH {
        let b = quarantined(rules());
        assert_eq!(b.counts(), [1, 0]);
        let over = 550_000 + TICK.as_millis() as u64;
        assert_eq!(b.lookup(X, over), None);
        assert_eq!(b.learn(X, side, over), Learned::New);
        assert_eq!(b.lookup(X, over), Some(Place::Side(side)));
        assert_eq!(b.counts().iter().sum::<u32>(), 1);
    }
}

#[test]
fn f47_moves_before_the_quarantine_do_not_count_after_it() {
    let mut rules = rules();
    rules.flap.hold = Duration::from_secs(20);
    let b = quarantined(rules);
    assert_eq!(b.learn(X, W, 30_250), Learned::New);
    for i in 1..5 {
        assert_eq!(b.learn(X, Side::from_index(1 + i), 30_250 + 2000 * i as u64), Learned::Moved);
    }
    assert_eq!(b.learn(X, M, 40_000), Learned::Flapping { first: true });
}

#[test]
fn f47_a_sweep_ends_a_quarantine_no_sooner() {
    let b = quarantined(rules());
    b.table.sweep_all(at(549_999), &b.rules);
    assert_eq!(b.counts(), [1, 0]);
    b.table.sweep_all(at(550_250), &b.rules);
    assert_eq!(b.counts(), [0, 0]);
}

#[test]
fn f48_one_more_than_the_capacity_is_refused_and_the_others_stay() {
    let b = Bench::new(Macs { capacity: 4096, ..rules() });
    for i in 0..4096 {
        assert_eq!(b.learn(station(i), M, i), Learned::New);
    }
    let asked = b.table.learn(X, M, at(4096), &b.rules, || panic!("no room, no token"));
    assert_eq!(asked, Learned::Full);
    assert_eq!(b.lookup(X, 4096), None);
    assert!((0..4096).all(|i| b.lookup(station(i), 4096) == Some(Place::Side(M))));
    assert_eq!(b.counts(), [4096, 0]);
    assert_eq!(b.learn(X, W, 4096), Learned::New, "one side cannot lock the other out");
}

#[test]
fn f48_a_move_to_a_full_side_is_refused_and_its_entry_unchanged() {
    let b = Bench::new(Macs { capacity: 1, ..rules() });
    assert_eq!(b.learn(station(1), M, 0), Learned::New);
    assert_eq!(b.learn(station(2), W, 0), Learned::New);
    assert_eq!(b.learn(station(1), W, 2000), Learned::Full);
    assert_eq!(b.lookup(station(1), 2000), Some(Place::Side(M)));
    assert_eq!(b.counts(), [1, 1]);
}

#[test]
fn f49_without_a_token_nothing_is_learned_and_known_addresses_need_none() {
    let b = Bench::new(rules());
    assert_eq!(b.table.learn(X, M, at(0), &b.rules, || false), Learned::NewLimit);
    assert_eq!((b.lookup(X, 0), b.counts()), (None, [0, 0]));
    assert_eq!(b.learn(X, M, 0), Learned::New);
    for ms in [0, 299_000] {
        assert_eq!(b.table.learn(X, M, at(ms), &b.rules, || panic!("known")), Learned::Known);
    }
    assert_eq!(b.table.learn(X, W, at(310_000), &b.rules, || panic!("moves")), Learned::Moved);
}

#[test]
fn f50_an_address_idle_for_301_s_is_gone_and_its_place_given_back_once() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 0), Learned::New);
    assert_eq!(b.lookup(X, 300_000), Some(Place::Side(M)));
    assert_eq!(b.lookup(X, 301_000), None);
    assert_eq!(b.learn(X, M, 301_000), Learned::New);
    assert_eq!(b.counts(), [1, 0]);
    assert_eq!(b.learn(X, W, 602_000), Learned::New, "an aged address does not move: it is new");
    assert_eq!(b.counts(), [0, 1]);
    b.table.sweep_all(at(903_000), &b.rules);
    b.table.sweep_all(at(903_000), &b.rules);
    assert_eq!(b.counts(), [0, 0]);
}

#[test]
fn guard_and_age_hold_to_a_quarter_of_a_second_at_every_phase_of_the_tick() {
    for phase in 0..250 {
        for idle in 990..1260 {
            let b = Bench::new(Macs { capacity: 1, ..rules() });
            let _ = b.learn(X, M, phase);
            let outcome = b.learn(X, W, phase + idle);
            match idle {
                ..=1000 => assert_eq!(outcome, Learned::BothSides, "{phase} + {idle}"),
                1250.. => assert_eq!(outcome, Learned::Moved, "{phase} + {idle}"),
                _ => {}
            }
        }
        let b = Bench::new(Macs { capacity: 1, ..rules() });
        let _ = b.learn(X, M, phase);
        assert!(b.lookup(X, phase + 300_000).is_some());
        assert!(b.lookup(X, phase + 300_250).is_none());
    }
}

#[test]
fn no_gap_wraps_an_age() {
    let wrap = STAMPS * 250;
    let day = 24 * 3600 * 1000;
    for gap in [wrap - 250, wrap, wrap + 250, 7 * wrap, 1000 * wrap, 100_000 * wrap, day, 400 * day] {
        for age in [300, 3600] {
            let b = Bench::new(Macs { age: Duration::from_secs(age), ..rules() });
            assert_eq!(b.learn(X, M, 0), Learned::New);
            assert_eq!(b.lookup(X, gap), None, "after {gap} ms");
            assert_eq!(b.table.entries(at(gap), &b.rules).count(), 0);

            let b = Bench::new(Macs { age: Duration::from_secs(age), ..rules() });
            assert_eq!(b.learn(X, M, 0), Learned::New);
            assert_eq!(b.table.entries(at(gap), &b.rules).count(), 0);
            assert_eq!(b.learn(X, W, gap), Learned::New, "after {gap} ms");
            assert_eq!(b.counts(), [0, 1]);
        }
    }
}

#[test]
fn a_gap_shorter_than_the_age_but_beyond_the_horizon_keeps_addresses() {
    let b = Bench::new(Macs { age: Duration::from_secs(3600), ..rules() });
    assert_eq!(b.learn(X, M, 0), Learned::New);
    for step in 1..10 {
        assert_eq!(b.lookup(X, step * 400_000 - 1000), Some(Place::Side(M)));
    }
    assert_eq!(b.lookup(X, 3_601_000), None);
}

#[test]
fn the_first_look_at_a_table_that_a_reload_made_sweeps_nothing() {
    let b = Bench::new(rules());
    // what any sweep would free: no count is kept of it
    let marked = &b.table.sets[0].0[0];
    marked.store(Word::heard(X, M, tick_of(at(0)) - 10_000).0, Ordering::Relaxed);
    assert_eq!(b.learn(station(1), M, 0), Learned::New);
    assert_ne!(marked.load(Ordering::Relaxed), Word::FREE.0);
    assert!(b.table.horizon.load(Ordering::Relaxed) > tick_of(at(400_000)), "and none is due for minutes");
}

#[test]
fn a_silent_address_stays_gone_while_the_table_is_in_use() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 0), Learned::New);
    for ms in (0..10_000_000).step_by(250) {
        assert!(b.learn(station(1), W, ms).passes());
        assert_eq!(b.lookup(X, ms).is_some(), ms <= 300_000, "at {ms} ms");
    }
}

#[test]
fn a_worker_whose_clock_is_behind_takes_nothing_back() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 10_000), Learned::New);
    assert_eq!(b.learn(X, M, 9_000), Learned::Known);
    assert_eq!(b.learn(X, W, 9_000), Learned::BothSides);
    assert_eq!(b.lookup(X, 9_000), Some(Place::Side(M)));
    assert_eq!(b.learn(X, W, 10_900), Learned::BothSides);
}

#[test]
fn a_reload_changes_age_guard_and_flapping_of_what_is_learned() {
    let mut b = Bench::new(rules());
    assert_eq!(b.learn(X, M, 0), Learned::New);
    b.rules.age = Duration::from_secs(10);
    assert_eq!(b.lookup(X, 11_000), None);
    b.rules.age = Duration::from_secs(3000);
    assert_eq!(b.lookup(X, 2_999_000), Some(Place::Side(M)));
    b.rules.move_guard = Duration::from_secs(2999);
    assert_eq!(b.learn(X, W, 2_999_000), Learned::BothSides);
    b.rules.move_guard = Duration::ZERO;
    assert_eq!(b.learn(X, W, 2_999_001), Learned::Moved);
    b.rules.flap.moves = 2;
    assert_eq!(b.learn(X, M, 2_999_501), Learned::Flapping { first: true });
}

#[test]
fn limits_beyond_the_longest_count_as_the_longest() {
    let b = Bench::new(Macs { age: Duration::MAX, move_guard: Duration::MAX, ..rules() });
    assert_eq!(b.learn(X, M, 0), Learned::New);
    assert_eq!(b.lookup(X, 3_600_000), Some(Place::Side(M)));
    assert_eq!(b.lookup(X, 3_600_250), None);
}

#[test]
fn what_is_no_station_is_never_learned_or_found() {
    let b = Bench::new(rules());
    for mac in [Mac::ZERO, Mac::BROADCAST, Mac::from_u64(0x0180_c200_0000)] {
        assert_eq!(b.learn(mac, M, 0), Learned::Full);
        assert_eq!(b.lookup(mac, 0), None);
    }
    assert_eq!(b.counts(), [0, 0]);
}

/// Addresses that can all be in the same two sets only.
fn crowd(table: &Fdb) -> impl Iterator<Item = Mac> {
    (0..).map(station).filter(|&mac| table.homes(mac).0.iter().all(|&set| set < 2))
}

#[test]
fn two_full_sets_are_full_below_the_capacity_until_an_entry_ages() {
    let b = Bench::new(Macs { capacity: 16, ..rules() });
    let crowd: Vec<Mac> = crowd(&b.table).take(2 * WAYS + 1).collect();
    for (i, &mac) in crowd[..2 * WAYS].iter().enumerate() {
        assert_eq!(b.learn(mac, Side::from_index(i), 0), Learned::New);
    }
    let last = crowd[2 * WAYS];
    assert_eq!(b.learn(last, M, 1000), Learned::Full);
    assert_eq!(b.counts(), [8, 8]);
    assert_eq!(b.learn(last, M, 301_000), Learned::New);
    assert_eq!(b.lookup(last, 301_000), Some(Place::Side(M)));
    assert_eq!(b.counts(), [1, 0], "what had aged in its sets is gone");
}

#[test]
fn a_sweep_in_pieces_frees_what_has_aged_and_nothing_else() {
    let b = Bench::new(rules());
    for i in 0..64 {
        let _ = b.learn(station(i), M, if i < 32 { 0 } else { 200_000 });
    }
    let mut sweep = Sweep::default();
    for _ in 0..b.table.slots().div_ceil(48) {
        b.table.sweep(at(301_000), &b.rules, &mut sweep, 48, |_, _| {});
    }
    assert_eq!(b.counts(), [32, 0]);
    assert!((32..64).all(|i| b.lookup(station(i), 301_000).is_some()));
}

#[test]
fn entries_say_where_each_address_is_since_when_and_how_often_it_moved() {
    let b = quarantined(rules());
    let _ = b.learn(station(1), W, 10_000);
    let mut entries: Vec<Entry> = b.table.entries(at(12_000), &b.rules).collect();
    entries.sort_by_key(|entry| entry.mac);
    let heard = State::Heard { idle: Duration::from_secs(2) };
    let held = State::Quarantined { left: Duration::from_secs(538) + TICK };
    assert_eq!(
        entries,
        [
            Entry { mac: station(1), side: W, state: heard, moves: 0 },
            Entry { mac: X, side: M, state: held, moves: 5 }
        ]
    );
}

#[test]
fn every_key_fills_both_sides_to_the_last_address() {
    for (capacity, seeds) in [(4096, 0..8), (100_000, 8..10)] {
        for seed in seeds {
            let rules = Macs { capacity, ..rules() };
            let table = Fdb::new(&rules, seed);
            for i in 0..u64::from(capacity) {
                // one vendor's in sequence, and scattered ones
                let scattered = Mac::from_u64(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xfeff_ffff_fffe | 1);
                assert_eq!(table.learn(station(i), M, at(0), &rules, || true), Learned::New, "{seed}: {i}");
                assert_eq!(table.learn(scattered, W, at(0), &rules, || true), Learned::New, "{seed}: {i}");
            }
            assert_eq!(table.entries(at(0), &rules).count(), 2 * capacity as usize);
        }
    }
}

#[test]
fn four_threads_never_exceed_the_capacity_and_leave_no_address_twice() {
    let rules = Macs { capacity: 100, age: Duration::from_secs(3), move_guard: Duration::ZERO, ..rules() };
    let table = Fdb::new(&rules, 1);
    let start = Barrier::new(4);
    let work = |seed: u64| {
        let key = HashKey::from_seed(seed);
        start.wait();
        for i in 0..100_000 {
            let random = key.hash(i);
            let (now, side) = (at(i / 10), Side::from_index((random >> 40) as usize));
            let _ = table.learn(station(random % 400), side, now, &rules, || true);
            if i % 1000 == seed {
                table.sweep_all(now, &rules);
            }
            assert!(Side::BOTH.iter().all(|&side| table.count(side) <= 100));
        }
    };
    thread::scope(|scope| (0..4).for_each(|seed| drop(scope.spawn(move || work(seed)))));

    let words = table.sets.iter().flat_map(|set| (0..WAYS).map(|way| set.word(way)));
    let words: Vec<Word> = words.filter(|&word| word != Word::FREE).collect();
    for side in Side::BOTH {
        let on_side = words.iter().filter(|word| word.side() == side).count();
        assert_eq!(on_side, table.count(side) as usize);
    }
    let mut macs: Vec<Mac> = words.iter().map(|word| word.mac()).collect();
    macs.sort();
    macs.dedup();
    assert_eq!(macs.len(), words.len());
    table.sweep_all(at(1_000_000), &rules);
    assert_eq!(Side::BOTH.map(|side| table.count(side)), [0, 0]);
}

/// What the table must do, as plainly as it can be said, for times that are whole ticks.
#[derive(Default)]
struct Model(HashMap<Mac, Heard>);

struct Heard {
    side: Side,
    last: Time,
    moves: Vec<Time>,
    until: Option<Time>,
}

impl Model {
    fn learn(&mut self, mac: Mac, side: Side, now: Time, rules: &Macs) -> Learned {
        if self.lookup(mac, now, rules).is_none() {
            self.0.remove(&mac);
        }
        let Some(heard) = self.0.get_mut(&mac) else {
            self.0.insert(mac, Heard { side, last: now, moves: vec![], until: None });
            return Learned::New;
        };
        if heard.until.is_some() {
            return Learned::Flapping { first: false };
        }
        if heard.side != side {
            if now.since(heard.last) <= rules.move_guard {
                return Learned::BothSides;
            }
            heard.moves.push(now);
            heard.moves.retain(|&time| now.since(time) <= rules.flap.within);
            if heard.moves.len() >= rules.flap.moves.into() {
                heard.until = Some(now.after(rules.flap.hold));
                return Learned::Flapping { first: true };
            }
            (heard.side, heard.last) = (side, now);
            return Learned::Moved;
        }
        heard.last = now;
        Learned::Known
    }

    fn lookup(&self, mac: Mac, now: Time, rules: &Macs) -> Option<Place> {
        let heard = self.0.get(&mac)?;
        match heard.until {
            Some(until) => (now < until).then_some(Place::Quarantined),
            None => (now.since(heard.last) <= rules.age).then_some(Place::Side(heard.side)),
        }
    }
}

/// Ticks between frames: mostly short, sometimes hours, days or whole wraps.
fn pauses() -> impl Strategy<Value = u64> {
    prop_oneof![
        12 => 0..12u64,
        4 => 0..2000u64,
        1 => 0..40_000u64,
        1 => (1..5000u64).prop_map(|wraps| wraps * STAMPS),
    ]
}

proptest! {
    #[test]
    fn any_history_of_frames_ends_as_the_plain_rules_say(
        frames in prop::collection::vec((0..4u64, any::<bool>(), pauses(), 0..20u8), 1..200),
        moves in 1..6u8,
        within in prop_oneof![Just(20u64), Just(180)],
        hold in prop_oneof![Just(5u64), Just(540), Just(9000)],
        age in prop_oneof![Just(10u64), Just(300), Just(3600)],
    ) {
        let mut rules = rules();
        rules.age = Duration::from_secs(age);
        rules.flap = Flap { moves, within: Duration::from_secs(within), hold: Duration::from_secs(hold) };
        let table = Fdb::new(&rules, 3);
        let mut model = Model::default();
        let mut now = Time::from_nanos(1_700_000_000_000_000_000);
        for (mac, second, pause, extra) in frames {
            now = now.after(TICK * pause as u32);
            let mac = station(mac);
            if extra == 0 {
                table.sweep_all(now, &rules);
            }
            prop_assert_eq!(table.lookup(mac, now, &rules), model.lookup(mac, now, &rules));
            let side = Side::from_index(second.into());
            let learned = table.learn(mac, side, now, &rules, || true);
            prop_assert_eq!(learned, model.learn(mac, side, now, &rules));
            prop_assert_eq!(table.lookup(mac, now, &rules), model.lookup(mac, now, &rules));
        }
    }
}

#[test]
fn f211_a_table_that_lasts_forgets_nobody_however_long_it_is_swept() {
    let table = Fdb::lasting(4, 1);
    let rules = rules();
    let last = |ms| table.sight(X, at(ms), &rules);
    assert_eq!(table.learn(X, W, at(0), &rules, || true), Learned::New);
    // more than twice what a stamp can say
    for minute in 1..200 {
        table.sweep_all(at(60_000 * minute), &rules);
        assert_eq!(table.lookup(X, at(60_000 * minute), &rules), Some(Place::Side(W)));
        assert_eq!(table.view(at(60_000 * minute), &rules).known(X, W), FdbLookup::HitStale);
        let silence = at(60_000 * minute).since(last(60_000 * minute).unwrap().heard);
        let known = Duration::from_secs(60 * minute).min(Fdb::LONGEST);
        assert!((known..known + 2 * TICK).contains(&silence), "{silence:?} after {minute} minutes");
    }
    assert_eq!(table.learn(X, M, at(12_000_000), &rules, || panic!()), Learned::Moved);
    assert_eq!(Side::BOTH.map(|side| table.count(side)), [1, 0]);
}

#[test]
fn f195_what_one_table_knows_another_takes_over_with_its_history() {
    let old = quarantined(rules());
    let stations = [station(1), station(2), station(3)];
    stations.iter().for_each(|mac| assert_eq!(old.learn(*mac, W, 10_000), Learned::New));
    old.table.sweep_all(at(10_000), &old.rules);
    let new = Fdb::lasting(3, 2);
    new.take_over(&old.table, |mac| mac == X || mac == stations[0] || mac == stations[1]);
    assert_eq!(new.lookup(X, at(10_000), &old.rules), Some(Place::Quarantined));
    assert_eq!(new.lookup(stations[0], at(10_000), &old.rules), Some(Place::Side(W)));
    assert_eq!(new.lookup(stations[2], at(10_000), &old.rules), None);
    let sight = new.sight(stations[1], at(70_000), &old.rules).unwrap();
    assert!(at(70_000).since(sight.heard) >= Duration::from_secs(60));
    // and back, over what is there
    old.table.take_over(&new, |_| true);
    assert_eq!(old.counts(), [1, 3]);
    assert_eq!(old.lookup(X, 549_999), Some(Place::Quarantined));
}

#[test]
fn f200_challengers_are_refused_for_the_hold_and_nobody_else() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, W, 0), Learned::New);
    b.table.refuse_challengers(X, at(1000), Duration::from_secs(60));
    for ms in [1000, 30_000, 60_999] {
        assert_eq!(b.learn(X, W, ms - 1000), Learned::Known);
        assert_eq!(b.learn(X, M, ms), Learned::Refused);
        assert_eq!(b.lookup(X, ms), Some(Place::Side(W)));
    }
    assert_eq!(b.learn(X, M, 61_250), Learned::Moved);
    assert_eq!(b.table.entries(at(61_250), &b.rules).next().map(|entry| entry.moves), Some(1));
}

#[test]
fn f199_challengers_are_looked_into_again_once_the_address_is_silent() {
    let b = Bench::new(rules());
    assert_eq!(b.learn(X, W, 0), Learned::New);
    b.table.refuse_challengers(X, at(0), Duration::from_secs(60));
    assert_eq!(b.learn(X, M, 5000), Learned::Refused);
    assert_eq!(b.learn(X, M, 5250), Learned::Moved);
}

#[test]
fn f198_a_move_is_decided_by_what_was_heard_since_the_question() {
    let b = Bench::new(rules());
    let verdict = |asked, now| b.table.move_silent(X, M, at(asked), at(now), &b.rules);
    assert_eq!(verdict(0, 0), Verdict::Settled, "nowhere");
    assert_eq!(b.learn(X, W, 0), Learned::New);
    assert_eq!(verdict(600, 1000), Verdict::Guarded);
    assert_eq!(b.learn(X, W, 700), Learned::Known);
    assert_eq!(verdict(600, 1100), Verdict::Alive);
    assert_eq!(verdict(1300, 2300), Verdict::Moved);
    assert_eq!((b.lookup(X, 2300), b.counts()), (Some(Place::Side(M)), [1, 0]));
    assert_eq!(verdict(1300, 2400), Verdict::Settled);
}
