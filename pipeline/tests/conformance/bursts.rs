//! The fast path as a worker uses it: burst by burst, timed or not, with its look ahead in large tables. That it does what the
//! slow path does is proved in `fast_path.rs`.

use std::cell::{Cell, RefCell};
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
use pipeline::path::{run_back, run_front};
use pipeline::plan::Plan;
use pipeline::table::limits::Lots;
use pipeline::worker::Worker;
use proptest::prelude::*;

use crate::frames::*;
use crate::harness::*;

/// A frame, a time to wait before it, and the port that receives it.
type Step = (Vec<u8>, u64, usize);

/// A worker that is timed and one that is not do the same with these, in bursts; the profile.
fn same_timed(config: &Config, steps: &[Step]) -> Profile {
    let plan = || Plan::new(config.rules(), None, &[], 0).unwrap();
    let worker = || Worker::new(MemIo::new(2), Arc::new(plan()), 1);
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

/// Several edges of prefixes.
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

/// What a worker sends by port, and its books, when frames that wait come in bursts or one at a time.
fn bridged(config: &Config, frames: &[(Vec<u8>, usize)], burst: usize) -> (Vec<Vec<Vec<u8>>>, Books) {
    let plan = Arc::new(Plan::new(config.rules(), None, &[], 0).unwrap());
    let (mut worker, _noticed) = Worker::new(MemIo::new(plan.ports.len()), plan, 1);
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
fn a_type_of_zero_is_no_ipv4_whatever_the_fast_path_leaves_out() {
    let packet = ipv4("192.0.2.1", "198.51.100.2", 17, &udp(4000, 4001, &[0; 40]));
    three_prefixes(Config::c0()).bench().drops(M, &ether(B, A, 0, &packet), "llc");
}

fn plan_of(config: &Config) -> Plan {
    Plan::new(config.rules(), None, &[], 0).unwrap()
}

#[test]
fn the_frames_in_front_of_a_burst_cross_together_and_so_do_those_behind_the_first_that_does_not() {
    let plan = plan_of(&Config::c0());
    let lots = plan.bridges.iter().map(|_| Lots::of(1)).collect();
    let books = Books::new(plan.ports.len(), plan.bridges.len());
    let mut state = WorkerState { lots, books, control: ControlTx::queue(1).0, outbox: Outbox::default() };
    let (plain, other) = (tagged(M, &unicast(B, A)), tagged(M, &unicast(station(9), A)));
    let six = tagged(M, &unicast6(B, A));
    let mut burst: Vec<_> =
        [&plain, &six, &plain, &other, &plain, &six].map(|frame| Packet::new(frame)).into();
    let mut fast = FastPath::new(&plan, 0, Time::from_nanos(5_000_000_000));

    let (crossing, frames) = run_front(&mut state, &mut fast, &mut burst).unwrap();
    assert_eq!(
        (crossing.port, crossing.from.side, crossing.bytes, frames),
        (1, M, 2 * plain.len() + six.len(), 3)
    );
    assert!(burst[..3].iter().all(|frame| frame.bytes()[12..16] == tag(W)));
    assert!(burst[3..].iter().all(|frame| frame.bytes()[12..16] == tag(M)));
    let side = |state: &WorkerState| {
        (state.books.sides[0][0].received, state.books.sides[0][0].received_bytes as usize)
    };
    assert_eq!(side(&state), (3, crossing.bytes));

    burst.drain(..3);
    assert_eq!(run_front(&mut state, &mut fast, &mut burst), None);
    burst.reverse();
    let mut behind = burst[..2].to_vec();
    let (crossing, frames) = run_back(&mut state, &mut fast, &mut behind).unwrap();
    assert_eq!(
        (crossing.port, crossing.from.side, crossing.bytes, frames),
        (1, M, plain.len() + six.len(), 2)
    );
    assert_eq!(run_back(&mut state, &mut fast, &mut burst), None, "the other one is at the end");
    assert_eq!(side(&state), (5, 3 * plain.len() + 2 * six.len()));
}

#[test]
fn a_port_that_brings_whole_bursts_of_plain_unicast_has_four_of_them_taken_in_a_turn() {
    let (plain, other) = (tagged(M, &unicast(B, A)), tagged(M, &arp_request(A, IP4_A, IP4_B)));
    for (last, taken) in [(&plain, 4 * BURST), (&other, BURST)] {
        let (mut worker, _queue) = Worker::new(MemIo::new(2), Arc::new(plan_of(&Config::c0())), 1);
        for _ in 0..5 {
            worker.io.input[0].extend((1..BURST).map(|_| Packet::new(&plain)));
            worker.io.input[0].push_back(Packet::new(last));
        }
        assert_eq!(worker.poll(Time::from_nanos(5_000_000_000)), taken);
    }
}

thread_local! {
    /// What was asked to be brought near.
    static ASKED: RefCell<Vec<*const u8>> = const { RefCell::new(Vec::new()) };
}

/// A frame that notes what it is asked to bring near.
struct Asking(Packet);

impl Buffer for Asking {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
    fn is_whole(&self) -> bool {
        self.0.is_whole()
    }
    fn grow_front(&mut self, count: usize) -> bool {
        self.0.grow_front(count)
    }
    fn shrink_front(&mut self, count: usize) {
        self.0.shrink_front(count);
    }
    fn grow_back(&mut self, count: usize) -> bool {
        self.0.grow_back(count)
    }
    fn prefetch(address: *const u8) {
        ASKED.with_borrow_mut(|asked| asked.push(address));
    }
}

#[test]
fn both_addresses_of_each_frame_of_a_burst_are_asked_for_where_the_table_is_large() {
    // 8 bytes a slot, 8 slots for each address of the capacity, a power of two: 1 MiB, and 2 MiB
    for (capacity, is_large) in [(16384, false), (16385, true)] {
        let plan = plan_of(&Config::cd().plus(&format!("macs: {{ capacity: {capacity} }}")));
        let mut burst: Vec<_> =
            (0..8).map(|n| Asking(Packet::new(&tagged(M, &unicast(station(n), station(n + 100)))))).collect();
        FastPath::new(&plan, 0, Time::from_nanos(5_000_000_000)).front(&mut burst);
        let mut asked = ASKED.take();
        let table = plan.bridges[0].tables.macs.extent();
        assert!(asked.iter().all(|address| table.contains(address)));
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), if is_large { 16 } else { 0 }, "capacity {capacity}");
    }
}
