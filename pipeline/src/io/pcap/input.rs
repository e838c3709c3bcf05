//! The bytes of a capture, read in its byte order.

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::captured::{ETHERNET, Error, MAX_FRAME};

/// The byte order of the numbers in a file, or in a section of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(super) fn i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            Order::Little => i64::from_le_bytes(bytes),
            Order::Big => i64::from_be_bytes(bytes),
        }
    }
}

/// The bytes of a capture, with what its errors name.
#[derive(Debug)]
pub(super) struct Input<R: Read> {
    path: PathBuf,
    bytes: BufReader<R>,
    pub(super) order: Order,
    /// The record that is being read; 0 in the file's header.
    record: u64,
}

impl<R: Read> Input<R> {
    /// At the file's header.
    pub(super) fn new(path: PathBuf, bytes: R) -> Input<R> {
        let bytes = BufReader::with_capacity(MAX_FRAME as usize, bytes);
        Input { path, bytes, order: Order::Little, record: 0 }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is read from here on belongs to the next record.
    pub(super) fn next_record(&mut self) {
        self.record += 1;
    }

    /// The next bytes, or `None` where the file ends before them.
    pub(super) fn array_or_end<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Error> {
        let Some(first) = self.bytes.by_ref().bytes().next() else {
            return Ok(None);
        };
        let mut array = [0; N];
        array[0] = first.map_err(|source| self.io(source))?;
        self.fill(&mut array[1..])?;
        Ok(Some(array))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(|bytes| self.order.u16(bytes))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(|bytes| self.order.u32(bytes))
    }

    /// The next `len` bytes, as the length field of a record claims.
    pub(super) fn frame(&mut self, len: u32) -> Result<Vec<u8>, Error> {
        if len > MAX_FRAME {
            return Err(self.malformed("a length over 256 KiB"));
        }
        let mut frame = vec![0; len as usize];
        self.fill(&mut frame)?;
        Ok(frame)
    }

    pub(super) fn skip(&mut self, count: u32) -> Result<(), Error> {
        let mut skipped = self.bytes.by_ref().take(count.into());
        match io::copy(&mut skipped, &mut io::sink()) {
            Ok(copied) if copied < count.into() => Err(self.cut()),
            Ok(_) => Ok(()),
            Err(source) => Err(self.io(source)),
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.bytes.read_exact(buffer).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.cut(),
            _ => self.io(source),
        })
    }

    pub(super) fn expect_ethernet(&self, link_type: u32, fcs: bool) -> Result<(), Error> {
        let path = || self.path.clone();
        match (link_type, fcs) {
            (ETHERNET, false) => Ok(()),
            (ETHERNET, true) => Err(Error::Fcs { path: path() }),
            _ => Err(Error::LinkType { path: path(), link_type }),
        }
    }

    pub(super) fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed { path: self.path.clone(), record: self.record, what }
    }

    fn cut(&self) -> Error {
        let path = self.path.clone();
        match self.record {
            0 => Error::NotACapture { path },
            record => Error::Cut { path, record },
        }
    }

    fn io(&self, source: io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}
