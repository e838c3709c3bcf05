//! docs/spec B.2 and F.2: which station is on which side. Members, learning, moves, flapping, capacity, ageing.

use std::collections::HashSet;
use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use pipeline::table::fdb::Place;

const X: [u8; 6] = station(0xf001);
/// Learned on M where a test calls [`settled`].
const Y: [u8; 6] = station(0xf002);
/// Learned on W there.
const Z: [u8; 6] = station(0xf003);

const MILLISECOND: Duration = Duration::from_millis(1);

/// Cd with a small table, for tests that set up many bridges.
fn small(macs: &str) -> Config {
    Config::cd().plus(&format!("macs: {{ capacity: 16, {macs} }}"))
}

/// Y known on M and Z on W, under Cd.
fn settled(config: &Config) -> Bench {
    let mut bench = config.bench();
    greet(&mut bench);
    bench
}

/// Y and Z speak, as something must be there that others can send to.
#[track_caller]
fn greet(bench: &mut Bench) {
    for _ in 0..2 {
        bench.send(M, &unicast(Z, Y));
        bench.send(W, &unicast(Y, Z));
    }
    assert_eq!((bench.place(Y), bench.place(Z)), (Some(Place::Side(M)), Some(Place::Side(W))));
}

/// X speaks on a side, to whoever is known on the other.
fn speak(bench: &mut Bench, side: rules::Side) -> Outcome {
    bench.send(side, &unicast(if side == M { Z } else { Y }, X))
}

#[track_caller]
fn speaks(bench: &mut Bench, side: rules::Side) {
    assert!(matches!(speak(bench, side), Outcome::Forwarded(_)), "refused");
}

#[track_caller]
fn refused(bench: &mut Bench, side: rules::Side, reason: &'static str) {
    assert_eq!(speak(bench, side), Outcome::Dropped(reason));
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn f38_stations_of_one_side_talk_among_themselves() {
    let mut bench = settled(&Config::cd());
    speaks(&mut bench, M);
    bench.drops(M, &unicast(Y, X), "dst_local");
    bench.drops(M, &unicast6(X, Y), "dst_local");
    bench.drops(M, &unicast(X, X), "src_eq_dst");
    assert_eq!(bench.report().sides["wix"].transmitted, bench.report().sides["mud"].forwarded);
}

#[test]
fn f38_members_of_one_side_too() {
    let mut bench = Config::c0().member(M, &mac(X)).bench();
    bench.drops(M, &unicast(X, A), "dst_local");
    bench.drops(M, &unicast(A, X), "dst_local");
}

#[test]
fn f39_unknown_destinations_get_the_burst_and_then_the_rate() {
    let mut bench = settled(&Config::cd().plus("unknown_unicast: { rate: 100/s, burst: 100 }"));
    bench.wait(Duration::from_secs(10));
    let flooded = bench.cause("unknown_flooded");
    let unknown = unicast(station(9), Y);
    for _ in 0..100 {
        bench.crosses(M, &unknown);
    }
    for _ in 0..50 {
        bench.drops(M, &unknown, "unknown_unicast_limit");
    }
    // one token every 10 ms, and not a millisecond earlier
    for millisecond in 1..=1000 {
        bench.wait(MILLISECOND);
        assert_eq!(bench.pour(M, &unknown), millisecond % 10 == 0, "at {millisecond} ms");
    }
    assert_eq!(bench.cause("unknown_flooded"), flooded + 200);
    // the other side has tokens of its own, and what is known needs none
    bench.crosses(W, &unicast(station(9), Z));
    bench.crosses(M, &unicast(Z, Y));
    bench.balanced();
}

#[test]
fn f39_an_idle_limit_saves_no_more_than_its_burst() {
    let mut bench = settled(&Config::cd().plus("unknown_unicast: { rate: 100/s, burst: 100 }"));
    bench.wait(Duration::from_secs(100));
    let crossed = (0..1000).filter(|_| bench.pour(M, &unicast(station(9), Y))).count();
    assert_eq!(crossed, 100);
}

#[test]
fn f39_unknown_destinations_may_be_dropped_altogether() {
    let mut bench = Config::cd().plus("unknown_unicast: drop").bench();
    bench.drops(M, &unicast(station(9), Y), "unknown_unicast");
    assert_eq!(bench.place(Y), Some(Place::Side(M)), "its source was learned");
    bench.crosses(W, &unicast(Y, Z));
}

#[test]
fn f40_no_members_destination() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &unicast(station(9), A), "dst_not_member");
    bench.drops(W, &unicast6(station(9), B), "dst_not_member");
}

#[test]
fn f41_no_members_source() {
    let mut bench = Config::c0().bench();
    for (side, dst) in [(M, B), (W, A)] {
        bench.drops(side, &unicast(dst, X), "src_not_member");
        bench.drops(side, &arp_request(X, "202.7.0.33", "202.7.0.20"), "src_not_member");
        bench.drops(side, &unicast(station(9), X), "src_not_member");
    }
    assert_eq!(bench.place(X), None);
    assert_eq!(bench.cause("mac_new"), 0);
}

#[test]
fn f42_a_pinned_mac_never_moves() {
    let mut bench = Config::c0().bench();
    for _ in 0..10 {
        bench.drops(W, &unicast(B, A), "mac_wrong_side");
        bench.drops(W, &arp_request(A, "202.7.0.10", "202.7.0.20"), "mac_wrong_side");
        bench.crosses(W, &unicast(A, B));
        bench.wait(Duration::from_secs(100));
    }
    let events = bench.events();
    assert_eq!(events.len(), 20);
    assert!(events.iter().all(|event| *event == ("mac_wrong_side".to_owned(), mac(A))));
    assert_eq!(bench.place(A), None, "the pin says where it is");
}

#[test]
fn f43_a_mac_on_both_sides_stays_where_it_was() {
    let mut bench = settled(&Config::cd());
    speaks(&mut bench, M);
    bench.wait(seconds(0.5));
    refused(&mut bench, W, "mac_both_sides");
    assert_eq!(bench.place(X), Some(Place::Side(M)));
    assert_eq!(bench.events(), [("mac_both_sides".to_owned(), mac(X))]);
    bench.crosses(W, &unicast(X, Z));
    assert_eq!(bench.cause("mac_move"), 0);
}

#[test]
fn f43_the_guard_holds_for_a_second_and_not_much_longer() {
    // whatever the fraction of a second at which it was heard
    for phase in (0..250).step_by(10) {
        for (idle, held) in
            [(0.0, true), (0.5, true), (0.999, true), (1.0, true), (1.26, false), (2.0, false)]
        {
            let mut bench = settled(&small(""));
            bench.wait(phase * MILLISECOND);
            speaks(&mut bench, M);
            bench.wait(seconds(idle));
            if held {
                refused(&mut bench, W, "mac_both_sides");
            } else {
                speaks(&mut bench, W);
            }
        }
    }
}

#[test]
fn f43_every_sight_on_the_old_side_counts_and_none_on_the_new() {
    for pause in [10, 100, 240, 250, 260, 490] {
        let mut bench = settled(&small(""));
        for _ in 0..40 {
            speaks(&mut bench, M);
            bench.wait(pause * MILLISECOND);
            refused(&mut bench, W, "mac_both_sides");
            bench.wait(pause * MILLISECOND);
        }
        // silent on M from here on; that W goes on trying does not count for M
        bench.wait(seconds(0.5));
        for _ in 0..3 {
            speak(&mut bench, W);
            bench.wait(seconds(0.25));
        }
        speaks(&mut bench, W);
    }
}

#[test]
fn b2_a_move_guard_of_another_length_is_held_to_it() {
    // last sights are known to a quarter of a second, and the guard is longer by that, and by its own rounding to quarters
    let mut longer = Vec::new();
    for guard in [100, 200, 400, 1000, 4000, 60_000u32] {
        let step = 250 + (guard.next_multiple_of(250) - guard);
        for phase in [0, 30, 120, 249] {
            let mut bench = settled(&small(&format!("move_guard: {guard}ms")));
            bench.wait(phase * MILLISECOND);
            speaks(&mut bench, M);
            bench.wait(guard * MILLISECOND);
            refused(&mut bench, W, "mac_both_sides");
            bench.wait((step + 1) * MILLISECOND);
            if let Outcome::Dropped(reason) = speak(&mut bench, W) {
                longer.push(format!(
                    "guard {guard} ms, heard at {phase} ms, {} ms later: {reason}",
                    guard + step + 1
                ));
            }
        }
    }
    assert!(longer.is_empty(), "{longer:#?}");
}

#[test]
fn f44_f45_a_silent_mac_moves_and_takes_its_traffic_along() {
    let mut bench = settled(&Config::cd());
    speaks(&mut bench, M);
    bench.crosses(W, &unicast(X, Z));
    bench.drops(M, &unicast(X, Y), "dst_local");
    bench.wait(Duration::from_secs(2));
    speaks(&mut bench, W);
    assert_eq!(bench.cause("mac_move"), 1);
    assert_eq!(bench.events(), [("mac_moved".to_owned(), mac(X))]);
    bench.crosses(M, &unicast(X, Y));
    bench.drops(W, &unicast(X, Z), "dst_local");
    assert_eq!(bench.cause("unknown_flooded"), 1, "Y's first frame alone");
}

/// X on M, and from then on moved every 2 s until the `moves`th move.
fn alternate(bench: &mut Bench, moves: u32) -> rules::Side {
    let mut side = M;
    speaks(bench, side);
    for _ in 0..moves {
        bench.wait(Duration::from_secs(2));
        side = side.other();
        speaks(bench, side);
    }
    side
}

#[test]
fn f46_the_fifth_move_is_quarantine_on_both_sides() {
    let mut bench = settled(&Config::cd());
    let side = alternate(&mut bench, 4);
    assert_eq!(bench.cause("mac_move"), 4);
    bench.wait(Duration::from_secs(2));
    refused(&mut bench, side.other(), "mac_flapping");
    for _ in 0..20 {
        bench.wait(Duration::from_secs(2));
        refused(&mut bench, M, "mac_flapping");
        refused(&mut bench, W, "mac_flapping");
        bench.drops(M, &unicast(X, Y), "mac_flapping");
        bench.drops(W, &unicast(X, Z), "mac_flapping");
    }
    let flapping = bench.events().into_iter().filter(|(name, _)| name == "mac_flapping").collect::<Vec<_>>();
    assert_eq!(flapping, [("mac_flapping".to_owned(), mac(X))]);
    assert_eq!(bench.place(X), Some(Place::Quarantined));
}

#[test]
fn f46_five_moves_count_within_180_seconds_only() {
    for (at, outcome) in [(179, Some("mac_flapping")), (181, None)] {
        let mut bench = settled(&Config::cd());
        let side = alternate(&mut bench, 4); // the first 2 s in, the fourth 8 s in
        bench.wait(Duration::from_secs(at - 6));
        greet(&mut bench);
        match outcome {
            Some(reason) => refused(&mut bench, side.other(), reason),
            None => speaks(&mut bench, side.other()),
        }
    }
}

#[test]
fn f46_another_number_of_moves_and_another_hold() {
    for moves in 1..=16 {
        let rule = format!("flap: {{ moves: {moves}, within: 180s, hold: 20s }}");
        let mut bench = settled(&small(&rule));
        let side = alternate(&mut bench, moves - 1);
        bench.wait(Duration::from_secs(2));
        refused(&mut bench, side.other(), "mac_flapping");
        bench.wait(seconds(19.9));
        refused(&mut bench, side.other(), "mac_flapping");
        bench.wait(seconds(0.2));
        speaks(&mut bench, side.other());
    }
}

#[test]
fn f47_after_quarantine_the_mac_is_learned_afresh() {
    let mut bench = settled(&Config::cd());
    let side = alternate(&mut bench, 4);
    bench.wait(Duration::from_secs(2));
    refused(&mut bench, side.other(), "mac_flapping");
    for _ in 0..539 {
        // its own frames do not make it longer, nor does the age of the entry (300 s) end it
        bench.wait(Duration::from_secs(1));
        refused(&mut bench, W, "mac_flapping");
    }
    greet(&mut bench);
    bench.wait(seconds(0.999));
    bench.drops(M, &unicast(X, Y), "mac_flapping");
    refused(&mut bench, W, "mac_flapping");
    bench.wait(seconds(0.001));
    speaks(&mut bench, W);
    assert_eq!(bench.place(X), Some(Place::Side(W)));
    bench.crosses(M, &unicast(X, Y));
    // and with a clean history
    bench.wait(Duration::from_secs(2));
    speaks(&mut bench, M);
    assert_eq!(bench.events().iter().filter(|(name, _)| name == "mac_flapping").count(), 1);
}

/// Enough new addresses for anything.
const NEW: &str = "new: { rate: 1000000/s, burst: 1000000 }";
/// And of unknown destinations.
const FLOOD: &str = "unknown_unicast: { rate: 1000000/s, burst: 1000000 }";

#[test]
fn f48_the_4097th_address_of_a_side_is_refused() {
    let mut bench = settled(&Config::cd().plus(&format!("macs: {{ capacity: 4096, {NEW} }}")));
    // Y is one of M's already, and Z of W's
    for number in 1..4096 {
        assert!(bench.pour(M, &unicast(Z, station(number))), "{number}");
    }
    bench.drops(M, &unicast(Z, X), "mac_table_full");
    bench.drops(M, &arp_request(X, "202.7.0.33", "202.7.0.20"), "mac_table_full");
    assert_eq!(bench.events().last(), Some(&("mac_table_full".to_owned(), mac(X))));
    assert_eq!(bench.place(X), None);
    for number in 1..4096 {
        assert!(bench.pour(M, &unicast(Z, station(number))), "{number} is out");
        assert!(bench.pour(W, &unicast(station(number), Z)), "{number} is lost");
    }
    // one side cannot lock the other out
    for number in 10_001..10_001 + 4095 {
        assert!(bench.pour(W, &unicast(Y, station(number))), "{number}");
    }
    bench.drops(W, &unicast(Y, X), "mac_table_full");
    assert_eq!(bench.cause("mac_new"), 2 * 4096);
    bench.balanced();
}

#[test]
fn f48_small_capacities_are_exact_too() {
    for capacity in [1, 2, 3, 7, 8, 9, 16, 17, 100] {
        let config = Config::cd().plus(&format!("macs: {{ capacity: {capacity}, {NEW} }}"));
        let mut bench = config.plus(FLOOD).bench();
        for side in [M, W] {
            let base = if side == M { 0 } else { 10_000 };
            let passed =
                (1..=3 * capacity).filter(|n| bench.pour(side, &unicast(station(99_999), station(base + n))));
            assert_eq!(passed.count() as u32, capacity, "capacity {capacity}");
        }
        // who aged makes room
        bench.wait(Duration::from_secs(302));
        let passed =
            (1..=3 * capacity).filter(|n| bench.pour(M, &unicast(station(99_999), station(50_000 + n))));
        assert_eq!(passed.count() as u32, capacity, "capacity {capacity}, after ageing");
        bench.balanced();
    }
}

#[test]
fn f48_members_with_a_side_need_no_room() {
    let config = Config::c0().with("admission: members", "admission: learned");
    let mut bench = config.plus(&format!("macs: {{ capacity: 1, {NEW} }}")).bench();
    bench.crosses(M, &unicast(B, X));
    bench.drops(M, &unicast(B, Y), "mac_table_full");
    bench.crosses(M, &unicast(B, A));
    bench.crosses(W, &unicast(A, B));
}

#[test]
fn f49_a_flood_of_sources_is_learned_at_the_rate_alone() {
    let config = Config::c0().with("admission: members", "admission: learned");
    let mut bench = config.plus("macs: { capacity: 4096, new: { rate: 50/s, burst: 1000 } }").bench();
    bench.crosses(M, &unicast(B, X));
    bench.wait(Duration::from_secs(100));
    let mut crossed = HashSet::new();
    let flood = |n: u32| station(n.wrapping_mul(0x9e37_79b1)); // odd: no source twice
    let mut frame = unicast(B, X);
    for n in 0..500_000 {
        bench.wait(Duration::from_micros(20));
        frame[6..12].copy_from_slice(&flood(n));
        if bench.pour(M, &frame) {
            crossed.insert(flood(n));
        }
        if n % 10_000 == 0 {
            bench.crosses(M, &unicast(B, X)); // active, so never evicted
            bench.crosses(M, &unicast(B, A));
            bench.crosses(W, &unicast(A, B));
            bench.crosses(W, &unicast(X, B));
        }
    }
    bench.balanced();
    assert!((1499..=1500).contains(&crossed.len()), "{} learned", crossed.len());
    assert!(crossed.iter().all(|mac| bench.place(*mac) == Some(Place::Side(M))), "crossed but not learned");
    assert_eq!(bench.cause("mac_new"), 1 + crossed.len() as u64);
    assert_eq!(bench.count("mac_new_limit"), 500_000 - crossed.len() as u64);
    // the other side has a rate of its own
    bench.crosses(W, &unicast(A, station(0xdead)));
}

#[test]
fn f50_an_entry_ages_after_300_idle_seconds() {
    let config = small("").plus("unknown_unicast: drop");
    for phase in [0, 100, 249] {
        for (idle, known) in
            [(299.0, true), (300.0, true), (301.0, false), (4096.0, false), (4096.0 * 7.0 + 1.0, false)]
        {
            let mut bench = config.bench();
            bench.wait(phase * MILLISECOND);
            bench.drops(M, &unicast(Z, X), "unknown_unicast");
            bench.wait(seconds(idle));
            match known {
                true => bench.crosses(W, &unicast(X, Z)),
                false => bench.drops(W, &unicast(X, Z), "unknown_unicast"),
            }
        }
    }
}

#[test]
fn f50_being_spoken_to_keeps_nobody_alive_and_speaking_does() {
    let mut bench = Config::cd().plus("unknown_unicast: drop").bench();
    bench.drops(M, &unicast(X, Y), "unknown_unicast");
    bench.drops(M, &unicast(station(9), X), "unknown_unicast");
    for _ in 0..300 {
        bench.wait(Duration::from_secs(1));
        bench.crosses(W, &unicast(X, Z));
        bench.drops(M, &unicast(station(9), Y), "unknown_unicast");
    }
    bench.wait(Duration::from_secs(1));
    bench.drops(W, &unicast(X, Z), "unknown_unicast");
    bench.crosses(W, &unicast(Y, Z));
}

#[test]
fn f50_an_aged_mac_is_new_on_either_side() {
    for side in [M, W] {
        let mut bench = settled(&Config::cd());
        speaks(&mut bench, M);
        bench.wait(Duration::from_secs(301));
        greet(&mut bench);
        let new = bench.cause("mac_new");
        speaks(&mut bench, side);
        assert_eq!((bench.cause("mac_new"), bench.cause("mac_move")), (new + 1, 0));
    }
}

#[test]
fn b2_a_jump_of_days_leaves_nothing_known() {
    for gap in [4096, 4097, 8192, 86_400, 1 << 20, 1 << 26, 4096 * 1000 + 1] {
        let mut bench = settled(&small("").plus("unknown_unicast: drop"));
        speaks(&mut bench, M);
        bench.wait(Duration::from_secs(gap));
        bench.drops(W, &unicast(X, Z), "unknown_unicast");
        refused(&mut bench, W, "unknown_unicast"); // no move, no duplicate: new
        assert_eq!(bench.cause("mac_move"), 0);
    }
}

#[test]
fn b2_a_move_needs_room_on_its_new_side() {
    let mut bench = Config::cd().plus(&format!("macs: {{ capacity: 1, {NEW} }}")).plus(FLOOD).bench();
    bench.crosses(M, &unicast(Z, X));
    bench.crosses(W, &unicast(X, Z));
    bench.wait(Duration::from_secs(2));
    bench.drops(W, &unicast(Y, X), "mac_table_full");
    assert_eq!(bench.place(X), Some(Place::Side(M)), "still where it was");
}

#[test]
fn b2_a_member_without_a_side_moves_under_the_guard() {
    let config = Config::c0().with("#more", &format!("- {{ name: x, mac: \"{}\" }}\n      #more", mac(X)));
    let mut bench = config.bench();
    bench.crosses(M, &unicast(B, X));
    bench.drops(W, &unicast(A, X), "mac_both_sides");
    bench.wait(Duration::from_secs(2));
    bench.crosses(W, &unicast(A, X));
    bench.crosses(M, &unicast(X, A));
    bench.drops(M, &unicast(B, X), "mac_both_sides");
}
