//! The run-to-completion loop of one core: receive a burst, take each frame all the way, send what crosses, discard the
//! rest. A worker owns its queues, limiters, books and clock; it takes orders and gives reports through bounded queues,
//! between two bursts (DESIGN 1.3).

use std::sync::Arc;
use std::time::Duration;

use rules::{Idle, Mac};

use crate::books::{Books, SideBooks};
use crate::event::{Event, Events};
use crate::io::{BURST, Buffer, Io};
use crate::path::{self, Lane, Limits, Verdict};
use crate::plan::{At, Plan};
use crate::reason::Reason;
use crate::time::Time;

/// What the control thread asks of a worker.
#[derive(Debug)]
pub enum Order {
    /// Go by these rules from the next burst on.
    Adopt(Box<Adopt>),
    /// Add your books to these.
    Count(Box<Books>),
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

/// Frames on their way to a port's transmit queue, and where each came from.
#[derive(Debug)]
struct Egress<B> {
    frames: Vec<B>,
    notes: Vec<(At, usize)>,
}

/// One worker.
#[derive(Debug)]
pub struct Worker<I: Io> {
    /// Its ports.
    pub io: I,
    plan: Arc<Plan>,
    lane: Lane,
    burst: Vec<I::Buffer>,
    egress: Vec<Egress<I::Buffer>>,
    discard: Vec<I::Buffer>,
}

impl<I: Io> Worker<I> {
    /// One of so many workers, and the end of its events.
    pub fn new(io: I, plan: Arc<Plan>, workers: usize, seed: u64) -> (Worker<I>, rtrb::Consumer<Event>) {
        const EVENTS: usize = 4096;
        let (events, consumer) = Events::queue(EVENTS);
        let limits = plan.bridges.iter().map(|bridge| Limits::new(bridge, workers, seed)).collect();
        let books = Books::new(plan.ports.len(), plan.bridges.len());
        let egress = || Egress { frames: Vec::with_capacity(BURST), notes: Vec::with_capacity(BURST) };
        let worker = Worker {
            io,
            lane: Lane { limits, books, events },
            burst: Vec::with_capacity(BURST),
            egress: plan.ports.iter().map(|_| egress()).collect(),
            discard: Vec::with_capacity(2 * BURST),
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

    /// Looks at every port once; how many frames that brought.
    #[inline]
    pub fn poll(&mut self, now: Time) -> usize {
        let mut frames = 0;
        for port in 0..self.egress.len() {
            self.io.receive(port, &mut self.burst);
            self.lane.books.polls += 1;
            if !self.burst.is_empty() {
                self.lane.books.bursts += 1;
                frames += self.burst.len();
                self.burst(port, now);
            }
        }
        self.lane.books.events_lost = self.lane.events.lost;
        frames
    }

    fn burst(&mut self, port: usize, now: Time) {
        let plan = &*self.plan;
        for mut frame in self.burst.drain(..) {
            match path::run(plan, &mut self.lane, port, &mut frame, now) {
                Verdict::Forward { port, from } => {
                    let egress = &mut self.egress[port];
                    egress.notes.push((from, frame.bytes().len()));
                    egress.frames.push(frame);
                }
                Verdict::Drop => self.discard.push(frame),
            }
        }
        for port in 0..self.egress.len() {
            if !self.egress[port].frames.is_empty() {
                self.send(port);
            }
        }
        if !self.discard.is_empty() {
            self.io.discard(&mut self.discard);
        }
    }

    /// Forwarded counts when the queue took the frame (DESIGN 1.1). A full queue is not waited for: what it did not take
    /// is dropped.
    fn send(&mut self, port: usize) {
        let Egress { frames, notes } = &mut self.egress[port];
        self.io.transmit(port, frames);
        let taken = notes.len() - frames.len();
        self.lane.books.ports[port].transmitted += taken as u64;
        for (place, (from, bytes)) in notes.drain(..).enumerate() {
            let sides = &mut self.lane.books.sides[usize::from(from.bridge)];
            if place < taken {
                sides[from.side.index()].forwarded += 1;
                let to = &mut sides[from.side.other().index()];
                to.transmitted += 1;
                to.transmitted_bytes += bytes as u64;
            } else {
                sides[from.side.index()].dropped[Reason::TxFull.index()] += 1;
            }
        }
        self.discard.append(frames);
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
        idle: Idle,
        mut orders: rtrb::Consumer<Order>,
        mut reports: rtrb::Producer<Report>,
    ) -> Books {
        let mut empty = 0;
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
                };
                // there is room: the control thread waits for each report before it asks again
                let _ = reports.push(report);
            }
            empty = if self.poll(clock()) == 0 { empty + 1 } else { 0 };
            rest(idle, empty);
        }
    }
}

/// What to do after so many polls without a frame.
#[inline]
fn rest(idle: Idle, empty: u32) {
    /// Polls without a frame before a `sleep` worker sleeps: traffic that comes in bursts should find it awake.
    const AWAKE: u32 = 256;
    const NAP: Duration = Duration::from_micros(50);
    match idle {
        Idle::Poll => {}
        Idle::Pause if empty > 0 => std::hint::spin_loop(),
        Idle::Sleep if empty > AWAKE => std::thread::sleep(NAP),
        Idle::Pause | Idle::Sleep => {}
    }
}

/// The MAC of a port that has none of its own yet, as in a replay: a side without `mac` derives its own from it.
pub fn placeholder_mac(port: usize) -> Mac {
    Mac::from_u64(0x0251_0000_0000 + (port as u64 + 1))
}
