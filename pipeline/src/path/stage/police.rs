//! Police: storm limits. Broadcast and multicast pay a token of their source and one of their side, in that order, and a
//! refused frame pays nothing (docs/spec F.7).

use rules::Mac;

use crate::base::reason::Reason;
use crate::path::context::FrameContext;
use crate::path::packet::Packet;
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
    let frame = &packet.frame;
    let (side, now) = (frame.side().index(), frame.now);
    let storm = &frame.bridge.rules.storm;
    let pools = &frame.bridge.tables.pools[side];
    let shares = &mut context.limits.sides[side];
    let (share, pool, rate, over) = if frame.ether.dst == Mac::BROADCAST {
        (&mut shares.broadcast, &pools.broadcast, storm.broadcast, Reason::BcastLimit)
    } else {
        (&mut shares.multicast, &pools.multicast, storm.multicast, Reason::McastLimit)
    };
    let source = frame.ether.src.as_u64();
    match context.limits.sources.admit(source, now, storm.mac, || share.take(pool, now, rate)) {
        Admitted::Yes => Ok(()),
        Admitted::SourceLimit => Err(Reason::MacLimit),
        Admitted::SideLimit => Err(over),
    }
}
