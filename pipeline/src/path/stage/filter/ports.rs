//! What the ports of UDP and TCP decide.

use crate::base::reason::Reason;
use crate::frame::ipv4::ports;

/// BGP between two peering addresses, held back so that sessions move elsewhere before the bridge goes (INEX's l2maint).
pub(super) fn drain(peering: bool, tcp: &[u8]) -> Result<(), Reason> {
    const BGP: u16 = 179;
    let bgp = ports(tcp).is_some_and(|(from, to)| from == BGP || to == BGP);
    if peering && bgp { Err(Reason::Drain) } else { Ok(()) }
}
