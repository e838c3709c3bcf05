//! The run-to-completion loop of one core: receive a burst, take each frame all the way, send what crosses, discard the
//! rest. A worker owns its queues, limiters, books and clock; it takes orders and gives reports through bounded queues,
//! between two bursts (DESIGN 1.3).

mod egress;
pub mod idle;
pub mod orders;

use std::sync::Arc;

use rules::Mac;

use crate::base::BURST;
use crate::base::time::Time;
use crate::frame::buffer::{self, Buffer};
use crate::io::Io;
use crate::observe::books::Books;
use crate::observe::meter::Spent;
use crate::observe::profile::{Probe, Profile, Stage, Stopwatch};
use crate::path;
use crate::path::control_queue::{Noticed, Notices};
use crate::path::fast::Gate;
use crate::path::outbox::{LocalFrame, Outbox};
use crate::path::state::Lane;
use crate::path::verdict::Verdict;
use crate::plan::Plan;
use crate::table::limits::Limits;
use egress::{Egress, Exits, Made, WAITING, What};
use idle::Rest;
use orders::{Adopt, Order, Report};

/// Looks at a port in one turn, while it brings whole bursts of nothing but plain unicast. A port that brings anything else
/// has one: frames of a storm cost the most, and would otherwise have as many turns as those that matter.
const MOST_LOOKS: usize = 4;

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
        let limits = plan.bridges.iter().map(|bridge| Limits::new(&bridge.rules, workers, seed)).collect();
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
        if let Some((crossing, frames)) = gate.front(burst) {
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
                    exits.post(io, plan, lane, Some((from, buffer::priority(frame.bytes(), tags))));
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
    pub fn send_own(&mut self, frames: &[LocalFrame]) {
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
