//! IPv4 headers (RFC 791).

use std::net::Ipv4Addr;

use super::checksum;
use super::words::{eight, four};

/// ICMP's protocol number.
pub const ICMP: u8 = 1;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// TCP's protocol number.
pub const TCP: u8 = 6;

/// Encapsulating security payload's protocol number.
pub const ESP: u8 = 50;

/// What an address can be, by its first byte (RFC 1812 §5.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A host's.
    Host,
    /// 0/8 or 127/8: nobody's on a wire.
    Local,
    /// 224/4.
    Multicast,
    /// 240/4, the limited broadcast in it.
    Reserved,
}

impl Scope {
    /// Of an address with this first byte.
    pub const fn of(first: u8) -> Scope {
        match first {
            0 | 127 => Scope::Local,
            224..240 => Scope::Multicast,
            240.. => Scope::Reserved,
            _ => Scope::Host,
        }
    }
}

/// By an address's first byte: it is a host's.
pub const IS_HOST: [bool; 256] = {
    let mut hosts = [false; 256];
    let mut first = 0;
    while first < 256 {
        hosts[first] = matches!(Scope::of(first as u8), Scope::Host);
        first += 1;
    }
    hosts
};

/// The twenty bytes of a header without options, as words in the order of a frame's bytes.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Version, header length, TOS, total length; identification, flags and offset.
    pub first: u64,
    /// TTL, protocol, checksum.
    pub middle: u32,
    /// Source and destination.
    pub ends: u64,
}

impl Words {
    /// The first twenty bytes of a packet.
    #[inline(always)]
    pub fn read<const N: usize>(b: &[u8; N]) -> Words {
        Words { first: eight(b, 0), middle: four(b, 8), ends: eight(b, 12) }
    }

    /// The checksum of a header without options, that begins with a version, is right.
    #[inline(always)]
    pub fn checksum_ok(&self) -> bool {
        // RFC 1071 §2 (B), (C): in whatever byte order, many bits at a time; all ones is right, which is to say a multiple
        // of that, but for 0, and as the first byte is not 0 the sum is not either
        let (sum, carry) = self.first.overflowing_add(self.ends);
        let sum = (sum >> 32) + (sum & 0xffff_ffff) + u64::from(self.middle) + u64::from(carry);
        sum % 0xffff == 0
    }
}

/// A packet whose header is whole and whose lengths agree with the frame.
#[derive(Debug, Clone, Copy)]
pub struct Ipv4<'a> {
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// Protocol.
    pub protocol: u8,
    /// Don't fragment.
    pub df: bool,
    /// More fragments follow.
    pub more_fragments: bool,
    /// Offset of this fragment in units of 8 bytes; 0 also in a packet that is whole.
    pub fragment_offset: u16,
    /// The header's checksum is right.
    pub checksum_ok: bool,
    /// The whole packet, without the frame's padding.
    pub packet: &'a [u8],
    /// What the header carries.
    pub payload: &'a [u8],
}

/// Why a packet cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv4Error {
    /// It is IPv6.
    Version6,
    /// Longer than the bytes that are there.
    Truncated,
    /// Version, header length or total length that cannot be.
    Malformed,
}

impl<'a> Ipv4<'a> {
    /// Reads a packet from a frame's payload, padding included (RFC 1812 §5.2.2).
    ///
    /// # Errors
    /// The [`Ipv4Error`] that says what is wrong with it.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Ipv4<'a>, Ipv4Error> {
        match bytes.first().map(|byte| byte >> 4) {
            Some(4) => {}
            Some(6) => return Err(Ipv4Error::Version6),
            Some(_) => return Err(Ipv4Error::Malformed),
            None => return Err(Ipv4Error::Truncated),
        }
        let b: &[u8; 20] = bytes.first_chunk().ok_or(Ipv4Error::Truncated)?;
        let header = usize::from(b[0] & 0x0f) * 4;
        let total = usize::from(u16::from_be_bytes([b[2], b[3]]));
        if header < 20 || total < header {
            return Err(Ipv4Error::Malformed);
        }
        let packet = bytes.get(..total).ok_or(Ipv4Error::Truncated)?;
        let payload = packet.get(header..).ok_or(Ipv4Error::Malformed)?;
        let flags = u16::from_be_bytes([b[6], b[7]]);
        let checksum_ok = match packet.get(..header) {
            Some(options) if header > b.len() => checksum::fold(checksum::sum(options)) == 0xffff,
            _ => Words::read(b).checksum_ok(),
        };
        Ok(Ipv4 {
            src: Ipv4Addr::new(b[12], b[13], b[14], b[15]),
            dst: Ipv4Addr::new(b[16], b[17], b[18], b[19]),
            protocol: b[9],
            df: flags & 0x4000 != 0,
            more_fragments: flags & 0x2000 != 0,
            fragment_offset: flags & 0x1fff,
            checksum_ok,
            packet,
            payload,
        })
    }
}

impl Ipv4<'_> {
    /// It is a part of a packet only.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }
}

/// Source and destination port of UDP or TCP, where both are there.
#[inline]
pub fn ports(payload: &[u8]) -> Option<(u16, u16)> {
    let b: &[u8; 4] = payload.first_chunk()?;
    Some((u16::from_be_bytes([b[0], b[1]]), u16::from_be_bytes([b[2], b[3]])))
}
