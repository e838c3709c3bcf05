//! The run-to-completion loop of one core: receive a burst, take each frame all the way, send what crosses, discard the
//! rest. A worker owns its queues, limiters, books and clock; it takes orders and gives reports through bounded queues,
//! between two bursts (law 3).

pub mod confine;
mod egress;
pub mod idle;
pub mod orders;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use rules::{Idle, Mac};

use crate::base::BURST;
use crate::base::reason::Stage;
use crate::base::time::Time;
use crate::frame::buffer::{self, Buffer};
use crate::io::Io;
use crate::observe::books::Books;
use crate::observe::meter::Spent;
use crate::observe::profile::{Profile, StageTimer, Stopwatch};
use crate::path;
use crate::path::control_queue::{ControlRx, ControlTx};
use crate::path::fast::FastPath;
use crate::path::outbox::{LocalFrame, Outbox};
use crate::path::state::WorkerState;
use crate::path::verdict::Verdict;
use crate::plan::Plan;
use crate::table::limits::Lots;
use egress::{LocalTx, TxBuffers, TxOrigin, TxQueue, WAITING};
use idle::IdleWait;
use orders::{Order, PlanSwap, WorkerReport};

/// Looks at a port in one turn, while it brings whole bursts of nothing but plain unicast. A port that brings anything else
/// has one: frames of a storm cost the most, and would otherwise have as many turns as those that matter.
const MOST_LOOKS: usize = 4;

/// A worker that waits for a frame looks around so often: the control thread's orders wait no longer, and nor does a frame
/// whose interrupt is lost.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// Frames one after another that should have ended a wait and did not: then no interrupts come (82574 with MSI-X: DPDK 22.11 does
/// not route its causes, `E1000_IVAR`).
const DEAF: u32 = 8;

/// One worker.
#[derive(Debug)]
pub struct Worker<I: Io> {
    /// Its ports.
    pub io: I,
    plan: Arc<Plan>,
    state: WorkerState,
    burst: Vec<I::Buffer>,
    tx: TxBuffers<I::Buffer>,
    /// Waits one after another that a frame should have ended and did not.
    unannounced: u32,
}

impl<I: Io> Worker<I> {
    /// One of so many workers, and the control thread's end of its messages.
    pub fn new(io: I, plan: Arc<Plan>, workers: usize) -> (Worker<I>, ControlRx) {
        const MESSAGES: usize = 8192; // the limits let less through between two ticks of the control thread
        let (control, consumer) = ControlTx::queue(MESSAGES);
        let lots = plan.bridges.iter().map(|_| Lots::of(workers)).collect();
        let mut books = Books::new(plan.ports.len(), plan.bridges.len());
        books.follow(&plan);
        let egress = || TxQueue { frames: Vec::with_capacity(WAITING), runs: Vec::with_capacity(WAITING) };
        let worker = Worker {
            io,
            state: WorkerState { lots, books, control, outbox: Outbox::default() },
            burst: Vec::with_capacity(WAITING), // it trades places with what waits at a port
            tx: TxBuffers {
                egress: plan.ports.iter().map(|_| egress()).collect(),
                discard: Vec::with_capacity(BURST + WAITING),
            },
            unannounced: 0,
            plan,
        };
        (worker, consumer)
    }

    /// Its books, between two bursts.
    pub fn books(&self) -> &Books {
        &self.state.books
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

    /// The same, with every stage told to a timer.
    #[inline]
    pub fn poll_with(&mut self, now: Time, timer: &mut impl StageTimer) -> usize {
        let mut frames = 0;
        for port in 0..self.tx.egress.len() {
            for _ in 0..MOST_LOOKS {
                timer.begin();
                self.io.receive(port, &mut self.burst);
                let count = self.burst.len();
                self.state.books.meter.look(count);
                if count == 0 {
                    break;
                }
                frames += count;
                timer.frames(Stage::Receive, count);
                if !self.burst(port, now, timer) || count < BURST {
                    break;
                }
            }
        }
        self.state.books.events_lost = self.state.control.lost;
        frames
    }

    /// Takes a burst all the way; true where all of it went the same way by the fast path.
    #[inline(always)]
    fn burst(&mut self, port: usize, now: Time, timer: &mut impl StageTimer) -> bool {
        let Worker { io, plan, state, burst, tx, .. } = self;
        let received = burst.len();
        state.books.ports[port].received += received as u64;
        let mut fast = FastPath::new(plan, port, now);
        if let Some((crossing, frames)) = path::run_front(state, &mut fast, burst) {
            timer.frames(Stage::FastPath, frames);
            tx.cross_first(burst, frames, crossing);
            timer.frames(Stage::Transmit, 0);
        }
        let plain = burst.is_empty();
        burst.reverse(); // what is left is taken off its end
        while let Some(mut frame) = burst.pop() {
            match path::run(plan, state, &mut fast, port, &mut frame, now, timer) {
                Verdict::Forward(crossing) => tx.cross(io, &mut state.books, frame, crossing),
                Verdict::Fragments { from } => {
                    let tags = plan.bridge(from.bridge).rules.side(from.side).tags;
                    tx.post(io, plan, state, Some((from, buffer::priority(frame.bytes(), tags))));
                    tx.discard.push(frame);
                }
                Verdict::Done => tx.discard.push(frame),
            }
            if !state.outbox.frames().is_empty() {
                tx.post(io, plan, state, None);
            }
            timer.frames(Stage::Transmit, 0);
            if let Some((crossing, frames)) = path::run_back(state, &mut fast, burst) {
                timer.frames(Stage::FastPath, frames);
                tx.cross_next(io, &mut state.books, burst, frames, crossing);
                timer.frames(Stage::Transmit, 0);
            }
        }
        tx.flush(io, &mut state.books);
        timer.frames(Stage::Transmit, received);
        plain
    }

    /// Sends frames that the control plane made.
    pub fn send_own(&mut self, frames: &[LocalFrame]) {
        let Worker { io, plan, state, tx, .. } = self;
        for own in frames {
            let origin = TxOrigin::Own(own.kind, own.at);
            tx.make(
                io,
                plan,
                &mut state.books,
                LocalTx { at: own.at, origin, priority: 0, bytes: &own.bytes },
            );
        }
        tx.flush(io, &mut state.books);
    }

    /// Goes by new rules from here on. Everything that the worker remembers stays. `swap` then holds the old rules, and what
    /// is to be freed.
    pub fn swap_plan(&mut self, swap: &mut PlanSwap) {
        if !swap.lots.is_empty() {
            // in the order of `BridgeId`: known bridges, then new ones; no allocation, the control thread made room
            take_over(&mut self.state.lots, &mut swap.lots);
            take_over(&mut self.state.books.sides, &mut swap.sides);
        }
        std::mem::swap(&mut self.plan, &mut swap.plan);
        self.state.books.follow(&self.plan);
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
        mut reports: rtrb::Producer<WorkerReport>,
    ) -> Books {
        let mut rest = IdleWait::default();
        let mut read = clock();
        let (mut heard, mut spent) = (read, Spent::Idle);
        let mut profile: Option<Box<Profile>> = None;
        loop {
            while let Ok(order) = orders.pop() {
                let report = match order {
                    Order::Stop => return self.state.books,
                    Order::SwapPlan(mut swap) => {
                        self.swap_plan(&mut swap);
                        WorkerReport::PlanSwapped(swap)
                    }
                    Order::Count(mut books) => {
                        *books += self.books();
                        WorkerReport::Counted(books)
                    }
                    Order::Send(frames) => {
                        self.send_own(&frames);
                        WorkerReport::Sent(frames)
                    }
                    Order::Release(port) => {
                        self.io.release(port);
                        WorkerReport::Released
                    }
                    Order::Respond => WorkerReport::Present { deaf: self.is_deaf() },
                    Order::Profile(next) => WorkerReport::Profiled(std::mem::replace(&mut profile, next)),
                };
                // there is room: the queues are of one length, and the control thread knows what is open
                let _ = reports.push(report);
            }
            let now = clock();
            self.state.books.meter.turn(spent, read, now);
            read = now;
            let frames = match profile.as_deref_mut().filter(|profile| profile.is_open()) {
                None => self.poll(now),
                Some(profile) => self.poll_timed(now, profile, &clock),
            };
            spent = if frames > 0 {
                heard = now;
                Spent::Busy
            } else {
                let silence = now.since(heard);
                let idle = self.plan.rules.idle;
                let quiet = || self.io.wakes_after().is_some_and(|after| silence >= after);
                if idle == Idle::Interrupt && !self.is_deaf() && quiet() && self.arm() {
                    let (spent, last) = self.wait(&clock);
                    heard = last.unwrap_or(heard);
                    spent
                } else if rest.rest(idle, silence) {
                    Spent::Asleep
                } else {
                    Spent::Idle
                }
            };
        }
    }
}

impl<I: Io> Worker<I> {
    /// Has all ports wake it, or none.
    fn arm(&mut self) -> bool {
        let armed = self.io.arm();
        if !armed {
            self.io.disarm();
        }
        armed
    }

    /// Waits for a frame that wakes it; its ports are armed. What came before they were is found by one more look. What the
    /// turn was, and when there were frames.
    #[cold]
    #[inline(never)]
    fn wait(&mut self, clock: &impl Fn() -> Time) -> (Spent, Option<Time>) {
        let now = clock();
        let turn = if self.poll(now) > 0 {
            (Spent::Busy, Some(now))
        } else if self.io.wait(LONGEST_WAIT) {
            self.unannounced = 0;
            (Spent::Asleep, None)
        } else {
            let now = clock();
            let came = self.poll(now) > 0;
            if came && !self.io.wait(Duration::ZERO) {
                self.unannounced += 1;
            }
            (Spent::Asleep, came.then_some(now))
        };
        self.io.disarm();
        turn
    }

    /// Interrupts do not come, whatever the driver says.
    fn is_deaf(&self) -> bool {
        self.unannounced >= DEAF
    }

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
