//! The packet's way. [`judge`] is the map: the stages in order, one call a line.
//!
//! Three speeds. *Fast*: unicast IPv4 or IPv6 between known stations, which is nearly everything: headers read once, two
//! table probes, a rewrite of two bytes. *Slow*: ARP, neighbour discovery and ICMPv6, parsed in full. *Control*: learning,
//! moves and events, the rare ones, out of line.
//!
//! The order is a security property: nothing is learned from a frame that the filter refuses.

use rules::Side;

use crate::books::{Books, SideBooks};
use crate::event::{Event, Events, Notes};
use crate::frame::ether::{self, Ether};
use crate::io::Buffer;
use crate::plan::{At, BridgePlan, Plan};
use crate::reason::Reason;
use crate::stage::{admit, answer, filter, fit, forward, guard, learn, police};
use crate::table::bucket::{Share, Sources};
use crate::time::Time;

/// Why one side's frame may cross, stage by stage.
#[inline(always)]
fn judge(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    ether: &Ether<'_>,
    now: Time,
    notes: &mut Notes<'_>,
) -> Result<(), Reason> {
    guard::guard(bridge, side, ether, notes)?; // reserved addresses, loops, our own MACs
    let packet = filter::filter(bridge, ether, notes)?; // what an exchange lets through
    learn::learn(bridge, limits, side, ether.src, now, notes)?; // who may speak, and where
    police::police(bridge, limits, side, (ether.dst, ether.src), now)?; // storms
    answer::answer(bridge, ether.dst)?; // for ourselves
    forward::forward(bridge, limits, side, ether.dst, now, notes)?; // where the destination is
    fit::fit(bridge, side, &packet, ether.payload.len(), notes) // the egress MTU
}

/// What became of a frame on its way to the egress queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It leaves by this port; it came from `from` and goes to the other side of the same bridge.
    Forward {
        /// Egress port.
        port: usize,
        /// Where it came in.
        from: At,
    },
    /// It goes nowhere, and is counted.
    Drop,
}

/// One worker's own limiters of one bridge.
#[derive(Debug)]
pub struct Limits {
    /// Storm buckets by source MAC.
    pub sources: Sources,
    /// By side.
    pub sides: [Shares; 2],
}

impl Limits {
    /// Fresh ones for one of so many workers.
    pub fn new(bridge: &BridgePlan, workers: usize, seed: u64) -> Limits {
        /// Members that reloads may add before their limits get crowded.
        const TO_COME: u32 = 4096;
        // every source that passed `learn` has a place: the members and what the table holds
        let sources = 2 * bridge.rules.macs.capacity + bridge.rules.members.len() as u32 + TO_COME;
        let share = || Share::of(workers);
        let shares = || Shares { broadcast: share(), multicast: share(), unknown: share(), new: share() };
        Limits { sources: Sources::new(sources, seed), sides: [shares(), shares()] }
    }
}

/// One worker's shares of one side's pools.
#[derive(Debug)]
pub struct Shares {
    /// Of broadcast.
    pub broadcast: Share,
    /// Of multicast.
    pub multicast: Share,
    /// Of frames to unknown destinations.
    pub unknown: Share,
    /// Of new addresses.
    pub new: Share,
}

/// What one worker owns: its limiters, its books, and its way to report events.
#[derive(Debug)]
pub struct Lane {
    /// By slot.
    pub limits: Vec<Limits>,
    /// The books.
    pub books: Books,
    /// The way to the control thread.
    pub events: Events,
}

/// Takes one frame all the way: judged, counted and, where it crosses, rewritten for its egress side.
#[inline]
pub fn run(plan: &Plan, lane: &mut Lane, port: usize, frame: &mut impl Buffer, now: Time) -> Verdict {
    lane.books.ports[port].received += 1;
    let (at, ether) = match admitted(plan, port, frame) {
        Ok(admitted) => admitted,
        Err(reason) => return stray(lane, port, frame, reason, now),
    };
    let bridge = plan.bridge(at);
    let slot = usize::from(at.bridge);
    let books: &mut SideBooks = &mut lane.books.sides[slot][at.side.index()];
    books.received += 1;
    books.received_bytes += frame.bytes().len() as u64;
    let mut notes =
        Notes { books, events: &mut lane.events, time: now, port, at: (slot, at.side), mac: ether.src };
    let judged = judge(bridge, &mut lane.limits[slot], at.side, &ether, now, &mut notes);
    let (ingress, egress) = (bridge.rules.side(at.side), bridge.rules.side(at.side.other()));
    let outcome = judged.and_then(|()| {
        if ether::retag(frame, ingress.tags, egress.tags) { Ok(()) } else { Err(Reason::NoHeadroom) }
    });
    match outcome {
        Ok(()) => Verdict::Forward { port: egress.port, from: at },
        Err(reason) => {
            lane.books.sides[slot][at.side.index()].dropped[reason.index()] += 1;
            Verdict::Drop
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
            lane.events.push(Event { time: now, port, at: None, kind, mac: src });
        }
    }
    lane.books.ports[port].dropped[counted.index()] += 1;
    Verdict::Drop
}
