//! docs/spec C.4: what the bridge learns of addresses, from whom it believes it, and for how long.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;

/// Addresses that are nobody's in the rules.
const IP4_C: &str = "202.7.0.30";
const IP_C: &str = "2001:7fa:3:ca07::c1";
/// Stations without addresses.
const C: [u8; 6] = station(3);
const D: [u8; 6] = station(4);
const VRRP4: [u8; 6] = [0, 0, 0x5e, 0, 1, 0x2a];
const VRRP6: [u8; 6] = [0, 0, 0x5e, 0, 2, 0x2a];

/// C0 with C on M and D on W.
fn c0() -> Config {
    Config::c0().member(M, &mac(C)).member(W, &mac(D))
}

/// The same, answering.
fn ca() -> Config {
    Config::ca().member(M, &mac(C)).member(W, &mac(D))
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A station says that an IPv4 address is its own.
fn claims(src: [u8; 6], address: &str) -> Vec<u8> {
    arp_request(src, address, address)
}

/// The same of an IPv6 address.
fn claims6(src: [u8; 6], address: &str) -> Vec<u8> {
    advertisement((ALL_NODES.1, src), ALL_NODES.0, R | O, address)
}

fn conflicts(bench: &Bench) -> Vec<String> {
    bench.events().into_iter().filter(|(name, _)| name == "ip_conflict").map(|(_, mac)| mac).collect()
}

#[test]
fn f65_request_teaches_its_sender_and_not_its_target() {
    let mut bench = c0().bench();
    bench.passes(M, &arp_request(A, IP4_A, IP4_C));
    assert_eq!((bench.owner(IP4_A), bench.owner(IP4_C)), (Some(A), None));
    bench.passes(M, &ether(D, C, 0x0806, &arp(1, C, IP4_C, [0; 6], "202.7.0.31")));
    assert_eq!((bench.owner(IP4_C), bench.owner("202.7.0.31")), (Some(C), None));
}

#[test]
fn f69_probe_teaches_nothing() {
    let mut bench = c0().bench();
    bench.passes(M, &arp_request(A, "0.0.0.0", IP4_B));
    bench.passes(M, &arp_request(A, "0.0.0.0", IP4_A));
    assert_eq!(bench.neighbours(), 0);
}

#[test]
fn f71_f72_announcements_and_replies_teach_their_sender() {
    let mut bench = c0().bench();
    bench.passes(M, &claims(A, IP4_A));
    bench.passes(M, &ether(BROADCAST, C, 0x0806, &arp(2, C, IP4_C, C, IP4_C)));
    bench.passes(W, &golden(6));
    assert_eq!([IP4_A, IP4_C, IP4_B].map(|address| bench.owner(address)), [Some(A), Some(C), Some(B)]);
    assert_eq!(bench.neighbours(), 3);
}

#[test]
fn f89_second_claim_of_an_address_is_told_once_and_does_not_replace_the_first() {
    let mut bench = c0().bench();
    bench.passes(M, &claims(C, IP4_C));
    bench.wait(seconds(1.0)).passes(W, &claims(D, IP4_C));
    assert_eq!(conflicts(&bench), [mac(D)]);
    for _ in 0..3 {
        bench.wait(seconds(1.0)).passes(M, &claims(C, IP4_C));
        bench.wait(seconds(1.0)).passes(W, &claims(D, IP4_C));
    }
    assert_eq!((conflicts(&bench).len(), bench.owner(IP4_C)), (1, Some(C)));
}

#[test]
fn f91_advertisement_teaches_target_and_flags() {
    for flags in [0, R, O, R | O] {
        let mut bench = c0().bench();
        bench.passes(W, &advertisement((A, B), IP_A, flags | S, IP_B));
        let known = bench.neighbour(IP_B).unwrap();
        assert_eq!(known.mac.bytes(), B);
        assert_eq!((known.router, known.overrides), (flags & R != 0, flags & O != 0));
        assert_eq!(bench.neighbours(), 1);
    }
}

#[test]
fn f92_unsolicited_advertisement_teaches_and_renews() {
    let mut bench = c0().bench();
    bench.passes(W, &golden(4));
    let first = bench.neighbour(IP_B).unwrap();
    bench.wait(seconds(5.0)).passes(W, &golden(4));
    let then = bench.neighbour(IP_B).unwrap();
    assert_eq!((then.mac, then.confirmed.since(first.confirmed)), (first.mac, seconds(5.0)));
    assert_eq!(conflicts(&bench), [""; 0]);
}

#[test]
fn f104_f107_dad_teaches_nothing_optimistic_or_not() {
    let mut bench = c0().bench();
    bench.passes(M, &golden(3));
    bench.passes(M, &solicitation(A, IP_A, IP_B, &[]));
    assert_eq!(bench.neighbours(), 0);
}

#[test]
fn solicitation_teaches_its_sender_as_a_router_without_override() {
    let mut bench = c0().bench();
    bench.passes(M, &golden(1));
    let known = bench.neighbour(IP_A).unwrap();
    assert_eq!((known.mac.bytes(), known.router, known.overrides), (A, true, false));
    // what an advertisement said of flags is not forgotten
    bench.passes(M, &advertisement((B, A), IP_B, S | O, IP_A));
    bench.wait(seconds(2.0)).passes(M, &golden(1));
    let known = bench.neighbour(IP_A).unwrap();
    assert_eq!((known.router, known.overrides), (false, true));
    assert_eq!(bench.neighbours(), 1);
}

#[test]
fn advertisement_without_its_address_teaches_nothing() {
    let mut bench = c0().bench();
    bench.passes(W, &ether(A, B, 0x86dd, &icmp6(IP_B, IP_A, 255, &na(R | S | O, IP_B, &[]))));
    let two = [lladdr(2, D), lladdr(2, VRRP6)].concat();
    bench.passes(W, &ether(A, D, 0x86dd, &icmp6(IP_C, IP_A, 255, &na(R | S | O, IP_C, &two))));
    assert_eq!(bench.neighbours(), 0);
}

#[test]
fn f78_virtual_mac_inside_is_believed_where_it_is_listed_with_its_masters() {
    let master = |src| ether(BROADCAST, src, 0x0806, &arp(1, VRRP4, IP4_C, [0; 6], IP4_C));
    let one = format!("- {{ name: R, side: mud, macs: [\"{}\", \"{}\"] }}", mac(station(5)), mac(VRRP4));
    let mut bench = c0().with("#more", &one).bench();
    bench.passes(M, &master(C)); // another's frame proves nothing (F197)
    assert_eq!(bench.neighbours(), 0);
    bench.passes(M, &master(station(5)));
    assert_eq!(bench.owner(IP4_C), Some(VRRP4));
}

#[test]
fn nothing_is_learned_from_a_refused_frame() {
    let mut bench = c0().plus("storm: { mac: { rate: 1/s, burst: 1 } }").bench();
    bench.exchange(M, &claims(station(9), IP4_C)).silent("src_not_member");
    bench.exchange(M, &claims6(station(9), IP_C)).silent("src_not_member");
    bench.exchange(W, &claims(C, IP4_C)).silent("mac_wrong_side");
    bench.exchange(M, &claims(C, "10.0.0.1")).silent("arp_not_wix");
    bench.exchange(M, &claims(C, IP4_A)).silent("arp_spoof");
    bench.exchange(M, &claims6(C, IP_A)).silent("nd_spoof");
    bench.exchange(M, &advertisement((ALL_NODES.1, C), ALL_NODES.0, S, IP_C)).silent("na_invalid");
    bench.passes(M, &claims(C, "202.7.0.31"));
    bench.exchange(M, &claims(C, IP4_C)).silent("mac_limit");
    assert_eq!((bench.neighbours(), bench.owner("202.7.0.31")), (1, Some(C)));
}

#[test]
fn passed_claim_of_a_members_address_is_not_believed() {
    let mut bench = ca().plus("conflict: pass").bench();
    bench.passes(M, &claims(C, IP4_B));
    bench.passes(M, &claims6(C, IP_B));
    assert_eq!(bench.neighbours(), 0);
    bench.answers(M, &golden(1), &golden(2));
    bench.passes(W, &claims(B, IP4_B));
    assert_eq!((bench.owner(IP4_B), conflicts(&bench).len()), (Some(B), 0));
}

#[test]
fn f127_anycast_is_not_learned_and_no_conflict() {
    let anycast = "2001:7fa:3:ca07::";
    let mut bench = ca().bench();
    bench.passes(M, &advertisement((ALL_NODES.1, A), ALL_NODES.0, R, anycast));
    bench.passes(W, &advertisement((ALL_NODES.1, B), ALL_NODES.0, R, anycast));
    // reserved ones neither (RFC 2526)
    bench.passes(M, &claims6(A, "2001:7fa:3:ca07:fdff:ffff:ffff:fffe"));
    bench.passes(W, &claims6(B, "2001:7fa:3:ca07:fdff:ffff:ffff:fffe"));
    assert_eq!((bench.neighbours(), bench.events().len()), (0, 0));
}

#[test]
fn f128_second_advertisement_of_an_address_is_a_conflict() {
    let mut bench = c0().bench();
    bench.passes(W, &claims6(B, IP_C));
    bench.passes(M, &claims6(C, IP_C));
    assert_eq!((conflicts(&bench), bench.owner(IP_C)), (vec![mac(C)], Some(B)));
}

#[test]
fn f89_f128_contested_address_is_not_answered_for_until_one_has_been_alone_for_a_minute() {
    let mut bench = ca().bench();
    let asks = who_has6(A, IP_A, IP_C);
    bench.passes(W, &claims6(B, IP_C));
    bench.answers(M, &asks, &advertisement((A, B), IP_A, R | S | O, IP_C));
    bench.wait(seconds(1.0)).passes(W, &claims6(D, IP_C));
    bench.passes(M, &asks);
    bench.passes(M, &dad(A, IP_C)); // nor is it defended
    // D alone from here: 60 s
    bench.wait(seconds(59.9)).passes(W, &claims6(D, IP_C));
    bench.passes(M, &asks);
    bench.wait(seconds(0.1)).passes(W, &claims6(D, IP_C));
    bench.answers(M, &asks, &advertisement((A, D), IP_A, R | S | O, IP_C));
    // and it may be contested again
    bench.passes(W, &claims6(B, IP_C));
    bench.passes(M, &asks);
    assert_eq!(conflicts(&bench), [mac(D), mac(B)]);
}

#[test]
fn first_owner_that_is_alone_for_a_minute_keeps_its_address() {
    let mut bench = ca().bench();
    bench.passes(W, &claims6(B, IP_C));
    bench.wait(seconds(1.0)).passes(W, &claims6(D, IP_C));
    bench.wait(seconds(1.0)).passes(W, &claims6(B, IP_C));
    bench.wait(seconds(60.0)).passes(W, &claims6(B, IP_C));
    bench.answers(M, &who_has6(A, IP_A, IP_C), &advertisement((A, B), IP_A, R | S | O, IP_C));
}

#[test]
fn minute_begins_anew_with_each_other_claim() {
    let mut bench = ca().bench();
    bench.passes(W, &claims6(B, IP_C));
    for second in 0..200 {
        let speaker = if second % 50 == 49 { B } else { D };
        bench.wait(seconds(1.0)).passes(W, &claims6(speaker, IP_C));
        bench.passes(M, &who_has6(A, IP_A, IP_C));
    }
}

#[test]
fn contest_does_not_age_while_both_speak() {
    let mut bench = ca().bench();
    bench.passes(W, &claims(D, IP4_C));
    for _ in 0..20 {
        bench.wait(seconds(15.0)).passes(M, &claims(C, IP4_C));
        bench.wait(seconds(15.0)).passes(W, &claims(D, IP4_C));
        bench.passes(M, &arp_request(A, IP4_A, IP4_C));
    }
    assert_eq!(conflicts(&bench).len(), 1);
}

/// [`ca`] live, its own addresses in use, and D on W has an address; what the bridge asks D, from its own addresses.
fn live() -> Bench {
    let mut bench = ca().live();
    for _ in 0..4 {
        bench.own();
        bench.wait(seconds(1.0));
    }
    bench.passes(W, &claims(D, IP4_C));
    bench.passes(W, &claims6(D, IP_C));
    bench
}

fn question() -> Vec<u8> {
    arp_frame((D, MAC_W), &arp(1, MAC_W, "202.7.1.254", [0; 6], IP4_C))
}

fn question6() -> Vec<u8> {
    let from = "fe80::51:ff:fe00:14";
    ether(D, MAC_W, 0x86dd, &icmp6(from, IP_C, 255, &ns(IP_C, &lladdr(1, MAC_W))))
}

/// C's claim, and what the bridge sends on D's side with it.
fn challenge(bench: &mut Bench) -> Vec<Vec<u8>> {
    let got = bench.exchange(M, &claims(C, IP4_C));
    assert_eq!((got.outcome.as_str(), got.back.len()), ("forwarded", 0));
    assert_eq!(got.across[0], claims(C, IP4_C));
    got.across[1..].to_vec()
}

fn owner_and_contested(bench: &Bench) -> ([u8; 6], bool) {
    bench.neighbour(IP4_C).map(|known| (known.mac.bytes(), known.contested)).unwrap()
}

#[test]
fn an_owner_that_answers_when_it_is_asked_keeps_its_address() {
    let mut bench = live();
    let mut asked = Vec::new();
    for second in 0..300 {
        let sent = challenge(&mut bench);
        if !sent.is_empty() {
            assert_eq!(sent, [question()]);
            asked.push(second);
            let answer = ether(MAC_W, D, 0x0806, &arp(2, D, IP4_C, MAC_W, "202.7.1.254"));
            bench.exchange(W, &answer).silent("answered");
        }
        bench.wait(seconds(1.0));
        assert_eq!(owner_and_contested(&bench), (D, true));
    }
    // at once, and 58 s after C was alone again
    assert_eq!(asked, [0, 59, 118, 177, 236, 295]);
}

#[test]
fn an_owner_that_keeps_silent_loses_its_address_to_who_was_alone_for_a_minute() {
    let mut bench = live();
    let mut asked = Vec::new();
    for second in 0..=60 {
        assert_eq!(bench.neighbour(IP4_C).map(|known| known.mac.bytes()), Some(D));
        asked.extend(challenge(&mut bench).into_iter().map(|frame| (second, frame)));
        bench.wait(seconds(1.0));
    }
    assert_eq!(asked, [(0, question()), (58, question())]);
    bench.own();
    assert_eq!(owner_and_contested(&bench), (C, false));
}

#[test]
fn silence_counts_from_1_s_to_10_s_after_the_question() {
    let mut bench = live();
    assert_eq!(challenge(&mut bench), [question()]);
    bench.wait(seconds(59.0));
    assert_eq!(challenge(&mut bench), [question()]);
    // too long ago by now: asked again
    bench.wait(seconds(10.1));
    assert_eq!(challenge(&mut bench), [question()]);
    bench.wait(seconds(0.9)).own();
    assert_eq!(owner_and_contested(&bench), (D, true));
    bench.wait(seconds(0.1)).own(); // settled once a second
    bench.wait(seconds(1.0)).own();
    assert_eq!(owner_and_contested(&bench), (C, false));
}

#[test]
fn an_ipv6_owner_is_asked_from_our_link_local_address() {
    let mut bench = live();
    let got = bench.exchange(M, &claims6(C, IP_C));
    assert_eq!(got.across, [claims6(C, IP_C), question6()]);
    let answer = advertisement((MAC_W, D), "fe80::51:ff:fe00:14", R | S | O, IP_C);
    bench.exchange(W, &answer).silent("answered");
    assert_eq!(bench.owner(IP_C), Some(D));
}

#[test]
fn an_ipv6_owner_that_answers_without_its_mac_inside_keeps_its_address() {
    let mut bench = live();
    let mut asked = 0;
    for _ in 0..200 {
        let sent = bench.exchange(M, &claims6(C, IP_C)).across;
        if sent[1..] == [question6()] {
            asked += 1;
            // who is asked in unicast may leave the option out (RFC 4861 section 7.2.4), and Linux and the BSDs do
            let message = na(R | S | O, IP_C, &[]);
            let answer = ether(MAC_W, D, 0x86dd, &icmp6(IP_C, "fe80::51:ff:fe00:14", 255, &message));
            bench.exchange(W, &answer).silent("answered");
        }
        bench.wait(seconds(1.0));
        assert_eq!(bench.owner(IP_C), Some(D));
    }
    assert!(asked >= 3, "{asked}");
}

#[test]
fn an_advertisement_to_us_without_a_mac_inside_is_believed_of_the_frame_s_own_alone() {
    let mut bench = live();
    let told = |src, to| {
        let message = na(R | S | O, "2001:7fa:3:ca07::77", &[]);
        ether(to, src, 0x86dd, &icmp6("2001:7fa:3:ca07::77", "fe80::51:ff:fe00:14", 255, &message))
    };
    bench.exchange(W, &told(D, B));
    assert_eq!(bench.owner("2001:7fa:3:ca07::77"), None, "not to us");
    bench.exchange(W, &told(D, MAC_W)).silent("answered");
    assert_eq!(bench.owner("2001:7fa:3:ca07::77"), Some(D));
}

#[test]
fn which_contested_addresses_a_station_has_room_for_is_the_same_in_each_replay() {
    let won = || {
        let mut bench = ca().plus("neighbours: { per_mac: 4 }").live();
        for _ in 0..4 {
            bench.own();
            bench.wait(seconds(1.0));
        }
        let all: Vec<String> = (0..8).map(|n| format!("202.7.0.{}", 40 + n)).collect();
        for (n, address) in all.iter().enumerate() {
            bench.passes(W, &claims(if n < 4 { B } else { D }, address));
        }
        for _ in 0..=61 {
            for address in &all {
                bench.exchange(M, &claims(C, address));
            }
            bench.wait(seconds(1.0));
        }
        bench.own();
        all.into_iter().filter(|address| bench.owner(address) == Some(C)).collect::<Vec<_>>()
    };
    let first = won();
    assert_eq!(first.len(), 4);
    (0..3).for_each(|_| assert_eq!(won(), first));
}

#[test]
fn without_addresses_of_our_own_the_question_is_a_probe_to_the_owner_alone() {
    let own = "own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }";
    let mut bench = ca().with(own, "own: {}").live();
    bench.own();
    // our link-local address is another's
    bench.wait(seconds(0.5)).exchange(W, &dad(B, "fe80::51:ff:fe00:14")).silent("to_us_not_ours");
    for _ in 0..4 {
        bench.wait(seconds(1.0)).own();
    }
    bench.passes(W, &claims(D, IP4_C));
    bench.passes(W, &claims6(D, IP_C));
    assert_eq!(challenge(&mut bench), [arp_frame((D, MAC_W), &arp(1, MAC_W, "0.0.0.0", [0; 6], IP4_C))]);
    let (group, _) = solicited(IP_C);
    let question = ether(D, MAC_W, 0x86dd, &icmp6("::", &group, 255, &ns(IP_C, &[])));
    assert_eq!(bench.exchange(M, &claims6(C, IP_C)).across, [claims6(C, IP_C), question]);
}

#[test]
fn without_probes_nobody_is_asked() {
    let mut bench = ca().bench();
    bench.passes(W, &claims(D, IP4_C));
    for _ in 0..=60 {
        bench.passes(M, &claims(C, IP4_C));
        bench.wait(seconds(1.0));
    }
    assert_eq!((owner_and_contested(&bench), bench.report().probes), ((C, false), 0));
}

#[test]
fn new_owner_inherits_no_flags() {
    let mut bench = ca().bench();
    bench.passes(W, &advertisement((A, B), IP_A, S | O, IP_C));
    let says = who_has6(D, IP_C, "2001:7fa:3:ca07::77");
    bench.wait(seconds(1.0)).passes(W, &says);
    bench.wait(seconds(60.0)).passes(W, &says);
    let known = bench.neighbour(IP_C).unwrap();
    assert_eq!((known.mac.bytes(), known.router, known.overrides), (D, true, false));
}

#[test]
fn owner_is_confirmed_for_30_s_each_time_it_speaks() {
    let mut bench = ca().bench();
    bench.passes(W, &claims(D, IP4_C));
    let defence = arp_frame((A, D), &arp(2, D, IP4_C, A, "0.0.0.0"));
    let probe = arp_request(A, "0.0.0.0", IP4_C);
    bench.wait(seconds(29.0)).passes(W, &claims(D, IP4_C));
    bench.wait(seconds(29.9)).passes_and_answers(M, &probe, &defence);
    bench.wait(seconds(0.1)).passes(M, &probe);
    // its traffic says nothing of its address
    bench.passes(W, &unicast(A, D));
    bench.passes(M, &probe);
}

#[test]
fn owner_that_was_not_heard_for_the_age_of_macs_is_forgotten() {
    let mut bench = ca().plus("macs: { age: 100s }").bench();
    bench.passes(W, &claims(D, IP4_C));
    let asks = arp_request(A, IP4_A, IP4_C);
    bench.wait(seconds(99.9)).answers(M, &asks, &arp_frame((A, D), &arp(2, D, IP4_C, A, IP4_A)));
    bench.wait(seconds(0.1)).passes(M, &asks);
    bench.wait(seconds(1.0)).own();
    assert_eq!(bench.owner(IP4_C), None);
    // and whoever comes next is no conflict
    bench.passes(M, &claims(C, IP4_C));
    assert_eq!((bench.owner(IP4_C), conflicts(&bench).len()), (Some(C), 0));
}

#[test]
fn a_mac_has_so_many_addresses_and_no_more() {
    let mut bench = c0().plus("neighbours: { per_mac: 3 }").bench();
    for host in 30..36 {
        bench.passes(M, &claims(C, &format!("202.7.0.{host}")));
    }
    assert_eq!((bench.neighbours(), bench.owner("202.7.0.33")), (3, None));
    // others have theirs
    bench.passes(M, &claims(A, IP4_A));
    assert_eq!(bench.neighbours(), 4);
    // and room comes back as addresses age
    bench.wait(seconds(301.0)).passes(M, &claims(C, "202.7.0.35"));
    assert_eq!((bench.neighbours(), bench.owner("202.7.0.35")), (1, Some(C)));
}

#[test]
fn a_mac_wins_no_contest_beyond_what_it_may_have() {
    let mut bench = c0().plus("neighbours: { per_mac: 1 }").bench();
    bench.passes(M, &claims(C, IP4_C));
    bench.passes(W, &claims(D, "202.7.0.40"));
    bench.passes(W, &claims(D, IP4_C));
    bench.wait(seconds(61.0)).passes(W, &claims(D, IP4_C));
    let known = bench.neighbour(IP4_C).unwrap();
    assert_eq!((known.mac.bytes(), known.contested), (C, true));
}

#[test]
fn full_table_learns_no_more_and_bridges() {
    let config = (0..20).fold(ca(), |config, number| config.member(W, &mac(station(100 + number))));
    let mut bench = config.plus("neighbours: { capacity: 8 }").bench();
    for number in 0..20 {
        bench.passes(W, &claims(station(100 + number), &format!("202.7.1.{}", 1 + number)));
    }
    assert_eq!(bench.neighbours(), 8);
    bench.passes(M, &arp_request(A, IP4_A, "202.7.1.20"));
    bench.answers(M, &golden(5), &arp_frame((A, B), &arp(2, B, IP4_B, A, IP4_A)));
}

#[test]
fn neighbours_survive_a_reload() {
    let mut bench = ca().bench();
    bench.passes(W, &claims(D, IP4_C));
    bench.passes(W, &claims6(B, IP_C));
    bench.passes(W, &claims6(D, IP_C));
    bench.reload(&ca().plus("answers: { rate: 5/s, burst: 5 }"));
    bench.answers(M, &arp_request(A, IP4_A, IP4_C), &arp_frame((A, D), &arp(2, D, IP4_C, A, IP4_A)));
    bench.passes(M, &who_has6(A, IP_A, IP_C));
    assert!(bench.neighbour(IP_C).unwrap().contested);
}

#[test]
fn an_address_that_a_reload_gives_to_a_member_is_the_members() {
    let mut bench = ca().bench();
    bench.passes(M, &claims(C, IP4_C));
    let given = ca().with("ipv4: [202.7.0.20]", "ipv4: [202.7.0.20, 202.7.0.30]");
    bench.reload(&given);
    bench.answers(M, &arp_request(A, IP4_A, IP4_C), &arp_frame((A, B), &arp(2, B, IP4_C, A, IP4_A)));
}

#[test]
fn f193_a_flood_of_targets_stops_no_answers() {
    let mut bench = ca().bench();
    bench.passes(W, &claims6(D, IP_C));
    for number in 0..10_000u32 {
        let target = format!("2001:7fa:3:ca07:{:x}:{:x}:0:1", number >> 8, number & 0xff);
        bench.pour(M, &who_has6(C, "fe80::c", &target));
        if number % 500 == 0 {
            bench.passes_and_answers(M, &dad(A, IP_B), &golden(4));
            bench.passes(W, &advertisement((A, D), IP_A, R | S | O, IP_C));
            bench.answers(M, &golden(1), &golden(2));
        }
        bench.wait(Duration::from_micros(100));
    }
    let known = ["fe80::c", IP_A, IP_C].map(|address| bench.owner(address));
    assert_eq!((known, bench.neighbours()), ([Some(C), Some(A), Some(D)], 3));
}
