use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::base::time::Time;

/// Reads a capture given as bytes up to its end or its first error.
fn read(bytes: &[u8]) -> (Vec<Captured>, Option<Error>) {
    let reader = match Reader::new("a.pcap", bytes) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut frames = Vec::new();
    for item in reader {
        match item {
            Ok(captured) => frames.push(captured),
            Err(error) => return (frames, Some(error)),
        }
    }
    (frames, None)
}

fn read_whole(bytes: &[u8]) -> Vec<Captured> {
    let (frames, error) = read(bytes);
    assert!(error.is_none(), "{}", error.unwrap());
    frames
}

fn error(bytes: &[u8]) -> String {
    read(bytes).1.expect("an error").to_string()
}

fn times(bytes: &[u8]) -> Vec<u64> {
    read_whole(bytes).iter().map(|captured| captured.time.as_nanos()).collect()
}

fn captured(nanos: u64, frame: &[u8]) -> Captured {
    Captured { time: Time::from_nanos(nanos), frame: frame.to_vec(), original_len: frame.len() as u32 }
}

/// A capture under construction, in either byte order.
#[derive(Clone)]
struct Capture {
    big: bool,
    bytes: Vec<u8>,
}

impl Capture {
    fn words(mut self, words: &[u32]) -> Capture {
        for word in words {
            self.bytes.extend(if self.big { word.to_be_bytes() } else { word.to_le_bytes() });
        }
        self
    }

    fn halves(mut self, halves: &[u16]) -> Capture {
        for half in halves {
            self.bytes.extend(if self.big { half.to_be_bytes() } else { half.to_le_bytes() });
        }
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Capture {
        self.bytes.extend(bytes);
        self
    }

    fn pcap(big: bool, magic: u32, link: u32) -> Capture {
        Capture { big, bytes: Vec::new() }.words(&[magic]).halves(&[2, 4]).words(&[0, 0, 65535, link])
    }

    fn record(self, seconds: u32, ticks: u32, frame: &[u8]) -> Capture {
        let len = frame.len() as u32;
        self.words(&[seconds, ticks, len, len]).raw(frame)
    }

    fn pcapng(big: bool) -> Capture {
        Capture { big, bytes: Vec::new() }.section(big)
    }

    fn section(mut self, big: bool) -> Capture {
        self.big = big;
        let body = Capture { big, bytes: Vec::new() }.words(&[0x1a2b_3c4d]).halves(&[1, 0]);
        self.block(0x0a0d_0d0a, body.words(&[u32::MAX, u32::MAX]))
    }

    /// The content of a block in this capture's byte order.
    fn body(&self) -> Capture {
        Capture { big: self.big, bytes: Vec::new() }
    }

    fn block(self, kind: u32, body: Capture) -> Capture {
        let padding = body.bytes.len().wrapping_neg() % 4;
        let length = (body.bytes.len() + padding + 12) as u32;
        self.words(&[kind, length]).raw(&body.bytes).raw(&[0; 3][..padding]).words(&[length])
    }

    /// An interface of Ethernet with options: code and value.
    fn interface(self, snaplen: u32, options: &[(u16, &[u8])]) -> Capture {
        let mut body = self.body().halves(&[1, 0]).words(&[snaplen]);
        for (code, value) in options {
            let padding = value.len().wrapping_neg() % 4;
            body = body.halves(&[*code, value.len() as u16]).raw(value).raw(&[0; 3][..padding]);
        }
        self.block(1, body)
    }

    fn enhanced(self, interface: u32, ticks: u64, frame: &[u8]) -> Capture {
        let len = frame.len() as u32;
        let body = self.body().words(&[interface, (ticks >> 32) as u32, ticks as u32, len, len]).raw(frame);
        self.block(6, body)
    }
}

const MICROS: u32 = 0xa1b2_c3d4;
const NANOS: u32 = 0xa1b2_3c4d;

/// An ARP request for 202.7.0.2, tagged with VID 10, and an IEEE 802.1 frame of odd length.
const ARP: &[u8] = &[
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0xaa, 0, 0, 0, 1, 0x81, 0, 0, 10, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
    0x02, 0xaa, 0, 0, 0, 1, 202, 7, 0, 1, 0, 0, 0, 0, 0, 0, 202, 7, 0, 2,
];
const ODD: &[u8] = &[0x01, 0x80, 0xc2, 0, 0, 0, 0x02, 0xaa, 0, 0, 0, 1, 0, 3, 0x42, 0x42, 3];

#[test]
fn pcap_is_read_in_both_orders_and_both_resolutions() {
    for big in [false, true] {
        let micros = Capture::pcap(big, MICROS, 1).record(5, 999_999, ARP).record(6, 1, ODD);
        assert_eq!(read_whole(&micros.bytes), [captured(5_999_999_000, ARP), captured(6_000_001_000, ODD)]);
        let nanos = Capture::pcap(big, NANOS, 1).record(5, 999_999_999, ARP).record(u32::MAX, 0, ODD);
        let expected = [captured(5_999_999_999, ARP), captured(u64::from(u32::MAX) * 1_000_000_000, ODD)];
        assert_eq!(read_whole(&nanos.bytes), expected);
    }
}

/// A capture of version 2.`minor` with a record of two frames' lengths in this order.
fn old(big: bool, minor: u16, lengths: [u32; 2], frame: &[u8]) -> Vec<u8> {
    let start = Capture { big, bytes: Vec::new() }.words(&[MICROS]).halves(&[2, minor]);
    start.words(&[0, 0, 65535, 1]).words(&[1, 0]).words(&lengths).raw(frame).bytes
}

#[test]
fn f213_pcap_of_every_minor_version_is_read_in_both_orders() {
    let front = [Captured { original_len: 60, ..captured(1_000_000_000, &ARP[..14]) }];
    for big in [false, true] {
        for minor in [1, 2] {
            assert_eq!(read_whole(&old(big, minor, [60, 14], &ARP[..14])), front);
        }
        for lengths in [[14, 60], [60, 14]] {
            assert_eq!(read_whole(&old(big, 3, lengths, &ARP[..14])), front);
        }
        assert_eq!(read_whole(&old(big, 4, [14, 60], &ARP[..14])), front);
        for minor in 1..=4 {
            assert_eq!(
                read_whole(&old(big, minor, [14, 14], &ARP[..14])),
                [captured(1_000_000_000, &ARP[..14])]
            );
        }
    }
}

#[test]
fn f213_other_versions_of_pcap_are_refused() {
    for minor in [0, 5, 0x400] {
        let said = error(&old(false, minor, [14, 14], &ARP[..14]));
        assert_eq!(said, "a.pcap: record 0: another version than pcap 2.1 to 2.4");
    }
}

#[test]
fn f213_a_file_called_pcapng_holds_all_times_of_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let frames = [captured(0, ARP), captured(1 << 62, ODD), captured(u64::MAX, &ARP[..14]), captured(5, &[])];
    for name in ["a.pcapng", "a.PCAPNG"] {
        let path = dir.path().join(name);
        let mut writer = Writer::create(&path).unwrap();
        for Captured { time, frame, .. } in &frames {
            writer.write(*time, frame).unwrap();
        }
        writer.finish().unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(read_whole(&bytes), frames);
        let start = Capture::pcapng(false).interface(MAX_FRAME, &[(9, &[9]), (0, &[])]);
        let expected = frames.iter().fold(start, |it, of| it.enhanced(0, of.time.as_nanos(), &of.frame));
        assert_eq!(bytes, expected.bytes);
    }
}

#[test]
fn pcap_bytes_as_tcpdump_writes_them_are_read() {
    let bytes = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0\
                  \x06\xe4\0\x6b\xe6\x84\x02\0\x0e\0\0\0\x0e\0\0\0\
                  \x33\x33\xff\0\0\x0b\x02\xaa\0\0\0\x01\x86\xdd";
    let frame = &bytes[40..];
    assert_eq!(read_whole(bytes), [captured(1_795_220_486_165_094_000, frame)]);
}

#[test]
fn pcap_whose_snaplen_is_less_than_a_record_is_read_whole() {
    let mut capture = Capture::pcap(false, MICROS, 1).record(0, 0, ARP);
    capture.bytes[16] = 20;
    capture.bytes[17] = 0;
    assert_eq!(read_whole(&capture.bytes)[0].frame, ARP);
}

#[test]
fn pcapng_is_read_in_both_orders() {
    for big in [false, true] {
        let capture = Capture::pcapng(big).interface(0, &[]).enhanced(0, 5_999_999, ARP).enhanced(0, 1, ODD);
        assert_eq!(read_whole(&capture.bytes), [captured(5_999_999_000, ARP), captured(1000, ODD)]);
    }
}

#[test]
fn pcapng_stamps_follow_if_tsresol() {
    for (tsresol, ticks, nanos) in [
        (0, 7, 7_000_000_000),
        (6, 1_795_220_486_165_094, 1_795_220_486_165_094_000),
        (9, 1_795_220_486_165_094_123, 1_795_220_486_165_094_123),
        (12, 1_234_567, 1_234),
        (127, u64::MAX, 0),
        (0x80, 3, 3_000_000_000),
        (0x80 | 10, 1024 + 512, 1_500_000_000),
        (0x80 | 30, (1_795_220_486 << 30) + (1 << 29) + 1, 1_795_220_486_500_000_000),
        (0x80 | 127, u64::MAX, 0),
    ] {
        for big in [false, true] {
            let capture = Capture::pcapng(big).interface(0, &[(9, &[tsresol])]).enhanced(0, ticks, ARP);
            assert_eq!(times(&capture.bytes), [nanos], "if_tsresol {tsresol:#x}");
        }
    }
}

#[test]
fn pcapng_stamps_follow_if_tsoffset() {
    let later = 1_700_000_000_i64;
    for (big, offset) in [(false, later.to_le_bytes()), (true, later.to_be_bytes())] {
        let capture = Capture::pcapng(big).interface(0, &[(14, &offset)]).enhanced(0, 1, ARP);
        assert_eq!(times(&capture.bytes), [1_700_000_000_000_001_000]);
    }
    let earlier = Capture::pcapng(false).interface(0, &[(14, &(-2_i64).to_le_bytes())]);
    assert_eq!(times(&earlier.clone().enhanced(0, 2_000_001, ARP).bytes), [1000]);
    let before_1970 = error(&earlier.enhanced(0, 1_999_999, ARP).bytes);
    assert_eq!(before_1970, "a.pcap: record 1: a time before 1970 or after 2554");
}

#[test]
fn pcapng_stamps_beyond_our_clock_are_refused() {
    let offset = i64::MAX.to_le_bytes();
    let capture = Capture::pcapng(false).interface(0, &[(9, &[0]), (14, &offset)]).enhanced(0, u64::MAX, ARP);
    assert_eq!(error(&capture.bytes), "a.pcap: record 1: a time before 1970 or after 2554");
}

#[test]
fn pcapng_interfaces_have_their_own_clocks() {
    let capture = Capture::pcapng(false)
        .interface(96, &[(2, b"mud"), (9, &[9]), (0, b"")])
        .enhanced(0, 17, ARP)
        .interface(262_144, &[(2, b"wix0"), (9, &[3]), (0, b"")])
        .enhanced(1, 17, ARP)
        .enhanced(0, 18, ARP);
    assert_eq!(times(&capture.bytes), [17, 17_000_000, 18]);
}

#[test]
fn pcapng_sections_have_their_own_order_and_interfaces() {
    let first = Capture::pcapng(false).interface(0, &[(9, &[9])]).enhanced(0, 1, ARP);
    let second = first.clone().section(true).interface(0, &[]).enhanced(0, 1, ODD);
    assert_eq!(read_whole(&second.bytes), [captured(1, ARP), captured(1000, ODD)]);
    let without = first.section(true).enhanced(0, 1, ODD);
    assert_eq!(error(&without.bytes), "a.pcap: record 2: an interface that was not described");
}

#[test]
fn pcapng_obsolete_packets_are_read() {
    let capture = Capture::pcapng(true).interface(0, &[]);
    let len = ODD.len() as u32;
    let body = capture.body().halves(&[0, 3]).words(&[0, 5, len, len]).raw(ODD);
    assert_eq!(read_whole(&capture.block(2, body).bytes), [captured(5000, ODD)]);
}

#[test]
fn pcapng_simple_packets_have_the_stamp_of_the_record_before_and_the_length_of_the_snaplen() {
    let capture = Capture::pcapng(false).interface(20, &[]).enhanced(0, 5, ODD);
    let whole = capture.body().words(&[ODD.len() as u32]).raw(ODD);
    let front = capture.body().words(&[ARP.len() as u32]).raw(&ARP[..20]);
    let frames = read_whole(&capture.block(3, whole).block(3, front).bytes);
    let cut = Captured { original_len: ARP.len() as u32, ..captured(5000, &ARP[..20]) };
    assert_eq!(frames[1..], [captured(5000, ODD), cut]);
}

#[test]
fn pcapng_blocks_and_options_of_other_kinds_are_skipped() {
    let capture = Capture::pcapng(false).interface(0, &[(0xfff0, &[7; 5])]);
    let unknown = capture.body().raw(&[0xff; 700]);
    let len = ARP.len() as u32;
    let commented = capture.body().words(&[0, 0, 1, len, len]).raw(ARP).raw(&[0, 0]);
    let commented = commented.halves(&[1, 4]).raw(b"fine").halves(&[0, 0]);
    let capture = capture.block(0x0bad, unknown.clone()).block(6, commented).block(5, unknown);
    assert_eq!(read_whole(&capture.bytes), [captured(1000, ARP)]);
}

#[test]
fn frame_cut_by_the_snaplen_is_yielded_and_marked() {
    let pcap = Capture::pcap(false, MICROS, 1).words(&[1, 0, 14, 60]).raw(&ARP[..14]);
    let pcapng = Capture::pcapng(false).interface(14, &[]);
    let body = pcapng.body().words(&[0, 0, 1_000_000, 14, 60]).raw(&ARP[..14]);
    for bytes in [pcap.bytes, pcapng.block(6, body).bytes] {
        let frames = read_whole(&bytes);
        assert_eq!(frames, [Captured { original_len: 60, ..captured(1_000_000_000, &ARP[..14]) }]);
        assert!(frames[0].is_truncated());
    }
    assert!(!captured(0, ARP).is_truncated());
}

#[test]
fn capture_without_records_is_empty() {
    assert_eq!(read_whole(&Capture::pcap(false, MICROS, 1).bytes), []);
    assert_eq!(read_whole(&Capture::pcapng(false).bytes), []);
}

#[test]
fn file_that_is_no_capture_is_refused() {
    let expected = "a.pcap: neither pcap nor pcapng (a compressed capture must be unpacked first)";
    for bytes in
        [&b""[..], b"\xd4\xc3", b"\x1f\x8b\x08\0\0\0\0\0", &Capture::pcap(false, MICROS, 1).bytes[..23]]
    {
        assert_eq!(error(bytes), expected);
    }
}

#[test]
fn cut_at_every_length_yields_the_whole_records_and_then_names_the_cut_one() {
    let pcap = |n| (0..n).fold(Capture::pcap(false, MICROS, 1), |it, n| it.record(n, 0, ARP)).bytes;
    let pcapng = |n| {
        let start = Capture::pcapng(true).interface(0, &[(2, b"eth0"), (9, &[6])]);
        (0..n).fold(start, |it, n| it.enhanced(0, n.into(), ODD)).bytes
    };
    for capture in [&pcap as &dyn Fn(u32) -> Vec<u8>, &pcapng] {
        let (whole, two) = (capture(3), capture(2).len());
        for end in two + 1..whole.len() {
            let (frames, error) = read(&whole[..end]);
            assert_eq!(frames.len(), 2);
            let error = error.expect("an error").to_string();
            assert_eq!(error, "a.pcap: record 3 is cut off: the file ends within it");
        }
    }
}

#[test]
fn nothing_follows_an_error() {
    let bytes = &Capture::pcap(false, MICROS, 1).record(0, 0, ARP).bytes;
    let mut reader = Reader::new("a.pcap", &bytes[..bytes.len() - 1]).unwrap();
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

#[test]
fn other_link_types_are_refused() {
    let expected = "a.pcap: link type 113, expected Ethernet (1)";
    assert_eq!(error(&Capture::pcap(true, MICROS, 113).bytes), expected);
    let capture = Capture::pcapng(false).interface(0, &[]);
    let body = capture.body().halves(&[113, 0]).words(&[0]);
    assert_eq!(error(&capture.block(1, body).bytes), expected);
}

#[test]
fn frames_with_checksum_are_refused() {
    let expected = "a.pcap: its frames carry a checksum (FCS): capture without, or cut it off";
    assert_eq!(error(&Capture::pcap(false, MICROS, 2 << 28 | 1 << 26 | 1).bytes), expected);
    assert_eq!(error(&Capture::pcapng(false).interface(0, &[(13, &[32])]).bytes), expected);
    assert_eq!(read_whole(&Capture::pcap(false, MICROS, 1 << 26 | 1).bytes), []);
}

#[test]
fn lengths_that_lie_are_refused() {
    let pcap = Capture::pcap(false, MICROS, 1).words(&[0, 0, u32::MAX, u32::MAX]);
    assert_eq!(error(&pcap.bytes), "a.pcap: record 1: a length over 256 KiB");
    let start = Capture::pcapng(false).interface(0, &[]);
    for length in [0, 8, 11, 33, u32::MAX] {
        let capture = start.clone().words(&[6, length]);
        assert_eq!(error(&capture.bytes), "a.pcap: record 1: an impossible block length");
    }
    let longer_than_block = start.body().words(&[0, 0, 0, 18, 18]).raw(ODD);
    let capture = start.clone().block(6, longer_than_block.clone());
    assert_eq!(read_whole(&capture.bytes)[0].frame.len(), 18); // ODD has 17 and one of padding
    let longer_than_block = start.body().words(&[0, 0, 0, 24, 24]).raw(ODD);
    let capture = start.clone().block(6, longer_than_block);
    assert_eq!(error(&capture.bytes), "a.pcap: record 1: a block shorter than its content");
    let mut capture = start.enhanced(0, 0, ARP);
    let trailer = capture.bytes.len() - 4;
    capture.bytes[trailer] ^= 1;
    assert_eq!(error(&capture.bytes), "a.pcap: record 1: a block whose two lengths differ");
}

#[test]
fn missing_file_is_an_error_that_names_it() {
    let error = Reader::open("no/such.pcap").unwrap_err().to_string();
    assert!(error.starts_with("no/such.pcap: No such file"), "{error}");
    let error = Writer::create("no/such.pcap").unwrap_err().to_string();
    assert!(error.starts_with("no/such.pcap: No such file"), "{error}");
}

#[test]
fn full_disk_is_an_error_that_names_the_file() {
    let mut writer = Writer::create("/dev/full").unwrap();
    writer.write(Time::ZERO, ARP).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.starts_with("/dev/full: No space left"), "{error}");
}

#[test]
fn what_the_format_cannot_hold_is_not_written() {
    let mut writer = Writer::create("/dev/null").unwrap();
    let last = u64::from(u32::MAX) * 1_000_000_000 + 999_999_999;
    writer.write(Time::from_nanos(last), &[0; MAX_FRAME as usize]).unwrap();
    let late = writer.write(Time::from_nanos(last + 1), ARP).unwrap_err();
    assert_eq!(
        late.to_string(),
        "/dev/null: cannot be written: a time after 2106, which pcap cannot tell: give the file the suffix .pcapng"
    );
    let long = writer.write(Time::ZERO, &[0; MAX_FRAME as usize + 1]).unwrap_err();
    assert_eq!(long.to_string(), "/dev/null: cannot be written: a frame longer than 256 KiB");
}

#[test]
fn one_file_by_two_names_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link, other) =
        (dir.path().join("a.pcap"), dir.path().join("b.pcap"), dir.path().join("c.pcap"));
    assert!(!is_same_file(&file, &file), "not there yet");
    fs::write(&file, "").unwrap();
    fs::write(&other, "").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(is_same_file(&file, &file));
    assert!(is_same_file(&file, &link));
    assert!(!is_same_file(&file, &other));
    assert!(!is_same_file(Path::new("/dev/null"), Path::new("/dev/null")), "may be written twice");
}

/// Which input each frame of a merge came from, and its time.
fn merged(inputs: &[&[u64]]) -> Vec<(usize, u64)> {
    let captures: Vec<Vec<u8>> = inputs
        .iter()
        .map(|times| {
            let start = Capture::pcap(false, NANOS, 1);
            times.iter().fold(start, |it, &time| it.record(0, time as u32, ARP)).bytes
        })
        .collect();
    let readers = captures.iter().map(|bytes| Reader::new("a.pcap", bytes.as_slice()).unwrap());
    Merge::new(readers)
        .map(Result::unwrap)
        .map(|(index, captured)| (index, captured.time.as_nanos()))
        .collect()
}

#[test]
fn merge_is_by_time() {
    assert_eq!(merged(&[&[10, 40], &[20, 30], &[]]), [(0, 10), (1, 20), (1, 30), (0, 40)]);
    assert_eq!(merged(&[]), []);
}

#[test]
fn merge_breaks_ties_in_argument_order() {
    assert_eq!(merged(&[&[5, 7], &[5, 5, 7], &[5]]), [(0, 5), (1, 5), (1, 5), (2, 5), (0, 7), (1, 7)]);
}

#[test]
fn merge_keeps_the_order_of_a_file_that_goes_back_in_time() {
    assert_eq!(merged(&[&[10, 1, 30], &[5, 20]]), [(1, 5), (0, 10), (0, 1), (1, 20), (0, 30)]);
}

#[test]
fn merge_reports_an_error_after_the_whole_records_of_its_file_and_goes_on_with_the_others() {
    let cut = Capture::pcap(false, NANOS, 1).record(0, 1, ARP).raw(&[0; 7]).bytes;
    let whole = Capture::pcap(false, NANOS, 1).record(0, 2, ODD).bytes;
    let readers = [("cut.pcap", &cut), ("whole.pcap", &whole)]
        .map(|(name, bytes)| Reader::new(name, bytes.as_slice()).unwrap());
    let mut merge = Merge::new(readers);
    assert_eq!(merge.next().unwrap().unwrap(), (0, captured(1, ARP)));
    let error = merge.next().unwrap().unwrap_err().to_string();
    assert_eq!(error, "cut.pcap: record 2 is cut off: the file ends within it");
    assert_eq!(merge.next().unwrap().unwrap(), (1, captured(2, ODD)));
    assert!(merge.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(
        frames in prop::collection::vec(
            (0..u64::from(u32::MAX) * 1_000_000_000, prop::collection::vec(any::<u8>(), 0..2000)),
            0..20,
        )
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pcap");
        let mut writer = Writer::create(&path).unwrap();
        for (time, frame) in &frames {
            writer.write(Time::from_nanos(*time), frame).unwrap();
        }
        writer.finish().unwrap();
        let back: Vec<Captured> = Reader::open(&path).unwrap().map(Result::unwrap).collect();
        let expected: Vec<Captured> = frames.iter().map(|(time, frame)| captured(*time, frame)).collect();
        prop_assert_eq!(back, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn hostile_files_end_in_an_error_or_the_end(
        kind in 0..4,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        tail in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let big = kind % 2 == 0;
        let capture = if kind < 2 {
            Capture::pcap(big, MICROS, 1).record(1, 2, ARP).record(3, 4, ODD)
        } else {
            let start = Capture::pcapng(big).interface(64, &[(9, &[6]), (14, &[0; 8])]);
            start.enhanced(0, 1, ARP).enhanced(0, 2, ODD)
        };
        let mut bytes = capture.raw(&tail).bytes;
        for (index, value) in flips {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let (frames, _) = read(&bytes);
        prop_assert!(frames.len() <= bytes.len() / 16);
    }
}
