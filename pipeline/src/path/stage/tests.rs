//! What the predicates of the fast path say holds: where a stage's `plain` says that a frame passes it without side effect,
//! the stage's full rule lets it through and leaves nothing behind. And `plain` says so of no less than it should.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use rules::{Mac, Side};

use super::*;
use crate::base::reason::{Reason, Stage};
use crate::base::time::Time;
use crate::base::{At, BridgeId};
use crate::frame::checksum;
use crate::frame::ether::{Ether, HEADER, MIN_FRAME, TAG, addresses_in, ethertype};
use crate::observe::books::SideBooks;
use crate::path::context::FrameContext;
use crate::path::control_queue::{ControlRx, ControlTx};
use crate::path::outbox::Outbox;
use crate::path::packet::Frame;
use crate::path::stations::Stations;
use crate::plan::Plan;
use crate::table::fdb::Learned;
use crate::table::limits::Lots;

const TAGGED: usize = HEADER + TAG;
const NOW: Time = Time::from_nanos(5_000_000_000);
const DHCP: [u16; 4] = [67, 68, 546, 547];

/// Members: 1 on the first side, 2 on the second, 3 on either.
const MEMBERS: &str = "
      - { name: one, side: a, mac: \"02:00:00:00:00:01\" }
      - { name: two, side: b, mac: \"02:00:00:00:00:02\" }
      - { name: three, mac: \"02:00:00:00:00:03\" }";

const ONE: Mac = Mac::from_u64(0x0200_0000_0001);
const TWO: Mac = Mac::from_u64(0x0200_0000_0002);
const OWN: [Mac; 2] = [Mac::from_u64(0x0251_0000_000a), Mac::from_u64(0x0251_0000_0014)];

/// A bridge between two ports, and all that a stage could leave something in.
struct Rig {
    plan: Plan,
    lots: Lots,
    levels: String,
    books: SideBooks,
    outbox: Outbox,
    control: ControlTx,
    queue: ControlRx,
}

/// `a` and `b` are what the sides have beside their MACs.
fn rig(a: &str, b: &str, more: &str) -> Rig {
    let yaml = format!(
        "version: 1
ports:
  p: {{ device: \"net_null0\" }}
  q: {{ device: \"net_null1\" }}
workers: [0]
bridges:
  x:
    sides:
      a: {{ port: p, {a}, mac: \"02:51:00:00:00:0a\" }}
      b: {{ port: q, {b}, mac: \"02:51:00:00:00:14\" }}
    peering: {{ ipv4: [202.7.0.0/23, 192.0.2.128/25, 203.0.113.0/31], ipv6: [\"2001:7fa:3:ca07::/64\"] }}
    own: {{ ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }}
    macs: {{ capacity: 64 }}
    members: {MEMBERS}
    {more}
"
    );
    let rules = rules::parse(&yaml, "test.yaml").unwrap_or_else(|errors| panic!("{errors}")).rules;
    let plan = Plan::new(rules, None, &[], 0).unwrap();
    let (control, queue) = ControlTx::queue(64);
    let (books, outbox, levels) = (SideBooks::default(), Outbox::default(), String::new());
    let mut rig = Rig { plan, lots: Lots::of(1), levels, books, outbox, control, queue };
    rig.levels = rig.levels();
    rig
}

fn tagged(more: &str) -> Rig {
    rig("vlan: 10, mtu: 1500", "vlan: 20, mtu: 1400", more)
}

fn untagged(more: &str) -> Rig {
    rig("mtu: 1400", "mtu: 1500", more)
}

/// No rule that was asked because its predicate held has taken a token.
impl Drop for Rig {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.levels() == self.levels);
    }
}

impl Rig {
    fn levels(&self) -> String {
        format!("{:?} {:?}", self.lots, self.plan.bridges[0].tables.limits)
    }

    fn learned(self, macs: &[(Mac, Side)]) -> Rig {
        let bridge = &self.plan.bridges[0];
        for (mac, side) in macs {
            let learned = bridge.fdb_of(*mac).learn(*mac, *side, NOW, &bridge.rules.macs, || true);
            assert_eq!(learned, Learned::New);
        }
        self
    }

    /// The stages whose predicates hold for a frame that comes in on a side. Each of their full rules is asked, and must let
    /// the frame through as it is and leave nothing behind.
    fn plain<const L3: usize>(&mut self, side: Side, bytes: &[u8]) -> Vec<Stage> {
        let Rig { plan, lots, books, outbox, control, queue, .. } = self;
        let bridge = &plan.bridges[0];
        let rules = *bridge.fast(side);
        assert_eq!(rules.admit.tag.is_some(), L3 == TAGGED);
        let Some(head) = bytes.first_chunk::<MIN_FRAME>() else { return vec![] };
        let mut plain = Vec::new();

        let at = At { bridge: BridgeId::FIRST, side };
        let admitted = admit::admit(&plan.ports[side.index()], bytes);
        // what type follows is for the filter to judge: a further tag is none that it lets through
        let is_ip = matches!(ethertype_at::<L3>(bytes), ethertype::IPV4 | ethertype::IPV6);
        if is_ip && admit::plain::<L3, MIN_FRAME>(rules.admit, head) {
            let (to, ether) = admitted.unwrap();
            let right = (at, &bytes[L3..], ethertype_at::<L3>(bytes));
            assert_eq!((to, ether.payload, ether.ethertype), right);
            plain.push(Stage::Admit);
        }
        let Some(ether) = admitted.ok().filter(|(to, _)| *to == at).map(|(_, ether)| ether) else {
            return plain;
        };
        let carried = bytes.len() - L3;
        assert_eq!(carried, ether.payload.len());
        let frame = &Frame { bridge, at, ether, now: NOW };
        let stations = Stations::new(bridge, rules.learned, NOW);
        let (dst, src) = addresses_in(head);
        let (from, to) = (stations.on(src, side), stations.on(dst, side.other()));

        // runs a full rule, and says whether it left nothing behind
        let mut left_nothing = |rule: &mut dyn FnMut(&mut FrameContext<'_>)| {
            let mut context = FrameContext {
                bridge,
                lots,
                outbox,
                books,
                control,
                time: NOW,
                port: side.index(),
                at,
                mac: src,
                listed: None,
            };
            rule(&mut context);
            let silent = queue.pop().is_none() && control.lost == 0 && outbox.frames().is_empty();
            let nothing = silent && *books == SideBooks::default();
            while queue.pop().is_some() {}
            (control.lost, *books) = (0, SideBooks::default());
            outbox.clear();
            nothing
        };
        let is_plain = to.is_some_and(|to| {
            filter::plain::<L3, MIN_FRAME>(rules.filter, &bridge.edges, to, (head, bytes), carried)
        });
        let mut packet = Err(Reason::Llc);
        let filtered = left_nothing(&mut |context| packet = filter::filter(frame, context));
        if is_plain {
            assert!(packet.is_ok() && filtered, "{packet:?} {bytes:02x?}");
            plain.push(Stage::Filter);
        }
        let mut holds = |stage, rule: &mut dyn FnMut(&mut FrameContext<'_>) -> bool| {
            let nothing = left_nothing(&mut |context| assert!(rule(context), "{stage:?}: {bytes:02x?}"));
            assert!(nothing, "{stage:?}: {bytes:02x?}");
            plain.push(stage);
        };

        if let (Some(from), Some(to)) = (from, to)
            && guard::plain(from, to, dst)
        {
            holds(Stage::Guard, &mut |context| guard::guard(frame, context) == Ok(()));
        }
        let Ok(packet) = &packet else { return plain };
        if let Some(to) = to {
            if police::plain(to) {
                holds(Stage::Police, &mut |context| police::police(packet, context) == Ok(()));
            }
            if is_plain && answer::plain(to) {
                holds(Stage::Answer, &mut |context| {
                    answer::answer(packet, context) == Ok(answer::Answer::Pass)
                });
            }
            if forward::plain(to) {
                holds(Stage::Forward, &mut |context| forward::forward(packet, context) == Ok(()));
            }
        }
        if is_plain && snoop::plain() {
            holds(Stage::Snoop, &mut |context| {
                snoop::snoop(packet, context);
                true
            });
        }
        if fit::plain(rules.fit, carried) {
            holds(Stage::Fit, &mut |context| fit::fit(packet, context) == Ok(fit::Fit::Whole));
        }
        plain
    }

    /// The filter's predicate holds for a packet behind the tag of the first side, from member 1 to member 2; if so, the full
    /// rule agrees.
    fn passes(&mut self, ethertype: u16, packet: &[u8]) -> bool {
        let frame = [&ethernet(TWO, ONE, &[0x81, 0, 0, 10], ethertype)[..], packet].concat();
        self.plain::<TAGGED>(Side::First, &frame).contains(&Stage::Filter)
    }
}

fn ethertype_at<const L3: usize>(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[L3 - 2], bytes[L3 - 1]])
}

fn ethernet(dst: Mac, src: Mac, tag: &[u8], ethertype: u16) -> Vec<u8> {
    [&dst.bytes()[..], &src.bytes(), tag, &ethertype.to_be_bytes()].concat()
}

/// The checksum of its header made right.
fn sum4(mut packet: Vec<u8>) -> Vec<u8> {
    packet[10..12].fill(0);
    let sum = !checksum::fold(checksum::sum(&packet[..20]));
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// UDP from 4000 to 5000 between two hosts elsewhere, with so many bytes behind the header.
fn udp4(payload: usize) -> Vec<u8> {
    let [a, b] = ((20 + payload) as u16).to_be_bytes();
    let header = [0x45, 0, a, b, 0, 7, 0x40, 0, 64, 17, 0, 0, 198, 51, 100, 1, 10, 1, 2, 3];
    let mut packet = [&header[..], &4000u16.to_be_bytes(), &5000u16.to_be_bytes()].concat();
    packet.resize(20 + payload, 0);
    sum4(packet)
}

fn udp6(payload: usize) -> Vec<u8> {
    let [a, b] = (payload as u16).to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, a, b, 17, 64];
    for last in [1, 2] {
        packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend([4000u16.to_be_bytes(), 5000u16.to_be_bytes()].concat());
    packet.resize(40 + payload, 0);
    packet
}

fn put(mut packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    packet
}

#[test]
fn the_filter_is_plain_for_ipv4_of_these_protocols_alone() {
    let mut rig = tagged("drain: false");
    let mut drain = tagged("drain: true");
    for protocol in 0..=255 {
        let packet = sum4(put(udp4(40), 9, &[protocol]));
        assert_eq!(rig.passes(0x0800, &packet), [6, 17, 50].contains(&protocol), "{protocol}");
        assert_eq!(drain.passes(0x0800, &packet), [17, 50].contains(&protocol), "{protocol}");
        let packet = put(udp6(40), 6, &[protocol]);
        assert_eq!(rig.passes(0x86dd, &packet), [6, 17, 50].contains(&protocol), "{protocol}");
        assert_eq!(drain.passes(0x86dd, &packet), [17, 50].contains(&protocol), "{protocol}");
    }
}

#[test]
fn the_filter_is_plain_for_every_port_but_those_of_dhcp() {
    let mut rig = tagged("");
    for port in 0..=u16::MAX {
        let plain = !DHCP.contains(&port);
        for at in [0, 2] {
            assert_eq!(
                rig.passes(0x0800, &put(udp4(40), 20 + at, &port.to_be_bytes())),
                plain,
                "{port} at {at}"
            );
            assert_eq!(
                rig.passes(0x86dd, &put(udp6(40), 40 + at, &port.to_be_bytes())),
                plain,
                "{port} at {at}"
            );
        }
    }
}

#[test]
fn the_filter_is_plain_for_ipv4_without_options_that_is_no_fragment() {
    let mut rig = tagged("");
    for first in 0..=255 {
        assert_eq!(rig.passes(0x0800, &sum4(put(udp4(40), 0, &[first]))), first == 0x45, "{first:#x}");
        assert_eq!(rig.passes(0x86dd, &put(udp6(40), 0, &[first])), first >> 4 == 6, "{first:#x}");
    }
    for flags in 0..=u16::MAX {
        let plain = flags & 0x3fff == 0; // whatever DF and the reserved bit are
        assert_eq!(rig.passes(0x0800, &sum4(put(udp4(40), 6, &flags.to_be_bytes()))), plain, "{flags:#x}");
    }
}

#[test]
fn the_filter_is_plain_for_packets_whose_length_the_frame_has() {
    let mut rig = tagged("");
    for length in 0..=u16::MAX {
        let (v4, v6) = (udp4(60), udp6(60)); // 80 and 100 bytes
        let bytes = length.to_be_bytes();
        assert_eq!(rig.passes(0x0800, &sum4(put(v4, 2, &bytes))), (28..=80).contains(&length), "{length}");
        assert_eq!(rig.passes(0x86dd, &put(v6, 4, &bytes)), (8..=60).contains(&length), "{length}");
    }
    // a frame that ends where the fast path's first look does, and the IPv6 header with its first eight bytes behind it
    assert!(rig.passes(0x0800, &udp4(22)));
    assert!(rig.passes(0x86dd, &udp6(8)));
    assert!(!rig.passes(0x86dd, &udp6(8)[..47]));
}

#[test]
fn the_filter_is_plain_for_ipv4_with_the_right_checksum_alone() {
    let mut rig = tagged("");
    let right = udp4(40);
    for sum in 0..=u16::MAX {
        let packet = put(right.clone(), 10, &sum.to_be_bytes());
        assert_eq!(rig.passes(0x0800, &packet), packet == right, "{sum:#x}");
    }
    // one whose sum without it is all ones: 0 and 0xffff are both right (RFC 1071)
    let mut odd = put(put(udp4(40), 10, &[0, 0]), 4, &[0, 0]);
    let rest = checksum::fold(checksum::sum(&odd[..20]));
    odd = put(odd, 4, &(!rest).to_be_bytes());
    assert!(rig.passes(0x0800, &odd) && rig.passes(0x0800, &put(odd, 10, &[0xff, 0xff])));
}

#[test]
fn the_filter_is_plain_between_hosts_alone() {
    let mut rig = tagged("");
    for first in 0..=255u8 {
        for (at, at6) in [(12, 8), (16, 24)] {
            let is_host = !matches!(first, 0 | 127 | 224..);
            assert_eq!(rig.passes(0x0800, &sum4(put(udp4(40), at, &[first]))), is_host, "{first} at {at}");
            assert_eq!(rig.passes(0x86dd, &put(udp6(40), at6, &[first])), first != 0xff, "{first} at {at6}");
            // an address whose upper half is zero may be `::` or `::1`
            let low = [&[0; 7][..], &[first]].concat();
            assert_eq!(rig.passes(0x86dd, &put(udp6(40), at6, &low)), first != 0, "{first} at {at6}");
        }
    }
    for edge in [[202, 7, 0, 0], [202, 7, 1, 255], [192, 0, 2, 128], [192, 0, 2, 255]] {
        for at in [12, 16] {
            assert!(!rig.passes(0x0800, &sum4(put(udp4(40), at, &edge))), "{edge:?} at {at}");
            // the same but for one byte: no edge, also where the quick test by two of its bytes says that it may be one
            for byte in [0, 2] {
                let mut host = edge;
                host[byte] ^= 4;
                assert!(rig.passes(0x0800, &sum4(put(udp4(40), at, &host))), "{host:?} at {at}");
            }
        }
    }
    assert!(
        rig.passes(0x0800, &sum4(put(udp4(40), 12, &[203, 0, 113, 0, 203, 0, 113, 1]))),
        "a /31 has no edges"
    );
}

#[test]
fn the_filter_and_admit_are_plain_for_two_ethertypes_alone() {
    let (mut one, mut none) = (tagged(""), untagged(""));
    for ethertype in 0..=u16::MAX {
        for (packet, is_its) in [(udp4(60), ethertype == 0x0800), (udp6(60), ethertype == 0x86dd)] {
            let frame = [&ethernet(TWO, ONE, &[0x81, 0, 0xb0, 10], ethertype)[..], &packet].concat();
            let plain = one.plain::<TAGGED>(Side::First, &frame);
            assert_eq!(plain.contains(&Stage::Filter), is_its, "{ethertype:#x}");
            let frame = [&ethernet(TWO, ONE, &[], ethertype)[..], &packet].concat();
            let plain = none.plain::<HEADER>(Side::First, &frame);
            assert_eq!(plain.contains(&Stage::Filter), is_its, "{ethertype:#x}");
        }
    }
}

#[test]
fn admit_is_plain_for_one_vlan_with_any_priority_and_one_tpid() {
    let mut rig = tagged("");
    let mut plain = |tag: [u8; 4]| {
        let frame = [&ethernet(TWO, ONE, &tag, 0x0800)[..], &udp4(60)].concat();
        rig.plain::<TAGGED>(Side::First, &frame).contains(&Stage::Admit)
    };
    for word in 0..=u16::MAX {
        let [a, b] = word.to_be_bytes();
        assert_eq!(plain([0x81, 0, a, b]), word & 0xfff == 10, "TCI {word:#x}");
        assert_eq!(plain([a, b, 0, 10]), word == 0x8100, "TPID {word:#x}");
    }
}

/// Every address that is in some way special, and plain ones.
fn macs() -> Vec<Mac> {
    let blocks = [0x0180_c200_0000, 0x0100_0c00_0000, 0x0100_0ccc_cc00, 0x0100_0ccd_cd00, 0x00e0_2b00_0000];
    let blocks = blocks.into_iter().flat_map(|block| [0, 4, 0x3f, 0xcd].map(|last| block + last));
    let others = [
        0,
        0xffff_ffff_ffff,
        0x3333_0000_0001,
        0x0200_0000_0003,
        0x0200_0000_0004,
        0x0200_0000_0005,
        0x00e0_2b01_0004,
    ];
    blocks.chain(others).map(Mac::from_u64).chain([ONE, TWO]).chain(OWN).collect()
}

/// Between each two of [`macs`], both ways; how often each stage was plain. The table knows all that it takes: even members
/// on the wrong side and our own, as from before a reload.
fn between_all(more: &str, second: bool) -> [usize; Stage::COUNT] {
    let sides = |at: usize| [Side::First, Side::Second][(at + usize::from(second)) % 2];
    let known: Vec<_> = macs().into_iter().enumerate().map(|(at, mac)| (mac, sides(at))).collect();
    let known: Vec<_> = known.into_iter().filter(|(mac, _)| mac.is_station()).collect();
    let (mut one, mut none) = (tagged(more).learned(&known), untagged(more).learned(&known));
    let mut count = [0; Stage::COUNT];
    for (dst, src) in macs().into_iter().flat_map(|dst| macs().into_iter().map(move |src| (dst, src))) {
        for side in Side::BOTH {
            let vid = [10, 20][side.index()];
            let arp = [
                &[0, 1, 8, 0, 6, 4, 0, 1][..],
                &src.bytes(),
                &[202, 7, 0, 1],
                &[0; 6],
                &[202, 7, 0, 2],
                &[0; 18],
            ]
            .concat();
            for (ethertype, packet) in [(0x0800, udp4(40)), (0x86dd, udp6(40)), (0x0806, arp)] {
                let frame = [&ethernet(dst, src, &[0x81, 0, 0, vid], ethertype)[..], &packet].concat();
                one.plain::<TAGGED>(side, &frame).into_iter().for_each(|stage| count[stage as usize] += 1);
                let frame = [&ethernet(dst, src, &[], ethertype)[..], &packet].concat();
                none.plain::<HEADER>(side, &frame).into_iter().for_each(|stage| count[stage as usize] += 1);
            }
        }
    }
    count
}

#[test]
fn what_is_plain_between_any_two_macs_passes_and_leaves_nothing_behind() {
    let stages =
        [Stage::Guard, Stage::Filter, Stage::Police, Stage::Snoop, Stage::Answer, Stage::Forward, Stage::Fit];
    let rules =
        ["admission: learned", "admission: members", "arp: { mode: answer }\n    nd: { mode: answer }"];
    for rules in rules {
        let mut sum = [0; Stage::COUNT];
        for second in [false, true] {
            let one = between_all(rules, second);
            sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
        }
        for stage in stages {
            assert!(sum[stage as usize] >= 24, "{rules}: {stage:?} was plain {} times", sum[stage as usize]);
        }
    }
}

#[test]
fn guard_is_not_plain_towards_a_reserved_address_that_is_no_groups() {
    let edp = Mac::from_u64(0x00e0_2b00_0004);
    let mut rig = tagged("admission: learned").learned(&[(edp, Side::Second)]);
    let frame = |dst| [&ethernet(dst, ONE, &[0x81, 0, 0, 10], 0x0800)[..], &udp4(40)].concat();
    assert!(!rig.plain::<TAGGED>(Side::First, &frame(edp)).contains(&Stage::Guard));
    assert!(rig.plain::<TAGGED>(Side::First, &frame(TWO)).contains(&Stage::Guard));
}

#[test]
fn fit_is_plain_for_what_both_sides_carry() {
    for (a, b) in [(1500, 1400), (1400, 1500), (1280, 1280)] {
        for fragment in [true, false] {
            let (a_keys, b_keys) =
                (format!("vlan: 10, mtu: {a}"), format!("vlan: 20, mtu: {b}, fragment: {fragment}"));
            let mut rig = rig(&a_keys, &b_keys, "");
            for carried in 46..1600 {
                let frame =
                    [&ethernet(TWO, ONE, &[0x81, 0, 0, 10], 0x0800)[..], &udp4(carried - 20)].concat();
                let plain = rig.plain::<TAGGED>(Side::First, &frame);
                assert_eq!(plain.contains(&Stage::Fit), carried <= a.min(b), "{carried} between {a} and {b}");
            }
        }
    }
}

#[test]
fn learn_changes_nothing_but_when_a_station_was_heard() {
    let [roaming, stranger] = [0x0200_0000_0003, 0x0200_0000_0009].map(Mac::from_u64);
    let known = [(roaming, Side::First), (stranger, Side::First)];
    // within a tick of the table's clock, in another one, about the age, and past what the table's stamps reach
    let waits = [0, 249, 250, 251, 500, 10_000, 299_750, 300_000, 300_249, 300_500, 3_600_000, 40_000_000];
    let mut plain = 0;
    for (admission, wait) in
        ["members", "learned"].into_iter().flat_map(|rules| waits.map(|wait| (rules, wait)))
    {
        let now = NOW.after(Duration::from_millis(wait));
        let rules = format!("admission: {admission}");
        for (mac, side) in known.into_iter().chain([(ONE, Side::First), (ONE, Side::Second)]) {
            let (one, mut two) = (tagged(&rules).learned(&known), tagged(&rules).learned(&known));
            let entries = |rig: &Rig| {
                let bridge = &rig.plan.bridges[0];
                let both = [&bridge.tables.macs, &*bridge.roaming].into_iter();
                let all = both.flat_map(|table| table.entries(now, &bridge.rules.macs));
                let mut all: Vec<_> = all.map(|entry| format!("{entry:?}")).collect();
                all.sort();
                all
            };
            let bridge = &one.plan.bridges[0];
            let stations = Stations::new(bridge, bridge.fast(side).learned, now);
            let Some(station) = stations.on(mac, side) else { continue };
            if !(learn::plain(station) && stations.heard(station, mac, side)) {
                continue;
            }
            plain += 1;
            let Rig { plan, lots, books, outbox, control, queue, .. } = &mut two;
            let frame = [&ethernet(TWO, mac, &[], 0x0800)[..], &udp4(40)].concat();
            let ether = Ether::parse(&frame, 0).unwrap();
            let at = At { bridge: BridgeId::FIRST, side };
            let frame = Frame { bridge: &plan.bridges[0], at, ether, now };
            let bridge = frame.bridge;
            let mut context = FrameContext {
                bridge,
                lots,
                outbox,
                books,
                control,
                time: now,
                port: 0,
                at,
                mac,
                listed: None,
            };
            let packet = filter::filter(&frame, &mut context).unwrap();
            assert_eq!(learn::learn(&packet, &mut context), Ok(()));
            assert!(*books == SideBooks::default() && queue.pop().is_none());
            assert_eq!(entries(&one), entries(&two), "{mac:?} after {now:?}");
        }
    }
    // members where they belong or were last at all times, the stranger until it has aged
    assert_eq!(plain, 2 * 12 + 9 + 2 * 12);
}

/// A byte that is mostly this.
fn mostly(byte: u8) -> impl Strategy<Value = u8> {
    prop_oneof![12 => Just(byte), 1 => any::<u8>()]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![6 => any::<u16>(), 1 => select(&DHCP), 1 => 60u16..72, 1 => 540u16..550]
}

fn protocol() -> impl Strategy<Value = u8> {
    prop_oneof![6 => select(vec![6u8, 17, 50]), 1 => any::<u8>()]
}

/// Less or more than it should be by a little, or anything.
fn about(right: usize) -> impl Strategy<Value = u16> {
    prop_oneof![6 => Just(right as u16), 1 => (right as u16).saturating_sub(3)..=right as u16 + 3, 1 => any::<u16>(), 1 => 0u16..48]
}

fn address4() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![
        4 => any::<[u8; 4]>(),
        1 => select(vec![[202, 7, 0, 0], [202, 7, 1, 255], [192, 0, 2, 128], [192, 0, 2, 255], [202, 7, 0, 10], [203, 0, 113, 0], [255; 4], [0; 4]]),
    ]
}

fn address6() -> impl Strategy<Value = [u8; 16]> {
    prop_oneof![
        5 => any::<[u8; 16]>(),
        1 => (any::<u8>(), any::<[u8; 16]>()).prop_map(|(at, mut bytes)| {
            bytes[..usize::from(at % 17)].fill(0);
            bytes
        }),
        1 => any::<[u8; 14]>().prop_map(|rest| [&[0xff, 2][..], &rest].concat().try_into().unwrap()),
        1 => any::<[u8; 14]>().prop_map(|rest| [&[0xfe, 0x80][..], &rest].concat().try_into().unwrap()),
    ]
}

prop_compose! {
    fn ipv4()(
        carried in 46usize..300
    )(
        carried in Just(carried), first in mostly(0x45), rest in any::<[u8; 6]>(), length in about(carried),
        flags in prop_oneof![3 => Just([0x40, 0]), 3 => Just([0, 0]), 1 => any::<[u8; 2]>()], protocol in protocol(),
        addresses in (address4(), address4()), ports in (port(), port()), is_summed in prop_oneof![6 => Just(true), 1 => Just(false)],
    ) -> Vec<u8> {
        let mut packet = vec![first, rest[0]];
        packet.extend(length.to_be_bytes());
        packet.extend([rest[1], rest[2], flags[0], flags[1], rest[3], protocol, rest[4], rest[5]]);
        packet.extend([addresses.0, addresses.1].concat());
        packet.extend([ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat());
        packet.resize(carried, rest[3]);
        if is_summed { sum4(packet) } else { packet }
    }
}

prop_compose! {
    fn ipv6()(
        carried in 46usize..300
    )(
        carried in Just(carried), first in mostly(0x60), rest in any::<[u8; 4]>(), length in about(carried.saturating_sub(40)),
        protocol in protocol(), addresses in (address6(), address6()), ports in (port(), port()),
    ) -> Vec<u8> {
        let mut packet = vec![first, rest[0], rest[1], rest[2]];
        packet.extend(length.to_be_bytes());
        packet.extend([protocol, rest[3]]);
        packet.extend([addresses.0, addresses.1].concat());
        packet.extend([ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat());
        packet.resize(carried, rest[3]);
        packet
    }
}

/// Runs so many cases of packets; how many the filter's predicate held for.
fn plain_of(cases: u32, ethertype: u16, packets: impl Strategy<Value = Vec<u8>>, more: &str) -> usize {
    let plain = std::cell::Cell::new(0);
    let (one, none) = (std::cell::RefCell::new(tagged(more)), std::cell::RefCell::new(untagged(more)));
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let run = |packet: Vec<u8>| {
        let is_plain = one.borrow_mut().passes(ethertype, &packet);
        let frame = [&ethernet(TWO, ONE, &[], ethertype)[..], &packet].concat();
        let without = none.borrow_mut().plain::<HEADER>(Side::First, &frame).contains(&Stage::Filter);
        assert_eq!(without, is_plain, "a tag makes no difference");
        plain.set(plain.get() + usize::from(is_plain));
        Ok(())
    };
    if let Err(error) = proptest::test_runner::TestRunner::new(config).run(&packets, run) {
        panic!("{error}");
    }
    plain.get()
}

#[test]
fn the_filter_lets_any_ipv4_through_that_is_plain() {
    for more in ["drain: false", "drain: true"] {
        let plain = plain_of(6000, 0x0800, ipv4(), more);
        assert!(plain >= 300, "{plain} packets were plain");
    }
}

#[test]
fn the_filter_lets_any_ipv6_through_that_is_plain() {
    for more in ["drain: false", "drain: true"] {
        let plain = plain_of(6000, 0x86dd, ipv6(), more);
        assert!(plain >= 600, "{plain} packets were plain");
    }
}
