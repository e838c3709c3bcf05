//! A frame out of a capture, and what can be wrong with one.

use std::io;
use std::path::PathBuf;

use crate::base::time::Time;

/// The longest record that is read or written, in bytes: what libpcap allows for Ethernet, too (MAXIMUM_SNAPLEN).
pub const MAX_FRAME: u32 = 256 * 1024;

/// The link type of Ethernet (LINKTYPE_ETHERNET), without FCS.
pub(super) const ETHERNET: u32 = 1;

/// A frame out of a capture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Captured {
    /// When it was seen, since the Unix epoch. Finer stamps than nanoseconds are rounded down.
    pub time: Time,
    /// What was captured of it, from its destination MAC on; at most [`MAX_FRAME`] bytes.
    pub frame: Vec<u8>,
    /// How long it was on the wire, in bytes, as the file says.
    pub original_len: u32,
}

impl Captured {
    /// Whether the capture holds only the front of the frame (its snaplen was too short).
    pub fn is_truncated(&self) -> bool {
        self.frame.len() < self.original_len as usize
    }
}

/// What is wrong with a capture. Records count from 1, as in Wireshark; in pcapng the blocks between two records belong
/// to the second.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system could not open, read or write the file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file starts like neither format, or ends within its header.
    #[error("{}: neither pcap nor pcapng (a compressed capture must be unpacked first)", path.display())]
    NotACapture {
        /// The file.
        path: PathBuf,
    },
    /// The frames in it are not Ethernet.
    #[error("{}: link type {link_type}, expected Ethernet (1)", path.display())]
    LinkType {
        /// The file.
        path: PathBuf,
        /// What its frames are, as in the registry of link types.
        link_type: u32,
    },
    /// The frames in it end in a checksum, which no stage may see as payload.
    #[error("{}: its frames carry a checksum (FCS): capture without, or cut it off", path.display())]
    Fcs {
        /// The file.
        path: PathBuf,
    },
    /// The file ends in the middle of a record. All records before it were whole.
    #[error("{}: record {record} is cut off: the file ends within it", path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// The incomplete record.
        record: u64,
    },
    /// A record contradicts itself or the format.
    #[error("{}: record {record}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in the file; 0 for its header.
        record: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// What was to be written does not fit the format.
    #[error("{}: cannot be written: {what}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: &'static str,
    },
}
