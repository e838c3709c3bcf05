//! Fit: the egress side's MTU. A frame that does not fit is dropped whole and its sender told why, or fragmented where it
//! may be; it is never cut.

mod error;
mod fragment;

use crate::base::reason::{Cause, Reason};
use crate::frame::ipv4::Ipv4;
use crate::path::context::FrameContext;
use crate::path::packet::{Kind, Packet};
use crate::plan::fast::FitRules;

/// How a packet crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// As it is.
    Whole,
    /// As the fragments that are in the outbox.
    Fragments,
}

/// Holds a packet to the MTU of the side that it leaves on. Its length is by its own header, never the frame's
/// (docs/spec B.4).
///
/// # Errors
/// The reason that drops the frame.
#[inline]
pub fn fit(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<Fit, Reason> {
    let frame = &packet.frame;
    let rules = &frame.bridge.rules;
    let carried = frame.ether.payload.len();
    let egress = usize::from(rules.side(frame.side().other()).mtu);
    if carried > usize::from(rules.side(frame.side()).mtu) {
        context.cause(Cause::OverIngressMtu); // the sender breaks its own side's rule, but what fits passes
    }
    if carried <= egress {
        return Ok(Fit::Whole);
    }
    too_long(packet, egress, context)
}

/// [`fit`] lets a frame with so much behind its layer-2 header through as it is, and there is nothing more to it.
#[inline(always)]
pub fn plain(rules: FitRules, carried: usize) -> bool {
    carried <= rules.room
}

#[cold]
fn too_long(packet: &Packet<'_>, egress: usize, context: &mut FrameContext<'_>) -> Result<Fit, Reason> {
    if packet.len <= egress {
        return Err(Reason::FrameTooLong);
    }
    match &packet.kind {
        Kind::Ipv4(ip @ Ipv4 { df: false, .. }) => {
            let fragments = packet.frame.bridge.rules.side(packet.frame.side().other()).fragment;
            if fragments && fragment::fragment(&packet.frame, ip, egress, context.outbox) {
                context.cause(Cause::Fragmented);
                return Ok(Fit::Fragments);
            }
            // no error: it would say "needed, and DF set" (RFC 1191 §4)
            Err(Reason::TooBigV4Nodf)
        }
        _ => {
            let cause = match error::error(packet, context) {
                Ok(()) => Cause::PtbSent,
                Err(cause) => cause,
            };
            context.cause(cause);
            Err(Reason::TooBig)
        }
    }
}
