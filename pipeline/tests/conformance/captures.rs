//! docs/spec F.8, F213: `sluice replay` over captures that end too early, are of another time, or never end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pipeline::base::time::Time;
use pipeline::control::replay::MOST_EVENTS;
use pipeline::io::pcap::{Reader, Writer};
use tempfile::TempDir;

use crate::frames::*;
use crate::harness::*;

/// A folder with the rules of C0 in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        std::fs::write(folder.file("c0.yaml"), Config::c0().text()).unwrap();
        folder
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A capture of these frames on a side, a nanosecond apart from a moment on.
    fn capture(&self, name: &str, start: u64, frames: &[Vec<u8>]) -> PathBuf {
        let path = self.file(name);
        let mut writer = Writer::create(&path).unwrap();
        for (time, frame) in (start..).zip(frames) {
            writer.write(Time::from_nanos(time), frame).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    fn replay(&self, arguments: &[String]) -> Output {
        let mut sluice = Command::new(env!("CARGO_BIN_EXE_sluice"));
        sluice.arg("replay").arg("-c").arg(self.file("c0.yaml")).args(arguments).output().unwrap()
    }
}

fn at(option: &str, side: &str, path: &Path) -> [String; 2] {
    [option.to_owned(), format!("{side}={}", path.display())]
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn m_to_w() -> Vec<u8> {
    tagged(M, &ether(B, A, 0x0800, &ipv4("192.0.2.1", "198.51.100.2", 17, &udp(4000, 5000, b"data"))))
}

fn w_to_m() -> Vec<u8> {
    tagged(W, &ether(A, B, 0x0800, &ipv4("198.51.100.2", "192.0.2.1", 17, &udp(5000, 4000, b"back"))))
}

/// Takes the last byte off.
fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

#[test]
fn f213_of_a_cut_capture_the_books_are_printed_and_then_the_error() {
    let folder = Folder::new();
    let input = folder.capture("m.pcap", 0, &vec![m_to_w(); 3]);
    cut(&input);
    let output = folder.replay(&at("--in", "mud", &input));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).ends_with("generation 1, unaccounted 0: the books balance\n"));
    assert!(stdout(&output).contains("  forwarded                           2  \n"), "{}", stdout(&output));
    let said = format!("sluice: {}: record 3 is cut off: the file ends within it\n", input.display());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), said);
}

#[test]
fn f213_the_json_of_a_cut_capture_is_whole() {
    let folder = Folder::new();
    let input = folder.capture("m.pcapng", 0, &vec![m_to_w(); 3]);
    cut(&input);
    let output = folder.replay(&[&at("--in", "mud", &input)[..], &["--json".to_owned()]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)["outcomes"]["forwarded"], 2);
    let said = format!("sluice: {}: record 3 is cut off: the file ends within it\n", input.display());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), said);
}

#[test]
fn f213_what_crossed_of_a_cut_capture_and_all_of_the_others_is_written() {
    let folder = Folder::new();
    let (m, w) =
        (folder.capture("m.pcap", 0, &vec![m_to_w(); 3]), folder.capture("w.pcap", 10, &vec![w_to_m(); 5]));
    cut(&m);
    let (to_m, to_w) = (folder.file("to_m.pcap"), folder.file("to_w.pcap"));
    let arguments =
        [at("--in", "mud", &m), at("--in", "wix", &w), at("--out", "mud", &to_m), at("--out", "wix", &to_w)];
    assert_eq!(folder.replay(&arguments.concat()).status.code(), Some(1));
    for (path, frames) in [(to_m, 5), (to_w, 2)] {
        assert_eq!(Reader::open(&path).unwrap().map(Result::unwrap).count(), frames);
    }
}

/// The first second after what pcap can tell.
const LATE: u64 = (1 << 32) * 1_000_000_000;

#[test]
fn f213_stamps_beyond_2106_are_written_to_pcapng() {
    let folder = Folder::new();
    let input = folder.capture("m.pcapng", LATE - 1, &vec![m_to_w(); 3]);
    let out = folder.file("w.pcapng");
    let output = folder.replay(&[at("--in", "mud", &input), at("--out", "wix", &out)].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let times: Vec<u64> =
        Reader::open(&out).unwrap().map(|captured| captured.unwrap().time.as_nanos()).collect();
    assert_eq!(times, [LATE - 1, LATE, LATE + 1]);
}

#[test]
fn f213_to_pcap_the_first_stamp_beyond_2106_ends_the_replay() {
    let folder = Folder::new();
    let input = folder.capture("m.pcapng", LATE - 1, &vec![m_to_w(); 3]);
    let out = folder.file("w.pcap");
    let output = folder.replay(&[at("--in", "mud", &input), at("--out", "wix", &out)].concat());
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    let said =
        "cannot be written: a time after 2106, which pcap cannot tell: give the file the suffix .pcapng";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("sluice: {}: {said}\n", out.display()));
}

#[test]
fn f213_events_are_bounded_and_the_rest_is_counted() {
    let folder = Folder::new();
    let bpdu = ether([0x01, 0x80, 0xc2, 0, 0, 0], A, 38, &[0x42, 0x42, 3]);
    let path = folder.file("m.pcap");
    let mut writer = Writer::create(&path).unwrap();
    for tenth in 0..MOST_EVENTS as u64 + 7 {
        writer.write(Time::from_nanos(tenth * 100_000_000), &tagged(M, &bpdu)).unwrap();
    }
    writer.finish().unwrap();
    let input = at("--in", "mud", &path);
    let text = folder.replay(&input);
    assert_eq!(stdout(&text).matches(" bpdu_seen\n").count(), MOST_EVENTS);
    assert!(stdout(&text).contains(" bpdu_seen\n  and 7 more\n\ngeneration 1,"));
    let report = json(&folder.replay(&[&input[..], &["--json".to_owned()]].concat()));
    assert_eq!(report["events"].as_array().unwrap().len(), MOST_EVENTS);
    assert_eq!(report["events_omitted"], 7);
}
