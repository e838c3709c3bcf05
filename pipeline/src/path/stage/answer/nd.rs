//! Neighbour solicitations: for our own addresses, and on behalf of members (SPEC C.4).

use std::net::{IpAddr, Ipv6Addr};

use rules::Resolution;

use super::proxy::{ProxyLookup, lookup};
use super::reply::{Answer, conflict, may_answer, replied};
use crate::base::event::EventKind;
use crate::base::reason::{Cause, Reason};
use crate::frame::build::{self, Advertisement};
use crate::frame::icmp6::{
    ALL_NODES, NONCE, NS, Neighbour, OVERRIDE, ROUTER, SLLAO, SOLICITED, group_mac, options,
};
use crate::frame::ipv6::Ipv6;
use crate::path::context::FrameContext;
use crate::path::outbox::{LocalKind, Outbox};
use crate::path::packet::Arrival;
use crate::table::hold::OwnAddress;
use crate::table::limits::Limits;

/// Answers a solicitation, or lets it go on. The filter has found it valid.
pub(super) fn answer(
    arrival: &Arrival<'_>,
    limits: &mut Limits,
    outbox: &mut Outbox,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    let bridge = arrival.bridge;
    let ip = Ipv6::parse(arrival.ether.payload).map_err(|_| Reason::V6Malformed)?;
    let nd = Neighbour::parse(ip.payload).ok_or(Reason::NdShort)?;
    let solicits = ip.payload[0] == NS;
    // who solicits claims its source address, who advertises the target
    if let Some(address) = bridge.own6(if solicits { ip.src } else { nd.target }) {
        return Err(conflict(address, context));
    }
    if let Some(address) = bridge.own6(nd.target) {
        return own(arrival, &ip, &nd, address, limits, outbox, context);
    }
    if bridge.own.contains(&arrival.ether.dst) {
        return if solicits { Err(Reason::ToUsNotOurs) } else { Ok(Answer::Done) };
    }
    if solicits && ip.src.is_unspecified() && bridge.anycast(nd.target).is_some() {
        context.cause(Cause::DadAnycast); // nobody looks for duplicates of an address that has several (RFC 4862 §5.4)
    }
    // a unicast solicitation asks whether the way to the owner works, and only the owner can say so (RFC 4861 §7.2.5)
    if bridge.rules.nd != Resolution::Answer || !solicits || !ip.dst.is_multicast() {
        return Ok(Answer::Pass);
    }
    // RFC 4861 §7.2.7: anycast targets have several owners, none of which answers for the others
    if bridge.anycast(nd.target).is_some() {
        return Ok(Answer::Pass);
    }
    let dad = ip.src.is_unspecified();
    let mut has_sllao = false;
    options(nd.options, SLLAO, |_| has_sllao = true);
    if !dad && !has_sllao {
        return Ok(Answer::Pass); // optimistic DAD: its address may be taken (RFC 4429)
    }
    match lookup(arrival, IpAddr::V6(nd.target), &[arrival.ether.src]) {
        ProxyLookup::Unsure => Ok(Answer::Pass),
        // never suppressed: the owner, wherever it is, must see that somebody wants its address
        ProxyLookup::SameSide if dad => Ok(Answer::Pass),
        ProxyLookup::SameSide => Err(Reason::NdSameSide),
        // RFC 4862 §5.4.4: any answer kills the address, so one on stale knowledge would kill a router
        ProxyLookup::Across(owner) if dad && !owner.sure => Ok(Answer::Pass),
        ProxyLookup::Across(owner) => {
            if !may_answer(arrival, limits) {
                context.cause(Cause::AnswerLimited);
                return Ok(Answer::Pass);
            }
            let flag = |set: bool, bit: u8| if set { bit } else { 0 };
            let router = flag(owner.router, ROUTER);
            let flags =
                if dad { router | OVERRIDE } else { router | SOLICITED | flag(owner.overrides, OVERRIDE) };
            let Some(frame) = outbox.put(arrival.at, LocalKind::Reply) else { return Ok(Answer::Pass) };
            let to = recipient(arrival, &ip);
            build::advertisement(frame, &Advertisement { target: nd.target, owner: owner.mac, to, flags });
            Ok(replied(context, dad))
        }
    }
}

/// Who solicited; or, where that is nobody yet, all nodes (RFC 4861 §7.2.4).
fn recipient(arrival: &Arrival<'_>, ip: &Ipv6<'_>) -> (rules::Mac, Ipv6Addr) {
    if ip.src.is_unspecified() { (group_mac(ALL_NODES), ALL_NODES) } else { (arrival.ether.src, ip.src) }
}

/// For our own addresses, as a host that forwards nothing: R=0 (SPEC D.5).
fn own(
    arrival: &Arrival<'_>,
    ip: &Ipv6<'_>,
    nd: &Neighbour<'_>,
    address: OwnAddress,
    limits: &mut Limits,
    outbox: &mut Outbox,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    let bridge = arrival.bridge;
    let dad = ip.src.is_unspecified();
    if dad {
        let mut ours = false;
        options(nd.options, NONCE, |nonce| ours |= bridge.nonces.contains(&nonce.bytes()));
        if ours {
            context.event(EventKind::LoopSuspected); // our own, come back: no duplicate (RFC 7527 §4.2)
            return Err(Reason::OwnProbe);
        }
    }
    let has = bridge.tables.hold.has(address);
    if dad && !has {
        context.own_claim(address, true); // it looks as we do (RFC 4862 §5.4.3)
    }
    // a link-local address of ours is there on its own side only
    if !has || address == OwnAddress::LinkLocal(arrival.side().other()) {
        return Err(Reason::ToUsNotOurs);
    }
    if !may_answer(arrival, limits) {
        return Err(Reason::AnswerLimit);
    }
    let flags = if dad { OVERRIDE } else { SOLICITED | OVERRIDE };
    if let Some(frame) = outbox.put(arrival.at, LocalKind::Reply) {
        let (owner, to) = (bridge.own(arrival.side()), recipient(arrival, ip));
        build::advertisement(frame, &Advertisement { target: nd.target, owner, to, flags });
    }
    Ok(Answer::Done)
}
