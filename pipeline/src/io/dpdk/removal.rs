//! A device that goes while it is in use. mlx5 tells (`RTE_ETH_EVENT_INTR_RMV`); for a device at vfio the kernel asks, which
//! DPDK passes on (`RTE_DEV_EVENT_REMOVE`), and waits until its files are closed; for all others nobody does, so it is looked
//! at.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use super::eal::pci_address;

/// Why a device can be used no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The kernel or the driver says that it is to be given up.
    Asked,
    /// It does not answer on its bus, or is not on it.
    Lost,
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Removal::Asked => "its removal was requested",
            Removal::Lost => "it no longer answers on the PCI bus",
        })
    }
}

/// Watches over one device.
#[derive(Debug)]
pub(super) struct Watch {
    asked: &'static AtomicBool,
    /// Its PCI configuration space; none where it is virtual.
    config: Option<PathBuf>,
}

impl Watch {
    /// Over the device of a port.
    pub(super) fn new(id: u16, device: &str) -> Watch {
        // a byte for each start of a port, never freed: a callback may come at any time
        let asked: &'static AtomicBool = Box::leak(Box::default());
        let argument = ptr::from_ref(asked).cast_mut().cast::<c_void>();
        let address = pci_address(device);
        let name = address.clone().or_else(|| device.split(',').next().map(str::to_owned));
        if let Some(name) = name.and_then(|name| CString::new(name).ok()) {
            // SAFETY: DPDK copies the name; the callbacks take the address of an `AtomicBool` that lives as long as the
            // process. Where it refuses (no memory), looking remains.
            unsafe {
                let _ =
                    dpdk_sys::rte_dev_event_callback_register(name.as_ptr(), Some(device_event), argument);
                let _ = dpdk_sys::rte_eth_dev_callback_register(
                    id,
                    dpdk_sys::rte_eth_event_type_RTE_ETH_EVENT_INTR_RMV,
                    Some(port_event),
                    argument,
                );
            }
        }
        let config = address.map(|address| Path::new("/sys/bus/pci/devices").join(address).join("config"));
        Watch { asked, config }
    }

    /// Why the device can be used no longer; `None` while it can.
    pub(super) fn removal(&self) -> Option<Removal> {
        if self.asked.load(Ordering::Relaxed) {
            return Some(Removal::Asked);
        }
        self.config.as_deref().is_some_and(is_lost).then_some(Removal::Lost)
    }
}

/// Nobody answers to this configuration space: all ones, which command and status are never, as each has bits that read as zero
/// (PCI Local Bus Specification 3.0, 6.2.2 and 6.2.3), or the kernel has taken it off its list. The vendor would not do: a
/// virtual function that is well has ones there (SR-IOV 1.1, 3.4.1.1).
fn is_lost(config: &Path) -> bool {
    const COMMAND: u64 = 4;
    let mut command_and_status = [0; 4];
    match File::open(config).and_then(|file| file.read_exact_at(&mut command_and_status, COMMAND)) {
        Ok(()) => command_and_status == [0xff; 4],
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

extern "C" fn device_event(_name: *const c_char, event: dpdk_sys::rte_dev_event_type, asked: *mut c_void) {
    if event == dpdk_sys::rte_dev_event_type_RTE_DEV_EVENT_REMOVE {
        ask(asked);
    }
}

extern "C" fn port_event(
    _id: u16,
    _event: dpdk_sys::rte_eth_event_type,
    asked: *mut c_void,
    _returned: *mut c_void,
) -> c_int {
    ask(asked);
    0
}

fn ask(asked: *mut c_void) {
    // SAFETY: what `Watch::new` registered the callbacks with.
    unsafe { &*asked.cast::<AtomicBool>() }.store(true, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_lost_that_reads_as_ones_or_is_not_listed_and_one_that_may_not_be_read_is_not() {
        const PHYSICAL: [u8; 8] = [0x86, 0x80, 0xfb, 0x10, 0x06, 0x04, 0x10, 0x00];
        const VIRTUAL: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0x04, 0x00, 0x10, 0x00];
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        assert!(is_lost(&config));
        for lives in [PHYSICAL, VIRTUAL] {
            std::fs::write(&config, lives).unwrap();
            assert!(!is_lost(&config));
        }
        std::fs::write(&config, [0xff; 64]).unwrap();
        assert!(is_lost(&config));
        assert!(!is_lost(folder.path()));
    }
}
