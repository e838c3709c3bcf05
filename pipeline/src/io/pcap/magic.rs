//! How a pcap file begins.

/// First word of a pcap file with microseconds.
pub(super) const MICROS: u32 = 0xa1b2_c3d4;
/// First word of a pcap file with nanoseconds.
pub(super) const NANOS: u32 = 0xa1b2_3c4d;
