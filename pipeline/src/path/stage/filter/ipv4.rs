//! IPv4: whole, from and to hosts, and nothing that belongs on one link. Transit packets carry any addresses: only
//! impossible ones are judged (docs/spec A.3).

use rules::Mac;

use super::ports::{self, drain, is_dhcp4};
use crate::base::reason::{Cause, Reason};
use crate::frame::ipv4::{ICMP, IS_HOST, Ipv4, Ipv4Error, Scope, TCP, UDP, Words};
use crate::frame::words::four;
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Kind, Packet};
use crate::plan::bridge::BridgePlan;
use crate::plan::edges::Edges;
use crate::plan::fast::FilterRules;

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
    let [src, dst] = [ip.src, ip.dst].map(|address| Scope::of(address.octets()[0]));
    if ip.dst.is_broadcast() {
        return Err(Reason::V4Broadcast);
    }
    if dst == Scope::Multicast {
        return Err(Reason::L3Multicast);
    }
    if bridge.edges.is_broadcast(ip.dst) {
        return Err(Reason::V4DirectedBroadcast);
    }
    if src != Scope::Host || bridge.edges.is_network(ip.src) || bridge.edges.is_broadcast(ip.src) {
        return Err(Reason::V4MartianSrc);
    }
    if dst != Scope::Host {
        return Err(Reason::V4MartianDst);
    }
    Ok(())
}

/// [`filter`] lets a packet that begins with these bytes through, and there is nothing more to it: no options, no fragment,
/// whole, its checksum right, from and to hosts, of a protocol that no rule looks into. `carried` is what the frame has
/// behind its layer-2 header.
#[inline(always)]
pub(super) fn plain(rules: FilterRules, edges: &Edges, b: &[u8; 24], carried: usize) -> bool {
    /// Version and header length, MF and the fragment's offset: the first eight bytes that must be as in `FIRST`.
    const MASK: u64 = u64::from_ne_bytes([0xff, 0, 0, 0, 0, 0, 0x3f, 0xff]);
    const FIRST: u64 = u64::from_ne_bytes([0x45, 0, 0, 0, 0, 0, 0, 0]);
    let words = Words::read(b);
    let total = usize::from(u16::from_be_bytes([b[2], b[3]]));
    let hosts = IS_HOST[usize::from(b[12])] & IS_HOST[usize::from(b[16])];
    // 28: a header, and what protocols without a check of their length here have at least
    let fits = total.wrapping_sub(28) <= carried.wrapping_sub(28);
    ((words.first & MASK == FIRST) & fits & words.checksum_ok() & hosts)
        && edges.has_neither([b[12], b[13], b[14], b[15]], [b[16], b[17], b[18], b[19]])
        && rules.protocols.checked_shr(b[9].into()).unwrap_or(0) & 1 != 0
        && ports::plain(four(b, 20))
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
            if is_dhcp4(ip.payload) && (bridge.is_peering4(ip.src) || bridge.is_peering4(ip.dst)) {
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
