//! Every order in which two workers' steps on one address can fall.

use loom::sync::Arc;
use loom::thread;
use rules::{Flap, Rate};

use super::*;

const M: Side = Side::First;
const W: Side = Side::Second;
const X: Mac = Mac::from_u64(0x0021_a056_2c19);
const Y: Mac = Mac::from_u64(0x0021_a056_2c1a);
const Z: Mac = Mac::from_u64(0x0021_a056_2c1b);

const RULES: Macs = Macs {
    capacity: 2,
    age: Duration::from_secs(300),
    new: Rate { per_second: 1, burst: 1 },
    move_guard: Duration::from_secs(1),
    flap: Flap { moves: 5, within: Duration::from_secs(180), hold: Duration::from_secs(540) },
};

fn at(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn learn(table: &Fdb, mac: Mac, side: Side, ms: u64) -> Learned {
    table.learn(mac, side, at(ms), &RULES, || true)
}

/// An empty table that is past its first sweep.
fn table() -> Fdb {
    let table = Fdb::new(&RULES, 1);
    table.sweep_all(at(0), &RULES);
    table
}

/// The words that are there; the counts are theirs and within the capacity.
fn words(table: &Fdb) -> Vec<Word> {
    let slots = table.sets.iter().flat_map(|set| (0..WAYS).map(|way| set.word(way)));
    let words: Vec<Word> = slots.filter(|&word| word != Word::FREE).collect();
    for side in Side::BOTH {
        let on_side = words.iter().filter(|word| word.side() == side).count();
        assert_eq!(on_side, table.count(side) as usize);
        assert!(on_side <= RULES.capacity as usize);
    }
    words
}

/// Runs `one` and `other` on one table at once, in every order, and checks the outcomes and what is left.
fn race<A: 'static, B: 'static>(
    prepare: fn(&Fdb),
    one: fn(&Fdb) -> A,
    other: fn(&Fdb) -> B,
    check: fn(A, B, Vec<Word>),
) {
    loom::model(move || {
        let table = Arc::new(table());
        prepare(&table);
        let thread = thread::spawn({
            let table = Arc::clone(&table);
            move || one(&table)
        });
        let other = other(&table);
        check(thread.join().unwrap(), other, words(&table));
    });
}

#[test]
fn a_new_address_met_by_two_workers_on_one_side_is_one_entry() {
    race(
        |_| {},
        |table| learn(table, X, M, 1000),
        |table| learn(table, X, M, 1000),
        |a, b, words| {
            assert_eq!(words, [Word::heard(X, M, 4)]);
            assert!(a.passes() && b.passes());
        },
    );
}

#[test]
fn a_new_address_met_by_two_workers_on_both_sides_is_on_one() {
    race(
        |_| {},
        |table| learn(table, X, M, 1000),
        |table| learn(table, X, W, 1000),
        |a, b, words| {
            assert_eq!(words.len(), 1);
            assert!([M, W].contains(&words[0].side()));
            assert!(if words[0].side() == M { a.passes() } else { b.passes() });
        },
    );
}

#[test]
fn a_new_address_put_in_two_slots_at_once_stays_in_one() {
    // An aged entry is in the way of the one worker, and is swept before the other looks.
    race(
        |table| {
            let home = table.homes(X).0[0];
            let old = (1..).map(Mac::from_u64).find(|&mac| table.homes(mac).0[0] == home).unwrap();
            assert_eq!(learn(table, old, W, 0), Learned::New);
        },
        |table| learn(table, X, M, 301_000),
        |table| {
            table.sweep_all(at(301_000), &RULES);
            learn(table, X, M, 301_000)
        },
        |a, b, words| {
            assert_eq!(words, [Word::heard(X, M, 301 * 4)]);
            assert!(a.passes() && b.passes());
        },
    );
}

#[test]
fn two_new_addresses_do_not_share_the_last_place() {
    race(
        |table| assert_eq!(learn(table, Z, M, 0), Learned::New),
        |table| learn(table, X, M, 1000),
        |table| learn(table, Y, M, 1000),
        |a, b, words| {
            assert_eq!(words.len(), 2);
            assert!(matches!((a, b), (Learned::New, Learned::Full) | (Learned::Full, Learned::New)));
        },
    );
}

#[test]
fn a_move_and_a_refresh_leave_one_entry_that_one_of_them_wrote() {
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| learn(table, X, W, 2000),
        |table| learn(table, X, M, 2000),
        |moved, refreshed, words| match moved {
            Learned::Moved => {
                assert_eq!(words, [Word::heard(X, W, 8)]);
                assert!(matches!(refreshed, Learned::Known | Learned::BothSides));
            }
            outcome => {
                assert_eq!((outcome, refreshed), (Learned::BothSides, Learned::Known));
                assert_eq!(words, [Word::heard(X, M, 8)]);
            }
        },
    );
}

#[test]
fn two_workers_that_see_one_move_count_it_once() {
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| learn(table, X, W, 2000),
        |table| learn(table, X, W, 2000),
        |a, b, words| {
            assert!(matches!((a, b), (Learned::Moved, Learned::Known) | (Learned::Known, Learned::Moved)));
            assert_eq!(words, [Word::heard(X, W, 8)]);
        },
    );
}

#[test]
fn expiry_never_takes_an_entry_that_was_just_heard() {
    // The sweeper's clock says that it has aged, the worker's is behind and finds it alive.
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| learn(table, X, M, 299_000),
        |table| table.sweep_all(at(301_000), &RULES),
        |learned, (), words| {
            assert!(learned.passes());
            assert_eq!(words, [Word::heard(X, M, 299 * 4)]);
        },
    );
}

#[test]
fn an_aged_entry_gives_its_place_back_once() {
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| learn(table, X, W, 301_000),
        |table| table.sweep_all(at(301_000), &RULES),
        |learned, (), words| {
            assert_eq!(learned, Learned::New);
            assert_eq!(words, [Word::heard(X, W, 301 * 4)]);
        },
    );
}

#[test]
fn two_workers_that_catch_up_beyond_the_horizon_lose_nothing_new() {
    const GAP: u64 = STAMPS * 250 + 250; // at its face the old stamp is a tick old
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| learn(table, X, M, GAP),
        |table| learn(table, Y, W, GAP),
        |a, b, words| {
            assert_eq!((a, b), (Learned::New, Learned::New));
            assert_eq!(words.len(), 2);
        },
    );
}

#[test]
fn two_workers_that_meet_a_table_made_late_lose_nothing() {
    const LATE: u64 = STAMPS * 250 + 250;
    race(
        |_| {},
        |table| learn(table, X, M, LATE),
        |table| (learn(table, Y, W, LATE), table.lookup(Y, at(LATE), &RULES)),
        |a, b, words| {
            assert_eq!((a, b), (Learned::New, (Learned::New, Some(Place::Side(W)))));
            assert_eq!(words.len(), 2);
        },
    );
}

#[test]
fn a_look_up_during_an_insertion_sees_it_whole_or_not_at_all() {
    race(
        |_| {},
        |table| learn(table, X, W, 1000),
        |table| [table.lookup(X, at(1000), &RULES), table.lookup(Y, at(1000), &RULES)],
        |_, [x, y], _| {
            assert!(x.is_none() || x == Some(Place::Side(W)));
            assert_eq!(y, None);
        },
    );
}

#[test]
fn a_look_up_during_a_move_finds_one_side_or_the_other() {
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| learn(table, X, W, 2000),
        |table| [table.lookup(X, at(2000), &RULES), table.lookup(X, at(2000), &RULES)],
        |_, seen, _| {
            let (old, new) = (Some(Place::Side(M)), Some(Place::Side(W)));
            assert!([[old, old], [old, new], [new, new]].contains(&seen), "{seen:?}");
        },
    );
}

#[test]
fn a_look_up_that_sees_a_quarantine_sees_its_end() {
    const ONCE: Macs = Macs { flap: Flap { moves: 1, ..RULES.flap }, ..RULES };
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| table.learn(X, W, at(2000), &ONCE, || true),
        |table| table.lookup(X, at(2000), &ONCE),
        |learned, seen, _| {
            assert_eq!(learned, Learned::Flapping { first: true });
            assert!([Some(Place::Side(M)), Some(Place::Quarantined)].contains(&seen), "{seen:?}");
        },
    );
}

/// What the fast path does with a source: looks, and where that says so, writes that it was heard.
fn hear(table: &Fdb, mac: Mac, side: Side, ms: u64) -> (FdbLookup, bool) {
    let view = table.view(at(ms), &RULES);
    let known = view.known(mac, side);
    (known, known == FdbLookup::HitStale && view.refresh(mac, side))
}

#[test]
fn a_move_and_the_fast_paths_refresh_leave_one_entry_that_one_of_them_wrote() {
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| learn(table, X, W, 2000),
        |table| hear(table, X, M, 2000),
        |moved, heard, words| match moved {
            Learned::Moved => {
                assert_eq!(words, [Word::heard(X, W, 8)]);
                assert!(
                    [(FdbLookup::Miss, false), (FdbLookup::HitStale, false)].contains(&heard),
                    "{heard:?}"
                );
            }
            outcome => {
                assert_eq!((outcome, heard), (Learned::BothSides, (FdbLookup::HitStale, true)));
                assert_eq!(words, [Word::heard(X, M, 8)]);
            }
        },
    );
}

#[test]
fn expiry_never_takes_an_entry_that_the_fast_path_refreshed() {
    // The sweeper's clock says that it has aged, the worker's is behind and finds it alive.
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| hear(table, X, M, 299_000),
        |table| table.sweep_all(at(301_000), &RULES),
        |heard, (), words| match heard {
            (FdbLookup::HitStale, true) => assert_eq!(words, [Word::heard(X, M, 299 * 4)]),
            heard => {
                assert!(
                    [(FdbLookup::Miss, false), (FdbLookup::HitStale, false)].contains(&heard),
                    "{heard:?}"
                );
                assert_eq!(words, []);
            }
        },
    );
}

#[test]
fn a_quarantine_is_never_undone_by_the_fast_paths_refresh() {
    const ONCE: Macs = Macs { flap: Flap { moves: 1, ..RULES.flap }, ..RULES };
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| table.learn(X, W, at(2000), &ONCE, || true),
        |table| hear(table, X, M, 2000),
        |learned, (_, refreshed), words| {
            assert_eq!(words.len(), 1);
            match learned {
                Learned::Flapping { first: true } => assert!(words[0].is_quarantined() && !refreshed),
                outcome => {
                    assert_eq!((outcome, refreshed), (Learned::BothSides, true));
                    assert_eq!(words, [Word::heard(X, M, 8)]);
                }
            }
        },
    );
}

#[test]
fn a_move_by_the_control_thread_and_a_refresh_leave_one_entry_that_one_of_them_wrote() {
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| table.move_silent(X, W, at(1500), at(2000), &RULES),
        |table| learn(table, X, M, 2000),
        |moved, refreshed, words| match moved {
            Verdict::Moved => {
                assert_eq!(refreshed, Learned::BothSides);
                assert_eq!(words, [Word::heard(X, W, 8)]);
            }
            verdict => {
                assert_eq!((verdict, refreshed), (Verdict::Alive, Learned::Known));
                assert_eq!(words, [Word::heard(X, M, 8)]);
            }
        },
    );
}

#[test]
fn a_move_by_the_control_thread_never_overrules_the_fast_paths_refresh() {
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| table.move_silent(X, W, at(1500), at(2000), &RULES),
        |table| hear(table, X, M, 2000),
        |moved, heard, words| match moved {
            Verdict::Moved => {
                assert!(!heard.1, "{heard:?}");
                assert_eq!(words, [Word::heard(X, W, 8)]);
            }
            verdict => {
                assert_eq!((verdict, heard), (Verdict::Alive, (FdbLookup::HitStale, true)));
                assert_eq!(words, [Word::heard(X, M, 8)]);
            }
        },
    );
}

#[test]
fn a_move_by_the_control_thread_and_a_workers_are_one_move() {
    race(
        |table| assert_eq!(learn(table, X, M, 0), Learned::New),
        |table| table.move_silent(X, W, at(1500), at(2000), &RULES),
        |table| (learn(table, X, W, 2000), table.entries(at(2000), &RULES).count()),
        |verdict, (learned, entries), words| {
            assert!(matches!(
                (verdict, learned),
                (Verdict::Moved, Learned::Known) | (Verdict::Settled, Learned::Moved)
            ));
            assert_eq!((entries, words), (1, vec![Word::heard(X, W, 8)]));
        },
    );
}

#[test]
fn a_sweep_that_keeps_an_old_entry_readable_never_overwrites_a_refresh() {
    loom::model(|| {
        let table = Arc::new(Fdb::lasting(2, 1));
        table.sweep_all(at(0), &RULES);
        assert_eq!(learn(&table, X, M, 0), Learned::New);
        let sweeper = thread::spawn({
            let table = Arc::clone(&table);
            move || table.sweep_all(at(4_000_000), &RULES)
        });
        assert_eq!(learn(&table, X, M, 4_000_000), Learned::Known);
        sweeper.join().unwrap();
        assert_eq!(words(&table), [Word::heard(X, M, 16_000)]);
    });
}
