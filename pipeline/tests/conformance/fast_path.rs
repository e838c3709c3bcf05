//! The shortcut of the fast path and the whole way are one: the same verdicts, bytes and books, whatever comes, and whether
//! it is timed or not.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use pipeline::base::BURST;
use pipeline::base::reason::Stage;
use pipeline::base::time::Time;
use pipeline::frame::buffer::Buffer;
use pipeline::io::mem::{MemIo, Packet};
use pipeline::observe::books::Books;
use pipeline::observe::profile::{Profile, Stopwatch};
use pipeline::path::control_queue::ControlTx;
use pipeline::path::fast::FastPath;
use pipeline::path::outbox::Outbox;
use pipeline::path::state::WorkerState;
use pipeline::path::verdict::Verdict;
use pipeline::path::{run, slow_path};
use pipeline::plan::Plan;
use pipeline::table::limits::Limits;
use pipeline::worker::Worker;
use proptest::prelude::*;

use crate::frames::*;
use crate::harness::*;

/// A plan and a worker's state, as a worker holds them.
struct Rig {
    plan: Arc<Plan>,
    state: WorkerState,
}

impl Rig {
    fn new(config: &Config) -> Rig {
        let plan = Plan::new(config.rules(), None, &[], 0).unwrap();
        let limits = plan.bridges.iter().map(|bridge| Limits::new(&bridge.rules, 1, 0)).collect();
        let books = Books::new(plan.ports.len(), plan.bridges.len());
        let control = ControlTx::queue(1 << 16).0;
        Rig { plan: Arc::new(plan), state: WorkerState { limits, books, control, outbox: Outbox::default() } }
    }
}

/// A frame, a time to wait before it, and the port that receives it.
type Step = (Vec<u8>, u64, usize);

fn same(config: &Config, steps: &[Step]) -> usize {
    let (mut quick, mut whole) = (Rig::new(config), Rig::new(config));
    let mut now = Time::from_nanos(5_000_000_000);
    let mut forwarded = 0;
    for (frame, wait, port) in steps {
        now = now.after(Duration::from_millis(*wait));
        let (mut a, mut b) = (Packet::new(frame), Packet::new(frame));
        let mut fast = FastPath::new(&quick.plan, *port, now);
        let one = run(&quick.plan, &mut quick.state, &mut fast, *port, &mut a, now, &mut ());
        let two = slow_path(&whole.plan, &mut whole.state, *port, &mut b, now, &mut ());
        assert_eq!(one, two, "{frame:02x?}");
        assert_eq!(a.bytes(), b.bytes());
        assert_eq!(quick.state.books, whole.state.books, "{frame:02x?}");
        forwarded += usize::from(matches!(one, Verdict::Forward(_)));
        quick.state.outbox.clear();
        whole.state.outbox.clear();
    }
    forwarded
}

/// The same for a worker that is timed and one that is not, in bursts; the profile.
fn same_timed(config: &Config, steps: &[Step]) -> Profile {
    let plan = || Plan::new(config.rules(), None, &[], 0).unwrap();
    let worker = || Worker::new(MemIo::new(2), Arc::new(plan()), 1, 0);
    let ((mut plain, _events), (mut timed, _)) = (worker(), worker());
    let ticks = Cell::new(0);
    let clock = || Time::from_nanos(ticks.replace(ticks.get() + 1));
    let mut profile = Profile::new(u64::MAX);
    let mut now = Time::from_nanos(5_000_000_000);
    for steps in steps.chunks(5) {
        now = now.after(Duration::from_millis(steps[0].1));
        for (frame, _, port) in steps {
            plain.io.input[*port].push_back(Packet::new(frame));
            timed.io.input[*port].push_back(Packet::new(frame));
        }
        let frames = timed.poll_with(now, &mut Stopwatch::new(&mut profile, &clock));
        assert_eq!((plain.poll(now), steps.len()), (frames, frames));
        let sent = |io: &mut MemIo| {
            let bytes = |packets: &mut Vec<Packet>| packets.drain(..).map(|it| it.bytes().to_vec()).collect();
            io.output.iter_mut().map(bytes).collect::<Vec<Vec<_>>>()
        };
        assert_eq!(sent(&mut plain.io), sent(&mut timed.io));
        assert_eq!(plain.books(), timed.books());
    }
    profile
}

fn configs() -> Vec<Config> {
    let untagged =
        |config: Config| config.with("trunk0, vlan: 10, ", "trunk0, ").with("trunk1, vlan: 20, ", "trunk1, ");
    let roaming = Config::c0().with("#more", "- { name: R, mac: \"02:cc:00:00:00:01\" }\n      #more");
    vec![
        Config::c0(),
        Config::cd(),
        Config::cm(),
        untagged(Config::c0()),
        untagged(Config::cd()),
        Config::c0().plus("drain: true"),
        Config::cd().plus("unknown_unicast: drop"),
        roaming,
        three_prefixes(Config::c0()),
        three_prefixes(Config::cd()),
    ]
}

/// More broadcast addresses than the shortcut looks at.
fn three_prefixes(config: Config) -> Config {
    config.with("ipv4: [202.7.0.0/23]", "ipv4: [202.7.0.0/23, 192.0.2.0/24, 198.51.100.0/30]")
}

/// Stations, known and not, and what is none.
const MACS: [[u8; 6]; 11] = [
    A,
    B,
    station(0x0000_0001),
    station(0x0000_0002),
    MAC_M,
    MAC_W,
    BROADCAST,
    [0; 6],
    [0x00, 0xe0, 0x2b, 0, 0, 0x04],
    [0x33, 0x33, 0, 0, 0, 1],
    [0x01, 0x80, 0xc2, 0, 0, 0],
];

const HOSTS4: [&str; 7] =
    ["192.0.2.1", "198.51.100.2", "202.7.0.10", "202.7.1.255", "127.0.0.1", "224.0.0.5", "255.255.255.255"];
const HOSTS6: [&str; 6] = ["2001:db8::1", "2001:7fa:3:ca07::a", "fe80::a", "::1", "::", "ff02::1"];
/// None of IPv4's and IPv6's, or the wrong one.
const ODD_TYPES: [u16; 6] = [0, 46, 0x0806, 0x0800, 0x86dd, 0xffff];
const PORTS: [u16; 7] = [4000, 179, 67, 68, 546, 547, 53];

fn mostly<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop_oneof![4 => Just(all[0]), 4 => Just(all[1]), 3 => proptest::sample::select(all)]
}

prop_compose! {
    fn packets()(
        dst in mostly(&MACS), src in mostly(&MACS),
        v4 in (mostly(&HOSTS4), mostly(&HOSTS4)), v6 in (mostly(&HOSTS6), mostly(&HOSTS6)), is_v4 in any::<bool>(),
        ports in (mostly(&PORTS), mostly(&PORTS)), protocol in proptest::sample::select(vec![17u8, 17, 6, 50, 1, 47, 58, 44]),
        size in prop_oneof![6 => 0usize..60, 1 => 1300usize..1480], tag in 0usize..4,
        odd in prop_oneof![9 => Just(None), 1 => proptest::sample::select(&ODD_TYPES).prop_map(Some)],
        edits in proptest::collection::vec((0usize..80, any::<u8>()), 0..3), cut in prop_oneof![9 => Just(usize::MAX), 1 => 0usize..90],
        wait in prop_oneof![8 => 0u64..3, 1 => 200u64..400, 1 => 900u64..3000], port in 0usize..2,
    ) -> Step {
        let data = udp(ports.0, ports.1, &vec![0x5a; size]);
        let (ethertype, packet) = if is_v4 {
            (0x0800, ipv4(v4.0, v4.1, protocol, &data))
        } else {
            (0x86dd, ipv6(v6.0, v6.1, protocol, 64, &data))
        };
        let mut frame = ether(dst, src, odd.unwrap_or(ethertype), &packet);
        if frame.len() < 60 {
            frame.resize(60, 0);
        }
        // the right tag of the port mostly, or the other's, or none
        let vid = [10, 20][(port + usize::from(tag == 3)) % 2];
        if tag > 0 {
            frame = with_tags(&frame, &[(0x8100, 0xe000 | vid)]);
        }
        for (at, value) in edits {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        frame.truncate(cut);
        (frame, wait, port)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_shortcut_and_the_whole_way_are_one(
        steps in proptest::collection::vec(packets(), 1..40), config in proptest::sample::select(configs())
    ) {
        same(&config, &steps);
    }

    #[test]
    fn a_timed_worker_does_what_another_does_and_has_every_frame_in_a_stage(
        steps in proptest::collection::vec(packets(), 1..40), config in proptest::sample::select(configs())
    ) {
        let profile = same_timed(&config, &steps);
        let frames = |stage| profile.frames(stage);
        assert_eq!(frames(Stage::Receive), steps.len() as u64);
        assert_eq!(frames(Stage::FastPath) + frames(Stage::Admit), frames(Stage::Receive));
        assert_eq!(frames(Stage::Transmit), frames(Stage::Receive));
        // nobody comes to a stage past the one in front of it
        let whole = Stage::ALL.iter().filter(|stage| (Stage::Admit..=Stage::Fit).contains(stage));
        assert!(whole.map(|stage| frames(*stage)).is_sorted_by(|before, after| before >= after));
    }
}

#[test]
fn plain_unicast_between_known_stations_takes_the_shortcut() {
    for (config, frame) in [
        (Config::c0(), with_tags(&unicast(B, A), &[(0x8100, 0xb00a)])),
        (Config::c0(), with_tags(&unicast6(B, A), &[(0x8100, 10)])),
    ] {
        assert_eq!(same(&config, &[(frame.clone(), 0, 0)]), 1);
        let rig = Rig::new(&config);
        let mut packet = Packet::new(&frame);
        let now = Time::from_nanos(1);
        let taken = FastPath::new(&rig.plan, 0, now).cross(&mut packet);
        assert!(taken.is_some(), "{frame:02x?}");
    }
}

/// What a worker sends by port, and its books, when frames that wait come in bursts or one at a time.
fn bridged(config: &Config, frames: &[(Vec<u8>, usize)], burst: usize) -> (Vec<Vec<Vec<u8>>>, Books) {
    let plan = Arc::new(Plan::new(config.rules(), None, &[], 0).unwrap());
    let (mut worker, _noticed) = Worker::new(MemIo::new(plan.ports.len()), plan, 1, 0);
    for frames in frames.chunks(burst) {
        for (frame, port) in frames {
            worker.io.input[*port].push_back(Packet::new(frame));
        }
        worker.poll(Time::from_nanos(5_000_000_000));
    }
    let sent = worker.io.output.iter().map(|port| port.iter().map(|frame| frame.bytes().to_vec()).collect());
    let books = Books { meter: Default::default(), ..worker.books().clone() };
    (sent.collect(), books)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_burst_and_its_frames_one_by_one_are_one(
        steps in proptest::collection::vec(packets(), 1..BURST), port in 0usize..2,
        config in proptest::sample::select(configs())
    ) {
        let frames: Vec<_> = steps.into_iter().map(|(frame, ..)| (frame, port)).collect();
        let (together, alone) = (bridged(&config, &frames, BURST), bridged(&config, &frames, 1));
        prop_assert_eq!(together.0, alone.0);
        prop_assert_eq!(together.1, alone.1);
    }
}

#[test]
fn a_type_of_zero_is_no_ipv4_whatever_the_shortcut_leaves_out() {
    let packet = ipv4("192.0.2.1", "198.51.100.2", 17, &udp(4000, 4001, &[0; 40]));
    let frame = with_tags(&ether(B, A, 0, &packet), &[(0x8100, 10)]);
    assert_eq!(same(&three_prefixes(Config::c0()), &[(frame, 0, 0)]), 0);
}
