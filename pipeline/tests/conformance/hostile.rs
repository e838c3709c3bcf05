//! The hostile: frames cut anywhere, random bytes, and mutated frames of every kind, on sides with every kind of tags.
//! Nothing panics, the books balance after each, and what crosses the [oracle](crate::oracle) would let cross.

use std::sync::LazyLock;
use std::time::Duration;

use pipeline::io::mem::Packet;
use pipeline::reason::Reason;
use pipeline::replay::Replay;
use pipeline::report::Report;
use pipeline::time::Time;
use proptest::prelude::*;
use rules::{Rules, Side};

use crate::frames::*;
use crate::harness::*;
use crate::kinds::{Kind, crossing, refused};
use crate::oracle::{Edge, World};

/// C0, or with other tags on its sides.
fn world(mud: &[(u16, u16)], wix: &[(u16, u16)]) -> World {
    let vlans = |tags: &[(u16, u16)]| match tags {
        [] => String::new(),
        [(_, vid)] => format!("vlan: {vid}, "),
        [(_, outer), (_, vid), ..] => format!("outer_vlan: {outer}, vlan: {vid}, "),
    };
    let config = Config::c0()
        .with("port: trunk0, vlan: 10, ", &format!("port: trunk0, {}", vlans(mud)))
        .with("port: trunk1, vlan: 20, ", &format!("port: trunk1, {}", vlans(wix)));
    let edge = |port, tags: &[(u16, u16)]| Edge { port, tags: tags.to_vec(), mtu: 1500 };
    World { config, edges: [edge(0, mud), edge(1, wix)], members: true, claims: true, mld: false }
}

const TAG_10: &[(u16, u16)] = &[(0x8100, 10)];
const TAG_20: &[(u16, u16)] = &[(0x8100, 20)];
const QINQ: &[(u16, u16)] = &[(0x88a8, 100), (0x8100, 20)];

fn tagged_world() -> World {
    world(TAG_10, TAG_20)
}

fn learned_world() -> World {
    World { config: Config::cd(), members: false, claims: false, ..tagged_world() }
}

fn untagged_world() -> World {
    world(&[], TAG_20)
}

fn qinq_world() -> World {
    world(TAG_10, QINQ)
}

fn qinq_to_untagged_world() -> World {
    let mut world = world(QINQ, &[]);
    world.config = world.config.plus("conflict: pass").plus("mld: pass");
    World { claims: false, mld: true, ..world }
}

fn trunk_world() -> World {
    let mut world = tagged_world();
    world.config = world
        .config
        .with("wix: { port: trunk1", "wix: { port: trunk0")
        .with("  trunk1: { device: \"net_null1\" }\n", "");
    world.edges[1].port = 0;
    world
}

fn narrow_world() -> World {
    let mut world = tagged_world();
    world.config = world.config.with("vlan: 20, mtu: 1500", "vlan: 20, mtu: 1280");
    world.edges[1].mtu = 1280;
    world
}

fn worlds() -> Vec<World> {
    vec![
        tagged_world(),
        learned_world(),
        untagged_world(),
        qinq_world(),
        qinq_to_untagged_world(),
        trunk_world(),
        narrow_world(),
    ]
}

/// A bridge, and its oracle beside it.
struct Pair {
    world: World,
    bridge: Replay,
    now: Time,
    fed: u64,
    forwarded: u64,
}

impl Pair {
    fn new(world: World) -> Pair {
        let rules = world.config.rules();
        Pair::of((world, rules))
    }

    fn of((world, rules): (World, Rules)) -> Pair {
        let bridge = Replay::new(rules);
        Pair { world, bridge, now: Time::from_nanos(1_000_000_000), fed: 0, forwarded: 0 }
    }

    /// Gives a frame to a port; what comes out must be as the oracle says.
    fn feed(&mut self, port: usize, frame: &[u8]) -> Option<Vec<u8>> {
        self.now = self.now.after(Duration::from_millis(25)); // slower than any limit
        let sent = self.bridge.feed(port, self.now, Packet::new(frame));
        self.fed += 1;
        self.forwarded += sent.len() as u64;
        let books = self.bridge.books();
        let unaccounted: i64 = books.sides.iter().flatten().map(|side| side.unaccounted()).sum();
        assert_eq!(unaccounted, 0, "the books do not balance after {frame:02x?}");
        assert!(sent.len() <= 1, "one frame became {}: {frame:02x?}", sent.len());
        let sent = sent.into_iter().next()?;
        if let Err(why) = self.world.judge(port, frame, (sent.port, &sent.frame)) {
            panic!("crossed, and must not: {why}\n in {frame:02x?}\nout {:02x?}", sent.frame);
        }
        Some(sent.frame)
    }

    fn report(&self) -> Report {
        let report = Report::new(self.bridge.plan(), self.bridge.books(), &[]);
        assert_eq!(report.unaccounted, 0);
        assert_eq!(report.ports.values().map(|port| port.received).sum::<u64>(), self.fed);
        assert_eq!(report.ports.values().map(|port| port.transmitted).sum::<u64>(), self.forwarded);
        assert_eq!(report.outcomes.values().sum::<u64>(), self.fed);
        report
    }

    /// Gives a frame to a port, and says what it was dropped for.
    fn reason(&mut self, port: usize, frame: &[u8]) -> &'static str {
        let before = self.dropped();
        assert_eq!(self.feed(port, frame), None, "crossed: {frame:02x?}");
        let after = self.dropped();
        let grown: Vec<_> = (0..Reason::COUNT).filter(|at| after[*at] > before[*at]).collect();
        assert_eq!(grown.len(), 1, "one frame has one outcome: {frame:02x?}");
        Reason::ALL[grown[0]].name()
    }

    fn dropped(&self) -> [u64; Reason::COUNT] {
        let books = self.bridge.books();
        let ports = books.ports.iter().map(|port| &port.dropped);
        let mut sum = [0; Reason::COUNT];
        for dropped in ports.chain(books.sides.iter().flatten().map(|side| &side.dropped)) {
            sum.iter_mut().zip(dropped).for_each(|(sum, count)| *sum += count);
        }
        sum
    }
}

fn port_of(world: &World, side: Side) -> usize {
    world.edges[side.index()].port
}

fn kinds() -> Vec<Kind> {
    crossing().into_iter().chain(refused()).collect()
}

#[test]
fn the_oracle_knows_what_may_cross() {
    for world in worlds() {
        for kind in kinds().iter().filter(|kind| !(kind.name == "MLD" && world.mld)) {
            let (from, to) = (port_of(&world, kind.side), port_of(&world, kind.side.other()));
            let wire = world.wire(kind.side, &kind.frame);
            let verdict = world.judge(from, &wire, (to, &world.crossed(kind.side, &kind.frame)));
            assert_eq!(verdict.is_ok(), kind.cut.is_some(), "{}: {verdict:?}", kind.name);
            if world.edges[0].tags != world.edges[1].tags {
                assert!(world.judge(from, &wire, (to, &wire)).is_err(), "{} with its old tags", kind.name);
            }
        }
    }
}

#[test]
fn every_kind_crosses_or_not_on_sides_of_every_kind() {
    for world in worlds().into_iter().filter(|world| world.members) {
        let mut pair = Pair::new(world.clone());
        for kind in kinds() {
            let out = pair.feed(port_of(&world, kind.side), &world.wire(kind.side, &kind.frame));
            match kind.cut {
                Some(_) => assert_eq!(out, Some(world.crossed(kind.side, &kind.frame)), "{}", kind.name),
                None => assert!(out.is_none() || (kind.name == "MLD" && world.mld), "{} crossed", kind.name),
            }
        }
        pair.report();
    }
}

#[test]
fn frames_cut_anywhere_have_the_right_reason() {
    for world in worlds().into_iter().filter(|world| world.members) {
        let mut pair = Pair::new(world.clone());
        for kind in crossing() {
            let wire = world.wire(kind.side, &kind.frame);
            let header = wire.len() - kind.frame.len() + 14;
            for len in 0..wire.len() {
                let reason = if len < header { "runt" } else { kind.cut.unwrap() };
                let port = port_of(&world, kind.side);
                assert_eq!(
                    pair.reason(port, &wire[..len]),
                    reason,
                    "{} cut to {len} of {}",
                    kind.name,
                    wire.len()
                );
            }
        }
        pair.report();
    }
}

#[test]
fn frames_that_do_not_cross_do_not_cut_short_either() {
    for world in worlds() {
        let mut pair = Pair::new(world.clone());
        for kind in refused().iter().filter(|kind| !(kind.name == "MLD" && world.mld)) {
            let wire = world.wire(kind.side, &kind.frame);
            for len in 0..=wire.len() {
                assert_eq!(
                    pair.feed(port_of(&world, kind.side), &wire[..len]),
                    None,
                    "{} cut to {len}",
                    kind.name
                );
            }
        }
        pair.report();
    }
}

#[test]
fn frames_with_any_other_tags_do_not_cross() {
    for world in worlds() {
        let mut pair = Pair::new(world.clone());
        let tags: [&[u8]; 9] = [
            &[],
            &[0x81, 0, 0, 30],
            &[0x81, 0, 0, 0],
            &[0x81, 0, 0x0f, 0xff],
            &[0x88, 0xa8, 0, 10],
            &[0x91, 0, 0, 10],
            &[0x88, 0xa8, 0, 100, 0x81, 0, 0, 30],
            &[0x81, 0, 0, 10, 0x81, 0, 0, 20],
            &[0x88, 0xa8, 0, 100, 0x81, 0, 0, 20, 0x81, 0, 0, 20],
        ];
        for kind in crossing() {
            for tags in tags {
                let frame = [&kind.frame[..12], tags, &kind.frame[12..]].concat();
                for len in 0..=frame.len() {
                    pair.feed(port_of(&world, kind.side), &frame[..len]); // the oracle knows which tags are right
                }
            }
        }
        pair.report();
    }
}

/// SplitMix64: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Bytes that mean something somewhere in a header.
const BYTES: [u8; 32] = [
    0, 1, 2, 4, 5, 6, 8, 9, 10, 17, 43, 44, 51, 58, 59, 60, 64, 127, 128, 133, 134, 135, 136, 137, 143, 0x45,
    0x4f, 0x60, 224, 254, 255, 20,
];
const TYPES: [u16; 12] =
    [0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x9000, 0x88cc, 0x0026, 0x05dd, 0x0600, 0xffff];

fn mutate(dice: &mut Dice, frame: &mut Vec<u8>, other: &[u8]) {
    let at = dice.below(frame.len());
    match dice.below(11) {
        0 => frame.truncate(at),
        1 => {
            let more = dice.below(64);
            frame.extend((0..more).map(|_| 0));
        }
        2 => {
            let more = dice.below(1500);
            frame.extend((0..more).map(|n| n as u8));
        }
        3 => {
            let (byte, count) = (dice.pick(&BYTES), 1 + dice.below(16));
            frame.splice(at..at, std::iter::repeat_n(byte, count));
        }
        4 => {
            let end = (at + 1 + dice.below(12)).min(frame.len());
            frame.drain(at..end);
        }
        5 => {
            frame.truncate(at);
            frame.extend(other.get(at..).unwrap_or_default());
        }
        6 if frame.len() >= 14 => frame[12..14].copy_from_slice(&dice.pick(&TYPES).to_be_bytes()),
        7 if frame.len() >= 14 => {
            let mac =
                dice.pick(&[A, B, BROADCAST, MAC_M, MAC_W, [0; 6], [0x33, 0x33, 0, 0, 0, 1], station(5)]);
            let at = dice.pick(&[0, 6]);
            frame[at..at + 6].copy_from_slice(&mac);
        }
        8 | 9 if at < frame.len() => frame[at] = dice.pick(&BYTES),
        _ if at < frame.len() => frame[at] ^= 1 << dice.below(8),
        _ => {}
    }
}

/// Makes a checksum and a length right again, so that a mutation behind them is reached.
fn repair(frame: &mut [u8]) {
    let Some((header, packet)) = frame.split_at_mut_checked(14) else { return };
    if header[12..] != [0x86, 0xdd] || packet.len() < 44 {
        return;
    }
    let len = packet.len() - 40;
    packet[4..6].copy_from_slice(&(len as u16).to_be_bytes());
    packet[42..44].fill(0);
    let pseudo = [&packet[8..40], &(len as u32).to_be_bytes(), &[0, 0, 0, 58], &packet[40..]].concat();
    let sum = checksum(&pseudo);
    packet[42..44].copy_from_slice(&sum.to_be_bytes());
}

/// So many mutated frames through a bridge; the same seed gives the same frames.
fn storm(world: World, seed: u64, count: usize) {
    let kinds = kinds();
    let mut dice = Dice(seed);
    let mut pair = Pair::new(world.clone());
    for _ in 0..count {
        let kind = &kinds[dice.below(kinds.len())];
        let mut frame = kind.frame.clone();
        for _ in 0..dice.below(4) {
            let other = dice.below(kinds.len());
            mutate(&mut dice, &mut frame, &kinds[other].frame);
        }
        if dice.one_in(2) {
            repair(&mut frame);
        }
        let side = if dice.one_in(16) { kind.side.other() } else { kind.side };
        let mut wire = world.wire(side, &frame);
        if dice.one_in(8) {
            mutate(&mut dice, &mut wire, &kind.frame);
        }
        pair.feed(port_of(&world, side), &wire);
    }
    let report = pair.report();
    assert!(pair.forwarded > count as u64 / 10, "hardly anything crosses: {:?}", report.outcomes);
    assert!(report.outcomes.len() > 30, "hardly any rule was met: {:?}", report.outcomes);
    if !world.members {
        return; // who spoke on both sides may be in quarantine
    }
    let kind = &crossing()[0];
    let out = pair.feed(port_of(&world, M), &world.wire(M, &kind.frame));
    assert_eq!(out, Some(world.crossed(M, &kind.frame)));
}

const EACH: usize = 15_000; // 105,000 in all

#[test]
fn mutated_frames_between_tagged_sides() {
    storm(tagged_world(), 1, EACH);
}

#[test]
fn mutated_frames_with_admission_by_learning() {
    storm(learned_world(), 2, EACH);
}

#[test]
fn mutated_frames_from_an_untagged_side() {
    storm(untagged_world(), 3, EACH);
}

#[test]
fn mutated_frames_to_a_qinq_side() {
    storm(qinq_world(), 4, EACH);
}

#[test]
fn mutated_frames_from_qinq_to_untagged_with_every_knob_open() {
    storm(qinq_to_untagged_world(), 5, EACH);
}

#[test]
fn mutated_frames_on_one_trunk() {
    storm(trunk_world(), 6, EACH);
}

#[test]
fn mutated_frames_to_a_narrow_side() {
    storm(narrow_world(), 7, EACH);
}

#[test]
fn mutated_frames_end_alike_in_every_run() {
    let run = || {
        let mut dice = Dice(8);
        let mut pair = Pair::new(learned_world());
        for _ in 0..2000 {
            let kind = &kinds()[dice.below(37)];
            let mut frame = kind.frame.clone();
            mutate(&mut dice, &mut frame, &[]);
            pair.feed(port_of(&pair.world, kind.side), &tagged(kind.side, &frame));
        }
        pair.report()
    };
    assert_eq!(run(), run());
}

#[test]
fn random_bytes() {
    for (seed, world) in worlds().into_iter().enumerate() {
        let mut dice = Dice(100 + seed as u64);
        let mut pair = Pair::new(world.clone());
        for _ in 0..1500 {
            let mut bytes: Vec<u8> = (0..dice.below(200)).map(|_| dice.roll() as u8).collect();
            let side = dice.pick(&[M, W]);
            if dice.one_in(2) {
                // random only behind a good start
                let (dst, src) = if side == M { (B, A) } else { (A, B) };
                bytes = world.wire(side, &ether(dst, src, dice.pick(&TYPES[..3]), &bytes));
            }
            pair.feed(port_of(&world, side), &bytes);
        }
        pair.report();
    }
}

#[test]
fn mutated_frames_reach_the_deep_rules() {
    // what the storms are worth: the deep rules are among their outcomes
    let kinds = kinds();
    let mut dice = Dice(9);
    let mut pair = Pair::new(tagged_world());
    for _ in 0..10_000 {
        let kind = &kinds[dice.below(kinds.len())];
        let mut frame = kind.frame.clone();
        mutate(&mut dice, &mut frame, &kinds[0].frame);
        repair(&mut frame);
        pair.feed(port_of(&pair.world, kind.side), &tagged(kind.side, &frame));
    }
    let met = pair.report().outcomes;
    for reason in [
        "nd_option",
        "nd_hoplimit",
        "nd_lladdr_mismatch",
        "nd_mcast_map",
        "nd_not_wix",
        "nd_code",
        "v6_hdrchain",
    ] {
        assert!(met.contains_key(reason), "{reason} was never met: {met:?}");
    }
}

/// A bridge in a world, its rules read once for all cases.
fn any_pair() -> impl Strategy<Value = (World, Rules)> {
    static WORLDS: LazyLock<Vec<(World, Rules)>> =
        LazyLock::new(|| worlds().into_iter().map(|world| (world.clone(), world.config.rules())).collect());
    proptest::sample::select(WORLDS.as_slice())
}

fn any_side() -> impl Strategy<Value = Side> {
    proptest::sample::select(vec![M, W])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))] // each starts a bridge

    #[test]
    fn any_bytes_end_somewhere(world in any_pair(), frames in proptest::collection::vec((0..2usize, proptest::collection::vec(any::<u8>(), 0..128)), 1..20)) {
        let mut pair = Pair::of(world);
        for (port, frame) in frames {
            let port = port.min(pair.world.edges[1].port);
            pair.feed(port, &frame);
        }
        pair.report();
    }

    #[test]
    fn any_payload_between_members_ends_somewhere(
        (world, rules) in any_pair(),
        side in any_side(),
        ethertype in proptest::sample::select(TYPES.to_vec()),
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..96), 1..20),
    ) {
        let (dst, src) = if side == M { (B, A) } else { (A, B) };
        let mut pair = Pair::of((world.clone(), rules));
        for payload in payloads {
            pair.feed(port_of(&world, side), &world.wire(side, &ether(dst, src, ethertype, &payload)));
        }
        pair.report();
    }

    #[test]
    fn any_extension_headers_hide_nothing(
        headers in proptest::collection::vec((proptest::sample::select(vec![0u8, 43, 44, 51, 60, 135, 139, 140]), 0..4u8, any::<[u8; 2]>()), 0..10),
        kind in proptest::sample::select(vec![1u8, 128, 130, 133, 134, 135, 136, 137, 143]),
        to_group in any::<bool>(),
        (world, rules) in any_pair(),
    ) {
        let mut payload = Vec::new();
        for (at, (header, units, word)) in headers.iter().enumerate() {
            let next = headers.get(at + 1).map_or(58, |(kind, ..)| *kind);
            let len = match header { 44 => 8, 51 => 8 + 4 * usize::from(*units), _ => 8 + 8 * usize::from(*units) };
            let mut bytes = vec![0; len];
            bytes[..4].copy_from_slice(&[next, *units, word[0] & 0x01, word[1]]);
            payload.extend(bytes);
        }
        let (to, dst) = if to_group { ("ff02::1", [0x33, 0x33, 0, 0, 0, 1]) } else { ("fe80::b", B) };
        payload.extend(icmp6_sum("fe80::a", to, &[&[kind, 0, 0, 0][..], &[0; 28]].concat()));
        let first = headers.first().map_or(58, |(kind, ..)| *kind);
        let frame = ether(dst, A, 0x86dd, &ipv6("fe80::a", to, first, 255, &payload));
        let wire = world.wire(M, &frame);
        Pair::of((world, rules)).feed(0, &wire);
    }

    #[test]
    fn any_options_end_somewhere(options in proptest::collection::vec((any::<u8>(), 0..5u8, any::<[u8; 6]>()), 0..8), cut in 0..9usize, (world, rules) in any_pair()) {
        let mut bytes = Vec::new();
        for (kind, units, body) in &options {
            bytes.extend([*kind % 4, *units]);
            bytes.extend(body.iter().cycle().take((usize::from(*units) * 8).saturating_sub(2)));
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let (group, dst) = solicited("fe80::b");
        let frame = ether(dst, A, 0x86dd, &icmp6("fe80::a", &group, 255, &ns("fe80::b", &bytes)));
        let wire = world.wire(M, &frame);
        Pair::of((world, rules)).feed(0, &wire);
    }
}
