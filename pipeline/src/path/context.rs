//! What a stage works with beside the frame.

use std::net::Ipv6Addr;

use rules::{Mac, Side};

use super::control_queue::{Challenge, Claim, ControlMsg, ControlTx, ReturnedProbe};
use super::outbox::Outbox;
use crate::base::At;
use crate::base::event::{Event, EventKind};
use crate::base::reason::Cause;
use crate::base::time::Time;
use crate::frame::nonce::Nonce;
use crate::observe::books::SideBooks;
use crate::plan::anycast::Anycast;
use crate::table::hold::OwnAddress;
use crate::table::limits::Limits;
use crate::table::neighbour::Binding;

/// What a stage may use and leave behind beside its verdict: the worker's limiters, causes in the side's books, frames of
/// our own in the outbox, messages to the control thread.
#[derive(Debug)]
pub struct FrameContext<'a> {
    /// This worker's limiters of the frame's bridge.
    pub limits: &'a mut Limits,
    /// What the bridge itself sends.
    pub outbox: &'a mut Outbox,
    /// The ingress side's books.
    pub books: &'a mut SideBooks,
    /// The way to the control thread.
    pub control: &'a mut ControlTx,
    /// When the frame came.
    pub time: Time,
    /// By which port.
    pub port: usize,
    /// On which bridge and side.
    pub at: At,
    /// From which MAC.
    pub mac: Mac,
}

impl FrameContext<'_> {
    /// Counts a cause.
    pub fn cause(&mut self, cause: Cause) {
        self.books.cause(cause);
    }

    /// Reports an event about this frame.
    pub fn event(&mut self, kind: EventKind) {
        self.control.push(ControlMsg::Event(self.about(kind)));
    }

    fn about(&self, kind: EventKind) -> Event {
        Event { time: self.time, port: self.port, at: Some(self.at), kind, mac: self.mac }
    }

    /// An owner of an address spoke; if that is a conflict, it is about this frame.
    pub fn snooped(&mut self, binding: Binding) {
        self.control.push(ControlMsg::Snooped(self.about(EventKind::IpConflict), self.at.bridge, binding));
    }

    /// A frame of our own came back.
    pub fn returned(&mut self, sent: Side, nonce: Nonce) {
        let FrameContext { time, port, at, .. } = *self;
        self.control.push(ControlMsg::Returned(ReturnedProbe { time, port, at, sent, nonce }));
    }

    /// Somebody else claims an address of our own, or looks whether it is free.
    pub fn own_claim(&mut self, address: OwnAddress, looks: bool) {
        let FrameContext { time, port, at, mac, .. } = *self;
        self.control.push(ControlMsg::Own(Claim { time, at, port, address, mac, looks }));
    }

    /// The frame's station belongs on another side, as far as we know: it is to be looked for there.
    pub fn challenge(&mut self, listed: bool) {
        let FrameContext { time, at, mac, .. } = *self;
        self.control.push(ControlMsg::Challenge(Challenge { time, at, mac, listed }));
    }

    /// No error was sent to an anycast source.
    pub fn anycast(&mut self, address: Ipv6Addr, why: Anycast) {
        self.control.push(ControlMsg::Anycast(self.time, self.at.bridge, address, why));
    }
}
