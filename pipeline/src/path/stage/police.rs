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
    let Frame { bridge, ether, now, .. } = packet.frame;
    let (limits, who) = (&bridge.tables.limits, context.claimant());
    let over = if ether.dst == Mac::BROADCAST { Reason::BcastLimit } else { Reason::McastLimit };
    let mut storm = || match over {
        Reason::BcastLimit => limits.broadcast(context.lots, who, now, &bridge.rates),
        _ => limits.multicast(context.lots, who, now, &bridge.rates),
    };
    let admitted = match sought(packet) {
        Some(target) => limits.duplicates(target, now, &mut storm).ok_or(Reason::DadLimit)?,
        None => storm(),
    };
    match admitted {
        Admitted::Yes => Ok(()),
        Admitted::SourceLimit => Err(Reason::MacLimit),
        Admitted::SideLimit => Err(over),
    }
}

/// A member's address that somebody else looks for duplicates of.
fn sought(packet: &Packet<'_>) -> Option<Ipv6Addr> {
    let Kind::Nd(ip, nd) = &packet.kind else { return None };
    let Frame { bridge, ether, .. } = packet.frame;
    let address = IpAddr::V6(nd.target);
    // link-local addresses are not listed, but heard
    let heard = || bridge.tables.neighbours.get(address).map(|known| known.mac);
    let foreign = |mac: Mac| !bridge.owners.are_one(mac, ether.src) && bridge.static_fdb.get(mac).is_some();
    let looks = nd.solicits && ip.src.is_unspecified();
    (looks && (bridge.owners.is_foreign(address, ether.src) || heard().is_some_and(foreign)))
        .then_some(nd.target)
}
