//! What the test found. Its JSON is a stable interface: fields are added, never renamed.

use serde::Serialize;

use crate::io::machine::{HugePages, Id};

/// A card's acceptance test.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of sluice.
    pub sluice: String,
    /// When it began (UTC, RFC 3339).
    pub time: String,
    /// Version of DPDK.
    pub dpdk: String,
    /// Where.
    pub machine: About,
    /// What was asked for.
    pub settings: Asked,
    /// Port A and port B.
    pub ports: Vec<PortReport>,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
    /// None has failed.
    pub passed: bool,
}

/// The machine.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// The kernel's release.
    pub kernel: String,
    /// The processor's name, where it tells it.
    pub processor: Option<String>,
    /// Cores that the test may run on.
    pub cores: Vec<u16>,
    /// KiB of memory.
    pub memory_kib: Option<u64>,
    /// What DPDK's memory is made of.
    pub dpdk_memory: String,
    /// By size, the smallest first.
    pub huge_pages: Vec<HugePages>,
}

/// What was asked for, defaults filled in.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// Bytes.
    pub mtu: u16,
    /// The VLAN that all frames were in.
    pub vlan: Option<u16>,
    /// Seconds of load.
    pub seconds: u64,
    /// Cores that made load; queues of each port.
    pub workers: Vec<u16>,
}

/// A port under test.
#[derive(Debug, Clone, Serialize)]
pub struct PortReport {
    /// A or B.
    pub name: String,
    /// As it was named in the command.
    pub device: String,
    /// PCI address, unless it is a virtual device.
    pub pci: Option<String>,
    /// Who made it, for a PCI device.
    pub vendor: Option<Id>,
    /// What it is, for a PCI device.
    pub model: Option<Id>,
    /// DPDK's driver.
    pub driver: String,
    /// Its firmware, where the driver tells it.
    pub firmware: Option<String>,
    /// Its own address.
    pub mac: String,
    /// The memory that is near it, where the machine has several.
    pub numa_node: Option<u32>,
    /// It was connected when the test began.
    pub link_up: bool,
    /// Mb/s, where the driver tells it.
    pub speed_mbps: Option<u32>,
    /// Queue pairs that it could have.
    pub most_queues: u16,
    /// Frames that one receive queue holds.
    pub descriptors: u16,
}

/// One thing that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Its name, which never changes.
    pub check: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub evidence: Vec<String>,
    /// What follows from it, or what to do.
    pub advice: Option<String>,
    /// In numbers.
    pub measured: Vec<Measured>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it must be.
    Ok,
    /// Not as it must be.
    Failed,
    /// It could not be tried here; the evidence says why.
    NotPossible,
}

/// A number with its meaning.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// What.
    pub what: &'static str,
    /// From which port to which, or of which port.
    pub of: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
}

impl Check {
    pub(super) fn new(check: &'static str, title: &'static str) -> Check {
        let (evidence, measured) = (Vec::new(), Vec::new());
        Check { check, title, verdict: Verdict::Ok, evidence, advice: None, measured }
    }

    /// Adds what was seen.
    pub(super) fn saw(mut self, evidence: impl Into<String>) -> Check {
        self.evidence.push(evidence.into());
        self
    }

    /// Adds what follows from it.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Check {
        self.advice = Some(advice.into());
        self
    }

    pub(super) fn measure(
        &mut self,
        what: &'static str,
        of: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        // three places: the report is for people too
        let value = (value * 1000.0).round() / 1000.0;
        self.measured.push(Measured { what, of: of.into(), value, unit });
    }

    /// It failed, where anything speaks for that; and then this is to be done.
    pub(super) fn fails_by(mut self, faults: Vec<String>, advice: &str) -> Check {
        if !faults.is_empty() {
            self.verdict = Verdict::Failed;
            self.evidence.extend(faults);
            self.advice = Some(advice.to_owned());
        }
        self
    }

    /// It cannot be tried here.
    pub(super) fn impossible(mut self, why: impl Into<String>) -> Check {
        self.verdict = Verdict::NotPossible;
        self.saw(why)
    }
}

impl Verdict {
    /// As the report says it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Failed => "FAILED",
            Verdict::NotPossible => "not possible here",
        }
    }
}
