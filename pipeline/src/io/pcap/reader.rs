//! Reading captures: which format a file has, and the records of pcap. Those of pcapng are in [`super::pcapng`].

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::pcapng::{self, Section};
use super::{Captured, ETHERNET, Error, MAX_FRAME};
use crate::base::time::Time;

/// First word of a pcap file with microseconds.
const MICROS: u32 = 0xa1b2_c3d4;
const MICROS_SWAPPED: u32 = MICROS.swap_bytes();
/// First word of a pcap file with nanoseconds.
pub(super) const NANOS: u32 = 0xa1b2_3c4d;
const NANOS_SWAPPED: u32 = NANOS.swap_bytes();

/// Reads a capture from front to end, as an iterator over its frames. After an error there is nothing more.
#[derive(Debug)]
pub struct Reader<R: Read = File> {
    input: Input<R>,
    format: Format,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Pcap { nanos_per_tick: u64 },
    Pcapng(Section),
}

impl Reader {
    /// Opens a capture and reads its header.
    pub fn open(path: impl Into<PathBuf>) -> Result<Reader, Error> {
        let path = path.into();
        match File::open(&path) {
            Ok(file) => Reader::new(path, file),
            Err(source) => Err(Error::Io { path, source }),
        }
    }
}

impl<R: Read> Reader<R> {
    /// Reads the header of a capture that comes as `bytes`; errors will call it `path`.
    pub fn new(path: impl Into<PathBuf>, bytes: R) -> Result<Reader<R>, Error> {
        let bytes = BufReader::with_capacity(MAX_FRAME as usize, bytes);
        let mut input = Input { path: path.into(), bytes, order: Order::Little, record: 0 };
        let magic = input.array()?;
        if magic == pcapng::SECTION_HEADER {
            let section = Section::open(&mut input)?;
            return Ok(Reader { input, format: Format::Pcapng(section), ended: false });
        }
        let (order, nanos_per_tick) = match u32::from_le_bytes(magic) {
            MICROS => (Order::Little, 1000),
            MICROS_SWAPPED => (Order::Big, 1000),
            NANOS => (Order::Little, 1),
            NANOS_SWAPPED => (Order::Big, 1),
            _ => return Err(Error::NotACapture { path: input.path }),
        };
        input.order = order;
        if (input.u16()?, input.u16()?) != (2, 4) {
            return Err(input.malformed("another version than pcap 2.4"));
        }
        // Time zone and accuracy, which all writers leave 0, and the snaplen, which many get wrong.
        input.array::<12>()?;
        let link = input.u32()?;
        // The upper bits: FCS length in units of 16 bits, and (bit 26) whether it is known.
        let fcs = link & 1 << 26 != 0 && link >> 28 != 0;
        input.expect_ethernet(link & 0x03ff_ffff, fcs)?;
        Ok(Reader { input, format: Format::Pcap { nanos_per_tick }, ended: false })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.input.path
    }

    fn read(&mut self) -> Result<Option<Captured>, Error> {
        self.input.record += 1;
        match &mut self.format {
            Format::Pcap { nanos_per_tick } => self.input.pcap_record(*nanos_per_tick),
            Format::Pcapng(section) => section.record(&mut self.input),
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Captured, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.read().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

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
    fn pcap_record(&mut self, nanos_per_tick: u64) -> Result<Option<Captured>, Error> {
        let Some(seconds) = self.array_or_end()? else {
            return Ok(None);
        };
        let seconds = u64::from(self.order.u32(seconds));
        let ticks = u64::from(self.u32()?);
        let captured_len = self.u32()?;
        let original_len = self.u32()?;
        let frame = self.frame(captured_len)?;
        // Both are 32 bits wide, so that the sum cannot overflow.
        let time = Time::from_nanos(seconds * 1_000_000_000 + ticks * nanos_per_tick);
        Ok(Some(Captured { time, frame, original_len }))
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
