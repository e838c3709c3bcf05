//! Huge pages for memory that is not DPDK's.

use std::ops::Range;

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;

/// Has the kernel put memory into huge pages, so that reading a table of megabytes at random does not walk the page tables
/// for each entry: all of it that fills whole huge pages. Where the kernel cannot (before Linux 6.1, or none is free), it
/// stays as it is.
pub fn in_huge_pages(memory: Range<*const u8>) {
    let (start, end) = (memory.start.addr().next_multiple_of(HUGE), memory.end.addr() & !(HUGE - 1));
    if start < end {
        // SAFETY: the kernel moves what is in these pages, all of them within this memory, to others under the same
        // addresses: to the process nothing changes, whoever reads or writes there meanwhile.
        unsafe {
            libc::madvise(memory.start.with_addr(start).cast_mut().cast(), end - start, libc::MADV_COLLAPSE)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_memory_stays() {
        let memory: Vec<u64> = (0..1 << 20).collect();
        let range = memory.as_ptr_range();
        in_huge_pages(range.start.cast()..range.end.cast());
        assert!(memory.iter().enumerate().all(|(place, &word)| place as u64 == word));
    }

    #[test]
    fn less_than_a_huge_page_is_left_alone() {
        let memory = [0_u8; 64];
        in_huge_pages(memory.as_ptr_range());
    }
}
