//! A frame and its packet, as the stages see them.

use rules::Side;

use crate::base::At;
use crate::base::time::Time;
use crate::frame::ether::Ether;
use crate::plan::bridge::BridgePlan;

/// A frame that has arrived: on which bridge and side, when, and its header.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The bridge.
    pub bridge: &'a BridgePlan,
    /// Where it came in.
    pub at: At,
    /// Its layer-2 header.
    pub ether: Ether<'a>,
    /// When.
    pub now: Time,
}

impl Arrival<'_> {
    /// The side that it came in on.
    pub fn side(&self) -> Side {
        self.at.side
    }
}

/// The layer-3 packet of a frame that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Its length by its own header, the frame's padding not counted (SPEC B.4).
    pub len: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a packet is, as far as the stages behind the filter care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IPv4.
    Ipv4 {
        /// Don't fragment.
        df: bool,
    },
    /// IPv6 other than neighbour discovery.
    Ipv6,
    /// ARP.
    Arp,
    /// A neighbour solicitation or advertisement.
    Nd,
}
