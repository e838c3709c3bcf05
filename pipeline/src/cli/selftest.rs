//! `sluice selftest`: a card's acceptance test.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use rules::Vid;

use super::common::print;
use crate::selftest::{Settings, run};

/// The command's arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Selftest {
    /// A port, as a rules file names it: a PCI address, or a DPDK virtual device with its arguments.
    port_a: String,
    /// The port at the other end of the cable, or in the same VLAN of a switch.
    port_b: String,
    /// How long to send as much as possible, in all.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86400))]
    seconds: u64,
    /// The largest packet, without tags: every size up to it is tried.
    #[arg(long, value_name = "BYTES", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(1280..=9216))]
    mtu: u16,
    /// Queues of each port, and cores: the last of those that this process may run on. All of them, up to 4 and to what the
    /// ports have, unless this says otherwise.
    #[arg(long, value_name = "N", value_parser = workers)]
    workers: Option<usize>,
    /// Tag all frames for this VLAN: for a switch between the ports.
    #[arg(long, value_name = "VID", value_parser = vid)]
    vlan: Option<Vid>,
    /// Write the report there as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report there, and not to standard output.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn vid(text: &str) -> Result<Vid, String> {
    text.parse().ok().and_then(Vid::new).ok_or_else(|| "a VLAN is 1 to 4094".to_owned())
}

fn workers(text: &str) -> Result<usize, String> {
    let most = Settings::MOST_WORKERS;
    text.parse().ok().filter(|count| (1..=most).contains(count)).ok_or_else(|| format!("1 to {most}"))
}

impl Selftest {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Selftest { port_a, port_b, seconds, mtu, workers, vlan, json, report } = self;
        let settings = Settings { devices: [port_a, port_b], seconds, mtu, workers, vlan };
        let begun = Instant::now();
        let mut progress =
            |line: String| eprintln!("selftest: {:>5.1} s  {line}", begun.elapsed().as_secs_f64());
        let result = run(&settings, &mut progress)?;
        if let Some(file) = json {
            let text = serde_json::to_string_pretty(&result)? + "\n";
            fs::write(&file, text).with_context(|| file.display().to_string())?;
        }
        match report {
            Some(file) => fs::write(&file, result.to_string()).with_context(|| file.display().to_string())?,
            None => drop(print(&result.to_string())?),
        }
        Ok(if result.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
