//! Packet Too Big and Fragmentation Needed, to the sender of what does not fit; and the whole table of packets that draw
//! none (docs/spec D.2 to D.6). Each refusal is a cause of its own, so that errors sent and causes add up to all `too_big`.

use std::net::{IpAddr, Ipv4Addr};

use crate::base::reason::Cause;
use crate::frame::build::{self, Addresses};
use crate::frame::icmp6::REDIRECT;
use crate::frame::ipv4::{ICMP, Ipv4};
use crate::frame::ipv6::{Fragment, ICMP6, Ipv6, Upper};
use crate::path::context::FrameContext;
use crate::path::outbox::LocalKind;
use crate::path::packet::Frame;
use crate::path::packet::{Kind, Packet};
use crate::plan::anycast::Anycast;
use crate::table::limits::MtuLimit;

/// Puts the error into the outbox, or says why there is none.
pub(super) fn error(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<(), Cause> {
    let frame = &packet.frame;
    match &packet.kind {
        Kind::Ipv4(ip) => fragmentation_needed(frame, ip, context),
        Kind::Ipv6(ip, upper) => {
            invoking6(upper)?;
            packet_too_big(frame, ip, context)
        }
        Kind::Nd(ip, _) => packet_too_big(frame, ip, context), // neither an error nor a redirect
        Kind::Arp(_) => Err(Cause::PtbGroup),
    }
}

fn packet_too_big(frame: &Frame<'_>, ip: &Ipv6<'_>, context: &mut FrameContext<'_>) -> Result<(), Cause> {
    let bridge = frame.bridge;
    if ip.src.is_unspecified() || ip.src.is_multicast() {
        return Err(Cause::PtbInvalidSrc); // RFC 4443 §2.4 e.6
    }
    if ip.dst.is_multicast() || frame.ether.dst.is_group() {
        return Err(Cause::PtbGroup); // the filter refuses them first
    }
    if bridge.is_own(IpAddr::V6(ip.src)) {
        return Err(Cause::PtbOwn);
    }
    let src = if ip.src.is_unicast_link_local() {
        if !ip.dst.is_unicast_link_local() {
            return Err(Cause::PtbScope);
        }
        bridge.link_local[frame.side().index()]
    } else {
        match bridge.anycast(ip.src) {
            Some(Anycast::Service) if bridge.rules.anycast.ptb => {}
            None => {}
            Some(why) => {
                context.anycast(ip.src, why);
                return Err(Cause::PtbAnycastSrc); // RFC 4443 §2.4 e.6, "known by the originator"
            }
        }
        let own = &bridge.rules.own;
        own.icmp_source6.or(own.ipv6).ok_or(Cause::PtbNoSource)?
    };
    // inside the exchange each address is somebody's; outside, who has one address has its /64 (docs/spec D.6)
    let inside = bridge.is_peering6(ip.src) || ip.src.is_unicast_link_local();
    let source = if inside { u128::from(ip.src) } else { u128::from(ip.src) >> 64 << 64 };
    may_send(frame, source, context)?;
    let mtu = bridge.rules.side(frame.side().other()).mtu;
    let addresses = Addresses { to: frame.ether.src, from: bridge.own(frame.side()), src, dst: ip.src };
    let error = context.outbox.put(frame.at, LocalKind::Reply).ok_or(Cause::PtbRatelimitedSide)?;
    build::packet_too_big(error, &addresses, mtu, ip.packet);
    Ok(())
}

/// RFC 4443 §2.4 e.1 and e.2: no error about an error or a redirect, wherever in the header chain it is. The type of a later
/// fragment cannot be known, and an error never exceeds 1280 bytes.
fn invoking6(upper: &Upper<'_>) -> Result<(), Cause> {
    if upper.protocol != ICMP6 || upper.fragment == Fragment::Later {
        return Ok(());
    }
    match upper.payload.first() {
        Some(&REDIRECT) => Err(Cause::PtbRedirect),
        Some(128..) => Ok(()),
        Some(_) | None => Err(Cause::PtbIcmpError),
    }
}

fn fragmentation_needed(
    frame: &Frame<'_>,
    ip: &Ipv4<'_>,
    context: &mut FrameContext<'_>,
) -> Result<(), Cause> {
    let bridge = frame.bridge;
    if ip.fragment_offset != 0 {
        return Err(Cause::PtbFragment); // RFC 1812 §4.3.2.7
    }
    // errors: unreachable, quench, redirect, time exceeded, parameter problem
    if ip.protocol == ICMP && matches!(ip.payload.first(), Some(3 | 4 | 5 | 11 | 12) | None) {
        return Err(Cause::PtbIcmpError);
    }
    if !ip.checksum_ok {
        return Err(Cause::PtbBadChecksum);
    }
    if frame.ether.dst.is_group() {
        return Err(Cause::PtbGroup);
    }
    if is_no_host(ip.src) {
        return Err(Cause::PtbInvalidSrc);
    }
    if bridge.is_own(IpAddr::V4(ip.src)) {
        return Err(Cause::PtbOwn);
    }
    let own = &bridge.rules.own;
    let src = own.icmp_source4.or(own.ipv4).ok_or(Cause::PtbNoSource)?;
    may_send(frame, ip.src.to_ipv6_mapped().into(), context)?;
    let mtu = bridge.rules.side(frame.side().other()).mtu;
    let addresses = Addresses { to: frame.ether.src, from: bridge.own(frame.side()), src, dst: ip.src };
    let error = context.outbox.put(frame.at, LocalKind::Reply).ok_or(Cause::PtbRatelimitedSide)?;
    build::fragmentation_needed(error, &addresses, mtu, ip.packet);
    Ok(())
}

/// RFC 1812 §4.3.2.7: no error to an address that is no single host.
fn is_no_host(address: Ipv4Addr) -> bool {
    matches!(address.octets()[0], 0 | 127 | 224..)
}

fn may_send(frame: &Frame<'_>, source: u128, context: &mut FrameContext<'_>) -> Result<(), Cause> {
    let Frame { bridge, now, .. } = *frame;
    let (limits, who) = (&bridge.tables.limits, context.claimant());
    limits.mtu_error(context.lots, who, source, now, &bridge.rates).map_err(|limit| match limit {
        MtuLimit::Source => Cause::PtbRatelimitedSource,
        MtuLimit::Mac => Cause::PtbRatelimitedMac,
        MtuLimit::Side => Cause::PtbRatelimitedSide,
    })
}
