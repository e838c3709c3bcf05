//! IP packets for our own MAC: echo requests to our own addresses are answered, all else ends here (docs/spec F37, F141).

use std::net::IpAddr;

use super::reply::{Answer, may_answer};
use crate::base::reason::Reason;
use crate::frame::build::{self, Addresses};
use crate::frame::checksum;
use crate::frame::icmp6::{self, ECHO_REQUEST};
use crate::frame::ipv4::{ICMP, Ipv4};
use crate::frame::ipv6::{Fragment, ICMP6, Ipv6, Upper};
use crate::path::context::FrameContext;
use crate::path::outbox::LocalKind;
use crate::path::packet::Frame;
use crate::table::hold::OwnAddress;

/// ICMP echo request.
const ECHO_REQUEST4: u8 = 8;
/// Header of an echo message.
const ECHO: usize = 8;

/// IPv4 for our MAC.
pub(super) fn ipv4(
    frame: &Frame<'_>,
    ip: &Ipv4<'_>,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    let bridge = frame.bridge;
    let ours = bridge.rules.own.ipv4 == Some(ip.dst) && bridge.tables.hold.has(OwnAddress::V4);
    let echo = ip.protocol == ICMP && ip.payload.first() == Some(&ECHO_REQUEST4) && ip.payload.len() >= ECHO;
    let whole = !ip.is_fragment() && ip.checksum_ok && checksum::fold(checksum::sum(ip.payload)) == 0xffff;
    let fits = ip.packet.len() <= usize::from(bridge.rules.side(frame.side()).mtu);
    if !(ours && echo && whole && fits) || bridge.is_own(IpAddr::V4(ip.src)) {
        return Err(Reason::ToUsNotOurs);
    }
    if !may_answer(frame, context) {
        return Err(Reason::AnswerLimit);
    }
    let addresses =
        Addresses { to: frame.ether.src, from: bridge.own(frame.side()), src: ip.dst, dst: ip.src };
    if let Some(reply) = context.outbox.put(frame.at, LocalKind::Reply) {
        // RFC 1122 §3.2.2.6: the request's TOS
        build::echo_reply4(reply, &addresses, ip.packet.get(1).copied().unwrap_or(0), ip.payload);
    }
    Ok(Answer::Done)
}

/// IPv6 for our MAC, neighbour discovery aside.
pub(super) fn ipv6(
    frame: &Frame<'_>,
    ip: &Ipv6<'_>,
    upper: &Upper<'_>,
    context: &mut FrameContext<'_>,
) -> Result<Answer, Reason> {
    let bridge = frame.bridge;
    let address =
        bridge.own6(ip.dst).filter(|address| *address != OwnAddress::LinkLocal(frame.side().other()));
    let ours = address.is_some_and(|address| bridge.tables.hold.has(address));
    let message = Some(upper).filter(|upper| upper.fragment == Fragment::Whole && upper.protocol == ICMP6);
    let echo = message.filter(|upper| {
        let message = upper.payload;
        message.first() == Some(&ECHO_REQUEST)
            && message.len() >= ECHO
            && icmp6::checksum_ok(ip.src, ip.dst, message)
    });
    let fits = ip.packet.len() <= usize::from(bridge.rules.side(frame.side()).mtu);
    let Some(echo) = echo.filter(|_| ours && fits) else {
        return Err(Reason::ToUsNotOurs);
    };
    if bridge.is_own(IpAddr::V6(ip.src)) {
        return Err(Reason::ToUsNotOurs);
    }
    if !may_answer(frame, context) {
        return Err(Reason::AnswerLimit);
    }
    let addresses =
        Addresses { to: frame.ether.src, from: bridge.own(frame.side()), src: ip.dst, dst: ip.src };
    if let Some(reply) = context.outbox.put(frame.at, LocalKind::Reply) {
        build::echo_reply6(reply, &addresses, echo.payload);
    }
    Ok(Answer::Done)
}
