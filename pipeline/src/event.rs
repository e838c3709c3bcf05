//! What an operator should hear of: rare things that leave the packet path through a bounded queue to the control thread.

use rules::{Mac, Side};

use crate::books::SideBooks;
use crate::reason::Cause;
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

/// The way of events out of a worker. Full means lost, and counted: the packet path waits for nobody.
#[derive(Debug)]
pub struct Events {
    queue: rtrb::Producer<Event>,
    /// How many were lost.
    pub lost: u64,
}

impl Events {
    /// A queue for so many events, and its end in the control thread.
    pub fn queue(capacity: usize) -> (Events, rtrb::Consumer<Event>) {
        let (queue, consumer) = rtrb::RingBuffer::new(capacity);
        (Events { queue, lost: 0 }, consumer)
    }

    /// Reports an event.
    pub fn push(&mut self, event: Event) {
        if self.queue.push(event).is_err() {
            self.lost += 1;
        }
    }
}

/// What a stage may leave behind beside its verdict: causes in the side's books, events for the operator.
#[derive(Debug)]
pub struct Notes<'a> {
    /// The ingress side's books.
    pub books: &'a mut SideBooks,
    /// The way to the control thread.
    pub events: &'a mut Events,
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
        self.events.push(Event { time: self.time, port: self.port, at: Some(self.at), kind, mac: self.mac });
    }
}
