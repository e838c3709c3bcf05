//! Fragmentation of IPv4 packets without DF, where a side asks for it (RFC 791 §3.2).

use crate::base::At;
use crate::frame::build;
use crate::frame::ether::ethertype;
use crate::frame::ipv4::Ipv4;
use crate::path::outbox::{LocalKind, Outbox};
use crate::path::packet::Frame;

/// More fragments follow.
const MF: u16 = 0x2000;
/// The reserved bit and DF, which a fragment keeps.
const KEPT: u16 = 0xc000;

/// The longest packet that fragments may belong to.
const LONGEST: usize = 0xffff;

/// Puts the packet's fragments for the egress side into the outbox: all of them, or `false` and none.
pub(super) fn fragment(frame: &Frame<'_>, ip: &Ipv4<'_>, mtu: usize, outbox: &mut Outbox) -> bool {
    // new checksums would make a damaged header whole; and offsets have 13 bits
    if !ip.checksum_ok || usize::from(ip.fragment_offset) * 8 + ip.packet.len() > LONGEST {
        return false;
    }
    let header = &ip.packet[..ip.packet.len() - ip.payload.len()];
    let (later, later_len) = later_options(header);
    let flags = u16::from_be_bytes([header[6], header[7]]);
    let at = At { side: frame.side().other(), ..frame.at };
    let mut done = 0;
    while done < ip.payload.len() {
        let head = if done == 0 { header } else { &later[..later_len] };
        let room = (mtu - head.len()) & !7; // offsets count in units of 8 bytes
        let rest = ip.payload.len() - done;
        let length = if rest <= mtu - head.len() { rest } else { room };
        let Some(out) = outbox.put(at, LocalKind::Fragment) else {
            outbox.clear(); // a fit that needs more fragments than there is room for
            return false;
        };
        let more = done + length < ip.payload.len() || flags & MF != 0;
        let offset = ip.fragment_offset + (done / 8) as u16;
        out.extend_from_slice(&frame.ether.dst.bytes());
        out.extend_from_slice(&frame.ether.src.bytes());
        out.extend_from_slice(&ethertype::IPV4.to_be_bytes());
        let start = out.len();
        out.extend_from_slice(head);
        out[start] = 0x40 | (head.len() / 4) as u8;
        out[start + 2..start + 4].copy_from_slice(&((head.len() + length) as u16).to_be_bytes());
        let fragment = flags & KEPT | if more { MF } else { 0 } | offset;
        out[start + 6..start + 8].copy_from_slice(&fragment.to_be_bytes());
        build::sum4(&mut out[start..], 0, 10);
        out.extend_from_slice(&ip.payload[done..done + length]);
        build::pad(out);
        done += length;
    }
    true
}

/// The header of all fragments but the first: only the options whose copied bit is set, padded to a multiple of 4
/// (RFC 791 §3.1). Its length is the second value.
fn later_options(header: &[u8]) -> ([u8; 60], usize) {
    let mut later = [0; 60];
    later[..20].copy_from_slice(&header[..20]);
    let mut len = 20;
    let mut rest = &header[20..];
    while let Some(&kind) = rest.first() {
        let length = match kind {
            0 => break,
            1 => 1,
            _ => rest.get(1).map_or(0, |length| usize::from(*length)),
        };
        // what makes no sense ends the options, as it does for a receiver: all but padding have two bytes
        let makes_sense = kind == 1 || length >= 2;
        let Some((option, after)) = rest.split_at_checked(length).filter(|_| makes_sense) else { break };
        if kind & 0x80 != 0 {
            later[len..len + length].copy_from_slice(option);
            len += length;
        }
        rest = after;
    }
    (later, len.next_multiple_of(4))
}
