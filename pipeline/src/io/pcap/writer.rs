//! Writing pcap, and pcapng where the file's name ends so.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::captured::{ETHERNET, Error, MAX_FRAME};
use super::magic::NANOS;
use super::pcapng;
use crate::base::time::Time;

/// Writes frames to a file with nanosecond stamps, so that whatever [`super::Reader`] reads keeps its time: pcapng where the
/// file's name ends in `.pcapng`, or else pcap.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Pcap,
    Pcapng,
}

impl Writer {
    /// Creates the file, or empties the one that is there: see [`super::is_same_file`].
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn create(path: impl Into<PathBuf>) -> Result<Writer, Error> {
        let path = path.into();
        let file = match File::create(&path) {
            Ok(file) => BufWriter::new(file),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let pcapng = path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("pcapng"));
        let format = if pcapng { Format::Pcapng } else { Format::Pcap };
        let mut writer = Writer { path, file, format };
        match format {
            Format::Pcap => {
                let version = 2 | 4 << 16; // major 2, minor 4, as two little-endian halves
                writer.put(&[NANOS, version, 0, 0, MAX_FRAME, ETHERNET], &[])?;
            }
            Format::Pcapng => writer.put(&pcapng::nanosecond_header(), &[])?,
        }
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a whole frame that was seen at `time`: pcap can tell times up to 2106, pcapng all.
    ///
    /// # Errors
    /// The file cannot be written, the time is after 2106 and the file pcap, or the frame has more than [`MAX_FRAME`] bytes.
    pub fn write(&mut self, time: Time, frame: &[u8]) -> Result<(), Error> {
        let unwritable = |what| Error::Unwritable { path: self.path.clone(), what };
        let len = u32::try_from(frame.len()).ok().filter(|&len| len <= MAX_FRAME);
        let len = len.ok_or_else(|| unwritable("a frame longer than 256 KiB"))?;
        let nanos = time.as_nanos();
        match self.format {
            Format::Pcap => {
                let seconds = u32::try_from(nanos / 1_000_000_000);
                let late = "a time after 2106, which pcap cannot tell: give the file the suffix .pcapng";
                let seconds = seconds.map_err(|_| unwritable(late))?;
                self.put(&[seconds, (nanos % 1_000_000_000) as u32, len, len], frame)
            }
            Format::Pcapng => {
                let length = 32 + len.next_multiple_of(4);
                let (high, low) = ((nanos >> 32) as u32, nanos as u32);
                self.put(&[pcapng::ENHANCED_PACKET, length, 0, high, low, len, len], frame)?;
                self.put(&[], &[0; 3][..frame.len().wrapping_neg() % 4])?;
                self.put(&[length], &[])
            }
        }
    }

    /// Writes out what is still buffered. Without it, the last errors go unseen.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn finish(mut self) -> Result<(), Error> {
        self.file.flush().map_err(|source| Error::Io { path: self.path, source })
    }

    fn put(&mut self, header: &[u32], frame: &[u8]) -> Result<(), Error> {
        let mut put = || {
            for field in header {
                self.file.write_all(&field.to_le_bytes())?;
            }
            self.file.write_all(frame)
        };
        put().map_err(|source| Error::Io { path: self.path.clone(), source })
    }
}
