//! Filter: what an exchange lets through (docs/spec A.1). IPv4 and IPv6 between two stations, ARP and neighbour discovery for
//! the exchange's own addresses, and nothing else. Nothing is learned from a frame that is refused here.

mod arp;
mod ipv4;
mod ipv6;
mod nd;
mod ports;

use crate::base::reason::{Cause, Reason};
use crate::frame::ether::ethertype;
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Packet};
use crate::path::stations::Station;
use crate::plan::edges::Edges;
use crate::plan::fast::FilterRules;

/// Lets through what an exchange does.
///
/// # Errors
/// The reason that drops the frame.
#[inline]
pub fn filter<'a>(frame: &Frame<'a>, context: &mut FrameContext<'_>) -> Result<Packet<'a>, Reason> {
    match frame.ether.ethertype {
        ethertype::IPV4 => ipv4::filter(frame, context),
        ethertype::IPV6 => ipv6::filter(frame, context),
        ethertype::ARP => arp::filter(frame, context),
        other => Err(refused(other, context)),
    }
}

/// As in a frame's bytes.
const IPV4: u16 = ethertype::IPV4.to_be();
const IPV6: u16 = ethertype::IPV6.to_be();

/// [`filter`] lets a frame to a station through, and no group, whose packet begins at `L3` of its bytes, the first of which are
/// its head, and there is nothing more to it. `carried` is the length of what begins there.
#[inline(always)]
pub fn plain<const L3: usize, const N: usize>(
    rules: FilterRules,
    edges: &Edges,
    _to: Station,
    (head, bytes): (&[u8; N], &[u8]),
    carried: usize,
) -> bool {
    match u16::from_ne_bytes([head[L3 - 2], head[L3 - 1]]) {
        IPV4 => head[L3..].first_chunk().is_some_and(|packet| ipv4::plain(rules, edges, packet, carried)),
        IPV6 => bytes[L3..].first_chunk().is_some_and(|packet| ipv6::plain(rules, packet, carried)),
        _ => false,
    }
}

#[cold]
fn refused(value: u16, context: &mut FrameContext<'_>) -> Reason {
    match value {
        0..=1500 => return Reason::Llc,
        1501..=1535 => return Reason::EthertypeUndefined,
        _ => {}
    }
    context.cause(match value {
        0x8863 | 0x8864 => Cause::EthertypePppoe,
        0x8847 | 0x8848 => Cause::EthertypeMpls,
        0x88cc => Cause::EthertypeLldp,
        0x8809 => Cause::EthertypeSlow,
        0x8808 => Cause::EthertypePause,
        0x0842 => Cause::EthertypeWol,
        0x6001 | 0x6002 => Cause::EthertypeMop,
        0x9000 => Cause::EthertypeKeepalive,
        0x9003 => Cause::EthertypeLoopProtect,
        0x88b5..=0x88b7 => Cause::EthertypeLocal,
        _ => Cause::EthertypeOther,
    });
    Reason::Ethertype
}
