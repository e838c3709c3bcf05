//! docs/spec F.6: Packet Too Big and Fragmentation Needed, byte for byte (D.2, D.3); every row of D.4; whom they come from
//! (D.5); their limits (D.6).

use std::time::Duration;

use pipeline::base::reason::{Cause, Reason};
use pipeline::base::time::Time;
use pipeline::base::{At, BridgeId};
use pipeline::frame::ether::Ether;
use pipeline::frame::ipv4::Ipv4;
use pipeline::frame::ipv6::Ipv6;
use pipeline::observe::books::SideBooks;
use pipeline::path::context::FrameContext;
use pipeline::path::control_queue::ControlTx;
use pipeline::path::outbox::Outbox;
use pipeline::path::packet::{Frame, Kind, Packet};
use pipeline::path::stage::fit::fit;
use pipeline::table::limits::Lots;

use crate::frames::*;
use crate::harness::*;

const OWN6: &str = "2001:7fa:3:ca07::fe";
const OWN4: &str = "202.7.1.254";
const FAR: (&str, &str) = ("2001:db8:1::1", "2001:db8:2::2");

/// An IPv6 packet of this length, in a frame from A to B.
pub fn long6(src: &str, dst: &str, length: usize) -> Vec<u8> {
    ether(B, A, 0x86dd, &ipv6(src, dst, 253, 64, &vec![0xab; length - 40]))
}

/// An IPv6 packet of 1450 bytes from an address, in a frame from A to B.
pub fn from6(src: &str) -> Vec<u8> {
    long6(src, FAR.1, 1450)
}

/// The same as an ICMPv6 message of a type.
fn message6(kind: u8, headers: &[u8], first: u8) -> Vec<u8> {
    let message = icmp6_sum(FAR.0, FAR.1, &[&[kind, 0, 0, 0][..], &[0; 1400]].concat());
    ether(B, A, 0x86dd, &ipv6(FAR.0, FAR.1, first, 64, &[headers, &message].concat()))
}

/// An IPv4 packet of 1450 bytes with DF, in a frame from A to B.
fn long4(protocol: u8, start: &[u8]) -> Vec<u8> {
    let mut payload = start.to_vec();
    payload.resize(1430, 0);
    ether(B, A, 0x0800, &ipv4("192.0.2.1", "198.51.100.2", protocol, &payload))
}

/// The Packet Too Big that a frame should draw, by docs/spec D.2.
fn packet_too_big(own_mac: [u8; 6], own: &str, mtu: u32, frame: &[u8]) -> Vec<u8> {
    let src = std::net::Ipv6Addr::from(<[u8; 16]>::try_from(&frame[22..38]).unwrap()).to_string();
    let message = [&[2, 0, 0, 0][..], &mtu.to_be_bytes(), &frame[14..14 + 1232]].concat();
    ether(frame[6..12].try_into().unwrap(), own_mac, 0x86dd, &icmp6(own, &src, 64, &message))
}

/// The Fragmentation Needed that a frame should draw, by docs/spec D.3.
fn fragmentation_needed(own: &str, tos: u8, mtu: u16, frame: &[u8]) -> Vec<u8> {
    let src = std::net::Ipv4Addr::from(<[u8; 4]>::try_from(&frame[26..30]).unwrap()).to_string();
    let mut message = [&[3, 4, 0, 0, 0, 0][..], &mtu.to_be_bytes(), &frame[14..14 + 548]].concat();
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let packet = ipv4_with(ipv4(own, &src, 1, &message), |packet| {
        packet[1] = tos;
        packet[6] = 0;
    });
    ether(frame[6..12].try_into().unwrap(), MAC_M, 0x0800, &packet)
}

/// A frame from M is too big, and draws an error, which is this.
#[track_caller]
pub fn draws(bench: &mut Bench, frame: &[u8]) -> Vec<u8> {
    let sent = bench.cause("ptb_sent");
    let exchange = bench.exchange(M, frame);
    assert_eq!(exchange.outcome, "too_big");
    assert_eq!(bench.cause("ptb_sent"), sent + 1);
    exchange.reply().to_vec()
}

/// A frame from M is too big, and draws no error for this cause.
#[track_caller]
pub fn draws_none(bench: &mut Bench, frame: &[u8], cause: &str) {
    let before = bench.cause(cause);
    bench.exchange(M, frame).silent("too_big");
    assert_eq!(bench.cause(cause), before + 1, "{:?}", bench.report().causes);
}

/// A frame from M is dropped before anybody asks for its size.
#[track_caller]
fn refused(bench: &mut Bench, frame: &[u8], reason: &str) {
    bench.exchange(M, frame).silent(reason);
    assert!(bench.report().causes.keys().all(|cause| !cause.starts_with("ptb_")));
}

#[test]
fn f150_packet_too_big_byte_for_byte() {
    let mut bench = Config::cm().bench();
    let exchange = bench.exchange(M, &golden(8));
    assert_eq!((exchange.outcome.as_str(), exchange.reply()), ("too_big", &golden(9)[..]));
    let one_more = long6(FAR.0, FAR.1, 1401);
    assert_eq!(draws(&mut bench, &one_more), packet_too_big(MAC_M, OWN6, 1400, &one_more));
    let report = bench.report();
    let mud = &report.sides["mud"];
    assert_eq!((mud.replies, mud.transmitted, mud.forwarded, report.replies), (2, 2, 0, 2));
}

#[test]
fn f150_the_error_carries_the_ingress_side_s_tag_and_no_priority() {
    let mut bench = Config::cm().bench();
    let exchange = bench.exchange_raw(M, &with_tags(&golden(8), &[(0x8100, 0xf00a)]));
    let mut want = with_tags(&golden(9), &[(0x8100, 10)]);
    assert_eq!(exchange.reply(), want);
    // from an untagged side
    let untagged = Config::cm().with("port: trunk0, vlan: 10,", "port: trunk0,");
    want.drain(12..16);
    assert_eq!(untagged.bench().exchange_raw(M, &golden(8)).reply(), want);
}

#[test]
fn f150_a_quote_has_neither_tag_nor_padding_and_the_hop_limit_as_received() {
    let mut frame = long6(FAR.0, FAR.1, 1401);
    frame[21] = 1; // hop limit: a bridge forwards it, and does not decrement
    let want = packet_too_big(MAC_M, OWN6, 1400, &frame);
    frame.resize(1500, 0);
    assert_eq!(draws(&mut Config::cm().bench(), &frame), want);
    assert_eq!((want.len(), want[62 + 7]), (1294, 1));
}

#[test]
fn f150_from_the_other_side_with_that_side_s_mac_and_mtu() {
    let mut bench = Config::c0().with("vlan: 10, mtu: 1500", "vlan: 10, mtu: 1280").bench();
    let frame = ether(A, B, 0x86dd, &ipv6(FAR.1, FAR.0, 253, 64, &[0; 1241]));
    let exchange = bench.exchange(W, &frame);
    assert_eq!(exchange.reply(), packet_too_big(MAC_W, OWN6, 1280, &frame));
    assert_eq!(exchange.reply().len(), 1294);
}

#[test]
fn f163_nothing_to_the_unspecified_address() {
    let mut bench = Config::cm().bench();
    refused(&mut bench, &from6("::"), "v6_martian");
    // duplicate address detection is from it, and passes the filter
    let options = [[200, 1, 0, 0, 0, 0, 0, 0]; 180].concat();
    let (group, dst) = solicited("2001:7fa:3:ca07::b");
    let dad = ether(dst, A, 0x86dd, &icmp6("::", &group, 255, &ns("2001:7fa:3:ca07::b", &options)));
    draws_none(&mut bench, &dad, "ptb_invalid_src");
}

#[test]
fn f164_nothing_to_a_group() {
    refused(&mut Config::cm().bench(), &from6("ff02::1"), "v6_martian");
    refused(&mut Config::cm().bench(), &from6("ff0e::1"), "v6_martian");
}

#[test]
fn f165_between_link_local_addresses_from_our_own() {
    let mut bench = Config::cm().bench();
    let frame = long6("fe80::a", "fe80::b", 1480);
    let want = packet_too_big(MAC_M, "fe80::51:ff:fe00:a", 1400, &frame);
    assert_eq!(draws(&mut bench, &frame), want);
    let back = ether(A, B, 0x86dd, &ipv6("fe80::b", "fe80::a", 253, 64, &[0; 1461]));
    let exchange = bench.exchange(W, &back);
    assert_eq!(exchange.reply(), packet_too_big(MAC_W, "fe80::51:ff:fe00:14", 1500, &back));
    // it needs no other address
    let without = Config::cm().with("own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }", "own: {}");
    assert_eq!(draws(&mut without.bench(), &frame), want);
}

#[test]
fn f166_nothing_from_link_local_to_global() {
    let mut bench = Config::cm().bench();
    draws_none(&mut bench, &long6("fe80::a", FAR.1, 1480), "ptb_scope");
    draws_none(&mut bench, &long6("fe80::a", "2001:7fa:3:ca07::b", 1480), "ptb_scope");
    bench.crosses(M, &long6("fe80::a", FAR.1, 1400));
}

#[test]
fn f167_echo_draws_an_error() {
    let mut bench = Config::cm().bench();
    for kind in [128, 129, 144, 200] {
        let frame = message6(kind, &[], 58);
        assert_eq!(draws(&mut bench, &frame), packet_too_big(MAC_M, OWN6, 1400, &frame));
    }
}

#[test]
fn f168_no_error_about_an_error() {
    let mut bench = Config::cm().bench();
    for kind in [0, 1, 2, 3, 4, 50, 100, 126] {
        draws_none(&mut bench, &message6(kind, &[], 58), "ptb_icmp_error");
    }
    refused(&mut Config::cm().bench(), &message6(127, &[], 58), "icmp6_type");
}

/// Destination Options, Hop-by-Hop or Routing of 8 bytes.
fn options(next: u8) -> [u8; 8] {
    [next, 0, 1, 4, 0, 0, 0, 0]
}

/// A Fragment header; the offset in units of 8 bytes.
fn fragment(next: u8, offset: u16, more: bool) -> [u8; 8] {
    let field = (offset << 3 | u16::from(more)).to_be_bytes();
    [next, 0, field[0], field[1], 0, 0, 0, 9]
}

#[test]
fn f169_no_error_about_an_error_behind_headers() {
    let mut bench = Config::cm().bench();
    draws_none(&mut bench, &message6(1, &options(58), 60), "ptb_icmp_error");
    draws_none(&mut bench, &message6(50, &options(58), 0), "ptb_icmp_error");
    let three = [options(43), options(60), options(58)].concat();
    draws_none(&mut bench, &message6(3, &three, 0), "ptb_icmp_error");
    // an echo request behind the same is none
    let frame = message6(128, &three, 0);
    assert_eq!(draws(&mut bench, &frame), packet_too_big(MAC_M, OWN6, 1400, &frame));
}

#[test]
fn f171_a_later_fragment_draws_an_error() {
    let mut bench = Config::cm().bench();
    for (offset, kind) in [(160, 1), (1, 1), (8191, 137)] {
        let frame = message6(kind, &fragment(58, offset, false), 44);
        assert_eq!(draws(&mut bench, &frame), packet_too_big(MAC_M, OWN6, 1400, &frame));
    }
}

#[test]
fn f172_no_error_about_the_first_fragment_of_an_error() {
    let mut bench = Config::cm().bench();
    draws_none(&mut bench, &message6(1, &fragment(58, 0, true), 44), "ptb_icmp_error");
    draws_none(&mut bench, &message6(2, &fragment(58, 0, false), 44), "ptb_icmp_error");
    let hidden = [options(44), fragment(60, 0, true), options(58)].concat();
    draws_none(&mut bench, &message6(4, &hidden, 60), "ptb_icmp_error");
    let frame = message6(128, &fragment(58, 0, true), 44);
    assert_eq!(draws(&mut bench, &frame), packet_too_big(MAC_M, OWN6, 1400, &frame));
}

#[test]
fn f173_other_and_no_upper_layers_draw_errors() {
    let mut bench = Config::cm().bench();
    for next in [6, 17, 50, 59, 253] {
        let frame = ether(B, A, 0x86dd, &ipv6(FAR.0, FAR.1, next, 64, &[0xab; 1410]));
        assert_eq!(draws(&mut bench, &frame), packet_too_big(MAC_M, OWN6, 1400, &frame));
        let v4 = long4(next, &[]);
        assert_eq!(draws(&mut bench, &v4), fragmentation_needed(OWN4, 0xc0, 1400, &v4));
    }
    let authenticated = [&[17, 4, 0, 0][..], &[0; 20], &[0xab; 1400]].concat();
    let frame = ether(B, A, 0x86dd, &ipv6(FAR.0, FAR.1, 51, 64, &authenticated));
    assert_eq!(draws(&mut bench, &frame), packet_too_big(MAC_M, OWN6, 1400, &frame));
}

#[test]
fn f174_nothing_to_what_was_sent_to_many() {
    let to = |mac: [u8; 6], mut frame: Vec<u8>| {
        frame[..6].copy_from_slice(&mac);
        frame
    };
    let group = [0x33, 0x33, 0, 0, 0, 1];
    refused(&mut Config::cm().bench(), &to(BROADCAST, from6(FAR.0)), "l2_broadcast_ip");
    refused(&mut Config::cm().bench(), &to(group, from6(FAR.0)), "l2mcast_l3ucast");
    refused(&mut Config::cm().bench(), &to(BROADCAST, long4(17, &[])), "l2_broadcast_ip");
    refused(&mut Config::cm().bench(), &to([1, 0, 0x5e, 0, 0, 1], long4(17, &[])), "l2_multicast");
    // destinations that are groups
    refused(&mut Config::cm().bench(), &to(group, long6(FAR.0, "ff02::1", 1450)), "l3_multicast");
    refused(&mut Config::cm().bench(), &long6(FAR.0, "ff0e::1", 1450), "l3_multicast");
    let multicast = ipv4("192.0.2.1", "224.0.0.9", 17, &[0; 1430]);
    refused(&mut Config::cm().bench(), &ether(B, A, 0x0800, &multicast), "l3_multicast");
}

#[test]
fn f174_neighbour_discovery_to_a_group_draws_no_error_and_unicast_does() {
    let mut bench = Config::cm().bench();
    let (a, b) = ("2001:7fa:3:ca07::a", "2001:7fa:3:ca07::b");
    let padding = [[200, 1, 0, 0, 0, 0, 0, 0]; 180].concat();
    let options = [lladdr(1, A), padding].concat();
    let (group, dst) = solicited(b);
    draws_none(&mut bench, &ether(dst, A, 0x86dd, &icmp6(a, &group, 255, &ns(b, &options))), "ptb_group");
    let unicast = ether(B, A, 0x86dd, &icmp6(a, b, 255, &ns(b, &options)));
    assert_eq!(draws(&mut bench, &unicast), packet_too_big(MAC_M, OWN6, 1400, &unicast));
    let mut listens = Config::cm().plus("mld: pass").bench();
    let report = [&[143, 0, 0, 0][..], &[0; 1440]].concat();
    let report = ether([0x33, 0x33, 0, 0, 0, 0x16], A, 0x86dd, &icmp6("fe80::a", "ff02::16", 1, &report));
    draws_none(&mut listens, &report, "ptb_group");
}

#[test]
fn f175_malformed_packets_draw_no_error() {
    let mut jumbo = long6(FAR.0, FAR.1, 1480);
    jumbo[18..20].fill(0);
    jumbo[20] = 0; // Hop-by-Hop
    jumbo[54..62].copy_from_slice(&[253, 0, 0xc2, 4, 0, 1, 0, 0]);
    refused(&mut Config::cm().bench(), &jumbo, "v6_malformed");
    let changed = |at: usize, byte: u8, mut frame: Vec<u8>| {
        frame[at] = byte;
        frame
    };
    let (v6, v4) = (long6(FAR.0, FAR.1, 1480), long4(17, &[]));
    refused(&mut Config::cm().bench(), &changed(18, 6, v6.clone()), "v6_truncated");
    refused(&mut Config::cm().bench(), &changed(14, 0x50, v6.clone()), "v6_malformed");
    refused(&mut Config::cm().bench(), &changed(14, 0x45, v6), "version_mismatch");
    refused(&mut Config::cm().bench(), &changed(16, 6, v4.clone()), "v4_truncated");
    refused(&mut Config::cm().bench(), &changed(14, 0x44, v4.clone()), "v4_malformed");
    let mut short = v4;
    short[16..18].copy_from_slice(&[0, 19]);
    refused(&mut Config::cm().bench(), &short, "v4_malformed");
}

#[test]
fn f176_f177_who_may_not_cross_draws_no_error() {
    let config = Config::cm().member(M, &mac(station(7)));
    let way = |dst: [u8; 6], src: [u8; 6]| {
        let mut frame = from6(FAR.0);
        frame[..12].copy_from_slice(&[dst, src].concat());
        frame
    };
    refused(&mut config.bench(), &way(B, station(8)), "src_not_member");
    refused(&mut config.bench(), &way(station(7), A), "dst_local");
    refused(&mut config.bench(), &way(B, MAC_M), "own_mac");
    refused(&mut config.bench(), &way(B, MAC_W), "own_mac");
    refused(&mut config.bench(), &way(MAC_M, A), "to_us_not_ours");
    refused(&mut config.bench(), &way(MAC_W, A), "to_us_not_ours");
}

#[test]
fn f176_a_mac_in_quarantine_draws_no_error() {
    let cm = Config::cd().with("vlan: 20, mtu: 1500", "vlan: 20, mtu: 1400");
    let mut bench = cm.plus("macs: { flap: { moves: 1, within: 180s, hold: 540s } }").bench();
    assert!(matches!(bench.send(W, &unicast(A, B)), Outcome::Forwarded(_)));
    bench.crosses(M, &unicast(B, A));
    bench.wait(Duration::from_secs(2));
    bench.drops(W, &unicast(station(1), A), "mac_flapping");
    refused(&mut bench, &from6(FAR.0), "mac_flapping");
}

#[test]
fn f178_without_an_address_to_send_from() {
    let own = "own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }";
    for (without, frame) in [
        ("own: { ipv4: 202.7.1.254 }", from6(FAR.0)),
        ("own: { ipv6: \"2001:7fa:3:ca07::fe\" }", long4(17, &[])),
    ] {
        let config = Config::cm().with(own, without);
        draws_none(&mut config.bench(), &frame, "ptb_no_source");
        let warnings = rules::parse(config.yaml(), "test.yaml").unwrap().warnings;
        assert!(
            warnings.iter().any(|warning| warning.to_string().contains("icmp_source")),
            "no warning at load: {warnings:?}"
        );
    }
    let both = rules::parse(Config::cm().yaml(), "test.yaml").unwrap().warnings;
    assert!(both.iter().all(|warning| !warning.to_string().contains("icmp_source")), "{both:?}");
}

#[test]
fn f178_a_routed_source_address_comes_before_the_peering_one() {
    let both = "ipv6: \"2001:7fa:3:ca07::fe\", icmp_source4: 203.0.113.1, icmp_source6: \"2001:db8:f::fe\"";
    let only = "icmp_source4: 203.0.113.1, icmp_source6: \"2001:db8:f::fe\"";
    for own in [format!("own: {{ ipv4: 202.7.1.254, {both} }}"), format!("own: {{ {only} }}")] {
        let own6 = "own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }";
        let mut bench = Config::cm().with(own6, &own).bench();
        let (v6, v4) = (from6(FAR.0), long4(17, &[]));
        assert_eq!(draws(&mut bench, &v6), packet_too_big(MAC_M, "2001:db8:f::fe", 1400, &v6));
        assert_eq!(draws(&mut bench, &v4), fragmentation_needed("203.0.113.1", 0xc0, 1400, &v4));
        // and it is an address of our own as much as the others
        draws_none(&mut bench, &from6("2001:db8:f::fe"), "ptb_own");
        let mut loops = v4;
        loops[26..30].copy_from_slice(&[203, 0, 113, 1]);
        let packet = ipv4_with(loops[14..].to_vec(), |_| {});
        draws_none(&mut bench, &ether(B, A, 0x0800, &packet), "ptb_own");
    }
}

#[test]
fn f178_nothing_to_our_own_addresses() {
    let mut bench = Config::cm().bench();
    draws_none(&mut bench, &from6(OWN6), "ptb_own");
    for own in ["fe80::51:ff:fe00:a", "fe80::51:ff:fe00:14"] {
        draws_none(&mut bench, &long6(own, "fe80::b", 1450), "ptb_own");
    }
    let packet = ipv4(OWN4, "198.51.100.2", 17, &[0; 1430]);
    draws_none(&mut bench, &ether(B, A, 0x0800, &packet), "ptb_own");
}

#[test]
fn f179_an_mtu_below_1280_is_refused() {
    let yaml = |mtu: u32| Config::cm().with("mtu: 1400", &format!("mtu: {mtu}")).yaml().to_owned();
    let errors = rules::parse(&yaml(1279), "test.yaml").unwrap_err().to_string();
    assert!(errors.contains("mtu") && errors.contains("1280"), "{errors}");
    assert!(rules::parse(&yaml(1280), "test.yaml").is_ok());
}

#[test]
fn f180_fragmentation_needed_byte_for_byte() {
    let mut bench = Config::cm().bench();
    let exchange = bench.exchange(M, &golden(10));
    assert_eq!((exchange.outcome.as_str(), exchange.reply()), ("too_big", &golden(11)[..]));
    let packet = ipv4("192.0.2.1", "198.51.100.2", 17, &[0xab; 1381]);
    let frame = ether(B, A, 0x0800, &packet);
    assert_eq!(draws(&mut bench, &frame), fragmentation_needed(OWN4, 0xc0, 1400, &frame));
}

#[test]
fn f181_the_tos_bits_are_the_invoking_packet_s_and_the_precedence_is_internetwork_control() {
    let mut bench = Config::cm().bench();
    for (tos, want) in [(0xb8, 0xd8), (0, 0xc0), (0xff, 0xde), (0x03, 0xc2), (0x10, 0xd0)] {
        let packet = ipv4_with(long4(17, &[])[14..].to_vec(), |packet| packet[1] = tos);
        let frame = ether(B, A, 0x0800, &packet);
        assert_eq!(draws(&mut bench, &frame), fragmentation_needed(OWN4, want, 1400, &frame));
    }
}

#[test]
fn f182_without_df_no_error_is_allowed() {
    let mut bench = Config::cm().bench();
    let packet = ipv4_with(long4(17, &[])[14..].to_vec(), |packet| packet[6] = 0);
    refused(&mut bench, &ether(B, A, 0x0800, &packet), "too_big_v4_nodf");
}

#[test]
fn f183_no_error_about_a_later_fragment() {
    let mut bench = Config::cm().bench();
    let with_flags = |flags: u16| {
        let set = |packet: &mut [u8]| packet[6..8].copy_from_slice(&flags.to_be_bytes());
        ether(B, A, 0x0800, &ipv4_with(long4(17, &[])[14..].to_vec(), set))
    };
    for flags in [0x4001, 0x60b4, 0x5fff] {
        draws_none(&mut bench, &with_flags(flags), "ptb_fragment");
    }
    // the first fragment is as good as a whole packet
    let first = with_flags(0x6000);
    assert_eq!(draws(&mut bench, &first), fragmentation_needed(OWN4, 0xc0, 1400, &first));
}

#[test]
fn f184_no_error_about_an_icmp_error() {
    let mut bench = Config::cm().bench();
    for kind in [3, 4, 11, 12] {
        draws_none(&mut bench, &long4(1, &[kind, 0]), "ptb_icmp_error");
    }
    refused(&mut Config::cm().bench(), &long4(1, &[5, 0]), "icmp4_type");
    for kind in [0, 8, 13] {
        let frame = long4(1, &[kind, 0]);
        assert_eq!(draws(&mut bench, &frame), fragmentation_needed(OWN4, 0xc0, 1400, &frame));
    }
}

#[test]
fn f184_no_error_about_a_damaged_header() {
    let mut frame = long4(17, &[]);
    frame[24] ^= 1;
    draws_none(&mut Config::cm().bench(), &frame, "ptb_bad_checksum");
}

#[test]
fn f185_the_quote_includes_options() {
    let packet = ipv4_options("192.0.2.1", "198.51.100.2", 17, &[1; 40], &[0xab; 1400]);
    let frame = ether(B, A, 0x0800, &packet);
    let error = draws(&mut Config::cm().bench(), &frame);
    assert_eq!(error, fragmentation_needed(OWN4, 0xc0, 1400, &frame));
    assert_eq!((error.len(), error[42]), (14 + 576, 0x4f));
}

#[test]
fn f180_nothing_to_an_ipv4_source_that_is_no_host() {
    for src in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "202.7.1.255"]
    {
        let packet = ipv4(src, "198.51.100.2", 17, &[0; 1430]);
        refused(&mut Config::cm().bench(), &ether(B, A, 0x0800, &packet), "v4_martian_src");
    }
    // both ends of a /31 are hosts (RFC 3021)
    let narrow = Config::cm().with("ipv4: [202.7.0.0/23]", "ipv4: [202.7.0.0/23, 203.0.113.0/31]");
    for src in ["203.0.113.0", "203.0.113.1"] {
        let frame = ether(B, A, 0x0800, &ipv4(src, "198.51.100.2", 17, &[0; 1430]));
        assert_eq!(draws(&mut narrow.bench(), &frame), fragmentation_needed(OWN4, 0xc0, 1400, &frame));
    }
}

/// What the stage alone says to a frame from M that the filter would not let come so far: the causes, and what is sent.
fn stage(bytes: &[u8]) -> (Vec<&'static str>, usize) {
    let mut bench = Config::cm().bench();
    let bridge = &bench.bridge().plan().bridges[0];
    let at = At { bridge: BridgeId::FIRST, side: M };
    let now = Time::from_nanos(1_000_000_000);
    let frame = Frame { bridge, at, ether: Ether::parse(bytes, 0).unwrap(), now };
    let (mut books, mut outbox) = (SideBooks::default(), Outbox::default());
    let (mut control, _consumer) = ControlTx::queue(8);
    let mut lots = Lots::of(1);
    let mut context = FrameContext {
        bridge,
        lots: &mut lots,
        outbox: &mut outbox,
        books: &mut books,
        control: &mut control,
        time: now,
        port: 0,
        at,
        mac: frame.ether.src,
        listed: None,
    };
    let kind = if frame.ether.ethertype == 0x0800 {
        Kind::Ipv4(Ipv4::parse(frame.ether.payload).unwrap())
    } else {
        let ip = Ipv6::parse(frame.ether.payload).unwrap();
        Kind::Ipv6(ip, ip.upper().unwrap())
    };
    let packet = Packet { frame, len: bytes.len() - 14, kind };
    assert_eq!(fit(&packet, &mut context), Err(Reason::TooBig));
    let causes = Cause::ALL.iter().filter(|cause| books.causes[cause.index()] > 0);
    (causes.map(|cause| cause.name()).collect(), outbox.frames().len())
}

#[test]
fn f170_no_error_about_a_redirect() {
    assert_eq!(stage(&message6(137, &[], 58)), (vec!["ptb_redirect"], 0));
    assert_eq!(stage(&message6(137, &options(58), 60)), (vec!["ptb_redirect"], 0));
    assert_eq!(stage(&message6(137, &fragment(58, 0, true), 44)), (vec!["ptb_redirect"], 0));
    assert_eq!(stage(&long4(1, &[5, 1])), (vec!["ptb_icmp_error"], 0));
    assert_eq!(stage(&message6(128, &[], 58)), (vec!["ptb_sent"], 1));
}

#[test]
fn f170_the_stage_alone_keeps_to_the_table_too() {
    let v6 = |src, dst| stage(&long6(src, dst, 1450));
    assert_eq!(v6("::", FAR.1), (vec!["ptb_invalid_src"], 0));
    assert_eq!(v6("ff02::1", FAR.1), (vec!["ptb_invalid_src"], 0));
    assert_eq!(v6(FAR.0, "ff02::1"), (vec!["ptb_group"], 0));
    let v4 = |src| {
        let frame = ether(B, A, 0x0800, &ipv4(src, "198.51.100.2", 17, &[0; 1430]));
        stage(&frame)
    };
    for src in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"] {
        assert_eq!(v4(src), (vec!["ptb_invalid_src"], 0), "{src}");
    }
    let mut broadcast = from6(FAR.0);
    broadcast[..6].fill(0xff);
    assert_eq!(stage(&broadcast), (vec!["ptb_group"], 0));
    let mut broadcast = long4(17, &[]);
    broadcast[..6].fill(0xff);
    assert_eq!(stage(&broadcast), (vec!["ptb_group"], 0));
}

#[test]
fn f189_the_error_goes_to_the_mac_that_the_packet_came_from() {
    let virtual_router = [0, 0, 0x5e, 0, 2, 1];
    let mut bench = Config::cm().member(M, &mac(virtual_router)).bench();
    let mut frame = from6(FAR.0);
    frame[6..12].copy_from_slice(&virtual_router);
    let error = draws(&mut bench, &frame);
    assert_eq!(error[..6], virtual_router);
    assert_eq!(error, packet_too_big(MAC_M, OWN6, 1400, &frame));
}

/// 1450 bytes from a source's MAC and address.
fn flood(mac: [u8; 6], src: &str) -> Vec<u8> {
    let mut frame = from6(src);
    frame[6..12].copy_from_slice(&mac);
    frame
}

/// Cm with stations 0 to 9 on M.
fn crowd() -> Config {
    (0..10).fold(Config::cm(), |config, number| config.member(M, &mac(station(number))))
}

/// How many of the frames drew an error.
fn errors(bench: &mut Bench, frames: impl IntoIterator<Item = Vec<u8>>) -> usize {
    frames.into_iter().filter(|frame| bench.pour(M, frame)).count()
}

#[test]
fn f186_many_sources_are_limited_by_the_side_alone() {
    let mut bench = crowd().bench();
    let mut sent = 0;
    for number in 0..1000 {
        bench.wait(Duration::from_micros(10));
        let src = format!("2001:db8:{number:x}::1");
        sent += errors(&mut bench, [flood(station(number % 8), &src)]);
    }
    assert_eq!(sent, 500 + 19, "the side's burst, and 2000/s for 9.99 ms");
    assert_eq!(bench.cause("ptb_ratelimited_side"), 1000 - 519);
    assert_eq!(bench.cause("ptb_ratelimited_source") + bench.cause("ptb_ratelimited_mac"), 0);
    bench.balanced();
    bench.told_all();
}

#[test]
fn f187_one_source_starves_no_other() {
    let mut bench = crowd().bench();
    let mut sent = 0;
    for number in 0..1000 {
        bench.wait(Duration::from_micros(101));
        sent += errors(&mut bench, [flood(station(1), FAR.0)]);
        if number == 999 {
            assert_eq!(errors(&mut bench, [flood(station(2), "2001:db8:7::1")]), 1);
            assert_eq!(errors(&mut bench, [flood(station(1), "2001:db8:7::1")]), 1, "by the same router");
        }
    }
    assert_eq!(sent, 20 + 1, "its burst, and 10/s for 101 ms");
    assert_eq!(bench.cause("ptb_ratelimited_source"), 1000 - 21);
    bench.told_all();
}

#[test]
fn f187_one_router_that_invents_sources_leaves_the_side_to_others() {
    let mut bench = crowd().bench();
    let invented = (0..1000).map(|number| flood(station(1), &format!("2001:db8:{number:x}::1")));
    assert_eq!(errors(&mut bench, invented), 250, "the MAC's burst");
    assert_eq!(bench.cause("ptb_ratelimited_mac"), 750);
    let others = (0..300).map(|number| flood(station(2), &format!("2001:db8:{number:x}::1")));
    assert_eq!(errors(&mut bench, others), 250, "the refused ones took nothing from the side");
    bench.wait(Duration::from_secs(1));
    let again = (1000..2000).map(|number| flood(station(1), &format!("2001:db8:{number:x}::1")));
    assert_eq!(errors(&mut bench, again), 250, "no more than its burst");
    bench.told_all();
}

#[test]
fn f187_a_refusal_by_the_side_takes_nothing_from_the_source() {
    let mut bench = crowd().plus("mtu_errors: { side: { rate: 1/s, burst: 1 } }").bench();
    assert_eq!(errors(&mut bench, [flood(station(1), FAR.0)]), 1);
    assert_eq!(errors(&mut bench, vec![flood(station(2), FAR.0); 100]), 0);
    assert_eq!(bench.cause("ptb_ratelimited_side"), 100);
    bench.reload(&crowd().plus("mtu_errors: { side: { rate: 2000/s, burst: 500 } }"));
    bench.wait(Duration::from_millis(200)); // 400 for the side, of which 125 are others'; two for a source of 10/s
    assert_eq!(errors(&mut bench, vec![flood(station(2), FAR.0); 100]), 20, "its whole burst");
    bench.told_all();
}

#[test]
fn d6_many_routers_each_within_its_limits_leave_the_first_error_to_another() {
    let mut bench =
        (10..=600).fold(crowd(), |config, number| config.member(M, &mac(station(number)))).bench();
    let from = |number: u32| flood(station(number), &format!("2001:db8:{number:x}::1"));
    // 500 routers ask for 5000 a second where the side has 2000
    let frames: Vec<_> = (1..=500).map(from).collect();
    for number in 0..30_000 {
        bench.wait(Duration::from_micros(50));
        bench.pour(M, &frames[number % 500]);
    }
    assert!(bench.cause("ptb_ratelimited_side") > 10_000, "it was too much for the side");
    assert_eq!(errors(&mut bench, [from(600)]), 1);
}

#[test]
fn f187_what_a_source_is() {
    let twenty_from = |mac, src: &str| vec![flood(mac, src); 20];
    let shares = |one: &str, other: &str| {
        let mut bench = crowd().bench();
        assert_eq!(errors(&mut bench, twenty_from(station(1), one)), 20);
        let sent = errors(&mut bench, twenty_from(station(1), other));
        assert!(sent == 0 || sent == 20);
        sent == 0
    };
    assert!(shares(FAR.0, "2001:db8:1::ffff:2"), "outside the exchange, a /64");
    assert!(!shares(FAR.0, "2001:db8:1:1::1"), "another /64");
    assert!(!shares("2001:7fa:3:ca07::a", "2001:7fa:3:ca07::c"), "inside, an address");
    let mut bench = crowd().bench();
    for src in ["fe80::a", "fe80::c"] {
        let mut frame = long6(src, "fe80::b", 1450);
        frame[6..12].copy_from_slice(&station(1));
        assert_eq!(errors(&mut bench, vec![frame; 30]), 20, "of link scope, an address");
    }
    assert_eq!(errors(&mut bench, vec![flood(station(2), FAR.0); 30]), 20);
    assert_eq!(errors(&mut bench, vec![flood(station(3), FAR.0); 30]), 20, "the same by another MAC");
    for last in [1, 2] {
        let mut frame = ether(B, station(4), 0x0800, &long4(17, &[])[14..]);
        frame[29] = last;
        frame.splice(14.., ipv4_with(frame[14..].to_vec(), |_| {}));
        assert_eq!(errors(&mut bench, vec![frame; 30]), 20, "an IPv4 address");
    }
    bench.told_all();
}

#[test]
fn f187_limits_are_configured_and_survive_a_reload() {
    let config =
        Config::cm().plus("mtu_errors: { source: { rate: 1/s, burst: 3 }, mac: { rate: 1/s, burst: 5 } }");
    let mut bench = config.bench();
    assert_eq!(errors(&mut bench, vec![flood(A, FAR.0); 10]), 3);
    bench.reload(&config);
    assert_eq!(errors(&mut bench, vec![flood(A, FAR.0); 10]), 0);
    assert_eq!(errors(&mut bench, vec![flood(A, "2001:db8:2::1"); 10]), 2);
    assert_eq!((bench.cause("ptb_ratelimited_source"), bench.cause("ptb_ratelimited_mac")), (17, 8));
    bench.wait(Duration::from_secs(1));
    assert_eq!(errors(&mut bench, vec![flood(A, FAR.0); 10]), 1);
    bench.told_all();
}

#[test]
fn f188_nothing_else_takes_from_the_errors_and_they_take_from_nothing_else() {
    let mut bench = crowd().plus("answers: { rate: 10/s, burst: 10 }").bench();
    let ra = icmp6("fe80::a", "ff02::1", 255, &[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
    let ra = ether([0x33, 0x33, 0, 0, 0, 1], A, 0x86dd, &ra);
    let arp = arp_request(A, "202.7.0.10", "202.7.0.20");
    let own = arp_request(A, "202.7.0.10", OWN4);
    let sources = |mac| (0..250).map(move |number| flood(mac, &format!("2001:db8:{number:x}::1")));
    assert_eq!(errors(&mut bench, vec![ra; 2000]), 0);
    assert_eq!(errors(&mut bench, vec![arp.clone(); 200]), 200, "bridged");
    assert_eq!(errors(&mut bench, vec![own.clone(); 50]), 10, "answered, up to their own limit");
    assert_eq!(errors(&mut bench, sources(A).chain(sources(station(1)))), 500, "all of the side's burst");
    bench.told_all();
    // and the other way round: errors use up nothing but their own
    let mut bench = crowd().plus("answers: { rate: 10/s, burst: 10 }").bench();
    let three = sources(A).chain(sources(station(1))).chain(sources(station(2)));
    assert_eq!(errors(&mut bench, three), 500 + 1, "and the third one's first, as it was quiet");
    assert_eq!(errors(&mut bench, vec![own; 50]), 10);
    assert_eq!(errors(&mut bench, vec![arp; 290]), 250, "what is left of the MAC's 300");
}

#[test]
fn f188_the_sides_have_a_budget_each() {
    let mut bench = crowd().bench();
    let sources = |mac| (0..250).map(move |number| flood(mac, &format!("2001:db8:{number:x}::1")));
    let three = sources(A).chain(sources(station(1))).chain(sources(station(2)));
    assert_eq!(errors(&mut bench, three), 500 + 1, "and the third one's first, as it was quiet");
    let back = ether(A, B, 0x86dd, &ipv6(FAR.1, FAR.0, 253, 64, &[0; 1461]));
    assert_eq!(bench.exchange(W, &back).back.len(), 1);
}
