//! Answer: what the bridge says itself. For its own addresses it answers as any host does; on behalf of members only where
//! that is sure to be right, and with the owner's MAC (SPEC C.4, C.6, G2 to G7). It routes nothing.

mod arp;
mod nd;
mod own;
mod proxy;
mod reply;

use crate::base::reason::Reason;
use crate::path::context::FrameContext;
use crate::path::outbox::Outbox;
use crate::path::packet::{Arrival, Kind, Packet};
use crate::table::limits::Limits;
pub use reply::Answer;

/// Answers what is for the bridge to answer.
#[inline]
pub fn answer(
    arrival: &Arrival<'_>,
    packet: &Packet,
    limits: &mut Limits,
    outbox: &mut Outbox,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    match packet.kind {
        Kind::Ipv4 { .. } | Kind::Ipv6 if !arrival.bridge.own.contains(&arrival.ether.dst) => {
            Ok(Answer::Pass)
        }
        kind => slow(kind, arrival, limits, outbox, context),
    }
}

#[cold]
fn slow(
    kind: Kind,
    arrival: &Arrival<'_>,
    limits: &mut Limits,
    outbox: &mut Outbox,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    // on this side that MAC is nobody's: whoever sends to it has moved, and must look for us anew
    if arrival.ether.dst == arrival.bridge.own(arrival.side().other()) {
        return Err(Reason::ToUsNotOurs);
    }
    match kind {
        Kind::Ipv4 { .. } => own::ipv4(arrival, limits, outbox),
        Kind::Ipv6 => own::ipv6(arrival, limits, outbox),
        Kind::Arp => arp::answer(arrival, limits, outbox, context),
        Kind::Nd => nd::answer(arrival, limits, outbox, context),
    }
}
