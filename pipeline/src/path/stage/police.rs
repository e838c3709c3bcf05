//! Police: storm limits. Broadcast and multicast pay a token of their source and one of their side, in that order, and a
//! refused frame pays nothing (docs/spec F.7).

use rules::Mac;

use crate::base::reason::Reason;
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Packet};
use crate::path::stations::Station;
use crate::table::bucket::Admitted;

/// Holds a source and a side to their limits. Unicast passes untouched.
///
/// # Errors
/// The reason that drops the frame.
#[inline]
pub fn police(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<(), Reason> {
    if packet.frame.ether.dst.is_group() { storm(packet, context) } else { Ok(()) }
}

/// [`police`] lets a frame to a station pass, and nothing is paid for it.
#[inline(always)]
pub fn plain(_to: Station) -> bool {
    true
}

fn storm(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<(), Reason> {
    let Frame { bridge, ether, now, .. } = packet.frame;
    let (limits, who) = (&bridge.tables.limits, context.claimant());
    let (admitted, over) = if ether.dst == Mac::BROADCAST {
        (limits.broadcast(context.lots, who, now, &bridge.rates), Reason::BcastLimit)
    } else {
        (limits.multicast(context.lots, who, now, &bridge.rates), Reason::McastLimit)
    };
    match admitted {
        Admitted::Yes => Ok(()),
        Admitted::SourceLimit => Err(Reason::MacLimit),
        Admitted::SideLimit => Err(over),
    }
}
