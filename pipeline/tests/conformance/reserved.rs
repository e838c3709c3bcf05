//! docs/spec B.1, B.3 and F.2: group addresses that no bridge forwards, sources that no station has, and the bridge's own MACs.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use rules::Side;

/// An address from its bytes in one number.
fn address(value: u64) -> [u8; 6] {
    value.to_be_bytes()[2..].try_into().unwrap()
}

/// A frame as a BPDU is: 802.3 length, LLC 42 42 03.
fn bpdu(dst: [u8; 6], src: [u8; 6]) -> Vec<u8> {
    ether(dst, src, 38, &[&[0x42, 0x42, 0x03][..], &[0; 35]].concat())
}

/// Reserved destinations and what they are called, from the lists of docs/spec B.3.
fn lists() -> Vec<([u8; 6], &'static str)> {
    let reserved = (0x01..=0x0f).chain(0x20..=0x3f).map(|low| (0x0180_c200_0000 + low, "l2_reserved"));
    let vendors = [0x00e0_2b00_0000, 0x00e0_2b00_0004, 0x00e0_2b00_0006, 0x0100_0c00_0000, 0x0100_0ccc_cccc]
        .into_iter()
        .chain([0x0100_0ccc_cccd, 0x0100_0ccd_cdcd])
        .chain((0..8).map(|low| 0x0100_0ccc_ccc0 + low))
        .map(|dst| (dst, "l2_vendor"));
    let all = [(0x0180_c200_0000, "l2_reserved_bpdu")].into_iter().chain(reserved).chain(vendors);
    all.map(|(dst, reason)| (address(dst), reason)).collect()
}

/// Frames to `dst` of every kind.
fn kinds(dst: [u8; 6], src: [u8; 6]) -> Vec<Vec<u8>> {
    vec![
        bpdu(dst, src),
        unicast(dst, src),
        unicast6(dst, src),
        ether(dst, src, 0x0806, &arp(1, src, "202.7.0.10", [0; 6], "202.7.0.20")),
        ether(dst, src, 0x88cc, &[0; 46]),
        ether(dst, src, 0x9000, &[0; 46]),
        ether(dst, src, 1501, &[0; 46]),
        ether(dst, src, 0x0800, &[]),
    ]
}

#[test]
fn f23_a_bpdu_is_dropped_with_an_event_and_teaches_nothing() {
    for side in [M, W] {
        let mut bench = Config::cd().bench();
        bench.drops(side, &bpdu(address(0x0180_c200_0000), station(7)), "l2_reserved_bpdu");
        assert_eq!(bench.events(), [("bpdu_seen".to_owned(), mac(station(7)))]);
        assert_eq!(bench.place(station(7)), None);
        assert_eq!(bench.report().ports.values().map(|port| port.transmitted).sum::<u64>(), 0);
    }
}

#[test]
fn f23_an_untagged_or_strangely_tagged_bpdu_is_one_in_the_ports_books() {
    let frame = bpdu(address(0x0180_c200_0000), station(7));
    let wires = [
        frame.clone(),
        with_tags(&frame, &[(0x8100, 30)]),
        with_tags(&frame, &[(0x8100, 0)]),
        with_tags(&frame, &[(0x8100, 4095)]),
        with_tags(&frame, &[(0x88a8, 10)]),
        with_tags(&frame, &[(0x8100, 10), (0x8100, 20)]),
    ];
    for wire in wires {
        let mut bench = Config::cd().bench();
        assert_eq!(bench.raw(W, &wire), Outcome::Dropped("l2_reserved_bpdu"), "{wire:02x?}");
        let report = bench.report();
        assert_eq!(report.ports["trunk1"].dropped["l2_reserved_bpdu"], 1);
        assert!(report.sides.values().all(|side| side.received == 0), "a side counted it");
        let [event] = report.events.as_slice() else { panic!("{:?}", report.events) };
        assert_eq!((event.event.as_str(), &event.mac), ("bpdu_seen", &mac(station(7))));
        assert_eq!((event.port.as_str(), &event.side, &event.bridge), ("trunk1", &None, &None));
    }
}

#[test]
fn f24_f25_f26_f27_every_reserved_address_is_dropped_whatever_it_carries() {
    for side in [M, W] {
        for admission in [Config::c0(), Config::cd()] {
            let mut bench = admission.bench();
            for (dst, reason) in lists() {
                for frame in kinds(dst, station(7)) {
                    bench.drops(side, &frame, reason);
                }
            }
            assert_eq!(bench.place(station(7)), None);
        }
    }
}

#[test]
fn b3_reserved_addresses_are_called_so_untagged_and_on_unknown_tags() {
    for (port, side) in [("trunk0", M), ("trunk1", W)] {
        let mut bench = Config::cd().bench();
        for (dst, reason) in lists() {
            for frame in kinds(dst, station(7)) {
                let before = bench.report().ports[port].dropped.get(reason).copied().unwrap_or(0);
                let wires =
                    [frame.clone(), with_tags(&frame, &[(0x8100, 30)]), with_tags(&frame, &[(0x88a8, 10)])];
                // an untagged frame under 18 bytes is a runt on a tagged port (F16)
                let wires = wires.iter().filter(|wire| wire.len() >= 18);
                let sent =
                    wires.map(|wire| assert_eq!(bench.raw(side, wire), Outcome::Dropped(reason))).count();
                assert_eq!(bench.report().ports[port].dropped[reason], before + sent as u64);
            }
        }
        assert!(bench.report().sides.values().all(|side| side.received == 0));
    }
}

#[test]
fn f23_only_spanning_tree_raises_the_event() {
    let mut bench = Config::c0().bench();
    for (dst, _) in lists() {
        bench.send(M, &bpdu(dst, station(7)));
        bench.raw(M, &bpdu(dst, station(8)));
    }
    // 01:80:c2:00:00:00 and PVST+'s 01:00:0c:cc:cc:cd, on a side and off it
    let seen = |number| ("bpdu_seen".to_owned(), mac(station(number)));
    assert_eq!(bench.events(), [seen(7), seen(8), seen(7), seen(8)]);
}

#[test]
fn f26_pvst_is_counted_by_itself() {
    let mut bench = Config::c0().bench();
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x01, 0x0b][..], &[0; 30]].concat();
    bench.drops(M, &ether(address(0x0100_0ccc_cccd), A, snap.len() as u16, &snap), "l2_vendor");
    assert_eq!(bench.cause("pvst_bpdu"), 1);
    assert_eq!(bench.events(), [("bpdu_seen".to_owned(), mac(A))]);
}

#[test]
fn b3_neighbours_of_reserved_addresses_are_not_reserved() {
    let mut bench = Config::c0().bench();
    for dst in [
        0x0180_c200_0040,
        0x0180_c200_0100,
        0x0100_0ccc_ccc8,
        0x0100_0ccc_cccb,
        0x0100_0ccc_ccce,
        0x0100_0c00_0001,
    ] {
        bench.drops(M, &unicast(address(dst), A), "l2_multicast");
    }
    for dst in [0x00e0_2b00_0001, 0x00e0_2b00_0005, 0x00e0_2b00_0007, 0x00e0_2b01_0000] {
        bench.drops(M, &unicast(address(dst), A), "dst_not_member");
    }
}

#[test]
fn f28_f29_source_and_destination_the_same_is_dropped_and_moves_nobody() {
    let mut bench = Config::cd().bench();
    bench.crosses(M, &unicast(B, A));
    let at_m = bench.place(A);
    bench.wait(Duration::from_secs(10));
    for side in [M, W] {
        bench.drops(side, &ether(A, A, 0x9000, &[0; 46]), "src_eq_dst");
        bench.drops(side, &unicast(A, A), "src_eq_dst");
        bench.drops(side, &unicast6(A, A), "src_eq_dst");
        bench.drops(side, &unicast(station(7), station(7)), "src_eq_dst");
    }
    assert_eq!(bench.place(A), at_m);
    assert_eq!(bench.place(station(7)), None);
    assert_eq!(bench.cause("mac_move"), 0);
}

#[test]
fn f28_a_keepalive_does_not_keep_its_station_alive() {
    let mut bench = Config::cd().plus("unknown_unicast: drop").bench();
    bench.drops(M, &unicast(B, A), "unknown_unicast"); // learned
    for _ in 0..301 {
        bench.wait(Duration::from_secs(1)).drops(M, &ether(A, A, 0x9000, &[0; 46]), "src_eq_dst");
    }
    bench.drops(W, &unicast(A, B), "unknown_unicast");
}

#[test]
fn f30_loop_probes_with_types_of_their_own_are_dropped() {
    let mut bench = Config::cd().bench();
    for (ethertype, cause) in [
        (0x9000, "ethertype_keepalive"),
        (0x9003, "ethertype_loop_protect"),
        (0x88b5, "ethertype_local_experimental"),
        (0x88b7, "ethertype_local_experimental"),
    ] {
        let before = bench.cause(cause);
        bench.drops(M, &ether(BROADCAST, A, ethertype, &[0; 46]), "ethertype");
        bench.drops(W, &ether(B, A, ethertype, &[0; 46]), "ethertype");
        assert_eq!(bench.cause(cause), before + 2);
    }
    assert_eq!(bench.place(A), None);
}

#[test]
fn f31_a_group_address_is_no_source() {
    let mut bench = Config::cd().bench();
    for src in [BROADCAST, [0x01, 0, 0, 0, 0, 0], [0x03, 0xaa, 0, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1]] {
        for side in [M, W] {
            bench.drops(side, &unicast(B, src), "src_multicast");
            bench.drops(side, &unicast6(B, src), "src_multicast");
            bench.drops(side, &arp_request(src, "202.7.0.10", "202.7.0.20"), "src_multicast");
        }
        assert_eq!(bench.place(src), None);
    }
}

#[test]
fn f32_f33_zero_is_no_address() {
    let mut bench = Config::cd().bench();
    for side in [M, W] {
        bench.drops(side, &unicast(B, [0; 6]), "src_zero");
        bench.drops(side, &unicast([0; 6], A), "dst_zero");
    }
    assert_eq!(bench.place([0; 6]), None);
    assert_eq!(bench.place(A), None);
}

fn own(side: Side) -> [u8; 6] {
    if side == M { MAC_M } else { MAC_W }
}

#[test]
fn f34_our_own_mac_on_its_own_side_is_a_reflection() {
    for side in [M, W] {
        let mut bench = Config::c0().bench();
        let partner = if side == M { B } else { A };
        bench.drops(side, &unicast(partner, own(side)), "own_mac");
        assert_eq!(bench.events(), [("own_mac_reflected".to_owned(), mac(own(side)))]);
        nothing_is_held(&mut bench);
    }
}

#[test]
fn f35_our_own_mac_on_the_other_side_is_a_loop() {
    for side in [M, W] {
        let mut bench = Config::c0().bench();
        bench.drops(side, &arp_request(own(side.other()), "202.7.1.254", "202.7.1.254"), "own_mac");
        assert_eq!(bench.events(), [("loop_suspected".to_owned(), mac(own(side.other())))]);
        nothing_is_held(&mut bench);
    }
}

#[track_caller]
fn nothing_is_held(bench: &mut Bench) {
    bench.crosses(M, &arp_request(A, "202.7.0.10", "202.7.0.20"));
    bench.crosses(W, &arp_request(B, "202.7.0.20", "202.7.0.10"));
    bench.crosses(M, &unicast(B, A));
    bench.crosses(W, &unicast(A, B));
}

#[test]
fn f37_a_frame_for_us_is_neither_routed_nor_forwarded() {
    for (side, src) in [(M, A), (W, B)] {
        let mut bench = Config::c0().bench();
        // the other side's MAC too (docs/spec D.5)
        for dst in [MAC_M, MAC_W] {
            bench.drops(side, &unicast(dst, src), "to_us_not_ours");
            bench.drops(side, &unicast6(dst, src), "to_us_not_ours");
        }
        bench.drops(side, &unicast(MAC_M, station(7)), "src_not_member");
    }
}

#[test]
fn f37_what_the_filter_refuses_is_not_for_us_either() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &ether(MAC_M, A, 0x9000, &[0; 46]), "ethertype");
    bench.drops(M, &ether(MAC_M, A, 0x0800, &ipv4("192.0.2.1", "224.0.0.5", 89, &[0; 8])), "l3_multicast");
}

#[test]
fn f53_unicast_ipv4_in_a_group_frame() {
    let mut bench = Config::c0().bench();
    for dst in [0x0100_5e00_0005, 0x3333_0000_0001, 0x0300_0000_0001] {
        bench.drops(M, &unicast(address(dst), A), "l2_multicast");
    }
}

#[test]
fn f54_unicast_ipv6_in_a_group_frame() {
    let mut bench = Config::c0().bench();
    for dst in [0x3333_0000_0001, 0x3333_ff00_000b, 0x0100_5e00_0001] {
        bench.drops(M, &unicast6(address(dst), A), "l2mcast_l3ucast");
    }
}

#[test]
fn f55_ipv4_multicast_in_a_unicast_frame() {
    let mut bench = Config::c0().bench();
    for dst in ["224.0.0.0", "224.0.0.5", "239.255.255.255"] {
        bench.drops(M, &ether(B, A, 0x0800, &ipv4("202.7.0.10", dst, 89, &[0; 8])), "l3_multicast");
    }
    bench.crosses(M, &ether(B, A, 0x0800, &ipv4("202.7.0.10", "223.255.255.255", 89, &[0; 8])));
}

#[test]
fn f56_unicast_ipv4_in_a_broadcast_frame() {
    let mut bench = Config::c0().bench();
    bench.drops(M, &unicast(BROADCAST, A), "l2_broadcast_ip");
    bench.drops(W, &unicast(BROADCAST, B), "l2_broadcast_ip");
}
