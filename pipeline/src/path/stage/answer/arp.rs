//! ARP requests: for our own address, and on behalf of members (SPEC C.6).

use std::net::IpAddr;

use rules::{Mac, Resolution};

use super::proxy::{ProxyLookup, lookup};
use super::reply::{Answer, conflict, may_answer, replied};
use crate::base::reason::{Cause, Reason};
use crate::frame::arp::{Arp, REQUEST};
use crate::frame::build;
use crate::path::context::FrameContext;
use crate::path::outbox::{LocalKind, Outbox};
use crate::path::packet::Arrival;
use crate::table::hold::OwnAddress;
use crate::table::limits::Limits;

/// Answers a request, or lets it go on.
pub(super) fn answer(
    arrival: &Arrival<'_>,
    limits: &mut Limits,
    outbox: &mut Outbox,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    let (bridge, ether) = (arrival.bridge, &arrival.ether);
    let arp = Arp::parse(ether.payload).map_err(|_| Reason::ArpMalformed)?;
    if bridge.rules.own.ipv4 == Some(arp.spa) {
        return Err(conflict(OwnAddress::V4, context));
    }
    if bridge.rules.own.ipv4 == Some(arp.tpa) {
        return own(arrival, &arp, limits, outbox, context);
    }
    if bridge.own.contains(&ether.dst) {
        return Err(Reason::ToUsNotOurs);
    }
    let probe = arp.spa.is_unspecified();
    // unicast requests ask whether the owner is there, and only it can say so; an announcement asks nothing
    let asks = arp.op == REQUEST && ether.dst == Mac::BROADCAST && arp.spa != arp.tpa;
    if bridge.rules.arp != Resolution::Answer || !asks {
        return Ok(Answer::Pass);
    }
    match lookup(arrival, IpAddr::V4(arp.tpa), &[ether.src, arp.sha]) {
        ProxyLookup::Unsure => Ok(Answer::Pass),
        // the owner hears the probe itself, and so does a second owner across the bridge
        ProxyLookup::SameSide if probe => Ok(Answer::Pass),
        ProxyLookup::SameSide => Err(Reason::ArpSameSide),
        ProxyLookup::Across(owner) if probe && !owner.sure => Ok(Answer::Pass),
        ProxyLookup::Across(owner) => {
            if !may_answer(arrival, limits) {
                context.cause(Cause::AnswerLimited);
                return Ok(Answer::Pass);
            }
            let Some(frame) = outbox.put(arrival.at, LocalKind::Reply) else { return Ok(Answer::Pass) };
            build::arp_reply(frame, &arp, owner.mac);
            Ok(replied(context, probe))
        }
    }
}

/// For our own address, as a host (RFC 826; a probe too, RFC 5227 §2.1).
fn own(
    arrival: &Arrival<'_>,
    arp: &Arp,
    limits: &mut Limits,
    outbox: &mut Outbox,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    if !arrival.bridge.tables.hold.has(OwnAddress::V4) {
        if arp.op == REQUEST && arp.spa.is_unspecified() {
            context.own_claim(OwnAddress::V4, true); // it looks as we do (RFC 5227 §2.1.1)
        }
        return Err(Reason::ToUsNotOurs);
    }
    if arp.op == REQUEST {
        if !may_answer(arrival, limits) {
            return Err(Reason::AnswerLimit);
        }
        if let Some(frame) = outbox.put(arrival.at, LocalKind::Reply) {
            build::arp_reply(frame, arp, arrival.bridge.own(arrival.side()));
        }
    }
    Ok(Answer::Done)
}
