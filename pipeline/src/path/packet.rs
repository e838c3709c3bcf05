//! What the stages judge: a frame, and the packet that the filter found in it. Each header is read once, and what was
//! read goes along.

use std::net::Ipv6Addr;

use rules::{Mac, Side};

use crate::base::At;
use crate::base::time::Time;
use crate::frame::arp::Arp;
use crate::frame::ether::Ether;
use crate::frame::icmp6::NdOption;
use crate::frame::ipv4::Ipv4;
use crate::frame::ipv6::{Ipv6, Upper};
use crate::plan::bridge::BridgePlan;

/// A frame that has arrived: on which bridge and side, when, and its layer-2 header.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The bridge.
    pub bridge: &'a BridgePlan,
    /// Where it came in.
    pub at: At,
    /// Its layer-2 header.
    pub ether: Ether<'a>,
    /// When.
    pub now: Time,
}

impl Frame<'_> {
    /// The side that it came in on.
    pub fn side(&self) -> Side {
        self.at.side
    }
}

/// A frame that the filter let through, and the packet in it.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The frame.
    pub frame: Frame<'a>,
    /// The packet's length by its own header, the frame's padding not counted (docs/spec B.4).
    pub len: usize,
    /// The packet.
    pub kind: Kind<'a>,
}

/// A packet, as far as it was read.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// IPv4.
    Ipv4(Ipv4<'a>),
    /// IPv6 other than neighbour discovery, and where its header chain leads.
    Ipv6(Ipv6<'a>, Upper<'a>),
    /// ARP.
    Arp(Arp),
    /// A neighbour solicitation or advertisement.
    Nd(Ipv6<'a>, Nd),
}

/// A neighbour solicitation or advertisement, its options read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nd {
    /// It solicits; it advertises otherwise.
    pub solicits: bool,
    /// Flags of an advertisement: R, S, O from the top bit.
    pub flags: u8,
    /// Whose link-layer address it is about.
    pub target: Ipv6Addr,
    /// The source's link-layer address in a solicitation, the target's in an advertisement.
    pub link: LinkAddress,
}

impl Nd {
    /// Takes in what one of its options says.
    pub fn take(&mut self, option: NdOption) {
        if let NdOption::Link(mac) = option {
            self.link = self.link.and(mac);
        }
    }
}

/// The link-layer address that a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkAddress {
    /// None.
    None,
    /// This one.
    One(Mac),
    /// Different ones. Receivers differ in which they take, so none of them is believed.
    Several,
}

impl LinkAddress {
    /// What the message carries, with one more option's address.
    fn and(self, mac: Mac) -> LinkAddress {
        match self {
            LinkAddress::None => LinkAddress::One(mac),
            LinkAddress::One(one) if one == mac => self,
            LinkAddress::One(_) | LinkAddress::Several => LinkAddress::Several,
        }
    }
}
