//! Forward: where the destination is. Two sides only, so a frame goes to the other one or nowhere, and is never cloned.

use rules::{Admission, Side};

use crate::base::reason::{Cause, Reason};
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Packet};
use crate::path::stations::Station;
use crate::plan::bridge::BridgePlan;
use crate::table::bucket::Admitted;
use crate::table::fdb::Place;
use crate::table::static_fdb::StaticEntry;

/// Decides whether a frame crosses the bridge.
///
/// # Errors
/// The reason that drops the frame.
#[inline]
pub fn forward(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<(), Reason> {
    let Frame { bridge, ether, now, .. } = packet.frame;
    let (side, dst) = (packet.frame.side(), ether.dst);
    if dst.is_group() {
        return flood(bridge); // the filter let it through: ARP or neighbour discovery
    }
    let known = bridge.static_fdb.get(dst);
    match known {
        Some(StaticEntry::To(there)) => return across(side, there),
        // also where it was learned under rules that a reload has replaced
        None if bridge.rules.admission == Admission::Members => return Err(Reason::DstNotMember),
        Some(StaticEntry::Own) => return Err(Reason::ToUsNotOurs), // `answer` has ended it
        Some(StaticEntry::Roaming) | None => {}
    }
    match bridge.fdb(known).lookup(dst, now, &bridge.rules.macs) {
        Some(Place::Side(there)) => across(side, there),
        Some(Place::Quarantined) => Err(Reason::MacFlapping),
        None => unknown(packet, context),
    }
}

/// [`forward`] lets a frame to a station on the other side cross, and there is nothing more to it.
#[inline(always)]
pub fn plain(_to: Station) -> bool {
    true
}

/// To everybody on the other side, unless there is a loop (docs/spec B.1). There are two sides, so what is not flooded into the
/// held one is not flooded out of it either.
#[inline]
fn flood(bridge: &BridgePlan) -> Result<(), Reason> {
    if bridge.tables.hold.floods() { Ok(()) } else { Err(Reason::LoopHold) }
}

/// Never back to where it came from (802.1D filtering).
#[inline]
fn across(from: Side, there: Side) -> Result<(), Reason> {
    if there == from { Err(Reason::DstLocal) } else { Ok(()) }
}

#[cold]
fn unknown(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<(), Reason> {
    let Frame { bridge, now, .. } = packet.frame;
    let paces = bridge.rates.unknown.ok_or(Reason::UnknownUnicast)?;
    flood(bridge)?;
    let (limit, who) = (&bridge.tables.limits.unknown, context.claimant());
    if limit.admit(&mut context.lots.unknown, who, now, paces) != Admitted::Yes {
        return Err(Reason::UnknownUnicastLimit);
    }
    context.cause(Cause::UnknownFlooded);
    Ok(())
}
