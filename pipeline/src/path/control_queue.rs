//! What leaves the packet path for the control thread: rare, through bounded queues.

use std::net::Ipv6Addr;

use rules::{Mac, Side};

use crate::base::event::Event;
use crate::base::time::Time;
use crate::base::{At, BridgeId};
use crate::plan::anycast::Anycast;
use crate::table::hold::OwnAddress;
use crate::table::limits::StrayEvents;
use crate::table::neighbour::Binding;

/// What a worker tells the control thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlMsg {
    /// An event, to be told.
    Event(Event),
    /// An owner of an address was heard on a bridge; and what to tell where that is a conflict.
    Snooped(Event, BridgeId, Binding),
    /// No error was sent to this anycast source, on a bridge.
    Anycast(Time, BridgeId, Ipv6Addr, Anycast),
    /// One of our loop probes came back.
    Returned(ReturnedProbe),
    /// Somebody else claims an address of our own, or wants it.
    Own(Claim),
    /// A station speaks on another side than its own: it is to be looked for there.
    Challenge(Challenge),
}

impl ControlMsg {
    /// The bridge that it is about; none where it tells of a frame of no side.
    pub fn bridge(&self) -> Option<BridgeId> {
        match self {
            ControlMsg::Event(event) => event.at.map(|at| at.bridge),
            ControlMsg::Snooped(_, bridge, _) | ControlMsg::Anycast(_, bridge, ..) => Some(*bridge),
            ControlMsg::Returned(probe) => Some(probe.at.bridge),
            ControlMsg::Own(claim) => Some(claim.at.bridge),
            ControlMsg::Challenge(challenge) => Some(challenge.at.bridge),
        }
    }
}

/// A loop probe of our own that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnedProbe {
    /// When.
    pub time: Time,
    /// Where it came in.
    pub port: usize,
    /// On which bridge and side.
    pub at: At,
    /// The side whose MAC it carries.
    pub sent: Side,
}

/// Somebody else has, or wants, an address of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// When.
    pub time: Time,
    /// On which bridge and side.
    pub at: At,
    /// By which port.
    pub port: usize,
    /// Which address.
    pub address: OwnAddress,
    /// Who.
    pub mac: Mac,
    /// It only looks whether the address is free.
    pub looks: bool,
}

/// A station speaks on another side than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge {
    /// When.
    pub time: Time,
    /// Where it speaks now.
    pub at: At,
    /// Which.
    pub mac: Mac,
    /// A member has it.
    pub listed: bool,
}

/// A worker's two queues to the control thread: one for events, which any station can cause by the thousand, and one for what
/// the bridge acts on, which events therefore cannot crowd out. What has a place in them is what the limits let through
/// (`table::limits`), and what a full queue does not take is lost and counted: the packet path waits for nobody.
#[derive(Debug)]
pub struct ControlTx {
    events: rtrb::Producer<ControlMsg>,
    knowledge: rtrb::Producer<ControlMsg>,
    strays: StrayEvents,
    /// How many were lost, or were not told as too many alike were.
    pub lost: u64,
}

/// The other end, in the control thread.
#[derive(Debug)]
pub struct ControlRx {
    events: rtrb::Consumer<ControlMsg>,
    knowledge: rtrb::Consumer<ControlMsg>,
}

impl ControlTx {
    /// Queues for so many messages each, and their ends.
    pub fn queue(capacity: usize) -> (ControlTx, ControlRx) {
        let (events, told) = rtrb::RingBuffer::new(capacity);
        let (knowledge, known) = rtrb::RingBuffer::new(capacity);
        (
            ControlTx { events, knowledge, strays: StrayEvents::default(), lost: 0 },
            ControlRx { events: told, knowledge: known },
        )
    }

    /// Reports something.
    pub fn push(&mut self, message: ControlMsg) {
        let queue = match message {
            ControlMsg::Event(_) | ControlMsg::Anycast(..) => &mut self.events,
            ControlMsg::Snooped(..)
            | ControlMsg::Returned(_)
            | ControlMsg::Own(_)
            | ControlMsg::Challenge(_) => &mut self.knowledge,
        };
        if queue.push(message).is_err() {
            self.lost += 1;
        }
    }

    /// Reports an event about a frame of no side.
    pub fn stray(&mut self, event: Event) {
        if self.strays.take(event.kind, event.time) {
            self.push(ControlMsg::Event(event));
        } else {
            self.lost += 1;
        }
    }
}

impl ControlRx {
    /// The next message: what the bridge acts on comes before events.
    pub fn pop(&mut self) -> Option<ControlMsg> {
        self.knowledge.pop().or_else(|_| self.events.pop()).ok()
    }
}
