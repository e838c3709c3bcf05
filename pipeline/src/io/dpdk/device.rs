//! A started device, for as long as its port or one of its queues is there.

/// A started device: shared by the port and its queues, closed by the last of them.
#[derive(Debug)]
pub(super) struct Device {
    id: u16,
}

impl Device {
    /// Of a device that has been configured: it is stopped and closed with the value.
    pub(super) fn new(id: u16) -> Device {
        Device { id }
    }

    #[inline]
    pub(super) fn id(&self) -> u16 {
        self.id
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: the last owner: no queue of it can be in use. What fails here nobody can mend.
        unsafe {
            let _ = dpdk_sys::rte_eth_dev_stop(self.id);
            let _ = dpdk_sys::rte_eth_dev_close(self.id);
        }
    }
}
