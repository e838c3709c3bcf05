//! What a stage works with beside the frame.

use std::net::Ipv6Addr;

use rules::{Mac, Side};

use super::control_queue::{Challenge, Claim, ControlMsg, ControlTx, ReturnedProbe};
use super::outbox::Outbox;
use crate::base::At;
use crate::base::event::{Event, EventKind};
use crate::base::reason::Cause;
use crate::base::time::Time;
use crate::observe::books::SideBooks;
use crate::plan::anycast::Anycast;
use crate::plan::bridge::BridgePlan;
use crate::table::bucket::Admitted;
use crate::table::hold::OwnAddress;
use crate::table::limits::{Claimant, Lots};
use crate::table::neighbour::Binding;

/// What a stage may use and leave behind beside its verdict: the limits, causes in the side's books, frames of
/// our own in the outbox, messages to the control thread.
#[derive(Debug)]
pub struct FrameContext<'a> {
    /// The frame's bridge.
    pub bridge: &'a BridgePlan,
    /// This worker's part in the bridge's limits.
    pub lots: &'a mut Lots,
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
    /// That is a member's or our own; known once `learn` has looked.
    pub listed: Option<bool>,
}

impl FrameContext<'_> {
    /// Counts a cause.
    pub fn cause(&mut self, cause: Cause) {
        self.books.cause(cause);
    }

    /// The frame's source, as the limits see it.
    pub fn claimant(&self) -> Claimant {
        let look = || self.bridge.static_fdb.get(self.mac).is_some();
        Claimant { mac: self.mac, side: self.at.side, listed: self.listed.unwrap_or_else(look) }
    }

    /// Reports an event about this frame, if its source and its kind have a slot left.
    pub fn event(&mut self, kind: EventKind) {
        let told = self.bridge.tables.limits.event(self.lots, self.claimant(), kind, self.time);
        let message = ControlMsg::Event(self.about(kind));
        self.tell(told, message);
    }

    /// Tells the control thread of an owner, at the source's own cost: unicast ARP and neighbour discovery pay no storm token.
    fn notice(&mut self, message: ControlMsg) {
        let (limits, paces, who) = (&self.bridge.tables.limits, self.bridge.rates.notices, self.claimant());
        let told = limits.notices.admit(&mut self.lots.notices, who, self.time, paces) == Admitted::Yes;
        self.tell(told, message);
    }

    fn tell(&mut self, told: bool, message: ControlMsg) {
        if told {
            self.control.push(message);
        } else {
            self.control.lost += 1;
        }
    }

    fn about(&self, kind: EventKind) -> Event {
        Event { time: self.time, port: self.port, at: Some(self.at), kind, mac: self.mac }
    }

    /// An owner of an address spoke; if that is a conflict, it is about this frame.
    pub fn snooped(&mut self, binding: Binding) {
        self.notice(ControlMsg::Snooped(self.about(EventKind::IpConflict), self.at.bridge, binding));
    }

    /// One of our loop probes came back. Whoever sends it again and again hides none that really does.
    pub fn returned(&mut self, sent: Side) {
        let FrameContext { time, port, at, .. } = *self;
        let told = self.lots.returned(sent, at.side, time);
        self.tell(told, ControlMsg::Returned(ReturnedProbe { time, port, at, sent }));
    }

    /// Somebody else claims an address of our own, or looks whether it is free.
    pub fn own_claim(&mut self, address: OwnAddress, looks: bool) {
        let FrameContext { time, port, at, mac, .. } = *self;
        self.notice(ControlMsg::Own(Claim { time, at, port, address, mac, looks }));
    }

    /// The frame's station belongs on another side, as far as we know: it is to be looked for there.
    pub fn challenge(&mut self, listed: bool) {
        let FrameContext { time, at, mac, bridge, .. } = *self;
        let (limit, who) = (&bridge.tables.limits.challenges, Claimant { mac, side: at.side, listed });
        // what is not passed on is no loss: it comes again with the next frame
        if limit.admit(&mut self.lots.challenges, who, time, bridge.rates.challenges) == Admitted::Yes {
            self.control.push(ControlMsg::Challenge(Challenge { time, at, mac, listed }));
        }
    }

    /// No error was sent to an anycast source.
    pub fn anycast(&mut self, address: Ipv6Addr, why: Anycast) {
        let told = self.bridge.tables.limits.anycast(self.lots, self.claimant(), self.time);
        self.tell(told, ControlMsg::Anycast(self.time, self.at.bridge, address, why));
    }
}
