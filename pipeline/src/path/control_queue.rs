//! What leaves the packet path for the control thread: rare, through bounded queues.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use rules::{Mac, Rate, Side};

use crate::base::event::Event;
use crate::base::time::Time;
use crate::base::{At, BridgeId};
use crate::frame::nonce::Nonce;
use crate::plan::anycast::Anycast;
use crate::table::bucket::Bucket;
use crate::table::hold::OwnAddress;
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
    /// A frame with one of our own MACs and this nonce came back.
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

/// A frame of our own that came back.
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
    /// What it carries.
    pub nonce: Nonce,
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

/// What a worker has passed on of challenges: any frame is one, and who invents them must not keep the control thread from those
/// of the members.
struct Challenges {
    /// By side, and whether a member is challenged.
    budgets: [[Bucket; 2]; 2],
    /// Who was challenged last, and when: sets of MACs, those of members apart.
    last: [Box<[(Mac, Time)]>; 2],
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").field("budgets", &self.budgets).finish_non_exhaustive()
    }
}

impl Challenges {
    /// Of one worker on one side, members' and strangers' apart: as many as are looked into.
    const BUDGET: Rate = Rate { per_second: 250, burst: 250 };
    /// A station's challenges are passed on once in this time.
    const AGAIN: Duration = Duration::from_secs(1);
    const PLACES: usize = 1024;
    const WAYS: usize = 8;

    fn new() -> Challenges {
        let places = || vec![(Mac::ZERO, Time::ZERO); Challenges::PLACES].into_boxed_slice();
        Challenges { budgets: [[Bucket::FULL; 2]; 2], last: [places(), places()] }
    }

    /// A challenge may be passed on.
    fn take(&mut self, challenge: &Challenge) -> bool {
        let Challenge { time, at, mac, listed } = *challenge;
        // who crowds a set makes his own challenges come more often, until the budget ends that
        let sets = Challenges::PLACES / Challenges::WAYS;
        let set = (mac.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % sets;
        let ways = &mut self.last[usize::from(listed)][set * Challenges::WAYS..][..Challenges::WAYS];
        let place = match ways.iter().position(|(last, _)| *last == mac) {
            Some(place) if time.since(ways[place].1) < Challenges::AGAIN => return false,
            Some(place) => Some(place),
            None => (0..Challenges::WAYS).min_by_key(|place| ways[*place].1),
        };
        let paid = self.budgets[at.side.index()][usize::from(listed)].take(time, Challenges::BUDGET);
        if let Some(place) = place.filter(|_| paid) {
            ways[place] = (mac, time);
        }
        paid
    }
}

/// A worker's two queues to the control thread: one for events, which any station can cause by the thousand, and one for what
/// the bridge acts on, which events therefore cannot crowd out. What a full queue does not take is lost and counted: the packet
/// path waits for nobody.
#[derive(Debug)]
pub struct ControlTx {
    events: rtrb::Producer<ControlMsg>,
    knowledge: rtrb::Producer<ControlMsg>,
    budget: Bucket,
    challenges: Challenges,
    /// How many were lost.
    pub lost: u64,
}

/// How many bindings and claims of own addresses one worker passes on: unicast ARP and ND take no storm token, and loop
/// probes that came back need room in the same queue.
const BUDGET: Rate = Rate { per_second: 4000, burst: 2000 };

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
            ControlTx { events, knowledge, budget: Bucket::FULL, challenges: Challenges::new(), lost: 0 },
            ControlRx { events: told, knowledge: known },
        )
    }

    /// Reports something.
    pub fn push(&mut self, message: ControlMsg) {
        let (queue, paid) = match message {
            // what is not passed on is no loss: it comes again with the next frame
            ControlMsg::Challenge(challenge) if !self.challenges.take(&challenge) => return,
            ControlMsg::Challenge(_) => (&mut self.knowledge, true),
            ControlMsg::Event(_) | ControlMsg::Anycast(..) => (&mut self.events, true),
            ControlMsg::Returned(_) => (&mut self.knowledge, true),
            ControlMsg::Snooped(Event { time, .. }, ..) | ControlMsg::Own(Claim { time, .. }) => {
                (&mut self.knowledge, self.budget.take(time, BUDGET))
            }
        };
        if !paid || queue.push(message).is_err() {
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
