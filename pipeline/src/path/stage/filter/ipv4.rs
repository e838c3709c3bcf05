//! IPv4: whole, from and to hosts, and nothing that belongs on one link. Transit packets carry any addresses: only
//! impossible ones are judged (docs/spec A.3).

use rules::Mac;

use super::ports::drain;
use crate::base::reason::{Cause, Reason};
use crate::frame::ipv4::{ICMP, Ipv4, Ipv4Error, TCP, UDP, ports};
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Kind, Packet};
use crate::plan::bridge::BridgePlan;

/// Lets IPv4 between two hosts through.
#[inline]
pub(super) fn filter<'a>(frame: &Frame<'a>, context: &mut FrameContext<'_>) -> Result<Packet<'a>, Reason> {
    let Frame { bridge, ether, .. } = frame;
    let ip = Ipv4::parse(ether.payload).map_err(|error| match error {
        Ipv4Error::Version6 => Reason::VersionMismatch,
        Ipv4Error::Truncated => Reason::V4Truncated,
        Ipv4Error::Malformed => Reason::V4Malformed,
    })?;
    addresses(bridge, &ip)?;
    if ether.dst.is_group() {
        return Err(if ether.dst == Mac::BROADCAST { Reason::L2BroadcastIp } else { Reason::L2Multicast });
    }
    if ip.fragment_offset == 0 {
        link_local(bridge, &ip)?;
    }
    if !ip.checksum_ok {
        context.cause(Cause::V4BadChecksum); // a bridge does not judge it (docs/spec F21)
    }
    Ok(Packet { frame: *frame, len: ip.packet.len(), kind: Kind::Ipv4(ip) })
}

/// RFC 1812 §5.3.7, and no broadcast onto the peering LAN (docs/spec A7).
#[inline]
fn addresses(bridge: &BridgePlan, ip: &Ipv4<'_>) -> Result<(), Reason> {
    let [src, dst] = [ip.src.octets()[0], ip.dst.octets()[0]];
    if dst >= 224 {
        if ip.dst.is_broadcast() {
            return Err(Reason::V4Broadcast);
        }
        if dst < 240 {
            return Err(Reason::L3Multicast);
        }
    }
    if bridge.is_directed_broadcast(ip.dst) {
        return Err(Reason::V4DirectedBroadcast);
    }
    if src == 0 || src == 127 || src >= 224 || bridge.is_directed_broadcast(ip.src) {
        return Err(Reason::V4MartianSrc);
    }
    if dst == 0 || dst == 127 {
        return Err(Reason::V4MartianDst);
    }
    Ok(())
}

/// ICMP and DHCP messages that are for one link alone (docs/spec E).
#[inline]
fn link_local(bridge: &BridgePlan, ip: &Ipv4<'_>) -> Result<(), Reason> {
    match ip.protocol {
        ICMP => match ip.payload.first() {
            // redirect; router advertisement and solicitation (RFC 1256)
            Some(5 | 9 | 10) => Err(Reason::Icmp4Type),
            Some(_) => Ok(()),
            None => Err(Reason::V4Malformed),
        },
        UDP => {
            let dhcp = |port| port == 67 || port == 68;
            let is_dhcp = ports(ip.payload).is_some_and(|(from, to)| dhcp(from) || dhcp(to));
            if is_dhcp && (bridge.is_peering4(ip.src) || bridge.is_peering4(ip.dst)) {
                return Err(Reason::Dhcp);
            }
            Ok(())
        }
        TCP if bridge.rules.drain => {
            drain(bridge.is_peering4(ip.src) && bridge.is_peering4(ip.dst), ip.payload)
        }
        _ => Ok(()),
    }
}
