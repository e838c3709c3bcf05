//! The hostile: frames cut anywhere, random bytes, and mutated frames of every kind, on sides with every kind of tags.
//! Nothing panics, the books balance after each, and what crosses the [oracle](crate::oracle) would let cross.

use std::sync::LazyLock;
use std::time::Duration;

use pipeline::base::reason::Reason;
use pipeline::base::time::Time;
use pipeline::control::replay::Replay;
use pipeline::io::mem::Packet;
use pipeline::observe::books::SideBooks;
use pipeline::observe::report::Report;
use proptest::prelude::*;
use rules::{Rules, Side};

use crate::frames::*;
use crate::harness::*;
use crate::kinds::{Kind, crossing, drawing, refused};
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
    World {
        config,
        edges: [edge(0, mud), edge(1, wix)],
        members: true,
        answers: false,
        claims: true,
        mld: false,
    }
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

/// On behalf of members too.
fn answering_world() -> World {
    let mut world = tagged_world();
    world.config = world
        .config
        .with("arp: { mode: bridge }", "arp: { mode: answer }")
        .with("nd: { mode: bridge }", "nd: { mode: answer }");
    World { answers: true, ..world }
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
        answering_world(),
    ]
}

/// A bridge, and its oracle beside it.
struct Pair {
    world: World,
    bridge: Replay,
    now: Time,
    fed: u64,
    forwarded: u64,
    replies: u64,
}

/// What one frame caused.
#[derive(Debug, Default)]
struct Drawn {
    across: Option<Vec<u8>>,
    reply: Option<Vec<u8>>,
}

impl Pair {
    fn new(world: World) -> Pair {
        let rules = world.config.rules();
        Pair::of((world, rules))
    }

    fn of((world, rules): (World, Rules)) -> Pair {
        let bridge = Replay::new(rules).unwrap();
        Pair { world, bridge, now: Time::from_nanos(1_000_000_000), fed: 0, forwarded: 0, replies: 0 }
    }

    /// Gives a frame to a port; what crosses must be as the oracle says.
    fn feed(&mut self, port: usize, frame: &[u8]) -> Option<Vec<u8>> {
        self.draw(port, frame).across
    }

    /// Gives a frame to a port; what crosses and what comes back must be as the oracle says.
    fn draw(&mut self, port: usize, frame: &[u8]) -> Drawn {
        self.now = self.now.after(Duration::from_millis(25)); // slower than any limit
        let before = self.replying();
        let sent = self.bridge.feed(port, self.now, Packet::new(frame));
        self.fed += 1;
        let books = self.bridge.books();
        let unaccounted: i64 = books.sides.iter().flatten().map(|side| side.unaccounted()).sum();
        assert_eq!(unaccounted, 0, "the books do not balance after {frame:02x?}");
        let mut drawn = Drawn::default();
        for sent in sent {
            let reply = self.world.side_of(port, frame) == Some(sent.at.side);
            let verdict = if reply {
                let [passed, refused] = self.replying();
                assert!([passed, refused] != before, "a reply to a frame that was refused: {frame:02x?}");
                self.world.judge_reply(sent.at.side, frame, &sent.frame, refused > before[1])
            } else {
                self.world.judge(port, frame, (sent.port, &sent.frame))
            };
            if let Err(why) = verdict {
                panic!("sent, and must not be: {why}\n in {frame:02x?}\nout {:02x?}", sent.frame);
            }
            let (place, count) = match reply {
                true => (&mut drawn.reply, &mut self.replies),
                false => (&mut drawn.across, &mut self.forwarded),
            };
            *count += 1;
            assert!(place.replace(sent.frame).is_none(), "one frame became several: {frame:02x?}");
        }
        drawn
    }

    /// Outcomes that a reply may go with: those of frames that passed the filter and were not for the bridge to refuse, and of
    /// those that claim our addresses.
    fn replying(&self) -> [u64; 2] {
        let sum = |count: fn(&SideBooks) -> u64| self.bridge.books().sides.iter().flatten().map(count).sum();
        [
            sum(|side| side.forwarded + side.answered + side.dropped[Reason::TooBig.index()])
                // answered on behalf of a member, and then too long to be bridged besides
                + sum(|side| side.dropped[Reason::FrameTooLong.index()]),
            sum(|side| side.dropped[Reason::IpConflictOwn.index()]),
        ]
    }

    fn report(&self) -> Report {
        let report = Report::new(self.bridge.plan(), self.bridge.books(), &[]);
        assert_eq!(report.unaccounted, 0);
        assert_eq!(report.ports.values().map(|port| port.received).sum::<u64>(), self.fed);
        let transmitted: u64 = report.ports.values().map(|port| port.transmitted).sum();
        assert_eq!(transmitted, self.forwarded + self.replies);
        assert_eq!((report.outcomes["forwarded"], report.replies), (self.forwarded, self.replies));
        assert_eq!(report.outcomes.values().sum::<u64>(), self.fed);
        let told: u64 =
            report.causes.iter().filter(|(cause, _)| cause.starts_with("ptb_")).map(|(_, count)| count).sum();
        assert_eq!(told, report.outcomes.get("too_big").copied().unwrap_or(0));
        report
    }

    /// Gives a frame to a port, and says what it was dropped for.
    fn reason(&mut self, port: usize, frame: &[u8]) -> &'static str {
        let before = self.dropped();
        let drawn = self.draw(port, frame);
        assert!(drawn.across.is_none() && drawn.reply.is_none(), "drew {drawn:02x?}: {frame:02x?}");
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
            let Drawn { across: out, reply } =
                pair.draw(port_of(&world, kind.side), &world.wire(kind.side, &kind.frame));
            match kind.cut {
                _ if world.answers && reply.is_some() && out.is_none() => {} // suppressed
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
                // cut anywhere in its tags and shortly behind
                for len in (0..=30).chain([frame.len()]) {
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

/// Makes checksums and lengths right again, so that a mutation behind them is reached.
fn repair(frame: &mut [u8]) {
    let Some((header, packet)) = frame.split_at_mut_checked(14) else { return };
    match header[12..] {
        [0x86, 0xdd] if packet.len() >= 44 => {
            let len = packet.len() - 40;
            packet[4..6].copy_from_slice(&(len as u16).to_be_bytes());
            packet[42..44].fill(0);
            let pseudo =
                [&packet[8..40], &(len as u32).to_be_bytes(), &[0, 0, 0, 58], &packet[40..]].concat();
            let sum = checksum(&pseudo);
            packet[42..44].copy_from_slice(&sum.to_be_bytes());
        }
        [0x08, 0x00] if packet.len() >= 24 => {
            let len = packet.len();
            packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            let mut fill = |from: usize, to: usize, at: usize| {
                packet[at..at + 2].fill(0);
                let sum = checksum(&packet[from..to]);
                packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
            };
            fill(20, len, 22);
            fill(0, 20, 10);
        }
        _ => {}
    }
}

/// So many mutated frames of these kinds through a bridge; the same seed gives the same frames.
fn pelted(world: &World, kinds: &[Kind], seed: u64, count: usize) -> Pair {
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
        pair.feed(port_of(world, side), &wire);
    }
    pair
}

/// Frames of every kind, mutated.
fn storm(world: World, seed: u64, count: usize) {
    let mut pair = pelted(&world, &kinds(), seed, count);
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

/// Frames that draw replies, mutated: each reply is as the oracle says.
fn questions(world: World, seed: u64) {
    let mut world = world;
    // errors without a limit: 40 frames a second are mutations of a few sources
    world.config = world.config.plus("mtu_errors: { source: { rate: 1000/s, burst: 1000 } }");
    let count = EACH / 3;
    let pair = pelted(&world, &drawing(), seed, count);
    let report = pair.report();
    assert!(pair.replies > count as u64 / 10, "hardly anything is answered: {:?}", report.outcomes);
    assert!(report.outcomes.len() > 30, "hardly any rule was met: {:?}", report.outcomes);
}

const EACH: usize = 10_000; // 80,000 in all

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
fn mutated_frames_answered_on_behalf_of_members() {
    storm(answering_world(), 10, EACH);
}

#[test]
fn mutated_questions_draw_sound_replies_or_none() {
    questions(narrow_world(), 11);
}

#[test]
fn mutated_questions_draw_sound_replies_or_none_from_whoever() {
    questions(World { config: Config::cd(), members: false, claims: false, ..tagged_world() }, 12);
}

#[test]
fn mutated_questions_draw_sound_replies_or_none_on_behalf_of_members() {
    let mut world = answering_world();
    world.config = world.config.with("vlan: 20, mtu: 1500", "vlan: 20, mtu: 1280");
    world.edges[1].mtu = 1280;
    questions(world, 13);
}

#[test]
fn mutated_questions_draw_sound_replies_or_none_with_every_knob_open() {
    questions(qinq_to_untagged_world(), 14);
}

#[test]
fn mutated_questions_draw_sound_replies_or_none_on_one_trunk() {
    questions(trunk_world(), 15);
}

#[test]
fn every_kind_of_question_draws_one_reply_and_cut_short_none() {
    let world = narrow_world();
    let mut pair = Pair::new(world.clone());
    for kind in drawing() {
        let (port, wire) = (port_of(&world, kind.side), world.wire(kind.side, &kind.frame));
        let drawn = pair.draw(port, &wire);
        assert!(drawn.reply.is_some() && drawn.across.is_none(), "{}: {drawn:02x?}", kind.name);
        for len in 0..wire.len() {
            let drawn = pair.draw(port, &wire[..len]);
            assert!(
                drawn.reply.is_none() && drawn.across.is_none(),
                "{} cut to {len}: {drawn:02x?}",
                kind.name
            );
        }
    }
    pair.report();
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
    #![proptest_config(ProptestConfig::with_cases(64))] // each starts a bridge

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
    fn any_solicitation_of_ours_draws_a_sound_reply_or_none(
        src in proptest::sample::select(vec!["::", "2001:7fa:3:ca07::a", "2001:7fa:3:ca07::fe", "fe80::a", "2001:db8::1", "ff02::1"]),
        target in proptest::sample::select(vec!["2001:7fa:3:ca07::fe", "2001:7fa:3:ca07::b", "fe80::51:ff:fe00:a", "fe80::51:ff:fe00:14"]),
        (unicast, to_us, hop_limit, flags) in (any::<bool>(), any::<bool>(), 254..=255u8, any::<u8>()),
        options in proptest::collection::vec((0..16u8, 0..3u8, any::<[u8; 6]>()), 0..4),
        (world, rules) in any_pair(),
    ) {
        let mut bytes = Vec::new();
        for (kind, units, body) in &options {
            let body = if *kind < 3 { A } else { *body };
            bytes.extend([*kind, *units]);
            bytes.extend(body.iter().cycle().take((usize::from(*units) * 8).saturating_sub(2)));
        }
        let (group, group_mac) = solicited(target);
        let dst = if to_us { MAC_M } else if unicast { B } else { group_mac };
        let to = if unicast { target } else { group.as_str() };
        let mut pair = Pair::of((world.clone(), rules));
        for message in [ns(target, &bytes), na(flags, target, &bytes)] {
            let frame = ether(dst, A, 0x86dd, &icmp6(src, to, hop_limit, &message));
            pair.feed(0, &world.wire(M, &frame));
        }
        pair.report();
    }

    #[test]
    fn any_arp_of_ours_draws_a_sound_reply_or_none(
        (op, dst) in (0..4u16, proptest::sample::select(vec![BROADCAST, MAC_M, MAC_W, B])),
        sha in proptest::sample::select(vec![A, B, MAC_M, [0; 6], [0, 0, 0x5e, 0, 1, 9], BROADCAST]),
        ips in proptest::array::uniform2(proptest::sample::select(vec!["202.7.0.10", "202.7.0.20", "202.7.1.254", "0.0.0.0", "202.7.1.255", "10.0.0.1"])),
        trailer in proptest::collection::vec(any::<u8>(), 0..40),
        (world, rules) in any_pair(),
    ) {
        let packet = [arp(op, sha, ips[0], [0; 6], ips[1]), trailer].concat();
        let mut pair = Pair::of((world.clone(), rules));
        pair.feed(0, &world.wire(M, &ether(dst, A, 0x0806, &packet)));
        pair.report();
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
