//! Reading captures: which format a file has, and the records of pcap. Those of pcapng are in [`super::pcapng`].

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::captured::{Captured, Error};
use super::input::{Input, Order};
use super::magic::{MICROS, NANOS};
use super::pcapng::{self, Section};
use crate::base::time::Time;

/// Reads a capture from front to end, as an iterator over its frames. After an error there is nothing more.
#[derive(Debug)]
pub struct Reader<R: Read = File> {
    input: Input<R>,
    format: Format,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Pcap { nanos_per_tick: u64, minor: u16 },
    Pcapng(Section),
}

impl Reader {
    /// Opens a capture and reads its header.
    ///
    /// # Errors
    /// The file cannot be read, or is no capture of Ethernet frames.
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
    ///
    /// # Errors
    /// The bytes cannot be read, or are no capture of Ethernet frames.
    pub fn new(path: impl Into<PathBuf>, bytes: R) -> Result<Reader<R>, Error> {
        let mut input = Input::new(path.into(), bytes);
        let magic = input.array()?;
        if magic == pcapng::SECTION_HEADER {
            let section = Section::open(&mut input)?;
            return Ok(Reader { input, format: Format::Pcapng(section), ended: false });
        }
        let (order, nanos_per_tick) = match u32::from_le_bytes(magic) {
            MICROS => (Order::Little, 1000),
            magic if magic == MICROS.swap_bytes() => (Order::Big, 1000),
            NANOS => (Order::Little, 1),
            magic if magic == NANOS.swap_bytes() => (Order::Big, 1),
            _ => return Err(Error::NotACapture { path: input.path().to_owned() }),
        };
        input.order = order;
        let (major, minor) = (input.u16()?, input.u16()?);
        if major != 2 || !(1..=4).contains(&minor) {
            return Err(input.malformed("another version than pcap 2.1 to 2.4"));
        }
        // Time zone and accuracy, which all writers leave 0, and the snaplen, which many get wrong.
        input.array::<12>()?;
        let link = input.u32()?;
        // The upper bits: FCS length in units of 16 bits, and (bit 26) whether it is known.
        let fcs = link & 1 << 26 != 0 && link >> 28 != 0;
        input.expect_ethernet(link & 0x03ff_ffff, fcs)?;
        Ok(Reader { input, format: Format::Pcap { nanos_per_tick, minor }, ended: false })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.input.path()
    }

    fn read(&mut self) -> Result<Option<Captured>, Error> {
        self.input.next_record();
        match &mut self.format {
            Format::Pcap { nanos_per_tick, minor } => pcap_record(&mut self.input, *nanos_per_tick, *minor),
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

/// The next record of a pcap file of version 2.`minor`.
fn pcap_record<R: Read>(
    input: &mut Input<R>,
    nanos_per_tick: u64,
    minor: u16,
) -> Result<Option<Captured>, Error> {
    let Some(seconds) = input.array_or_end()? else {
        return Ok(None);
    };
    let seconds = u64::from(input.order.u32(seconds));
    let ticks = u64::from(input.u32()?);
    let (first, second) = (input.u32()?, input.u32()?);
    // Up to 2.2 the original length came first, and writers of 2.3 disagreed: then the smaller is the captured one, as it is to
    // libpcap.
    let swapped = minor < 3 || (minor == 3 && first > second);
    let (captured_len, original_len) = if swapped { (second, first) } else { (first, second) };
    let frame = input.frame(captured_len)?;
    // Both are 32 bits wide, so that the sum cannot overflow.
    let time = Time::from_nanos(seconds * 1_000_000_000 + ticks * nanos_per_tick);
    Ok(Some(Captured { time, frame, original_len }))
}
