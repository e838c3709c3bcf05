//! docs/spec F.7: storms of broadcast and multicast are held by side and by source, and hold nobody else up.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;

/// Addresses for senders: inside the exchange's prefix, nobody's in C0.
fn address(number: u32) -> String {
    format!("202.7.1.{}", 1 + number % 200)
}

/// A broadcast ARP request of a station.
fn who_has(number: u32) -> Vec<u8> {
    arp_request(station(number), &address(number), "202.7.0.20")
}

/// C0 with so many stations more on M.
fn crowd(stations: u32) -> Config {
    (0..stations).fold(Config::c0(), |config, number| config.member(M, &mac(station(number))))
}

/// A solicitation for an address of the exchange's, from a station's link-local address.
fn solicit(src: [u8; 6], target: &str) -> Vec<u8> {
    let (group, group_mac) = solicited(target);
    ether(group_mac, src, 0x86dd, &icmp6("fe80::c1", &group, 255, &ns(target, &lladdr(1, src))))
}

#[test]
fn f190_a_broadcast_storm_is_held_to_its_burst_and_rate() {
    let mut bench = crowd(200).bench();
    let frames: Vec<_> = (0..200).map(who_has).collect();
    let mut crossed = 0;
    for number in 0..15_000 {
        crossed += u32::from(bench.pour(M, &frames[number % 200]));
        if number % 1000 == 999 {
            bench.crosses(M, &unicast(B, A));
            bench.crosses(W, &unicast(A, B));
            bench.crosses(W, &arp_request(B, "202.7.0.20", "202.7.0.10"));
            bench.crosses(M, &solicit(A, "2001:7fa:3:ca07::b"));
        }
        bench.wait(Duration::from_micros(200));
    }
    bench.balanced();
    // 2000 at once and 1000 a second for 2.9998 s
    assert_eq!(crossed, 4999);
    assert_eq!(bench.count("bcast_limit"), 15_000 - 4999);
    assert_eq!(bench.count("mac_limit"), 0);
}

#[test]
fn f191_a_loud_source_takes_nothing_from_a_quiet_one() {
    let mut bench = crowd(2).bench();
    let mut loud = 0;
    for tick in 0..20_000 {
        if tick % 2 == 0 {
            loud += u32::from(bench.pour(M, &who_has(0))); // 500 a second
        }
        if tick % 500 == 1 {
            bench.crosses(M, &who_has(1)); // 2 a second
        }
        bench.wait(Duration::from_millis(1));
    }
    bench.balanced();
    assert_eq!(loud, 300 + 50 * 20 - 1, "300 at once and 50 a second, the last of 20 s still to come");
    assert_eq!(bench.count("mac_limit"), 10_000 - u64::from(loud));
    assert_eq!(bench.count("bcast_limit"), 0);
}

#[test]
fn f191_a_source_has_one_bucket_for_broadcast_and_multicast_and_none_for_unicast() {
    let mut bench = crowd(1).bench();
    for _ in 0..150 {
        bench.crosses(M, &who_has(0));
        bench.crosses(M, &solicit(station(0), "2001:7fa:3:ca07::b"));
    }
    bench.drops(M, &who_has(0), "mac_limit");
    bench.drops(M, &solicit(station(0), "2001:7fa:3:ca07::b"), "mac_limit");
    bench.crosses(M, &unicast(B, station(0)));
    bench.crosses(M, &ether(B, station(0), 0x0806, &arp(1, station(0), "202.7.1.1", [0; 6], "202.7.0.20")));
    // one token every 20 ms
    bench.wait(Duration::from_millis(19)).drops(M, &who_has(0), "mac_limit");
    bench.wait(Duration::from_millis(1)).crosses(M, &who_has(0));
    bench.drops(M, &who_has(0), "mac_limit");
}

#[test]
fn f191_what_a_source_is_refused_takes_nothing_from_its_side() {
    let rates = "storm: { side: { broadcast: { rate: 1/s, burst: 10 } }, mac: { rate: 1/s, burst: 5 } }";
    let mut bench = crowd(3).plus(rates).bench();
    for _ in 0..5 {
        bench.crosses(M, &who_has(0));
    }
    for _ in 0..50 {
        bench.drops(M, &who_has(0), "mac_limit");
    }
    for _ in 0..5 {
        bench.crosses(M, &who_has(1));
    }
    bench.drops(M, &who_has(2), "bcast_limit");
}

#[test]
fn f191_what_a_side_is_refused_takes_nothing_from_the_source() {
    let rates = "storm: { side: { broadcast: { rate: 10/s, burst: 10 } }, mac: { rate: 1/s, burst: 12 } }";
    let mut bench = crowd(1).plus(rates).bench();
    for _ in 0..10 {
        bench.crosses(M, &who_has(0));
    }
    for _ in 0..50 {
        bench.drops(M, &who_has(0), "bcast_limit");
    }
    // 0.2 s bring the side two tokens; the source has two left of its twelve, and a fifth of one
    bench.wait(Duration::from_millis(200));
    bench.crosses(M, &who_has(0));
    bench.crosses(M, &who_has(0));
    bench.wait(Duration::from_millis(100));
    bench.drops(M, &who_has(0), "mac_limit");
}

#[test]
fn f190_broadcast_and_multicast_and_the_two_sides_have_limits_of_their_own() {
    let rates = "storm: { side: { broadcast: { rate: 1/s, burst: 2 }, multicast: { rate: 1/s, burst: 3 } } }";
    let mut bench = Config::c0().plus(rates).bench();
    let target = "2001:7fa:3:ca07::c";
    for (side, src, spa) in [(M, A, "202.7.0.10"), (W, B, "202.7.0.20")] {
        for _ in 0..2 {
            bench.crosses(side, &arp_request(src, spa, "202.7.0.30"));
        }
        bench.drops(side, &arp_request(src, spa, "202.7.0.30"), "bcast_limit");
        for _ in 0..3 {
            bench.crosses(side, &solicit(src, target));
        }
        bench.drops(side, &solicit(src, target), "mcast_limit");
    }
}

#[test]
fn f190_what_the_filter_or_the_mac_rule_refuses_costs_no_token() {
    let rates = "storm: { side: { broadcast: { rate: 1/s, burst: 1 } }, mac: { rate: 1/s, burst: 1 } }";
    let mut bench = Config::c0().plus(rates).bench();
    for _ in 0..10 {
        bench.drops(M, &arp_request(A, "10.1.1.2", "10.1.1.1"), "arp_not_wix");
        bench.drops(M, &unicast(BROADCAST, A), "l2_broadcast_ip");
        bench.drops(W, &arp_request(A, "202.7.0.10", "202.7.0.20"), "mac_wrong_side");
        bench.drops(M, &arp_request(station(9), "202.7.0.33", "202.7.0.20"), "src_not_member");
    }
    bench.crosses(M, &arp_request(A, "202.7.0.10", "202.7.0.20"));
    bench.drops(M, &arp_request(A, "202.7.0.10", "202.7.0.20"), "mac_limit");
}

#[test]
fn f192_a_rebooting_router_resolves_all_its_peers() {
    let mut bench = Config::c0().bench();
    for number in 0..130 {
        bench.crosses(M, &solicit(A, &format!("2001:7fa:3:ca07::1:{number:x}")));
        bench.wait(Duration::from_nanos(50_000_000 / 130));
    }
}

#[test]
fn f193_a_flood_of_solicitations_leaves_others_alone_and_no_trace() {
    let mut bench = Config::ca_learned().bench();
    let (flooder, quiet, peer) = (station(1), station(2), station(3));
    bench.send(M, &unicast(peer, quiet));
    bench.crosses(W, &unicast(quiet, peer));
    bench.wait(Duration::from_secs(10));
    let dad = |target: &str| {
        let (group, group_mac) = solicited(target);
        ether(group_mac, quiet, 0x86dd, &icmp6("::", &group, 255, &ns(target, &[])))
    };
    let advert = ether(
        quiet,
        peer,
        0x86dd,
        &icmp6(
            "2001:7fa:3:ca07::3",
            "2001:7fa:3:ca07::2",
            255,
            &na(0xe0, "2001:7fa:3:ca07::3", &lladdr(2, peer)),
        ),
    );
    // every target another, in the middle of the address: the group stays, the checksum follows (RFC 1624)
    let mut flood = solicit(flooder, "2001:7fa:3:ca07::1");
    let [message, target] = [14 + 40, 14 + 40 + 8];
    let sum = u32::from(!u16::from_be_bytes([flood[message + 2], flood[message + 3]]));
    let mut crossed = 0;
    for number in 0..1_000_000u32 {
        flood[target + 8..target + 12].copy_from_slice(&number.to_be_bytes());
        let sum = sum + (number >> 16) + (number & 0xffff);
        let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
        flood[message + 2..message + 4].copy_from_slice(&sum.to_be_bytes());
        crossed += u32::from(bench.pour(M, &flood));
        if number % 50_000 == 0 {
            bench.crosses(M, &dad("2001:7fa:3:ca07::2"));
            bench.crosses(W, &advert);
            bench.crosses(M, &unicast(peer, quiet));
        }
        bench.wait(Duration::from_micros(5));
    }
    bench.balanced();
    assert_eq!(crossed, 300 + 50 * 5 - 1, "300 at once and 50 a second for 5 s");
    assert_eq!(bench.count("mac_limit"), 1_000_000 - u64::from(crossed), "each was a valid one");
    assert_eq!(bench.cause("mac_new"), 3, "no state from targets");
    let bridge = &bench.bridge().plan().bridges[0];
    assert_eq!(bridge.tables.macs.count(M) + bridge.tables.macs.count(W), 3);
    assert_eq!(bench.neighbours(), 2, "the flooder and the peer, who said where they are");
}

#[test]
fn duplicate_address_detection_for_a_members_address_is_limited_as_the_member_answers_each_to_all() {
    let mut bench = crowd(4).bench();
    let mut crossed = 0;
    for number in 0..1000 {
        crossed += u32::from(bench.pour(M, &dad(station(number % 4), IP_B))); // 100 a second
        bench.wait(Duration::from_millis(10));
    }
    assert!((29..=30).contains(&crossed), "{crossed}: a burst of 20, and 1/s");
    assert_eq!(bench.count("dad_limit"), 1000 - u64::from(crossed));
    // other addresses are not concerned, nor is the member, which looks for its own after a move
    bench.crosses(M, &dad(station(1), "2001:7fa:3:ca07::c"));
    bench.crosses(W, &dad(B, IP_B));
    bench.balanced();
}
