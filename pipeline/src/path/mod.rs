//! The packet's way. `run_stages` is the map: the stages in order, one call a line, each with the name that
//! [`show workers --stages`](crate::observe::profile) times it by.
//!
//! Three speeds. The *[fast path](fast)* is for unicast IPv4 and IPv6 between known stations, which is nearly everything:
//! headers read once, two look-ups, a rewrite of two bytes, and the same verdict. The *slow path* takes everything else through
//! all stages: ARP, neighbour discovery and ICMPv6, parsed in full. What is rare even there (a new address, a move, an event) is
//! out of line.
//!
//! The order is a security property: nothing is learned from a frame that the filter refuses.

pub mod context;
pub mod control_queue;
pub mod fast;
pub mod outbox;
pub mod packet;
pub mod stage;
pub mod state;
pub mod stations;
pub mod verdict;

use crate::base::At;
use crate::base::event::Event;
use crate::base::reason::{Reason, Stage};
use crate::base::time::Time;
use crate::frame::buffer::{self, Buffer};
use crate::frame::ether::{self, Ether};
use crate::observe::profile::StageTimer;
use crate::plan::Plan;
use context::FrameContext;
use fast::FastPath;
use packet::Frame;
use stage::answer::Answer;
use stage::fit::Fit;
use stage::{admit, answer, filter, fit, forward, guard, learn, police, snoop};
use state::WorkerState;
use verdict::{Crossing, Verdict};

/// How a frame that no stage refused goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    /// It crosses as it is.
    Whole,
    /// It crosses as the fragments in the outbox.
    Fragments,
    /// It does not cross: it was for the bridge, or is answered.
    Answered,
}

/// Whether and how one side's frame may cross, stage by stage.
#[inline(always)]
fn run_stages(
    frame: &Frame<'_>,
    context: &mut FrameContext<'_>,
    timer: &mut impl StageTimer,
) -> Result<Passage, Reason> {
    timer.stage(Stage::Guard, guard::guard(frame, context))?; // reserved addresses, loops, our own MACs
    let packet = &timer.stage(Stage::Filter, filter::filter(frame, context))?; // what an exchange lets through
    timer.stage(Stage::Learn, learn::learn(packet, context))?; // who may speak, and where
    timer.stage(Stage::Police, police::police(packet, context))?; // storms
    snoop::snoop(packet, context); // whose address is whose
    timer.frames(Stage::Snoop, 1);
    if timer.stage(Stage::Answer, answer::answer(packet, context))? == Answer::Done {
        return Ok(Passage::Answered); // for ourselves, or on behalf of a member
    }
    timer.stage(Stage::Forward, forward::forward(packet, context))?; // where the destination is
    match timer.stage(Stage::Fit, fit::fit(packet, context))? {
        Fit::Whole => Ok(Passage::Whole), // the egress MTU
        Fit::Fragments => Ok(Passage::Fragments),
    }
}

/// Takes as many frames in front of a burst as go the same way by the [fast path](fast), and counts them as received: one
/// crossing for all of them, and their number.
#[inline(always)]
pub fn run_front<B: Buffer>(
    state: &mut WorkerState,
    fast: &mut FastPath<'_>,
    burst: &mut [B],
) -> Option<(Crossing, usize)> {
    let together = fast.front(burst);
    if let Some((crossing, frames)) = together {
        state.books.received(crossing.from, frames, crossing.bytes);
    }
    together
}

/// [`run_front`] for a burst whose order was reversed, so that the next frames are at its end.
#[inline(always)]
pub fn run_back<B: Buffer>(
    state: &mut WorkerState,
    fast: &mut FastPath<'_>,
    burst: &mut [B],
) -> Option<(Crossing, usize)> {
    let together = fast.back(burst);
    if let Some((crossing, frames)) = together {
        state.books.received(crossing.from, frames, crossing.bytes);
    }
    together
}

/// Takes one frame all the way: judged, counted and, where it crosses, rewritten for its egress side. (The port's books
/// count what it received by the burst.)
#[inline(always)]
pub fn run(
    plan: &Plan,
    state: &mut WorkerState,
    fast: &mut FastPath<'_>,
    port: usize,
    frame: &mut impl Buffer,
    now: Time,
    timer: &mut impl StageTimer,
) -> Verdict {
    match fast.cross(frame) {
        Some(crossing) => {
            state.books.received(crossing.from, 1, crossing.bytes);
            timer.stage(Stage::FastPath, Verdict::Forward(crossing))
        }
        None => slow_path(plan, state, port, frame, now, timer),
    }
}

/// [`run`] without the fast path, which must not differ from it in anything but speed.
#[inline(never)]
pub fn slow_path(
    plan: &Plan,
    state: &mut WorkerState,
    port: usize,
    frame: &mut impl Buffer,
    now: Time,
    timer: &mut impl StageTimer,
) -> Verdict {
    let (at, ether) = match timer.stage(Stage::Admit, admitted(plan, port, frame)) {
        Ok(admitted) => admitted,
        Err(reason) => return stray(state, port, frame, reason, now),
    };
    let bridge = plan.bridge(at.bridge);
    let WorkerState { lots, books, control, outbox } = state;
    let mut context = FrameContext {
        bridge,
        lots: &mut lots[at.bridge.index()],
        outbox,
        books: books.received(at, 1, frame.bytes().len()),
        control,
        time: now,
        port,
        at,
        mac: ether.src,
        listed: None,
    };
    let passage = run_stages(&Frame { bridge, at, ether, now }, &mut context, timer);
    let books = context.books;
    let (ingress, egress) = (bridge.rules.side(at.side), bridge.rules.side(at.side.other()));
    let outcome = passage.and_then(|passage| match passage {
        Passage::Whole if !buffer::retag(frame, ingress.tags, egress.tags) => Err(Reason::NoHeadroom),
        passage => Ok(passage),
    });
    match outcome {
        Ok(Passage::Whole) => {
            Verdict::Forward(Crossing { port: egress.port, from: at, bytes: frame.bytes().len() })
        }
        Ok(Passage::Fragments) => Verdict::Fragments { from: at },
        Ok(Passage::Answered) => {
            books.answered += 1;
            Verdict::Done
        }
        Err(reason) => {
            books.dropped[reason.index()] += 1;
            Verdict::Done
        }
    }
}

#[inline]
fn admitted<'a>(plan: &Plan, port: usize, frame: &'a impl Buffer) -> Result<(At, Ether<'a>), Reason> {
    if !frame.is_whole() {
        return Err(Reason::OversizeBuffer);
    }
    admit::admit(&plan.ports[port], frame.bytes())
}

/// A frame that belongs to no side is counted in the port's books. A reserved destination is counted as that, whatever its
/// tags: real BPDUs are untagged (docs/spec F23).
#[cold]
fn stray(state: &mut WorkerState, port: usize, frame: &impl Buffer, reason: Reason, now: Time) -> Verdict {
    let mut counted = reason;
    if let Some((dst, src)) = ether::addresses(frame.bytes()).filter(|_| reason != Reason::Runt) {
        counted = guard::reserved(dst).unwrap_or(reason);
        if let Some(kind) = guard::bpdu(dst) {
            state.control.stray(Event { time: now, port, at: None, kind, mac: src });
        }
    }
    state.books.ports[port].dropped[counted.index()] += 1;
    Verdict::Done
}
