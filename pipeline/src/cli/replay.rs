//! `sluice replay`: captures in, captures and books out. The reference for every conformance test.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use hashbrown::HashMap;

use super::common::{load, print};
use crate::base::At;
use crate::control::replay;
use crate::io::mem::Packet;
use crate::io::pcap::{Merge, Reader, Writer, is_same_file};
use crate::observe::report::{Report, sides};
use crate::plan::Plan;

/// The command's arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// The rules.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// What a side's port received: pcap or pcapng, frames as on the wire. `BRIDGE/SIDE` where there are several bridges.
    #[arg(long = "in", value_name = "SIDE=FILE", required = true)]
    inputs: Vec<SideFile>,
    /// Where to write what is sent on a side, with the input's time stamps: pcapng if the file is called `.pcapng`, or else pcap,
    /// which has no time after 2106.
    #[arg(long = "out", value_name = "SIDE=FILE")]
    outputs: Vec<SideFile>,
    /// Also send loop probes, look for duplicates of the bridge's own addresses, and ask stations before they move or age, as the
    /// running bridge does. Without it, a station moves as soon as it was silent for `move_guard`.
    #[arg(long)]
    probes: bool,
    /// Print the books as JSON.
    #[arg(long)]
    json: bool,
}

/// `SIDE=FILE`.
#[derive(Debug, Clone)]
struct SideFile {
    side: String,
    file: PathBuf,
}

impl FromStr for SideFile {
    type Err = String;

    fn from_str(text: &str) -> Result<SideFile, String> {
        let (side, file) = text.split_once('=').ok_or("expected SIDE=FILE, such as mud=a.pcap")?;
        Ok(SideFile { side: side.to_owned(), file: file.into() })
    }
}

impl Replay {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let Some(checked) = load(&self.config) else { return Ok(ExitCode::FAILURE) };
        let bridge = replay::Replay::new(checked.rules)?;
        let mut bridge = if self.probes { bridge.with_probes() } else { bridge };
        let mut ports = Vec::new();
        let mut readers = Vec::new();
        for input in &self.inputs {
            let at = place(bridge.plan(), &input.side).context("--in")?;
            ports.push(bridge.plan().bridge(at.bridge).rules.side(at.side).port);
            readers.push(Reader::open(&input.file)?);
        }
        let mut writers = self.writers(bridge.plan())?;
        let mut cut = vec![0; readers.len()];
        let mut failed = Vec::new();
        for captured in Merge::new(readers) {
            let (input, captured) = match captured {
                Ok(captured) => captured,
                // the records before it were whole, and so may be all of the other captures
                Err(error) => {
                    failed.push(error);
                    continue;
                }
            };
            cut[input] += u64::from(captured.is_truncated());
            for sent in bridge.feed(ports[input], captured.time, Packet::new(&captured.frame)) {
                if let Some(writer) = writers.get_mut(&sent.at) {
                    writer.write(captured.time, &sent.frame)?;
                }
            }
        }
        writers.into_values().try_for_each(Writer::finish)?;
        for (input, cut) in self.inputs.iter().zip(cut).filter(|(_, cut)| *cut > 0) {
            let file = input.file.display();
            eprintln!(
                "{file}: warning: {cut} frames were cut when they were captured (a snap length): they are judged as they are here"
            );
        }
        let report = Report {
            events_omitted: bridge.events_omitted(),
            ..Report::new(bridge.plan(), bridge.books(), bridge.events())
        };
        let done = print(&if self.json {
            serde_json::to_string_pretty(&report)? + "\n"
        } else {
            report.to_string()
        })?;
        for error in &failed {
            eprintln!("sluice: {error}");
        }
        Ok(if failed.is_empty() { done } else { ExitCode::FAILURE })
    }

    fn writers(&self, plan: &Plan) -> anyhow::Result<HashMap<At, Writer>> {
        let mut writers = HashMap::new();
        for (at, output) in self.outputs.iter().enumerate() {
            let place = place(plan, &output.side).context("--out")?;
            let taken = self.inputs.iter().chain(&self.outputs[..at]);
            if taken.map(|other| &other.file).any(|other| is_same_file(other, &output.file)) {
                bail!(
                    "--out {}={}: that file is already an input or output",
                    output.side,
                    output.file.display()
                );
            }
            if writers.insert(place, Writer::create(&output.file)?).is_some() {
                bail!("--out {}: given twice", output.side);
            }
        }
        Ok(writers)
    }
}

/// A side by its name: `SIDE` where that is unambiguous, or `BRIDGE/SIDE`.
fn place(plan: &Plan, name: &str) -> anyhow::Result<At> {
    let full = |at: At| {
        let rules = &plan.bridge(at.bridge).rules;
        format!("{}/{}", rules.name, rules.side(at.side).name)
    };
    match sides(plan).find(|(short, at)| short == name || full(*at) == name) {
        Some((_, at)) => Ok(at),
        None => {
            let known: Vec<_> = sides(plan).map(|(name, _)| name).collect();
            bail!("there is no side {name}: the rules have {}", known.join(", "))
        }
    }
}
