//! What a port's card, its driver and its firmware say of themselves; and its link, set down and up.

use std::ffi::{CStr, c_char};
use std::io;

use dpdk_sys::rte_eth_dev_info;

use super::error::{self, Error};
use super::mempool::Mempool;
use super::port::{Port, found};
use super::size::DESCRIPTORS;

/// Bytes of a firmware version, its NUL included: more than any driver of DPDK 22.11 writes.
const FIRMWARE: usize = 256;

/// What drives a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// DPDK's driver.
    pub driver: String,
    /// The firmware, where the driver tells it.
    pub firmware: Option<String>,
    /// The memory that is near the card, where the machine has several.
    pub numa_node: Option<u32>,
    /// Queue pairs that it could have.
    pub most_queues: u16,
    /// It spreads received frames over its queues by what is in them (receive side scaling).
    pub spreads: bool,
    /// Frames that a receive queue holds.
    pub descriptors: u16,
}

/// The version of DPDK.
pub fn version() -> String {
    // SAFETY: a constant C string.
    unsafe { CStr::from_ptr(dpdk_sys::rte_version()) }.to_string_lossy().into_owned()
}

/// Queue pairs that a port's device can have. A virtual device is made for it.
///
/// # Errors
/// [`Error::NoPort`].
pub fn most_queues(port: &rules::Port, _pool: &mut Mempool) -> Result<u16, Error> {
    found(port).map(|(_, info)| pairs(&info))
}

fn pairs(info: &rte_eth_dev_info) -> u16 {
    info.max_rx_queues.min(info.max_tx_queues)
}

impl Port {
    /// What drives it.
    pub fn card(&self) -> Card {
        let id = self.device.id();
        let mut info = rte_eth_dev_info::default();
        // SAFETY: here and below: the port is open as long as `self` is; what is passed by reference is DPDK's to write. It
        // zeroes `info` first, and leaves it so where it fails.
        let _ = unsafe { dpdk_sys::rte_eth_dev_info_get(id, &mut info) };
        let mut text: [c_char; FIRMWARE] = [0; FIRMWARE];
        // SAFETY: as above: it writes a C string of at most so many bytes.
        let told = unsafe { dpdk_sys::rte_eth_dev_fw_version_get(id, text.as_mut_ptr(), text.len()) } == 0;
        // SAFETY: as above; it begins as an empty string.
        let firmware = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().trim().to_owned();
        // SAFETY: as above.
        let node = unsafe { dpdk_sys::rte_eth_dev_socket_id(id) };
        let most = info.rx_desc_lim.nb_max;
        Card {
            driver: self.driver().to_owned(),
            firmware: Some(firmware).filter(|text| told && !text.is_empty()),
            numa_node: u32::try_from(node).ok(),
            most_queues: pairs(&info),
            spreads: info.flow_type_rss_offloads != 0,
            descriptors: if most == 0 { DESCRIPTORS } else { most.min(DESCRIPTORS) },
        }
    }

    /// Has the card take its link up or down.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the driver cannot; or what it says.
    pub fn set_link(&self, up: bool) -> io::Result<()> {
        let id = self.device.id();
        // SAFETY: the port is open as long as `self` is.
        let code = unsafe {
            if up { dpdk_sys::rte_eth_dev_set_link_up(id) } else { dpdk_sys::rte_eth_dev_set_link_down(id) }
        };
        if code < 0 { Err(error::returned(code)) } else { Ok(()) }
    }
}
