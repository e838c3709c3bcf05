//! One frame of every kind: what crosses, and what does not.

use crate::frames::*;
use crate::harness::*;
use rules::Side;

/// A frame without tags, and what it is.
#[derive(Debug, Clone)]
pub struct Kind {
    /// For a failing test to say.
    pub name: &'static str,
    /// Where it comes in.
    pub side: Side,
    /// The frame.
    pub frame: Vec<u8>,
    /// What it is dropped for when its packet is cut short; none for one that does not cross when it is whole either.
    pub cut: Option<&'static str>,
}

/// Frames that cross by C0, with the reason that each prefix of their packet is dropped for.
pub fn crossing() -> Vec<Kind> {
    let (a, b) = ("2001:7fa:3:ca07::a", "2001:7fa:3:ca07::b");
    let (far_a, far_b) = ("2001:db8:1::1", "2001:db8:2::2");
    let (group, group_mac) = solicited(b);
    let options = [&lladdr(1, A)[..], &[14, 1, 1, 2, 3, 4, 5, 6], &[200, 2], &[0; 14]].concat();
    let v6 = |packet: Vec<u8>| ether(B, A, 0x86dd, &packet);
    let v4 = |packet: Vec<u8>| ether(B, A, 0x0800, &packet);
    let chain =
        [&[60, 0, 1, 4, 0, 0, 0, 0][..], &[17, 1, 1, 12], &[0; 12], &udp(4000, 5000, b"chained")].concat();
    let fragment = |field: u8, data: &[u8]| [&[17, 0, 0, field, 0, 0, 0, 9][..], data].concat();
    let mut optioned =
        ipv4("192.0.2.1", "198.51.100.2", 17, &[&[1; 8][..], &udp(4000, 5000, b"optioned")].concat());
    optioned[0] = 0x47;
    let echo = [128, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4];
    let m = [
        ("unicast IPv4", unicast(B, A), "v4_truncated"),
        (
            "ICMP echo",
            v4(ipv4("202.7.0.10", "202.7.0.20", 1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0])),
            "v4_truncated",
        ),
        (
            "frag-needed",
            v4(ipv4(
                "192.0.2.1",
                "198.51.100.2",
                1,
                &[&[3, 4, 0, 0, 0, 0, 5, 120][..], &[0x45; 28]].concat(),
            )),
            "v4_truncated",
        ),
        ("IPv4 with options", v4(optioned), "v4_truncated"),
        ("IPv6 UDP", v6(ipv6(far_a, far_b, 17, 64, &udp(4000, 5000, b"sluice"))), "v6_truncated"),
        ("IPv6 without next header", v6(ipv6(far_a, far_b, 59, 64, &[])), "v6_truncated"),
        ("IPv6 echo", v6(icmp6(far_a, far_b, 64, &echo)), "v6_truncated"),
        (
            "Packet Too Big",
            v6(icmp6(far_a, far_b, 64, &[&[2, 0, 0, 0, 0, 0, 5, 0][..], &[0x60; 48]].concat())),
            "v6_truncated",
        ),
        ("header chain", v6(ipv6(far_a, far_b, 0, 64, &chain)), "v6_truncated"),
        (
            "first fragment",
            v6(ipv6(far_a, far_b, 44, 64, &fragment(1, &udp(4000, 5000, b"12345678")))),
            "v6_truncated",
        ),
        ("later fragment", v6(ipv6(far_a, far_b, 44, 64, &fragment(0x10, b"anything"))), "v6_truncated"),
        (
            "multicast NS (G1)",
            ether(group_mac, A, 0x86dd, &icmp6(a, &group, 255, &ns(b, &lladdr(1, A)))),
            "v6_truncated",
        ),
        (
            "NS with options",
            ether(group_mac, A, 0x86dd, &icmp6(a, &group, 255, &ns(b, &options))),
            "v6_truncated",
        ),
        ("unicast NS", v6(icmp6(a, b, 255, &ns(b, &lladdr(1, A)))), "v6_truncated"),
        (
            "link-local NS",
            v6(icmp6("fe80::a", "fe80::b", 255, &ns("fe80::b", &lladdr(1, A)))),
            "v6_truncated",
        ),
        ("DAD NS (G3)", ether(group_mac, A, 0x86dd, &icmp6("::", &group, 255, &ns(b, &[]))), "v6_truncated"),
        ("ARP request (G5)", arp_request(A, "202.7.0.10", "202.7.0.20"), "arp_truncated"),
        ("ARP probe", arp_request(A, "0.0.0.0", "202.7.0.20"), "arp_truncated"),
        ("ARP announcement", arp_request(A, "202.7.0.10", "202.7.0.10"), "arp_truncated"),
    ];
    let answer = na(0xe0, b, &lladdr(2, B));
    let told = na(0xa0, b, &lladdr(2, B));
    let nodes = [0x33, 0x33, 0, 0, 0, 1];
    let w = [
        ("NA (G2)", ether(A, B, 0x86dd, &icmp6(b, a, 255, &answer)), "v6_truncated"),
        ("unsolicited NA (G4)", ether(nodes, B, 0x86dd, &icmp6(b, "ff02::1", 255, &told)), "v6_truncated"),
        ("ARP reply (G6)", ether(A, B, 0x0806, &arp(2, B, "202.7.0.20", A, "202.7.0.10")), "arp_truncated"),
        (
            "ARP reply to a probe (G7)",
            ether(A, B, 0x0806, &arp(2, B, "202.7.0.20", A, "0.0.0.0")),
            "arp_truncated",
        ),
        ("unicast IPv4 back", unicast(A, B), "v4_truncated"),
    ];
    let kind = |side| move |(name, frame, cut)| Kind { name, side, frame, cut: Some(cut) };
    m.into_iter().map(kind(M)).chain(w.into_iter().map(kind(W))).collect()
}

/// Frames that do not cross, whole or cut short.
pub fn refused() -> Vec<Kind> {
    let group = |last: u8| [0x33, 0x33, 0, 0, 0, last];
    let ra = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let hidden =
        [&[60, 0, 5, 2, 0, 0, 1, 0][..], &[44, 0, 1, 4, 0, 0, 0, 0], &[58, 0, 0, 1, 0, 0, 0, 9], &ra]
            .concat();
    let mld =
        [&[58, 0, 5, 2, 0, 0, 1, 0][..], &icmp6_sum("fe80::a", "ff02::16", &[143, 0, 0, 0, 0, 0, 0, 0])]
            .concat();
    let bpdu = [&[0, 38, 0x42, 0x42, 3][..], &[0; 41]].concat();
    [
        ("BPDU", [&[0x01, 0x80, 0xc2, 0, 0, 0][..], &A, &bpdu].concat()),
        ("LLDP", ether([0x01, 0x80, 0xc2, 0, 0, 0x0e], A, 0x88cc, &[2, 7, 4, 2, 0xaa, 0, 0, 0, 1])),
        ("PVST+", [&[0x01, 0, 0x0c, 0xcc, 0xcc, 0xcd][..], &A, &[0, 50, 0xaa, 0xaa, 3], &[0; 47]].concat()),
        ("keepalive", ether(A, A, 0x9000, &[0; 46])),
        (
            "OSPF",
            ether([0x01, 0, 0x5e, 0, 0, 5], A, 0x0800, &ipv4("202.7.0.10", "224.0.0.5", 89, &[2, 1, 0, 44])),
        ),
        (
            "DHCP",
            ether(BROADCAST, A, 0x0800, &ipv4("0.0.0.0", "255.255.255.255", 17, &udp(68, 67, &[1; 240]))),
        ),
        ("RA", ether(group(1), A, 0x86dd, &icmp6("fe80::a", "ff02::1", 255, &ra))),
        ("hidden RA", ether(group(1), A, 0x86dd, &ipv6("fe80::a", "ff02::1", 0, 255, &hidden))),
        ("RS", ether(group(2), A, 0x86dd, &icmp6("fe80::a", "ff02::2", 255, &[133, 0, 0, 0, 0, 0, 0, 0]))),
        ("MLD", ether(group(0x16), A, 0x86dd, &ipv6("fe80::a", "ff02::16", 0, 1, &mld))),
        ("foreign ARP", arp_request(A, "10.1.1.2", "10.1.1.1")),
        (
            "inner tag",
            ether(
                B,
                A,
                0x8100,
                &[&[0, 20, 8, 0][..], &ipv4("192.0.2.1", "198.51.100.2", 17, &[0; 8])].concat(),
            ),
        ),
        (
            "ICMP redirect",
            ether(B, A, 0x0800, &ipv4("192.0.2.1", "198.51.100.2", 1, &[5, 1, 0, 0, 0, 0, 0, 0])),
        ),
    ]
    .into_iter()
    .map(|(name, frame)| Kind { name, side: M, frame, cut: None })
    .collect()
}

/// Frames that draw a reply where the other side's MTU is 1280: questions to the bridge itself, claims of its addresses, and
/// packets that are too big. None crosses, whole or cut short.
pub fn drawing() -> Vec<Kind> {
    let (a, b, own, own4) =
        ("2001:7fa:3:ca07::a", "2001:7fa:3:ca07::b", "2001:7fa:3:ca07::fe", "202.7.1.254");
    let (link, link_w) = ("fe80::51:ff:fe00:a", "fe80::51:ff:fe00:14");
    let (far_a, far_b) = ("2001:db8:1::1", "2001:db8:2::2");
    let echo = [128, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4, 5];
    let asks = |target, src, options: &[u8]| {
        let (group, dst) = solicited(target);
        ether(dst, A, 0x86dd, &icmp6(src, &group, 255, &ns(target, options)))
    };
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    let ours = |packet: Vec<u8>| ether(MAC_M, A, 0x86dd, &packet);
    let large = [&[128, 0, 0, 0][..], &[7; 1400]].concat();
    let padding = [[200, 1, 0, 0, 0, 0, 0, 0]; 170].concat();
    let chain = [&[58, 0, 1, 4, 0, 0, 0, 0][..], &icmp6_sum(far_a, far_b, &large)].concat();
    let ping = {
        let mut ping = [8, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4, 5];
        let sum = checksum(&ping);
        ping[2..4].copy_from_slice(&sum.to_be_bytes());
        ping
    };
    let m = [
        ("ARP for us", arp_request(A, "202.7.0.10", own4)),
        ("ARP probe for ours", arp_request(A, "0.0.0.0", own4)),
        ("unicast ARP for us", ether(MAC_M, A, 0x0806, &arp(1, A, "202.7.0.10", [0; 6], own4))),
        ("claim of our IPv4", arp_request(A, own4, own4)),
        ("NS for us", asks(own, a, &lladdr(1, A))),
        ("NS for our link-local", asks(link, "fe80::a", &[lladdr(1, A), nonce.to_vec()].concat())),
        ("unicast NS for us", ours(icmp6(a, own, 255, &ns(own, &lladdr(1, A))))),
        ("DAD NS for ours", asks(own, "::", &nonce)),
        (
            "claim of our IPv6",
            ether(
                [0x33, 0x33, 0, 0, 0, 1],
                A,
                0x86dd,
                &icmp6(own, "ff02::1", 255, &na(0x20, own, &lladdr(2, A))),
            ),
        ),
        ("echo to us", ours(icmp6(far_a, own, 64, &echo))),
        ("echo to our link-local", ours(icmp6("fe80::a", link, 64, &echo))),
        ("ping to us", ether(MAC_M, A, 0x0800, &ipv4("192.0.2.1", own4, 1, &ping))),
        ("echo too big", ether(B, A, 0x86dd, &icmp6(far_a, far_b, 64, &large))),
        ("echo behind options too big", ether(B, A, 0x86dd, &ipv6(far_a, far_b, 60, 64, &chain))),
        ("unicast NS too big", ether(B, A, 0x86dd, &icmp6(a, b, 255, &ns(b, &padding)))),
        ("link-local too big", ether(B, A, 0x86dd, &ipv6("fe80::a", "fe80::b", 17, 64, &[7; 1300]))),
        ("DF too big", ether(B, A, 0x0800, &ipv4("192.0.2.1", "198.51.100.2", 17, &[7; 1300]))),
    ];
    let w = [
        ("ARP for us from W", arp_request(B, "202.7.0.20", own4)),
        (
            "NS for our link-local on W",
            ether(MAC_W, B, 0x86dd, &icmp6("fe80::b", link_w, 255, &ns(link_w, &lladdr(1, B)))),
        ),
    ];
    let kind = |side| move |(name, frame)| Kind { name, side, frame, cut: None };
    m.into_iter().map(kind(M)).chain(w.into_iter().map(kind(W))).collect()
}
