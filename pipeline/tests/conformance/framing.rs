//! docs/spec F.1: Ethernet II, VLAN tags, and IP headers that agree with their frame.

use crate::frames::*;
use crate::harness::*;
use pipeline::io::mem::Packet;

/// A frame of no side: dropped in the port's own books, and nobody hears of its source.
#[track_caller]
fn stray(bench: &mut Bench, wire: &[u8], reason: &str) {
    let before = bench.report();
    match bench.raw(M, wire) {
        Outcome::Dropped(name) => assert_eq!(name, reason, "{wire:02x?}"),
        Outcome::Forwarded(out) => panic!("{wire:02x?} left as {out:02x?}"),
    }
    let after = bench.report();
    let count = |report: &pipeline::observe::report::Report| {
        report.ports["trunk0"].dropped.get(reason).copied().unwrap_or(0)
    };
    assert_eq!(count(&after), count(&before) + 1, "not in the port's books");
    assert_eq!(after.sides, before.sides, "a side counted it");
    if let Some(src) = wire.get(6..12) {
        assert_eq!(bench.place(src.try_into().unwrap()), None, "learned from it");
    }
}

fn tci(pcp: u16, dei: u16, vid: u16) -> u16 {
    pcp << 13 | dei << 12 | vid
}

#[test]
fn f1_ipv4_crosses_with_its_vid_alone_changed() {
    let mut bench = Config::c0().bench();
    let mut wire = tagged(M, &unicast(B, A));
    let out = bench.raw(M, &wire);
    wire[15] = 20;
    assert_eq!(out, Outcome::Forwarded(wire.clone()));
    let back = tagged(W, &unicast(A, B));
    let out = bench.raw(W, &back);
    assert_eq!(out, Outcome::Forwarded(tagged(M, &unicast(A, B))));
}

#[test]
fn f2_ipv6_crosses_with_its_hop_limit() {
    let mut bench = Config::c0().bench();
    for hop_limit in [0, 1, 64, 255] {
        let packet = ipv6("2001:db8:1::1", "2001:db8:2::2", 17, hop_limit, &udp(1, 2, b"data"));
        bench.crosses(M, &ether(B, A, 0x86dd, &packet));
        bench.crosses(W, &ether(A, B, 0x86dd, &packet));
    }
}

#[test]
fn f1_an_ipv4_ttl_of_0_or_1_is_the_routers_business() {
    let mut bench = Config::c0().bench();
    for ttl in [0, 1, 255] {
        let mut frame = unicast(B, A);
        frame[14 + 8] = ttl;
        bench.crosses(M, &frame);
    }
}

#[test]
fn f3_priority_bits_cross() {
    let mut bench = Config::c0().bench();
    for pcp in 0..8 {
        for dei in 0..2 {
            let out = bench.raw(M, &with_tags(&unicast(B, A), &[(0x8100, tci(pcp, dei, 10))]));
            assert_eq!(out, Outcome::Forwarded(with_tags(&unicast(B, A), &[(0x8100, tci(pcp, dei, 20))])));
            let out = bench.raw(W, &with_tags(&unicast6(A, B), &[(0x8100, tci(pcp, dei, 20))]));
            assert_eq!(out, Outcome::Forwarded(with_tags(&unicast6(A, B), &[(0x8100, tci(pcp, dei, 10))])));
        }
    }
}

#[test]
fn f4_untagged_on_the_trunk_is_dropped() {
    stray(&mut Config::cd().bench(), &unicast(B, A), "vlan_untagged");
}

#[test]
fn f5_a_priority_tag_is_not_native() {
    let mut bench = Config::cd().bench();
    for pcp in 0..8 {
        stray(&mut bench, &with_tags(&unicast(B, A), &[(0x8100, tci(pcp, pcp & 1, 0))]), "vlan_prio_tag");
    }
}

#[test]
fn f6_vid_4095_is_reserved() {
    stray(&mut Config::cd().bench(), &with_tags(&unicast(B, A), &[(0x8100, 4095)]), "vlan_reserved");
    stray(&mut Config::cd().bench(), &with_tags(&unicast(B, A), &[(0x8100, 0xffff)]), "vlan_reserved");
}

#[test]
fn f7_a_vid_of_no_side_is_dropped_and_nothing_learned() {
    let mut bench = Config::cd().bench();
    // 20 is the other port's; 266 and 1034 have the low bits of 10
    for vid in [1, 9, 11, 20, 30, 266, 1034, 4094] {
        stray(&mut bench, &with_tags(&unicast(B, A), &[(0x8100, vid)]), "vlan_unknown");
    }
}

#[test]
fn f7_only_one_vid_of_4096_leads_to_a_side() {
    let mut bench = Config::c0().bench();
    let crossed: Vec<u16> = (0..4096)
        .filter(|&vid| {
            matches!(bench.raw(M, &with_tags(&unicast(B, A), &[(0x8100, vid)])), Outcome::Forwarded(_))
        })
        .collect();
    assert_eq!(crossed, [10]);
}

#[test]
fn f8_double_tag_is_dropped_as_inner_tag() {
    let mut bench = Config::cd().bench();
    for inner in [(0x8100, 20), (0x8100, 10), (0x8100, 0), (0x88a8, 20), (0x9100, 20), (0x9200, 20)] {
        stray(&mut bench, &with_tags(&unicast(B, A), &[(0x8100, 10), inner]), "inner_tag");
    }
    // the second tag is cut short: it is one all the same
    stray(&mut bench, &with_tags(&unicast(B, A), &[(0x8100, 10), (0x8100, 20)])[..18], "inner_tag");
}

#[test]
fn f8_a_tower_of_tags_is_an_inner_tag() {
    let mut bench = Config::cd().bench();
    for height in 2..=300 {
        stray(&mut bench, &with_tags(&unicast(B, A), &vec![(0x8100, 10); height]), "inner_tag");
    }
    let monster = [(0x8100, 10), (0x88a8, 20), (0x9100, 20), (0x8100, 20), (0x9200, 20)];
    stray(&mut bench, &with_tags(&unicast(B, A), &monster), "inner_tag");
}

#[test]
fn f9_another_tag_protocol_is_dropped() {
    let mut bench = Config::cd().bench();
    for tpid in [0x88a8, 0x9100, 0x9200] {
        for vid in [0, 10, 20, 4095] {
            stray(&mut bench, &with_tags(&unicast(B, A), &[(tpid, vid)]), "tpid");
        }
        stray(&mut bench, &with_tags(&unicast(B, A), &[(tpid, 10), (0x8100, 10)]), "tpid");
    }
}

fn one_trunk() -> Config {
    Config::c0().with("port: trunk1", "port: trunk0")
}

#[test]
fn f10_both_vlans_on_one_port_leave_by_that_port() {
    let mut bench = one_trunk().bench();
    bench.crosses(M, &unicast(B, A));
    bench.crosses(W, &unicast(A, B));
    bench.crosses(M, &unicast6(B, A));
    let report = bench.report();
    assert_eq!((report.ports["trunk0"].received, report.ports["trunk0"].transmitted), (3, 3));
    assert_eq!((report.ports["trunk1"].received, report.ports["trunk1"].transmitted), (0, 0));
    assert_eq!((report.sides["mud"].forwarded, report.sides["wix"].forwarded), (2, 1));
}

#[test]
fn f10_on_one_port_sides_still_bind_their_members() {
    let mut bench = one_trunk().bench();
    bench.drops(W, &unicast(B, A), "mac_wrong_side");
    bench.drops(M, &unicast(A, B), "mac_wrong_side");
    stray(&mut bench, &unicast(B, A), "vlan_untagged");
    stray(&mut bench, &with_tags(&unicast(B, A), &[(0x8100, 30)]), "vlan_unknown");
    stray(&mut bench, &with_tags(&unicast(B, A), &[(0x8100, 10), (0x8100, 20)]), "inner_tag");
}

#[test]
fn f11_stripped_tags_make_no_difference() {
    let frame = unicast(B, A);
    let tagged = |tags: &[(u16, u16)]| with_tags(&frame, tags);
    let cases = [
        tagged(&[(0x8100, 10)]),
        with_tags(&unicast6(B, A), &[(0x8100, 10)]),
        tagged(&[(0x8100, tci(5, 1, 10))]),
        tagged(&[(0x8100, 0)]),
        tagged(&[(0x8100, 4095)]),
        tagged(&[(0x8100, 30)]),
        tagged(&[(0x8100, 10), (0x8100, 20)]),
        tagged(&[(0x88a8, 10)]),
        // no whole header, and just about one
        tagged(&[(0x8100, 10)])[..17].to_vec(),
        tagged(&[(0x8100, 10)])[..18].to_vec(),
        // a frame that a NIC without padding made
        tagged(&[(0x8100, 10)])[..38].to_vec(),
    ];
    for config in [Config::c0(), one_trunk()] {
        let (mut in_band, mut stripped) = (config.bench(), config.bench());
        for wire in &cases {
            let word = |at: usize| u16::from_be_bytes([wire[at], wire[at + 1]]);
            let rest = [&wire[..12], &wire[16..]].concat();
            let packet = Packet::with_stripped(&rest, &[(word(12), word(14))]);
            assert_eq!(stripped.packet(0, packet), in_band.raw(M, wire), "{wire:02x?}");
            assert_eq!(stripped.report(), in_band.report(), "{wire:02x?}");
        }
        // untagged: the NIC had nothing to take off
        assert_eq!(stripped.packet(0, Packet::with_stripped(&frame, &[])), in_band.raw(M, &frame));
        assert_eq!(stripped.report(), in_band.report());
    }
}

#[test]
fn f11_a_frame_that_was_stripped_to_less_than_its_addresses_is_a_runt() {
    let mut bench = Config::c0().bench();
    for length in 0..14 {
        let packet = Packet::with_stripped(&unicast(B, A)[..length], &[(0x8100, 10)]);
        assert_eq!(bench.packet(0, packet), Outcome::Dropped("runt"), "{length} bytes");
    }
}

#[test]
fn f12_an_802_3_length_frame_is_dropped() {
    let mut bench = Config::cd().bench();
    let llc = [&[0x42, 0x42, 0x03][..], &[0; 35]].concat();
    bench.drops(M, &ether(B, A, 0x0026, &llc), "llc");
    assert_eq!(bench.place(A), None);
}

#[test]
fn f13_ipv4_in_snap_is_not_unwrapped() {
    let mut bench = Config::cd().bench();
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &unicast(B, A)[14..]].concat();
    bench.drops(M, &ether(B, A, snap.len() as u16, &snap), "llc");
    assert_eq!(bench.place(A), None);
}

#[test]
fn f14_the_type_field_between_length_and_type_is_undefined() {
    let mut bench = Config::cd().bench();
    let payload = &unicast(B, A)[14..];
    for value in 0..=1500 {
        if value % 100 == 0 || value < 64 {
            bench.drops(M, &ether(B, A, value, payload), "llc");
        }
    }
    for value in 1501..=1535 {
        bench.drops(M, &ether(B, A, value, payload), "ethertype_undefined");
    }
    bench.drops(M, &ether(B, A, 1536, payload), "ethertype");
    assert_eq!(bench.place(A), None);
}

#[test]
fn f15_other_ethertypes_are_dropped_and_counted_by_type() {
    let mut bench = Config::cd().bench();
    let payload = &unicast(B, A)[14..];
    for (ethertype, cause) in [
        (0x8863, "ethertype_pppoe"),
        (0x8864, "ethertype_pppoe"),
        (0x8847, "ethertype_mpls"),
        (0x88cc, "ethertype_lldp"),
        (0x8809, "ethertype_slow_protocols"),
        (0x8808, "ethertype_pause"),
        (0x0842, "ethertype_wake_on_lan"),
        (0x6002, "ethertype_mop"),
        (0x88e5, "ethertype_other"),
        (0x08dd, "ethertype_other"),
        (0xffff, "ethertype_other"),
    ] {
        let before = bench.cause(cause);
        bench.drops(M, &ether(B, A, ethertype, payload), "ethertype");
        assert_eq!(bench.cause(cause), before + 1, "{ethertype:04x}");
    }
    assert_eq!(bench.place(A), None);
}

#[test]
fn f15_only_three_ethertypes_have_a_chance() {
    let mut bench = Config::c0().bench();
    let mut passed = Vec::new();
    for ethertype in 0..=u16::MAX {
        let frames =
            [unicast(B, A), unicast6(B, A), ether(B, A, 0x0806, &arp(2, A, "202.7.0.10", B, "202.7.0.20"))];
        if frames.iter().any(|frame| bench.pour(M, &ether(B, A, ethertype, &frame[14..]))) {
            passed.push(ethertype);
        }
    }
    assert_eq!(passed, [0x0800, 0x0806, 0x86dd]);
    bench.balanced();
}

#[test]
fn f16_no_whole_header_is_a_runt() {
    let mut bench = Config::c0().bench();
    let wire = tagged(M, &unicast(B, A));
    for length in 0..18 {
        stray(&mut bench, &wire[..length], "runt");
        stray(&mut bench, &unicast(B, A)[..length], "runt");
    }
    assert_eq!(bench.raw(M, &wire[..18]), Outcome::Dropped("v4_truncated"));
    stray(&mut bench, &unicast(B, A)[..18], "vlan_untagged");
}

#[test]
fn f16_on_an_untagged_port_fourteen_bytes_are_a_header() {
    let mut bench = Config::c0().with("port: trunk0, vlan: 10,", "port: trunk0,").bench();
    for length in 0..14 {
        stray(&mut bench, &unicast(B, A)[..length], "runt");
    }
    assert_eq!(bench.raw(M, &unicast(B, A)[..14]), Outcome::Dropped("v4_truncated"));
}

#[test]
fn f16_a_short_frame_that_is_whole_at_layer_3_crosses_as_it_is() {
    let mut bench = Config::c0().bench();
    bench.crosses(M, &ether(B, A, 0x0800, &ipv4("192.0.2.1", "198.51.100.2", 253, &[])));
    bench.crosses(W, &ether(A, B, 0x86dd, &ipv6("2001:db8:1::1", "2001:db8:2::2", 59, 64, &[])));
    bench.crosses(M, &ether(B, A, 0x0806, &arp(2, A, "202.7.0.10", B, "202.7.0.20")));
}

#[test]
fn f17_padding_is_kept_and_does_not_count() {
    let mut bench = Config::c0().bench();
    let packet = ipv4("192.0.2.1", "198.51.100.2", 17, &udp(4000, 5000, &[]));
    assert_eq!(packet.len(), 28);
    for pad in [0, 1, 18, 1472] {
        // padding need not be zero
        bench.crosses(M, &ether(B, A, 0x0800, &[&packet[..], &vec![0xa5; pad]].concat()));
    }
}

#[test]
fn f17_what_looks_like_dhcp_in_the_padding_is_none() {
    let mut bench = Config::c0().bench();
    // total length 20: the UDP ports are padding
    let mut frame = ether(B, A, 0x0800, &ipv4("202.7.0.10", "202.7.0.20", 17, &[]));
    frame.extend(udp(68, 67, &[0; 8]));
    bench.crosses(M, &frame);
}

#[test]
fn f18_ipv4_longer_than_its_frame_is_dropped() {
    let mut bench = Config::cd().bench();
    let whole = unicast(B, A);
    for length in 14..whole.len() {
        bench.drops(M, &whole[..length], "v4_truncated");
    }
    let mut liar = whole.clone();
    for total in [whole.len() as u16 - 14 + 1, 1500, 65535] {
        liar[16..18].copy_from_slice(&total.to_be_bytes());
        bench.drops(M, &liar, "v4_truncated");
    }
    assert_eq!(bench.place(A), None);
}

#[test]
fn f19_impossible_ipv4_headers_are_dropped() {
    let mut bench = Config::cd().bench();
    let with = |at: usize, value: u8| {
        let mut frame = unicast(B, A);
        frame[at] = value;
        frame
    };
    for version in (0..16).filter(|version| ![4, 6].contains(version)) {
        bench.drops(M, &with(14, version << 4 | 5), "v4_malformed");
    }
    for words in 0..5 {
        bench.drops(M, &with(14, 0x40 | words), "v4_malformed");
    }
    // 48 bytes in all: a header of 52 is longer than the packet
    assert_eq!(unicast(B, A).len(), 14 + 48);
    bench.drops(M, &with(14, 0x4d), "v4_malformed");
    for total in 0..20 {
        bench.drops(M, &with(17, total), "v4_malformed");
    }
    assert_eq!(bench.place(A), None);
}

#[test]
fn f20_the_version_and_the_ethertype_must_agree() {
    let mut bench = Config::cd().bench();
    bench.drops(M, &ether(B, A, 0x0800, &unicast6(B, A)[14..]), "version_mismatch");
    bench.drops(M, &ether(B, A, 0x86dd, &unicast(B, A)[14..]), "version_mismatch");
    assert_eq!(bench.place(A), None);
}

#[test]
fn f20_an_ipv6_header_of_no_known_version_is_malformed() {
    let mut bench = Config::cd().bench();
    for version in (0..16u8).filter(|version| ![4, 6].contains(version)) {
        let mut frame = unicast6(B, A);
        frame[14] = version << 4;
        bench.drops(M, &frame, "v6_malformed");
    }
}

#[test]
fn f21_a_bad_ipv4_checksum_crosses_and_is_counted() {
    let mut bench = Config::c0().bench();
    bench.crosses(M, &unicast(B, A));
    assert_eq!(bench.cause("v4_bad_checksum"), 0);
    for (count, at) in [24, 25].into_iter().enumerate() {
        let mut frame = unicast(B, A);
        frame[at] ^= 0xff;
        bench.crosses(M, &frame);
        assert_eq!(bench.cause("v4_bad_checksum"), count as u64 + 1);
    }
}

#[test]
fn f21_a_checksum_over_options_is_judged_over_all_of_them() {
    let mut bench = Config::c0().bench();
    let mut packet = ipv4("192.0.2.1", "198.51.100.2", 17, &[&[1; 4][..], &udp(1, 2, &[])].concat());
    packet[0] = 0x46;
    packet[10..12].fill(0);
    let sum = checksum(&packet[..24]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    bench.crosses(M, &ether(B, A, 0x0800, &packet));
    assert_eq!(bench.cause("v4_bad_checksum"), 0);
    packet[23] ^= 1;
    bench.crosses(M, &ether(B, A, 0x0800, &packet));
    assert_eq!(bench.cause("v4_bad_checksum"), 1);
}

#[test]
fn f22_ipv6_longer_than_its_frame_is_dropped() {
    let mut bench = Config::cd().bench();
    let whole = unicast6(B, A);
    for length in 14..whole.len() {
        bench.drops(M, &whole[..length], "v6_truncated");
    }
    let mut liar = whole.clone();
    for payload in [whole.len() as u16 - 54 + 1, 1460, 65535] {
        liar[18..20].copy_from_slice(&payload.to_be_bytes());
        bench.drops(M, &liar, "v6_truncated");
    }
    assert_eq!(bench.place(A), None);
}
