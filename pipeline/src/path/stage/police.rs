//! Police: storm limits. Broadcast and multicast pay a token of their source and one of their side, in that order, and a
//! refused frame pays nothing (docs/spec F.7). Looks for duplicates of a member's address pay one of that before.

use std::net::{IpAddr, Ipv6Addr};

use rules::Mac;

use crate::base::reason::Reason;
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Kind, Packet};
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
    let over = if packet.frame.ether.dst == Mac::BROADCAST { Reason::BcastLimit } else { Reason::McastLimit };
    let admitted = match &packet.kind {
        Kind::Nd(ip, nd) if nd.solicits && ip.src.is_unspecified() => look(packet, nd.target, context)?,
        _ => pay(packet, context),
    };
    match admitted {
        Admitted::Yes => Ok(()),
        Admitted::SourceLimit => Err(Reason::MacLimit),
        Admitted::SideLimit => Err(over),
    }
}

#[inline]
fn pay(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Admitted {
    let Frame { bridge, ether, now, .. } = packet.frame;
    let (limits, who) = (&bridge.tables.limits, context.claimant());
    if ether.dst == Mac::BROADCAST {
        limits.broadcast(context.lots, who, now, &bridge.rates)
    } else {
        limits.multicast(context.lots, who, now, &bridge.rates)
    }
}

#[cold]
fn look(packet: &Packet<'_>, target: Ipv6Addr, context: &mut FrameContext<'_>) -> Result<Admitted, Reason> {
    let Frame { bridge, now, .. } = packet.frame;
    if !is_anothers(packet, target) {
        return Ok(pay(packet, context));
    }
    let limits = &bridge.tables.limits;
    limits.duplicates(target, now, || pay(packet, context)).ok_or(Reason::DadLimit)
}

/// The address is a member's, and not of the one who sends.
fn is_anothers(packet: &Packet<'_>, target: Ipv6Addr) -> bool {
    let Frame { bridge, ether, .. } = packet.frame;
    let address = IpAddr::V6(target);
    // link-local addresses are not listed, but heard
    let heard = || bridge.tables.neighbours.get(address).map(|known| known.mac);
    let foreign = |mac: Mac| !bridge.owners.are_one(mac, ether.src) && bridge.static_fdb.get(mac).is_some();
    bridge.owners.is_foreign(address, ether.src) || heard().is_some_and(foreign)
}
