//! The run-to-completion loop of one core: receive a burst, take each frame all the way, send what crosses, discard the
//! rest. A worker owns its queues, limiters, books and clock; it takes orders and gives reports through bounded queues,
//! between two bursts (DESIGN 1.3).

use std::sync::Arc;

use rules::Mac;

use crate::books::{Books, SideBooks};
use crate::event::{Noticed, Notices};
use crate::frame::ether;
use crate::idle::Rest;
use crate::io::{BURST, Buffer, Io};
use crate::meter::Spent;
use crate::outbox::{Outbox, OwnKind};
use crate::path::{self, Crossing, Lane, Limits, Verdict};
use crate::plan::{At, Plan};
use crate::presence::OwnSend;
use crate::profile::{Probe, Profile, Stage, Stopwatch};
use crate::reason::{Cause, Reason};
use crate::shortcut::Gate;
use crate::time::Time;

/// What the control thread asks of a worker.
#[derive(Debug)]
pub enum Order {
    /// Go by these rules from the next burst on.
    Adopt(Box<Adopt>),
    /// Add your books to these.
    Count(Box<Books>),
    /// Send these frames of our own; empty the list.
    Send(Vec<OwnSend>),
    /// Fill this from the next burst on, until it is full; without one, fill none.
    Profile(Option<Box<Profile>>),
    /// Finish.
    Stop,
}

/// What a worker gives back. It frees nothing itself.
#[derive(Debug)]
pub enum Report {
    /// The new rules are in force; the old ones, to be freed.
    Adopted(Box<Adopt>),
    /// The books, counted between two bursts.
    Counted(Box<Books>),
    /// What was sent, to be freed.
    Sent(Vec<OwnSend>),
    /// The profile that was filled until now.
    Profiled(Option<Box<Profile>>),
}

/// New rules for one worker, with room made for all that they bring. After adoption: the old ones.
#[derive(Debug)]
pub struct Adopt {
    plan: Arc<Plan>,
    limits: Vec<Limits>,
    sides: Vec<[SideBooks; 2]>,
}

impl Adopt {
    /// For a worker that goes by `before`.
    pub fn new(plan: Arc<Plan>, before: &Plan, workers: usize, seed: u64) -> Adopt {
        let total = plan.bridges.len();
        // an empty place for each bridge that the worker knows already: it moves what it has there
        let mut limits = Vec::with_capacity(total);
        limits.extend(
            plan.bridges[before.bridges.len()..].iter().map(|bridge| Limits::new(bridge, workers, seed)),
        );
        let mut sides = Vec::with_capacity(total);
        sides.resize_with(limits.len(), Default::default);
        Adopt { plan, limits, sides }
    }
}

/// Frames on their way to a port's transmit queue, and what each is.
#[derive(Debug)]
struct Egress<B> {
    frames: Vec<B>,
    runs: Vec<Run>,
}

/// Frames one after another that are alike, for the books.
#[derive(Debug, Clone, Copy)]
struct Run {
    what: What,
    frames: usize,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// It came from there.
    Forwarded(At),
    /// It is our own, and goes there.
    Own(OwnKind, At),
}

/// A frame that the bridge makes itself: untagged bytes, and the priority bits that its tag gets.
#[derive(Debug, Clone, Copy)]
struct Made<'a> {
    at: At,
    what: What,
    priority: u16,
    bytes: &'a [u8],
}

/// Frames that wait at a port at the most: a burst, and as many again of our own.
const WAITING: usize = 2 * BURST;

/// Looks at a port in one turn, while it brings whole bursts of nothing but plain unicast. A port that brings anything else
/// has one: frames of a storm cost the most, and would otherwise have as many turns as those that matter.
const MOST_LOOKS: usize = 4;

/// All that a worker has on its way out.
#[derive(Debug)]
struct Exits<B> {
    /// By port.
    egress: Vec<Egress<B>>,
    discard: Vec<B>,
}

/// One worker.
#[derive(Debug)]
pub struct Worker<I: Io> {
    /// Its ports.
    pub io: I,
    plan: Arc<Plan>,
    lane: Lane,
    burst: Vec<I::Buffer>,
    exits: Exits<I::Buffer>,
}

impl<I: Io> Worker<I> {
    /// One of so many workers, and the end of its notices.
    pub fn new(io: I, plan: Arc<Plan>, workers: usize, seed: u64) -> (Worker<I>, Noticed) {
        const NOTICES: usize = 4096;
        let (notices, consumer) = Notices::queue(NOTICES);
        let limits = plan.bridges.iter().map(|bridge| Limits::new(bridge, workers, seed)).collect();
        let books = Books::new(plan.ports.len(), plan.bridges.len());
        let egress = || Egress { frames: Vec::with_capacity(WAITING), runs: Vec::with_capacity(WAITING) };
        let worker = Worker {
            io,
            lane: Lane { limits, books, notices, outbox: Outbox::default() },
            burst: Vec::with_capacity(WAITING), // it trades places with what waits at a port
            exits: Exits {
                egress: plan.ports.iter().map(|_| egress()).collect(),
                discard: Vec::with_capacity(BURST + WAITING),
            },
            plan,
        };
        (worker, consumer)
    }

    /// Its books, between two bursts.
    pub fn books(&self) -> &Books {
        &self.lane.books
    }

    /// The rules that it goes by.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Looks at every port; how many frames that brought.
    #[inline]
    pub fn poll(&mut self, now: Time) -> usize {
        self.poll_with(now, &mut ())
    }

    /// The same, with every stage told to a probe.
    #[inline]
    pub fn poll_with(&mut self, now: Time, probe: &mut impl Probe) -> usize {
        let mut frames = 0;
        for port in 0..self.exits.egress.len() {
            for _ in 0..MOST_LOOKS {
                probe.begin();
                self.io.receive(port, &mut self.burst);
                let count = self.burst.len();
                self.lane.books.meter.look(count);
                if count == 0 {
                    break;
                }
                frames += count;
                probe.frames(Stage::Receive, count);
                if !self.burst(port, now, probe) || count < BURST {
                    break;
                }
            }
        }
        self.lane.books.events_lost = self.lane.notices.lost;
        frames
    }

    /// Takes a burst all the way; true where all of it took the shortcut together.
    #[inline(always)]
    fn burst(&mut self, port: usize, now: Time, probe: &mut impl Probe) -> bool {
        let Worker { io, plan, lane, burst, exits } = self;
        let received = burst.len();
        lane.books.ports[port].received += received as u64;
        let mut gate = Gate::new(plan, port, now);
        if let Some((crossing, frames)) = gate.front::<I>(burst) {
            probe.frames(Stage::Shortcut, frames);
            lane.books.received(crossing.from, frames, crossing.bytes);
            exits.cross_first(burst, frames, crossing);
            probe.frames(Stage::Transmit, 0);
        }
        let plain = burst.is_empty();
        burst.reverse(); // what is left is taken off its end
        while let Some(mut frame) = burst.pop() {
            match path::run(plan, lane, &mut gate, port, &mut frame, now, probe) {
                Verdict::Forward(crossing) => exits.cross(io, &mut lane.books, frame, crossing),
                Verdict::Fragments { from } => {
                    let tags = plan.bridge(from).rules.side(from.side).tags;
                    exits.post(io, plan, lane, Some((from, ether::priority(frame.bytes(), tags))));
                    exits.discard.push(frame);
                }
                Verdict::Done => exits.discard.push(frame),
            }
            if !lane.outbox.frames().is_empty() {
                exits.post(io, plan, lane, None);
            }
            probe.frames(Stage::Transmit, 0);
            if let Some((crossing, frames)) = gate.back(burst) {
                probe.frames(Stage::Shortcut, frames);
                lane.books.received(crossing.from, frames, crossing.bytes);
                exits.cross_next(io, &mut lane.books, burst, frames, crossing);
                probe.frames(Stage::Transmit, 0);
            }
        }
        exits.flush(io, &mut lane.books);
        probe.frames(Stage::Transmit, received);
        plain
    }

    /// Sends frames that the control side made.
    pub fn send_own(&mut self, frames: &[OwnSend]) {
        let Worker { io, plan, lane, exits, .. } = self;
        for own in frames {
            let what = What::Own(own.kind, own.at);
            exits.make(io, plan, &mut lane.books, Made { at: own.at, what, priority: 0, bytes: &own.bytes });
        }
        exits.flush(io, &mut lane.books);
    }

    /// Goes by new rules from here on. Everything that the worker remembers stays. `adopt` then holds the old ones.
    pub fn adopt(&mut self, adopt: &mut Adopt) {
        if !adopt.limits.is_empty() {
            // keep the order of the slots: what was there first, then the new; no allocation, the room was made outside
            take_over(&mut self.lane.limits, &mut adopt.limits);
            take_over(&mut self.lane.books.sides, &mut adopt.sides);
        }
        std::mem::swap(&mut self.plan, &mut adopt.plan);
    }
}

impl<B: Buffer> Exits<B> {
    /// The way of nearly every frame: those in front of a burst cross together, and if that is all of them they stay where
    /// they are, in a list that changes its owner. Nothing waits at any port yet.
    #[inline(always)]
    fn cross_first(&mut self, burst: &mut Vec<B>, count: usize, crossing: Crossing) {
        let Crossing { port, from, bytes } = crossing;
        let Egress { frames, runs } = &mut self.egress[port];
        debug_assert!(frames.is_empty());
        if count == burst.len() {
            std::mem::swap(burst, frames);
        } else {
            frames.extend(burst.drain(..count));
        }
        runs.push(Run { what: What::Forwarded(from), frames: count, bytes });
    }

    /// As many frames at the end of a burst that is in reverse cross together.
    fn cross_next(
        &mut self,
        io: &mut impl Io<Buffer = B>,
        books: &mut Books,
        burst: &mut Vec<B>,
        count: usize,
        crossing: Crossing,
    ) {
        let Crossing { port, from, bytes } = crossing;
        if self.egress[port].frames.len() + count > WAITING {
            self.send(io, books, port);
        }
        let Egress { frames, runs } = &mut self.egress[port];
        frames.extend(burst.drain(burst.len() - count..).rev());
        runs.push(Run { what: What::Forwarded(from), frames: count, bytes });
    }

    /// One frame crosses: it joins the run of those before it.
    #[inline(always)]
    fn cross(&mut self, io: &mut impl Io<Buffer = B>, books: &mut Books, frame: B, crossing: Crossing) {
        let Crossing { port, from, bytes } = crossing;
        let Egress { frames, runs } = &mut self.egress[port];
        if let Some(Run { what: What::Forwarded(before), frames: count, bytes: sum }) = runs.last_mut()
            && *before == from
            && frames.len() < WAITING
        {
            *count += 1;
            *sum += bytes;
            frames.push(frame);
        } else {
            self.push(io, books, port, frame, What::Forwarded(from), bytes);
        }
    }

    #[inline(never)]
    fn push(
        &mut self,
        io: &mut impl Io<Buffer = B>,
        books: &mut Books,
        port: usize,
        frame: B,
        what: What,
        bytes: usize,
    ) {
        if self.egress[port].frames.len() == WAITING {
            self.send(io, books, port);
        }
        let Egress { frames, runs } = &mut self.egress[port];
        runs.push(Run { what, frames: 1, bytes });
        frames.push(frame);
    }

    /// Puts what the outbox holds on its way. Where it is the fragments of a frame, of this place and priority, the first
    /// stands for it, and all keep its priority.
    #[cold]
    fn post(&mut self, io: &mut impl Io<Buffer = B>, plan: &Plan, lane: &mut Lane, whole: Option<(At, u16)>) {
        let Lane { outbox, books, .. } = lane;
        let (mut from, priority) = whole.unzip();
        for own in outbox.frames() {
            let what = from.take().map_or(What::Own(own.kind, own.at), What::Forwarded);
            let priority = priority.unwrap_or(0);
            self.make(io, plan, books, Made { at: own.at, what, priority, bytes: &own.bytes });
        }
        outbox.clear();
    }

    /// A frame of our own, tagged for its side, on its way; without a buffer it is lost, and counted.
    fn make(&mut self, io: &mut impl Io<Buffer = B>, plan: &Plan, books: &mut Books, made: Made<'_>) {
        let Made { at, what, priority, bytes } = made;
        let side = plan.bridge(at).rules.side(at.side);
        let frame =
            io.make(bytes).and_then(|mut frame| ether::tag(&mut frame, side.tags, priority).then_some(frame));
        match frame {
            Some(frame) => {
                let bytes = frame.bytes().len();
                self.push(io, books, side.port, frame, what, bytes);
            }
            None => refuse(&mut books.sides, what, 1),
        }
    }

    /// Sends what waits, and gives back what goes nowhere.
    fn flush(&mut self, io: &mut impl Io<Buffer = B>, books: &mut Books) {
        for port in 0..self.egress.len() {
            if !self.egress[port].frames.is_empty() {
                self.send(io, books, port);
            }
        }
        if !self.discard.is_empty() {
            io.discard(&mut self.discard);
        }
    }

    /// Forwarded counts when the queue took the frame (DESIGN 1.1). A full queue is not waited for: what it did not take
    /// is dropped.
    fn send(&mut self, io: &mut impl Io<Buffer = B>, books: &mut Books, port: usize) {
        let Egress { frames, runs } = &mut self.egress[port];
        io.transmit(port, frames);
        // what the queue did not take is the end of what it was offered
        let mut refused = frames.iter().rev();
        for run in runs.drain(..).rev() {
            let (mut left, mut bytes) = (run.frames, run.bytes);
            for frame in refused.by_ref().take(run.frames) {
                left -= 1;
                bytes -= frame.bytes().len();
            }
            books.ports[port].transmitted += left as u64;
            take(&mut books.sides, Run { frames: left, bytes, ..run });
            refuse(&mut books.sides, run.what, run.frames - left);
        }
        io.discard(frames);
    }
}

/// Where a frame goes.
fn destination(what: What) -> At {
    match what {
        What::Forwarded(from) => At { side: from.side.other(), ..from },
        What::Own(_, at) => at,
    }
}

/// Books frames that the queue took.
fn take(sides: &mut [[SideBooks; 2]], Run { what, frames, bytes }: Run) {
    let at = destination(what);
    let sides = &mut sides[usize::from(at.bridge)];
    let counter = match what {
        What::Forwarded(from) => &mut sides[from.side.index()].forwarded,
        What::Own(OwnKind::Reply, _) => &mut sides[at.side.index()].replies,
        What::Own(OwnKind::Probe, _) => &mut sides[at.side.index()].probes,
        What::Own(OwnKind::Fragment, _) => &mut sides[at.side.index()].fragments,
    };
    *counter += frames as u64;
    let to = &mut sides[at.side.index()];
    to.transmitted += frames as u64;
    to.transmitted_bytes += bytes as u64;
}

/// Books frames that the queue did not take, or that there was no buffer for.
fn refuse(sides: &mut [[SideBooks; 2]], what: What, frames: usize) {
    let at = destination(what);
    let sides = &mut sides[usize::from(at.bridge)];
    match what {
        What::Forwarded(from) => sides[from.side.index()].dropped[Reason::TxFull.index()] += frames as u64,
        What::Own(..) => sides[at.side.index()].causes[Cause::OwnLost.index()] += frames as u64,
    }
}

/// Puts `old` in front of what `roomy` holds and makes that the new `old`; `roomy` has the capacity for both.
fn take_over<T>(old: &mut Vec<T>, roomy: &mut Vec<T>) {
    let added = roomy.len();
    roomy.append(old);
    roomy.rotate_left(added);
    std::mem::swap(old, roomy);
}

impl<I: Io> Worker<I> {
    /// Forwards until it is told to stop, and gives the books back.
    pub fn run(
        mut self,
        clock: impl Fn() -> Time,
        mut orders: rtrb::Consumer<Order>,
        mut reports: rtrb::Producer<Report>,
    ) -> Books {
        let mut rest = Rest::default();
        let mut read = clock();
        let (mut heard, mut spent) = (read, Spent::Idle);
        let mut profile: Option<Box<Profile>> = None;
        loop {
            while let Ok(order) = orders.pop() {
                let report = match order {
                    Order::Stop => return self.lane.books,
                    Order::Adopt(mut adopt) => {
                        self.adopt(&mut adopt);
                        Report::Adopted(adopt)
                    }
                    Order::Count(mut books) => {
                        *books += self.books();
                        Report::Counted(books)
                    }
                    Order::Send(frames) => {
                        self.send_own(&frames);
                        Report::Sent(frames)
                    }
                    Order::Profile(next) => Report::Profiled(std::mem::replace(&mut profile, next)),
                };
                // there is room: the control thread waits for each report before it asks again
                let _ = reports.push(report);
            }
            let now = clock();
            self.lane.books.meter.turn(spent, read, now);
            read = now;
            let frames = match profile.as_deref_mut().filter(|profile| profile.is_open()) {
                None => self.poll(now),
                Some(profile) => self.poll_timed(now, profile, &clock),
            };
            spent = if frames > 0 {
                heard = now;
                Spent::Busy
            } else if rest.rest(self.plan.rules.idle, now.since(heard)) {
                Spent::Asleep
            } else {
                Spent::Idle
            };
        }
    }
}

impl<I: Io> Worker<I> {
    /// Out of line, so that the usual loop is as it would be without it.
    #[cold]
    #[inline(never)]
    fn poll_timed(&mut self, now: Time, profile: &mut Profile, clock: &impl Fn() -> Time) -> usize {
        self.poll_with(now, &mut Stopwatch::new(profile, clock))
    }
}

/// The MAC of a port that has none of its own yet, as in a replay: a side without `mac` derives its own from it.
pub fn placeholder_mac(port: usize) -> Mac {
    Mac::from_u64(0x0251_0000_0000 + (port as u64 + 1))
}
