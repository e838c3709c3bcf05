//! Each stage alone, in the order of `path.rs` and called as it does.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::Measurement;
use criterion::{BatchSize, Criterion, Throughput};
use pipeline::base::BURST;
use pipeline::base::reason::Reason;
use pipeline::base::time::Time;
use pipeline::frame::buffer::Buffer;
use pipeline::observe::books::SideBooks;
use pipeline::path::context::FrameContext;
use pipeline::path::control_queue::ControlTx;
use pipeline::path::outbox::Outbox;
use pipeline::path::packet::{self, Packet};
use pipeline::path::stage::{admit, answer, filter, fit, forward, guard, learn, police, snoop};
use pipeline::plan::Plan;
use pipeline::plan::ports::PortMap;
use pipeline::table::limits::Lots;
use rules::Rate;

use crate::exchange::{Exchange, Frame, Traffic};
use crate::walk::{Order, Walk};

/// On what a stage is run, and what every frame must come to.
struct Case(&'static str, Exchange, Traffic, Order, Result<(), Reason>);

const FEW: Exchange = Exchange::members(100);
const UNTAGGED: Exchange = Exchange { tagged: false, ..FEW };
const ANSWERING: Exchange = Exchange { answer: true, ..FEW };
const STORM: Exchange = Exchange { storm: Rate { per_second: 1, burst: 1 }, ..FEW };
const SOME: Exchange = Exchange::learned(1000);
const MANY: Exchange = Exchange::learned(100_000);

/// No time passes: nobody grows old.
const STILL: Duration = Duration::ZERO;
/// In a burst's time come the tokens that it takes.
const PACED: Duration = Duration::from_micros(BURST as u64);

/// All of them.
pub(crate) fn benches<M: Measurement>(criterion: &mut Criterion<M>) -> Result<(), Box<dyn Error>> {
    use Order::{Cold, Hot};
    use Traffic::{Arp, ForeignArp, Ipv4, Ipv4Broadcast, Ipv6, Nd};
    const PASS: Result<(), Reason> = Ok(());

    let cases = [Case("tagged", FEW, Ipv4, Hot, PASS), Case("untagged", UNTAGGED, Ipv4, Hot, PASS)];
    stage(criterion, "admit", STILL, &cases, |frame, _| {
        admit::admit(frame.port, frame.bytes).map(|admitted| _ = black_box(admitted))
    })?;

    let cases = [Case("unicast", FEW, Ipv4, Hot, PASS), Case("broadcast", FEW, Arp, Hot, PASS)];
    stage(criterion, "guard", STILL, &cases, |Judged { frame, .. }, context| guard::guard(frame, context))?;

    let cases = [
        Case("IPv4", FEW, Ipv4, Hot, PASS),
        Case("IPv6", FEW, Ipv6, Hot, PASS),
        Case("ARP", FEW, Arp, Hot, PASS),
        Case("neighbour discovery", FEW, Nd, Hot, PASS),
        Case("foreign ARP", FEW, ForeignArp, Hot, Err(Reason::ArpNotWix)),
        Case("IPv4 broadcast", FEW, Ipv4Broadcast, Hot, Err(Reason::L2BroadcastIp)),
    ];
    stage(criterion, "filter", STILL, &cases, |Judged { frame, .. }, context| {
        filter::filter(frame, context).map(|packet| _ = black_box(packet))
    })?;

    let stations = [
        Case("100 members", FEW, Ipv4, Hot, PASS),
        Case("1,000 learned", SOME, Ipv4, Hot, PASS),
        Case("100,000 learned, cold", MANY, Ipv4, Cold, PASS),
    ];
    stage(criterion, "learn", STILL, &stations, |Judged { packet, .. }, context| {
        packet.and_then(|packet| learn::learn(&packet, context))
    })?;
    let cases = [Case("ARP", FEW, Arp, Hot, PASS), Case("a solicitation", FEW, Nd, Hot, PASS)];
    stage(criterion, "snoop", STILL, &cases, |Judged { packet, .. }, context| {
        packet.map(|packet| snoop::snoop(&packet, context))
    })?;

    let cases = [
        Case("unicast", FEW, Ipv4, Hot, PASS),
        Case("broadcast", FEW, Arp, Hot, PASS),
        Case("broadcast over the limit", STORM, Arp, Hot, Err(Reason::BcastLimit)),
    ];
    stage(criterion, "police", PACED, &cases, |Judged { packet, .. }, context| {
        packet.and_then(|packet| police::police(&packet, context))
    })?;

    let cases = [
        Case("unicast", FEW, Ipv4, Hot, PASS),
        Case("ARP request, bridged", FEW, Arp, Hot, PASS),
        Case("ARP request, answered", ANSWERING, Arp, Hot, PASS),
        Case("solicitation, answered", ANSWERING, Nd, Hot, PASS),
    ];
    stage(criterion, "answer", PACED, &cases, |Judged { packet, .. }, context| {
        context.outbox.clear();
        packet.and_then(|packet| answer::answer(&packet, context))
    })?;

    stage(criterion, "forward", STILL, &stations, |Judged { packet, .. }, context| {
        packet.and_then(|packet| forward::forward(&packet, context))
    })?;

    let cases = [Case("IPv4", FEW, Ipv4, Hot, PASS), Case("IPv6", FEW, Ipv6, Hot, PASS)];
    stage(criterion, "fit", STILL, &cases, |Judged { packet, .. }, context| {
        packet.and_then(|packet| fit::fit(&packet, context))
    })
}

/// A frame as the stages up to the filter leave it.
#[derive(Clone, Copy)]
struct Judged<'a> {
    port: &'a PortMap,
    bytes: &'a [u8],
    frame: packet::Frame<'a>,
    packet: Result<Packet<'a>, Reason>,
}

/// What a worker has at hand for a frame.
struct Desk {
    lots: Lots,
    outbox: Outbox,
    books: SideBooks,
    control: ControlTx,
}

impl Desk {
    fn new() -> Desk {
        let (control, _) = ControlTx::queue(1);
        Desk { lots: Lots::of(1), outbox: Outbox::default(), books: SideBooks::default(), control }
    }

    #[inline(always)]
    fn pass<T>(
        &mut self,
        judged: &Judged<'_>,
        now: Time,
        run: impl Fn(&Judged<'_>, &mut FrameContext<'_>) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let frame = packet::Frame { now, ..judged.frame };
        let judged =
            Judged { frame, packet: judged.packet.map(|packet| Packet { frame, ..packet }), ..*judged };
        run(&judged, &mut self.context(&frame))
    }

    #[inline(always)]
    fn context<'a>(&'a mut self, frame: &packet::Frame<'a>) -> FrameContext<'a> {
        let Desk { lots, outbox, books, control } = self;
        let packet::Frame { bridge, at, ether, now: time } = *frame;
        FrameContext { bridge, lots, outbox, books, control, time, port: 0, at, mac: ether.src, listed: None }
    }

    fn judge<'a>(&mut self, plan: &'a Plan, frame: &'a Frame) -> Result<Judged<'a>, Box<dyn Error>> {
        let (port, bytes) = (&plan.ports[0], frame.bytes());
        let (at, ether) = admit::admit(port, bytes).map_err(Reason::name)?;
        let bridge = plan.bridge(at.bridge);
        let frame = packet::Frame { bridge, at, ether, now: Time::ZERO };
        let packet = filter::filter(&frame, &mut self.context(&frame));
        Ok(Judged { port, bytes, frame, packet })
    }
}

/// One stage in all its cases.
fn stage<M, T, F>(
    criterion: &mut Criterion<M>,
    name: &str,
    pace: Duration,
    cases: &[Case],
    run: F,
) -> Result<(), Box<dyn Error>>
where
    M: Measurement,
    F: Fn(&Judged<'_>, &mut FrameContext<'_>) -> Result<T, Reason>,
{
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(BURST as u64));
    for Case(case, exchange, traffic, order, expected) in cases {
        let bursts = exchange.bursts(*traffic);
        let bridge = exchange.open(&bursts)?;
        let plan = bridge.worker.plan();
        let mut desk = Desk::new();
        let mut now = bridge.now;
        let mut judged = Vec::new();
        for burst in &bursts[0] {
            let burst: Vec<Judged<'_>> =
                burst.iter().map(|frame| desk.judge(plan, frame)).collect::<Result<_, _>>()?;
            now = now.after(pace);
            for frame in &burst {
                let result = desk.pass(frame, now, &run).map(|_| ());
                if result != *expected {
                    return Err(format!("{name}, {case}: a frame came to {result:?}").into());
                }
            }
            judged.push(burst);
        }
        let mut walk = Walk::new(*order, judged.len());
        group.sample_size(order.samples()).bench_function(*case, |bencher| {
            let mut pass = |burst: &Vec<Judged<'_>>| {
                now = now.after(pace);
                for frame in burst {
                    let _ = black_box(desk.pass(frame, now, &run));
                }
            };
            match order {
                Order::Cold => {
                    let next = || {
                        let burst = &judged[walk.step()];
                        // the frames themselves are at hand, whatever else is not: the driver has just brought them
                        burst.iter().for_each(|frame| drop(black_box(frame.bytes.to_vec())));
                        burst
                    };
                    bencher.iter_batched(next, pass, BatchSize::PerIteration);
                }
                Order::Hot | Order::InTurn => bencher.iter(|| pass(&judged[walk.step()])),
            }
        });
    }
    Ok(())
}
