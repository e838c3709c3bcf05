//! Neighbour solicitations: for our own addresses, and on behalf of members (docs/spec C.4).

use std::net::{IpAddr, Ipv6Addr};

use rules::Resolution;

use super::proxy::{ProxyLookup, lookup, searches};
use super::reply::{Answer, conflict, may_answer, replied, wanted};
use crate::base::reason::{Cause, Reason};
use crate::frame::build::{self, Advertisement};
use crate::frame::icmp6::{ALL_NODES, OVERRIDE, ROUTER, SOLICITED, group_mac};
use crate::frame::ipv6::Ipv6;
use crate::path::context::FrameContext;
use crate::path::outbox::LocalKind;
use crate::path::packet::{Frame, LinkAddress, Nd};
use crate::table::hold::OwnAddress;

/// Answers a solicitation, or lets it go on. The filter has found it valid.
pub(super) fn answer(
    frame: &Frame<'_>,
    ip: &Ipv6<'_>,
    nd: &Nd,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    let bridge = frame.bridge;
    let solicits = nd.solicits;
    // who solicits claims its source address, who advertises the target
    if let Some(address) = bridge.own6(if solicits { ip.src } else { nd.target }) {
        return Err(conflict(address, context));
    }
    if let Some(address) = bridge.own6(nd.target) {
        return own(frame, ip, nd, address, context);
    }
    if bridge.own.contains(&frame.ether.dst) {
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
    if !dad && nd.link == LinkAddress::None {
        return Ok(Answer::Pass); // optimistic DAD: its address may be taken (RFC 4429)
    }
    match lookup(frame, IpAddr::V6(nd.target), &[frame.ether.src]) {
        ProxyLookup::Unsure => Ok(Answer::Pass),
        // never suppressed: the owner, wherever it is, must see that somebody wants its address
        ProxyLookup::SameSide if dad => Ok(Answer::Pass),
        ProxyLookup::SameSide if searches(frame, IpAddr::V6(nd.target)) => Ok(Answer::Pass),
        ProxyLookup::SameSide => Err(Reason::NdSameSide),
        // RFC 4862 §5.4.4: any answer kills the address, so one on stale knowledge would kill a router
        ProxyLookup::Across(owner) if dad && !owner.sure => Ok(Answer::Pass),
        ProxyLookup::Across(owner) => {
            if !may_answer(frame, context) {
                context.cause(Cause::AnswerLimited);
                return Ok(Answer::Pass);
            }
            let flag = |set: bool, bit: u8| if set { bit } else { 0 };
            let router = flag(owner.router, ROUTER);
            let flags =
                if dad { router | OVERRIDE } else { router | SOLICITED | flag(owner.overrides, OVERRIDE) };
            let Some(reply) = context.outbox.put(frame.at, LocalKind::Reply) else { return Ok(Answer::Pass) };
            let to = recipient(frame, ip);
            build::advertisement(reply, &Advertisement { target: nd.target, owner: owner.mac, to, flags });
            Ok(replied(context, dad))
        }
    }
}

/// Who solicited; or, where that is nobody yet, all nodes (RFC 4861 §7.2.4).
fn recipient(frame: &Frame<'_>, ip: &Ipv6<'_>) -> (rules::Mac, Ipv6Addr) {
    if ip.src.is_unspecified() { (group_mac(ALL_NODES), ALL_NODES) } else { (frame.ether.src, ip.src) }
}

/// For our own addresses, as a host that forwards nothing: R=0 (docs/spec D.5).
fn own(
    frame: &Frame<'_>,
    ip: &Ipv6<'_>,
    nd: &Nd,
    address: OwnAddress,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    let bridge = frame.bridge;
    let dad = ip.src.is_unspecified();
    let has = bridge.tables.hold.has(address);
    if dad && !has {
        // it looks as we do (RFC 4862 §5.4.3); a nonce of ours in it proves nothing, whoever heard our own can repeat it: what
        // comes back of our own has our MAC, and ended in the guard (row F209)
        wanted(address, true, context);
    }
    // a link-local address of ours is there on its own side only
    if !has || address == OwnAddress::LinkLocal(frame.side().other()) {
        return Err(Reason::ToUsNotOurs);
    }
    if !may_answer(frame, context) {
        return Err(Reason::AnswerLimit);
    }
    let flags = if dad { OVERRIDE } else { SOLICITED | OVERRIDE };
    if let Some(reply) = context.outbox.put(frame.at, LocalKind::Reply) {
        let (owner, to) = (bridge.own(frame.side()), recipient(frame, ip));
        build::advertisement(reply, &Advertisement { target: nd.target, owner, to, flags });
    }
    Ok(Answer::Done)
}
