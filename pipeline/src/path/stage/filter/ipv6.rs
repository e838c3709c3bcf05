//! IPv6: whole, from and to hosts; of ICMPv6 what an exchange lets through (docs/spec E); of groups only neighbour discovery.

use std::net::Ipv6Addr;

use rules::Mac;

use super::nd;
use super::ports::{self, drain, is_dhcp6};
use crate::base::event::EventKind;
use crate::base::reason::Reason;
use crate::frame::ether::Ether;
use crate::frame::icmp6::{NA, NS, RA, REDIRECT, RS, group_mac};
use crate::frame::ipv4::TCP;
use crate::frame::ipv6::{Fragment, ICMP6, Ipv6, Ipv6Error, UDP, Upper};
use crate::frame::words::{eight, four};
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Kind, Packet};
use crate::plan::bridge::BridgePlan;
use crate::plan::fast::FilterRules;

/// The first byte of a group (RFC 4291 §2.7).
const GROUP: u8 = 0xff;

/// Lets IPv6 between two hosts through, and valid neighbour discovery of the exchange.
#[inline]
pub(super) fn filter<'a>(frame: &Frame<'a>, context: &mut FrameContext<'_>) -> Result<Packet<'a>, Reason> {
    let Frame { bridge, ether, .. } = frame;
    let ip = Ipv6::parse(ether.payload).map_err(|error| match error {
        Ipv6Error::Version4 => Reason::VersionMismatch,
        Ipv6Error::Truncated => Reason::V6Truncated,
        Ipv6Error::Malformed => Reason::V6Malformed,
    })?;
    martian(&ip)?;
    let unicast = !ip.dst.is_multicast();
    let upper = ip.upper().ok_or(Reason::V6Hdrchain)?;
    if unicast && ether.dst.is_group() {
        return Err(if ether.dst == Mac::BROADCAST { Reason::L2BroadcastIp } else { Reason::L2mcastL3ucast });
    }
    let len = ip.packet.len();
    if upper.fragment == Fragment::Later {
        // what it is part of was judged by its first fragment, or is no use without it (RFC 7113)
        if !unicast {
            return Err(Reason::V6McastFragment);
        }
    } else if upper.protocol == ICMP6 {
        return Ok(Packet { frame: *frame, len, kind: icmp6(frame, ip, upper, context)? });
    } else if !unicast {
        return Err(Reason::L3Multicast);
    } else if upper.protocol == UDP && is_link_dhcp(bridge, &ip, &upper) {
        return Err(Reason::Dhcp);
    } else if upper.protocol == TCP && bridge.rules.drain {
        drain(bridge.is_peering6(ip.src) && bridge.is_peering6(ip.dst), upper.payload)?;
    }
    Ok(Packet { frame: *frame, len, kind: Kind::Ipv6(ip, upper) })
}

/// [`filter`] lets a packet that begins with these bytes through, and there is nothing more to it: no extension header,
/// whole, from and to hosts (the upper half of their addresses is neither zero nor a group's), of a protocol that no rule
/// looks into. `carried` is what the frame has behind its layer-2 header.
#[inline(always)]
pub(super) fn plain(rules: FilterRules, b: &[u8; 44], carried: usize) -> bool {
    let length = usize::from(u16::from_be_bytes([b[4], b[5]]));
    let host = |at: usize| b[at] != GROUP && eight(b, at) != 0;
    let whole = (b[0] >> 4 == 6) & (length >= 8) & (40 + length <= carried);
    whole
        && host(8)
        && host(24)
        && rules.protocols.checked_shr(b[6].into()).unwrap_or(0) & 1 != 0
        && ports::plain(four(b, 40))
}

/// RFC 4291 §2.5.2, §2.5.3, §2.7.
#[inline]
fn martian(ip: &Ipv6<'_>) -> Result<(), Reason> {
    let (src, dst) = (ip.src, ip.dst);
    if src.is_multicast() || src == Ipv6Addr::LOCALHOST || dst == Ipv6Addr::LOCALHOST || dst.is_unspecified()
    {
        return Err(Reason::V6Martian);
    }
    // from `::` only duplicate address detection and its like come, and they go to groups; a solicitation that does not
    // is judged as one
    let solicits = ip.next_header == ICMP6 && ip.payload().first() == Some(&NS);
    if src.is_unspecified() && !dst.is_multicast() && !solicits {
        return Err(Reason::V6Martian);
    }
    Ok(())
}

/// Between addresses of this link, the exchange's or link-local, nothing is configured by DHCP (docs/spec E).
fn is_link_dhcp(bridge: &BridgePlan, ip: &Ipv6<'_>, upper: &Upper<'_>) -> bool {
    let on_link = |address: Ipv6Addr| bridge.is_peering6(address) || address.is_unicast_link_local();
    is_dhcp6(upper.payload) && (on_link(ip.src) || on_link(ip.dst))
}

/// docs/spec E: neighbour discovery is validated, what else is of link scope is dropped, and the rest passes between hosts.
#[inline]
fn icmp6<'a>(
    frame: &Frame<'a>,
    ip: Ipv6<'a>,
    upper: Upper<'a>,
    context: &mut FrameContext<'_>,
) -> Result<Kind<'a>, Reason> {
    let Frame { bridge, ether, .. } = frame;
    match *upper.payload.first().ok_or(Reason::V6Hdrchain)? {
        NS | NA => nd::filter(frame, &ip, &upper, context).map(|nd| Kind::Nd(ip, nd)),
        RA => {
            context.event(EventKind::RaSeen);
            Err(Reason::Icmp6Ra)
        }
        RS => Err(Reason::Icmp6Rs),
        REDIRECT => {
            context.event(EventKind::RedirectSeen);
            Err(Reason::Icmp6Redirect)
        }
        130..=132 | 143 if bridge.rules.mld && is_mld(ether, &ip) => Ok(Kind::Ipv6(ip, upper)),
        130..=132 | 143 => Err(Reason::Icmp6Mld),
        // renumbering, node information, inverse ND; SEND, Seamoby, MRD; reserved
        127 | 138..=142 | 148..=153 | 255 => Err(Reason::Icmp6Type),
        _ if ip.dst.is_multicast() => Err(Reason::L3Multicast),
        _ => Ok(Kind::Ipv6(ip, upper)),
    }
}

/// Hop limit 1, from a link-local address (or none yet: RFC 3590), to a group and its MAC (RFC 3810 §5).
fn is_mld(ether: &Ether<'_>, ip: &Ipv6<'_>) -> bool {
    let link_local = ip.src.is_unicast_link_local() || ip.src.is_unspecified();
    ip.hop_limit == 1 && link_local && ip.dst.is_multicast() && ether.dst == group_mac(ip.dst)
}
