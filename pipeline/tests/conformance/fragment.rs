//! docs/spec D.3, `fragment: true`: IPv4 packets without DF that do not fit leave in fragments, by RFC 791 §3.2 to the bit;
//! and what does not.

use proptest::prelude::*;
use rules::Rules;

use crate::frames::*;
use crate::harness::*;

/// Cm, and packets without DF that do not fit W are fragmented.
fn fragmenting() -> Config {
    Config::cm().with("vlan: 20, mtu: 1400,", "vlan: 20, mtu: 1400, fragment: true,")
}

/// Reserved bit, DF, MF and offset.
fn flags(packet: &[u8]) -> u16 {
    u16::from(packet[6]) << 8 | u16::from(packet[7])
}

const RESERVED: u16 = 0x8000;
const MF: u16 = 0x2000;

/// An IPv4 packet with these options, flags and offset, in a frame from A to B.
fn packet(options: &[u8], flags: u16, payload: &[u8]) -> Vec<u8> {
    let packet = ipv4_options("192.0.2.1", "198.51.100.2", 17, options, payload);
    let set = |packet: &mut [u8]| {
        packet[4..6].copy_from_slice(&[0xbe, 0xef]);
        packet[1] = 0x28;
        packet[6..8].copy_from_slice(&flags.to_be_bytes());
    };
    ether(B, A, 0x0800, &ipv4_with(packet, set))
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// A packet as it left: header, flags and offset, payload.
struct Piece {
    header: Vec<u8>,
    flags: u16,
    payload: Vec<u8>,
}

/// The pieces that a frame leaves in, each looked at for itself.
fn pieces(frames: &[Vec<u8>], mtu: usize, invoking: &[u8]) -> Vec<Piece> {
    let piece = |frame: &Vec<u8>| {
        let ip = &frame[14..];
        let (header, total) = (usize::from(ip[0] & 15) * 4, usize::from(ip[2]) << 8 | usize::from(ip[3]));
        assert_eq!(frame[..14], invoking[..14], "addresses and type");
        assert_eq!(frame.len(), (14 + total).max(60));
        assert!(frame[14 + total..].iter().all(|byte| *byte == 0), "padding");
        assert!(total <= mtu && header >= 20 && header < total, "{total} of {mtu}");
        assert_eq!(checksum(&ip[..header]), 0, "header checksum");
        // all but lengths, flags and checksum are the packet's
        for same in [1..2, 4..6, 8..10, 12..20] {
            assert_eq!(ip[same.clone()], invoking[14..][same]);
        }
        Piece { header: ip[..header].to_vec(), flags: flags(ip), payload: ip[header..total].to_vec() }
    };
    frames.iter().map(piece).collect()
}

/// What a receiver makes of them, in whatever order they come (RFC 791 §3.2, the example procedure).
fn reassembled(pieces: &[Piece], first: u16) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut pieces: Vec<_> = pieces.iter().collect();
    pieces.sort_by_key(|piece| piece.flags & 0x1fff);
    for piece in pieces {
        assert_eq!(usize::from((piece.flags & 0x1fff) - first) * 8, whole.len(), "a gap or an overlap");
        whole.extend(&piece.payload);
    }
    whole
}

#[test]
fn f182_what_does_not_fit_leaves_in_fragments_bit_for_bit() {
    let mut bench = fragmenting().bench();
    let payload = bytes(3000 - 20);
    let exchange = bench.exchange(M, &packet(&[], 0, &payload));
    let want = |flags: u16, from: usize, to: usize| packet(&[], flags, &payload[from..to]);
    // 1400 - 20 = 1380, of which 1376 are a multiple of 8
    assert_eq!(exchange.across, [want(MF, 0, 1376), want(MF | 172, 1376, 2752), want(344, 2752, 2980)]);
    assert_eq!((exchange.outcome.as_str(), exchange.back.len()), ("forwarded", 0));
    let report = bench.report();
    let (mud, wix) = (&report.sides["mud"], &report.sides["wix"]);
    assert_eq!((mud.received, mud.forwarded, wix.transmitted, wix.fragments), (1, 1, 3, 2));
    assert_eq!(wix.transmitted_bytes, (3 * 18 + 3 * 20 + 2980) as u64);
    assert_eq!((bench.cause("fragmented"), bench.count("too_big_v4_nodf")), (1, 0));
}

#[test]
fn f182_a_last_fragment_that_is_short_is_padded() {
    let mut bench = fragmenting().bench();
    let payload = bytes(1381);
    let exchange = bench.exchange(M, &packet(&[], 0, &payload));
    let mut short = packet(&[], 172, &payload[1376..]);
    short.resize(60, 0);
    assert_eq!(exchange.across, [packet(&[], MF, &payload[..1376]), short]);
}

#[test]
fn f182_the_last_fragment_uses_all_the_room() {
    let mut bench = fragmenting().bench();
    let payload = bytes(1376 + 1380);
    let exchange = bench.exchange(M, &packet(&[], 0, &payload));
    assert_eq!(exchange.across, [packet(&[], MF, &payload[..1376]), packet(&[], 172, &payload[1376..])]);
}

#[test]
fn f182_fragments_of_fragments_keep_their_place_and_more_to_come() {
    let mut bench = fragmenting().bench();
    let payload = bytes(1480);
    // the middle of a packet: more follow the last one too
    let middle = bench.exchange(M, &packet(&[], MF | 185, &payload));
    assert_eq!(
        middle.across,
        [packet(&[], MF | 185, &payload[..1376]), packet(&[], MF | (185 + 172), &payload[1376..]),]
    );
    let last = bench.exchange(M, &packet(&[], 370, &payload));
    assert_eq!(
        last.across,
        [packet(&[], MF | 370, &payload[..1376]), packet(&[], 370 + 172, &payload[1376..]),]
    );
}

#[test]
fn f182_options_are_in_the_first_fragment_and_those_with_the_copied_bit_in_all() {
    let (record_route, source_route) = ([7, 7, 4, 0, 0, 0, 0], [0x83, 7, 4, 192, 0, 2, 9]);
    let options = [&record_route[..], &[1], &source_route, &[0]].concat();
    let mut bench = fragmenting().bench();
    let payload = bytes(1450);
    let exchange = bench.exchange(M, &packet(&options, 0, &payload));
    let copied = [&source_route[..], &[0]].concat();
    // 1400 - 36 = 1364, of which 1360; then 1400 - 28
    assert_eq!(
        exchange.across,
        [packet(&options, MF, &payload[..1360]), packet(&copied, 170, &payload[1360..]),]
    );
    // none to be copied: the rest has the plain header
    let exchange = bench.exchange(M, &packet(&[7, 7, 4, 0, 0, 0, 0, 0], 0, &payload));
    assert_eq!(exchange.across[1], packet(&[], 171, &payload[1368..]));
}

#[test]
fn f182_options_that_make_no_sense_end_there() {
    let mut bench = fragmenting().bench();
    let payload = bytes(1450);
    for options in [[0x83, 0, 1, 1], [0x83, 1, 0x82, 0x82], [0x83, 5, 1, 1], [1, 1, 1, 0x83]] {
        let exchange = bench.exchange(M, &packet(&options, 0, &payload));
        assert_eq!(
            exchange.across,
            [packet(&options, MF, &payload[..1376]), packet(&[], 172, &payload[1376..]),]
        );
    }
}

#[test]
fn f182_what_fits_or_has_df_is_not_fragmented() {
    let mut bench = fragmenting().bench();
    bench.crosses(M, &packet(&[], 0, &bytes(1380)));
    assert_eq!(bench.exchange(M, &packet(&[], 0x4000, &bytes(1381))).back.len(), 1, "told that it must");
    bench
        .exchange(M, &ether(B, A, 0x86dd, &ipv6("2001:db8:1::1", "2001:db8:2::2", 17, 64, &[0; 1400])))
        .reply();
    assert_eq!((bench.cause("fragmented"), bench.count("too_big")), (0, 2));
    // only where the side that it leaves on says so
    let back = ether(A, B, 0x0800, &packet(&[], 0, &bytes(1481))[14..]);
    bench.exchange(W, &back).silent("too_big_v4_nodf");
}

#[test]
fn f182_a_damaged_header_is_not_made_whole_by_fragmenting() {
    let mut bench = fragmenting().bench();
    let mut frame = packet(&[], 0, &bytes(1450));
    frame[26] ^= 1; // the source
    bench.exchange(M, &frame).silent("too_big_v4_nodf");
}

#[test]
fn f182_a_packet_that_would_end_beyond_65535_is_not_fragmented() {
    let mut bench = fragmenting().bench();
    // offsets have 13 bits: 8191 x 8 and 1450 more do not exist
    for offset in [8191, 8191 - 100, 8191 - 170] {
        bench.exchange(M, &packet(&[], offset, &bytes(1480))).silent("too_big_v4_nodf");
        bench.exchange(M, &packet(&[], MF | offset, &bytes(1480))).silent("too_big_v4_nodf");
    }
    let last = (65535 - 20 - 1480) / 8;
    assert_eq!(bench.exchange(M, &packet(&[], last, &bytes(1480))).across.len(), 2);
    // 8005 x 8 and 20 of header: with these it ends at 65535, and with one more beyond
    assert_eq!(bench.exchange(M, &packet(&[], 8005, &bytes(1475))).across.len(), 2);
    bench.exchange(M, &packet(&[], 8005, &bytes(1476))).silent("too_big_v4_nodf");
}

#[test]
fn f182_what_follows_the_end_of_the_options_is_none() {
    // were the end an option of two bytes, one with the copied bit would follow
    let frame = packet(&[0, 2, 0x94, 4, 0, 0, 0, 0], 0, &bytes(1460));
    let exchange = fragmenting().bench().exchange(M, &frame);
    let headers: Vec<_> =
        pieces(&exchange.across, 1400, &frame).iter().map(|piece| piece.header.len()).collect();
    assert_eq!(headers, [28, 20]);
}

#[test]
fn f182_fragments_keep_the_priority_of_their_packet() {
    let mut bench = fragmenting().bench();
    let frame = packet(&[], 0, &bytes(1450));
    let exchange = bench.exchange_raw(M, &with_tags(&frame, &[(0x8100, 0xb00a)]));
    assert_eq!(exchange.across.len(), 2);
    for out in &exchange.across {
        assert_eq!(out[12..16], [0x81, 0, 0xb0, 20]);
    }
    let qinq = fragmenting().with("port: trunk1, vlan: 20,", "port: trunk1, outer_vlan: 100, vlan: 20,");
    for out in qinq.bench().exchange_raw(M, &with_tags(&frame, &[(0x8100, 0xb00a)])).across {
        assert_eq!(out[12..20], [0x88, 0xa8, 0xb0, 100, 0x81, 0, 0xb0, 20]);
    }
    let untagged = fragmenting().with("port: trunk1, vlan: 20,", "port: trunk1,");
    for out in untagged.bench().exchange_raw(M, &with_tags(&frame, &[(0x8100, 0xb00a)])).across {
        assert_eq!(out[..14], frame[..14]);
    }
}

#[test]
fn f182_the_books_hold_when_the_queue_takes_some_of_the_fragments_only() {
    for (room, forwarded, fragments, lost) in [(0, 0, 0, 2), (1, 1, 0, 2), (2, 1, 1, 1), (3, 1, 2, 0)] {
        let mut bench = fragmenting().bench();
        bench.bridge().io().room = vec![usize::MAX, room];
        let outcome = bench.exchange(M, &packet(&[], 0, &bytes(2980))).outcome;
        assert_eq!(outcome, if forwarded == 1 { "forwarded" } else { "tx_full" });
        let sides = bench.report().sides;
        assert_eq!((sides["mud"].forwarded, sides["wix"].fragments), (forwarded, fragments));
        assert_eq!((bench.cause("own_lost"), sides["wix"].transmitted), (lost, forwarded + fragments));
    }
}

#[test]
fn f182_the_largest_packet_of_all_ports_fits_into_the_fewest_bytes() {
    let config =
        fragmenting().with("mtu: 1400", "mtu: 1280").with("vlan: 10, mtu: 1500", "vlan: 10, mtu: 9216");
    let payload = bytes(9216 - 60);
    let frame = packet(&[0x83; 40].map(|_| 0x01), 0, &payload);
    let exchange = config.bench().exchange(M, &frame);
    assert_eq!(reassembled(&pieces(&exchange.across, 1280, &frame), 0), payload);
}

/// Well-formed options: kinds with and without the copied bit.
fn any_options() -> impl Strategy<Value = Vec<u8>> {
    let option = (proptest::sample::select(vec![1u8, 7, 68, 0x82, 0x83, 0x89, 0x94]), 2..12u8);
    proptest::collection::vec(option, 0..6).prop_map(|all| {
        let mut options = Vec::new();
        for (kind, length) in all {
            let option = if kind == 1 {
                vec![1]
            } else {
                [&[kind, length][..], &vec![9; usize::from(length) - 2]].concat()
            };
            if options.len() + option.len() <= 40 {
                options.extend(option);
            }
        }
        options.resize(options.len().next_multiple_of(4), 0);
        options
    })
}

/// The options that all fragments but the first carry.
fn copied(options: &[u8]) -> Vec<u8> {
    let (mut at, mut copied) = (0, Vec::new());
    while at < options.len() && options[at] != 0 {
        let length = if options[at] == 1 { 1 } else { usize::from(options[at + 1]) };
        if options[at] >= 0x80 {
            copied.extend(&options[at..at + length]);
        }
        at += length;
    }
    copied.resize(copied.len().next_multiple_of(4), 0);
    copied
}

/// Rules of a bridge whose W side has this MTU and whose M side takes jumbo frames.
fn narrow(mtu: usize) -> Rules {
    fragmenting()
        .with("mtu: 1400", &format!("mtu: {mtu}"))
        .with("vlan: 10, mtu: 1500", "vlan: 10, mtu: 9216")
        .rules()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))] // each starts a bridge

    #[test]
    fn f182_what_is_reassembled_is_what_came(
        mtu in 1280..1500usize,
        over in 1..6000usize,
        options in any_options(),
        offset in 0..4096u16,
        more: bool,
        reserved: bool,
    ) {
        let header = 20 + options.len();
        let length = (mtu + over).min(9216) - header;
        let more = more && length.is_multiple_of(8);
        let of_all = if reserved { RESERVED } else { 0 };
        let payload = bytes(length);
        let frame = packet(&options, of_all | if more { MF } else { 0 } | offset, &payload);
        let mut bench = Bench::of(narrow(mtu));
        let exchange = bench.exchange(M, &frame);
        prop_assert_eq!(&exchange.outcome, "forwarded");
        prop_assert!(exchange.back.is_empty());
        let pieces = pieces(&exchange.across, mtu, &frame);
        prop_assert_eq!(reassembled(&pieces, offset), payload);
        for (number, piece) in pieces.iter().enumerate() {
            let is_last = number + 1 == pieces.len();
            prop_assert_eq!(piece.flags & 0xe000, of_all | if more || !is_last { MF } else { 0 });
            prop_assert!(is_last || piece.payload.len().is_multiple_of(8));
            prop_assert!(is_last || piece.payload.len() + 8 > mtu - piece.header.len(), "as much as fits");
            let carried = if number == 0 { options.clone() } else { copied(&options) };
            prop_assert_eq!(&piece.header[20..], &carried[..]);
        }
        let sides = bench.report().sides;
        prop_assert_eq!(sides["wix"].transmitted, pieces.len() as u64);
        prop_assert_eq!(sides["wix"].fragments, pieces.len() as u64 - 1);
        prop_assert_eq!(sides["mud"].forwarded, 1);
    }
}
