//! Snoop: what an owner says of its addresses, for the neighbour table. It refuses nothing.

use std::net::IpAddr;

use rules::Mac;

use crate::frame::arp::Arp;
use crate::frame::ipv6::Ipv6;
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Kind, LinkAddress, Nd, Packet};
use crate::table::neighbour::{Binding, BindingSource};

/// Takes in what is said in valid ARP but probes, in the advertisements that carry the target's link-layer address, and in
/// the solicitations that carry the source's (docs/spec C.4, learning).
#[inline]
pub fn snoop(packet: &Packet<'_>, context: &mut FrameContext<'_>) {
    if matches!(packet.kind, Kind::Arp(_) | Kind::Nd(..)) {
        snoop_owner(packet, context);
    }
}

/// [`snoop`] hears nothing in what the [filter's predicate](super::filter::plain) lets through: TCP, UDP and ESP.
#[inline(always)]
pub fn plain() -> bool {
    true
}

#[cold]
fn snoop_owner(packet: &Packet<'_>, context: &mut FrameContext<'_>) {
    let frame = &packet.frame;
    let said = match &packet.kind {
        Kind::Arp(arp) => in_arp(frame, arp),
        Kind::Nd(ip, nd) => in_nd(frame, ip, nd),
        Kind::Ipv4(_) | Kind::Ipv6(..) => None,
    };
    let Some((address, mac, source)) = said else { return };
    let bridge = frame.bridge;
    let anycast = matches!(address, IpAddr::V6(address) if bridge.anycast(address).is_some());
    if anycast || bridge.is_own(address) || bridge.owners.is_foreign(address, mac) {
        return; // several owners; ourselves; or a claim that `conflict: pass` let through, and nobody need believe
    }
    let binding = Binding { time: frame.now, address, mac, source };
    if !bridge.tables.neighbours.knows(&binding) {
        context.snooped(binding);
    }
}

/// Another MAC inside than the frame's own, a virtual router's, is believed where both are one member's.
fn is_believed(frame: &Frame<'_>, mac: Mac) -> bool {
    mac == frame.ether.src || frame.bridge.owners.are_one(mac, frame.ether.src)
}

fn in_arp(frame: &Frame<'_>, arp: &Arp) -> Option<(IpAddr, Mac, BindingSource)> {
    let believed = !arp.spa.is_unspecified() && is_believed(frame, arp.sha);
    believed.then_some((IpAddr::V4(arp.spa), arp.sha, BindingSource::Plain))
}

fn in_nd(frame: &Frame<'_>, ip: &Ipv6<'_>, nd: &Nd) -> Option<(IpAddr, Mac, BindingSource)> {
    let mac = match nd.link {
        LinkAddress::One(mac) => mac,
        // who answers a question of ours, which was unicast, may leave out what we know already (RFC 4861 §7.2.4)
        LinkAddress::None if !nd.solicits && frame.bridge.own.contains(&frame.ether.dst) => frame.ether.src,
        LinkAddress::None | LinkAddress::Several => return None,
    };
    if !is_believed(frame, mac) {
        return None;
    }
    match nd.solicits {
        true if ip.src.is_unspecified() => None,
        true => Some((IpAddr::V6(ip.src), mac, BindingSource::Plain)),
        false => Some((IpAddr::V6(nd.target), mac, BindingSource::Advertised(nd.flags))),
    }
}
