//! ICMPv6 (RFC 4443) and neighbour discovery (RFC 4861).

use std::net::Ipv6Addr;

use rules::Mac;

use super::checksum;
use super::ipv6::ICMP6;

/// Router Solicitation.
pub const RS: u8 = 133;
/// Router Advertisement.
pub const RA: u8 = 134;
/// Neighbour Solicitation.
pub const NS: u8 = 135;
/// Neighbour Advertisement.
pub const NA: u8 = 136;
/// Redirect.
pub const REDIRECT: u8 = 137;

/// Packet Too Big.
pub const PACKET_TOO_BIG: u8 = 2;
/// Echo Request.
pub const ECHO_REQUEST: u8 = 128;
/// Echo Reply.
pub const ECHO_REPLY: u8 = 129;
/// All nodes of a link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers of a link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// Option: source link-layer address.
pub const SLLAO: u8 = 1;
/// Option: target link-layer address.
pub const TLLAO: u8 = 2;

/// Option: nonce (RFC 3971 §5.3.2, RFC 7527).
pub const NONCE: u8 = 14;

/// The router flag in an advertisement's flags byte.
pub const ROUTER: u8 = 0x80;
/// The override flag in an advertisement's flags byte.
pub const OVERRIDE: u8 = 0x20;
/// The solicited flag in an advertisement's flags byte.
pub const SOLICITED: u8 = 0x40;

/// Sum of an ICMPv6 message and its pseudo-header, folded (RFC 4443 §2.3).
pub fn sum(src: Ipv6Addr, dst: Ipv6Addr, message: &[u8]) -> u16 {
    let pseudo =
        checksum::sum(&src.octets()) + checksum::sum(&dst.octets()) + message.len() as u64 + u64::from(ICMP6);
    checksum::fold(pseudo + checksum::sum(message))
}

/// The checksum of an ICMPv6 message between these addresses is right.
pub fn checksum_ok(src: Ipv6Addr, dst: Ipv6Addr, message: &[u8]) -> bool {
    sum(src, dst, message) == 0xffff
}

/// The modified EUI-64 link-local address of a MAC (RFC 4291 appendix A).
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.bytes();
    let half = u64::from_be_bytes([a ^ 0x02, b, c, 0xff, 0xfe, d, e, f]);
    Ipv6Addr::from(0xfe80 << 112 | u128::from(half))
}

/// The fixed part of a solicitation or an advertisement: 24 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Neighbour<'a> {
    /// Code.
    pub code: u8,
    /// Flags of an advertisement: R, S, O from the top bit.
    pub flags: u8,
    /// Whose link-layer address it is about.
    pub target: Ipv6Addr,
    /// The options.
    pub options: &'a [u8],
}

impl<'a> Neighbour<'a> {
    /// Reads a message; `None` where it is under 24 bytes (RFC 4861 §7.1.1, §7.1.2).
    pub fn parse(message: &'a [u8]) -> Option<Neighbour<'a>> {
        let (fixed, options) = message.split_first_chunk::<24>()?;
        let target = Ipv6Addr::from(*fixed.last_chunk::<16>()?);
        Some(Neighbour { code: fixed[1], flags: fixed[4], target, options })
    }
}

/// A neighbour discovery option that means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NdOption {
    /// The link-layer address that was asked for.
    Link(Mac),
    /// A nonce of the length that RFC 7527 uses.
    Nonce([u8; 6]),
}

/// Walks neighbour discovery options and gives the link-layer addresses of one kind, and nonces, to `each`. `false` where
/// an option has length 0 or runs past the message, or a link-layer address of that kind is not 8 bytes long; unknown
/// options are skipped (RFC 4861 §7.1.1, RFC 2464 §6).
pub fn options(mut rest: &[u8], link: u8, mut each: impl FnMut(NdOption)) -> bool {
    while let Some(&[option, units]) = rest.first_chunk() {
        let length = usize::from(units) * 8;
        let Some((body, after)) = rest.split_at_checked(length).filter(|_| length > 0) else { return false };
        match *body {
            [_, _, a, b, c, d, e, f] if option == link => {
                each(NdOption::Link(Mac::from_bytes([a, b, c, d, e, f])));
            }
            [_, _, a, b, c, d, e, f] if option == NONCE => each(NdOption::Nonce([a, b, c, d, e, f])),
            _ if option == link => return false,
            _ => {}
        }
        rest = after;
    }
    rest.is_empty()
}

/// The MAC that an IPv6 group maps to: 33:33 and the low 32 bits (RFC 2464 §7).
pub fn group_mac(group: Ipv6Addr) -> Mac {
    Mac::from_u64(0x3333_0000_0000 | (u128::from(group) as u64 & 0xffff_ffff))
}

/// The solicited-node group of an address: ff02::1:ff and the low 24 bits (RFC 4291 §2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from(0xff02_0000_0000_0000_0000_0001_ff00_0000 | (u128::from(address) & 0xff_ffff))
}
