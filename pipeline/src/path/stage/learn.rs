//! Learn: who may speak, and on which side. Only frames that passed the filter come here, so only they teach anything.

use std::net::IpAddr;

use rules::{Admission, Mac, Side};

use crate::base::event::EventKind;
use crate::base::reason::{Cause, Reason};
use crate::base::time::Time;
use crate::frame::arp::Arp;
use crate::frame::icmp6::{NS, Neighbour, SLLAO, TLLAO, options};
use crate::frame::ipv6::Ipv6;
use crate::path::context::FrameContext;
use crate::path::packet::{Arrival, Kind, Packet};
use crate::plan::bridge::BridgePlan;
use crate::table::fdb::Learned;
use crate::table::limits::Limits;
use crate::table::neighbour::{Binding, BindingSource};
use crate::table::static_fdb::StaticEntry;

/// Admits a source on this side, and learns it (SPEC B.2).
#[inline]
pub fn learn(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    src: Mac,
    now: Time,
    context: &mut FrameContext<'_>,
) -> Result<(), Reason> {
    match bridge.static_fdb.get(src) {
        Some(StaticEntry::To(pinned)) if pinned == side => Ok(()),
        // our own on either side is refused by `guard`
        Some(StaticEntry::To(_) | StaticEntry::Own) => {
            context.event(EventKind::MacWrongSide);
            Err(Reason::MacWrongSide)
        }
        None if bridge.rules.admission == Admission::Members => Err(Reason::SrcNotMember),
        Some(StaticEntry::Roaming) | None => learned(bridge, limits, side, src, now, context),
    }
}

#[inline]
fn learned(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    src: Mac,
    now: Time,
    context: &mut FrameContext<'_>,
) -> Result<(), Reason> {
    let rate = bridge.rules.macs.new;
    let pool = &bridge.tables.pools[side.index()].new;
    let share = &mut limits.sides[side.index()].new;
    match bridge.tables.macs.learn(src, side, now, &bridge.rules.macs, || share.take(pool, now, rate)) {
        Learned::Known => Ok(()),
        outcome => changed(outcome, context),
    }
}

#[cold]
fn changed(outcome: Learned, context: &mut FrameContext<'_>) -> Result<(), Reason> {
    match outcome {
        Learned::Known => Ok(()),
        Learned::New => {
            context.cause(Cause::MacNew);
            Ok(())
        }
        Learned::Moved => {
            context.cause(Cause::MacMove);
            context.event(EventKind::MacMoved);
            Ok(())
        }
        Learned::NewLimit => Err(Reason::MacNewLimit),
        Learned::Full => {
            context.event(EventKind::MacTableFull);
            Err(Reason::MacTableFull)
        }
        Learned::BothSides => {
            context.event(EventKind::MacBothSides);
            Err(Reason::MacBothSides)
        }
        Learned::Flapping { first } => {
            if first {
                context.event(EventKind::MacFlapping);
            }
            Err(Reason::MacFlapping)
        }
    }
}

/// What an owner says of its address, for the neighbour table (SPEC C.4, learning): in valid ARP but probes, in the
/// advertisements that carry its link-layer address, and in the solicitations that do.
#[inline]
pub fn snoop(arrival: &Arrival<'_>, packet: &Packet, context: &mut FrameContext<'_>) {
    if matches!(packet.kind, Kind::Arp | Kind::Nd) {
        snoop_owner(arrival, packet, context);
    }
}

#[cold]
fn snoop_owner(arrival: &Arrival<'_>, packet: &Packet, context: &mut FrameContext<'_>) {
    let bridge = arrival.bridge;
    let source = match packet.kind {
        Kind::Arp => binding_in_arp(arrival),
        _ => binding_in_nd(arrival),
    };
    let Some((address, mac, source)) = source else { return };
    let anycast = matches!(address, IpAddr::V6(address) if bridge.anycast(address).is_some());
    if anycast || bridge.is_own(address) || bridge.owners.is_foreign(address, &[mac]) {
        return; // several owners; ourselves; or a claim that `conflict: pass` let through, and nobody need believe
    }
    let binding = Binding { time: arrival.now, address, mac, source };
    if !bridge.tables.neighbours.knows(&binding) {
        context.binding(binding);
    }
}

fn binding_in_arp(arrival: &Arrival<'_>) -> Option<(IpAddr, Mac, BindingSource)> {
    let arp = Arp::parse(arrival.ether.payload).ok()?;
    // a virtual router's MAC is believed where the operator lists it
    let listed = arp.sha == arrival.ether.src || arrival.bridge.static_fdb.get(arp.sha).is_some();
    (!arp.spa.is_unspecified() && listed).then_some((IpAddr::V4(arp.spa), arp.sha, BindingSource::Plain))
}

fn binding_in_nd(arrival: &Arrival<'_>) -> Option<(IpAddr, Mac, BindingSource)> {
    let ip = Ipv6::parse(arrival.ether.payload).ok()?;
    let nd = Neighbour::parse(ip.payload)?;
    let solicits = ip.payload.first() == Some(&NS);
    let mut first = None;
    let mut unanimous = true;
    options(nd.options, if solicits { SLLAO } else { TLLAO }, |mac| {
        unanimous &= *first.get_or_insert(mac) == mac
    });
    let listed = |mac: &Mac| *mac == arrival.ether.src || arrival.bridge.static_fdb.get(*mac).is_some();
    let mac = first.filter(|mac| unanimous && listed(mac))?;
    match solicits {
        true if ip.src.is_unspecified() => None,
        true => Some((IpAddr::V6(ip.src), mac, BindingSource::Plain)),
        false => Some((IpAddr::V6(nd.target), mac, BindingSource::Advertised(nd.flags))),
    }
}
