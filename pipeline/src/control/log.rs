//! The log: lines to standard error by a thread of their own, as who reads them may stop reading. The control thread never
//! waits for that: lines that find no room are lost, counted, and told of once there is room.
//!
//! (`tracing-appender` does nearly this; but where the log is stuck at the end, it says so on standard output, which is for the
//! books.)

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

/// Lines that may wait to be written: about a megabyte.
const WAITING: usize = 4096;

/// What is waited at the end for those.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// All before it is written: say so.
    End(SyncSender<()>),
}

/// Where the lines go.
#[derive(Debug, Clone)]
pub struct Log {
    queue: SyncSender<Entry>,
    lost: LinesLost,
}

/// How many lines are lost.
#[derive(Debug, Clone, Default)]
pub struct LinesLost(Arc<AtomicU64>);

/// Sees to it that what still waits is written when this is dropped, if it can be.
#[derive(Debug)]
pub struct Flush(SyncSender<Entry>);

impl Log {
    /// A log that is written to `to`.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new(to: impl Write + Send + 'static) -> io::Result<(Log, Flush)> {
        let (queue, lines) = mpsc::sync_channel(WAITING);
        let lost = LinesLost::default();
        let log = Log { queue: queue.clone(), lost: lost.clone() };
        thread::Builder::new().name("log".into()).spawn(move || write(to, &lines, &lost))?;
        Ok((log, Flush(queue)))
    }

    /// Of this log.
    pub fn lines_lost(&self) -> LinesLost {
        self.lost.clone()
    }
}

impl LinesLost {
    /// Since the start.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One call, one line: as `tracing_subscriber` writes.
impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Entry::Line(line.to_vec())).is_err() {
            self.lost.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (end, ended) = mpsc::sync_channel(1);
        // full: nobody reads the log, and nobody waits for that
        if self.0.try_send(Entry::End(end)).is_ok() {
            let _ = ended.recv_timeout(LAST_PATIENCE);
        }
    }
}

fn write(mut to: impl Write, lines: &Receiver<Entry>, lost: &LinesLost) {
    let mut told = 0;
    for entry in lines {
        // where the log cannot be written there is nobody to be told of it
        match entry {
            Entry::Line(line) => drop(to.write_all(&line)),
            Entry::End(end) => drop(end.send(())),
        }
        let lost = lost.count();
        if lost > told {
            let lines = lost - told;
            drop(writeln!(to, "lost {lines} lines of this log here: nobody read it, and they found no room"));
            told = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_log_that_nobody_reads_stops_nobody_and_what_is_lost_is_counted_and_told() {
        const LINES: u64 = 20_000;
        let (reader, writer) = io::pipe().unwrap();
        let (mut log, _flush) = Log::new(writer).unwrap();
        // a hundred bytes each: the pipe and the queue hold some 5,000
        for number in 0..LINES {
            log.write_all(format!("{number:99}\n").as_bytes()).unwrap();
        }
        let lost = log.lines_lost().count();
        assert!((10_000..LINES).contains(&lost), "{lost}");
        let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
        let mut next = || lines.next().unwrap();
        let mut told = 0;
        let mut read = 0;
        while read + told < LINES {
            let line = next();
            match line.strip_prefix("lost ") {
                Some(rest) => told += rest.split(' ').next().unwrap().parse::<u64>().unwrap(),
                None => read += 1,
            }
        }
        assert_eq!((told, read), (lost, LINES - lost));
    }

    #[test]
    fn what_waits_is_written_at_the_end_unless_nobody_reads_it() {
        let (reader, writer) = io::pipe().unwrap();
        let (mut log, flush) = Log::new(writer).unwrap();
        log.write_all(b"the end\n").unwrap();
        drop(flush);
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line).unwrap();
        assert_eq!(line, "the end\n");

        let (_reader, writer) = io::pipe().unwrap();
        let (mut log, flush) = Log::new(writer).unwrap();
        (0..20_000).for_each(|_| log.write_all(&[b'x'; 100]).unwrap());
        let began = Instant::now();
        drop(flush);
        assert!(began.elapsed() < 5 * LAST_PATIENCE);
    }
}
