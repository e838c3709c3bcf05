//! The bridge's own presence (docs/spec D.5): its addresses answer on each side with that side's MAC, and are defended;
//! nothing else that is sent to it goes anywhere.

use std::time::Duration;

use pipeline::base::time::Time;
use pipeline::control::effects::Effects;
use pipeline::control::plane::ControlPlane;
use pipeline::table::hold::OwnAddress;

use crate::frames::*;
use crate::harness::*;
use rules::Side;

/// Our own addresses.
const OWN4: &str = "202.7.1.254";
const OWN6: &str = "2001:7fa:3:ca07::fe";
/// The link-local ones, from the sides' MACs.
const LL_M: &str = "fe80::51:ff:fe00:a";
const LL_W: &str = "fe80::51:ff:fe00:14";
/// A member without addresses on M.
const C: [u8; 6] = station(3);
const NONCE: [u8; 8] = [14, 1, 0xde, 0xad, 0xbe, 0xef, 0, 1];

fn c0() -> Config {
    Config::c0().member(M, &mac(C))
}

/// A side, our MAC there, a station, and that station's addresses.
type Place = (Side, [u8; 6], [u8; 6], &'static str, &'static str);
const SIDES: [Place; 2] = [(M, MAC_M, A, IP4_A, IP_A), (W, MAC_W, B, IP4_B, IP_B)];

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn events(bench: &Bench, name: &str) -> usize {
    bench.events().iter().filter(|(event, _)| event == name).count()
}

/// Our announcement on M.
fn announcement(own: [u8; 6]) -> Vec<u8> {
    arp_frame((BROADCAST, own), &arp(1, own, OWN4, [0; 6], OWN4))
}

/// An ICMPv6 echo message with its checksum for these addresses.
pub fn ping6(kind: u8, (dst, src): ([u8; 6], [u8; 6]), (from, to): (&str, &str), data: &[u8]) -> Vec<u8> {
    let message = [&[kind, 0, 0, 0, 0x12, 0x34, 0, 1][..], data].concat();
    ether(dst, src, 0x86dd, &icmp6(from, to, 64, &message))
}

/// An ICMP echo message in a packet without DF.
pub fn ping4(kind: u8, (dst, src): ([u8; 6], [u8; 6]), (from, to): (&str, &str), data: &[u8]) -> Vec<u8> {
    let mut message = [&[kind, 0, 0, 0, 0x12, 0x34, 0, 1][..], data].concat();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ether(dst, src, 0x0800, &ipv4_with(ipv4(from, to, 1, &message), |packet| packet[6] = 0))
}

// ARP

#[test]
fn f86_f87_request_for_our_address_is_answered_with_the_sides_mac() {
    for (side, own, src, ip, _) in SIDES {
        let mut bench = c0().bench();
        let reply = arp_frame((src, own), &arp(2, own, OWN4, src, ip));
        bench.answers(side, &arp_request(src, ip, OWN4), &reply);
        // asked directly, as hosts confirm
        bench.answers(side, &ether(own, src, 0x0806, &arp(1, src, ip, [0; 6], OWN4)), &reply);
        assert_eq!(bench.owner(ip), Some(src));
        assert_eq!((bench.owner(OWN4), bench.cause("answered_for_owner")), (None, 0));
    }
}

#[test]
fn f86_probe_for_our_address_is_answered_and_crosses_not() {
    let mut bench = c0().bench();
    let reply = arp_frame((C, MAC_M), &arp(2, MAC_M, OWN4, C, "0.0.0.0"));
    bench.answers(M, &arp_request(C, "0.0.0.0", OWN4), &reply);
}

#[test]
fn f86_reply_to_us_ends_here() {
    let mut bench = c0().bench();
    bench.exchange(M, &ether(MAC_M, A, 0x0806, &arp(2, A, IP4_A, MAC_M, OWN4))).silent("answered");
    assert_eq!(bench.owner(IP4_A), Some(A));
}

#[test]
fn f86_over_the_limit_of_answers_we_are_silent() {
    let mut bench = c0().plus("answers: { rate: 10/s, burst: 3 }").bench();
    let asks = arp_request(A, IP4_A, OWN4);
    assert_eq!(bench.exchange(M, &asks).outcome, "answered");
    assert_eq!(bench.exchange(M, &who_has6(A, IP_A, OWN6)).outcome, "answered");
    assert_eq!(bench.exchange(M, &ping6(128, (MAC_M, A), (IP_A, OWN6), b"")).outcome, "answered");
    bench.exchange(M, &asks).silent("answer_limit");
    bench.exchange(M, &who_has6(A, IP_A, OWN6)).silent("answer_limit");
    bench.exchange(M, &ping6(128, (MAC_M, A), (IP_A, OWN6), b"")).silent("answer_limit");
    bench.exchange(M, &ping4(8, (MAC_M, A), (IP4_A, OWN4), b"")).silent("answer_limit");
    assert_eq!(bench.exchange(W, &arp_request(B, IP4_B, OWN4)).outcome, "answered");
    bench.wait(seconds(0.1));
    assert_eq!(bench.exchange(M, &asks).outcome, "answered");
    bench.exchange(M, &asks).silent("answer_limit");
}

#[test]
fn f88_foreign_claim_of_our_address_is_dropped_and_contradicted_once_in_10_s() {
    let claims = [arp_request(C, OWN4, OWN4), arp_request(C, OWN4, IP4_B)];
    let reply = ether(BROADCAST, C, 0x0806, &arp(2, C, OWN4, C, OWN4));
    let mut bench = c0().bench();
    let got = bench.exchange(M, &claims[0]);
    assert_eq!((got.outcome.as_str(), got.reply()), ("ip_conflict_own", &announcement(MAC_M)[..]));
    for claim in [&claims[0], &claims[1], &reply] {
        bench.exchange(M, claim).silent("ip_conflict_own");
    }
    bench.wait(seconds(9.9)).exchange(M, &reply).silent("ip_conflict_own");
    assert_eq!(bench.wait(seconds(0.1)).exchange(M, &reply).reply(), announcement(MAC_M));
    assert_eq!(events(&bench, "ip_conflict_own"), 6);
    // the other side hears of it when somebody claims it there
    assert_eq!(bench.exchange(W, &arp_request(B, OWN4, OWN4)).reply(), announcement(MAC_W));
    assert_eq!((bench.neighbours(), bench.report().replies), (0, 3));
}

#[test]
fn f88_who_may_not_speak_claims_nothing() {
    let stranger = station(99);
    let mut bench = c0().bench();
    bench.exchange(M, &arp_request(stranger, OWN4, OWN4)).silent("src_not_member");
    bench.exchange(M, &arp_request(B, OWN4, OWN4)).silent("mac_wrong_side");
    assert_eq!(events(&bench, "ip_conflict_own"), 0);
}

#[test]
fn f88_claim_does_not_stop_our_answers() {
    let mut bench = c0().bench();
    bench.exchange(M, &arp_request(C, OWN4, OWN4));
    bench.answers(M, &arp_request(A, IP4_A, OWN4), &arp_frame((A, MAC_M), &arp(2, MAC_M, OWN4, A, IP4_A)));
}

// Neighbour discovery

#[test]
fn f130_solicitation_for_our_address_is_answered_as_by_a_host() {
    for (side, own, src, _, ip) in SIDES {
        let mut bench = c0().bench();
        let reply = advertisement((src, own), ip, S | O, OWN6);
        bench.answers(side, &who_has6(src, ip, OWN6), &reply);
        // asked directly, as hosts confirm
        bench.answers(side, &ether(own, src, 0x86dd, &icmp6(ip, OWN6, 255, &ns(OWN6, &[]))), &reply);
        assert_eq!((bench.owner(ip), bench.owner(OWN6)), (Some(src), None));
    }
}

#[test]
fn f130_link_local_address_is_there_on_its_own_side() {
    for (side, own, src, ll, other) in [(M, MAC_M, A, LL_M, LL_W), (W, MAC_W, B, LL_W, LL_M)] {
        let mut bench = c0().bench();
        bench.answers(
            side,
            &who_has6(src, "fe80::77", ll),
            &advertisement((src, own), "fe80::77", S | O, ll),
        );
        bench.exchange(side, &who_has6(src, "fe80::77", other)).silent("to_us_not_ours");
        bench.answers(
            side,
            &ping6(128, (own, src), ("fe80::77", ll), b"x"),
            &ping6(129, (src, own), (ll, "fe80::77"), b"x"),
        );
        bench.exchange(side, &ping6(128, (own, src), ("fe80::77", other), b"x")).silent("to_us_not_ours");
    }
}

#[test]
fn f130_in_answer_mode_too() {
    let mut bench = Config::ca().bench();
    bench.answers(M, &who_has6(A, IP_A, OWN6), &advertisement((A, MAC_M), IP_A, S | O, OWN6));
    bench.answers(M, &arp_request(A, IP4_A, OWN4), &arp_frame((A, MAC_M), &arp(2, MAC_M, OWN4, A, IP4_A)));
}

#[test]
fn f131_our_own_dad_that_comes_back_is_a_loop_and_no_duplicate() {
    let mut bench = c0().live();
    let sent = bench.own();
    let ours = |side| {
        let is = |(at, frame): &&(Side, Vec<u8>)| {
            *at == side && frame[12..14] == [0x86, 0xdd] && frame[77] == 0xfe
        };
        sent.iter().find(is).unwrap().1.clone()
    };
    let dad = ours(M);
    assert_eq!(dad[..12], [[0x33, 0x33, 0xff, 0, 0, 0xfe], MAC_M].concat());
    bench.exchange(M, &dad).silent("own_mac");
    bench.exchange(W, &dad).silent("own_mac");
    // on its own side something reflects; across the bridge there is a second path
    assert_eq!((events(&bench, "own_mac_reflected"), events(&bench, "loop_suspected")), (1, 1));
    assert_eq!(events(&bench, "own_duplicate"), 0);
    for _ in 0..3 {
        bench.wait(seconds(1.0)).own();
    }
    bench.answers(M, &who_has6(A, IP_A, OWN6), &advertisement((A, MAC_M), IP_A, S | O, OWN6));
}

#[test]
fn each_look_for_duplicates_has_a_nonce_of_its_own_and_is_none_when_it_comes_back() {
    let mut bench = c0().live();
    let mut looks = Vec::new();
    for _ in 0..3 {
        looks.extend(bench.own().into_iter().filter(|(_, frame)| frame[12..14] == [0x86, 0xdd]));
        bench.wait(seconds(1.0));
    }
    let mut nonces: Vec<_> = looks.iter().map(|(_, frame)| frame[frame.len() - 6..].to_vec()).collect();
    nonces.sort();
    nonces.dedup();
    assert_eq!((looks.len(), nonces.len()), (12, 12), "RFC 7527 §4.1");
    bench.own(); // the announcements
    for (side, look) in looks {
        bench.exchange(side, &look).silent("own_mac");
    }
    assert_eq!((events(&bench, "own_mac_reflected"), events(&bench, "own_duplicate")), (12, 0));
}

/// What the bridge sends on M to look for duplicates of its own IPv6 address, under another source MAC: C repeats it, nonce and
/// all.
fn repeated(bench: &mut Bench) -> Vec<u8> {
    let sent = bench.own();
    let is = |(side, frame): &&(Side, Vec<u8>)| *side == M && frame[..6] == [0x33, 0x33, 0xff, 0, 0, 0xfe];
    let mut look = sent.iter().find(is).unwrap().1.clone();
    look[6..12].copy_from_slice(&C);
    look
}

#[test]
fn f209_our_nonce_from_another_mac_is_a_claim_like_any_other() {
    let mut bench = c0().live();
    let look = repeated(&mut bench);
    for _ in 0..3 {
        bench.wait(seconds(1.0)).own();
    }
    bench.answers(M, &look, &advertisement((ALL_NODES.1, MAC_M), ALL_NODES.0, O, OWN6));
    assert_eq!(bench.events(), []);
}

#[test]
fn f209_our_nonce_from_another_mac_while_we_look_is_a_station_that_looks_too() {
    let mut bench = c0().live();
    let look = repeated(&mut bench);
    bench.exchange(M, &look).silent("to_us_not_ours");
    assert_eq!(bench.events(), [("own_duplicate".to_owned(), mac(C))]);
}

#[test]
fn f132_foreign_dad_for_our_address_is_answered_to_all_nodes() {
    for (side, own, src, ..) in SIDES {
        let mut bench = c0().bench();
        let defence = advertisement((ALL_NODES.1, own), ALL_NODES.0, O, OWN6);
        bench.answers(side, &solicitation(src, "::", OWN6, &NONCE), &defence);
        bench.answers(side, &dad(src, OWN6), &defence); // without a nonce as well
    }
    let mut bench = c0().bench();
    bench.answers(M, &dad(C, LL_M), &advertisement((ALL_NODES.1, MAC_M), ALL_NODES.0, O, LL_M));
}

#[test]
fn f132_foreign_advertisement_of_our_address_is_dropped_and_contradicted_once_in_10_s() {
    let mut bench = c0().bench();
    let claim = advertisement((ALL_NODES.1, C), ALL_NODES.0, R | O, OWN6);
    let defence = advertisement((ALL_NODES.1, MAC_M), ALL_NODES.0, O, OWN6);
    let got = bench.exchange(M, &claim);
    assert_eq!((got.outcome.as_str(), got.reply()), ("ip_conflict_own", &defence[..]));
    // who solicits from it claims it too
    bench.exchange(M, &who_has6(C, OWN6, IP_B)).silent("ip_conflict_own");
    bench.wait(seconds(9.9)).exchange(M, &claim).silent("ip_conflict_own");
    assert_eq!(bench.wait(seconds(0.1)).exchange(M, &claim).reply(), defence);
    // its addresses are defended one by one
    assert_eq!(bench.exchange(M, &arp_request(C, OWN4, OWN4)).reply(), announcement(MAC_M));
}

// Echo

#[test]
fn f141_echo_request_to_us_is_answered_with_the_same_data() {
    for (side, own, src, ip4, ip6) in SIDES {
        let mut bench = c0().bench();
        for length in [0, 1, 7, 56, 1000, 1452] {
            let data: Vec<_> = (0..length).map(|byte| byte as u8).collect();
            let mut reply = ping6(129, (src, own), (OWN6, ip6), &data);
            reply.resize(reply.len().max(60), 0);
            bench.answers(side, &ping6(128, (own, src), (ip6, OWN6), &data), &reply);
            let mut reply = ping4(0, (src, own), (OWN4, ip4), &data);
            reply.resize(reply.len().max(60), 0);
            bench.answers(side, &ping4(8, (own, src), (ip4, OWN4), &data), &reply);
        }
    }
}

#[test]
fn f141_echo_request_from_afar_is_answered_to_the_router_that_brought_it() {
    let mut bench = c0().bench();
    let there = "2001:db8:1::1";
    bench.answers(
        M,
        &ping6(128, (MAC_M, C), (there, OWN6), b"far away"),
        &ping6(129, (C, MAC_M), (OWN6, there), b"far away"),
    );
}

#[test]
fn f141_padding_is_no_data() {
    let mut bench = c0().bench();
    let mut request = ping4(8, (MAC_M, A), (IP4_A, OWN4), b"abc");
    request.resize(60, 0xa5);
    let mut reply = ping4(0, (A, MAC_M), (OWN4, IP4_A), b"abc");
    reply.resize(60, 0);
    bench.answers(M, &request, &reply);
}

#[test]
fn f141_damaged_echo_request_is_not_answered() {
    let mut bench = c0().bench();
    for frame in [ping6(128, (MAC_M, A), (IP_A, OWN6), b"data"), ping4(8, (MAC_M, A), (IP4_A, OWN4), b"data")]
    {
        let mut damaged = frame;
        *damaged.last_mut().unwrap() ^= 1;
        bench.exchange(M, &damaged).silent("to_us_not_ours");
    }
    let short = ether(MAC_M, A, 0x86dd, &icmp6(IP_A, OWN6, 64, &[128, 0, 0, 0, 0, 0, 0]));
    bench.exchange(M, &short).silent("to_us_not_ours");
    // type, code and a checksum that is right, and no identifier
    bench
        .exchange(M, &ether(MAC_M, A, 0x0800, &ipv4(IP4_A, OWN4, 1, &[8, 0, 0xf7, 0xff])))
        .silent("to_us_not_ours");
    let mut header = ping4(8, (MAC_M, A), (IP4_A, OWN4), b"data");
    header[14 + 10] ^= 1;
    bench.exchange(M, &header).silent("to_us_not_ours");
}

#[test]
fn f141_echo_request_from_ourselves_is_not_answered() {
    let mut bench = c0().bench();
    bench.exchange(M, &ping6(128, (MAC_M, A), (OWN6, OWN6), b"")).silent("to_us_not_ours");
    bench.exchange(M, &ping6(128, (MAC_M, A), (LL_W, OWN6), b"")).silent("to_us_not_ours");
    bench.exchange(M, &ping4(8, (MAC_M, A), (OWN4, OWN4), b"")).silent("to_us_not_ours");
}

#[test]
fn f141_fragment_of_an_echo_request_is_not_answered() {
    let mut bench = c0().bench();
    let frame = ping4(8, (MAC_M, A), (IP4_A, OWN4), b"data");
    let fragment = ipv4_with(frame[14..].to_vec(), |packet| packet[6] = 0x20);
    bench.exchange(M, &ether(MAC_M, A, 0x0800, &fragment)).silent("to_us_not_ours");
    let message = icmp6_sum(IP_A, OWN6, &[128, 0, 0, 0, 0, 0, 0, 0]);
    let atomic = [&[58, 0, 0, 0, 0, 0, 0, 1][..], &message].concat();
    bench.exchange(M, &ether(MAC_M, A, 0x86dd, &ipv6(IP_A, OWN6, 44, 64, &atomic))).silent("to_us_not_ours");
}

// Everything else

#[test]
fn f37_nothing_else_that_is_sent_to_us_goes_anywhere() {
    for (side, own, src, ip4, ip6) in SIDES {
        let mut bench = Config::ca().bench();
        let (peer4, peer6) = if side == M { (IP4_B, IP_B) } else { (IP4_A, IP_A) };
        for frame in [
            unicast(own, src),
            unicast6(own, src),
            ether(own, src, 0x0800, &ipv4(ip4, OWN4, 6, &[0; 20])),
            ether(own, src, 0x86dd, &ipv6(ip6, OWN6, 6, 64, &[0; 20])),
            ping4(0, (own, src), (ip4, OWN4), b""),
            ping6(129, (own, src), (ip6, OWN6), b""),
            ping6(128, (own, src), (ip6, peer6), b""),
            ether(own, src, 0x0806, &arp(1, src, ip4, [0; 6], peer4)),
            ether(own, src, 0x86dd, &icmp6(ip6, peer6, 255, &ns(peer6, &[]))),
        ] {
            bench.exchange(side, &frame).silent("to_us_not_ours");
        }
    }
}

#[test]
fn f37_our_mac_of_the_other_side_is_not_here() {
    for (side, src, other, ip4, ip6) in [(M, A, MAC_W, IP4_A, IP_A), (W, B, MAC_M, IP4_B, IP_B)] {
        let mut bench = c0().bench();
        for frame in [
            unicast(other, src),
            ping6(128, (other, src), (ip6, OWN6), b""),
            ping4(8, (other, src), (ip4, OWN4), b""),
            ether(other, src, 0x0806, &arp(1, src, ip4, [0; 6], OWN4)),
            ether(other, src, 0x0806, &arp(2, src, ip4, other, OWN4)),
            ether(other, src, 0x86dd, &icmp6(ip6, OWN6, 255, &ns(OWN6, &[]))),
            advertisement((other, src), OWN6, R | S | O, ip6),
        ] {
            bench.exchange(side, &frame).silent("to_us_not_ours");
        }
    }
}

#[test]
fn f37_advertisement_to_us_ends_here() {
    let mut bench = c0().bench();
    bench.exchange(M, &advertisement((MAC_M, A), OWN6, R | S | O, IP_A)).silent("answered");
    assert_eq!(bench.owner(IP_A), Some(A));
}

#[test]
fn without_addresses_of_its_own_the_bridge_answers_for_none() {
    let config = c0().with("own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }", "own: {}");
    let mut bench = config.bench();
    bench.passes(M, &arp_request(A, IP4_A, OWN4));
    bench.passes(M, &who_has6(A, IP_A, OWN6));
    bench.exchange(M, &ping4(8, (MAC_M, A), (IP4_A, OWN4), b"")).silent("to_us_not_ours");
    bench.exchange(M, &ping6(128, (MAC_M, A), (IP_A, OWN6), b"")).silent("to_us_not_ours");
    // but link-locally
    assert_eq!(bench.exchange(M, &who_has6(A, "fe80::a", LL_M)).outcome, "answered");
}

// Duplicate address detection of our own (docs/spec D.5)

/// What the bridge looks with for duplicates of its IPv4 address.
fn probe(own: [u8; 6]) -> Vec<u8> {
    arp_frame((BROADCAST, own), &arp(1, own, "0.0.0.0", [0; 6], OWN4))
}

#[test]
fn own_addresses_are_looked_for_three_times_before_they_are_used() {
    let mut bench = c0().live();
    for look in 0..3 {
        let sent = bench.own();
        let mut of_m: Vec<_> = sent.iter().filter(|(side, _)| *side == M).map(|(_, frame)| frame).collect();
        assert_eq!(of_m.remove(0), &probe(MAC_M));
        for (frame, target) in of_m.iter().zip([OWN6, LL_M]) {
            let nonce = &frame[frame.len() - 8..];
            assert_eq!(**frame, solicitation(MAC_M, "::", target, nonce));
            assert_eq!(nonce[..2], [14, 1]);
        }
        assert_eq!((of_m.len(), sent.len()), (2, 6), "{sent:02x?}");
        assert!(sent.contains(&(W, probe(MAC_W))));
        // silent meanwhile
        bench.exchange(M, &arp_request(A, IP4_A, OWN4)).silent("to_us_not_ours");
        bench.exchange(M, &who_has6(A, IP_A, OWN6)).silent("to_us_not_ours");
        bench.exchange(M, &ping6(128, (MAC_M, A), (IP_A, OWN6), b"")).silent("to_us_not_ours");
        bench.exchange(M, &ping4(8, (MAC_M, A), (IP4_A, OWN4), b"")).silent("to_us_not_ours");
        assert_eq!(bench.report().probes, 6 * (look + 1));
        bench.wait(seconds(1.0));
    }
    assert_eq!(bench.own(), [(M, announcement(MAC_M)), (W, announcement(MAC_W))]);
    bench.answers(M, &arp_request(A, IP4_A, OWN4), &arp_frame((A, MAC_M), &arp(2, MAC_M, OWN4, A, IP4_A)));
    bench.answers(M, &who_has6(A, IP_A, OWN6), &advertisement((A, MAC_M), IP_A, S | O, OWN6));
    for _ in 0..10 {
        assert_eq!(bench.wait(seconds(1.0)).own(), []);
    }
}

/// Looks through to the end with this frame on the way from A's side, and returns the bench 3 s later.
fn looked(frame: &[u8], outcome: &str) -> Bench {
    let mut bench = c0().live();
    bench.own();
    bench.wait(seconds(0.5)).exchange(M, frame).silent(outcome);
    for _ in 0..4 {
        bench.wait(seconds(1.0)).own();
    }
    bench
}

#[test]
fn own_ipv4_address_that_somebody_has_or_looks_for_is_left_to_them() {
    for (frame, outcome) in [
        (arp_request(C, OWN4, OWN4), "ip_conflict_own"),
        (ether(MAC_M, C, 0x0806, &arp(2, C, OWN4, MAC_M, "0.0.0.0")), "ip_conflict_own"),
        (arp_request(C, "0.0.0.0", OWN4), "to_us_not_ours"),
    ] {
        let mut bench = looked(&frame, outcome);
        assert!(bench.events().contains(&("own_duplicate".to_owned(), mac(C))), "{:?}", bench.events());
        bench.exchange(M, &arp_request(A, IP4_A, OWN4)).silent("to_us_not_ours");
        bench.exchange(M, &ping4(8, (MAC_M, A), (IP4_A, OWN4), b"")).silent("to_us_not_ours");
        bench.exchange(M, &arp_request(C, OWN4, OWN4)).silent("ip_conflict_own"); // not defended
        bench.answers(M, &who_has6(A, IP_A, OWN6), &advertisement((A, MAC_M), IP_A, S | O, OWN6));
    }
}

#[test]
fn own_ipv6_address_that_somebody_has_or_looks_for_is_left_to_them() {
    for (frame, outcome) in [
        (advertisement((ALL_NODES.1, C), ALL_NODES.0, R | O, OWN6), "ip_conflict_own"),
        (dad(C, OWN6), "to_us_not_ours"),
        (solicitation(C, "::", OWN6, &NONCE), "to_us_not_ours"),
    ] {
        let mut bench = looked(&frame, outcome);
        assert!(bench.events().contains(&("own_duplicate".to_owned(), mac(C))), "{:?}", bench.events());
        bench.exchange(M, &who_has6(A, IP_A, OWN6)).silent("to_us_not_ours");
        bench.answers(
            M,
            &arp_request(A, IP4_A, OWN4),
            &arp_frame((A, MAC_M), &arp(2, MAC_M, OWN4, A, IP4_A)),
        );
    }
}

#[test]
fn own_address_is_not_left_to_who_may_not_speak() {
    for frame in [arp_request(station(9), "0.0.0.0", OWN4), dad(station(9), OWN6)] {
        let mut bench = looked(&frame, "src_not_member");
        assert_eq!(events(&bench, "own_duplicate"), 0);
        bench.answers(
            M,
            &arp_request(A, IP4_A, OWN4),
            &arp_frame((A, MAC_M), &arp(2, MAC_M, OWN4, A, IP4_A)),
        );
    }
}

#[test]
fn who_only_asks_for_an_address_that_we_look_for_takes_nothing() {
    let mut bench = looked(&arp_request(A, IP4_A, OWN4), "to_us_not_ours");
    assert_eq!(bench.events(), []);
    bench.answers(M, &arp_request(A, IP4_A, OWN4), &arp_frame((A, MAC_M), &arp(2, MAC_M, OWN4, A, IP4_A)));
}

#[test]
fn own_addresses_are_looked_for_again_when_a_link_comes_up() {
    let mut bench = c0().bench();
    let plan = bench.bridge().plan();
    let hold = &plan.bridges[0].tables.hold;
    let mut plane = ControlPlane::new(0, true);
    let mut effects = Effects::default();
    let mut tick = |plane: &mut ControlPlane, second: u64| {
        plane.tick(plan, Time::from_nanos(second * 1_000_000_000), &mut effects);
        OwnAddress::ALL.map(|address| hold.has(address))
    };
    let seen = [0, 1, 2, 3, 9].map(|second| tick(&mut plane, second));
    assert_eq!(seen, [[false; 4], [false; 4], [false; 4], [true; 4], [true; 4]]);
    plane.link_up(plan, 0);
    let seen = [10, 11, 12, 13].map(|second| tick(&mut plane, second));
    assert_eq!(seen, [[false; 4], [false; 4], [false; 4], [true; 4]]);
}

/// Whether a bench answers for its IPv4 and its IPv6 address.
fn answers_for_own(bench: &mut Bench) -> [bool; 2] {
    [arp_request(A, IP4_A, OWN4), who_has6(A, IP_A, OWN6)]
        .map(|request| bench.exchange(M, &request).outcome == "answered")
}

#[test]
fn f207_an_address_that_one_claim_cost_is_looked_for_again_after_a_minute_and_then_used() {
    let mut bench = c0().live();
    bench.own();
    bench.wait(seconds(0.5)).exchange(M, &arp_request(C, OWN4, OWN4)).silent("ip_conflict_own");
    for _ in 0..3 {
        bench.wait(seconds(1.0)).own();
    }
    assert_eq!(answers_for_own(&mut bench), [false, true], "the look for the others went on");
    bench.wait(seconds(56.999));
    assert_eq!(bench.own(), []);
    bench.wait(seconds(0.001));
    for _ in 0..3 {
        assert_eq!(bench.own(), [(M, probe(MAC_M)), (W, probe(MAC_W))]);
        assert_eq!(answers_for_own(&mut bench), [false, true]);
        bench.wait(seconds(1.0));
    }
    assert_eq!(bench.own(), [(M, announcement(MAC_M)), (W, announcement(MAC_W))]);
    assert_eq!((answers_for_own(&mut bench), events(&bench, "own_duplicate")), ([true, true], 1));
}

#[test]
fn f207_a_duplicate_that_answers_each_look_keeps_the_address() {
    let mut bench = c0().live();
    let reply = ether(MAC_M, C, 0x0806, &arp(2, C, OWN4, MAC_M, "0.0.0.0"));
    let mut looks = 0;
    for _ in 0..300 {
        if bench.own().contains(&(M, probe(MAC_M))) {
            looks += 1;
            bench.exchange(M, &reply).silent("ip_conflict_own");
        }
        assert!(!answers_for_own(&mut bench)[0]);
        bench.wait(seconds(1.0));
    }
    assert_eq!((looks, events(&bench, "own_duplicate")), (5, 5), "once a minute, and told each time");
}

#[test]
fn f207_a_link_that_comes_up_begins_the_looks_of_the_bridges_on_it_alone() {
    let yaml = r#"
version: 1
ports: { a: { device: net_null0 }, b: { device: net_null1 }, c: { device: net_null2 } }
workers: [0]
bridges:
  one: { sides: { mud: { port: a }, wix: { port: b, vlan: 20 } }, peering: { ipv4: [202.7.0.0/23] } }
  two: { sides: { mud: { port: b, vlan: 30 }, wix: { port: c } }, peering: { ipv4: [202.7.2.0/23] } }
"#;
    let mut bench = Bench::of(rules::parse(yaml, "test.yaml").unwrap().rules);
    let plan = bench.bridge().plan();
    let mut plane = ControlPlane::new(0, true);
    let mut effects = Effects::default();
    let mut second = 0;
    let mut used = |plane: &mut ControlPlane, seconds: u64| {
        for _ in 0..seconds {
            second += 1;
            plane.tick(plan, Time::from_nanos(second * 1_000_000_000), &mut effects);
        }
        let has = |bridge: usize| plan.bridges[bridge].tables.hold.has(OwnAddress::LinkLocal(M));
        [has(0), has(1)]
    };
    assert_eq!(used(&mut plane, 4), [true, true]);
    for (port, looking) in [[false, true], [false, false], [true, false]].into_iter().enumerate() {
        plane.link_up(plan, port);
        assert_eq!(used(&mut plane, 1), looking, "port {port}");
        assert_eq!(used(&mut plane, 3), [true, true]);
    }
}

#[test]
fn f208_a_link_local_address_of_the_other_side_is_no_ones_to_claim_and_not_advertised_here() {
    for (side, src, ll) in [(M, C, LL_W), (W, B, LL_M)] {
        let mut bench = c0().bench();
        for claim in [
            advertisement((ALL_NODES.1, src), ALL_NODES.0, R | O, ll),
            who_has6(src, ll, OWN6),
            who_has6(src, ll, "fe80::77"),
        ] {
            bench.wait(seconds(10.0)).exchange(side, &claim).silent("ip_conflict_own");
        }
        bench.exchange(side, &dad(src, ll)).silent("to_us_not_ours");
        assert_eq!(bench.events(), vec![("ip_conflict_own".to_owned(), mac(src)); 3]);
    }
}

#[test]
fn f208_what_is_said_of_it_on_the_other_side_does_not_disturb_the_look_for_duplicates() {
    for (side, src, ll) in [(M, C, LL_W), (W, B, LL_M)] {
        for claim in [advertisement((ALL_NODES.1, src), ALL_NODES.0, R | O, ll), dad(src, ll)] {
            let mut bench = c0().live();
            bench.own();
            bench.wait(seconds(0.5)).exchange(side, &claim);
            for _ in 0..4 {
                bench.wait(seconds(1.0)).own();
            }
            let there = if side == M { B } else { C };
            assert_eq!(bench.exchange(side.other(), &who_has6(there, "fe80::77", ll)).outcome, "answered");
            assert_eq!(events(&bench, "own_duplicate"), 0);
        }
    }
}

#[test]
fn f208_every_own_address_is_left_to_who_claims_it_where_it_is_in_use() {
    let ll = [(M, C, LL_M), (W, B, LL_W)];
    for (side, src, address) in ll.into_iter().chain([(M, C, OWN6), (W, B, OWN6)]) {
        let mut bench = c0().live();
        bench.own();
        bench.exchange(side, &dad(src, address)).silent("to_us_not_ours");
        assert_eq!(bench.events(), [("own_duplicate".to_owned(), mac(src))]);
    }
    for (side, src) in [(M, C), (W, B)] {
        let mut bench = c0().live();
        bench.own();
        bench.exchange(side, &arp_request(src, "0.0.0.0", OWN4)).silent("to_us_not_ours");
        assert_eq!(bench.events(), [("own_duplicate".to_owned(), mac(src))]);
    }
}
