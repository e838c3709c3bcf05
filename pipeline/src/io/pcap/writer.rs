//! Writing pcap.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::captured::{ETHERNET, Error, MAX_FRAME};
use super::magic::NANOS;
use crate::base::time::Time;

/// Writes frames to a pcap file with nanosecond stamps, so that whatever [`super::Reader`] reads keeps its time.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
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
        let mut writer = Writer { path, file };
        let version = 2 | 4 << 16; // major 2, minor 4, as two little-endian halves
        writer.put(&[NANOS, version, 0, 0, MAX_FRAME, ETHERNET], &[])?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a whole frame that was seen at `time`, which the format can hold from 1970 to 2106.
    ///
    /// # Errors
    /// The file cannot be written, the time is after 2106, or the frame has more than [`MAX_FRAME`] bytes.
    pub fn write(&mut self, time: Time, frame: &[u8]) -> Result<(), Error> {
        let unwritable = |what| Error::Unwritable { path: self.path.clone(), what };
        let seconds = u32::try_from(time.as_nanos() / 1_000_000_000);
        let seconds = seconds.map_err(|_| unwritable("a time after 2106"))?;
        let nanos = (time.as_nanos() % 1_000_000_000) as u32;
        let len = u32::try_from(frame.len()).ok().filter(|&len| len <= MAX_FRAME);
        let len = len.ok_or_else(|| unwritable("a frame longer than 256 KiB"))?;
        self.put(&[seconds, nanos, len, len], frame)
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
