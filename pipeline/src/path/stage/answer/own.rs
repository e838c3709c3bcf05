//! IP packets for our own MAC: echo requests to our own addresses are answered, all else ends here (SPEC F37, F141).

use std::net::IpAddr;

use super::reply::{Answer, may_answer};
use crate::base::reason::Reason;
use crate::frame::build::{self, Addresses};
use crate::frame::checksum;
use crate::frame::icmp6::{self, ECHO_REQUEST};
use crate::frame::ipv4::{ICMP, Ipv4};
use crate::frame::ipv6::{Fragment, ICMP6, Ipv6};
use crate::path::outbox::{LocalKind, Outbox};
use crate::path::packet::Arrival;
use crate::table::hold::OwnAddress;
use crate::table::limits::Limits;

/// ICMP echo request.
const ECHO_REQUEST4: u8 = 8;
/// Header of an echo message.
const ECHO: usize = 8;

/// IPv4 for our MAC.
pub(super) fn ipv4(
    arrival: &Arrival<'_>,
    limits: &mut Limits,
    outbox: &mut Outbox,
) -> Result<Answer, Reason> {
    let bridge = arrival.bridge;
    let ip = Ipv4::parse(arrival.ether.payload).map_err(|_| Reason::V4Malformed)?;
    let ours = bridge.rules.own.ipv4 == Some(ip.dst) && bridge.tables.hold.has(OwnAddress::V4);
    let echo = ip.protocol == ICMP && ip.payload.first() == Some(&ECHO_REQUEST4) && ip.payload.len() >= ECHO;
    let whole = !ip.is_fragment() && ip.checksum_ok && checksum::fold(checksum::sum(ip.payload)) == 0xffff;
    let fits = ip.packet.len() <= usize::from(bridge.rules.side(arrival.side()).mtu);
    if !(ours && echo && whole && fits) || bridge.is_own(IpAddr::V4(ip.src)) {
        return Err(Reason::ToUsNotOurs);
    }
    if !may_answer(arrival, limits) {
        return Err(Reason::AnswerLimit);
    }
    let way = Addresses { to: arrival.ether.src, from: bridge.own(arrival.side()), src: ip.dst, dst: ip.src };
    if let Some(frame) = outbox.put(arrival.at, LocalKind::Reply) {
        // RFC 1122 §3.2.2.6: the request's TOS
        build::echo_reply4(frame, &way, ip.packet.get(1).copied().unwrap_or(0), ip.payload);
    }
    Ok(Answer::Done)
}

/// IPv6 for our MAC, neighbour discovery aside.
pub(super) fn ipv6(
    arrival: &Arrival<'_>,
    limits: &mut Limits,
    outbox: &mut Outbox,
) -> Result<Answer, Reason> {
    let bridge = arrival.bridge;
    let ip = Ipv6::parse(arrival.ether.payload).map_err(|_| Reason::V6Malformed)?;
    let address =
        bridge.own6(ip.dst).filter(|address| *address != OwnAddress::LinkLocal(arrival.side().other()));
    let ours = address.is_some_and(|address| bridge.tables.hold.has(address));
    let message = ip.upper().filter(|upper| upper.fragment == Fragment::Whole && upper.protocol == ICMP6);
    let echo = message.filter(|upper| {
        let message = upper.payload;
        message.first() == Some(&ECHO_REQUEST)
            && message.len() >= ECHO
            && icmp6::checksum_ok(ip.src, ip.dst, message)
    });
    let fits = ip.packet.len() <= usize::from(bridge.rules.side(arrival.side()).mtu);
    let Some(echo) = echo.filter(|_| ours && fits) else {
        return Err(Reason::ToUsNotOurs);
    };
    if bridge.is_own(IpAddr::V6(ip.src)) {
        return Err(Reason::ToUsNotOurs);
    }
    if !may_answer(arrival, limits) {
        return Err(Reason::AnswerLimit);
    }
    let way = Addresses { to: arrival.ether.src, from: bridge.own(arrival.side()), src: ip.dst, dst: ip.src };
    if let Some(frame) = outbox.put(arrival.at, LocalKind::Reply) {
        build::echo_reply6(frame, &way, echo.payload);
    }
    Ok(Answer::Done)
}
