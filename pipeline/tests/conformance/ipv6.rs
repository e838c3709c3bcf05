//! docs/spec F.5, F144 to F148 and C.5: fragments, header chains, addresses that cannot be, DHCPv6.

use crate::frames::*;
use crate::harness::*;

const IP_A: &str = "2001:7fa:3:ca07::a";
const IP_B: &str = "2001:7fa:3:ca07::b";
const FAR: (&str, &str) = ("2001:db8:1::1", "2001:db8:2::2");
const GROUP_1: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const UDP: u8 = 17;

/// A frame from A to B.
fn to_b(packet: &[u8]) -> Vec<u8> {
    ether(B, A, 0x86dd, packet)
}

/// A transit packet whose payload starts with a header of this kind.
fn far(next: u8, payload: &[u8]) -> Vec<u8> {
    to_b(&ipv6(FAR.0, FAR.1, next, 64, payload))
}

/// Extension headers of these kinds and lengths in bytes, the last one leading to `upper`, and what follows.
fn chain(headers: &[(u8, usize)], upper: u8, payload: &[u8]) -> (u8, Vec<u8>) {
    let mut bytes = Vec::new();
    for (at, (kind, len)) in headers.iter().enumerate() {
        let next = headers.get(at + 1).map_or(upper, |(kind, _)| *kind);
        let units = match *kind {
            AUTHENTICATION => len / 4 - 2,
            _ => len / 8 - 1,
        };
        let mut header = vec![0; *len];
        header[0] = next;
        header[1] = if *kind == FRAGMENT { 0 } else { units as u8 };
        bytes.extend(header);
    }
    (headers.first().map_or(upper, |(kind, _)| *kind), [bytes, payload.to_vec()].concat())
}

fn chained(headers: &[(u8, usize)], upper: u8, payload: &[u8]) -> Vec<u8> {
    let (next, payload) = chain(headers, upper, payload);
    far(next, &payload)
}

fn fragment(next: u8, offset: u16, more: bool, data: &[u8]) -> Vec<u8> {
    let field = (offset << 3 | u16::from(more)).to_be_bytes();
    [&[next, 0, field[0], field[1], 0, 0, 0, 1][..], data].concat()
}

#[test]
fn f144_later_fragments_cross() {
    let mut bench = Config::c0().bench();
    for offset in [1, 2, 185, 0x1ffe, 0x1fff] {
        for more in [false, true] {
            // whatever the data look like
            for next in [UDP, 6, 58, DESTINATION, 59, FRAGMENT] {
                bench.crosses(M, &far(FRAGMENT, &fragment(next, offset, more, &[134; 24])));
            }
        }
    }
    bench.crosses(M, &far(FRAGMENT, &fragment(UDP, 1, false, &[])));
}

#[test]
fn f144_later_fragments_behind_other_headers_cross() {
    let mut bench = Config::c0().bench();
    let later = fragment(58, 4, false, &[134; 24]);
    bench.crosses(M, &chained(&[(HOP_BY_HOP, 8), (ROUTING, 24), (DESTINATION, 16)], FRAGMENT, &later));
}

#[test]
fn f144_later_fragments_to_a_group() {
    let mut bench = Config::c0().bench();
    let packet = ipv6(FAR.0, "ff02::1", FRAGMENT, 64, &fragment(58, 4, false, &[0; 24]));
    bench.drops(M, &ether(GROUP_1, A, 0x86dd, &packet), "v6_mcast_fragment");
    bench.drops(M, &to_b(&packet), "v6_mcast_fragment");
}

#[test]
fn f144_first_fragments_cross() {
    let mut bench = Config::c0().bench();
    for more in [false, true] {
        bench.crosses(M, &far(FRAGMENT, &fragment(UDP, 0, more, &udp(4000, 5000, b"12345678"))));
        bench.crosses(M, &far(FRAGMENT, &fragment(58, 0, more, &[128, 0, 0, 0, 0, 0, 0, 0])));
    }
}

#[test]
fn f144_a_fragment_is_no_place_to_hide() {
    let mut bench = Config::c0().bench();
    for more in [false, true] {
        bench.drops(M, &far(FRAGMENT, &fragment(58, 0, more, &[134, 0, 0, 0, 0, 0, 0, 0])), "icmp6_ra");
        bench.drops(M, &far(FRAGMENT, &fragment(58, 0, more, &[133, 0, 0, 0, 0, 0, 0, 0])), "icmp6_rs");
        bench.drops(M, &far(FRAGMENT, &fragment(58, 0, more, &[137, 0, 0, 0, 0, 0, 0, 0])), "icmp6_redirect");
        bench.drops(M, &far(FRAGMENT, &fragment(58, 0, more, &[139, 0, 0, 0, 0, 0, 0, 0])), "icmp6_type");
        let dhcp = fragment(UDP, 0, more, &udp(546, 547, b"12345678"));
        bench.drops(M, &to_b(&ipv6(IP_A, IP_B, FRAGMENT, 64, &dhcp)), "dhcp");
    }
}

#[test]
fn f145_first_fragment_that_ends_inside_its_headers() {
    let mut bench = Config::c0().bench();
    let options = [UDP, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]; // 16 bytes by its length field
    for len in [0, 1, 7, 8, 9, 15] {
        let mut data = fragment(DESTINATION, 0, true, &options[..len]);
        bench.drops(M, &far(FRAGMENT, &data), "v6_hdrchain");
        data.splice(0..0, [FRAGMENT, 0, 1, 4, 0, 0, 0, 0]);
        bench.drops(M, &far(HOP_BY_HOP, &data), "v6_hdrchain");
    }
    assert_eq!(bench.report().replies, 0);
}

#[test]
fn f145_first_fragment_without_its_upper_layer() {
    // docs/spec C.5: dropped where the first fragment lacks the upper-layer header (RFC 7112 §5); else DHCPv6 between
    // the exchange's addresses passes with its ports in the second fragment
    let mut bench = Config::c0().bench();
    let options = [UDP, 0, 1, 4, 0, 0, 0, 0];
    bench.drops(
        M,
        &to_b(&ipv6(IP_A, IP_B, FRAGMENT, 64, &fragment(DESTINATION, 0, true, &options))),
        "v6_hdrchain",
    );
    bench.drops(M, &far(FRAGMENT, &fragment(UDP, 0, true, &[])), "v6_hdrchain");
    bench.drops(M, &far(FRAGMENT, &fragment(58, 0, true, &[])), "v6_hdrchain");
    bench.drops(M, &far(FRAGMENT, &fragment(6, 0, true, &[])), "v6_hdrchain");
}

#[test]
fn f145_header_cut_short_in_a_whole_packet() {
    let mut bench = Config::c0().bench();
    for kind in [HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, 135, 139, 140] {
        for len in 1..8 {
            bench.drops(M, &far(kind, &[UDP, 0, 0, 0, 0, 0, 0, 0][..len]), "v6_hdrchain");
        }
        if kind != FRAGMENT {
            bench.drops(M, &far(kind, &[UDP, 255, 0, 0, 0, 0, 0, 0]), "v6_hdrchain");
        }
    }
}

#[test]
fn c5_eight_headers_are_followed_and_nine_are_not() {
    let mut bench = Config::c0().bench();
    let data = udp(4000, 5000, b"data");
    for count in 1..=8 {
        bench.crosses(M, &chained(&vec![(DESTINATION, 8); count], UDP, &data));
        let ra = chained(&vec![(DESTINATION, 8); count], 58, &[134, 0, 0, 0, 0, 0, 0, 0]);
        bench.drops(M, &ra, "icmp6_ra");
    }
    for count in 9..=12 {
        bench.drops(M, &chained(&vec![(DESTINATION, 8); count], UDP, &data), "v6_hdrchain");
        let packet = chain(&vec![(DESTINATION, 8); count], 58, &[134, 0, 0, 0, 0, 0, 0, 0]);
        let packet = ipv6("fe80::a", "ff02::1", packet.0, 255, &packet.1);
        bench.drops(M, &ether(GROUP_1, A, 0x86dd, &packet), "v6_hdrchain");
    }
}

/// Every kind of extension header.
const EXTENSIONS: [u8; 8] = [HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, 135, 139, 140];

/// Upper layers that cross between hosts: protocol and bytes.
fn upper_layers() -> [(u8, Vec<u8>); 4] {
    [(UDP, udp(4000, 5000, b"data")), (6, vec![0xee; 20]), (58, vec![128, 0, 0, 0, 0, 0, 0, 0]), (59, vec![])]
}

#[test]
fn f216_behind_eight_headers_every_upper_layer_is_found() {
    let mut bench = Config::c0().bench();
    for (protocol, payload) in upper_layers() {
        for kind in EXTENSIONS {
            let headers =
                [vec![(DESTINATION, 8); 7], vec![(kind, 16 - 8 * usize::from(kind == FRAGMENT))]].concat();
            bench.crosses(M, &chained(&headers, protocol, &payload));
            bench.drops(M, &chained(&headers, 58, &[134, 0, 0, 0, 0, 0, 0, 0]), "icmp6_ra");
        }
    }
}

#[test]
fn f216_nine_headers_are_too_many_whatever_the_ninth_and_what_follows() {
    let mut bench = Config::c0().bench();
    for (protocol, payload) in upper_layers() {
        for kind in EXTENSIONS {
            let headers =
                [vec![(DESTINATION, 8); 8], vec![(kind, 16 - 8 * usize::from(kind == FRAGMENT))]].concat();
            bench.drops(M, &chained(&headers, protocol, &payload), "v6_hdrchain");
        }
    }
}

#[test]
fn f216_a_later_fragment_crosses_as_the_eighth_header_and_not_as_the_ninth() {
    let mut bench = Config::c0().bench();
    let later = fragment(58, 4, false, &[134; 24]);
    for before in 1..=7 {
        bench.crosses(M, &chained(&vec![(DESTINATION, 8); before], FRAGMENT, &later));
    }
    for before in 8..=9 {
        bench.drops(M, &chained(&vec![(DESTINATION, 8); before], FRAGMENT, &later), "v6_hdrchain");
    }
}

#[test]
fn f216_a_later_fragment_to_a_group_never_crosses() {
    let mut bench = Config::c0().bench();
    let later = fragment(58, 4, false, &[134; 24]);
    for (before, reason) in [(7, "v6_mcast_fragment"), (8, "v6_hdrchain")] {
        let (next, payload) = chain(&vec![(DESTINATION, 8); before], FRAGMENT, &later);
        bench.drops(M, &to_b(&ipv6(FAR.0, "ff02::1", next, 64, &payload)), reason);
    }
}

#[test]
fn f216_an_upper_layer_begins_within_256_bytes_of_the_ipv6_header() {
    let mut bench = Config::c0().bench();
    for headers in [
        vec![(DESTINATION, 208)],
        vec![(DESTINATION, 216)],
        vec![(HOP_BY_HOP, 8), (DESTINATION, 208)],
        vec![(AUTHENTICATION, 12), (AUTHENTICATION, 204)],
        vec![(DESTINATION, 208), (FRAGMENT, 8)],
    ] {
        for (protocol, payload) in upper_layers() {
            bench.crosses(M, &chained(&headers, protocol, &payload));
        }
        bench.drops(M, &chained(&headers, 58, &[134, 0, 0, 0, 0, 0, 0, 0]), "icmp6_ra");
    }
}

#[test]
fn f216_beyond_256_bytes_every_upper_layer_is_out_of_reach() {
    let mut bench = Config::c0().bench();
    for headers in [
        vec![(DESTINATION, 208), (AUTHENTICATION, 12)], // 260: the next after 256 that a header can end at
        vec![(DESTINATION, 224)],
        vec![(DESTINATION, 216), (DESTINATION, 8)],
        vec![(DESTINATION, 216), (FRAGMENT, 8)],
        vec![(DESTINATION, 256)],
        vec![(DESTINATION, 1024)],
    ] {
        for (protocol, payload) in upper_layers() {
            bench.drops(M, &chained(&headers, protocol, &payload), "v6_hdrchain");
        }
        bench.drops(M, &chained(&headers, 58, &[134, 0, 0, 0, 0, 0, 0, 0]), "v6_hdrchain");
    }
}

#[test]
fn f216_a_later_fragment_among_eight_headers_crosses_beyond_256_bytes() {
    let mut bench = Config::c0().bench();
    let later = fragment(58, 4, false, &[134; 24]);
    for length in [208, 216, 1024] {
        bench.crosses(M, &chained(&[(DESTINATION, length)], FRAGMENT, &later));
    }
}

#[test]
fn c5_an_authentication_header_counts_in_words() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &chained(&[(AUTHENTICATION, 12)], 58, &[134, 0, 0, 0, 0, 0, 0, 0]), "icmp6_ra");
    bench.drops(M, &chained(&[(AUTHENTICATION, 24)], 58, &[134, 0, 0, 0, 0, 0, 0, 0]), "icmp6_ra");
    bench.crosses(M, &chained(&[(AUTHENTICATION, 24)], UDP, &udp(4000, 5000, b"data")));
}

#[test]
fn c5_upper_layers_of_every_kind_cross_between_hosts() {
    let mut bench = Config::c0().bench();
    let extension = [0, 43, 44, 51, 58, 60, 135, 139, 140];
    for next in (0..=255).filter(|next| !extension.contains(next)) {
        bench.crosses(M, &far(next, &[0xee; 24]));
    }
    bench.crosses(M, &far(59, &[]));
}

#[test]
fn f146_addresses_that_cannot_be() {
    let mut bench = Config::c0().bench();
    for (from, to) in [
        ("ff02::1", IP_B),
        ("ff0e::1", IP_B),
        ("ff00::", IP_B),
        ("::1", IP_B),
        (IP_A, "::1"),
        (IP_A, "::"),
        ("::", IP_B),
        ("::", "::"),
    ] {
        bench.drops(M, &to_b(&ipv6(from, to, UDP, 64, &udp(4000, 5000, b"data"))), "v6_martian");
    }
    for (from, to) in
        [("::2", IP_B), (IP_A, "::2"), ("fe80::a", IP_B), ("::ffff:192.0.2.1", IP_B), ("100::1", IP_B)]
    {
        bench.crosses(M, &to_b(&ipv6(from, to, UDP, 64, &udp(4000, 5000, b"data"))));
    }
}

#[test]
fn f146_a_group_source_of_a_group_packet() {
    let mut bench = Config::c0().bench();
    for from in ["ff02::1", "::1"] {
        let packet = ipv6(from, "ff02::1", UDP, 64, &udp(4000, 5000, b"data"));
        bench.drops(M, &ether(GROUP_1, A, 0x86dd, &packet), "v6_martian");
    }
}

#[test]
fn f147_groups() {
    let mut bench = Config::c0().bench();
    for to in ["ff0e::1", "ff02::1", "ff01::1", "ff02::fb", "ff02::5", "ff02::1:ff00:b", "ffff::1"] {
        let packet = ipv6(IP_A, to, UDP, 64, &udp(5353, 5353, b"data"));
        bench.drops(M, &ether(GROUP_1, A, 0x86dd, &packet), "l3_multicast");
        bench.drops(M, &to_b(&packet), "l3_multicast");
        let packet = icmp6(IP_A, to, 64, &[128, 0, 0, 0, 0, 0, 0, 0]);
        bench.drops(M, &ether(GROUP_1, A, 0x86dd, &packet), "l3_multicast");
    }
    for next in [6, 59, 89, 103, 112, 253] {
        let packet = ipv6("fe80::a", "ff02::5", next, 1, &[0; 24]);
        bench.drops(M, &ether([0x33, 0x33, 0, 0, 0, 5], A, 0x86dd, &packet), "l3_multicast");
    }
}

#[test]
fn f148_dhcp6_solicit() {
    let mut bench = Config::c0().bench();
    let packet = ipv6("fe80::a", "ff02::1:2", UDP, 1, &udp(546, 547, b"solicit"));
    bench.drops(M, &ether([0x33, 0x33, 0, 1, 0, 2], A, 0x86dd, &packet), "l3_multicast");
}

#[test]
fn f148_dhcp6_of_the_exchange() {
    let mut bench = Config::c0().bench();
    for (from, to) in [(IP_A, FAR.1), (FAR.0, IP_B), (IP_A, IP_B)] {
        for (sport, dport) in [(546, 547), (547, 546), (547, 547), (4000, 547), (546, 4000)] {
            bench.drops(M, &to_b(&ipv6(from, to, UDP, 64, &udp(sport, dport, b"x"))), "dhcp");
            let (next, payload) = chain(&[(DESTINATION, 8)], UDP, &udp(sport, dport, b"x"));
            bench.drops(M, &to_b(&ipv6(from, to, next, 64, &payload)), "dhcp");
        }
        bench.crosses(M, &to_b(&ipv6(from, to, UDP, 64, &udp(545, 548, b"x"))));
        bench.crosses(M, &to_b(&ipv6(from, to, 6, 64, &udp(546, 547, b"these are not UDP ports"))));
    }
    bench.crosses(M, &far(UDP, &udp(547, 547, b"relayed between other networks")));
}

#[test]
fn f215_dhcp6_of_link_local_addresses() {
    let mut bench = Config::c0().bench();
    for (sport, dport) in [(546, 547), (547, 546), (547, 547), (4000, 547), (546, 4000)] {
        let datagram = udp(sport, dport, b"x");
        bench.drops(M, &to_b(&ipv6("fe80::a", "fe80::b", UDP, 64, &datagram)), "dhcp");
        let (next, payload) = chain(&[(DESTINATION, 8)], UDP, &datagram);
        bench.drops(M, &to_b(&ipv6("fe80::a", "fe80::b", next, 64, &payload)), "dhcp");
        // one such address is enough: no router forwards it (RFC 4291 section 2.5.6)
        bench.drops(M, &to_b(&ipv6("febf::a", FAR.1, UDP, 64, &datagram)), "dhcp");
        bench.drops(M, &to_b(&ipv6(FAR.0, "fe80::b", UDP, 64, &datagram)), "dhcp");
    }
}

#[test]
fn f215_other_datagrams_between_link_local_addresses_cross() {
    let mut bench = Config::c0().bench();
    bench.crosses(M, &to_b(&ipv6("fe80::a", "fe80::b", UDP, 64, &udp(545, 548, b"x"))));
    bench.crosses(M, &to_b(&ipv6("fe80::a", "fe80::b", 6, 64, &udp(546, 547, b"these are not UDP ports"))));
    bench.crosses(M, &to_b(&ipv6("fec0::a", "fec0::b", UDP, 64, &udp(546, 547, b"site-local"))));
}

#[test]
fn c2_from_the_unspecified_address_only_a_solicitation_is_judged_by_what_it_is() {
    let mut bench = Config::c0().bench();
    let v6 = |packet: Vec<u8>| ether(B, A, 0x86dd, &packet);
    bench.drops(M, &v6(icmp6("::", IP_B, 255, &[128, 0, 0, 0, 0, 1, 0, 1])), "v6_martian");
    // a source port that begins as a solicitation does
    bench.drops(M, &v6(ipv6("::", IP_B, 17, 255, &udp(135 << 8, 4000, b"-"))), "v6_martian");
    bench.drops(M, &v6(icmp6("::", IP_B, 255, &ns(IP_B, &[]))), "nd_dad_dst");
}
