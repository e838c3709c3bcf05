//! What one worker has of all ports.

use std::io;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use dpdk_sys::{rte_mbuf, rte_mempool};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::device::Device;
use super::error::{self, Error};
use super::mbuf::Mbuf;
use super::mempool::Mempool;
use super::wait::{Wakes, is_armed};
use crate::base::BURST;
use crate::frame::buffer::Buffer;
use crate::io::Io;

/// One receive queue and one transmit queue of a port. There is only one value for each index of a running port, so
/// whoever has it is the only one to use the queues, as DPDK demands.
#[derive(Debug)]
pub struct Queue {
    device: Arc<Device>,
    index: u16,
    /// The descriptor of its interrupt, and how long a silence that wants before it.
    wake: Option<(i32, Duration)>,
}

impl Queue {
    /// # Safety
    /// The device runs with more than `index` queues each way, and no other value has this index of it. The descriptor is
    /// open while the device runs.
    pub(super) unsafe fn new(device: Arc<Device>, index: u16, wake: Option<(i32, Duration)>) -> Queue {
        Queue { device, index, wake }
    }

    fn wake(&self) -> Option<(BorrowedFd<'_>, Duration)> {
        // SAFETY: open while the device runs, which it does while this has it.
        self.wake.map(|(fd, silence)| (unsafe { BorrowedFd::borrow_raw(fd) }, silence))
    }
}

/// One worker's queues, by the port's place in the rules.
#[derive(Debug)]
pub struct Queues {
    /// None where it was let go.
    queues: Vec<Option<Queue>>,
    pool: NonNull<rte_mempool>,
    wakes: Option<Wakes>,
}

// SAFETY: queues may be used by any thread, but by one at a time, which `&mut self` sees to; the pool by all.
unsafe impl Send for Queues {}

impl Queues {
    /// A queue of each port, in the order of the rules.
    pub fn new(queues: Vec<Queue>, pool: &Mempool) -> Queues {
        let interrupts: Option<Vec<_>> = queues.iter().map(Queue::wake).collect();
        // where the kernel has no epoll for it (out of descriptors), nothing wakes it
        let wakes = interrupts.and_then(|interrupts| Wakes::new(interrupts).ok());
        Queues { queues: queues.into_iter().map(Some).collect(), pool: pool.raw(), wakes }
    }

    #[inline]
    fn queue(&self, port: usize) -> Option<&Queue> {
        self.queues.get(port)?.as_ref()
    }

    /// A new frame of so many zero bytes, or `None` where the pool has no frame or frames are not so large.
    pub fn alloc(&mut self, len: usize) -> Option<Mbuf> {
        // SAFETY: the pool lives as long as the process.
        let raw = NonNull::new(unsafe { dpdk_sys::rte_pktmbuf_alloc(self.pool.as_ptr()) })?;
        // SAFETY: fresh from the pool: the invariant of `Mbuf` is what allocation establishes.
        let mut frame = unsafe { Mbuf::from_raw(raw) };
        frame.grow_back(len).then_some(frame)
    }

    /// As [`Io::receive`]; says how many of the frames came with tags taken off by the driver, which are back in them.
    pub fn receive_and_tell(&mut self, port: usize, into: &mut Vec<Mbuf>) -> usize {
        let held = into.len();
        self.burst(port, into);
        let stripped = into[held..].iter().filter(|frame| frame.is_stripped()).count();
        into[held..].iter_mut().for_each(Mbuf::normalize);
        stripped
    }

    /// A burst of frames as the driver leaves them, which [`Mbuf::normalize`] has not seen yet.
    #[inline(always)]
    fn burst(&mut self, port: usize, into: &mut Vec<Mbuf>) {
        let Some(queue) = self.queue(port) else { return };
        let held = into.len();
        let room = into.spare_capacity_mut();
        let most = room.len().min(BURST) as u16;
        // SAFETY: this is the only user of a running queue (see `Queue`); DPDK writes at most `most` pointers, and
        // `Mbuf` has the layout of a pointer.
        let count = unsafe {
            dpdk_sys::rte_eth_rx_burst(
                queue.device.id(),
                queue.index,
                room.as_mut_ptr().cast::<*mut rte_mbuf>(),
                most,
            )
        };
        // SAFETY: DPDK filled in `count` places, with mbufs that are now ours and as `Mbuf` demands: the driver takes
        // them from the pool with a reference count of 1 and sets their lengths to what it received.
        unsafe { into.set_len(held + usize::from(count)) };
    }

    /// Pins the calling thread to a core and makes it one of DPDK's until the value is dropped, so that it has its own
    /// cache of free frames. Without it everything works, more slowly.
    ///
    /// # Errors
    /// [`Error::Thread`] where the core is not this process's, or DPDK has no place for another thread.
    pub fn register_thread(&self, core: u16) -> Result<Registered, Error> {
        let failed = |step, cause| Error::Thread { core, step, cause };
        let mut cores = CpuSet::new();
        if usize::from(core) < CpuSet::MAX_CPU {
            cores.set(usize::from(core));
        }
        sched_setaffinity(None, &cores)
            .map_err(|cause| failed("running on that core", io::Error::from(cause)))?;
        // SAFETY: the EAL runs, or there would be no `Queues`.
        match unsafe { dpdk_sys::rte_thread_register() } {
            0 => Ok(Registered(PhantomData)),
            _ => Err(failed("registering the thread with DPDK", error::last())),
        }
    }
}

/// The calling thread is one of DPDK's. It stays pinned when this is dropped.
#[derive(Debug)]
pub struct Registered(PhantomData<*const ()>);

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY: undoes the registration of this very thread: the value cannot be sent to another.
        unsafe { dpdk_sys::rte_thread_unregister() }
    }
}

impl Io for Queues {
    type Buffer = Mbuf;

    fn make(&mut self, bytes: &[u8]) -> Option<Mbuf> {
        let mut frame = self.alloc(bytes.len())?;
        frame.bytes_mut().copy_from_slice(bytes);
        Some(frame)
    }

    #[inline]
    fn receive(&mut self, port: usize, into: &mut Vec<Mbuf>) {
        let held = into.len();
        self.burst(port, into);
        for frame in &mut into[held..] {
            frame.normalize();
            frame.prefetch();
        }
    }

    #[inline]
    fn transmit(&mut self, port: usize, frames: &mut Vec<Mbuf>) {
        let Some(queue) = self.queue(port) else { return };
        let (first, held) = (frames.as_mut_ptr(), frames.len());
        let offered = held.min(usize::from(u16::MAX));
        // SAFETY: this is the only user of a running queue (see `Queue`). Of `offered` mbufs in the vector DPDK takes
        // the first `taken` and leaves the others alone. The vector is empty meanwhile, so it owns none that is taken;
        // then the rest is moved to its front and is its contents again.
        unsafe {
            frames.set_len(0);
            let taken = usize::from(dpdk_sys::rte_eth_tx_burst(
                queue.device.id(),
                queue.index,
                first.cast::<*mut rte_mbuf>(),
                offered as u16,
            ));
            ptr::copy(first.add(taken), first, held - taken);
            frames.set_len(held - taken);
        }
    }

    #[inline]
    fn discard(&mut self, frames: &mut Vec<Mbuf>) {
        let count = frames.len() as u32;
        // SAFETY: the vector gives up its mbufs before DPDK takes them all.
        unsafe {
            frames.set_len(0);
            dpdk_sys::rte_pktmbuf_free_bulk(frames.as_mut_ptr().cast::<*mut rte_mbuf>(), count);
        }
    }

    fn release(&mut self, port: usize) {
        if let Some(queue) = self.queues.get_mut(port) {
            *queue = None;
        }
    }

    fn wakes_after(&self) -> Option<Duration> {
        self.wakes.as_ref().map(Wakes::after)
    }

    fn arm(&mut self) -> bool {
        self.queues.iter().flatten().all(|queue| {
            // SAFETY: this is the only user of a running queue (see `Queue`), and its device has interrupts.
            is_armed(unsafe { dpdk_sys::rte_eth_dev_rx_intr_enable(queue.device.id(), queue.index) })
        })
    }

    fn wait(&mut self, longest: Duration) -> bool {
        self.wakes.as_ref().is_some_and(|wakes| wakes.wait(longest))
    }

    fn disarm(&mut self) {
        for queue in self.queues.iter().flatten() {
            // SAFETY: as in `arm`. One that stays armed wakes once too often.
            let _ = unsafe { dpdk_sys::rte_eth_dev_rx_intr_disable(queue.device.id(), queue.index) };
        }
    }
}
