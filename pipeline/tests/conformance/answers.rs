//! docs/spec C.4, C.6, F.3 and F.4: what the bridge answers on behalf of members, with the owner's MAC, and what it leaves
//! to them.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;

/// Stations without addresses, one on each side.
const C: [u8; 6] = station(3);
const D: [u8; 6] = station(4);
/// A virtual router's MAC for IPv4.
const VRRP4: [u8; 6] = [0, 0, 0x5e, 0, 1, 0x2a];

/// Ca, with C on M and D on W.
fn ca() -> Config {
    Config::ca().member(M, &mac(C)).member(W, &mac(D))
}

/// A golden frame, padded to the shortest frame.
fn padded(record: usize) -> Vec<u8> {
    let mut frame = golden(record);
    frame.resize(frame.len().max(60), 0);
    frame
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// B says in an advertisement to A what it is.
fn b_says(flags: u8) -> Vec<u8> {
    advertisement((A, B), IP_A, flags, IP_B)
}

/// A bench in which B's addresses are learned: from ARP, and from an advertisement with these flags; 2 s ago.
fn learned(config: &Config, flags: u8) -> Bench {
    let mut bench = config.bench();
    bench.passes(W, &arp_request(B, IP4_B, IP4_B));
    bench.passes(W, &advertisement((ALL_NODES.1, B), ALL_NODES.0, flags & !S, IP_B));
    bench.wait(seconds(2.0));
    bench
}

// ARP

#[test]
fn f71_announcement_crosses_and_is_never_answered() {
    let mut bench = ca().bench();
    bench.passes(M, &arp_request(A, IP4_A, IP4_A));
    // of an address that is known across the bridge too, where claims pass
    let mut bench = ca().plus("conflict: pass").bench();
    bench.passes(M, &arp_request(A, IP4_B, IP4_B));
}

#[test]
fn f72_gratuitous_reply_crosses_and_is_never_answered() {
    let mut bench = ca().bench();
    bench.passes(M, &ether(BROADCAST, A, 0x0806, &arp(2, A, IP4_A, A, IP4_A)));
}

#[test]
fn f73_unicast_request_goes_to_the_owner() {
    let mut bench = ca().bench();
    bench.passes(M, &ether(B, A, 0x0806, &arp(1, A, IP4_A, [0; 6], IP4_B)));
    bench.passes(M, &ether(B, A, 0x0806, &arp(1, A, "0.0.0.0", [0; 6], IP4_B)));
}

#[test]
fn f74_unicast_reply_crosses() {
    let mut bench = ca().bench();
    bench.passes(W, &golden(6));
    bench.passes(W, &golden(7));
}

#[test]
fn f75_reply_is_never_turned_into_another() {
    let mut bench = ca().bench();
    for dst in [B, BROADCAST] {
        bench.passes(M, &ether(dst, A, 0x0806, &arp(2, A, IP4_A, B, IP4_B)));
    }
}

#[test]
fn f81_request_is_answered_on_behalf_of_the_owner() {
    let mut bench = ca().bench();
    bench.answers(M, &golden(5), &padded(6));
    // the saving shows
    assert_eq!((bench.count("answered"), bench.cause("answered_for_owner")), (1, 1));
    let report = bench.report();
    assert_eq!((report.replies, report.sides["wix"].transmitted), (1, 0));
}

#[test]
fn f81_the_other_way_round() {
    let mut bench = ca().bench();
    let reply = arp_frame((B, A), &arp(2, A, IP4_A, B, IP4_B));
    bench.answers(W, &arp_request(B, IP4_B, IP4_A), &reply);
}

#[test]
fn f81_padding_of_the_request_is_not_repeated() {
    let mut bench = ca().bench();
    for padding in [1, 6, 18, 100] {
        bench.answers(M, &[golden(5), vec![0xa5; padding]].concat(), &padded(6));
    }
}

#[test]
fn f81_answer_has_the_sides_tag_with_priority_0() {
    let got = ca().bench().exchange_raw(M, &with_tags(&golden(5), &[(0x8100, 0xb00a)]));
    assert_eq!(got.reply(), with_tags(&padded(6), &[(0x8100, 10)]));
    assert_eq!(got.reply().len(), 64);
}

#[test]
fn f81_learned_owner_is_answered_for() {
    let mut bench = learned(&Config::ca_learned(), R | O);
    bench.answers(M, &golden(5), &padded(6));
    // not for as long as it was known, but for as long as anything is: 300 s
    bench.wait(seconds(297.9)).answers(M, &golden(5), &padded(6));
    bench.wait(seconds(0.1)).passes(M, &golden(5));
}

#[test]
fn f81_in_bridge_mode_nothing_is_answered() {
    let mut bench = Config::c0().bench();
    bench.passes(M, &golden(5));
    bench.passes(M, &golden(1));
}

#[test]
fn f82_owner_on_the_side_of_the_one_who_asks_hears_it_itself() {
    let mut bench = ca().bench();
    bench.exchange(W, &arp_request(D, "202.7.0.40", IP4_B)).silent("arp_same_side");
    assert_eq!(bench.report().replies, 0);
}

#[test]
fn f82_owner_that_may_have_left_is_asked_across_too() {
    let mut bench = learned(&Config::ca_learned(), R | O);
    let asks = arp_request(D, "202.7.0.40", IP4_B);
    let asks6 = who_has6(D, "fe80::d", IP_B);
    bench.passes(W, &asks); // looked for across once (F218)
    bench.passes(W, &asks6);
    bench.wait(seconds(27.9)).exchange(W, &asks).silent("arp_same_side");
    bench.exchange(W, &asks6).silent("nd_same_side");
    bench.wait(seconds(0.1)).passes(W, &asks);
    bench.passes(W, &asks6);
}

/// Ca, B's addresses unlisted, and C on M has claimed them before B said a word.
fn claimed_first() -> Bench {
    let mut bench = Config::ca_without_addresses_of_b().member(M, &mac(C)).bench();
    bench.passes(M, &arp_request(C, IP4_B, IP4_B));
    bench.passes(M, &advertisement((ALL_NODES.1, C), ALL_NODES.0, R | O, IP_B));
    bench
}

#[test]
fn f218_an_owner_across_is_reached_though_another_claimed_its_address_first() {
    let mut bench = claimed_first();
    bench.passes(M, &golden(5));
    bench.passes(M, &golden(1));
    bench.passes(W, &golden(6));
    bench.passes(W, &golden(2));
    // contested from here: neither answered nor withheld
    for _ in 0..100 {
        bench.wait(seconds(0.5)).passes(M, &golden(5));
        bench.passes(M, &golden(1));
    }
    assert_eq!(bench.events().iter().filter(|(name, _)| name == "ip_conflict").count(), 2);
}

#[test]
fn f218_what_was_looked_for_across_in_vain_is_withheld_for_a_minute() {
    let mut bench = claimed_first();
    for _ in 0..3 {
        for at in [0.0, 0.5, 0.499] {
            bench.wait(seconds(at)).passes(M, &golden(5));
            bench.passes(M, &golden(1));
        }
        for at in [0.001, 29.0, 29.999] {
            bench.wait(seconds(at)).exchange(M, &golden(5)).silent("arp_same_side");
            bench.exchange(M, &golden(1)).silent("nd_same_side");
        }
        bench.wait(seconds(0.001));
    }
}

#[test]
fn f218_each_address_is_looked_for_by_itself_and_a_listed_one_never() {
    let mut bench = claimed_first();
    bench.passes(M, &arp_request(C, "202.7.0.40", "202.7.0.40"));
    bench.passes(M, &golden(5));
    bench.wait(seconds(1.0)).exchange(M, &golden(5)).silent("arp_same_side");
    bench.passes(M, &arp_request(A, IP4_A, "202.7.0.40"));
    bench.exchange(M, &arp_request(C, "202.7.0.40", IP4_A)).silent("arp_same_side");
}

#[test]
fn f82_probe_crosses_also_where_the_owner_hears_it() {
    let mut bench = ca().bench();
    bench.passes(W, &arp_request(D, "0.0.0.0", IP4_B));
}

#[test]
fn f83_owner_that_moved_and_probes_is_not_answered() {
    let mut bench = learned(&Config::ca_learned(), R | O);
    bench.passes(M, &arp_request(B, "0.0.0.0", IP4_B));
    assert_eq!(bench.cause("mac_move"), 1);
}

#[test]
fn f83_pinned_owner_on_the_wrong_side_is_refused_for_that() {
    ca().bench().exchange(M, &arp_request(B, "0.0.0.0", IP4_B)).silent("mac_wrong_side");
}

#[test]
fn f83_another_mac_of_the_owner_is_not_answered() {
    let entry = format!(
        "- {{ name: R, macs: [\"{}\", \"{}\"], ipv4: [202.7.0.40], ipv6: [\"2001:7fa:3:ca07::40\"] }}",
        mac(C),
        mac(D)
    );
    let mut bench = Config::ca().with("#more", &entry).bench();
    bench.passes(W, &arp_request(D, "202.7.0.40", "202.7.0.41"));
    bench.passes(W, &who_has6(D, "2001:7fa:3:ca07::40", "2001:7fa:3:ca07::41"));
    // D speaks for the address on W; C, of the same member, looks for it on M
    bench.passes(M, &arp_request(C, "0.0.0.0", "202.7.0.40"));
    bench.passes(M, &dad(C, "2001:7fa:3:ca07::40"));
    // who is no member of it is answered
    let reply = arp_frame((A, D), &arp(2, D, "202.7.0.40", A, IP4_A));
    bench.answers(M, &arp_request(A, IP4_A, "202.7.0.40"), &reply);
}

#[test]
fn f83_virtual_router_that_moved_and_probes_is_not_answered() {
    let entry = format!("- {{ name: VR, mac: \"{}\", ipv4: [202.7.0.40] }}\n      #more", mac(VRRP4));
    let mut bench = ca().with("#more", &entry).bench();
    bench.passes(W, &arp_request(VRRP4, "202.7.0.40", "202.7.0.41"));
    bench.wait(seconds(2.0));
    // the new master's own MAC outside, the virtual router's inside
    let probe = arp(1, VRRP4, "0.0.0.0", [0; 6], "202.7.0.40");
    bench.passes(M, &ether(BROADCAST, C, 0x0806, &probe));
}

#[test]
fn f84_probe_is_answered_and_crosses() {
    let mut bench = ca().bench();
    bench.passes_and_answers(M, &arp_request(A, "0.0.0.0", IP4_B), &padded(7));
    assert_eq!((bench.count("forwarded"), bench.cause("answered_and_bridged")), (1, 1));
    assert_eq!(bench.cause("answered_for_owner"), 0);
}

#[test]
fn f84_probe_is_answered_for_a_learned_owner_only_while_it_is_confirmed() {
    let mut bench = learned(&Config::ca_learned(), R | O);
    let probe = arp_request(A, "0.0.0.0", IP4_B);
    bench.wait(seconds(27.9)).passes_and_answers(M, &probe, &padded(7));
    bench.wait(seconds(0.1)).passes(M, &probe);
}

#[test]
fn f85_request_for_an_unknown_address_crosses_and_leaves_no_trace() {
    let mut bench = ca().bench();
    bench.passes(M, &arp_request(A, IP4_A, "202.7.0.77"));
    assert_eq!(bench.neighbour("202.7.0.77"), None);
    assert_eq!(bench.neighbours(), 1);
}

#[test]
fn f85_owner_that_was_never_seen_and_is_pinned_to_no_side_is_asked_itself() {
    let entry = format!("- {{ name: X, mac: \"{}\", ipv4: [202.7.0.50] }}\n      #more", mac(station(5)));
    ca().with("#more", &entry).bench().passes(M, &arp_request(A, IP4_A, "202.7.0.50"));
}

#[test]
fn answers_follow_an_owner_that_moves() {
    let mut bench = learned(&Config::ca_learned(), R | O);
    bench.answers(M, &golden(5), &padded(6));
    bench.send(M, &unicast(A, B));
    bench.passes(M, &golden(5)); // looked for across once (F218)
    bench.wait(seconds(1.0)).exchange(M, &golden(5)).silent("arp_same_side");
    let reply = arp_frame((D, B), &arp(2, B, IP4_B, D, "202.7.0.40"));
    bench.answers(W, &arp_request(D, "202.7.0.40", IP4_B), &reply);
}

#[test]
fn an_owner_in_quarantine_is_not_answered_for() {
    let mut bench = learned(&Config::ca_learned(), R | O);
    for _ in 0..3 {
        bench.send(M, &unicast(A, B));
        bench.wait(seconds(2.0)).send(W, &unicast(A, B));
        bench.wait(seconds(2.0));
    }
    assert!(bench.count("mac_flapping") > 0);
    bench.passes(M, &golden(5));
}

#[test]
fn over_the_limit_of_answers_requests_are_bridged() {
    let mut bench = ca().plus("answers: { rate: 10/s, burst: 2 }").bench();
    bench.answers(M, &golden(5), &padded(6));
    bench.answers(M, &golden(1), &golden(2));
    bench.passes(M, &golden(5));
    bench.passes(M, &golden(1));
    bench.passes(M, &golden(3));
    assert_eq!(bench.cause("answer_limited"), 3);
    // the other side has its own limit
    bench.answers(W, &arp_request(B, IP4_B, IP4_A), &arp_frame((B, A), &arp(2, A, IP4_A, B, IP4_B)));
    bench.wait(seconds(0.1)).answers(M, &golden(5), &padded(6));
}

#[test]
fn a_request_pays_its_storm_token_also_where_it_is_answered() {
    let mut bench = ca().plus("storm: { mac: { rate: 1/s, burst: 2 } }").bench();
    bench.answers(M, &golden(5), &padded(6));
    bench.answers(M, &golden(1), &golden(2));
    bench.exchange(M, &golden(5)).silent("mac_limit");
    bench.exchange(M, &golden(1)).silent("mac_limit");
}

#[test]
fn f190_a_storm_of_requests_is_held_whether_they_are_answered_or_bridged() {
    let mut bench =
        (0..200).fold(ca(), |config, number| config.member(M, &mac(station(100 + number)))).bench();
    let frames: Vec<_> = (0..200)
        .map(|number| arp_request(station(100 + number), &format!("202.7.1.{}", 1 + number), IP4_B))
        .collect();
    for number in 0..15_000 {
        bench.pour(M, &frames[number % 200]);
        bench.wait(Duration::from_micros(200));
    }
    bench.balanced();
    // 2000 at once and 1000 a second for 2.9998 s; 1000 answers at once and 1000 a second
    assert_eq!(bench.count("answered") + bench.count("forwarded"), 4999);
    assert_eq!(bench.count("bcast_limit"), 15_000 - 4999);
    assert_eq!(bench.report().replies, bench.count("answered"));
    assert_eq!(bench.cause("answer_limited"), bench.count("forwarded"));
    assert_eq!(bench.count("answered"), 3999);
}

#[test]
fn f192_a_rebooting_router_is_answered_for_all_its_peers() {
    let addresses: Vec<_> = (0..130).map(|number| format!("2001:7fa:3:ca07::1:{number:x}")).collect();
    let entry = |(number, address): (u32, &String)| {
        let mac = mac(station(100 + number));
        format!("- {{ name: P{number}, side: wix, mac: \"{mac}\", ipv6: [\"{address}\"] }}\n      ")
    };
    let members: String = (0..).zip(&addresses).map(entry).collect();
    let mut bench = Config::ca().with("#more", &members).bench();
    for (number, address) in (0..).zip(&addresses) {
        let peer = station(100 + number);
        bench.answers(M, &who_has6(A, IP_A, address), &advertisement((A, peer), IP_A, R | S | O, address));
        bench.wait(Duration::from_nanos(50_000_000 / 130));
    }
    assert_eq!(bench.report().sides["wix"].transmitted, 0);
}

// Neighbour discovery

#[test]
fn f107_optimistic_dad_is_not_answered() {
    let mut bench = ca().bench();
    bench.passes(M, &solicitation(A, IP_A, IP_B, &[]));
}

#[test]
fn f117_solicitation_is_answered_on_behalf_of_the_owner() {
    let mut bench = ca().bench();
    bench.answers(M, &golden(1), &golden(2));
    assert_eq!((bench.count("answered"), bench.cause("answered_for_owner")), (1, 1));
    assert_eq!(bench.report().sides["wix"].transmitted, 0);
}

#[test]
fn f117_nonce_of_the_request_is_not_echoed() {
    let mut bench = ca().bench();
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    bench.answers(M, &solicitation(A, IP_A, IP_B, &[&nonce[..], &lladdr(1, A)].concat()), &golden(2));
}

#[test]
fn f117_solicitation_from_a_link_local_address_is_answered_there() {
    let mut bench = ca().bench();
    bench.answers(M, &who_has6(A, "fe80::a", IP_B), &advertisement((A, B), "fe80::a", R | S | O, IP_B));
}

#[test]
fn f117_link_local_address_is_answered_for_once_it_is_learned() {
    let mut bench = ca().bench();
    bench.passes(M, &who_has6(A, "fe80::a", "fe80::b"));
    bench.passes(W, &who_has6(B, "fe80::b", "fe80::77"));
    // learned from a solicitation, which says nothing of O
    bench.answers(M, &who_has6(A, "fe80::a", "fe80::b"), &advertisement((A, B), "fe80::a", R | S, "fe80::b"));
}

#[test]
fn f118_override_is_what_the_owner_said() {
    for config in [Config::ca_without_addresses_of_b(), Config::ca_learned()] {
        for (said, flags) in [(R, R | S), (R | O, R | S | O), (O, S | O), (0, S)] {
            let mut bench = learned(&config, said);
            bench.answers(M, &golden(1), &advertisement((A, B), IP_A, flags, IP_B));
        }
    }
    assert_eq!(advertisement((A, B), IP_A, R | S | O, IP_B), golden(2));
}

#[test]
fn f118_override_is_not_repeated_of_an_owner_not_heard_for_30_s() {
    let mut bench = learned(&Config::ca_without_addresses_of_b(), R | O);
    bench.wait(seconds(27.9)).answers(M, &golden(1), &golden(2));
    bench.wait(seconds(0.1)).answers(M, &golden(1), &advertisement((A, B), IP_A, R | S, IP_B));
}

#[test]
fn f118_a_later_advertisement_counts() {
    let mut bench = learned(&Config::ca_without_addresses_of_b(), R);
    bench.passes(W, &b_says(R | S | O));
    bench.answers(M, &golden(1), &golden(2));
    bench.passes(W, &b_says(R | S));
    bench.answers(M, &golden(1), &advertisement((A, B), IP_A, R | S, IP_B));
}

#[test]
fn f119_provisioned_host_is_no_router() {
    let host =
        Config::ca().with(r#"ipv6: ["2001:7fa:3:ca07::b"]"#, r#"ipv6: ["2001:7fa:3:ca07::b"], role: host"#);
    let mut bench = host.bench();
    bench.answers(M, &golden(1), &advertisement((A, B), IP_A, S | O, IP_B));
    let defence = advertisement((ALL_NODES.1, B), ALL_NODES.0, O, IP_B);
    bench.passes_and_answers(M, &golden(3), &defence);
    // what it says of itself does not change that
    bench.passes(W, &b_says(R | S | O));
    bench.answers(M, &golden(1), &advertisement((A, B), IP_A, S | O, IP_B));
}

#[test]
fn f120_unicast_solicitation_goes_to_the_owner() {
    let mut bench = ca().bench();
    let message = ns(IP_B, &lladdr(1, A));
    bench.passes(M, &ether(B, A, 0x86dd, &icmp6(IP_A, IP_B, 255, &message)));
    bench.passes(M, &ether(B, A, 0x86dd, &icmp6(IP_A, IP_B, 255, &ns(IP_B, &[]))));
}

#[test]
fn f121_dad_is_answered_and_crosses() {
    let mut bench = ca().bench();
    bench.passes_and_answers(M, &golden(3), &golden(4));
    assert_eq!((bench.count("forwarded"), bench.cause("answered_and_bridged")), (1, 1));
}

#[test]
fn f122_owner_that_moved_and_looks_for_duplicates_is_not_answered() {
    let mut bench = learned(&Config::ca_learned(), R | O);
    bench.passes(M, &dad(B, IP_B));
    assert_eq!(bench.cause("mac_move"), 1);
    ca().bench().exchange(M, &dad(B, IP_B)).silent("mac_wrong_side");
}

#[test]
fn f123_dad_is_not_answered_on_stale_knowledge() {
    let mut bench = learned(&Config::ca_learned(), R);
    bench.wait(seconds(27.9)).passes_and_answers(M, &golden(3), &golden(4));
    bench.wait(seconds(0.1)).passes(M, &golden(3));
    bench.wait(seconds(1.0)).passes(M, &golden(3));
}

#[test]
fn f124_simultaneous_dad_from_both_sides_crosses() {
    let mut bench = ca().bench();
    bench.passes(M, &dad(C, "2001:7fa:3:ca07::d0"));
    bench.wait(seconds(0.1)).passes(W, &dad(D, "2001:7fa:3:ca07::d0"));
    assert_eq!(bench.neighbour("2001:7fa:3:ca07::d0"), None);
}

#[test]
fn f125_owner_on_the_side_of_the_one_who_asks_hears_it_itself() {
    let mut bench = ca().bench();
    bench.exchange(W, &who_has6(D, "fe80::d", IP_B)).silent("nd_same_side");
    bench.passes(W, &dad(D, IP_B)); // never suppressed
}

#[test]
fn f126_anycast_target_is_never_answered_for() {
    let anycast = "2001:7fa:3:ca07::";
    let mut bench = ca().bench();
    bench.passes(W, &advertisement((A, B), IP_A, R | S, anycast));
    bench.passes(M, &who_has6(A, IP_A, anycast));
    bench.passes(M, &dad(A, anycast));
    let extra = ca().plus("anycast: { extra: [\"2001:7fa:3:ca07::77\"] }");
    let mut bench = extra.bench();
    bench.passes(W, &advertisement((A, B), IP_A, R | S | O, "2001:7fa:3:ca07::77"));
    bench.passes(M, &who_has6(A, IP_A, "2001:7fa:3:ca07::77"));
    // a host's after all
    let mut bench = ca().plus("anycast: { never: [\"2001:7fa:3:ca07::\"] }").bench();
    bench.passes(W, &advertisement((A, B), IP_A, R | S | O, anycast));
    bench.answers(M, &who_has6(A, IP_A, anycast), &advertisement((A, B), IP_A, R | S | O, anycast));
}

#[test]
fn f129_solicitation_for_an_unknown_target_crosses_and_leaves_no_trace() {
    let mut bench = ca().bench();
    bench.passes(M, &who_has6(A, IP_A, "2001:7fa:3:ca07::77"));
    assert_eq!(bench.neighbour("2001:7fa:3:ca07::77"), None);
    assert_eq!(bench.neighbours(), 1);
}

#[test]
fn f142_f143_transit_errors_cross_unlimited() {
    let mut bench = ca().bench();
    let error = |kind: u8, rest: u32| {
        let message = [&[kind, 0, 0, 0][..], &rest.to_be_bytes(), &[0x60; 48]].concat();
        ether(B, A, 0x86dd, &icmp6("2001:db8:1::1", "2001:db8:2::2", 64, &message))
    };
    for frame in [error(1, 0), error(2, 1400), error(2, 600), error(3, 0), error(4, 0)] {
        bench.passes(M, &frame);
        for _ in 0..2_000 {
            assert!(bench.pour(M, &frame));
            bench.wait(Duration::from_micros(100));
        }
    }
    bench.balanced();
    assert_eq!(bench.report().replies, 0);
}
