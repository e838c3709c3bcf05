//! Captures: the reader over any bytes, and what it reads through the writer and back.

use std::cell::RefCell;
use std::io::Read;

use pipeline::io::pcap::{Captured, Error, MAX_FRAME, Merge, Reader, Writer};
use tempfile::NamedTempFile;

use crate::bytes::{Choices, bit};

/// A pcap file: any bytes, or any records behind a header that is right.
pub(crate) fn pcap(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let shape = choices.byte();
    let minor = 4 - u32::from(shape / 5 % 4);
    let magic = match shape % 5 {
        0 => None,
        1 => Some(0xa1b2_c3d4_u32.to_le_bytes()),
        2 => Some(0xa1b2_c3d4_u32.to_be_bytes()),
        3 => Some(0xa1b2_3c4d_u32.to_le_bytes()),
        _ => Some(0xa1b2_3c4d_u32.to_be_bytes()),
    };
    let Some(magic) = magic else { return read(choices.rest()) };
    let little = magic[0] != 0xa1;
    let header: Vec<u8> = [(2_u32, 2), (minor, 2), (0, 4), (0, 4), (MAX_FRAME, 4), (1, 4)]
        .into_iter()
        .flat_map(|(value, width)| {
            if little {
                value.to_le_bytes()[..width].to_vec()
            } else {
                value.to_be_bytes()[4 - width..].to_vec()
            }
        })
        .collect();
    let mut file = [&magic[..], &header].concat();
    records(little, &mut choices, &mut file);
    read(&file);
}

fn records(little: bool, choices: &mut Choices<'_>, file: &mut Vec<u8>) {
    let word = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    while !choices.is_empty() {
        let (shape, length) = (choices.byte(), choices.below(64));
        let frame = choices.take(length).to_vec();
        // now and then a length that is not the frame's
        let claimed = if shape == 0xff { u32::from(choices.word()) << 8 } else { frame.len() as u32 };
        for field in [u32::from(shape) << 24, u32::from(shape), claimed, claimed + u32::from(shape & 1)] {
            file.extend(word(field));
        }
        file.extend(frame);
    }
}

/// A pcapng file: any bytes, or blocks whose lengths are right.
pub(crate) fn pcapng(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let shape = choices.byte();
    if bit(shape, 0) {
        return read(choices.rest());
    }
    let little = bit(shape, 1);
    let word = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let half = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let length = word(12 + body.len().next_multiple_of(4) as u32);
        file.extend([&word(kind)[..], &length, body].concat());
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend(length);
    };
    let section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
    block(0x0a0d_0d0a, &section);
    while !choices.is_empty() {
        let kind = choices.pick(&[1, 6, 3, 2, 0x0a0d_0d0a, 4, 5, 0xbad]);
        let mut body = Vec::new();
        match kind {
            0x0a0d_0d0a => body.clone_from(&section),
            1 => {
                body.extend([&half(1)[..], &half(0), &word(u32::from(choices.byte() & 3) * 40)].concat());
                for _ in 0..choices.below(4) {
                    let code = choices.pick(&[9, 14, 13, 2, 0]);
                    let length =
                        [1, 8, 1, 5, 0][[9, 14, 13, 2, 0].iter().position(|it| *it == code).unwrap_or(0)];
                    let value = choices.take(length).to_vec();
                    body.extend([&half(code)[..], &half(value.len() as u16), &value].concat());
                    body.resize(body.len().next_multiple_of(4), 0);
                }
            }
            2 | 6 => {
                let interface = choices.below(3);
                body.extend(if kind == 2 {
                    [half(interface as u16), half(0)].concat()
                } else {
                    word(interface as u32).to_vec()
                });
                body.extend(choices.take(8));
                body.resize(12, 0);
                let length = choices.below(64);
                let frame = choices.take(length);
                body.extend([&word(frame.len() as u32)[..], &word(frame.len() as u32), frame].concat());
            }
            _ => {
                let length = choices.below(64);
                let frame = choices.take(length);
                body.extend([&word(frame.len() as u32)[..], frame].concat());
            }
        }
        block(kind, &body);
    }
    let end = file.len() - usize::from(bit(shape, 2)).min(file.len());
    read(&file[..end]);
}

/// One byte at a time, as a slow pipe brings them.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min(1);
        self.0.read(&mut into[..count])
    }
}

type Frames = (Vec<Captured>, Option<String>);

fn all<R: Read>(reader: Result<Reader<R>, Error>) -> Frames {
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return (vec![], Some(error.to_string())),
    };
    let (mut frames, mut failed) = (Vec::new(), None);
    for record in reader.by_ref() {
        match record {
            Ok(captured) => frames.push(captured),
            Err(error) => failed = Some(error.to_string()),
        }
    }
    assert!(reader.next().is_none(), "after its end there is nothing more");
    (frames, failed)
}

fn read(bytes: &[u8]) {
    let (frames, failed) = all(Reader::new("fuzz.pcap", bytes));
    assert!(frames.len() <= bytes.len() / 8, "more frames than the file has room for");
    let held: usize = frames.iter().map(|captured| captured.frame.len()).sum();
    assert!(held <= bytes.len(), "more bytes than the file has");
    assert_eq!(
        all(Reader::new("fuzz.pcap", Slow(bytes))),
        (frames.clone(), failed.clone()),
        "a slow pipe's bytes"
    );
    let readers = [Reader::new("fuzz.pcap", bytes), Reader::new("fuzz.pcap", bytes)];
    if let [Ok(one), Ok(two)] = readers {
        let merged: Vec<_> = Merge::new([one, two]).collect();
        assert_eq!(merged.len(), 2 * (frames.len() + usize::from(failed.is_some())), "merged with itself");
    }
    if !frames.is_empty() {
        round_trip(&frames);
    }
}

thread_local! {
    static FILE: RefCell<Option<NamedTempFile>> = const { RefCell::new(None) };
}

/// What the writer takes, the reader gives back.
fn round_trip(frames: &[Captured]) {
    FILE.with_borrow_mut(|file| {
        let file = file.get_or_insert_with(|| {
            // in memory, where the system has such a folder
            NamedTempFile::new_in("/dev/shm").or_else(|_| NamedTempFile::new()).expect("a file to write to")
        });
        let mut writer = Writer::create(file.path()).expect("the file is there");
        let mut written = Vec::new();
        for captured in frames {
            let fits = captured.time.as_nanos() / 1_000_000_000 <= u64::from(u32::MAX);
            let result = writer.write(captured.time, &captured.frame);
            assert_eq!(result.is_ok(), fits, "the format holds times to 2106: {result:?}");
            if fits {
                let original_len = captured.frame.len() as u32;
                written.push(Captured { original_len, ..captured.clone() });
            }
        }
        writer.finish().expect("room to write");
        assert_eq!(all(Reader::open(file.path())), (written, None));
    });
}
