//! Fit: the egress side's MTU. A frame that does not fit is dropped whole, never cut.

use rules::Side;

use super::filter::{Kind, Packet};
use crate::event::Notes;
use crate::plan::BridgePlan;
use crate::reason::{Cause, Reason};

/// Holds a packet to the MTU of the side that it leaves on. `carried` is everything behind the layer-2 header, trailer
/// and padding included. The packet's length is by its own header, never the frame's (SPEC B.4).
#[inline]
pub fn fit(
    bridge: &BridgePlan,
    side: Side,
    packet: &Packet,
    carried: usize,
    notes: &mut Notes<'_>,
) -> Result<(), Reason> {
    let mtu = |side: Side| usize::from(bridge.rules.side(side).mtu);
    if carried > mtu(side) {
        notes.cause(Cause::OverIngressMtu); // the sender breaks its own side's rule, but what fits passes
    }
    if carried <= mtu(side.other()) {
        return Ok(());
    }
    Err(match packet.kind {
        _ if packet.len <= mtu(side.other()) => Reason::FrameTooLong,
        Kind::Ipv4 { df: false } => Reason::TooBigV4Nodf,
        _ => Reason::TooBig,
    })
}
