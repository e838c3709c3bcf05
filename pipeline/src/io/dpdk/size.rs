//! How large queues and frames are: what a port is set up with, and what the pool of buffers must hold.

use crate::base::BURST;

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

/// Frames that DPDK keeps at hand for each thread, so that workers do not meet in the pool's ring.
pub(super) const CACHE: u32 = 256;

/// Bytes that a frame costs besides its data room: the pool's header, the `rte_mbuf`, padding that spreads frames over
/// memory channels, and two places in the pool's ring.
const FRAME_COST: usize = 320;

/// Bytes of an ordinary page (x86).
const ORDINARY_PAGE: usize = 4096;

/// What the EAL, the devices' rings and the pool itself take: a generous bound.
const FIXED_COST: usize = 32 << 20;

/// How many frames there are, and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Frames.
    pub count: u32,
    /// Bytes of each, headroom included.
    pub data_room: u16,
}

impl PoolSize {
    /// Enough that no receive queue starves while every other place where a frame can wait is full, and so large that
    /// the largest frame of any port fits in one segment.
    pub fn of(ports: &[rules::Port], workers: usize) -> PoolSize {
        let largest = ports.iter().map(|port| u32::from(wire_mtu(port)) + OVERHEAD).max().unwrap_or(0);
        // Drivers round the room down (ixgbe and igb to 1 KiB), and would then spread a frame over two segments.
        let room = largest.max(2048).next_multiple_of(1024);
        let queues = (ports.len() * workers) as u32;
        // Of a worker: a burst in its hands and two that wait at each port; and the cache, that DPDK lets grow to
        // twice its size.
        let held = workers as u32 * (BURST as u32 * (1 + 2 * ports.len() as u32));
        let cached = (workers as u32 + 1) * 2 * CACHE;
        PoolSize {
            count: queues * 2 * u32::from(DESCRIPTORS) + held + cached,
            data_room: (room + dpdk_sys::RTE_PKTMBUF_HEADROOM) as u16,
        }
    }

    /// So many frames more.
    pub fn with_spare(self, frames: u32) -> PoolSize {
        PoolSize { count: self.count.saturating_add(frames), ..self }
    }

    /// Bytes of huge pages that DPDK needs for so many frames, itself included.
    pub fn bytes(&self) -> usize {
        self.count as usize * self.frame_bytes() + FIXED_COST
    }

    /// The same of ordinary pages: there the pool asks for whole pages for each frame (`rte_mempool_op_calc_mem_size_helper`),
    /// and what it takes too much the devices would lack.
    pub(super) fn bytes_of_ordinary_pages(&self) -> usize {
        self.count as usize * self.frame_bytes().next_multiple_of(ORDINARY_PAGE) + FIXED_COST
    }

    fn frame_bytes(&self) -> usize {
        usize::from(self.data_room) + FRAME_COST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(mtu: u16, tags: u8) -> rules::Port {
        rules::Port { name: "trunk".into(), device: "net_null0".into(), mtu, tags }
    }

    #[test]
    fn the_largest_frame_fits_in_one_segment() {
        for (mtu, tags) in [(1280, 0), (1500, 2), (2020, 2), (9000, 1), (9216, 2)] {
            let size = PoolSize::of(&[port(1500, 0), port(mtu, tags)], 1);
            assert!(size.data_room - 128 >= mtu + 14 + 4 * u16::from(tags) + 4, "{mtu} {size:?}");
            assert_eq!((size.data_room - 128) % 1024, 0);
        }
    }

    #[test]
    fn of_ordinary_pages_a_frame_has_whole_ones() {
        let (usual, jumbo) =
            (PoolSize { count: 1000, data_room: 2176 }, PoolSize { count: 1000, data_room: 10_368 });
        assert_eq!(usual.bytes_of_ordinary_pages() - FIXED_COST, 4_096_000);
        assert_eq!(jumbo.bytes_of_ordinary_pages() - FIXED_COST, 12_288_000);
        assert!(usual.bytes() < usual.bytes_of_ordinary_pages());
    }

    #[test]
    fn every_descriptor_of_every_queue_can_hold_a_frame() {
        let size = PoolSize::of(&[port(1500, 1), port(1500, 1)], 3);
        assert!(size.count > 2 * 3 * 2 * u32::from(DESCRIPTORS));
    }
}
