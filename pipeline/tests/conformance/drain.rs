//! docs/spec F194: a bridge that drains lets no BGP between peering addresses through, so that sessions move elsewhere, and
//! all else.

use crate::frames::*;
use crate::harness::*;

const A4: &str = "202.7.0.10";
const B4: &str = "202.7.0.20";
const A6: &str = "2001:7fa:3:ca07::a";
const B6: &str = "2001:7fa:3:ca07::b";

/// The start of a TCP header.
fn tcp(from: u16, to: u16) -> Vec<u8> {
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0; 8], &[0x50, 2, 0, 0, 0, 0, 0, 0]].concat()
}

fn v4(src: &str, dst: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ether(B, A, 0x0800, &ipv4(src, dst, protocol, payload))
}

fn v6(src: &str, dst: &str, next: u8, payload: &[u8]) -> Vec<u8> {
    ether(B, A, 0x86dd, &ipv6(src, dst, next, 64, payload))
}

fn drained() -> Bench {
    Config::c0().plus("drain: true").bench()
}

#[test]
fn f194_bgp_between_peering_addresses_stops_both_ways() {
    let mut bench = drained();
    for ports in [tcp(40000, 179), tcp(179, 40000), tcp(179, 179)] {
        bench.drops(M, &v4(A4, B4, 6, &ports), "drain");
        bench.drops(M, &v6(A6, B6, 6, &ports), "drain");
        bench.drops(W, &ether(A, B, 0x0800, &ipv4(B4, A4, 6, &ports)), "drain");
        bench.drops(W, &ether(A, B, 0x86dd, &ipv6(B6, A6, 6, 1, &ports)), "drain");
    }
    assert_eq!(bench.count("drain"), 12);
}

#[test]
fn f194_bgp_behind_options_and_headers_stops_as_well() {
    let mut bench = drained();
    let options = ipv4_options(A4, B4, 6, &[1; 8], &tcp(40000, 179));
    bench.drops(M, &ether(B, A, 0x0800, &options), "drain");
    let behind = [&[6, 0, 1, 4, 0, 0, 0, 0][..], &tcp(40000, 179)].concat();
    bench.drops(M, &v6(A6, B6, 60, &behind), "drain");
    let first = [&[6, 0, 0, 1, 0, 0, 0, 9][..], &tcp(40000, 179)].concat();
    bench.drops(M, &v6(A6, B6, 44, &first), "drain");
    let more = ipv4_with(ipv4(A4, B4, 6, &tcp(40000, 179)), |packet| packet[6] = 0x20);
    bench.drops(M, &ether(B, A, 0x0800, &more), "drain");
}

#[test]
fn f194_everything_else_crosses() {
    let mut bench = drained();
    let bgp = tcp(40000, 179);
    // one end outside the exchange, or both: multihop and transit
    for (src, dst) in [("192.0.2.1", B4), (A4, "192.0.2.1"), ("192.0.2.1", "198.51.100.2")] {
        bench.crosses(M, &v4(src, dst, 6, &bgp));
    }
    for (src, dst) in [("2001:db8::1", B6), (A6, "2001:db8::1"), ("fe80::a", "fe80::b")] {
        bench.crosses(M, &v6(src, dst, 6, &bgp));
    }
    // other ports, other protocols, later fragments
    for (protocol, payload) in
        [(6, tcp(40000, 180)), (6, tcp(0, 0)), (17, udp(179, 179, b"-")), (50, bgp.clone())]
    {
        bench.crosses(M, &v4(A4, B4, protocol, &payload));
        bench.crosses(M, &v6(A6, B6, protocol, &payload));
    }
    let later = ipv4_with(ipv4(A4, B4, 6, &bgp), |packet| packet[6..8].copy_from_slice(&[0, 9]));
    bench.crosses(M, &ether(B, A, 0x0800, &later));
    bench.crosses(M, &v6(A6, B6, 44, &[&[6, 0, 0, 8, 0, 0, 0, 9][..], &bgp].concat()));
    bench.crosses(M, &v4(A4, B4, 1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]));
    bench.crosses(M, &v6(A6, B6, 58, &icmp6_sum(A6, B6, &[128, 0, 0, 0, 0, 0, 0, 0])));
    bench.crosses(M, &arp_request(A, A4, B4));
    let (group, dst) = solicited(B6);
    bench.crosses(M, &ether(dst, A, 0x86dd, &icmp6(A6, &group, 255, &ns(B6, &lladdr(1, A)))));
}

#[test]
fn f194_a_reload_begins_and_ends_it() {
    let (bgp4, bgp6) = (v4(A4, B4, 6, &tcp(40000, 179)), v6(A6, B6, 6, &tcp(179, 40000)));
    let mut bench = Config::c0().bench();
    bench.crosses(M, &bgp4);
    bench.reload(&Config::c0().plus("drain: true"));
    bench.drops(M, &bgp4, "drain");
    bench.drops(M, &bgp6, "drain");
    bench.reload(&Config::c0().plus("drain: false"));
    bench.crosses(M, &bgp4);
    bench.crosses(M, &bgp6);
}

#[test]
fn f194_nothing_is_learned_from_what_is_held_back() {
    let mut bench = Config::cd().plus("drain: true").bench();
    bench.drops(M, &v4(A4, B4, 6, &tcp(40000, 179)), "drain");
    assert_eq!(bench.place(A), None);
}

#[test]
fn f194_behind_an_extension_header_too_it_is_tcp_and_drain_together() {
    let behind =
        |next: u8, payload: &[u8]| v6(A6, B6, 60, &[&[next, 0, 1, 4, 0, 0, 0, 0][..], payload].concat());
    Config::c0().bench().crosses(M, &behind(6, &tcp(40000, 179)));
    drained().crosses(M, &behind(17, &udp(179, 179, b"-")));
    drained().drops(M, &behind(6, &tcp(40000, 179)), "drain");
}
