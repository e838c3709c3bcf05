//! DPDK's own messages: passed on to standard error as they come, and read for what DPDK tells nobody else.

use std::ffi::{c_char, c_long, c_void};
use std::io::{Write, stderr};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};

/// DPDK could not give a device access to some memory, and went on: frames there would be lost. It is said in a message
/// alone (`vfio_type1_dma_mem_map` of lib/eal/linux/eal_vfio.c, whose callers drop its result).
static UNMAPPED: AtomicBool = AtomicBool::new(false);

/// The messages that say so.
const FAILED: [&[u8]; 3] =
    [b"Cannot set up DMA remapping", b"DMA remapping failed", b"Couldn't map new region for DMA"];

/// Some memory is out of reach of the devices.
pub(super) fn unmapped() -> bool {
    UNMAPPED.load(Ordering::Relaxed)
}

/// Has DPDK write its messages here. Without it, where there is no memory, they go to standard error all the same.
pub(super) fn listen() {
    let functions =
        dpdk_sys::cookie_io_functions_t { read: None, write: Some(written), seek: None, close: None };
    // SAFETY: `written` needs no cookie. DPDK uses the stream until the process ends, and flushes it after each message.
    unsafe {
        let stream = dpdk_sys::fopencookie(ptr::null_mut(), c"w".as_ptr(), functions);
        if !stream.is_null() {
            dpdk_sys::rte_openlog_stream(stream);
        }
    }
}

extern "C" fn written(_cookie: *mut c_void, text: *const c_char, len: usize) -> c_long {
    // SAFETY: a stream's write function gets that many bytes (fopencookie(3)).
    let text = unsafe { slice::from_raw_parts(text.cast::<u8>(), len) };
    if says_unmapped(text) {
        UNMAPPED.store(true, Ordering::Relaxed);
    }
    // whoever does not read it does not want it
    let _ = stderr().write_all(text);
    len as c_long
}

fn says_unmapped(text: &[u8]) -> bool {
    FAILED.iter().any(|failed| text.windows(failed.len()).any(|part| part == *failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_that_fails_is_found_in_the_messages_and_nothing_else_is() {
        assert!(says_unmapped(b"EAL: Cannot set up DMA remapping, error 12 (Cannot allocate memory)\n"));
        assert!(!says_unmapped(b"EAL: Cannot clear DMA remapping, error 22 (Invalid argument)\n"));
        assert!(!says_unmapped(b""));
    }
}
