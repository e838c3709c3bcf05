//! docs/spec F51, F52, and law 4 of docs/ARCHITECTURE.md: a reload changes the rules at once and nothing that was learned.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use pipeline::table::fdb::Place;

const X: [u8; 6] = station(0xf001);
const Z: [u8; 6] = station(0xf003);

#[test]
fn f51_a_reload_keeps_books_and_traffic() {
    let config = Config::c0();
    let mut bench = config.bench();
    bench.crosses(M, &unicast(B, A));
    bench.drops(M, &unicast(B, X), "src_not_member");
    let before = bench.report();
    bench.reload(&config);
    let after = bench.report();
    assert_eq!(after.generation, before.generation + 1);
    assert_eq!(
        (&after.sides, &after.ports, &after.outcomes),
        (&before.sides, &before.ports, &before.outcomes)
    );
    bench.crosses(M, &unicast(B, A));
    bench.crosses(W, &unicast(A, B));
    assert_eq!(bench.count("forwarded"), 3);
}

#[test]
fn f51_a_reload_keeps_what_was_learned() {
    let config = Config::cd().plus("unknown_unicast: drop");
    let mut bench = config.bench();
    bench.drops(M, &unicast(Z, X), "unknown_unicast");
    for _ in 0..100 {
        bench.reload(&config);
        bench.crosses(W, &unicast(X, Z));
    }
    assert_eq!(bench.cause("mac_new"), 2);
    // and its age: 299 s of it before the reload
    bench.wait(Duration::from_secs(299));
    bench.reload(&config);
    bench.crosses(W, &unicast(X, Z));
    bench.wait(Duration::from_secs(2));
    bench.drops(W, &unicast(X, Z), "unknown_unicast");
}

#[test]
fn f51_a_reload_keeps_a_quarantine() {
    let config = Config::cd().plus("macs: { flap: { moves: 1, within: 180s, hold: 540s } }");
    let mut bench = config.bench();
    bench.send(M, &unicast(Z, X));
    bench.wait(Duration::from_secs(2)).drops(W, &unicast(Z, X), "mac_flapping");
    bench.reload(&config);
    assert_eq!(bench.place(X), Some(Place::Quarantined));
    bench.wait(Duration::from_secs(539)).drops(M, &unicast(Z, X), "mac_flapping");
}

#[test]
fn f51_a_reload_gives_no_tokens() {
    let rates = "storm: { side: { multicast: { rate: 1/s, burst: 2 } }, mac: { rate: 1/s, burst: 3 } }";
    let config = Config::cd()
        .plus(rates)
        .plus("unknown_unicast: { rate: 1/s, burst: 3 }")
        .plus("macs: { new: { rate: 1/s, burst: 2 } }");
    let mut bench = config.bench();
    let arp = arp_request(X, "202.7.0.10", "202.7.0.20");
    for _ in 0..3 {
        bench.crosses(M, &arp);
        bench.crosses(M, &unicast(station(9), X));
    }
    bench.crosses(M, &arp_request(station(2), "202.7.0.12", "202.7.0.20")); // the second new address
    for _ in 0..5 {
        bench.drops(M, &arp, "mac_limit");
        bench.drops(M, &unicast(station(9), X), "unknown_unicast_limit");
        bench.drops(M, &arp_request(station(3), "202.7.0.13", "202.7.0.20"), "mac_new_limit");
        bench.reload(&config);
    }
}

#[test]
fn f51_a_smaller_burst_caps_what_was_saved() {
    let limit = |burst: u32| Config::cd().plus(&format!("unknown_unicast: {{ rate: 1/s, burst: {burst} }}"));
    let mut bench = limit(1000).bench();
    bench.crosses(M, &unicast(station(9), X));
    bench.reload(&limit(5));
    let crossed = (0..100).filter(|_| bench.pour(M, &unicast(station(9), X))).count();
    assert_eq!(crossed, 5);
}

#[test]
fn a_side_that_a_reload_moves_to_another_port_keeps_the_books_of_both_ports() {
    let config = Config::c0();
    let swapped = config
        .clone()
        .with("mud: { port: trunk0", "mud: { port: other")
        .with("wix: { port: trunk1", "wix: { port: trunk0")
        .with("mud: { port: other", "mud: { port: trunk1");
    let mut bench = config.bench();
    for rules in [&config, &swapped, &config] {
        bench.reload(rules);
        bench.crosses(M, &unicast(B, A));
        bench.crosses(M, &unicast(B, A));
        bench.crosses(W, &unicast(A, B));
        assert_eq!(bench.report().unaccounted, 0);
    }
    let ports: Vec<_> = bench.report().ports.values().map(|port| (port.received, port.transmitted)).collect();
    assert_eq!(ports, [(5, 4), (4, 5)]);
}

#[test]
fn f52_a_moved_pin_moves_at_once() {
    let moved = Config::c0().with("{ name: A, side: mud", "{ name: A, side: wix");
    let config = Config::c0().member(M, &mac(X));
    let moved = moved.member(M, &mac(X));
    let mut bench = config.bench();
    bench.crosses(M, &unicast(B, A));
    bench.reload(&moved);
    bench.drops(M, &unicast(B, A), "mac_wrong_side");
    bench.crosses(W, &unicast(X, A));
    bench.crosses(M, &unicast(A, X));
    bench.drops(W, &unicast(A, B), "dst_local");
    bench.reload(&config);
    bench.drops(W, &unicast(X, A), "mac_wrong_side");
    bench.crosses(M, &unicast(B, A));
    // every forwarded frame left once
    let report = bench.report();
    assert_eq!(report.ports.values().map(|port| port.transmitted).sum::<u64>(), report.outcomes["forwarded"]);
}

#[test]
fn f52_a_pin_overrules_what_was_learned() {
    let learning = Config::c0().with("admission: members", "admission: learned");
    let mut bench = learning.bench();
    bench.crosses(M, &unicast(B, X));
    bench.crosses(W, &unicast(X, B));
    bench.reload(&learning.clone().member(W, &mac(X)));
    bench.drops(M, &unicast(B, X), "mac_wrong_side");
    bench.drops(W, &unicast(X, B), "dst_local");
    bench.crosses(W, &unicast(A, X));
    bench.crosses(M, &unicast(X, A));
}

#[test]
fn f40_after_a_reload_to_members_only_what_was_learned_is_no_destination() {
    let learning = Config::c0().with("admission: members", "admission: learned");
    let mut bench = learning.bench();
    bench.crosses(W, &unicast(A, X));
    bench.crosses(M, &unicast(X, A));
    bench.reload(&Config::c0());
    bench.drops(W, &unicast(A, X), "src_not_member");
    bench.drops(M, &unicast(X, A), "dst_not_member");
}

#[test]
fn f40_a_roaming_member_that_was_struck_off_is_no_destination() {
    let config = Config::c0().with("#more", &format!("- {{ name: x, mac: \"{}\" }}\n      #more", mac(X)));
    let mut bench = config.bench();
    bench.crosses(W, &unicast(A, X));
    bench.crosses(M, &unicast(X, A));
    bench.reload(&Config::c0());
    bench.drops(W, &unicast(A, X), "src_not_member");
    bench.drops(M, &unicast(X, A), "dst_not_member");
}

#[test]
fn f191_sources_that_a_reload_brings_are_held_each_to_its_own_limit() {
    let crowd = |stations: u32| {
        let rates =
            "storm: { side: { broadcast: { rate: 1/s, burst: 10000 } }, mac: { rate: 1/s, burst: 3 } }";
        let config = Config::c0().plus(rates).plus("macs: { capacity: 1 }");
        (0..stations).fold(config, |config, number| config.member(M, &mac(station(number))))
    };
    let mut bench = crowd(0).bench();
    bench.reload(&crowd(100));
    for round in 0..5 {
        for number in 0..100 {
            let crossed = bench.pour(M, &arp_request(station(number), "202.7.0.33", "202.7.0.20"));
            assert_eq!(crossed, round < 3, "station {number}, its frame number {}", round + 1);
        }
    }
}

/// C0 and a second, learning bridge on the same trunks.
fn with_ape(config: Config) -> Config {
    config.with(
        "    loop: { probe: off }",
        r#"    loop: { probe: off }
  ape:
    sides:
      mud: { port: trunk0, vlan: 11 }
      ape: { port: trunk1, vlan: 21 }
    peering: { ipv4: [192.203.154.0/24] }
    unknown_unicast: drop
    loop: { probe: off }"#,
    )
}

fn on(vid: u16, frame: &[u8]) -> Vec<u8> {
    with_tags(frame, &[(0x8100, vid)])
}

#[test]
fn a_reload_adds_and_removes_bridges() {
    let (one, two) = (Config::c0(), with_ape(Config::c0()));
    let mut bench = one.bench();
    assert_eq!(bench.raw(M, &on(11, &unicast(Z, X))), Outcome::Dropped("vlan_unknown"));
    bench.reload(&two);
    assert_eq!(bench.raw(M, &on(11, &unicast(Z, X))), Outcome::Dropped("unknown_unicast"));
    assert_eq!(bench.raw(W, &on(21, &unicast(X, Z))), Outcome::Forwarded(on(11, &unicast(X, Z))));
    bench.crosses(M, &unicast(B, A));
    bench.reload(&one);
    assert_eq!(bench.raw(M, &on(11, &unicast(Z, X))), Outcome::Dropped("vlan_unknown"));
    assert_eq!(bench.raw(W, &on(21, &unicast(X, Z))), Outcome::Dropped("vlan_unknown"));
    bench.crosses(M, &unicast(B, A));
    bench.reload(&two);
    // its tables went with it, so that it knows nobody; its books go on
    assert_eq!(bench.raw(M, &on(11, &unicast(Z, X))), Outcome::Dropped("unknown_unicast"));
    assert_eq!(bench.raw(W, &on(21, &unicast(X, Z))), Outcome::Forwarded(on(11, &unicast(X, Z))));
    assert_eq!(bench.report().sides["ape/ape"].forwarded, 2);
    assert_eq!(bench.count("vlan_unknown"), 3);
    assert_eq!(bench.count("forwarded"), 4);
}

#[test]
fn a_removed_bridge_leaves_its_vlans_to_another() {
    let mut bench = with_ape(Config::c0()).bench();
    bench.raw(M, &on(11, &unicast(Z, X)));
    bench.reload(&with_ape(Config::c0()).with("  ape:\n    sides", "  new:\n    sides"));
    // a bridge of another name knows nobody
    assert_eq!(bench.raw(W, &on(21, &unicast(X, Z))), Outcome::Dropped("unknown_unicast"));
    // the removed one's books stay, under a name that says so
    let sides = bench.report().sides;
    assert_eq!((sides["new/ape"].received, sides["ape/mud (removed, 1)"].received), (1, 1));
}

#[test]
fn bridges_keep_their_own_limits_as_others_come_before_them() {
    let rates = "storm: { mac: { rate: 1/s, burst: 1 } }";
    let (one, two) = (Config::c0().plus(rates), with_ape(Config::c0().plus(rates)));
    // the same two, the other way round in the file
    let yaml = two.yaml().to_owned();
    let (head, bridges) = yaml.split_once("bridges:\n").unwrap();
    let (wix, ape) = bridges.split_once("  ape:\n").unwrap();
    let turned = two.clone().with(&yaml, &format!("{head}bridges:\n  ape:\n{ape}\n{wix}"));
    let mut bench = one.bench();
    let arp = arp_request(A, "202.7.0.10", "202.7.0.20");
    bench.crosses(M, &arp);
    bench.drops(M, &arp, "mac_limit");
    for config in [&turned, &two, &one, &turned] {
        bench.reload(config);
        bench.drops(M, &arp, "mac_limit");
        bench.crosses(M, &unicast(B, A));
    }
    assert_eq!(bench.report().sides["wix/mud"].forwarded, 5);
}

#[test]
fn a_bridge_that_comes_back_with_its_sides_turned_knows_nobody_on_the_wrong_side() {
    let two = with_ape(Config::c0());
    let turned = two.clone().with(
        "      mud: { port: trunk0, vlan: 11 }\n      ape: { port: trunk1, vlan: 21 }",
        "      ape: { port: trunk1, vlan: 21 }\n      mud: { port: trunk0, vlan: 11 }",
    );
    let mut bench = two.bench();
    assert_eq!(bench.raw(M, &on(11, &unicast(Z, X))), Outcome::Dropped("unknown_unicast"));
    bench.reload(&Config::c0());
    bench.reload(&turned);
    // X is where it was, or forgotten: not on the other side
    assert_ne!(bench.raw(W, &on(21, &unicast(X, Z))), Outcome::Dropped("dst_local"));
    let report = bench.report();
    assert_eq!(report.sides["ape/mud (removed, 1)"].received, 1, "a side's books under the other's name");
    assert_eq!((report.sides["ape/mud"].received, report.sides["ape/ape"].received), (0, 1));
}

#[test]
fn a_bridge_that_comes_back_with_another_capacity_has_that_capacity() {
    let with = |capacity: u32| {
        with_ape(Config::c0()).with(
            "unknown_unicast: drop",
            &format!("unknown_unicast: drop\n    macs: {{ capacity: {capacity} }}"),
        )
    };
    let mut bench = with(1).bench();
    bench.reload(&Config::c0());
    bench.reload(&with(2));
    for (src, reason) in [(1, "unknown_unicast"), (2, "unknown_unicast"), (3, "mac_table_full")] {
        assert_eq!(
            bench.raw(M, &on(11, &unicast(Z, station(src)))),
            Outcome::Dropped(reason),
            "source {src}"
        );
    }
}

#[test]
fn a_side_changes_its_vlan_by_reload_and_keeps_its_stations() {
    let config = Config::cd().plus("unknown_unicast: drop");
    let mut bench = config.bench();
    bench.drops(M, &unicast(Z, X), "unknown_unicast");
    bench.reload(&config.clone().with("vlan: 10", "vlan: 12"));
    assert_eq!(bench.raw(M, &on(10, &unicast(Z, X))), Outcome::Dropped("vlan_unknown"));
    assert_eq!(bench.raw(W, &on(20, &unicast(X, Z))), Outcome::Forwarded(on(12, &unicast(X, Z))));
    assert_eq!(bench.raw(M, &on(12, &unicast(Z, X))), Outcome::Forwarded(on(20, &unicast(Z, X))));
}

#[test]
fn a_removed_bridge_keeps_no_tables() {
    let mut bench = with_ape(Config::c0()).bench();
    let slots = |bench: &mut Bench| -> Vec<usize> {
        bench.bridge().plan().bridges.iter().map(|bridge| bridge.tables.macs.slots()).collect()
    };
    let before = slots(&mut bench);
    bench.reload(&with_ape(Config::c0()).with("  wix:\n    sides", "  new:\n    sides"));
    let after = slots(&mut bench);
    assert!(before[0] > 10_000 && after[0] <= 16, "{before:?} {after:?}");
}

#[test]
fn a_bridge_too_many_is_refused_and_changes_nothing() {
    let named =
        |name: usize| with_ape(Config::c0()).with("  ape:\n    sides", &format!("  b{name}:\n    sides"));
    let mut bench = named(0).bench();
    // one bridge is always there; each reload replaces the other by one of another name
    for name in 1..pipeline::base::BridgeId::MOST - 1 {
        bench.reload(&named(name));
    }
    let generation = bench.report().generation;
    let refused = bench.bridge().reload(named(5000).rules());
    assert!(refused.unwrap_err().to_string().contains("restart it"));
    assert_eq!(bench.report().generation, generation);
    bench.crosses(M, &unicast(B, A));
}
