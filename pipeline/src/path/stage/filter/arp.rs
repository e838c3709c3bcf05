//! ARP: for the exchange's addresses only, each claimed by the station that speaks (docs/spec C.6).

use std::net::{IpAddr, Ipv4Addr};

use rules::{Conflict, Mac};

use crate::base::event::EventKind;
use crate::base::reason::{Cause, Reason};
use crate::frame::arp::{Arp, ArpError, LEN, REPLY, REQUEST};
use crate::frame::ether::Ether;
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Kind, Packet};
use crate::plan::bridge::BridgePlan;

/// Lets valid ARP of the exchange through.
pub(super) fn filter<'a>(frame: &Frame<'a>, context: &mut FrameContext<'_>) -> Result<Packet<'a>, Reason> {
    let Frame { bridge, ether, .. } = frame;
    let arp = Arp::parse(ether.payload).map_err(|error| match error {
        ArpError::Truncated => Reason::ArpTruncated,
        ArpError::Malformed => Reason::ArpMalformed,
    })?;
    if !matches!(arp.op, REQUEST | REPLY) {
        return Err(Reason::ArpOp); // RARP, InARP and whatever else
    }
    if !arp.sha.is_station() {
        return Err(Reason::ArpMalformed);
    }
    if arp.sha != ether.src && !is_vrrp4(arp.sha) && !bridge.owners.are_one(ether.src, arp.sha) {
        return Err(match bridge.rules.conflict {
            Conflict::Drop => claim(bridge, ether, &arp, context).err().unwrap_or(Reason::ArpShaMismatch),
            Conflict::Pass => Reason::ArpShaMismatch,
        });
    }
    if ether.dst.is_group() && ether.dst != Mac::BROADCAST {
        return Err(Reason::L2Multicast);
    }
    addresses(bridge, &arp, context)?;
    claim(bridge, ether, &arp, context)?;
    Ok(Packet { frame: *frame, len: LEN, kind: Kind::Arp(arp) })
}

/// VRRP for IPv4 sends with the virtual router's MAC inside and may send with its own outside (RFC 9568 §7.3).
fn is_vrrp4(mac: Mac) -> bool {
    mac.as_u64() >> 8 == 0x00_005e_0001
}

/// Both addresses are the exchange's; the sender's may be missing in a request (a probe, RFC 5227), the target's in a
/// reply to one.
fn addresses(bridge: &BridgePlan, arp: &Arp, context: &mut FrameContext<'_>) -> Result<(), Reason> {
    let inside = |address| bridge.is_peering4(address);
    let none = |address: Ipv4Addr| address.is_unspecified();
    let wix = match arp.op {
        REQUEST => inside(arp.tpa) && (inside(arp.spa) || none(arp.spa)),
        _ => inside(arp.spa) && (inside(arp.tpa) || none(arp.tpa)),
    };
    if !wix {
        return Err(Reason::ArpNotWix);
    }
    let edge = |address| bridge.edges.is_network(address) || bridge.edges.is_broadcast(address);
    if edge(arp.spa) || edge(arp.tpa) {
        context.event(EventKind::ArpNetBcast);
        return Err(Reason::ArpNetBcast);
    }
    Ok(())
}

/// A member's address is its alone, and whose frame it is decides, not which MAC is inside (docs/spec C.4, row F197). Who
/// probes claims nothing yet, but is about to (row F210).
fn claim(
    bridge: &BridgePlan,
    ether: &Ether<'_>,
    arp: &Arp,
    context: &mut FrameContext<'_>,
) -> Result<(), Reason> {
    if arp.spa.is_unspecified() && bridge.owners.is_foreign(IpAddr::V4(arp.tpa), ether.src) {
        context.event(EventKind::DadForMember);
    }
    if bridge.owners.is_foreign(IpAddr::V4(arp.spa), ether.src) {
        context.event(EventKind::ArpSpoof);
        match bridge.rules.conflict {
            Conflict::Drop => return Err(Reason::ArpSpoof),
            Conflict::Pass => context.cause(Cause::ArpSpoofPassed),
        }
    }
    Ok(())
}
