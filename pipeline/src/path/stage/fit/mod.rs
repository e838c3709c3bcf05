//! Fit: the egress side's MTU. A frame that does not fit is dropped whole and its sender told why, or fragmented where it
//! may be; it is never cut.

mod error;
mod fragment;

use crate::base::reason::{Cause, Reason};
use crate::path::context::FrameContext;
use crate::path::outbox::Outbox;
use crate::path::packet::{Arrival, Kind, Packet};
use crate::table::limits::Limits;

/// How a packet crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// As it is.
    Whole,
    /// As the fragments that are in the outbox.
    Fragments,
}

/// Holds a packet to the MTU of the side that it leaves on. Its length is by its own header, never the frame's
/// (SPEC B.4).
#[inline]
pub fn fit(
    arrival: &Arrival<'_>,
    packet: &Packet,
    limits: &mut Limits,
    outbox: &mut Outbox,
    context: &mut FrameContext<'_>,
) -> Result<Fit, Reason> {
    let rules = &arrival.bridge.rules;
    let carried = arrival.ether.payload.len();
    let egress = usize::from(rules.side(arrival.side().other()).mtu);
    if carried > usize::from(rules.side(arrival.side()).mtu) {
        context.cause(Cause::OverIngressMtu); // the sender breaks its own side's rule, but what fits passes
    }
    if carried <= egress {
        return Ok(Fit::Whole);
    }
    too_long(arrival, packet, egress, limits, outbox, context)
}

#[cold]
fn too_long(
    arrival: &Arrival<'_>,
    packet: &Packet,
    egress: usize,
    limits: &mut Limits,
    outbox: &mut Outbox,
    context: &mut FrameContext<'_>,
) -> Result<Fit, Reason> {
    if packet.len <= egress {
        return Err(Reason::FrameTooLong);
    }
    match packet.kind {
        Kind::Ipv4 { df: false } => {
            let fragments = arrival.bridge.rules.side(arrival.side().other()).fragment;
            if fragments && fragment::fragment(arrival, egress, outbox) {
                context.cause(Cause::Fragmented);
                return Ok(Fit::Fragments);
            }
            // no error: it would say "needed, and DF set" (RFC 1191 §4)
            Err(Reason::TooBigV4Nodf)
        }
        _ => {
            let cause = match error::error(arrival, packet, limits, outbox, context) {
                Ok(()) => Cause::PtbSent,
                Err(cause) => cause,
            };
            context.cause(cause);
            Err(Reason::TooBig)
        }
    }
}
