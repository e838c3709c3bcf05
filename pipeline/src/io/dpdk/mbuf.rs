//! A frame in DPDK's memory.

use std::ptr::NonNull;
use std::slice;

use dpdk_sys::{RTE_MBUF_F_RX_QINQ_STRIPPED, RTE_MBUF_F_RX_VLAN_STRIPPED, rte_mbuf};

use crate::frame::buffer::{Buffer, restore_tags};

const VLAN_STRIPPED: u64 = RTE_MBUF_F_RX_VLAN_STRIPPED as u64;
const QINQ_STRIPPED: u64 = RTE_MBUF_F_RX_QINQ_STRIPPED as u64;

/// TPIDs of a customer and of a service tag (IEEE 802.1Q).
const C_TAG: u16 = 0x8100;
const S_TAG: u16 = 0x88a8;

/// A frame of the pool. Dropping it gives it back.
///
/// Invariant: it is the only owner of a live `rte_mbuf` (reference count 1, nothing in sluice clones one) whose first
/// segment has `data_len` bytes from `data_off`, within `buf_len` bytes at `buf_addr` that are initialised (the pool's
/// memory comes zeroed) and its alone. It has the size and layout of the pointer, so that bursts are arrays of it.
#[derive(Debug)]
#[repr(transparent)]
pub struct Mbuf(NonNull<rte_mbuf>);

// SAFETY: an mbuf belongs to no thread; the pool takes it back from any (multi-producer).
unsafe impl Send for Mbuf {}

impl Drop for Mbuf {
    fn drop(&mut self) {
        // SAFETY: the only owner, by the invariant; the pool lives as long as the process.
        unsafe { dpdk_sys::rte_pktmbuf_free(self.0.as_ptr()) }
    }
}

impl Mbuf {
    /// # Safety
    /// `raw` satisfies the invariant of [`Mbuf`], and the caller gives it up.
    pub(super) unsafe fn from_raw(raw: NonNull<rte_mbuf>) -> Mbuf {
        Mbuf(raw)
    }

    #[inline]
    fn raw(&self) -> &rte_mbuf {
        // SAFETY: live, and changed only through `&mut self`, by the invariant.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn raw_mut(&mut self) -> &mut rte_mbuf {
        // SAFETY: live, and this is its only owner, by the invariant.
        unsafe { self.0.as_mut() }
    }

    #[inline]
    fn start(&self) -> *mut u8 {
        let raw = self.raw();
        raw.buf_addr.cast::<u8>().wrapping_add(usize::from(raw.data_off))
    }

    /// Asks the processor to bring the headers near.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(self.start());
    }

    /// The driver took tags off it, and they are not back in it yet.
    pub(super) fn is_stripped(&self) -> bool {
        self.raw().ol_flags & (VLAN_STRIPPED | QINQ_STRIPPED) != 0
    }

    /// Makes the frame what it was on the wire: its tags in the bytes and all of it in one segment.
    #[inline]
    pub(super) fn normalize(&mut self) {
        let raw = self.raw();
        if raw.ol_flags & (VLAN_STRIPPED | QINQ_STRIPPED) != 0 || raw.nb_segs != 1 {
            self.normalize_unusual();
        }
    }

    #[cold]
    fn normalize_unusual(&mut self) {
        if self.raw().nb_segs != 1 {
            // Where it does not fit it stays in pieces, and `is_whole` says so.
            // SAFETY: the only owner of all segments, by the invariant.
            let _ = unsafe { dpdk_sys::rte_pktmbuf_linearize(self.0.as_ptr()) };
        }
        let raw = self.raw_mut();
        let stripped = raw.ol_flags & (VLAN_STRIPPED | QINQ_STRIPPED);
        raw.ol_flags &= !stripped;
        // With two tags taken off `vlan_tci` is the inner one; DPDK does not tell the TPIDs.
        let (vlan, outer) = ((C_TAG, raw.vlan_tci), (S_TAG, raw.vlan_tci_outer));
        if stripped == VLAN_STRIPPED | QINQ_STRIPPED {
            restore_tags(self, &[outer, vlan]);
        } else if stripped == QINQ_STRIPPED {
            restore_tags(self, &[outer]);
        } else if stripped == VLAN_STRIPPED {
            restore_tags(self, &[vlan]);
        }
    }

    /// As a driver leaves a frame whose tags it took off.
    #[cfg(test)]
    pub(super) fn set_stripped(&mut self, inner: Option<u16>, outer: Option<u16>) {
        let raw = self.raw_mut();
        raw.ol_flags |= inner.map_or(0, |_| VLAN_STRIPPED) | outer.map_or(0, |_| QINQ_STRIPPED);
        raw.vlan_tci = inner.unwrap_or(0);
        raw.vlan_tci_outer = outer.unwrap_or(0);
    }
}

/// Asks the processor to bring what is at an address near.
#[inline(always)]
pub(super) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86-64, and a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast::<i8>()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

impl Buffer for Mbuf {
    #[inline(always)]
    fn prefetch(address: *const u8) {
        prefetch(address);
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        // SAFETY: `data_len` initialised bytes from `data_off`, ours alone, by the invariant.
        unsafe { slice::from_raw_parts(self.start(), usize::from(self.raw().data_len)) }
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; `&mut self` makes the borrow the only one.
        unsafe { slice::from_raw_parts_mut(self.start(), usize::from(self.raw().data_len)) }
    }

    #[inline]
    fn is_whole(&self) -> bool {
        self.raw().nb_segs == 1
    }

    #[inline]
    fn grow_front(&mut self, count: usize) -> bool {
        let raw = self.raw_mut();
        let room = count <= usize::from(raw.data_off);
        if room {
            // No sum overflows: what grows was room within `buf_len`, which is a u16.
            raw.data_off -= count as u16;
            raw.data_len += count as u16;
            raw.pkt_len += count as u32;
        }
        room
    }

    #[inline]
    fn shrink_front(&mut self, count: usize) {
        let raw = self.raw_mut();
        let count = count.min(usize::from(raw.data_len)) as u16;
        raw.data_off += count;
        raw.data_len -= count;
        raw.pkt_len -= u32::from(count);
    }

    #[inline]
    fn grow_back(&mut self, count: usize) -> bool {
        let raw = self.raw_mut();
        let len = usize::from(raw.data_len);
        let room = raw.nb_segs == 1 && count <= usize::from(raw.buf_len) - usize::from(raw.data_off) - len;
        if room {
            raw.data_len += count as u16;
            raw.pkt_len += count as u32;
            self.bytes_mut()[len..].fill(0);
        }
        room
    }
}
