//! A started device, for as long as its port or one of its queues is there.

use super::removal::Watch;

/// A started device: shared by the port and its queues, closed by the last of them.
#[derive(Debug)]
pub(super) struct Device {
    id: u16,
    watch: Watch,
}

impl Device {
    /// Of a device that has been configured: it is stopped and closed with the value.
    pub(super) fn new(id: u16, watch: Watch) -> Device {
        Device { id, watch }
    }

    #[inline]
    pub(super) fn id(&self) -> u16 {
        self.id
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let mut info = dpdk_sys::rte_eth_dev_info::default();
        // SAFETY: the last owner: no queue of it can be in use. `info` is DPDK's to write; the device that it names stays
        // until it is removed, here. What fails here nobody can mend.
        unsafe {
            // closed, the port no longer names it
            let _ = dpdk_sys::rte_eth_dev_info_get(self.id, &mut info);
            let device = info.device;
            let _ = dpdk_sys::rte_eth_dev_stop(self.id);
            let _ = dpdk_sys::rte_eth_dev_close(self.id);
            // only then vfio has its files closed, and the kernel the device back
            if self.watch.removal().is_some() && !device.is_null() {
                let _ = dpdk_sys::rte_dev_remove(device);
            }
        }
    }
}
