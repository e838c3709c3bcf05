//! Hostile bytes for everything that reads bytes. A target is one function over an input: it must return, whatever the
//! input is, and it asserts what must hold for all of them.
//!
//! Each runs in two forms: guided by coverage (`scripts/fuzz`, libFuzzer), and bounded (`tests/bounded.rs`, part of every
//! test run): the committed corpus, and so many mutations of it.

mod bytes;
mod captures;
mod config;
mod oracle;
mod packets;
mod parsers;
mod path;
mod socket;
mod state;
mod yaml;

/// Runs over one input; panics where what must hold does not.
pub type Target = fn(&[u8]);

/// The targets by name, which is that of their folder in `corpus/` too.
pub const TARGETS: &[(&str, Target)] = &[
    ("path", path::run),
    ("parsers", parsers::run),
    ("pcap", captures::pcap),
    ("pcapng", captures::pcapng),
    ("yaml", yaml::run),
    ("socket", socket::run),
    ("state", state::run),
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, run)| *run)
}
