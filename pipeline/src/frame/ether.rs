//! Ethernet II and its VLAN tags.

use rules::{Mac, Tags, Vid};

use crate::io::Buffer;

/// Bytes of the two addresses.
pub const MACS: usize = 12;
/// Bytes of an untagged header.
pub const HEADER: usize = 14;
/// Bytes of a VLAN tag.
pub const TAG: usize = 4;
/// The shortest frame, without FCS.
pub const MIN_FRAME: usize = 60;

/// EtherTypes.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// IEEE 802.1Q customer tag.
    pub const CTAG: u16 = 0x8100;
    /// IEEE 802.1ad service tag.
    pub const STAG: u16 = 0x88a8;

    /// A tag protocol identifier, the two legacy QinQ ones among them.
    pub const fn is_tag(value: u16) -> bool {
        matches!(value, CTAG | STAG | 0x9100 | 0x9200)
    }
}

/// The layer-2 header of a frame, its tags already judged, and what follows.
#[derive(Debug, Clone, Copy)]
pub struct Ether<'a> {
    /// Destination.
    pub dst: Mac,
    /// Source.
    pub src: Mac,
    /// Type field behind the tags.
    pub ethertype: u16,
    /// Everything behind the type field, padding included.
    pub payload: &'a [u8],
}

impl<'a> Ether<'a> {
    /// Reads the header of a frame with so many tags; `None` where it is not whole.
    #[inline]
    pub fn parse(bytes: &'a [u8], depth: usize) -> Option<Ether<'a>> {
        let payload = bytes.get(HEADER + TAG * depth..)?;
        // 16 bytes hold both addresses and are there: they end in the type field and the first two bytes behind it, or
        // in the first tag.
        let (dst, src) = addresses(bytes)?;
        Some(Ether { dst, src, ethertype: type_at(bytes, depth)?, payload })
    }
}

/// Destination and source of a frame.
#[inline]
pub fn addresses(bytes: &[u8]) -> Option<(Mac, Mac)> {
    let b: &[u8; MACS] = bytes.first_chunk()?;
    let dst = u64::from_be_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) >> 16;
    let src = u64::from_be_bytes([b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11]]);
    Some((Mac::from_u64(dst), Mac::from_u64(src)))
}

/// The type field behind `depth` tags.
#[inline]
pub fn type_at(bytes: &[u8], depth: usize) -> Option<u16> {
    word_at(bytes, MACS + TAG * depth)
}

/// VLAN identifier in the tag behind `depth` others, PCP and DEI left out.
#[inline]
pub fn vid_at(bytes: &[u8], depth: usize) -> Option<u16> {
    Some(word_at(bytes, MACS + TAG * depth + 2)? & 0x0fff)
}

#[inline]
fn word_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn set_vid(bytes: &mut [u8], depth: usize, vid: Vid) {
    let at = MACS + TAG * depth + 2;
    if let Some(tci) = bytes.get_mut(at..at + 2) {
        // PCP and DEI are the sender's: a bridge keeps them (SPEC B.4)
        let kept = u16::from_be_bytes([tci[0], tci[1]]) & 0xf000;
        tci.copy_from_slice(&(kept | vid.get()).to_be_bytes());
    }
}

/// Turns a frame of one side's tags into one of the other's, in place. Priority bits are kept, also into an added tag; a
/// frame that loses a tag is padded to 60 bytes again, and none is otherwise padded or trimmed (SPEC B.4).
///
/// `false` where the buffer has no room; the frame is then unusable.
#[inline]
#[must_use]
pub fn retag(frame: &mut impl Buffer, from: Tags, to: Tags) -> bool {
    match (from, to) {
        (Tags::Untagged, Tags::Untagged) => true,
        (Tags::Single(_), Tags::Single(vid)) => {
            set_vid(frame.bytes_mut(), 0, vid);
            true
        }
        _ => {
            let priority = priority(frame.bytes(), from);
            change_depth(frame, from, to, priority)
        }
    }
}

/// Tags an untagged frame of our own for a side, with these [priority] bits. `false` as in [`retag`].
#[must_use]
pub fn tag(frame: &mut impl Buffer, to: Tags, priority: u16) -> bool {
    change_depth(frame, Tags::Untagged, to, priority)
}

/// PCP and DEI of a frame with a side's tags, in their place in a TCI: 0 without tags.
pub fn priority(frame: &[u8], tags: Tags) -> u16 {
    match tags {
        Tags::Untagged => 0,
        // the innermost tag is the customer's, so its priority is the one to keep
        _ => word_at(frame, MACS + TAG * (tags.depth() - 1) + 2).unwrap_or(0) & 0xf000,
    }
}

fn change_depth(frame: &mut impl Buffer, from: Tags, to: Tags, priority: u16) -> bool {
    let (was, will) = (from.depth(), to.depth());
    if will > was {
        if !frame.grow_front(TAG * (will - was)) {
            return false;
        }
        let added = TAG * (will - was);
        frame.bytes_mut().copy_within(added..added + MACS, 0);
    } else if will < was {
        let removed = TAG * (was - will);
        frame.bytes_mut().copy_within(..MACS, removed);
        frame.shrink_front(removed);
        let short = MIN_FRAME.saturating_sub(frame.bytes().len());
        if short > 0 && !frame.grow_back(short) {
            return false;
        }
    }
    let tci = |vid: Vid| priority | vid.get();
    let bytes = frame.bytes_mut();
    let mut put = |depth: usize, tpid: u16, tci: u16| {
        if let Some(tag) = bytes.get_mut(MACS + TAG * depth..MACS + TAG * (depth + 1)) {
            tag[..2].copy_from_slice(&tpid.to_be_bytes());
            tag[2..].copy_from_slice(&tci.to_be_bytes());
        }
    };
    match (from, to) {
        (_, Tags::Untagged) => {}
        (_, Tags::Single(vid)) => put(0, ethertype::CTAG, tci(vid)),
        (Tags::Double { .. }, Tags::Double { outer, inner }) => {
            set_vid(bytes, 0, outer);
            set_vid(bytes, 1, inner);
        }
        (_, Tags::Double { outer, inner }) => {
            put(0, ethertype::STAG, tci(outer));
            put(1, ethertype::CTAG, tci(inner));
        }
    }
    true
}
