//! The memory of the frames.

use std::ptr::NonNull;

use super::eal::Eal;
use super::error::{self, Error};
use super::size::{CACHE, PoolSize};

/// The frames of all ports and workers, free or in use: one pool, so that a port may give back any frame that it has
/// sent to where it came from, without looking (`MBUF_FAST_FREE`). That there is only one is certain because it takes
/// the only [`Eal`].
#[derive(Debug)]
pub struct Mempool {
    raw: NonNull<dpdk_sys::rte_mempool>,
    size: PoolSize,
}

// SAFETY: DPDK's mempools are made for many threads (the default flags: multi-producer, multi-consumer), and this one is
// never freed.
unsafe impl Send for Mempool {}
// SAFETY: as above.
unsafe impl Sync for Mempool {}

impl Mempool {
    /// Takes the memory, near the workers where it can.
    ///
    /// # Errors
    /// [`Error::Memory`] where there is not enough.
    pub fn new(_eal: Eal, size: PoolSize) -> Result<Mempool, Error> {
        // SAFETY: the EAL runs, as `_eal` shows; the name is a C string that DPDK copies.
        let pool = unsafe {
            dpdk_sys::rte_pktmbuf_pool_create(
                c"frames".as_ptr(),
                size.count,
                CACHE,
                0,
                size.data_room,
                dpdk_sys::SOCKET_ID_ANY,
            )
        };
        NonNull::new(pool).map(|raw| Mempool { raw, size }).ok_or_else(|| Error::Memory {
            count: size.count,
            frame: size.data_room,
            mib: size.bytes() >> 20,
            pages: size.bytes().div_ceil(2 << 20),
            cause: error::last(),
        })
    }

    pub(super) fn raw(&self) -> NonNull<dpdk_sys::rte_mempool> {
        self.raw
    }

    pub(super) fn size(&self) -> &PoolSize {
        &self.size
    }
}
