//! The packet's way. `judge` is the map: the stages in order, one call a line, each with the name that
//! [`show workers --stages`](crate::observe::profile) times it by.
//!
//! Three speeds. *Fast*: unicast IPv4 or IPv6 between known stations, which is nearly everything: headers read once, two
//! table probes, a rewrite of two bytes. It takes a [`shortcut`](fast) to the same verdict. *Slow*: ARP,
//! neighbour discovery and ICMPv6, parsed in full. *Control*: learning, moves and events, the rare ones, out of line.
//!
//! The order is a security property: nothing is learned from a frame that the filter refuses.

pub mod context;
pub mod control_queue;
pub mod fast;
pub mod outbox;
pub mod packet;
pub mod stage;
pub mod state;
pub mod verdict;

use crate::base::At;
use crate::base::event::Event;
use crate::base::reason::Reason;
use crate::base::time::Time;
use crate::frame::buffer::{self, Buffer};
use crate::frame::ether::{self, Ether};
use crate::observe::books::SideBooks;
use crate::observe::profile::{Probe, Stage};
use crate::plan::Plan;
use crate::table::limits::Limits;
use context::Notes;
use control_queue::Notice;
use fast::Gate;
use outbox::Outbox;
use packet::Arrival;
use stage::answer::Answer;
use stage::fit::Fit;
use stage::{admit, answer, filter, fit, forward, guard, learn, police};
use state::Lane;
use verdict::{Crossing, Verdict};

/// How a frame may cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// As it is.
    Whole,
    /// As the fragments in the outbox.
    Fragments,
    /// It does not: it was for the bridge, or is answered.
    Answered,
}

/// Whether and how one side's frame may cross, stage by stage.
#[inline(always)]
fn judge(
    arrival: &Arrival<'_>,
    limits: &mut Limits,
    outbox: &mut Outbox,
    notes: &mut Notes<'_>,
    probe: &mut impl Probe,
) -> Result<Way, Reason> {
    let Arrival { bridge, ether, now, .. } = arrival;
    let side = arrival.side();
    probe.stage(Stage::Guard, guard::guard(bridge, side, ether, notes))?; // reserved addresses, loops, our own MACs
    let packet = probe.stage(Stage::Filter, filter::filter(bridge, ether, notes))?; // what an exchange lets through
    probe.stage(Stage::Learn, learn::learn(bridge, limits, side, ether.src, *now, notes))?; // who may speak, and where
    probe.stage(Stage::Police, police::police(bridge, limits, side, (ether.dst, ether.src), *now))?; // storms
    learn::hear(arrival, &packet, notes); // whose address is whose
    probe.frames(Stage::Hear, 1);
    if probe.stage(Stage::Answer, answer::answer(arrival, &packet, limits, outbox, notes))? == Answer::Done {
        return Ok(Way::Answered); // for ourselves, or on behalf of a member
    }
    probe.stage(Stage::Forward, forward::forward(bridge, limits, side, ether.dst, *now, notes))?; // where the destination is
    match probe.stage(Stage::Fit, fit::fit(arrival, &packet, limits, outbox, notes))? {
        Fit::Whole => Ok(Way::Whole), // the egress MTU
        Fit::Fragments => Ok(Way::Fragments),
    }
}

/// Takes one frame all the way: judged, counted and, where it crosses, rewritten for its egress side. (The port's books
/// count what it received by the burst.)
#[inline(always)]
pub fn run(
    plan: &Plan,
    lane: &mut Lane,
    gate: &mut Gate<'_>,
    port: usize,
    frame: &mut impl Buffer,
    now: Time,
    probe: &mut impl Probe,
) -> Verdict {
    match gate.cross(frame) {
        Some(crossing) => {
            lane.books.received(crossing.from, 1, crossing.bytes);
            probe.stage(Stage::Shortcut, Verdict::Forward(crossing))
        }
        None => whole_way(plan, lane, port, frame, now, probe),
    }
}

/// [`run`] without the shortcut, which must not differ from it in anything but speed.
#[inline(never)]
pub fn whole_way(
    plan: &Plan,
    lane: &mut Lane,
    port: usize,
    frame: &mut impl Buffer,
    now: Time,
    probe: &mut impl Probe,
) -> Verdict {
    let (at, ether) = match probe.stage(Stage::Admit, admitted(plan, port, frame)) {
        Ok(admitted) => admitted,
        Err(reason) => return stray(lane, port, frame, reason, now),
    };
    let bridge = plan.bridge(at);
    let slot = usize::from(at.bridge);
    let Lane { limits, books, notices, outbox } = lane;
    let books: &mut SideBooks = &mut books.sides[slot][at.side.index()];
    books.received += 1;
    books.received_bytes += frame.bytes().len() as u64;
    let arrival = Arrival { bridge, at, ether, now };
    let mut notes = Notes { books, notices, time: now, port, at: (slot, at.side), mac: ether.src };
    let judged = judge(&arrival, &mut limits[slot], outbox, &mut notes, probe);
    let (ingress, egress) = (bridge.rules.side(at.side), bridge.rules.side(at.side.other()));
    let outcome = judged.and_then(|way| match way {
        Way::Whole if !buffer::retag(frame, ingress.tags, egress.tags) => Err(Reason::NoHeadroom),
        way => Ok(way),
    });
    match outcome {
        Ok(Way::Whole) => {
            Verdict::Forward(Crossing { port: egress.port, from: at, bytes: frame.bytes().len() })
        }
        Ok(Way::Fragments) => Verdict::Fragments { from: at },
        Ok(Way::Answered) => {
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

/// A frame of no side ends in the port's books. What is reserved is called so there too: real BPDUs are untagged
/// (SPEC F23).
#[cold]
fn stray(lane: &mut Lane, port: usize, frame: &impl Buffer, reason: Reason, now: Time) -> Verdict {
    let mut counted = reason;
    if let Some((dst, src)) = ether::addresses(frame.bytes()).filter(|_| reason != Reason::Runt) {
        counted = guard::reserved(dst).unwrap_or(reason);
        if let Some(kind) = guard::bpdu(dst) {
            lane.notices.push(Notice::Event(Event { time: now, port, at: None, kind, mac: src }));
        }
    }
    lane.books.ports[port].dropped[counted.index()] += 1;
    Verdict::Done
}
