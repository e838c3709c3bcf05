//! The shortcut of the fast path (`path.rs` says what the whole way is): a frame that every stage would let through
//! without a second look. It has one tag or none on both sides, carries plain TCP, UDP or ESP between two stations that are
//! known and where they should be, and fits. Nothing is written before the last of that is sure, and whatever is in
//! doubt takes the whole way. A property test holds the two to be equal.

use std::net::Ipv4Addr;

use rules::{Admission, Bridge, Mac, Side, Tags};

use crate::books::Books;
use crate::frame::ether::{HEADER, MIN_FRAME, TAG, ethertype};
use crate::frame::ipv4::{TCP, UDP};
use crate::io::Buffer;
use crate::path::Crossing;
use crate::plan::{BridgePlan, Plan};
use crate::table::mac::Place;
use crate::time::Time;

/// Encapsulating security payload: nothing to be seen in it.
const ESP: u8 = 50;

/// Layer-2 header with one tag.
const TAGGED: usize = HEADER + TAG;
/// A shorter frame takes the whole way: what follows is looked at without further ado.
const SEEN: usize = MIN_FRAME;

/// What the shortcut needs to know of a side, all in one place.
#[derive(Debug)]
pub struct Shortcut {
    /// Of the peering prefixes.
    broadcasts: Box<[Ipv4Addr]>,
    /// What both sides carry behind the layer-2 header, in bytes; 0 where there is no shortcut.
    room: usize,
    /// The other side's port.
    port: usize,
    /// VLAN of the other side; 0 without.
    vid: u16,
    /// Unlisted stations pass.
    learned: bool,
    /// TCP needs a look at its ports.
    drain: bool,
}

impl Shortcut {
    /// From this side to the other.
    pub fn new(rules: &Bridge, side: Side) -> Shortcut {
        let (from, to) = (rules.side(side), rules.side(side.other()));
        let vid = match (from.tags, to.tags) {
            (Tags::Single(_), Tags::Single(vid)) => Some(vid.get()),
            (Tags::Untagged, Tags::Untagged) => Some(0),
            _ => None, // another depth: the frame has to be moved
        };
        let broadcasts = rules.peering4.iter().filter(|prefix| prefix.prefix_len() <= 30);
        Shortcut {
            broadcasts: broadcasts.map(|prefix| prefix.broadcast()).collect(),
            room: vid.map_or(0, |_| usize::from(from.mtu.min(to.mtu))),
            port: to.port,
            vid: vid.unwrap_or(0),
            learned: rules.admission == Admission::Learned,
            drain: rules.drain,
        }
    }
}

/// Takes the shortcut, or `None` and nothing done.
#[inline(always)]
pub fn shortcut(
    plan: &Plan,
    books: &mut Books,
    port: usize,
    frame: &mut impl Buffer,
    now: Time,
) -> Option<Crossing> {
    let map = plan.ports.get(port)?;
    if !frame.is_whole() {
        return None;
    }
    let bytes = frame.bytes_mut();
    let len = bytes.len();
    let head: &[u8; SEEN] = bytes.first_chunk()?;
    let at = if [head[12], head[13]] == ethertype::CTAG.to_be_bytes() {
        let at = map.single(u16::from_be_bytes([head[14] & 0x0f, head[15]]))?;
        crosses::<TAGGED>(plan.bridge(at), at.side, bytes, now)?;
        let head: &mut [u8; SEEN] = bytes.first_chunk_mut()?;
        let [high, low] = plan.bridge(at).shortcut(at.side).vid.to_be_bytes();
        // PCP and DEI are the sender's: a bridge keeps them (SPEC B.4)
        (head[14], head[15]) = (head[14] & 0xf0 | high, low);
        at
    } else {
        let at = map.untagged()?;
        crosses::<HEADER>(plan.bridge(at), at.side, bytes, now)?;
        at
    };
    let side = books.sides.get_mut(usize::from(at.bridge))?.get_mut(at.side.index())?;
    side.received += 1;
    side.received_bytes += len as u64;
    Some(Crossing { port: plan.bridge(at).shortcut(at.side).port, from: at, bytes: len })
}

/// Every stage would let the frame through; `L3` is where its packet begins.
#[inline(always)]
fn crosses<const L3: usize>(bridge: &BridgePlan, side: Side, bytes: &[u8], now: Time) -> Option<()> {
    let head: &[u8; SEEN] = bytes.first_chunk()?;
    let rules = bridge.shortcut(side);
    let dst = u64::from_be_bytes(*head.first_chunk()?) >> 16;
    let src = u64::from_be_bytes(*head[4..].first_chunk()?) & 0xffff_ffff_ffff;
    let (dst, src) = (Mac::from_u64(dst), Mac::from_u64(src));
    let carried = bytes.len() - L3;
    if (carried > rules.room) | (dst.as_u64() >> 8 == EXTREME) {
        return None;
    }
    let plain = match [head[L3 - 2], head[L3 - 1]] {
        IPV4 => ipv4(rules, head[L3..].first_chunk()?, carried),
        IPV6 => ipv6(rules, bytes[L3..].first_chunk()?, carried),
        _ => false,
    };
    // Who is known is a station, neither a group nor we ourselves, and not on both sides: no need to look at that.
    (plain && is_here(bridge, rules, src, side, now) && is_there(bridge, rules, dst, side.other(), now))
        .then_some(())
}

const IPV4: [u8; 2] = ethertype::IPV4.to_be_bytes();
const IPV6: [u8; 2] = ethertype::IPV6.to_be_bytes();

/// EDP and EAPS are no group addresses, and reserved all the same (SPEC B.3).
const EXTREME: u64 = 0x00_e02b_0000;

/// No options, no fragment, whole, its checksum right, from and to hosts, TCP, UDP or ESP and nobody's DHCP.
#[inline(always)]
fn ipv4(rules: &Shortcut, b: &[u8; 24], carried: usize) -> bool {
    let total = usize::from(u16::from_be_bytes([b[2], b[3]]));
    // in whatever byte order, 32 bits at a time: RFC 1071 §2 (B), (C)
    let word = |at: usize| u64::from(u32::from_ne_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]));
    let sum = word(0) + word(4) + word(8) + word(12) + word(16);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let right = (sum == 0xffff) | (sum == 0x1_fffe);
    let fragment = (b[6] & 0x3f) | b[7];
    let hosts = HOSTS[usize::from(b[12])] & HOSTS[usize::from(b[16])];
    let whole = (b[0] == 0x45) & (total >= 28) & (total <= carried) & (fragment == 0);
    if !(right & hosts & whole) {
        return false;
    }
    let src = Ipv4Addr::new(b[12], b[13], b[14], b[15]);
    let dst = Ipv4Addr::new(b[16], b[17], b[18], b[19]);
    !rules.broadcasts.iter().any(|address| *address == src || *address == dst)
        && passes(rules, b[9], [b[20], b[21], b[22], b[23]])
}

/// No extension header, whole, from and to hosts (their upper half is neither zero nor a group's), TCP, UDP or ESP.
#[inline(always)]
fn ipv6(rules: &Shortcut, b: &[u8; 44], carried: usize) -> bool {
    let length = usize::from(u16::from_be_bytes([b[4], b[5]]));
    let host = |at: usize| b[at] != 0xff && b[at..at + 8] != [0; 8];
    let whole = (b[0] >> 4 == 6) & (length >= 8) & (40 + length <= carried);
    whole && host(8) && host(24) && passes(rules, b[6], [b[40], b[41], b[42], b[43]])
}

/// By protocol and ports: nothing that another stage looks into.
#[inline(always)]
fn passes(rules: &Shortcut, protocol: u8, ports: [u8; 4]) -> bool {
    match protocol {
        TCP => !rules.drain,
        // DHCP and DHCPv6: 67, 68, 546, 547
        UDP => !is_dhcp([ports[0], ports[1]]) & !is_dhcp([ports[2], ports[3]]),
        ESP => true,
        _ => false,
    }
}

#[inline(always)]
const fn is_dhcp(port: [u8; 2]) -> bool {
    matches!(u16::from_be_bytes(port), 67 | 68 | 546 | 547)
}

/// By an address's first byte: it can be a host's (RFC 1812 §5.3.7).
const HOSTS: [bool; 256] = {
    let mut hosts = [true; 256];
    let mut first = 224;
    while first < 256 {
        hosts[first] = false;
        first += 1;
    }
    hosts[0] = false;
    hosts[127] = false;
    hosts
};

/// The source is known here, and nothing about it would have to be written.
#[inline(always)]
fn is_here(bridge: &BridgePlan, rules: &Shortcut, src: Mac, side: Side, now: Time) -> bool {
    bridge.pins.is_pinned_or(src, side, |member| {
        (member || (rules.learned && src.is_station()))
            && bridge.tables.macs.is_fresh(src, side, now, &bridge.rules.macs)
    })
}

/// The destination is known across the bridge.
#[inline(always)]
fn is_there(bridge: &BridgePlan, rules: &Shortcut, dst: Mac, side: Side, now: Time) -> bool {
    bridge.pins.is_pinned_or(dst, side, |member| {
        (member || (rules.learned && dst.is_station()))
            && bridge.tables.macs.lookup(dst, now, &bridge.rules.macs) == Some(Place::Side(side))
    })
}
