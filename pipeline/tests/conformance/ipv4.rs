//! docs/spec F.3, F57 to F64: IPv4 between hosts, impossible addresses, ICMP and DHCP of one link.

use crate::frames::*;
use crate::harness::*;

const GROUP: [u8; 6] = [0x01, 0, 0x5e, 0, 0, 0x05];

fn packet(dst_mac: [u8; 6], packet: &[u8]) -> Vec<u8> {
    ether(dst_mac, A, 0x0800, packet)
}

fn from_to(src: &str, dst: &str) -> Vec<u8> {
    packet(B, &ipv4(src, dst, 17, &udp(4000, 5000, b"data")))
}

fn with_options(words: usize, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = ipv4("192.0.2.1", "198.51.100.2", protocol, payload);
    bytes[0] = 0x45 + words as u8;
    let total = (bytes.len() + 4 * words) as u16;
    bytes[2..4].copy_from_slice(&total.to_be_bytes());
    bytes.splice(20..20, std::iter::repeat_n(1, 4 * words)); // no-operation options
    sum_again(&mut bytes);
    bytes
}

fn fragment(offset: u16, more: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = ipv4("192.0.2.1", "202.7.0.20", protocol, payload);
    let field = offset | if more { 0x2000 } else { 0 };
    bytes[6..8].copy_from_slice(&field.to_be_bytes());
    sum_again(&mut bytes);
    bytes
}

fn sum_again(bytes: &mut [u8]) {
    bytes[10..12].fill(0);
    let header = usize::from(bytes[0] & 15) * 4;
    let sum = checksum(&bytes[..header]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn icmp4(kind: u8) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

#[test]
fn f57_limited_broadcast_to_any_mac() {
    let mut bench = Config::c0().bench();
    for mac in [BROADCAST, GROUP, B, MAC_M, station(9)] {
        let frame = packet(mac, &ipv4("202.7.0.10", "255.255.255.255", 17, &udp(4000, 5000, b"")));
        bench.drops(M, &frame, "v4_broadcast");
    }
}

#[test]
fn f58_directed_broadcast_in_unicast() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &from_to("192.0.2.1", "202.7.1.255"), "v4_directed_broadcast");
    bench.drops(M, &from_to("202.7.0.10", "202.7.1.255"), "v4_directed_broadcast");
    bench.crosses(M, &from_to("192.0.2.1", "202.7.1.254")); // a host like any other, for the destination MAC is B
    bench.crosses(M, &from_to("192.0.2.1", "202.7.2.255")); // next to the prefix: not ours to judge
    bench.crosses(M, &from_to("192.0.2.1", "202.6.255.255"));
}

#[test]
fn f58_directed_broadcast_of_each_of_several_prefixes() {
    let mut bench =
        Config::c0().with("[202.7.0.0/23]", "[202.7.0.0/23, 198.51.100.64/26, 203.0.113.8/30]").bench();
    for dst in ["202.7.1.255", "198.51.100.127", "203.0.113.11"] {
        bench.drops(M, &from_to("192.0.2.1", dst), "v4_directed_broadcast");
        bench.drops(M, &from_to(dst, "192.0.2.1"), "v4_martian_src");
    }
    for dst in ["198.51.100.63", "198.51.100.126", "198.51.100.128", "203.0.113.10", "203.0.113.12"] {
        bench.crosses(M, &from_to("192.0.2.1", dst));
    }
}

#[test]
fn f58_a_31_has_no_broadcast_address() {
    let mut bench = Config::c0().with("[202.7.0.0/23]", "[202.7.0.0/23, 198.51.100.64/31]").bench();
    for address in ["198.51.100.64", "198.51.100.65"] {
        bench.crosses(M, &from_to("192.0.2.1", address));
        bench.crosses(M, &from_to(address, "192.0.2.1"));
    }
}

#[test]
fn f59_ordinary_host_that_ends_in_255() {
    let mut bench = Config::c0().bench();
    bench.crosses(M, &from_to("192.0.2.1", "202.7.0.255"));
    bench.crosses(M, &from_to("202.7.0.255", "192.0.2.1"));
    bench.crosses(M, &from_to("192.0.2.1", "202.7.1.0"));
}

#[test]
fn f60_martian_sources() {
    let mut bench = Config::c0().bench();
    for src in [
        "202.7.1.255",
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
    ] {
        bench.drops(M, &from_to(src, "198.51.100.2"), "v4_martian_src");
    }
    for src in ["1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255", "10.0.0.1", "202.7.1.254"] {
        bench.crosses(M, &from_to(src, "198.51.100.2"));
    }
}

#[test]
fn f60_a_prefix_s_network_address_is_no_host_s() {
    let narrow = "ipv4: [202.7.0.0/23, 192.0.2.128/25, 203.0.113.0/31]";
    let mut bench = Config::c0().with("ipv4: [202.7.0.0/23]", narrow).bench();
    for src in ["202.7.0.0", "192.0.2.128"] {
        bench.drops(M, &from_to(src, "198.51.100.2"), "v4_martian_src");
    }
    // both addresses of a /31 are hosts' (RFC 3021)
    for src in ["203.0.113.0", "203.0.113.1", "202.7.1.0", "192.0.2.0", "198.51.100.0"] {
        bench.crosses(M, &from_to(src, "198.51.100.2"));
    }
}

#[test]
fn f214_martian_destinations() {
    let mut bench = Config::c0().bench();
    for dst in ["240.0.0.0", "240.0.0.1", "250.1.2.3", "255.0.0.0", "255.255.255.254", "0.0.0.0", "127.0.0.1"]
    {
        bench.drops(M, &from_to("192.0.2.1", dst), "v4_martian_dst");
    }
    bench.crosses(M, &from_to("192.0.2.1", "223.255.255.255"));
    bench.drops(M, &from_to("192.0.2.1", "239.255.255.255"), "l3_multicast");
    bench.drops(M, &from_to("192.0.2.1", "255.255.255.255"), "v4_broadcast");
    bench.drops(M, &from_to("240.0.0.1", "240.0.0.2"), "v4_martian_src");
}

#[test]
fn f61_dhcp_discover() {
    let mut bench = Config::c0().bench();
    let discover = packet(BROADCAST, &ipv4("0.0.0.0", "255.255.255.255", 17, &udp(68, 67, b"discover")));
    bench.drops(M, &discover, "v4_broadcast");
}

#[test]
fn f61_dhcp_of_the_exchange() {
    for (src, dst) in
        [("202.7.0.10", "198.51.100.2"), ("192.0.2.1", "202.7.0.20"), ("202.7.0.10", "202.7.0.20")]
    {
        let mut bench = Config::c0().bench();
        for (from, to) in [(68, 67), (67, 68), (67, 67), (4000, 67), (68, 4000)] {
            bench.drops(M, &packet(B, &ipv4(src, dst, 17, &udp(from, to, b"x"))), "dhcp");
        }
        for (from, to) in [(66, 66), (69, 69), (546, 547), (67 << 8, 68 << 8)] {
            bench.crosses(M, &packet(B, &ipv4(src, dst, 17, &udp(from, to, b"x"))));
        }
        bench.crosses(M, &packet(B, &ipv4(src, dst, 6, &udp(67, 68, b"these are not UDP ports"))));
    }
}

#[test]
fn f61_dhcp_in_transit_is_somebody_elses() {
    let mut bench = Config::c0().bench();
    bench.crosses(M, &packet(B, &ipv4("192.0.2.1", "198.51.100.2", 17, &udp(67, 67, b"relayed"))));
}

#[test]
fn f61_dhcp_behind_options_and_in_a_first_fragment() {
    let mut bench = Config::c0().bench();
    let mut optioned = with_options(10, 17, &udp(68, 67, b"x"));
    optioned[16..20].copy_from_slice(&[202, 7, 0, 20]);
    sum_again(&mut optioned);
    bench.drops(M, &packet(B, &optioned), "dhcp");
    bench.drops(M, &packet(B, &fragment(0, true, 17, &udp(68, 67, &[0; 16]))), "dhcp");
    bench.crosses(M, &packet(B, &fragment(1, true, 17, &udp(68, 67, &[0; 16])))); // no ports at all
}

#[test]
fn f62_icmp_types() {
    for kind in 0..=255 {
        let frame = packet(B, &ipv4("192.0.2.1", "198.51.100.2", 1, &icmp4(kind)));
        let mut bench = Config::c0().bench();
        match kind {
            5 | 9 | 10 => bench.drops(M, &frame, "icmp4_type"),
            _ => bench.crosses(M, &frame),
        }
    }
}

#[test]
fn f62_redirect_behind_options_and_in_fragments() {
    let mut bench = Config::c0().bench();
    for words in 1..=10 {
        bench.drops(M, &packet(B, &with_options(words, 1, &icmp4(5))), "icmp4_type");
        bench.crosses(M, &packet(B, &with_options(words, 1, &icmp4(8))));
    }
    bench.drops(M, &packet(B, &fragment(0, true, 1, &icmp4(5))), "icmp4_type");
    bench.crosses(M, &packet(B, &fragment(1, false, 1, &icmp4(5)))); // data, not a header
    bench.crosses(M, &packet(B, &fragment(0x1fff, false, 1, &icmp4(5))));
}

#[test]
fn f62_icmp_to_a_group_mac() {
    let mut bench = Config::c0().bench();
    let echo = ipv4("202.7.0.10", "202.7.0.20", 1, &icmp4(8));
    bench.drops(M, &packet(BROADCAST, &echo), "l2_broadcast_ip");
    bench.drops(M, &packet(GROUP, &echo), "l2_multicast");
    bench.drops(M, &packet(GROUP, &ipv4("202.7.0.10", "224.0.0.1", 1, &icmp4(8))), "l3_multicast");
}

#[test]
fn f63_transit_frag_needed_is_never_limited() {
    let mut bench = Config::c0().bench();
    let mut message = icmp4(3);
    message[1] = 4;
    let frame = packet(B, &ipv4("192.0.2.1", "198.51.100.2", 1, &message));
    for _ in 0..3000 {
        bench.crosses(M, &frame); // all at one instant
    }
    assert_eq!(bench.count("forwarded"), 3000);
}

#[test]
fn f64_transit_is_not_judged_by_prefix() {
    let mut bench = Config::c0().bench();
    bench.crosses(M, &from_to("192.0.2.1", "198.51.100.2"));
    bench.crosses(M, &from_to("10.0.0.1", "192.168.0.1"));
    bench.crosses(W, &ether(A, B, 0x0800, &ipv4("198.51.100.2", "192.0.2.1", 17, &udp(5000, 4000, b"back"))));
}

#[test]
fn f64_every_protocol_passes_between_hosts() {
    let mut bench = Config::c0().bench();
    for protocol in (0..=255).filter(|protocol| *protocol != 1) {
        bench.crosses(M, &packet(B, &ipv4("192.0.2.1", "198.51.100.2", protocol, &[0xee; 24])));
    }
}
