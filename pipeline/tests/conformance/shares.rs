//! docs/spec F.8, shares: what is listed first, one station one share, with any number of workers.

use std::time::Duration;

use crate::crew::Crew;
use crate::frames::*;
use crate::harness::*;
use crate::own::{ping4, ping6};
use crate::ptb::from6;
use crate::timeline::{Sender, run};

/// Loads are offered for so long.
const LOAD: Duration = Duration::from_secs(10);

const V: [u8; 6] = [0x02, 0xcc, 0xff, 0, 0, 0x01];

/// Cd with the W side's MTU at 1400 and B known there, so that what is too long for W goes to it.
fn narrow() -> Bench {
    let config = Config::cd()
        .with("wix: { port: trunk1, vlan: 20, mtu: 1500", "wix: { port: trunk1, vlan: 20, mtu: 1400");
    let mut bench = config.bench();
    bench.crosses(W, &arp_request(B, IP4_B, IP4_A));
    bench
}

/// Too long for W, from an address in a /64 of its own, by a router.
fn too_long(router: [u8; 6], source: u32) -> Vec<u8> {
    let mut frame = from6(&format!("2001:db8:{:x}:{:x}::1", source >> 16, source & 0xffff));
    frame[6..12].copy_from_slice(&router);
    frame
}

/// A broadcast of a station.
fn who_has(src: [u8; 6]) -> Vec<u8> {
    arp_request(src, &format!("202.7.1.{}", 1 + src[5] % 200), "202.7.0.20")
}

#[test]
fn f201_invented_sources_behind_a_router_leave_errors_to_another_source_behind_it() {
    let mut bench = narrow();
    let mut senders = [
        Sender::new(M, 5000, |number| too_long(station(1), 0x10_0000 + number)),
        Sender::new(M, 1, |_| too_long(station(1), 7)).after(Duration::from_micros(500)),
    ];
    run(&mut bench, LOAD, &mut senders);
    senders[1].has(90);
    let attacker = senders[0].served;
    assert!((5000..=5280).contains(&attacker), "{attacker}: 500/s, a burst of 250 and what is quiet");
}

#[test]
fn f201_a_source_that_begins_during_the_attack_waits_for_its_second_error_at_most() {
    let mut bench = narrow();
    let mut senders = [
        Sender::new(M, 5000, |number| too_long(station(1), 0x10_0000 + number)),
        Sender::new(M, 1, |_| too_long(station(1), 7)).after(Duration::from_millis(2300)),
    ];
    run(&mut bench, LOAD, &mut senders);
    assert!(senders[1].served + 1 >= senders[1].sent, "{} of {}", senders[1].served, senders[1].sent);
}

#[test]
fn f202_a_hundred_flooding_routers_leave_errors_to_one_of_its_own() {
    let mut bench = narrow();
    let mut senders = [
        Sender::new(M, 50_000, |number| too_long(station(number % 100), 0x10_0000 + number)),
        Sender::new(M, 1, |_| too_long(V, 7)).after(Duration::from_micros(500)),
    ];
    run(&mut bench, LOAD, &mut senders);
    senders[1].has(90);
}

#[test]
fn f203_listed_stations_and_quiet_ones_have_their_part_of_a_storm() {
    let member = r#"members: [ { name: V, side: mud, mac: "02:cc:ff:00:00:01", ipv4: [202.7.0.99] } ]"#;
    let mut bench = Config::cd().with("members: []", member).bench();
    let group = solicited(IP_B);
    let ns = ether(group.1, V, 0x86dd, &icmp6("fe80::c1", &group.0, 255, &ns(IP_B, &lladdr(1, V))));
    let mut senders = [
        Sender::new(M, 12_000, |number| who_has(station(number % 200))),
        Sender::new(M, 4, |_| arp_request(V, "202.7.0.99", IP4_B)).after(Duration::from_millis(3)),
        Sender::new(M, 4, |_| ns.clone()).after(Duration::from_millis(3)),
        Sender::new(M, 1, |_| who_has(station(1000))).after(Duration::from_millis(3)),
    ];
    run(&mut bench, LOAD, &mut senders);
    senders[1].has(95);
    senders[2].has(95);
    senders[3].has(90);
    let storm = senders[0].served;
    assert!(
        (11_000..=12_000).contains(&storm),
        "{storm}: 1000/s and a burst of 2000, less what is left to the listed"
    );
}

#[test]
fn f204_a_flood_of_claims_hides_no_conflict() {
    let mut bench = Config::ca_learned().bench();
    let x = station(1);
    let claim = |number: u32| {
        ether(V, x, 0x0806, &arp(2, x, &format!("202.7.0.{}", 30 + number % 200), V, "202.7.1.99"))
    };
    bench.pour(M, &claim(0)); // X has claimed that address first
    assert_eq!(bench.owner("202.7.0.30"), Some(x));
    bench.pour(W, &arp_request(V, "202.7.1.99", "202.7.0.98"));
    let quiet_since = bench.neighbour("202.7.1.99").unwrap().confirmed;
    let mut senders = [
        Sender::new(M, 50_000, claim),
        // the true owner of one of them says so
        Sender::new(W, 1, |_| arp_request(station(2), "202.7.0.30", "202.7.0.98"))
            .after(Duration::from_millis(500)),
        // and somebody else goes on to say what it has
        Sender::new(W, 1, |_| arp_request(V, "202.7.1.99", "202.7.0.98")).after(Duration::from_millis(1200)),
    ];
    run(&mut bench, Duration::from_millis(1500), &mut senders);
    assert!(bench.neighbour("202.7.0.30").unwrap().contested, "no answers for it any more");
    assert!(bench.events().contains(&("ip_conflict".to_owned(), mac(station(2)))));
    assert!(bench.neighbour("202.7.1.99").unwrap().confirmed > quiet_since);
    assert!(bench.neighbours() <= 16 + 2, "one MAC has 16 addresses at most");
}

#[test]
fn f205_a_flood_of_bpdus_hides_no_other_event() {
    let mut bench = Config::c0().bench();
    for number in 0..1100 {
        let bpdu =
            [&[0x01, 0x80, 0xc2, 0, 0, 0][..], &station(number), &[0, 38, 0x42, 0x42, 3], &[0; 43]].concat();
        bench.pour(M, &bpdu);
        bench.wait(Duration::from_micros(900));
    }
    assert_eq!(bench.exchange(M, &arp_request(A, "202.7.1.254", IP4_B)).outcome, "ip_conflict_own");
    bench.drops(M, &arp_request(A, IP4_B, IP4_A), "arp_spoof");
    bench.drops(W, &unicast(B, A), "mac_wrong_side");
    let told = |name: &str| bench.events().iter().filter(|(event, _)| event == name).count();
    assert_eq!(["ip_conflict_own", "arp_spoof", "mac_wrong_side"].map(told), [1, 1, 1]);
    assert!(told("bpdu_seen") < 400, "a few, and the rest are counted");
    assert_eq!(bench.count("l2_reserved_bpdu"), 1100);
}

/// What X floods the bridge itself with, by number: each kind of question for its addresses, all in unicast.
fn question(x: [u8; 6], own: [u8; 6], number: u32) -> Vec<u8> {
    let (four, six, x4, x6) = ("202.7.1.254", "2001:7fa:3:ca07::fe", "202.7.0.11", "2001:7fa:3:ca07::c1");
    match number % 4 {
        0 => ether(own, x, 0x0806, &arp(1, x, x4, [0; 6], four)),
        1 => ether(own, x, 0x86dd, &icmp6(x6, six, 255, &ns(six, &lladdr(1, x)))),
        2 => ping4(8, (own, x), (x4, four), b"x"),
        _ => ping6(128, (own, x), (x6, six), b"x"),
    }
}

#[test]
fn f206_who_floods_the_bridge_with_questions_leaves_answers_to_another() {
    let x = station(1);
    for (side, own, asks, from) in [(M, MAC_M, A, IP4_A), (W, MAC_W, B, IP4_B)] {
        let mut bench = Config::c0().member(side, &mac(x)).bench();
        let mut senders = [
            Sender::new(side, 20_000, |number| question(x, own, number)),
            Sender::new(side, 1, |_| arp_request(asks, from, "202.7.1.254"))
                .after(Duration::from_micros(300)),
        ];
        run(&mut bench, LOAD, &mut senders);
        senders[1].has(90);
        let attacker = senders[0].served;
        assert!((10_000..=11_000).contains(&attacker), "{attacker}: 1000/s and a burst of 1000");
    }
}

/// A limit gives `burst + 10 x rate` in 10 s to one station, or to so many as share a side's, with any number of workers.
fn holds(config: &Config, offered: u32, expected: u32, frame: impl Fn(u32) -> Vec<u8>) {
    for workers in [1, 2, 4, 8] {
        let mut crew = Crew::new(config, workers);
        crew.send(W, &arp_request(B, IP4_B, IP4_A));
        let served = crew.served(offered, &frame);
        let (least, most) = (expected - expected / 10, expected + expected / 10);
        assert!((least..=most).contains(&served), "{workers} workers: {served}, should be {expected}");
    }
}

#[test]
fn f217_the_storm_limit_of_a_station_is_the_yamls_with_any_number_of_workers() {
    holds(&Config::cd(), 500, 300 + 500, |_| who_has(station(1)));
}

#[test]
fn f217_the_storm_limits_of_a_side_are_the_yamls_with_any_number_of_workers() {
    let config = Config::cd().plus("storm: { mac: { rate: 100000/s, burst: 100000 } }");
    holds(&config, 4000, 2000 + 10_000, |_| who_has(station(1)));
    let group = solicited(IP_B);
    let one = station(1);
    let ns = ether(group.1, one, 0x86dd, &icmp6("fe80::c1", &group.0, 255, &ns(IP_B, &lladdr(1, one))));
    holds(&config, 4000, 2000 + 10_000, |_| ns.clone());
}

#[test]
fn f217_unknown_destinations_new_addresses_and_answers_are_the_yamls_with_any_number_of_workers() {
    holds(&Config::cd(), 500, 100 + 1000, |_| unicast(station(9), station(1)));
    holds(&Config::cd(), 500, 1000 + 500, |number| unicast(B, station(number)));
    let ask = ether(MAC_M, station(1), 0x0806, &arp(1, station(1), "202.7.0.11", [0; 6], "202.7.1.254"));
    holds(&Config::cd(), 4000, 1000 + 10_000, |_| ask.clone());
}

#[test]
fn f217_the_limits_of_path_mtu_errors_are_the_yamls_with_any_number_of_workers() {
    let narrow = Config::cd()
        .with("wix: { port: trunk1, vlan: 20, mtu: 1500", "wix: { port: trunk1, vlan: 20, mtu: 1400");
    holds(&narrow, 100, 20 + 100, |_| too_long(station(1), 7));
    holds(&narrow, 2000, 250 + 5000, |number| too_long(station(1), number));
    let config = narrow.plus("mtu_errors: { mac: { rate: 100000/s, burst: 100000 } }");
    holds(&config, 6000, 500 + 20_000, |number| too_long(station(1), number));
}
