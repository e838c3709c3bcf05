//! IPv4 headers (RFC 791).

use std::net::Ipv4Addr;

use super::checksum;

/// ICMP's protocol number.
pub const ICMP: u8 = 1;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// TCP's protocol number.
pub const TCP: u8 = 6;

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
        let sum =
            if header == 20 { checksum::sum(b) } else { checksum::sum(packet.get(..header).unwrap_or(b)) };
        Ok(Ipv4 {
            src: Ipv4Addr::new(b[12], b[13], b[14], b[15]),
            dst: Ipv4Addr::new(b[16], b[17], b[18], b[19]),
            protocol: b[9],
            df: flags & 0x4000 != 0,
            fragment_offset: flags & 0x1fff,
            checksum_ok: checksum::fold(sum) == 0xffff,
            packet,
            payload,
        })
    }
}

/// Source and destination port of UDP or TCP, where both are there.
#[inline]
pub fn ports(payload: &[u8]) -> Option<(u16, u16)> {
    let b: &[u8; 4] = payload.first_chunk()?;
    Some((u16::from_be_bytes([b[0], b[1]]), u16::from_be_bytes([b[2], b[3]])))
}
