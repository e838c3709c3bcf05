//! ARP requests: for our own address, and on behalf of members (docs/spec C.6).

use std::net::IpAddr;

use rules::{Mac, Resolution};

use super::proxy::{ProxyLookup, lookup, searches};
use super::reply::{Answer, conflict, may_answer, replied, wanted};
use crate::base::reason::{Cause, Reason};
use crate::frame::arp::{Arp, REQUEST};
use crate::frame::build;
use crate::path::context::FrameContext;
use crate::path::outbox::LocalKind;
use crate::path::packet::Frame;
use crate::table::hold::OwnAddress;

/// Answers a request, or lets it go on.
pub(super) fn answer(frame: &Frame<'_>, arp: &Arp, context: &mut FrameContext<'_>) -> Result<Answer, Reason> {
    let (bridge, ether) = (frame.bridge, &frame.ether);
    if bridge.rules.own.ipv4 == Some(arp.spa) {
        return Err(conflict(OwnAddress::V4, context));
    }
    if bridge.rules.own.ipv4 == Some(arp.tpa) {
        return own(frame, arp, context);
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
    match lookup(frame, IpAddr::V4(arp.tpa), &[ether.src, arp.sha]) {
        ProxyLookup::Unsure => Ok(Answer::Pass),
        // the owner hears the probe itself, and so does a second owner across the bridge
        ProxyLookup::SameSide if probe => Ok(Answer::Pass),
        ProxyLookup::SameSide if searches(frame, IpAddr::V4(arp.tpa)) => Ok(Answer::Pass),
        ProxyLookup::SameSide => Err(Reason::ArpSameSide),
        ProxyLookup::Across(owner) if probe && !owner.sure => Ok(Answer::Pass),
        ProxyLookup::Across(owner) => {
            if !may_answer(frame, context) {
                context.cause(Cause::AnswerLimited);
                return Ok(Answer::Pass);
            }
            let Some(reply) = context.outbox.put(frame.at, LocalKind::Reply) else { return Ok(Answer::Pass) };
            build::arp_reply(reply, arp, owner.mac);
            Ok(replied(context, probe))
        }
    }
}

/// For our own address, as a host (RFC 826; a probe too, RFC 5227 §2.1).
fn own(frame: &Frame<'_>, arp: &Arp, context: &mut FrameContext<'_>) -> Result<Answer, Reason> {
    if !frame.bridge.tables.hold.has(OwnAddress::V4) {
        if arp.op == REQUEST && arp.spa.is_unspecified() {
            wanted(OwnAddress::V4, true, context); // it looks as we do (RFC 5227 §2.1.1)
        }
        return Err(Reason::ToUsNotOurs);
    }
    if arp.op == REQUEST {
        if !may_answer(frame, context) {
            return Err(Reason::AnswerLimit);
        }
        if let Some(reply) = context.outbox.put(frame.at, LocalKind::Reply) {
            build::arp_reply(reply, arp, frame.bridge.own(frame.side()));
        }
    }
    Ok(Answer::Done)
}
