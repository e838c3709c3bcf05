//! IPv6 headers and their chain of extension headers (RFC 8200).

use std::net::Ipv6Addr;

use super::ipv4::TCP;

/// UDP's protocol number.
pub const UDP: u8 = 17;
/// ICMPv6's protocol number.
pub const ICMP6: u8 = 58;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const NO_NEXT: u8 = 59;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// How far into a packet, its fixed header included, an upper layer may begin (docs/spec C.5).
const REACH: usize = 256;
/// How many extension headers may come before it.
const MOST_HEADERS: usize = 8;

/// A packet whose fixed header is whole and whose length agrees with the frame.
#[derive(Debug, Clone, Copy)]
pub struct Ipv6<'a> {
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
    /// Hop limit.
    pub hop_limit: u8,
    /// The first next-header value.
    pub next_header: u8,
    /// The whole packet, without the frame's padding.
    pub packet: &'a [u8],
}

/// Why a packet cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ipv6Error {
    /// It is IPv4.
    Version4,
    /// Longer than the bytes that are there.
    Truncated,
    /// Another version, or a jumbogram: no frame carries one (RFC 2675).
    Malformed,
}

/// How a packet is fragmented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragment {
    /// It is not.
    Whole,
    /// It has a Fragment header with offset 0 (an atomic fragment too).
    First,
    /// It has one with another offset: what follows is no header.
    Later,
}

/// Where the header chain leads.
#[derive(Debug, Clone, Copy)]
pub struct Upper<'a> {
    /// The upper layer's protocol; in a later fragment, what the Fragment header says that the packet began with.
    pub protocol: u8,
    /// Extension headers come before it.
    pub extended: bool,
    /// How the packet is fragmented.
    pub fragment: Fragment,
    /// The upper layer, or a later fragment's data.
    pub payload: &'a [u8],
}

impl<'a> Ipv6<'a> {
    /// Reads a packet from a frame's payload, padding included.
    ///
    /// # Errors
    /// The [`Ipv6Error`] that says what is wrong with it.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Ipv6<'a>, Ipv6Error> {
        match bytes.first().map(|byte| byte >> 4) {
            Some(6) => {}
            Some(4) => return Err(Ipv6Error::Version4),
            Some(_) => return Err(Ipv6Error::Malformed),
            None => return Err(Ipv6Error::Truncated),
        }
        let b: &[u8; 40] = bytes.first_chunk().ok_or(Ipv6Error::Truncated)?;
        let length = usize::from(u16::from_be_bytes([b[4], b[5]]));
        if length == 0 && b[6] == HOP_BY_HOP {
            return Err(Ipv6Error::Malformed);
        }
        let packet = bytes.get(..40 + length).ok_or(Ipv6Error::Truncated)?;
        let address = |half: &[u8; 16]| Ipv6Addr::from(*half);
        let (src, dst) = (b[8..24].first_chunk(), b[24..40].first_chunk());
        let (Some(src), Some(dst)) = (src, dst) else { return Err(Ipv6Error::Truncated) };
        Ok(Ipv6 { src: address(src), dst: address(dst), hop_limit: b[7], next_header: b[6], packet })
    }

    /// What follows the fixed header: extension headers first.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.packet.get(40..).unwrap_or_default()
    }

    /// Follows the chain of extension headers; `None` where no upper layer is in reach (RFC 7112).
    #[inline]
    pub fn upper(&self) -> Option<Upper<'a>> {
        if !is_extension(self.next_header) {
            let (protocol, payload) = (self.next_header, self.payload());
            return Some(Upper { protocol, extended: false, fragment: Fragment::Whole, payload });
        }
        self.walk()
    }

    /// The same behind at least one extension header. A later fragment ends the chain wherever it comes among them: its first
    /// fragment, which has the same headers before it, was judged by how far they reach.
    fn walk(&self) -> Option<Upper<'a>> {
        let (mut next, mut at) = (self.next_header, 40);
        let mut fragment = Fragment::Whole;
        for _ in 0..MOST_HEADERS {
            let rest = self.packet.get(at..)?;
            let header: &[u8; 8] = rest.first_chunk()?;
            let length = match next {
                FRAGMENT => 8,
                AUTHENTICATION => (usize::from(header[1]) + 2) * 4, // RFC 4302 §2.2
                _ => (usize::from(header[1]) + 1) * 8,
            };
            if next == FRAGMENT {
                let offset = u16::from_be_bytes([header[2], header[3]]) >> 3;
                fragment = if offset == 0 { Fragment::First } else { Fragment::Later };
                if fragment == Fragment::Later {
                    return Some(Upper {
                        protocol: header[0],
                        extended: true,
                        fragment,
                        payload: &rest[8..],
                    });
                }
            }
            next = header[0];
            at += length;
            if !is_extension(next) {
                let payload = self.packet.get(at..)?;
                let whole = fragment == Fragment::Whole || payload.len() >= shortest_header(next);
                let found = Upper { protocol: next, extended: true, fragment, payload };
                return Some(found).filter(|_| whole && at <= REACH);
            }
        }
        None
    }
}

/// What a first fragment must hold of its upper layer, so that nothing hides in the second (RFC 7112 §5).
const fn shortest_header(protocol: u8) -> usize {
    match protocol {
        TCP => 20,
        UDP | ICMP6 => 8,
        NO_NEXT => 0,
        _ => 1,
    }
}

const fn is_extension(header: u8) -> bool {
    matches!(header, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY | HIP | SHIM6)
}
