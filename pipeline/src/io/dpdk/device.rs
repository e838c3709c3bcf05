//! A started device, for as long as its port or one of its queues is there.

use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::removal::Watch;

/// What is waited for a device to close: a healthy one takes a few milliseconds, a dead one may take tens of seconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held while a device is removed.
static REMOVING: Mutex<()> = Mutex::new(());

/// A started device: shared by the port and its queues, closed by the last of them.
#[derive(Debug)]
pub(super) struct Device {
    id: u16,
    watch: Watch,
    is_open: bool,
}

impl Device {
    /// Of a device that has been configured: it is stopped and closed with the value.
    pub(super) fn new(id: u16, watch: Watch) -> Device {
        Device { id, watch, is_open: true }
    }

    #[inline]
    pub(super) fn id(&self) -> u16 {
        self.id
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Stops and closes it, so that the kernel can take it back, and waits a second for that; `false` where it takes longer,
    /// and then it goes on by itself.
    pub(super) fn close(mut self) -> bool {
        self.shut(PATIENCE)
    }

    /// The same, with another patience.
    pub(super) fn shut(&mut self, patience: Duration) -> bool {
        let (id, is_gone) = (self.id, self.watch.removal().is_some());
        // SAFETY: the last owner: no queue of it can be in use. `is_open` sees to it that this happens once.
        !std::mem::take(&mut self.is_open) || within(patience, move || unsafe { close(id, is_gone) })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // whoever wants to know calls `close`
        let _ = self.shut(PATIENCE);
    }
}

/// # Safety
/// The device of this port runs, and nobody uses it.
unsafe fn close(id: u16, is_gone: bool) {
    let mut info = dpdk_sys::rte_eth_dev_info::default();
    // SAFETY: by the caller. `info` is DPDK's to write; the device that it names stays until it is removed, here. What fails
    // here nobody can mend.
    unsafe {
        // closed, the port no longer names it
        let _ = dpdk_sys::rte_eth_dev_info_get(id, &mut info);
        let device = info.device;
        let _ = dpdk_sys::rte_eth_dev_stop(id);
        let _ = dpdk_sys::rte_eth_dev_close(id);
        // only then vfio has its files closed, and the kernel the device back
        if is_gone && !device.is_null() {
            // DPDK takes it off a list of all devices, which has no lock: another may be closed meanwhile
            let _one = REMOVING.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = dpdk_sys::rte_dev_remove(device);
        }
    }
}

/// Does something on a thread of its own; `false` where that takes longer than so. It is then left to itself.
fn within(patience: Duration, work: impl FnOnce() + Clone + Send + 'static) -> bool {
    let (ended, end) = mpsc::channel();
    let on_its_own = work.clone();
    let started = thread::Builder::new().name("close-port".to_owned()).spawn(move || {
        on_its_own();
        // who waited may have lost patience
        let _ = ended.send(());
    });
    if started.is_err() {
        // no thread is to be had
        work();
        return true;
    }
    end.recv_timeout(patience).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn nobody_waits_longer_than_its_patience_for_a_device_that_does_not_close() {
        let held = Arc::new(Barrier::new(2));
        let hold = Arc::clone(&held);
        assert!(!within(Duration::from_millis(1), move || _ = hold.wait()));
        held.wait();
        assert!(within(Duration::from_secs(3600), || {}));
    }
}
