//! What a stage works with beside the frame.

use std::net::Ipv6Addr;

use rules::{Mac, Side};

use super::control_queue::{Claim, Notice, Notices, Probe};
use crate::base::event::{Event, EventKind};
use crate::base::reason::Cause;
use crate::base::time::Time;
use crate::frame::nonce::Nonce;
use crate::observe::books::SideBooks;
use crate::plan::anycast::Anycast;
use crate::table::hold::OwnAddress;
use crate::table::neighbour::Heard;

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
