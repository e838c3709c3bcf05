//! docs/spec B.4: sides with no tag, one or two, and what becomes of a frame between them; both VLANs on one trunk; several
//! bridges in one process.

use crate::frames::*;
use crate::harness::*;
use pipeline::io::mem::Packet;

/// What a side's frames carry.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Untagged,
    Tagged,
    QinQ,
}

const KINDS: [Kind; 3] = [Kind::Untagged, Kind::Tagged, Kind::QinQ];

impl Kind {
    /// Its tags on this side, with these priority bits (the high nibble of the TCI) in each.
    fn tags(self, side: rules::Side, priority: u16) -> Vec<(u16, u16)> {
        let (outer, vid) = if side == M { (100, 10) } else { (200, 20) };
        match self {
            Kind::Untagged => vec![],
            Kind::Tagged => vec![(0x8100, priority | vid)],
            Kind::QinQ => vec![(0x88a8, priority | outer), (0x8100, priority | vid)],
        }
    }

    fn keys(self, side: rules::Side) -> &'static str {
        match (self, side == M) {
            (Kind::Untagged, _) => "",
            (Kind::Tagged, true) => " vlan: 10,",
            (Kind::Tagged, false) => " vlan: 20,",
            (Kind::QinQ, true) => " outer_vlan: 100, vlan: 10,",
            (Kind::QinQ, false) => " outer_vlan: 200, vlan: 20,",
        }
    }
}

fn between(m: Kind, w: Kind) -> Config {
    Config::c0()
        .with("port: trunk0, vlan: 10,", &format!("port: trunk0,{}", m.keys(M)))
        .with("port: trunk1, vlan: 20,", &format!("port: trunk1,{}", w.keys(W)))
}

/// Every pair of kinds of sides, both ways: where the frame comes in, that side's kind, the other's, and a frame.
fn pairs(mut check: impl FnMut(&mut Bench, rules::Side, Kind, Kind, Vec<u8>)) {
    for m in KINDS {
        for w in KINDS {
            let mut bench = between(m, w).bench();
            check(&mut bench, M, m, w, unicast(B, A));
            check(&mut bench, W, w, m, unicast(A, B));
        }
    }
}

#[test]
fn b4_each_kind_of_side_bridges_to_each() {
    pairs(|bench, side, from, to, frame| {
        let out = bench.raw(side, &with_tags(&frame, &from.tags(side, 0)));
        let expected = with_tags(&frame, &to.tags(side.other(), 0));
        assert_eq!(out, Outcome::Forwarded(expected), "{from:?} to {to:?}");
    });
}

#[test]
fn b4_priority_is_kept_where_there_is_a_tag_for_it() {
    pairs(|bench, side, from, to, frame| {
        for priority in (0..16).map(|nibble| nibble << 12) {
            let kept = if from == Kind::Untagged { 0 } else { priority };
            let out = bench.raw(side, &with_tags(&frame, &from.tags(side, priority)));
            let expected = with_tags(&frame, &to.tags(side.other(), kept));
            assert_eq!(out, Outcome::Forwarded(expected), "{from:?} to {to:?}, {priority:04x}");
        }
    });
}

#[test]
fn b4_between_double_tags_each_keeps_its_own_priority() {
    let mut bench = between(Kind::QinQ, Kind::QinQ).bench();
    let out = bench.raw(M, &with_tags(&unicast(B, A), &[(0x88a8, 0xf000 | 100), (0x8100, 0x2000 | 10)]));
    assert_eq!(
        out,
        Outcome::Forwarded(with_tags(&unicast(B, A), &[(0x88a8, 0xf000 | 200), (0x8100, 0x2000 | 20)]))
    );
}

#[test]
fn b4_a_frame_is_padded_to_60_bytes_where_it_loses_a_tag_and_nowhere_else() {
    pairs(|bench, side, from, to, frame| {
        // from 34 bytes on: an IPv4 header and nothing else
        for data in (0..=60).chain([100, 1480]) {
            let packet = ipv4("192.0.2.1", "198.51.100.2", 253, &vec![0xa5; data]);
            let frame = [&frame[..14], &packet].concat();
            let mut expected = with_tags(&frame, &to.tags(side.other(), 0));
            if to.tags(M, 0).len() < from.tags(M, 0).len() {
                expected.resize(expected.len().max(60), 0);
            }
            let out = bench.raw(side, &with_tags(&frame, &from.tags(side, 0)));
            assert_eq!(out, Outcome::Forwarded(expected), "{from:?} to {to:?}, {data} bytes");
        }
    });
}

#[test]
fn b4_a_frame_keeps_its_padding_where_it_loses_a_tag() {
    let mut bench = between(Kind::Tagged, Kind::Untagged).bench();
    let mut frame = ether(B, A, 0x0800, &ipv4("192.0.2.1", "198.51.100.2", 253, &[]));
    frame.resize(64, 0xa5);
    assert_eq!(bench.raw(M, &tagged(M, &frame)), Outcome::Forwarded(frame));
}

#[test]
fn f11_stripped_tags_make_no_difference_to_any_kind_of_side() {
    for m in KINDS {
        for w in KINDS {
            let (mut in_band, mut stripped) = (between(m, w).bench(), between(m, w).bench());
            let tags = m.tags(M, 0xb000);
            for taken in 0..=tags.len() {
                let wire = with_tags(&unicast(B, A), &tags);
                let packet =
                    Packet::with_stripped(&with_tags(&unicast(B, A), &tags[taken..]), &tags[..taken]);
                assert_eq!(stripped.packet(0, packet), in_band.raw(M, &wire));
                assert_eq!(stripped.report(), in_band.report());
            }
        }
    }
}

#[test]
fn b4_a_tagged_frame_on_an_untagged_side_is_of_an_unknown_vlan() {
    let mut bench = between(Kind::Untagged, Kind::Tagged).bench();
    for vid in [1, 10, 20, 4094] {
        assert_eq!(
            bench.raw(M, &with_tags(&unicast(B, A), &[(0x8100, vid)])),
            Outcome::Dropped("vlan_unknown")
        );
    }
    // no tag is taken for native, whatever it is called
    for tag in [(0x8100, 0), (0x8100, 4095), (0x88a8, 10), (0x88a8, 0), (0x9100, 10), (0x9200, 10)] {
        assert!(matches!(bench.raw(M, &with_tags(&unicast(B, A), &[tag])), Outcome::Dropped(_)), "{tag:x?}");
    }
    let report = bench.report();
    assert_eq!(report.sides["mud"].received, 0);
    assert_eq!(report.ports["trunk0"].dropped.values().sum::<u64>(), 10);
}

#[test]
fn b4_a_double_tagged_side_takes_its_own_two_tags_only() {
    let mut bench = between(Kind::QinQ, Kind::Tagged).bench();
    let (s, c) = (0x88a8, 0x8100);
    for (tags, reason) in [
        (vec![], "vlan_untagged"),
        (vec![(s, 0), (c, 10)], "vlan_prio_tag"),
        (vec![(s, 4095), (c, 10)], "vlan_reserved"),
        (vec![(s, 101), (c, 10)], "vlan_unknown"),
        (vec![(s, 10), (c, 100)], "vlan_unknown"),
        (vec![(s, 100), (c, 0)], "vlan_prio_tag"),
        (vec![(s, 100), (c, 4095)], "vlan_reserved"),
        (vec![(s, 100), (c, 11)], "vlan_unknown"),
        (vec![(s, 100), (s, 10)], "tpid"),
        (vec![(s, 100), (0x9100, 10)], "tpid"),
        (vec![(0x9100, 100), (c, 10)], "tpid"),
        (vec![(0x9200, 100), (c, 10)], "tpid"),
        (vec![(s, 100), (c, 10), (c, 10)], "inner_tag"),
        (vec![(s, 100), (c, 10), (s, 10)], "inner_tag"),
        (vec![(s, 100), (c, 10), (c, 1), (c, 2), (c, 3)], "inner_tag"),
    ] {
        let wire = with_tags(&unicast(B, A), &tags);
        assert_eq!(bench.raw(M, &wire), Outcome::Dropped(reason), "{tags:x?}");
    }
    // a customer tag alone, or two: of no side, by whichever name
    for tags in [vec![(c, 10)], vec![(c, 100)], vec![(c, 100), (c, 10)], vec![(s, 100)]] {
        assert!(matches!(bench.raw(M, &with_tags(&unicast(B, A), &tags)), Outcome::Dropped(_)), "{tags:x?}");
    }
    assert_eq!(bench.report().sides["mud"].received, 0);
    let whole = with_tags(&unicast(B, A), &[(s, 100), (c, 10)]);
    for length in 0..22 {
        assert_eq!(bench.raw(M, &whole[..length]), Outcome::Dropped("runt"), "{length} bytes");
    }
    assert_eq!(bench.raw(M, &whole[..22]), Outcome::Dropped("v4_truncated"));
}

#[test]
fn b4_one_port_may_carry_a_single_and_a_double_tagged_side_with_the_same_vid() {
    let config = Config::c0().with("port: trunk1, vlan: 20,", "port: trunk0, outer_vlan: 10, vlan: 10,");
    let mut bench = config.bench();
    let double = with_tags(&unicast(A, B), &[(0x88a8, 10), (0x8100, 10)]);
    assert_eq!(bench.raw(W, &double), Outcome::Forwarded(with_tags(&unicast(A, B), &[(0x8100, 10)])));
    let single = with_tags(&unicast(B, A), &[(0x8100, 10)]);
    assert_eq!(
        bench.raw(M, &single),
        Outcome::Forwarded(with_tags(&unicast(B, A), &[(0x88a8, 10), (0x8100, 10)]))
    );
}

/// A second bridge on the same two trunks: VLANs 11 and 21, learned stations.
fn two_bridges() -> Config {
    Config::c0().with(
        "    loop: { probe: off }",
        r#"    loop: { probe: off }
  ape:
    sides:
      mud: { port: trunk0, vlan: 11, mtu: 1500, mac: "02:51:00:00:00:0b" }
      ape: { port: trunk1, vlan: 21, mtu: 1500, mac: "02:51:00:00:00:15" }
    peering: { ipv4: [192.203.154.0/24] }
    admission: learned
    loop: { probe: off }"#,
    )
}

#[test]
fn b4_several_bridges_share_two_trunks_and_nothing_else() {
    let mut bench = two_bridges().bench();
    let x = station(7);
    let on = |vid: u16, frame: &[u8]| with_tags(frame, &[(0x8100, vid)]);
    // the same stations, the other way round
    assert_eq!(bench.raw(W, &on(21, &unicast(B, A))), Outcome::Forwarded(on(11, &unicast(B, A))));
    assert_eq!(bench.raw(M, &on(11, &unicast(A, B))), Outcome::Forwarded(on(21, &unicast(A, B))));
    assert_eq!(bench.raw(M, &on(10, &unicast(B, A))), Outcome::Forwarded(on(20, &unicast(B, A))));
    assert_eq!(bench.raw(W, &on(20, &unicast(A, B))), Outcome::Forwarded(on(10, &unicast(A, B))));
    // who may speak here may not there
    assert_eq!(bench.raw(M, &on(11, &unicast(A, x))), Outcome::Forwarded(on(21, &unicast(A, x))));
    assert_eq!(bench.raw(M, &on(10, &unicast(B, x))), Outcome::Dropped("src_not_member"));
    // nor is the exchange's prefix the same
    let wix = arp_request(x, "202.7.0.10", "202.7.0.20");
    let ape = arp_request(x, "192.203.154.1", "192.203.154.2");
    assert_eq!(bench.raw(M, &on(11, &wix)), Outcome::Dropped("arp_not_wix"));
    assert_eq!(bench.raw(M, &on(11, &ape)), Outcome::Forwarded(on(21, &ape)));
    // VLANs of the wrong trunk
    assert_eq!(bench.raw(M, &on(21, &unicast(B, A))), Outcome::Dropped("vlan_unknown"));
    assert_eq!(bench.raw(W, &on(11, &unicast(B, A))), Outcome::Dropped("vlan_unknown"));
    let report = bench.report();
    assert_eq!((report.sides["wix/mud"].forwarded, report.sides["wix/wix"].forwarded), (1, 1));
    assert_eq!((report.sides["ape/mud"].forwarded, report.sides["ape/ape"].forwarded), (3, 1));
    assert_eq!((report.sides["ape/mud"].transmitted, report.sides["ape/ape"].transmitted), (1, 3));
}

#[test]
fn b4_storms_on_one_bridge_leave_the_other_its_tokens() {
    let mut bench = two_bridges()
        .with("admission: learned", "admission: learned\n    storm: { mac: { rate: 1/s, burst: 1 } }")
        .bench();
    let x = station(7);
    let ape = with_tags(&arp_request(x, "192.203.154.1", "192.203.154.2"), &[(0x8100, 11)]);
    assert!(matches!(bench.raw(M, &ape), Outcome::Forwarded(_)));
    assert_eq!(bench.raw(M, &ape), Outcome::Dropped("mac_limit"));
    bench.crosses(M, &arp_request(A, "202.7.0.10", "202.7.0.20"));
}

/// Of a port whose sides have such tags: the reason for the first `length` bytes of a frame with other ones.
fn stray(kind: Kind, tags: &[(u16, u16)], length: usize) -> &'static str {
    let mut bench = between(kind, Kind::Tagged).bench();
    match bench.raw(M, &with_tags(&unicast(B, A), tags)[..length]) {
        Outcome::Dropped(reason) => reason,
        Outcome::Forwarded(out) => panic!("{out:02x?}"),
    }
}

#[test]
fn b4_a_frame_that_ends_in_its_tags_is_a_runt_whatever_they_say() {
    for (kind, tags, whole, reason) in [
        (Kind::Tagged, vec![(0x8100, 99)], 18, "vlan_unknown"),
        (Kind::Tagged, vec![(0x8100, 0)], 18, "vlan_prio_tag"),
        (Kind::Tagged, vec![(0x9100, 10)], 18, "tpid"),
        (Kind::Tagged, vec![(0x88a8, 10)], 18, "tpid"),
        (Kind::QinQ, vec![(0x88a8, 99)], 18, "vlan_unknown"),
        (Kind::QinQ, vec![(0x88a8, 4095)], 18, "vlan_reserved"),
        (Kind::QinQ, vec![(0x88a8, 100)], 18, "vlan_untagged"),
        (Kind::QinQ, vec![(0x88a8, 100), (0x88a8, 10)], 18, "tpid"),
        (Kind::QinQ, vec![(0x88a8, 100), (0x8100, 99)], 22, "vlan_unknown"),
        (Kind::QinQ, vec![(0x88a8, 100), (0x8100, 0)], 22, "vlan_prio_tag"),
    ] {
        for length in 12..whole {
            assert_eq!(stray(kind, &tags, length), "runt", "{length} bytes with {tags:x?}");
        }
        assert_eq!(stray(kind, &tags, whole), reason, "{tags:x?}");
        assert_eq!(stray(kind, &tags, 60), reason, "{tags:x?}");
    }
}
