//! `sluice selftest`: what two ports of a card, with a cable or a switch between them, do to frames.
//!
//! No bridge runs. Frames are made here, each is known again when it comes back, and every byte of it is compared.

mod frames;
mod latency;
mod ledger;
mod link;
mod load;
mod markdown;
mod report;
mod rig;
mod sizes;
mod spread;
mod tags;
#[cfg(test)]
mod tests;
mod untouched;

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rules::Vid;
use rustix::thread::{CpuSet, sched_getaffinity};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::io::dpdk::{self, Eal, EalOptions, Mempool, PoolSize, Port, pci_address};
use crate::io::machine::{EthernetPort, Machine, What};
use frames::Run;
use load::Mix;
use report::{About, Asked, PortReport};
use rig::Rig;

pub use report::{Check, Measured, Report, Verdict};

/// Tags that frames have on top of the MTU.
const TAGS: u8 = 2;

/// Frames besides those that queues hold: the tester's own hands.
const SPARE: u32 = 2048;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// PCI addresses, or virtual devices with their arguments.
    pub devices: [String; 2],
    /// Seconds of load, in all.
    pub seconds: u64,
    /// Bytes of the largest packet.
    pub mtu: u16,
    /// Queues and cores; `None`: as many as there are, up to [`Settings::MOST_WORKERS`].
    pub workers: Option<usize>,
    /// The VLAN to send everything in.
    pub vlan: Option<Vid>,
}

impl Settings {
    /// More queues say no more about a card.
    pub const MOST_WORKERS: usize = 4;
}

/// Makes the whole test. `progress` is told what happens, a line each.
///
/// # Errors
/// The ports cannot be had, or stay without a link. What they do to frames is in the report.
pub fn run(settings: &Settings, progress: &mut dyn FnMut(String)) -> anyhow::Result<Report> {
    let machine = Machine::at("/");
    let huge_pages = machine.huge_pages();
    let cards = machine.inventory().context("/sys/bus/pci/devices")?.ports;
    refuse(&settings.devices, &cards)?;
    let allowed = allowed_cores()?;
    let most = settings.workers.unwrap_or(Settings::MOST_WORKERS.min(allowed.len()));
    if most > allowed.len() {
        bail!("--workers {most}: this process may run on {} cores only", allowed.len());
    }
    // the first core is the machine's own housekeeper, mostly
    let mut cores = allowed[allowed.len() - most..].to_vec();
    let names: Vec<&str> = settings.devices.iter().map(String::as_str).collect();
    let rules = [("A", 0), ("B", 1)].map(|(name, index): (&str, usize)| {
        let (device, mtu) = (settings.devices[index].clone(), settings.mtu);
        rules::Port { name: name.to_owned(), device, mtu, tags: TAGS }
    });
    let size = PoolSize::of(&rules, cores.len()).with_spare(SPARE);
    progress("starting DPDK and the ports".to_owned());
    let eal = Eal::init(&EalOptions { devices: &names, workers: &cores, frames: size, huge_pages: true })?;
    let dpdk_memory = eal.memory().to_string();
    let mut pool = Mempool::new(eal, size)?;
    if settings.workers.is_none() {
        for port in &rules {
            let can = dpdk::most_queues(port, &mut pool)?;
            cores.truncate(usize::from(can).max(1));
        }
    }
    let (ports, queues) = dpdk::start(&rules, cores.len(), false, &mut pool)?;
    let ports: [Port; 2] = ports.try_into().map_err(|_| anyhow::anyhow!("not two ports"))?;
    let run = Run::new([ports[0].mac(), ports[1].mac()], settings.vlan);
    let mut rig = Rig::new(run, ports, queues);
    progress("waiting for the links".to_owned());
    link::wait_for_links(&rig, &[&settings.devices[0], &settings.devices[1]])?;

    let mut report = Report {
        sluice: env!("CARGO_PKG_VERSION").to_owned(),
        time: now(),
        dpdk: dpdk::version(),
        machine: About {
            kernel: machine.kernel(),
            processor: machine.processor(),
            cores: allowed,
            memory_kib: machine.memory_kib(),
            dpdk_memory,
            huge_pages,
        },
        settings: Asked {
            mtu: settings.mtu,
            vlan: settings.vlan.map(Vid::get),
            seconds: settings.seconds,
            workers: cores.clone(),
        },
        ports: [("A", 0), ("B", 1)]
            .map(|(name, index)| about(name, &settings.devices[index], &rig.ports[index], &cards))
            .to_vec(),
        checks: Vec::new(),
        passed: false,
    };
    checks(settings, &mut rig, &cores, &mut report, progress);
    report.passed = report.checks.iter().all(|check| check.verdict != Verdict::Failed);
    Ok(report)
}

/// Makes the checks in their order; those that may hurt a link come last.
fn checks(
    settings: &Settings,
    rig: &mut Rig,
    cores: &[u16],
    report: &mut Report,
    progress: &mut dyn FnMut(String),
) {
    let mtu = settings.mtu;
    let mut done = |checks: Vec<Check>, progress: &mut dyn FnMut(String)| {
        for check in checks {
            progress(format!("{}: {}", check.check, check.verdict.word()));
            report.checks.push(check);
        }
    };
    let cable = link::cable(rig);
    let is_connected = cable.verdict == Verdict::Ok;
    done(vec![cable], progress);
    if !is_connected {
        return; // not one frame more
    }
    done(tags::tags(rig), progress);
    done(vec![untouched::ethertypes(rig)], progress);
    done(vec![sizes::sizes(rig, mtu)], progress);
    done(vec![sizes::too_short(rig)], progress);
    done(vec![untouched::checksums(rig)], progress);
    done(vec![untouched::fragments(rig)], progress);
    done(vec![untouched::delivery(rig)], progress);
    done(spread::spread(rig), progress);
    done(vec![latency::latency(rig, mtu)], progress);
    let each = Duration::from_secs(settings.seconds) / Mix::ALL.len() as u32;
    for mix in Mix::ALL {
        let check = load::load(rig, mix, mtu, each, cores, progress);
        done(vec![check], progress);
    }
    done(vec![sizes::too_long(rig, mtu)], progress);
    done(link::bounce(rig), progress);
    done(vec![link::nothing_else(rig, settings.vlan.is_some())], progress);
}

/// Ports that must not be taken. What `sluice run` refuses too is refused in its words when they start.
fn refuse(devices: &[String; 2], cards: &[EthernetPort]) -> anyhow::Result<()> {
    let name = |device: &String| {
        pci_address(device).unwrap_or_else(|| device.split(',').next().unwrap_or_default().to_owned())
    };
    let names = devices.each_ref().map(name);
    ensure!(
        names[0] != names[1],
        "PORT_A and PORT_B are the same device, {}: a test needs two ports",
        names[0]
    );
    for card in cards.iter().filter(|card| names.contains(&card.pci)) {
        // Mellanox shares its ports with the kernel: DPDK would take this one
        if let Some(obstacle) = card.obstacles.iter().find(|obstacle| obstacle.what == What::DefaultRoute) {
            bail!("port {}: {obstacle}", card.pci);
        }
    }
    Ok(())
}

fn allowed_cores() -> anyhow::Result<Vec<u16>> {
    let cores = sched_getaffinity(None).context("reading the cores of this process")?;
    Ok((0..CpuSet::MAX_CPU).filter(|&core| cores.is_set(core)).map(|core| core as u16).collect())
}

fn about(name: &str, device: &str, port: &Port, cards: &[EthernetPort]) -> PortReport {
    let (card, link) = (port.card(), port.link());
    let pci = pci_address(device);
    let known = cards.iter().find(|card| Some(&card.pci) == pci.as_ref());
    PortReport {
        name: name.to_owned(),
        device: device.to_owned(),
        vendor: known.map(|card| card.vendor.clone()),
        model: known.map(|card| card.device.clone()),
        pci,
        driver: card.driver,
        firmware: card.firmware,
        mac: port.mac().to_string(),
        numa_node: card.numa_node,
        link_up: link.up,
        speed_mbps: link.mbit,
        most_queues: card.most_queues,
        descriptors: card.descriptors,
    }
}

/// UTC, as in the log.
fn now() -> String {
    let mut text = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}
