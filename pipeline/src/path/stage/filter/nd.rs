//! Neighbour discovery, validated as a receiver must (RFC 4861 §7.1) and as a sender should (docs/spec C.2, C.3), for the
//! exchange's addresses only.

use std::net::{IpAddr, Ipv6Addr};

use rules::{Conflict, Mac, Member};

use crate::base::event::EventKind;
use crate::base::reason::{Cause, Reason};
use crate::frame::ether::Ether;
use crate::frame::icmp6::{
    ALL_NODES, ALL_ROUTERS, NS, NdOption, Neighbour, SLLAO, SOLICITED, TLLAO, checksum_ok, group_mac,
    options, solicited_node,
};
use crate::frame::ipv6::{Fragment, Ipv6, Upper};
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, LinkAddress, Nd};

/// Lets a valid solicitation or advertisement through.
#[inline]
pub(super) fn filter(
    frame: &Frame<'_>,
    ip: &Ipv6<'_>,
    upper: &Upper<'_>,
    context: &mut FrameContext<'_>,
) -> Result<Nd, Reason> {
    let bridge = frame.bridge;
    if upper.fragment != Fragment::Whole {
        return Err(Reason::NdFragment); // RFC 6980 §5: atomic fragments too
    }
    if upper.extended {
        return Err(Reason::NdExthdr);
    }
    if ip.hop_limit != 255 {
        return Err(Reason::NdHoplimit);
    }
    let message = upper.payload;
    let header = Neighbour::parse(message).ok_or(Reason::NdShort)?;
    if header.code != 0 {
        return Err(Reason::NdCode);
    }
    if header.target.is_multicast() || header.target.is_unspecified() {
        return Err(Reason::NdTarget);
    }
    // who solicits claims its source address, who advertises the target; who looks for a duplicate claims nothing yet
    let solicits = message[0] == NS;
    let claimed = if solicits { ip.src } else { header.target };
    let judged = match solicits {
        true => solicitation(&frame.ether, ip, &header),
        false => advertisement(frame, ip, &header),
    };
    let nd = judged.map_err(|reason| match (reason, bridge.rules.conflict) {
        (Reason::NdLladdrMismatch, Conflict::Drop) => {
            claim(frame, claimed, LinkAddress::None, context).err().unwrap_or(reason)
        }
        _ => reason,
    })?;
    if !checksum_ok(ip.src, ip.dst, message) {
        return Err(Reason::NdChecksum);
    }
    let inside = |address: Ipv6Addr| bridge.is_peering6(address) || address.is_unicast_link_local();
    if !(inside(nd.target) && (inside(ip.src) || ip.src.is_unspecified())) {
        return Err(Reason::NdNotWix);
    }
    if claimed.is_unspecified() && bridge.owners.is_foreign(IpAddr::V6(nd.target), frame.ether.src) {
        context.event(EventKind::DadForMember); // it is about to claim the address (row F210)
    }
    claim(frame, claimed, nd.link, context)?;
    Ok(nd)
}

/// RFC 4861 §7.1.1, and the sender's rules of §4.3.
fn solicitation(ether: &Ether<'_>, ip: &Ipv6<'_>, header: &Neighbour<'_>) -> Result<Nd, Reason> {
    let group = solicited_node(header.target);
    let dad = ip.src.is_unspecified();
    let mut nd = message(header, true);
    let well_formed = options(header.options, SLLAO, |option| nd.take(option));
    if !well_formed {
        return Err(Reason::NdOption);
    }
    if dad && !is_solicited_node(ip.dst) {
        return Err(Reason::NdDadDst);
    }
    if dad && nd.link != LinkAddress::None {
        return Err(Reason::NdDadSllao);
    }
    match nd.link {
        LinkAddress::None => {}
        LinkAddress::One(mac) if mac == ether.src => {}
        LinkAddress::One(_) | LinkAddress::Several => return Err(Reason::NdLladdrMismatch),
    }
    if ip.dst.is_multicast() {
        // a missing address option is legitimate: optimistic DAD (RFC 4429)
        if ip.dst != group || ether.dst != group_mac(group) {
            return Err(Reason::NdMcastMap);
        }
    } else if ip.dst != header.target {
        return Err(Reason::NdTarget);
    }
    Ok(nd)
}

/// RFC 4861 §7.1.2; to all routers goes gratuitous neighbour discovery (RFC 9131). The MAC inside may be a virtual router's
/// and differ from its master's outside, or be another one of the same member.
fn advertisement(frame: &Frame<'_>, ip: &Ipv6<'_>, header: &Neighbour<'_>) -> Result<Nd, Reason> {
    let ether = &frame.ether;
    let mut nd = message(header, false);
    let mut foreign = false;
    let well_formed = options(header.options, TLLAO, |option| {
        if let NdOption::Link(mac) = option {
            foreign |= mac != ether.src && !is_vrrp6(mac) && !frame.bridge.owners.are_one(ether.src, mac);
        }
        nd.take(option);
    });
    if !well_formed {
        return Err(Reason::NdOption);
    }
    if ip.src.is_unspecified() {
        return Err(Reason::V6Martian);
    }
    if ip.dst.is_multicast() {
        let known = ip.dst == ALL_NODES || ip.dst == ALL_ROUTERS;
        if nd.flags & SOLICITED != 0 || !known {
            return Err(Reason::NaInvalid);
        }
        if ether.dst != group_mac(ip.dst) {
            return Err(Reason::NdMcastMap);
        }
    }
    if foreign {
        return Err(Reason::NdLladdrMismatch);
    }
    Ok(nd)
}

/// A message whose options are still to be read.
fn message(header: &Neighbour<'_>, solicits: bool) -> Nd {
    Nd { solicits, flags: header.flags, target: header.target, link: LinkAddress::None }
}

/// A member's address is its alone, and whose frame it is decides, not which MAC is inside (docs/spec C.4, row F197).
/// With several inside it is nobody's.
fn claim(
    frame: &Frame<'_>,
    address: Ipv6Addr,
    link: LinkAddress,
    context: &mut FrameContext<'_>,
) -> Result<(), Reason> {
    let owner = frame.bridge.owners.get(IpAddr::V6(address));
    let rightly = |owner: &Member| link != LinkAddress::Several && owner.macs.contains(&frame.ether.src);
    if owner.is_some_and(|owner| !rightly(owner)) {
        context.event(EventKind::NdSpoof);
        match frame.bridge.rules.conflict {
            Conflict::Drop => return Err(Reason::NdSpoof),
            Conflict::Pass => context.cause(Cause::NdSpoofPassed),
        }
    }
    Ok(())
}

/// ff02::1:ff00:0/104 (RFC 4291 §2.7.1).
fn is_solicited_node(address: Ipv6Addr) -> bool {
    solicited_node(address) == address
}

/// VRRP for IPv6: the virtual router's MAC inside, its own outside (RFC 9568 §7.3).
fn is_vrrp6(mac: Mac) -> bool {
    mac.as_u64() >> 8 == 0x00_005e_0002
}
