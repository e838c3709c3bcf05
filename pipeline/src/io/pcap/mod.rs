//! Captures: files of frames with the moments at which they were seen, for replay.
//!
//! Read are pcap and pcapng of link type Ethernet; written is pcap or pcapng, with nanoseconds. Files are streamed, a record at a
//! time, and a hostile one costs no more memory than a well-formed one.
//!
//! The formats are read here and not by a crate because none of those looked at reads all captures exactly: pcap-file 2.0
//! takes all pcapng ticks for nanoseconds and refuses records longer than the header's snaplen, pcap-parser 0.17 has no
//! power-of-two resolutions and no big-endian `if_tsoffset`, pcarp 2.0 ignores `if_tsoffset` and loses the original
//! length, and libpcap refuses interfaces of different snaplen and sections of different byte order.
//!
//! References: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.

mod captured;
mod input;
mod magic;
mod merge;
mod pcapng;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub use captured::{Captured, Error, MAX_FRAME};
pub use merge::Merge;
pub use reader::Reader;
pub use writer::Writer;

/// Whether both paths lead to one regular file, through links too: an output that is also an input, or another output,
/// must be refused before [`Writer::create`] empties it. A path that leads nowhere is no file yet.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) else {
        return false;
    };
    one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
}
