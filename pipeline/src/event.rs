//! What an operator should hear of: rare things that leave the packet path through a bounded queue to the control thread.

use std::net::Ipv6Addr;

use rules::{Mac, Rate, Side};

use crate::books::SideBooks;
use crate::frame::build::Nonce;
use crate::plan::Anycast;
use crate::reason::Cause;
use crate::table::bucket::Bucket;
use crate::table::hold::OwnAddress;
use crate::table::neighbour::Heard;
use crate::time::Time;

crate::reason::table! {
    /// What happened.
    EventKind {
        BpduSeen "bpdu_seen" "a spanning-tree BPDU arrived: this station is bridging";
        Reflected "own_mac_reflected" "a frame with our own MAC came back on its own side: something reflects";
        LoopSuspected "loop_suspected" "a frame with our own MAC came in on the other side: there is a second path";
        MacWrongSide "mac_wrong_side" "a pinned MAC spoke on the wrong side";
        MacBothSides "mac_both_sides" "a MAC is active on both sides: a duplicate or a loop";
        MacMoved "mac_moved" "a MAC moved to this side";
        MacFlapping "mac_flapping" "a MAC moved too often and is in quarantine";
        MacTableFull "mac_table_full" "the side has learned all the addresses that it may";
        ArpNetBcast "arp_net_bcast" "ARP for a network or broadcast address: this station has a wrong netmask";
        ArpSpoof "arp_spoof" "ARP claims a member's address for this MAC";
        NdSpoof "nd_spoof" "neighbour discovery claims a member's address for this MAC";
        RaSeen "ra_seen" "a router advertisement: this station offers itself as default router";
        RedirectSeen "redirect_seen" "an ICMPv6 redirect";
        IpConflict "ip_conflict" "a second MAC claims an address: answers for it stop until one of them has been alone for a minute";
        IpConflictOwn "ip_conflict_own" "this station claims an address of the bridge's own";
        ProbeReflected "probe_reflected" "our own loop probe came back on the side that it was sent on: something reflects";
        LoopHeld "loop_held" "there is a loop: our probes came back across the bridge; flooding is held";
        LoopHealed "loop_healed" "no probe came back for a while: flooding goes on";
        OwnDuplicate "own_duplicate" "another station has an address of the bridge's own: the bridge keeps silent about it";
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Time,
    /// On which port, by index.
    pub port: usize,
    /// On which bridge (by slot) and side; none where the frame belonged to none.
    pub at: Option<(usize, Side)>,
    /// What.
    pub kind: EventKind,
    /// The source MAC of the frame that showed it.
    pub mac: Mac,
}

/// What leaves a worker for the control side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// An event, to be told.
    Event(Event),
    /// An owner of an address was heard on a bridge, by its slot.
    Heard(usize, Event, Heard),
    /// No error was sent to this anycast source, on a bridge.
    Anycast(usize, Time, Ipv6Addr, Anycast),
    /// A frame with one of our own MACs and this nonce came back.
    Probe(Probe),
    /// Somebody else claims an address of our own, or wants it.
    Own(Claim),
}

/// A frame of our own that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// When.
    pub time: Time,
    /// Where it came in.
    pub port: usize,
    /// On which bridge and side.
    pub at: (usize, Side),
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
    pub at: (usize, Side),
    /// By which port.
    pub port: usize,
    /// Which address.
    pub address: OwnAddress,
    /// Who.
    pub mac: Mac,
    /// It only looks whether the address is free.
    pub looks: bool,
}

/// The ways of notices out of a worker: one of events, which anybody can draw by the thousand, and one of what the bridge
/// goes by, which they cannot crowd out. Full means lost, and counted: the packet path waits for nobody.
#[derive(Debug)]
pub struct Notices {
    events: rtrb::Producer<Notice>,
    knowledge: rtrb::Producer<Notice>,
    budget: Bucket,
    /// How many were lost.
    pub lost: u64,
}

/// What one worker passes on of owners and claims: unicast ones pay no storm token, and probes need the queue too.
const BUDGET: Rate = Rate { per_second: 4000, burst: 2000 };

/// The other end, in the control thread.
#[derive(Debug)]
pub struct Noticed {
    events: rtrb::Consumer<Notice>,
    knowledge: rtrb::Consumer<Notice>,
}

impl Notices {
    /// Queues for so many notices each, and their ends.
    pub fn queue(capacity: usize) -> (Notices, Noticed) {
        let (events, told) = rtrb::RingBuffer::new(capacity);
        let (knowledge, known) = rtrb::RingBuffer::new(capacity);
        (
            Notices { events, knowledge, budget: Bucket::FULL, lost: 0 },
            Noticed { events: told, knowledge: known },
        )
    }

    /// Reports something.
    pub fn push(&mut self, notice: Notice) {
        let (queue, paid) = match notice {
            Notice::Event(_) | Notice::Anycast(..) => (&mut self.events, true),
            Notice::Probe(_) => (&mut self.knowledge, true),
            Notice::Heard(_, Event { time, .. }, _) | Notice::Own(Claim { time, .. }) => {
                (&mut self.knowledge, self.budget.take(time, BUDGET))
            }
        };
        if !paid || queue.push(notice).is_err() {
            self.lost += 1;
        }
    }
}

impl Noticed {
    /// The next notice: what the bridge goes by first.
    pub fn pop(&mut self) -> Option<Notice> {
        self.knowledge.pop().or_else(|_| self.events.pop()).ok()
    }
}

/// What a stage may leave behind beside its verdict: causes in the side's books, notices for the control side.
#[derive(Debug)]
pub struct Notes<'a> {
    /// The ingress side's books.
    pub books: &'a mut SideBooks,
    /// The way to the control thread.
    pub notices: &'a mut Notices,
    /// When the frame came.
    pub time: Time,
    /// By which port.
    pub port: usize,
    /// On which bridge (by slot) and side.
    pub at: (usize, Side),
    /// From which MAC.
    pub mac: Mac,
}

impl Notes<'_> {
    /// Counts a cause.
    pub fn cause(&mut self, cause: Cause) {
        self.books.cause(cause);
    }

    /// Reports an event about this frame.
    pub fn event(&mut self, kind: EventKind) {
        self.notices.push(Notice::Event(self.about(kind)));
    }

    fn about(&self, kind: EventKind) -> Event {
        Event { time: self.time, port: self.port, at: Some(self.at), kind, mac: self.mac }
    }

    /// An owner of an address spoke; if that is a conflict, it is about this frame.
    pub fn heard(&mut self, heard: Heard) {
        self.notices.push(Notice::Heard(self.at.0, self.about(EventKind::IpConflict), heard));
    }

    /// A frame of our own came back.
    pub fn probe(&mut self, sent: Side, nonce: Nonce) {
        let Notes { time, port, at, .. } = *self;
        self.notices.push(Notice::Probe(Probe { time, port, at, sent, nonce }));
    }

    /// Somebody else claims an address of our own, or looks whether it is free.
    pub fn own_claim(&mut self, address: OwnAddress, looks: bool) {
        let Notes { time, port, at, mac, .. } = *self;
        self.notices.push(Notice::Own(Claim { time, at, port, address, mac, looks }));
    }

    /// No error was sent to an anycast source.
    pub fn anycast(&mut self, address: Ipv6Addr, why: Anycast) {
        self.notices.push(Notice::Anycast(self.at.0, self.time, address, why));
    }
}
