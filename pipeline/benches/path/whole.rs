//! A burst all the way: through the worker, through the fast path alone, and through the stages alone.

use std::cell::RefCell;
use std::error::Error;
use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput};
use pipeline::base::BURST;
use pipeline::observe::books::Books;
use pipeline::path;
use pipeline::path::control_queue::ControlTx;
use pipeline::path::fast::FastPath;
use pipeline::path::outbox::Outbox;
use pipeline::path::state::WorkerState;
use pipeline::path::verdict::Verdict;
use pipeline::table::limits::Lots;

use crate::exchange::{Bridge, Bursts, Exchange, STEP, Traffic};
use crate::walk::{Order, Walk};

const FEW: Exchange = Exchange::members(100);
const SOME: Exchange = Exchange::learned(1000);
const MANY: Exchange = Exchange::learned(100_000);
const CASES: &[(&str, Exchange, Traffic, &[Order])] = &[
    ("IPv4, 100 members", FEW, Traffic::Ipv4, &[Order::Hot, Order::Cold]),
    ("IPv6, 100 members", FEW, Traffic::Ipv6, &[Order::Hot]),
    ("IMIX, 100 members", FEW, Traffic::Imix, &[Order::Hot]),
    ("IPv4, 1,000 learned", SOME, Traffic::Ipv4, &[Order::Hot, Order::InTurn]),
    ("IPv4, 100,000 learned", MANY, Traffic::Ipv4, &[Order::Hot, Order::InTurn, Order::Cold]),
];

/// All of them.
pub(crate) fn benches<M: Measurement>(criterion: &mut Criterion<M>) -> Result<(), Box<dyn Error>> {
    for (name, exchange, traffic, orders) in CASES {
        let bursts = exchange.bursts(*traffic);
        let mut bridge = exchange.open(&bursts)?;
        for order in *orders {
            let name = format!("{name}, {}", order.name());
            let walk = || Walk::new(*order, bursts[0].len());
            fast_path(&mut group(criterion, "shortcut", BURST), &name, &bridge, &bursts, walk());
            stages(&mut group(criterion, "stages", BURST), &name, &bridge, &bursts, walk());
            // no time passes: nobody grows old, however often a few speak
            worker(
                &mut group(criterion, "worker", 2 * BURST),
                &name,
                &mut bridge,
                &bursts,
                walk(),
                Duration::ZERO,
            );
        }
    }
    let bursts = FEW.bursts(Traffic::Mix);
    let walk = Walk::new(Order::InTurn, bursts[0].len());
    let mut bridge = FEW.open(&bursts)?;
    worker(
        &mut group(criterion, "worker", 2 * BURST),
        "IPv4, 1 % ARP requests",
        &mut bridge,
        &bursts,
        walk,
        STEP,
    );
    Ok(())
}

type Group<'a, M> = BenchmarkGroup<'a, M>;

fn group<'a, M: Measurement>(criterion: &'a mut Criterion<M>, name: &str, frames: usize) -> Group<'a, M> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(frames as u64));
    group
}

/// From a burst on each port to bursts for the other ports, booked.
fn worker<M: Measurement>(
    group: &mut Group<'_, M>,
    name: &str,
    bridge: &mut Bridge,
    bursts: &Bursts,
    mut walk: Walk,
    pace: Duration,
) {
    let before = crossed(bridge.worker.books());
    let shared = RefCell::new(&mut *bridge);
    group.bench_function(name, |bencher| {
        bencher.iter_batched(
            || {
                let number = walk.step();
                shared.borrow_mut().offer(bursts, number);
            },
            |()| {
                let bridge = &mut **shared.borrow_mut();
                bridge.now = bridge.now.after(pace);
                bridge.worker.poll(bridge.now)
            },
            BatchSize::PerIteration,
        );
    });
    let after = crossed(bridge.worker.books());
    assert_eq!(after.0 - before.0, after.1 - before.1, "{name}: received, and forwarded");
}

fn crossed(books: &Books) -> (u64, u64) {
    let sides = || books.sides.iter().flatten();
    (sides().map(|side| side.received).sum(), sides().map(|side| side.forwarded).sum())
}

/// A burst of one side, not booked.
fn fast_path<M: Measurement>(
    group: &mut Group<'_, M>,
    name: &str,
    bridge: &Bridge,
    bursts: &Bursts,
    mut walk: Walk,
) {
    let (plan, now) = (bridge.worker.plan(), bridge.now);
    group.bench_function(name, |bencher| {
        bencher.iter_batched_ref(
            || bursts[0][walk.step()].clone(),
            |burst| {
                let taken = FastPath::new(plan, 0, now).front(burst).map(|(_, frames)| frames);
                assert_eq!(taken, Some(BURST), "{name}: took the fast path");
            },
            BatchSize::PerIteration,
        );
    });
}

/// A burst of one side, frame by frame by the slow path: what the fast path saves.
fn stages<M: Measurement>(
    group: &mut Group<'_, M>,
    name: &str,
    bridge: &Bridge,
    bursts: &Bursts,
    mut walk: Walk,
) {
    let (plan, now) = (bridge.worker.plan(), bridge.now);
    let (control, _) = ControlTx::queue(1);
    let mut state =
        WorkerState { lots: vec![Lots::of(1)], books: Books::new(2, 1), control, outbox: Outbox::default() };
    group.bench_function(name, |bencher| {
        bencher.iter_batched_ref(
            || bursts[0][walk.step()].clone(),
            |burst| {
                for frame in burst {
                    let verdict = path::slow_path(plan, &mut state, 0, frame, now, &mut ());
                    assert!(matches!(verdict, Verdict::Forward(_)), "{name}: {verdict:?}");
                }
            },
            BatchSize::PerIteration,
        );
    });
}
