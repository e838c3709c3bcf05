//! The names that capsule 0.1.5 uses of DPDK 19.11, on top of `dpdk-sys`, which is DPDK 22.11.
//!
//! It takes the place of the released `capsule-ffi`, which does not build on a DPDK of today, so that capsule itself
//! stays as released. A layer between two foreign-function interfaces cannot do without `unsafe`: capsule calls C
//! functions with raw pointers. That is all `unsafe` is for here: each function hands on what it got, and whether that
//! keeps DPDK's contracts is up to capsule's own `unsafe` blocks. Nothing outside of `perf/capsule` depends on it.

#![allow(non_camel_case_types)]

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::slice;

pub use dpdk_sys::*;

// ---- the same under another name ------------------------------------------------------------------------------------

/// A set of CPUs.
pub type rte_cpuset_t = libc::cpu_set_t;

/// RSS over IP addresses.
pub const ETH_RSS_IP: u64 = RTE_ETH_RSS_IP as u64;
/// RSS over TCP ports.
pub const ETH_RSS_TCP: u64 = RTE_ETH_RSS_TCP as u64;
/// RSS over UDP ports.
pub const ETH_RSS_UDP: u64 = RTE_ETH_RSS_UDP as u64;
/// RSS over SCTP ports, in IPv4 and IPv6.
pub const ETH_RSS_SCTP: u64 = 1 << 6 | 1 << 12;
/// All that is sent comes from one pool and has one owner.
pub const DEV_TX_OFFLOAD_MBUF_FAST_FREE: u64 = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE as u64;
/// Bytes of a buffer: the headroom and 2048 of data.
pub const RTE_MBUF_DEFAULT_BUF_SIZE: u32 = RTE_PKTMBUF_HEADROOM + 2048;

/// How a port spreads what it receives over its queues: a module for capsule, a type in `dpdk-sys`.
pub mod rte_eth_rx_mq_mode {
    /// By RSS.
    pub const ETH_MQ_RX_RSS: u32 = dpdk_sys::rte_eth_rx_mq_mode_RTE_ETH_MQ_RX_RSS;
}

// ---- what sluice has no use for, so that dpdk-sys lacks it ----------------------------------------------------------

#[allow(missing_docs)] // DPDK's own; declared as in 22.11, and dpdk-sys builds on no other
unsafe extern "C" {
    pub fn rte_eal_cleanup() -> c_int;
    pub fn rte_eth_allmulticast_disable(port: u16) -> c_int;
    pub fn rte_eth_allmulticast_enable(port: u16) -> c_int;
    pub fn rte_eth_dev_get_port_by_name(name: *const c_char, port: *mut u16) -> c_int;
    pub fn rte_eth_promiscuous_disable(port: u16) -> c_int;
    pub fn rte_mempool_free(pool: *mut rte_mempool);
    pub fn rte_mempool_in_use_count(pool: *const rte_mempool) -> c_uint;
    pub fn rte_socket_count() -> c_uint;
    pub fn rte_socket_id() -> c_uint;
    pub fn rte_socket_id_by_idx(index: c_uint) -> c_int;
    pub fn rte_strerror(number: c_int) -> *const c_char;
    #[link_name = "rte_thread_set_affinity"]
    fn set_affinity(cpus: *mut rte_cpuset_t) -> c_int;
}

#[allow(missing_docs)]
#[link(name = "numa")] // libdpdk-dev depends on it
unsafe extern "C" {
    pub fn numa_node_of_cpu(cpu: c_int) -> c_int;
}

// ---- what has another meaning now -----------------------------------------------------------------------------------

thread_local! {
    /// Whether DPDK knows the thread: otherwise it has no cache of buffers, and each goes through the shared ring.
    static KNOWN: Cell<bool> = const { Cell::new(false) };
}

/// Starts the EAL, with those options renamed that 20.11 renamed.
///
/// # Safety
/// `argv` points to `argc` writable pointers to C strings, which may be replaced.
pub unsafe fn rte_eal_init(argc: c_int, argv: *mut *mut c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the caller's promise.
    for argument in unsafe { slice::from_raw_parts_mut(argv, count) } {
        // SAFETY: the caller's promise.
        let renamed = match unsafe { CStr::from_ptr(*argument) }.to_bytes() {
            b"--master-lcore" => c"--main-lcore",
            b"--pci-whitelist" => c"--allow",
            _ => continue,
        };
        // the EAL moves arguments about, and writes to none
        *argument = renamed.as_ptr().cast_mut();
    }
    KNOWN.set(true);
    // SAFETY: the caller's promise; what was replaced above lives for ever.
    unsafe { dpdk_sys::rte_eal_init(argc, argv) }
}

/// Pins the thread, and first makes it known to DPDK: capsule starts threads of its own, and this is their first call.
///
/// # Safety
/// `cpus` points to a set; the EAL is initialised.
pub unsafe fn rte_thread_set_affinity(cpus: *mut rte_cpuset_t) -> c_int {
    // SAFETY: the EAL is initialised, and the thread not yet registered.
    if !KNOWN.replace(true) && unsafe { rte_thread_register() } != 0 {
        return -1;
    }
    // SAFETY: the caller's promise.
    unsafe { set_affinity(cpus) }
}

// ---- what C has as static inline functions --------------------------------------------------------------------------

/// The error of this thread's last call that returned -1 or a null pointer.
///
/// # Safety
/// None is needed; capsule expects an unsafe function.
pub unsafe fn _rte_errno() -> c_int {
    // SAFETY: it reads a variable of the thread.
    unsafe { dpdk_sys_errno() }
}

/// A buffer, or null.
///
/// # Safety
/// As `rte_pktmbuf_alloc`.
#[inline]
pub unsafe fn _rte_pktmbuf_alloc(pool: *mut rte_mempool) -> *mut rte_mbuf {
    // SAFETY: the caller's promise.
    unsafe { rte_pktmbuf_alloc(pool) }
}

/// `count` buffers, or none and -ENOMEM.
///
/// # Safety
/// `buffers` has room for `count` pointers; otherwise as `rte_pktmbuf_alloc`.
pub unsafe fn _rte_pktmbuf_alloc_bulk(
    pool: *mut rte_mempool,
    buffers: *mut *mut rte_mbuf,
    count: c_uint,
) -> c_int {
    for done in 0..count {
        // SAFETY: the caller's promise.
        let buffer = unsafe { rte_pktmbuf_alloc(pool) };
        if buffer.is_null() {
            // SAFETY: as many were written below.
            unsafe { rte_pktmbuf_free_bulk(buffers, done) };
            return -libc::ENOMEM;
        }
        // SAFETY: there is room for `count`.
        unsafe { buffers.add(done as usize).write(buffer) };
    }
    0
}

/// Frees a buffer.
///
/// # Safety
/// As `rte_pktmbuf_free`.
#[inline]
pub unsafe fn _rte_pktmbuf_free(buffer: *mut rte_mbuf) {
    // SAFETY: the caller's promise.
    unsafe { rte_pktmbuf_free(buffer) }
}

/// Frees buffers. capsule calls it for nothing but buffers, and DPDK exports this for them, which goes round chains too.
///
/// # Safety
/// `buffers` points to `count` of them, of this pool and owned by the caller.
pub unsafe fn _rte_mempool_put_bulk(_pool: *mut rte_mempool, buffers: *const *mut c_void, count: c_uint) {
    // SAFETY: the caller's promise; the array is only read.
    unsafe { rte_pktmbuf_free_bulk(buffers.cast_mut().cast(), count) }
}

/// Receives up to `room` frames.
///
/// # Safety
/// As `rte_eth_rx_burst`.
#[inline]
pub unsafe fn _rte_eth_rx_burst(port: u16, queue: u16, frames: *mut *mut rte_mbuf, room: u16) -> u16 {
    // SAFETY: the caller's promise.
    unsafe { rte_eth_rx_burst(port, queue, frames, room) }
}

/// Sends up to `count` frames.
///
/// # Safety
/// As `rte_eth_tx_burst`.
#[inline]
pub unsafe fn _rte_eth_tx_burst(port: u16, queue: u16, frames: *mut *mut rte_mbuf, count: u16) -> u16 {
    // SAFETY: the caller's promise.
    unsafe { rte_eth_tx_burst(port, queue, frames, count) }
}

// ---- KNI, which Debian's DPDK has not ---------------------------------------------------------------------------------

/// The kernel's interfaces for DPDK ports: the types that capsule compiles against, and functions that fail. capsule calls
/// them only for a port that is configured with `kni = true`.
#[allow(missing_docs)]
mod kni {
    use super::{c_char, c_int, c_uint, rte_mbuf, rte_mempool};

    pub struct rte_kni(());

    #[derive(Default)]
    pub struct rte_kni_conf {
        pub name: [c_char; 32],
        pub group_id: u16,
        pub mac_addr: [u8; 6],
        pub mbuf_size: u32,
    }

    #[derive(Default)]
    pub struct rte_kni_ops {
        pub port_id: u16,
        pub change_mtu: Option<extern "C" fn(u16, c_uint) -> c_int>,
        pub config_network_if: Option<extern "C" fn(u16, u8) -> c_int>,
        pub config_mac_address: Option<extern "C" fn(u16, *mut u8) -> c_int>,
        pub config_promiscusity: Option<extern "C" fn(u16, u8) -> c_int>,
    }

    pub fn rte_kni_init(_max: c_uint) -> c_int {
        -libc::ENOTSUP
    }

    pub fn rte_kni_close() {}

    pub fn rte_kni_alloc(_: *mut rte_mempool, _: *const rte_kni_conf, _: *mut rte_kni_ops) -> *mut rte_kni {
        std::ptr::null_mut()
    }

    pub fn rte_kni_release(_: *mut rte_kni) -> c_int {
        -libc::ENOTSUP
    }

    pub fn rte_kni_get_name(_: *const rte_kni) -> *const c_char {
        c"".as_ptr()
    }

    pub fn rte_kni_handle_request(_: *mut rte_kni) -> c_int {
        -libc::ENOTSUP
    }

    pub fn rte_kni_rx_burst(_: *mut rte_kni, _: *mut *mut rte_mbuf, _: c_uint) -> c_uint {
        0
    }

    pub fn rte_kni_tx_burst(_: *mut rte_kni, _: *mut *mut rte_mbuf, _: c_uint) -> c_uint {
        0
    }
}

pub use kni::*;
