//! The targets in every test run: the committed corpus, and mutations of it. The dice are the same each time, so that what
//! passes once passes again; to look further is what `scripts/fuzz` is for.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// No input takes so long, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// SplitMix64: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }

    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len());
        match self.below(6) {
            0 if at < input.len() => input[at] = self.roll() as u8,
            1 if at < input.len() => input[at] ^= 1 << self.below(8),
            2 => input.truncate(at),
            3 => {
                let count = self.below(16);
                input.splice(at..at, (0..count).map(|_| self.roll() as u8).collect::<Vec<_>>());
            }
            4 => {
                let end = (at + self.below(16)).min(input.len());
                input.drain(at..end);
            }
            _ => {
                let from = self.below(other.len());
                input.truncate(at);
                input.extend(&other[from..]);
            }
        }
    }
}

/// Everything in the target's corpus, and so many mutations of it: none panics, none hangs.
fn bounded(name: &'static str, mutations: usize) {
    let target = fuzz::target(name).expect("a target of this name");
    let (starts, started) = mpsc::channel();
    let runs = thread::spawn(move || {
        each(name, mutations, |input| {
            // nobody listens where the test has failed already
            let _ = starts.send(input.to_vec());
            target(input);
        });
    });
    let mut last = Vec::new();
    let hangs = loop {
        match started.recv_timeout(PATIENCE) {
            Ok(input) => last = input,
            Err(end) => break end == RecvTimeoutError::Timeout,
        }
    };
    let how = if hangs { "hangs" } else { "panics" };
    let hex: String = last.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        !hangs && runs.join().is_ok(),
        "{name} {how}; xxd -r -p makes a file for fuzz/corpus/{name} of {hex}"
    );
}

fn each(name: &str, mutations: usize, mut run: impl FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(&folder).expect("a folder of the target's name");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file of the corpus").path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("a readable file")).collect();
    assert!(!corpus.is_empty(), "{}: empty", folder.display());
    // Miri takes some hundred times as long, and looks for something else
    let (corpus, mutations) = if cfg!(miri) { (corpus[..1].to_vec(), 2) } else { (corpus, mutations) };
    corpus.iter().for_each(|input| run(input));
    run(&[]);
    let mut dice = Dice(1);
    for _ in 0..mutations {
        let mut input = corpus[dice.below(corpus.len())].clone();
        for _ in 0..=dice.below(4) {
            let other = dice.below(corpus.len());
            dice.mutate(&mut input, &corpus[other]);
        }
        run(&input);
    }
}

#[test]
fn frames_into_any_bridge_have_one_outcome_and_draw_nothing_wrong() {
    bounded("path", 1000);
}

#[test]
fn headers_of_any_bytes_are_read_within_them() {
    bounded("parsers", 20_000);
}

#[test]
fn any_pcap_is_read_or_refused() {
    bounded("pcap", 5000);
}

#[test]
fn any_pcapng_is_read_or_refused() {
    bounded("pcapng", 5000);
}

#[test]
fn any_yaml_is_refused_or_becomes_a_plan() {
    bounded("yaml", 1000);
}

#[test]
fn any_line_on_the_control_socket_is_a_question_or_refused() {
    bounded("socket", 2000);
}

#[test]
fn any_state_file_is_refused_or_brings_what_the_rules_allow() {
    bounded("state", 400);
}

#[test]
fn every_target_has_a_corpus_of_a_size_to_commit() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut total = 0;
    for (name, _) in fuzz::TARGETS {
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            total += entry.unwrap().metadata().unwrap().len();
        }
    }
    assert!(total < 1 << 20, "{total} bytes");
}
