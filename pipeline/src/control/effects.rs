//! What the control plane wants done: frames to be sent, events to be told.

use std::net::Ipv6Addr;

use crate::base::BridgeId;
use crate::base::event::Event;
use crate::path::outbox::LocalFrame;
use crate::plan::anycast::Anycast;

/// Collected while messages and timers are worked off; who drives the control plane empties it.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be sent, in order.
    pub send: Vec<LocalFrame>,
    /// To be told, in order.
    pub tell: Vec<OperatorEvent>,
}

impl Effects {
    /// An event is to be told.
    pub fn event(&mut self, event: Event) {
        self.tell.push(OperatorEvent::Event(event));
    }
}

/// What an operator should hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorEvent {
    /// An event.
    Event(Event),
    /// No Packet Too Big was sent to an anycast source.
    Anycast {
        /// The bridge.
        bridge: BridgeId,
        /// The source.
        address: Ipv6Addr,
        /// Why it counts as anycast.
        why: Anycast,
    },
}
