//! docs/spec F.6, as far as it concerns what does not cross: the egress side's MTU, to the byte.

use crate::frames::*;
use crate::harness::*;
use rules::Side;

/// An IPv4 frame whose packet has this length.
fn v4(dst: [u8; 6], src: [u8; 6], length: usize, df: bool) -> Vec<u8> {
    let packet = ipv4("192.0.2.1", "198.51.100.2", 253, &vec![0; length - 20]);
    ether(dst, src, 0x0800, &ipv4_with(packet, |packet| packet[6] = if df { 0x40 } else { 0 }))
}

/// An IPv6 frame whose packet has this length.
fn v6(dst: [u8; 6], src: [u8; 6], length: usize) -> Vec<u8> {
    ether(dst, src, 0x86dd, &ipv6("2001:db8:1::1", "2001:db8:2::2", 253, 64, &vec![0; length - 40]))
}

/// What is too big crosses in no form; whether its sender hears of it is for [ptb](crate::ptb).
#[track_caller]
fn stops(bench: &mut Bench, side: Side, frame: &[u8], reason: &str) {
    let exchange = bench.exchange(side, frame);
    assert_eq!((exchange.outcome.as_str(), exchange.across.len()), (reason, 0));
    assert_eq!(exchange.back.len(), usize::from(reason == "too_big"));
}

#[test]
fn f149_what_just_fits_crosses() {
    let mut bench = Config::cm().bench();
    for length in [1399, 1400] {
        bench.crosses(M, &v6(B, A, length));
        bench.crosses(M, &v4(B, A, length, true));
        bench.crosses(M, &v4(B, A, length, false));
    }
}

#[test]
fn f150_one_byte_more_does_not() {
    let mut bench = Config::cm().bench();
    for length in [1401, 1450, 1480, 1500] {
        stops(&mut bench, M, &v6(B, A, length), "too_big");
        stops(&mut bench, M, &v4(B, A, length, true), "too_big");
        stops(&mut bench, M, &v4(B, A, length, false), "too_big_v4_nodf");
    }
    assert_eq!(bench.cause("over_ingress_mtu"), 0);
}

#[test]
fn f151_unequal_mtus_are_directional() {
    let mut bench = Config::cm().bench();
    bench.crosses(W, &v6(A, B, 1400));
    assert_eq!(bench.cause("over_ingress_mtu"), 0);
    for (count, frame) in [v6(A, B, 1401), v6(A, B, 1480), v4(A, B, 1500, false)].iter().enumerate() {
        bench.crosses(W, frame);
        assert_eq!(
            bench.cause("over_ingress_mtu"),
            count as u64 + 1,
            "over the ingress side's MTU passes, counted"
        );
    }
    stops(&mut bench, W, &v6(A, B, 1501), "too_big");
}

#[test]
fn f152_a_trailer_that_does_not_fit_is_no_packet_too_big() {
    let mut bench = Config::cm().bench();
    let trailed = |mut frame: Vec<u8>, carried: usize| {
        frame.resize(14 + carried, 0);
        frame
    };
    for frame in
        [v6(B, A, 1400), v6(B, A, 40), v4(B, A, 1400, true), v4(B, A, 1400, false), v4(B, A, 20, true)]
    {
        bench.crosses(M, &trailed(frame.clone(), 1400));
        for carried in [1401, 1500] {
            bench.drops(M, &trailed(frame.clone(), carried), "frame_too_long");
        }
    }
    let arp = arp_request(A, "202.7.0.10", "202.7.0.20");
    bench.crosses(M, &trailed(arp.clone(), 1400));
    bench.drops(M, &trailed(arp, 1401), "frame_too_long");
    // too long as a packet and as a frame
    stops(&mut bench, M, &trailed(v6(B, A, 1401), 1500), "too_big");
    stops(&mut bench, M, &trailed(v4(B, A, 1401, false), 1500), "too_big_v4_nodf");
}

#[test]
fn f149_equal_mtus_have_the_same_edge() {
    let mut bench = Config::c0().bench();
    for (side, dst, src) in [(M, B, A), (W, A, B)] {
        bench.crosses(side, &v6(dst, src, 1500));
        stops(&mut bench, side, &v6(dst, src, 1501), "too_big");
        stops(&mut bench, side, &v4(dst, src, 1501, true), "too_big");
        stops(&mut bench, side, &v4(dst, src, 1501, false), "too_big_v4_nodf");
    }
}

#[test]
fn f149_tags_are_not_part_of_the_mtu() {
    let untagged = Config::cm().with("port: trunk0, vlan: 10,", "port: trunk0,");
    let mut bench = untagged.bench();
    assert!(matches!(bench.raw(M, &v6(B, A, 1400)), Outcome::Forwarded(_)));
    let exchange = bench.exchange_raw(M, &v6(B, A, 1401));
    assert_eq!((exchange.outcome.as_str(), &exchange.back[0][12..14]), ("too_big", &[0x86, 0xdd][..]));
    let double = Config::cm().with("port: trunk0, vlan: 10,", "port: trunk0, outer_vlan: 100, vlan: 10,");
    let mut bench = double.bench();
    let tags = [(0x88a8, 100), (0x8100, 10)];
    assert!(matches!(bench.raw(M, &with_tags(&v6(B, A, 1400), &tags)), Outcome::Forwarded(_)));
    let exchange = bench.exchange_raw(M, &with_tags(&v6(B, A, 1401), &tags));
    assert_eq!(exchange.outcome, "too_big");
    assert_eq!(exchange.back[0][12..22], [0x88, 0xa8, 0, 100, 0x81, 0, 0, 10, 0x86, 0xdd]);
}

#[test]
fn f176_f177_who_may_not_cross_does_not_for_that_reason() {
    let mut bench = Config::cm().member(M, &mac(station(7))).bench();
    bench.drops(M, &v6(B, station(8), 1480), "src_not_member");
    bench.drops(M, &v6(station(7), A, 1480), "dst_local");
    bench.drops(M, &v6(station(8), A, 1480), "dst_not_member");
    bench.drops(M, &v6(MAC_M, A, 1480), "to_us_not_ours");
    bench.drops(M, &v6(BROADCAST, A, 1480), "l2_broadcast_ip");
}
