//! ARP for IPv4 over Ethernet (RFC 826).

use std::net::Ipv4Addr;

use rules::Mac;

/// Bytes of the packet.
pub const LEN: usize = 28;
/// Operation: request.
pub const REQUEST: u16 = 1;
/// Operation: reply.
pub const REPLY: u16 = 2;

/// The fields that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// Operation.
    pub op: u16,
    /// Sender hardware address.
    pub sha: Mac,
    /// Sender protocol address.
    pub spa: Ipv4Addr,
    /// Target protocol address.
    pub tpa: Ipv4Addr,
}

/// What is wrong with an ARP packet before its fields are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArpError {
    /// Cut short.
    Truncated,
    /// Not IPv4 over Ethernet.
    Malformed,
}

impl Arp {
    /// Reads the packet; what follows its 28 bytes is padding.
    ///
    /// # Errors
    /// The [`ArpError`] that says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Arp, ArpError> {
        // htype 1, ptype 0x0800, hlen 6, plen 4
        const IPV4_OVER_ETHERNET: [u8; 6] = [0, 1, 8, 0, 6, 4];
        let kind: &[u8; 6] = bytes.first_chunk().ok_or(ArpError::Truncated)?;
        if *kind != IPV4_OVER_ETHERNET {
            return Err(ArpError::Malformed);
        }
        let b: &[u8; LEN] = bytes.first_chunk().ok_or(ArpError::Truncated)?;
        Ok(Arp {
            op: u16::from_be_bytes([b[6], b[7]]),
            sha: Mac::from_bytes([b[8], b[9], b[10], b[11], b[12], b[13]]),
            spa: Ipv4Addr::new(b[14], b[15], b[16], b[17]),
            tpa: Ipv4Addr::new(b[24], b[25], b[26], b[27]),
        })
    }
}
