//! Learn: who may speak, and on which side. Only frames that passed the filter come here, so only they teach anything.

use std::net::IpAddr;

use rules::{Admission, Mac, Side};

use crate::base::event::EventKind;
use crate::base::reason::{Cause, Reason};
use crate::base::time::Time;
use crate::frame::arp::Arp;
use crate::frame::icmp6::{NS, Neighbour, SLLAO, TLLAO, options};
use crate::frame::ipv6::Ipv6;
use crate::path::context::Notes;
use crate::path::packet::{Arrival, Kind, Packet};
use crate::plan::bridge::BridgePlan;
use crate::table::fdb::Learned;
use crate::table::limits::Limits;
use crate::table::neighbour::{Heard, Said};
use crate::table::static_fdb::Pin;

/// Admits a source on this side, and learns it (SPEC B.2).
#[inline]
pub fn learn(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    src: Mac,
    now: Time,
    notes: &mut Notes<'_>,
) -> Result<(), Reason> {
    match bridge.pins.get(src) {
        Some(Pin::To(pinned)) if pinned == side => Ok(()),
        // our own on either side is refused by `guard`
        Some(Pin::To(_) | Pin::Own) => {
            notes.event(EventKind::MacWrongSide);
            Err(Reason::MacWrongSide)
        }
        None if bridge.rules.admission == Admission::Members => Err(Reason::SrcNotMember),
        Some(Pin::Roaming) | None => learned(bridge, limits, side, src, now, notes),
    }
}

#[inline]
fn learned(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    src: Mac,
    now: Time,
    notes: &mut Notes<'_>,
) -> Result<(), Reason> {
    let rate = bridge.rules.macs.new;
    let pool = &bridge.tables.pools[side.index()].new;
    let share = &mut limits.sides[side.index()].new;
    match bridge.tables.macs.learn(src, side, now, &bridge.rules.macs, || share.take(pool, now, rate)) {
        Learned::Known => Ok(()),
        outcome => changed(outcome, notes),
    }
}

#[cold]
fn changed(outcome: Learned, notes: &mut Notes<'_>) -> Result<(), Reason> {
    match outcome {
        Learned::Known => Ok(()),
        Learned::New => {
            notes.cause(Cause::MacNew);
            Ok(())
        }
        Learned::Moved => {
            notes.cause(Cause::MacMove);
            notes.event(EventKind::MacMoved);
            Ok(())
        }
        Learned::NewLimit => Err(Reason::MacNewLimit),
        Learned::Full => {
            notes.event(EventKind::MacTableFull);
            Err(Reason::MacTableFull)
        }
        Learned::BothSides => {
            notes.event(EventKind::MacBothSides);
            Err(Reason::MacBothSides)
        }
        Learned::Flapping { first } => {
            if first {
                notes.event(EventKind::MacFlapping);
            }
            Err(Reason::MacFlapping)
        }
    }
}

/// What an owner says of its address, for the neighbour table (SPEC C.4, learning): in valid ARP but probes, in the
/// advertisements that carry its link-layer address, and in the solicitations that do.
#[inline]
pub fn hear(arrival: &Arrival<'_>, packet: &Packet, notes: &mut Notes<'_>) {
    if matches!(packet.kind, Kind::Arp | Kind::Nd) {
        hear_owner(arrival, packet, notes);
    }
}

#[cold]
fn hear_owner(arrival: &Arrival<'_>, packet: &Packet, notes: &mut Notes<'_>) {
    let bridge = arrival.bridge;
    let said = match packet.kind {
        Kind::Arp => said_in_arp(arrival),
        _ => said_in_nd(arrival),
    };
    let Some((address, mac, said)) = said else { return };
    let anycast = matches!(address, IpAddr::V6(address) if bridge.anycast(address).is_some());
    if anycast || bridge.is_own(address) || bridge.owners.is_foreign(address, &[mac]) {
        return; // several owners; ourselves; or a claim that `conflict: pass` let through, and nobody need believe
    }
    let heard = Heard { time: arrival.now, address, mac, said };
    if !bridge.tables.neighbours.knows(&heard) {
        notes.heard(heard);
    }
}

fn said_in_arp(arrival: &Arrival<'_>) -> Option<(IpAddr, Mac, Said)> {
    let arp = Arp::parse(arrival.ether.payload).ok()?;
    // a virtual router's MAC is believed where the operator lists it
    let listed = arp.sha == arrival.ether.src || arrival.bridge.pins.get(arp.sha).is_some();
    (!arp.spa.is_unspecified() && listed).then_some((IpAddr::V4(arp.spa), arp.sha, Said::Plain))
}

fn said_in_nd(arrival: &Arrival<'_>) -> Option<(IpAddr, Mac, Said)> {
    let ip = Ipv6::parse(arrival.ether.payload).ok()?;
    let nd = Neighbour::parse(ip.payload)?;
    let solicits = ip.payload.first() == Some(&NS);
    let mut first = None;
    let mut unanimous = true;
    options(nd.options, if solicits { SLLAO } else { TLLAO }, |mac| {
        unanimous &= *first.get_or_insert(mac) == mac
    });
    let listed = |mac: &Mac| *mac == arrival.ether.src || arrival.bridge.pins.get(*mac).is_some();
    let mac = first.filter(|mac| unanimous && listed(mac))?;
    match solicits {
        true if ip.src.is_unspecified() => None,
        true => Some((IpAddr::V6(ip.src), mac, Said::Plain)),
        false => Some((IpAddr::V6(nd.target), mac, Said::Advertised(nd.flags))),
    }
}
