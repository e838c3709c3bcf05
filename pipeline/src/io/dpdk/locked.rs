//! Memory that a device reads and writes by itself must stay where it is: vfio locks it, and the kernel limits that for who has
//! not `CAP_IPC_LOCK` (`RLIMIT_MEMLOCK`, getrlimit(2)). Over the limit DPDK goes on without that memory in reach, and most
//! frames are lost.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::eal::pci_address;
use super::error::Error;
use super::size::PoolSize;
use crate::io::machine::Machine;

/// `CAP_IPC_LOCK` of linux/capability.h.
const IPC_LOCK: u32 = 14;

/// Looks, before anything is started, whether the frames may be locked.
///
/// # Errors
/// [`Error::Locked`] where they certainly may not.
pub fn may_lock_frames(devices: &[&str], size: &PoolSize) -> Result<(), Error> {
    let limit = limit();
    if over(limit, size) && uses_vfio(devices) { Err(refused(limit, size)) } else { Ok(()) }
}

/// That memory could not be locked.
pub(super) fn refused(limit: Option<u64>, size: &PoolSize) -> Error {
    Error::Locked { limit, mib: size.bytes_of_ordinary_pages().div_ceil(1 << 20) }
}

/// Bytes that this process may lock; `None` where it is not limited.
pub(super) fn limit() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if has_ipc_lock(&status) { None } else { getrlimit(Resource::Memlock).current }
}

fn has_ipc_lock(status: &str) -> bool {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set >> IPC_LOCK & 1 == 1)
}

/// Less than the bare frames may be locked: whatever DPDK needs besides, it is too little.
fn over(limit: Option<u64>, size: &PoolSize) -> bool {
    limit.is_some_and(|limit| limit < u64::from(size.count) * u64::from(size.data_room))
}

/// One of the devices is at vfio-pci, behind an IOMMU.
fn uses_vfio(devices: &[&str]) -> bool {
    let Ok(machine) = Machine::at("/").inventory() else { return false };
    let at_vfio = |address: String| {
        let mut ports = machine.ports.iter();
        ports.any(|port| port.pci == address && port.driver.as_deref() == Some("vfio-pci"))
    };
    machine.iommu && devices.iter().filter_map(|device| pci_address(device)).any(at_vfio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_lock_less_than_the_frames_is_told_what_to_ask_for() {
        let size = PoolSize { count: 5440, data_room: 2176 };
        assert!(over(Some(8 << 20), &size));
        assert!(!over(Some(16 << 20), &size) && !over(None, &size));
        let error = refused(Some(8 << 20), &size).to_string();
        assert!(error.contains("8192 KiB") && error.contains("LimitMEMLOCK=54M"), "{error}");
    }

    #[test]
    fn the_capability_to_lock_is_one_bit_of_the_effective_set() {
        assert!(has_ipc_lock("Name:\tsluice\nCapEff:\t0000000000004000\n"));
        assert!(!has_ipc_lock("CapPrm:\t0000000000004000\nCapEff:\t000001ffffffbfff\n"));
        assert!(!has_ipc_lock(""));
    }
}
