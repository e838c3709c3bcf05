//! Answer: what the bridge says itself. For its own addresses it answers as any host does; on behalf of members only where
//! that is sure to be right, and with the owner's MAC (docs/spec C.4, C.6, G2 to G7). It routes nothing.

mod arp;
mod nd;
mod own;
mod proxy;
mod reply;

use crate::base::reason::Reason;
use crate::path::context::FrameContext;
use crate::path::packet::{Kind, Packet};
use crate::path::stations::Station;
pub use reply::Answer;

/// Answers what is for the bridge to answer.
///
/// # Errors
/// The reason that drops the frame.
#[inline]
pub fn answer(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<Answer, Reason> {
    let frame = &packet.frame;
    match packet.kind {
        Kind::Ipv4(_) | Kind::Ipv6(..) if !frame.bridge.own.contains(&frame.ether.dst) => Ok(Answer::Pass),
        _ => slow(packet, context),
    }
}

/// [`answer`] lets a packet to a station pass that is neither ARP nor neighbour discovery: a station is not the bridge.
#[inline(always)]
pub fn plain(_to: Station) -> bool {
    true
}

#[cold]
fn slow(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<Answer, Reason> {
    let frame = &packet.frame;
    // on this side that MAC is nobody's: whoever sends to it has moved, and must look for us anew
    if frame.ether.dst == frame.bridge.own(frame.side().other()) {
        return Err(Reason::ToUsNotOurs);
    }
    match &packet.kind {
        Kind::Ipv4(ip) => own::ipv4(frame, ip, context),
        Kind::Ipv6(ip, upper) => own::ipv6(frame, ip, upper, context),
        Kind::Arp(arp) => arp::answer(frame, arp, context),
        Kind::Nd(ip, nd) => nd::answer(frame, ip, nd, context),
    }
}
