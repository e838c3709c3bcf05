//! Two workers with the same rules, one of them without the fast path: whatever comes, in whatever bursts and at whatever
//! times, they send the same, count the same, tell the control thread the same and know the same.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use pipeline::base::BURST;
use pipeline::base::reason::Stage;
use pipeline::base::time::Time;
use pipeline::control::effects::Effects;
use pipeline::control::plane::ControlPlane;
use pipeline::frame::buffer::Buffer;
use pipeline::io::mem::{MemIo, Packet};
use pipeline::observe::books::Books;
use pipeline::observe::profile::{Profile, Stopwatch};
use pipeline::path::control_queue::{ControlMsg, ControlRx};
use pipeline::plan::Plan;
use pipeline::table::fdb::Learned;
use pipeline::worker::Worker;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;
use rules::{Admission, Mac, Side};

use crate::frames::*;
use crate::harness::*;
use crate::kinds::{crossing, drawing, refused};

/// Rules, and what comes in on the sides of their bridges.
#[derive(Debug, Clone)]
struct World {
    name: &'static str,
    config: Config,
    /// Port and tags, of each bridge's two sides in turn.
    sides: Vec<(usize, Vec<(u16, u16)>)>,
    /// Stations on each side: members, or learned before anything comes.
    stations: usize,
    learned: bool,
    /// Of plain unicast, so many in a hundred take the fast path at least; 0 where none does.
    floor: u64,
}

/// A station of a side.
fn station_on(side: usize, number: usize) -> [u8; 6] {
    station((2 * number + side % 2) as u32)
}

impl World {
    /// Between VLAN 10 of the first port and VLAN 20 of the second.
    fn new(name: &'static str, config: Config) -> World {
        let sides = vec![(0, vec![(0x8100, 10)]), (1, vec![(0x8100, 20)])];
        let learned = config.rules().bridges[0].admission == Admission::Learned;
        World { name, config, sides, stations: 4, learned, floor: 90 }
    }

    /// The same with its stations as members.
    fn peopled(self) -> World {
        let member = |config: Config, number: usize| {
            let on = |side| mac(station_on(side, number));
            config.member(M, &on(0)).member(W, &on(1))
        };
        World { config: (0..self.stations).fold(self.config.clone(), member), ..self }
    }

    /// Other tags on its sides, whose keys `from` gives as they are in the YAML.
    fn tags(mut self, keys: [&str; 2], tags: [&[(u16, u16)]; 2], floor: u64) -> World {
        self.config = self.config.with("trunk0, vlan: 10, ", &format!("trunk0, {}", keys[0]));
        self.config = self.config.with("trunk1, vlan: 20, ", &format!("trunk1, {}", keys[1]));
        for (side, tags) in self.sides.iter_mut().zip(tags) {
            side.1 = tags.to_vec();
        }
        World { floor, ..self }
    }

    fn plan(&self) -> Plan {
        Plan::new(self.config.rules(), None, &[], 0).unwrap()
    }
}

fn worlds() -> Vec<World> {
    let prefixes: String = (0..63).map(|n| format!(", 203.0.{n}.0/24")).collect();
    let with_prefixes = |config: Config, more: &str| {
        config.with("ipv4: [202.7.0.0/23]", &format!("ipv4: [202.7.0.0/23{more}]"))
    };
    let trunk = |config: Config| {
        config
            .with("wix: { port: trunk1", "wix: { port: trunk0")
            .with("  trunk1: { device: \"net_null1\" }\n", "")
    };
    let another_bridge = "    loop: { probe: off }\n  other:\n    sides:\n      \
        a: { port: trunk1, vlan: 30, mtu: 1300 }\n      b: { port: trunk0, vlan: 40, mtu: 1500 }\n    \
        peering: { ipv4: [10.9.0.0/24], ipv6: [\"2001:db8:9::/64\"] }\n    loop: { probe: off }";
    let roam = |config: Config, from: &str| {
        (0..8).fold(config, |config: Config, number| {
            let mac = mac(station(number));
            config.with(from, &format!("- {{ name: \"{mac}\", mac: \"{mac}\" }}\n      {from}"))
        })
    };
    let narrow = |config: Config, keys: &str| {
        config.with("vlan: 20, mtu: 1500,", &format!("vlan: 20, mtu: 1400,{keys}"))
    };
    let mut two = World::new(
        "two bridges on the same ports",
        Config::cd().with("    loop: { probe: off }", another_bridge),
    );
    two.sides.extend([(1, vec![(0x8100, 30)]), (0, vec![(0x8100, 40)])]);
    let mut one_port = World::new("one trunk", trunk(Config::c0())).peopled();
    let mut one_port_learned = World::new("one trunk, learned", trunk(Config::cd()));
    one_port.sides[1].0 = 0;
    one_port_learned.sides[1].0 = 0;
    let mut large = World::new("tables beyond 1 MiB", Config::cd().plus("macs: { capacity: 20000 }"));
    large.stations = 3000;
    let (tag_10, tag_20): (&[_], &[_]) = (&[(0x8100, 10)], &[(0x8100, 20)]);
    vec![
        World::new("members", Config::c0()).peopled(),
        World::new("learned", Config::cd()),
        World::new("answering", Config::ca()).peopled(),
        World::new("narrow", Config::cm()).peopled(),
        World::new("narrow and learned", narrow(Config::cd(), "")),
        World::new("fragments", narrow(Config::cd(), " fragment: true,")),
        World::new("untagged", Config::c0()).peopled().tags(["", ""], [&[], &[]], 90),
        World::new("untagged and learned", Config::cd()).tags(["", ""], [&[], &[]], 90),
        World::new("untagged to tagged", Config::cd()).tags(["", "vlan: 20, "], [&[], tag_20], 0),
        World::new("QinQ to tagged", Config::cd()).tags(
            ["outer_vlan: 100, vlan: 10, ", "vlan: 20, "],
            [&[(0x88a8, 100), (0x8100, 10)], tag_20],
            0,
        ),
        World::new("tagged to QinQ", Config::c0()).peopled().tags(
            ["vlan: 10, ", "outer_vlan: 100, vlan: 20, "],
            [tag_10, &[(0x88a8, 100), (0x8100, 20)]],
            0,
        ),
        // TCP, a quarter, may be BGP
        World { floor: 60, ..World::new("drain", Config::c0().plus("drain: true")).peopled() },
        World::new("mld", Config::c0().plus("mld: pass")).peopled(),
        World::new("unknown unicast dropped", Config::cd().plus("unknown_unicast: drop")),
        World::new(
            "roaming members",
            roam(Config::c0().with("admission: members", "admission: learned"), "#more"),
        ),
        World { learned: true, ..World::new("roaming members and no others", roam(Config::c0(), "#more")) },
        World::new("three prefixes", with_prefixes(Config::c0(), ", 192.0.2.0/24, 198.51.100.0/30"))
            .peopled(),
        World::new("64 prefixes", with_prefixes(Config::cd(), &prefixes)),
        World::new("a small table", Config::cd().plus("macs: { capacity: 16, age: 10s }")),
        one_port,
        one_port_learned,
        two,
        large,
    ]
}

/// A frame before it is known which world it comes into.
#[derive(Debug, Clone)]
struct Draft {
    side: Index,
    what: What,
    twist: Twist,
    edits: Vec<(usize, u8)>,
    cut: usize,
}

#[derive(Debug, Clone)]
enum What {
    /// IP between a station here and one there.
    Plain { src: Index, dst: Index, is_v4: bool, protocol: u8, size: usize },
    /// The same, but any of it may be odd.
    Odd {
        src: Index,
        dst: Index,
        hosts: (usize, usize),
        is_v4: bool,
        protocol: u8,
        ports: (u16, u16),
        size: usize,
        df: bool,
    },
    /// One of every kind that a bridge meets, sound and not.
    Kind(Index),
}

#[derive(Debug, Clone, Copy)]
enum Twist {
    Priority(u16),
    OtherSide,
    Untagged,
    Deeper,
}

const PROTOCOLS: [u8; 4] = [17, 6, 50, 17];
const HOSTS4: [&str; 9] = [
    "192.0.2.1",
    "198.51.100.2",
    "202.7.0.10",
    "202.7.1.255",
    "202.7.0.0",
    "203.0.9.255",
    "127.0.0.1",
    "224.0.0.5",
    "255.255.255.255",
];
const HOSTS6: [&str; 7] =
    ["2001:db8::1", "2001:7fa:3:ca07::a", "2001:7fa:3:ca07::b", "fe80::a", "::1", "::", "ff02::1"];

fn plain() -> impl Strategy<Value = What> {
    (
        any::<Index>(),
        any::<Index>(),
        any::<bool>(),
        select(&PROTOCOLS),
        prop_oneof![4 => 8usize..100, 1 => 100usize..1250],
    )
        .prop_map(|(src, dst, is_v4, protocol, size)| What::Plain { src, dst, is_v4, protocol, size })
}

fn odd() -> impl Strategy<Value = What> {
    let port =
        || prop_oneof![3 => 1024u16..2000, 1 => select(vec![179u16, 67, 68, 546, 547, 53, 66, 69, 545, 548])];
    let size = prop_oneof![6 => 0usize..60, 2 => 1200usize..1490];
    let protocol = select(vec![17u8, 6, 50, 1, 47, 58, 44, 0]);
    (any::<(Index, Index)>(), (0..9usize, 0..9usize), any::<(bool, bool)>(), protocol, (port(), port()), size)
        .prop_map(|((src, dst), hosts, (is_v4, df), protocol, ports, size)| What::Odd {
            src,
            dst,
            hosts,
            is_v4,
            protocol,
            ports,
            size,
            df,
        })
}

prop_compose! {
    fn drafts()(
        side in any::<Index>(),
        what in prop_oneof![6 => plain(), 4 => odd(), 2 => any::<Index>().prop_map(What::Kind)],
        twist in prop_oneof![
            14 => (0u16..16).prop_map(|bits| Twist::Priority(bits << 12)),
            1 => Just(Twist::OtherSide), 1 => Just(Twist::Untagged), 1 => Just(Twist::Deeper)
        ],
        edits in prop_oneof![
            6 => Just(vec![]), 1 => proptest::collection::vec((0usize..64, any::<u8>()), 1..3)
        ],
        cut in prop_oneof![14 => Just(usize::MAX), 1 => 0usize..90],
    ) -> Draft {
        Draft { side, what, twist, edits, cut }
    }
}

fn only_plain() -> impl Strategy<Value = Draft> {
    (any::<Index>(), plain(), 0u16..16).prop_map(|(side, what, bits)| Draft {
        side,
        what,
        twist: Twist::Priority(bits << 12),
        edits: vec![],
        cut: usize::MAX,
    })
}

impl Draft {
    /// The frame, and the port that receives it.
    fn frame(&self, world: &World, kinds: &[Vec<u8>]) -> (usize, Vec<u8>) {
        let side = self.side.index(world.sides.len());
        // where there are thousands, some speak more often: to be heard again after they have aged
        let some = |index: &Index| if index.index(4) > 0 { world.stations.min(8) } else { world.stations };
        let at = |index: &Index, side| station_on(side, index.index(some(index)));
        let mut frame = match &self.what {
            What::Plain { src, dst, is_v4, protocol, size } => {
                let data = udp(4000, 5000, &vec![0x5a; size - 8]);
                let (dst, src) = (at(dst, side + 1), at(src, side));
                match is_v4 {
                    true => ether(dst, src, 0x0800, &ipv4(HOSTS4[0], "203.0.113.7", *protocol, &data)),
                    false => ether(dst, src, 0x86dd, &ipv6(HOSTS6[0], "2001:db8:2::2", *protocol, 64, &data)),
                }
            }
            What::Odd { src, dst, hosts, is_v4, protocol, ports, size, df } => {
                const SOME: [[u8; 6]; 8] = [
                    A,
                    B,
                    MAC_M,
                    MAC_W,
                    BROADCAST,
                    [0; 6],
                    [0, 0xe0, 0x2b, 0, 0, 4],
                    [0x33, 0x33, 0, 0, 0, 1],
                ];
                // mostly a station here to one there, also the other way, a stranger, and what is none
                let pick = |index: &Index, side| match index.index(16) {
                    0..8 => at(index, side),
                    8..11 => at(index, side + 1),
                    11 => station(index.index(1 << 20) as u32),
                    _ => SOME[index.index(8)],
                };
                let data = udp(ports.0, ports.1, &vec![0x5a; *size]);
                let (dst, src) = (pick(dst, side + 1), pick(src, side));
                if *is_v4 {
                    let packet = ipv4(HOSTS4[hosts.0], HOSTS4[hosts.1], *protocol, &data);
                    let packet = ipv4_with(packet, |packet| packet[6] = if *df { 0x40 } else { 0 });
                    ether(dst, src, 0x0800, &packet)
                } else {
                    let (from, to) = (HOSTS6[hosts.0 % HOSTS6.len()], HOSTS6[hosts.1 % HOSTS6.len()]);
                    ether(dst, src, 0x86dd, &ipv6(from, to, *protocol, 64, &data))
                }
            }
            What::Kind(kind) => kind.get(kinds).clone(),
        };
        if frame.len() < 60 {
            frame.resize(60, 0);
        }
        let (port, own) = &world.sides[side];
        let mut tags = own.clone();
        match self.twist {
            Twist::Priority(bits) => tags.iter_mut().for_each(|tag| tag.1 |= bits),
            Twist::OtherSide => tags = world.sides[side ^ 1].1.clone(),
            Twist::Untagged => tags.clear(),
            Twist::Deeper => tags.push((0x8100, 7)),
        }
        let mut frame = with_tags(&frame, &tags);
        for (at, value) in &self.edits {
            if let Some(byte) = frame.get_mut(*at) {
                *byte = *value;
            }
        }
        frame.truncate(self.cut);
        (*port, frame)
    }
}

/// Milliseconds that may pass between two bursts: ticks of the table's clock (250 ms), ages (300 s), and how far its
/// stamps reach (a good hour).
fn waits() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0u64..4,
        3 => 100u64..600,
        2 => 900u64..5_000,
        1 => 200_000u64..500_000,
        1 => 2_000_000u64..40_000_000,
    ]
}

/// One of the two.
struct Twin {
    worker: Worker<MemIo>,
    queue: ControlRx,
    plane: ControlPlane,
}

/// What a burst brought about: frames by port, and what the control thread heard, told and sent.
#[derive(Debug, Default, PartialEq)]
struct Brought {
    sent: Vec<Vec<Vec<u8>>>,
    messages: Vec<ControlMsg>,
    told: Vec<String>,
    own: usize,
}

impl Twin {
    fn new(world: &World, plan: Plan) -> Twin {
        let ports = plan.ports.len();
        let (worker, queue) = Worker::new(MemIo::new(ports), Arc::new(plan), 1);
        let twin = Twin { worker, queue, plane: ControlPlane::new(0, true) };
        for (place, bridge) in twin.worker.plan().bridges.iter().enumerate() {
            for side in Side::BOTH.into_iter().filter(|_| world.learned) {
                for number in 0..world.stations {
                    let mac = Mac::from_bytes(station_on(2 * place + side.index(), number));
                    let learned = bridge.fdb_of(mac).learn(mac, side, START, &bridge.rules.macs, || true);
                    assert_eq!(learned, Learned::New);
                }
            }
        }
        twin
    }

    fn burst(
        &mut self,
        now: Time,
        frames: &[(usize, Vec<u8>)],
        sweeps: bool,
        profile: &mut Profile,
    ) -> Brought {
        let plan = Arc::clone(self.worker.plan());
        for bridge in plan.bridges.iter().filter(|_| sweeps) {
            bridge.tables.macs.sweep_all(now, &bridge.rules.macs);
            bridge.roaming.sweep_all(now, &bridge.rules.macs);
        }
        let mut effects = Effects::default();
        self.plane.tick(&plan, now, &mut effects);
        self.worker.send_own(&effects.send);
        for (port, frame) in frames {
            self.worker.io.input[*port].push_back(Packet::new(frame));
        }
        let clock = || Time::ZERO;
        while self.worker.poll_with(now, &mut Stopwatch::new(profile, &clock)) > 0 {}
        let mut brought = Brought { own: effects.send.len(), ..Brought::default() };
        while let Some(message) = self.queue.pop() {
            self.plane.take_in(&plan, &message, &mut effects);
            brought.messages.push(message);
        }
        brought.told = effects.tell.iter().map(|event| format!("{event:?}")).collect();
        let bytes = |packets: &mut Vec<Packet>| packets.drain(..).map(|it| it.bytes().to_vec()).collect();
        brought.sent = self.worker.io.output.iter_mut().map(bytes).collect();
        brought
    }

    /// The books, but for how bursts were filled: a worker looks again after a full burst that took the fast path.
    fn books(&self) -> Books {
        Books { meter: Default::default(), ..self.worker.books().clone() }
    }

    /// The tables and the levels of the limits.
    fn knows(&self, now: Time) -> Vec<String> {
        let each = self.worker.plan().bridges.iter().flat_map(|bridge| {
            let tables = &bridge.tables;
            let both = [&tables.macs, &*bridge.roaming].into_iter();
            let entries = both.flat_map(|table| table.entries(now, &bridge.rules.macs));
            let mut macs: Vec<_> = entries.map(|entry| format!("{entry:?}")).collect();
            macs.sort();
            let mut neighbours: Vec<_> =
                tables.neighbours.entries().iter().map(|known| format!("{known:?}")).collect();
            neighbours.sort();
            let counts = Side::BOTH.map(|side| tables.macs.count(side));
            [macs, neighbours, vec![format!("{:?} {counts:?} {:?}", tables.limits, tables.hold)]].concat()
        });
        // nothing but its own printing shows a worker's lots
        let worker = format!("{:?}", self.worker);
        let (_, lots) = worker.split_once("WorkerState { lots: ").unwrap();
        each.chain([lots.split_once(", books: ").unwrap().0.to_owned()]).collect()
    }
}

const START: Time = Time::from_nanos(5_000_000_000);

/// Frames that took the fast path, and all.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    fast: u64,
    all: u64,
}

/// The two workers do the same with these bursts, each after a wait.
fn same(world: &World, kinds: &[Vec<u8>], bursts: &[(u64, bool, Vec<Draft>)]) -> Taken {
    let mut fast = Twin::new(world, world.plan());
    let mut slow = Twin::new(world, world.plan().without_fast_path());
    let (mut quick, mut never) = (Profile::new(u64::MAX), Profile::new(u64::MAX));
    let mut now = START;
    for (wait, sweeps, drafts) in bursts {
        now = now.after(Duration::from_millis(*wait));
        let frames: Vec<_> = drafts.iter().map(|draft| draft.frame(world, kinds)).collect();
        let one = fast.burst(now, &frames, *sweeps, &mut quick);
        let two = slow.burst(now, &frames, *sweeps, &mut never);
        assert_eq!(one, two, "{}: {frames:02x?}", world.name);
        assert_eq!(fast.books(), slow.books(), "{}", world.name);
    }
    assert_eq!(fast.knows(now), slow.knows(now), "{}", world.name);
    assert_eq!(fast.worker.books().unaccounted(), 0);
    assert_eq!(never.frames(Stage::FastPath), 0);
    Taken { fast: quick.frames(Stage::FastPath), all: quick.frames(Stage::Receive) }
}

/// Runs so many cases of bursts in a world; what they took.
fn cases(
    world: &World,
    cases: u32,
    drafts: impl Strategy<Value = Draft>,
    waits: impl Strategy<Value = u64>,
) -> Taken {
    let kinds: Vec<_> =
        [crossing(), refused(), drawing()].concat().into_iter().map(|kind| kind.frame).collect();
    let bursts = (waits, any::<bool>(), proptest::collection::vec(drafts, 1..BURST));
    let taken = Cell::new(Taken::default());
    let run = |bursts: Vec<_>| {
        let Taken { fast, all } = same(world, &kinds, &bursts);
        taken.set(Taken { fast: taken.get().fast + fast, all: taken.get().all + all });
        Ok(())
    };
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if let Err(error) = TestRunner::new(config).run(&proptest::collection::vec(bursts, 8..16), run) {
        panic!("{}: {error}", world.name);
    }
    taken.get()
}

#[test]
fn a_worker_without_the_fast_path_does_the_same_in_every_world() {
    let mut of_all = Taken::default();
    for world in worlds() {
        let number = if world.stations > 100 { 2 } else { 5 };
        let Taken { fast, all } = cases(&world, number, drafts(), waits());
        assert_eq!(fast > 0, world.floor > 0, "{}: {fast} of {all} frames took the fast path", world.name);
        if world.floor > 0 {
            of_all = Taken { fast: of_all.fast + fast, all: of_all.all + all };
        }
    }
    // half of what is made is plain, and of that what meets a station that has aged or moved is not
    assert!(of_all.fast * 4 > of_all.all, "too few frames took the fast path: {of_all:?}");
}

#[test]
fn plain_unicast_between_known_stations_takes_the_fast_path_in_every_world_that_has_it() {
    for world in worlds() {
        let number = if world.stations > 100 { 1 } else { 2 };
        let Taken { fast, all } = cases(&world, number, only_plain(), 0u64..700);
        let held = if world.floor > 0 { fast * 100 >= all * world.floor } else { fast == 0 };
        assert!(held, "{}: {fast} of {all} frames took the fast path", world.name);
    }
}
