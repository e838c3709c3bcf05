//! What can go wrong before the first frame, told to whoever runs the bridge.

use std::io;

/// Why DPDK, its memory or a port cannot do what the rules ask. DPDK's own messages, on standard error, say more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A second [`Eal::init`](super::Eal::init).
    #[error("DPDK was already started in this process; it can be started only once")]
    AlreadyStarted,

    /// A worker's core is not this process's.
    #[error(
        "workers: this process may not run on core {core}, only on {allowed}: change `workers`, or the cores that \
         taskset, systemd's CPUAffinity or the container leave to it"
    )]
    Core {
        /// As in the YAML.
        core: u16,
        /// The cores that it may run on.
        allowed: String,
    },

    /// A device that cannot be an argument of DPDK's.
    #[error("device {device:?}: a device is a PCI address or a DPDK virtual device, without NUL characters")]
    Device {
        /// As in the YAML.
        device: String,
    },

    /// The EAL did not start.
    #[error("DPDK does not start ({arguments}): {cause}")]
    Eal {
        /// What it was started with.
        arguments: String,
        /// DPDK's error.
        cause: io::Error,
    },

    /// No memory for the frames.
    #[error(
        "no memory for {count} frames of {frame} bytes, {mib} MiB in all: {cause}. Reserve huge pages \
         (sluice-bind --huge {pages}, of 2 MiB), allow the process more memory, or use fewer ports and workers"
    )]
    Memory {
        /// Frames.
        count: u32,
        /// Bytes of each.
        frame: u16,
        /// MiB of all.
        mib: usize,
        /// 2 MiB pages of all.
        pages: usize,
        /// DPDK's error.
        cause: io::Error,
    },

    /// The devices do not reach all frames.
    #[error(
        "the devices cannot reach all frames: vfio locks their memory, about {mib} MiB, and this process may lock {}: \
         LimitMEMLOCK={mib}M in its systemd unit, or `ulimit -l {}`",
        .limit.map_or("enough (DPDK's messages on standard error say why it failed)".to_owned(), |limit| format!("{} KiB", limit >> 10)),
        .mib << 10
    )]
    Locked {
        /// Bytes that this process may lock; `None` where it is not limited.
        limit: Option<u64>,
        /// MiB that are needed, at the most.
        mib: usize,
    },

    /// DPDK has no port for a device.
    #[error("port {port}: device {device} is not usable by DPDK: {advice}")]
    NoPort {
        /// The port's name in the YAML.
        port: String,
        /// Its device.
        device: String,
        /// What to do.
        advice: String,
    },

    /// A port without a queue pair for each worker.
    #[error(
        "port {port}: device {device} has {can} queues each way, but {wanted} workers need one each: use at most {can} \
         workers, or give the device more queues"
    )]
    Queues {
        /// The port's name in the YAML.
        port: String,
        /// Its device.
        device: String,
        /// Queue pairs that it has.
        can: u16,
        /// Queue pairs asked for.
        wanted: usize,
    },

    /// A port that is too small for its sides.
    #[error(
        "port {port}: device {device} cannot carry an MTU of {wanted} bytes and its VLAN tags: {cause}. Lower the `mtu` of the sides on this port, or raise that of the device"
    )]
    Mtu {
        /// The port's name in the YAML.
        port: String,
        /// Its device.
        device: String,
        /// Bytes, without tags.
        wanted: u16,
        /// What it can do, or DPDK's error.
        cause: String,
    },

    /// A port failed at some step of its start.
    #[error("port {port}: device {device}: {step} failed: {cause}")]
    Port {
        /// The port's name in the YAML.
        port: String,
        /// Its device.
        device: String,
        /// What was tried.
        step: &'static str,
        /// DPDK's error.
        cause: io::Error,
    },

    /// A worker's thread could not be made one of DPDK's.
    #[error("the worker on core {core}: {step} failed: {cause}")]
    Thread {
        /// As in the YAML.
        core: u16,
        /// What was tried.
        step: &'static str,
        /// The error.
        cause: io::Error,
    },
}

/// The error in a negative return value.
pub(super) fn returned(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code.saturating_neg())
}

/// The error that the last call of this thread left in `rte_errno`.
pub(super) fn last() -> io::Error {
    // SAFETY: reads a variable of this thread.
    io::Error::from_raw_os_error(unsafe { dpdk_sys::dpdk_sys_errno() })
}
