//! Words out of headers, in the order of a frame's bytes: for who compares several fields at once.

/// Four bytes.
#[inline(always)]
pub fn four<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_ne_bytes(*bytes[at..].first_chunk().unwrap_or(&[0; 4]))
}

/// Eight bytes.
#[inline(always)]
pub fn eight<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    u64::from_ne_bytes(*bytes[at..].first_chunk().unwrap_or(&[0; 8]))
}
