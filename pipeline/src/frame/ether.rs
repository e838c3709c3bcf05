//! Ethernet II and its VLAN tags.

use rules::Mac;

use super::words::eight;

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
    bytes.first_chunk().map(addresses_in::<MACS>)
}

/// The same, of bytes that are there.
#[inline(always)]
pub fn addresses_in<const N: usize>(bytes: &[u8; N]) -> (Mac, Mac) {
    let (dst, src) = (u64::from_be(eight(bytes, 0)) >> 16, u64::from_be(eight(bytes, 4)) & 0xffff_ffff_ffff);
    (Mac::from_u64(dst), Mac::from_u64(src))
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

/// Two bytes, in network order.
#[inline]
pub(super) fn word_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
