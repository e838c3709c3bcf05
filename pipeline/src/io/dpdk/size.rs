//! How large queues and frames are: what a port is set up with, and what the pool of buffers must hold.

/// Descriptors of a queue, where the device has no other wish: what DPDK's own tools take.
pub(super) const DESCRIPTORS: u16 = 1024;

/// Bytes that a driver may count on top of the MTU: Ethernet header, FCS, and the two VLAN tags that some (i40e, ixgbe)
/// always make room for.
pub(super) const OVERHEAD: u32 = dpdk_sys::RTE_ETHER_HDR_LEN + dpdk_sys::RTE_ETHER_CRC_LEN + 8;

/// The MTU that a port is set to, in bytes. To DPDK it is what follows an untagged frame's Ethernet header, so tags are
/// part of it.
pub(super) fn wire_mtu(port: &rules::Port) -> u16 {
    port.mtu.saturating_add(4 * u16::from(port.tags))
}
