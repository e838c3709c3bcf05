//! Police: storm limits. Broadcast and multicast pay a token of their source and one of their side, in that order, and a
//! refused frame pays nothing (SPEC F.7, DESIGN section 4).

use rules::{Mac, Side};

use crate::base::reason::Reason;
use crate::base::time::Time;
use crate::plan::bridge::BridgePlan;
use crate::table::bucket::Admitted;
use crate::table::limits::Limits;

/// Holds a source and a side to their limits. Unicast passes untouched.
#[inline]
pub fn police(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    (dst, src): (Mac, Mac),
    now: Time,
) -> Result<(), Reason> {
    if dst.is_group() { storm(bridge, limits, side, (dst, src), now) } else { Ok(()) }
}

fn storm(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    (dst, src): (Mac, Mac),
    now: Time,
) -> Result<(), Reason> {
    let storm = &bridge.rules.storm;
    let pools = &bridge.tables.pools[side.index()];
    let shares = &mut limits.sides[side.index()];
    let (share, pool, rate, over) = if dst == Mac::BROADCAST {
        (&mut shares.broadcast, &pools.broadcast, storm.broadcast, Reason::BcastLimit)
    } else {
        (&mut shares.multicast, &pools.multicast, storm.multicast, Reason::McastLimit)
    };
    match limits.sources.admit(src.as_u64(), now, storm.mac, || share.take(pool, now, rate)) {
        Admitted::Yes => Ok(()),
        Admitted::SourceLimit => Err(Reason::MacLimit),
        Admitted::SideLimit => Err(over),
    }
}
