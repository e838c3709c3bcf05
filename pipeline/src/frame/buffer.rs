//! A frame in its buffer, and the tags that are rewritten in it.

use rules::{Tags, Vid};

use super::ether::{MACS, MIN_FRAME, TAG, ethertype, word_at};

/// A frame in a buffer with room in front, so that a tag can be added without moving the payload.
pub trait Buffer {
    /// The frame, from its destination MAC on, without FCS.
    fn bytes(&self) -> &[u8];

    /// The same, to be rewritten in place.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Whether [`Buffer::bytes`] is the whole frame. A frame that its driver spread over several segments is not.
    fn is_whole(&self) -> bool;

    /// Adds `count` bytes of undefined content in front; `false`, and no change, where there is no room.
    #[must_use]
    fn grow_front(&mut self, count: usize) -> bool;

    /// Takes `count` bytes off the front; no more than the frame has.
    fn shrink_front(&mut self, count: usize);

    /// Adds `count` zero bytes at the end; `false`, and no change, where there is no room.
    #[must_use]
    fn grow_back(&mut self, count: usize) -> bool;

    /// Asks the processor to bring what is at an address near, and does not wait for it. Here nothing is asked.
    fn prefetch(_address: *const u8) {}
}

/// Turns a frame of one side's tags into one of the other's, in place. Priority bits are kept, also into an added tag; a
/// frame that loses a tag is padded to 60 bytes again, and none is otherwise padded or trimmed (docs/spec B.4).
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

/// A TCI with another VLAN, both in the order of a frame's bytes. PCP and DEI are the sender's: a bridge keeps them
/// (docs/spec B.4).
#[inline(always)]
pub fn with_vid(tci: [u8; 2], vid: u16) -> [u8; 2] {
    const PRIORITY: u16 = 0xf000_u16.to_be();
    (u16::from_ne_bytes(tci) & PRIORITY | vid).to_ne_bytes()
}

fn set_vid(bytes: &mut [u8], depth: usize, vid: Vid) {
    let at = MACS + TAG * depth + 2;
    if let Some(tci) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *tci = with_vid(*tci, vid.get().to_be());
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

/// Puts tags that a NIC took off, as (TPID, TCI) from the outermost, back into the frame.
///
/// A frame too short to have an EtherType, or a buffer without room, is left as it is: it fails closed, as a runt or as
/// untagged.
pub fn restore_tags(frame: &mut impl Buffer, tags: &[(u16, u16)]) {
    let added = 4 * tags.len();
    if frame.bytes().len() < MACS || !frame.grow_front(added) {
        return;
    }
    let bytes = frame.bytes_mut();
    bytes.copy_within(added..added + MACS, 0);
    for (place, (tpid, tci)) in bytes[MACS..].chunks_exact_mut(4).zip(tags) {
        place[..2].copy_from_slice(&tpid.to_be_bytes());
        place[2..].copy_from_slice(&tci.to_be_bytes());
    }
}
