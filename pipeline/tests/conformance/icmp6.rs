//! docs/spec F.5, F133 to F143 and E: ICMPv6 between hosts passes, what belongs on one link does not.

use crate::frames::*;
use crate::harness::*;

const IP_A: &str = "2001:7fa:3:ca07::a";
const IP_B: &str = "2001:7fa:3:ca07::b";
const GROUP_1: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const GROUP_2: [u8; 6] = [0x33, 0x33, 0, 0, 0, 2];
const GROUP_16: [u8; 6] = [0x33, 0x33, 0, 0, 0, 0x16];

fn message(kind: u8) -> Vec<u8> {
    [&[kind, 0, 0, 0][..], &[0xc0; 36]].concat()
}

fn unicast6(limit: u8, message: &[u8]) -> Vec<u8> {
    ether(B, A, 0x86dd, &icmp6("2001:db8:1::1", "2001:db8:2::2", limit, message))
}

/// Hop-by-hop options: router alert for MLD, padded (RFC 2711).
const ROUTER_ALERT: [u8; 8] = [58, 0, 5, 2, 0, 0, 1, 0];

fn mld(dst: [u8; 6], (from, to): (&str, &str), limit: u8, message: &[u8]) -> Vec<u8> {
    let payload = [&ROUTER_ALERT[..], &icmp6_sum(from, to, message)].concat();
    ether(dst, A, 0x86dd, &ipv6(from, to, 0, limit, &payload))
}

fn report() -> Vec<u8> {
    let group = "ff02::1:ff00:a".parse::<std::net::Ipv6Addr>().unwrap();
    [&[143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0][..], &group.octets()].concat()
}

#[test]
fn f133_router_advertisement_to_all_nodes() {
    let mut bench = Config::c0().bench();
    for limit in [255, 64, 1] {
        let frame = ether(GROUP_1, A, 0x86dd, &icmp6("fe80::a", "ff02::1", limit, &message(134)));
        bench.drops(M, &frame, "icmp6_ra");
    }
    assert_eq!(bench.events(), vec![("ra_seen".to_owned(), mac(A)); 3]);
}

#[test]
fn f134_router_advertisement_to_a_host() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &ether(B, A, 0x86dd, &icmp6("fe80::a", "fe80::b", 255, &message(134))), "icmp6_ra");
    bench.drops(M, &unicast6(255, &message(134)), "icmp6_ra");
    bench.drops(M, &unicast6(63, &[134, 0, 0, 0]), "icmp6_ra");
    assert_eq!(bench.events(), vec![("ra_seen".to_owned(), mac(A)); 3]);
}

#[test]
fn f134_nothing_is_learned_from_one() {
    let mut bench = Config::cd().bench();
    bench.drops(M, &unicast6(255, &message(134)), "icmp6_ra");
    assert_eq!(bench.cause("mac_new"), 0);
}

#[test]
fn f135_router_solicitation() {
    let mut bench = Config::c0().bench();
    for from in ["fe80::a", "::", IP_A] {
        let frame = ether(GROUP_2, A, 0x86dd, &icmp6(from, "ff02::2", 255, &message(133)));
        bench.drops(M, &frame, "icmp6_rs");
    }
    bench.drops(M, &unicast6(255, &message(133)), "icmp6_rs");
}

#[test]
fn f136_redirect() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &ether(B, A, 0x86dd, &icmp6("fe80::a", IP_B, 255, &message(137))), "icmp6_redirect");
    bench.drops(M, &unicast6(64, &message(137)), "icmp6_redirect");
    bench.drops(
        M,
        &ether(GROUP_1, A, 0x86dd, &icmp6("fe80::a", "ff02::1", 255, &message(137))),
        "icmp6_redirect",
    );
    assert_eq!(bench.events(), vec![("redirect_seen".to_owned(), mac(A)); 3]);
}

#[test]
fn f137_listener_report_is_dropped_by_default() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &mld(GROUP_16, ("fe80::a", "ff02::16"), 1, &report()), "icmp6_mld");
    for kind in [130, 131, 132] {
        bench.drops(M, &mld(GROUP_1, ("fe80::a", "ff02::1"), 1, &message(kind)), "icmp6_mld");
    }
}

#[test]
fn f137_listener_discovery_crosses_where_it_is_let() {
    let mut bench = Config::c0().plus("mld: pass").bench();
    bench.crosses(M, &mld(GROUP_16, ("fe80::a", "ff02::16"), 1, &report()));
    bench.crosses(M, &mld(GROUP_16, ("::", "ff02::16"), 1, &report())); // before an address is there (RFC 3590)
    bench.crosses(M, &mld(GROUP_1, ("fe80::a", "ff02::1"), 1, &message(130)));
    bench.crosses(M, &mld(GROUP_2, ("fe80::a", "ff02::2"), 1, &message(132)));
    bench.crosses(M, &mld([0x33, 0x33, 0xff, 0, 0, 0x0a], ("fe80::a", "ff02::1:ff00:a"), 1, &message(131)));
}

#[test]
fn f137_only_proper_listener_discovery_is_let() {
    let mut bench = Config::c0().plus("mld: pass").bench();
    for limit in [0, 2, 64, 254, 255] {
        bench.drops(M, &mld(GROUP_16, ("fe80::a", "ff02::16"), limit, &report()), "icmp6_mld");
    }
    bench.drops(M, &mld(GROUP_16, (IP_A, "ff02::16"), 1, &report()), "icmp6_mld");
    bench.drops(M, &mld(GROUP_1, ("fe80::a", "ff02::16"), 1, &report()), "icmp6_mld");
    bench.drops(M, &mld(BROADCAST, ("fe80::a", "ff02::16"), 1, &report()), "icmp6_mld");
    bench.drops(M, &mld(B, ("fe80::a", "fe80::b"), 1, &report()), "icmp6_mld");
    // the knob lets nothing else through
    bench.drops(M, &mld(GROUP_1, ("fe80::a", "ff02::1"), 1, &message(134)), "icmp6_ra");
    bench.drops(M, &mld(GROUP_2, ("fe80::a", "ff02::2"), 1, &message(133)), "icmp6_rs");
    bench.drops(M, &mld(GROUP_1, ("fe80::a", "ff02::1"), 1, &message(151)), "icmp6_type");
    bench.drops(M, &mld(GROUP_1, ("fe80::a", "ff02::1"), 1, &message(128)), "l3_multicast");
}

/// docs/spec E, by the rule of thumb below its table and F138.
fn verdict(kind: u8) -> Option<&'static str> {
    match kind {
        127 | 255 | 138..=142 | 148..=153 => Some("icmp6_type"),
        130..=132 | 143 => Some("icmp6_mld"),
        133 => Some("icmp6_rs"),
        134 => Some("icmp6_ra"),
        137 => Some("icmp6_redirect"),
        _ => None,
    }
}

#[test]
fn f138_every_type_between_hosts() {
    for limit in [1, 64, 255] {
        let mut bench = Config::c0().bench();
        for kind in (0..=255).filter(|kind| !matches!(kind, 135 | 136)) {
            match verdict(kind) {
                Some(reason) => bench.drops(M, &unicast6(limit, &message(kind)), reason),
                None => bench.crosses(M, &unicast6(limit, &message(kind))),
            }
        }
    }
}

#[test]
fn f138_every_type_to_a_group() {
    let mut bench = Config::c0().bench();
    for kind in (0..=255).filter(|kind| !matches!(kind, 135 | 136)) {
        let frame = ether(GROUP_1, A, 0x86dd, &icmp6("fe80::a", "ff02::1", 255, &message(kind)));
        bench.drops(M, &frame, verdict(kind).unwrap_or("l3_multicast"));
    }
}

#[test]
fn f138_every_type_to_a_host_in_a_group_frame() {
    let mut bench = Config::c0().bench();
    for kind in 0..=255 {
        let packet = icmp6(IP_A, IP_B, 255, &message(kind));
        bench.drops(M, &ether(GROUP_1, A, 0x86dd, &packet), "l2mcast_l3ucast");
        bench.drops(M, &ether(BROADCAST, A, 0x86dd, &packet), "l2_broadcast_ip");
    }
}

#[test]
fn f138_types_behind_extension_headers() {
    let mut bench = Config::c0().bench();
    for kind in (0..=255).filter(|kind| !matches!(kind, 135 | 136)) {
        let (from, to) = ("2001:db8:1::1", "2001:db8:2::2");
        let payload = [&[58, 0, 1, 4, 0, 0, 0, 0][..], &icmp6_sum(from, to, &message(kind))].concat();
        let frame = ether(B, A, 0x86dd, &ipv6(from, to, 60, 64, &payload));
        match verdict(kind) {
            Some(reason) => bench.drops(M, &frame, reason),
            None => bench.crosses(M, &frame),
        }
    }
}

#[test]
fn f138_no_type_at_all() {
    let mut bench = Config::c0().bench();
    let frame = ether(B, A, 0x86dd, &ipv6("2001:db8:1::1", "2001:db8:2::2", 58, 64, &[]));
    bench.drops(M, &frame, "v6_hdrchain");
}

#[test]
fn f139_echo_in_transit() {
    let mut bench = Config::c0().bench();
    bench.crosses(M, &unicast6(64, &message(128)));
    bench.crosses(M, &unicast6(64, &message(129)));
    bench.crosses(M, &ether(B, A, 0x86dd, &icmp6(IP_A, IP_B, 64, &message(128))));
    bench.crosses(M, &ether(B, A, 0x86dd, &icmp6("fe80::a", "fe80::b", 64, &message(128))));
}

#[test]
fn f139_a_bridge_does_not_judge_the_checksum_of_transit() {
    let mut frame = unicast6(64, &message(128));
    frame[56] ^= 0xff;
    Config::c0().bench().crosses(M, &frame);
}

#[test]
fn f140_echo_to_all_nodes() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &ether(GROUP_1, A, 0x86dd, &icmp6(IP_A, "ff02::1", 64, &message(128))), "l3_multicast");
    bench.drops(M, &ether(B, A, 0x86dd, &icmp6(IP_A, "ff02::1", 64, &message(128))), "l3_multicast");
}

#[test]
fn f142_transit_errors_are_never_limited() {
    let mut bench = Config::c0().bench();
    let frames: Vec<_> = (1..=4).map(|kind| unicast6(64, &message(kind))).collect();
    for _ in 0..100 {
        // 10,000 a second for a while: 100 us apart
        for frame in &frames {
            bench.wait(std::time::Duration::from_micros(100));
            bench.crosses(M, frame);
        }
    }
    let codes = (0..=255).map(|code| [&[1, code, 0, 0][..], &[0; 44]].concat());
    for message in codes {
        bench.crosses(M, &unicast6(64, &message));
    }
}

#[test]
fn f143_packet_too_big_with_a_small_mtu() {
    let mut bench = Config::c0().bench();
    for mtu in [0u32, 600, 1279, 1280, u32::MAX] {
        let message = [&[2, 0, 0, 0][..], &mtu.to_be_bytes(), &[0x60; 40]].concat();
        bench.crosses(M, &unicast6(64, &message));
    }
}
