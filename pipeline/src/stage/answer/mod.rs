//! Answer: what the bridge says itself. For its own addresses it answers as any host does; on behalf of members only where
//! that is sure to be right, and with the owner's MAC (SPEC C.4, C.6, G2 to G7). It routes nothing.

mod arp;
mod nd;
mod own;

use std::net::IpAddr;

use rules::{Mac, Role};

use super::Arrival;
use super::filter::{Kind, Packet};
use crate::event::{EventKind, Notes};
use crate::outbox::Outbox;
use crate::path::Limits;
use crate::reason::{Cause, Reason};
use crate::table::hold::OwnAddress;
use crate::table::neighbour::Neighbour;
use crate::table::pins::Pin;

/// Whether the frame goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It does, answered besides or not.
    Pass,
    /// It ends here.
    Done,
}

/// Answers what is for the bridge to answer.
#[inline]
pub fn answer(
    arrival: &Arrival<'_>,
    packet: &Packet,
    limits: &mut Limits,
    outbox: &mut Outbox,
    notes: &mut Notes<'_>,
) -> Result<Answer, Reason> {
    match packet.kind {
        Kind::Ipv4 { .. } | Kind::Ipv6 if !arrival.bridge.own.contains(&arrival.ether.dst) => {
            Ok(Answer::Pass)
        }
        kind => slow(kind, arrival, limits, outbox, notes),
    }
}

#[cold]
fn slow(
    kind: Kind,
    arrival: &Arrival<'_>,
    limits: &mut Limits,
    outbox: &mut Outbox,
    notes: &mut Notes<'_>,
) -> Result<Answer, Reason> {
    // on this side that MAC is nobody's: whoever sends to it has moved, and must look for us anew
    if arrival.ether.dst == arrival.bridge.own(arrival.side().other()) {
        return Err(Reason::ToUsNotOurs);
    }
    match kind {
        Kind::Ipv4 { .. } => own::ipv4(arrival, limits, outbox),
        Kind::Ipv6 => own::ipv6(arrival, limits, outbox),
        Kind::Arp => arp::answer(arrival, limits, outbox, notes),
        Kind::Nd => nd::answer(arrival, limits, outbox, notes),
    }
}

/// An address of our own is ours alone. Only who may speak comes so far, so only it can make us give one up or defend it
/// (RFC 5227 §2.4, RFC 4862 §5.4).
fn conflict(address: OwnAddress, notes: &mut Notes<'_>) -> Reason {
    notes.event(EventKind::IpConflictOwn);
    notes.own_claim(address, false);
    Reason::IpConflictOwn
}

/// A token of the side's replies.
fn may_answer(arrival: &Arrival<'_>, limits: &mut Limits) -> bool {
    let side = arrival.side().index();
    let (pool, rate) = (&arrival.bridge.tables.pools[side].answers, arrival.bridge.rules.answers);
    limits.sides[side].answers.take(pool, arrival.now, rate)
}

/// An owner that may be answered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Behalf {
    mac: Mac,
    /// It forwards: R.
    router: bool,
    /// It said so within 30 s, or the operator did: O.
    overrides: bool,
    /// Provisioned, or heard within 30 s: enough to defend an address with.
    sure: bool,
}

/// What is known of the owner of an address that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Nothing certain: the request is bridged.
    Unsure,
    /// On the side of the one who asks: it hears the request itself.
    SameSide,
    /// Across the bridge.
    Across(Behalf),
}

/// Whose an address is that these MACs ask for. Never an asking MAC's own, nor its member's: a router that has moved here
/// looks for duplicates of itself (openwrt#14309).
fn whose(arrival: &Arrival<'_>, address: IpAddr, asking: &[Mac]) -> Whose {
    let bridge = arrival.bridge;
    let in_time = |known: &Neighbour| arrival.now.since(known.confirmed) < bridge.rules.macs.age;
    let known = bridge.tables.neighbours.get(address).filter(|known| !known.contested && in_time(known));
    let owner = match bridge.owners.get(address) {
        Some(owner) if asking.iter().any(|mac| owner.macs.contains(mac)) => None,
        Some(owner) => {
            let spoken = known.map(|known| known.mac).filter(|mac| owner.macs.contains(mac));
            // of several MACs (VRRP) only the one that speaks for the address is sure
            let only = <[Mac; 1]>::try_from(owner.macs.as_slice()).ok().map(|[mac]| mac);
            only.or(spoken).map(|mac| Behalf {
                mac,
                router: owner.role == Role::Router,
                overrides: true,
                sure: true,
            })
        }
        None => known.map(|known| Behalf {
            mac: known.mac,
            router: known.router,
            overrides: known.overrides && known.is_confirmed(arrival.now),
            sure: known.is_confirmed(arrival.now),
        }),
    };
    let Some(owner) = owner.filter(|owner| !asking.contains(&owner.mac)) else { return Whose::Unsure };
    let heard = known.is_some_and(|known| known.mac == owner.mac && known.is_confirmed(arrival.now));
    let pinned = matches!(bridge.pins.get(owner.mac), Some(Pin::To(_)));
    match bridge.side_of(owner.mac, arrival.now) {
        Some(side) if side != arrival.side() => Whose::Across(owner),
        // who is pinned here is here; who was only learned may have left unnoticed
        Some(_) if heard || pinned => Whose::SameSide,
        _ => Whose::Unsure,
    }
}

/// The reply is there; whether the frame goes on besides.
fn replied(notes: &mut Notes<'_>, goes_on: bool) -> Answer {
    notes.cause(if goes_on { Cause::AnsweredAndBridged } else { Cause::AnsweredForOwner });
    if goes_on { Answer::Pass } else { Answer::Done }
}
