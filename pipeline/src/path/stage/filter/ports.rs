//! What the ports of UDP and TCP decide.

use crate::base::reason::Reason;
use crate::frame::ipv4::ports;

/// DHCP's (RFC 2131 §4.1).
const DHCP4: [u16; 2] = [67, 68];
/// DHCPv6's (RFC 8415 §7.2).
const DHCP6: [u16; 2] = [546, 547];

/// A UDP datagram from or to a port of DHCP.
pub(super) fn is_dhcp4(udp: &[u8]) -> bool {
    ports(udp).is_some_and(|(from, to)| DHCP4.contains(&from) || DHCP4.contains(&to))
}

/// A UDP datagram from or to a port of DHCPv6.
pub(super) fn is_dhcp6(udp: &[u8]) -> bool {
    ports(udp).is_some_and(|(from, to)| DHCP6.contains(&from) || DHCP6.contains(&to))
}

/// BGP between two peering addresses, held back so that sessions move elsewhere before the bridge goes (INEX's l2maint).
pub(super) fn drain(peering: bool, tcp: &[u8]) -> Result<(), Reason> {
    const BGP: u16 = 179;
    let bgp = ports(tcp).is_some_and(|(from, to)| from == BGP || to == BGP);
    if peering && bgp { Err(Reason::Drain) } else { Ok(()) }
}

/// Both ports, as a word in the order of a frame's bytes, are neither DHCP's nor DHCPv6's.
#[inline(always)]
pub(super) fn plain(ports: u32) -> bool {
    !may_be_dhcp(ports) || !is_any_dhcp(ports.to_ne_bytes())
}

/// By the upper halves of the two ports, which are 0 or 2 in those of DHCP: few other ports' are.
#[inline(always)]
const fn may_be_dhcp(ports: u32) -> bool {
    let [src, _, dst, _] = ports.to_ne_bytes();
    (src & !2 == 0) | (dst & !2 == 0)
}

const _: () = {
    let [[a, b], [c, d]] = [DHCP4, DHCP6];
    assert!((a | b | c | d) >> 8 & !2 == 0, "the quick test misses a port of DHCP's");
};

#[inline(never)]
fn is_any_dhcp([a, b, c, d]: [u8; 4]) -> bool {
    let dhcp = |port| DHCP4.contains(&port) || DHCP6.contains(&port);
    dhcp(u16::from_be_bytes([a, b])) || dhcp(u16::from_be_bytes([c, d]))
}
