//! The capsule crate as a forwarder between two ports: what arrives on one leaves by the other, as testpmd's `io` and,
//! with `--swap-macs`, `macswap` do it. It is a baseline for `perf/compare`, and written as capsule's own examples are.

use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use capsule::batch::{self, Batch, Pipeline, Poll};
use capsule::config::RuntimeConfig;
use capsule::packets::{Ethernet, Packet};
use capsule::{Mbuf, PortQueue, Runtime, UnixSignal, metrics};
use clap::Parser;
use metrics_runtime::Measurement;
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::json;

/// CPUs that a C library's set of them has room for.
const CPUS: i64 = CpuSet::MAX_CPU as i64;

/// Forward between two ports with the capsule crate, on one core, until SIGINT or SIGTERM.
///
/// Prints `running` once it forwards. At the end, and on SIGHUP, it prints a line a port: frames received, frames sent, and
/// frames that the full transmit queue refused.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Core that forwards.
    #[arg(long, value_name = "CORE", value_parser = clap::value_parser!(u16).range(..CPUS))]
    core: u16,
    /// Core for everything else.
    #[arg(long, value_name = "CORE", value_parser = clap::value_parser!(u16).range(..CPUS), default_value_t = 0)]
    main_core: u16,
    /// A port, twice: a PCI address, or a virtual device with its arguments (net_memif0,role=server,...).
    #[arg(long = "device", value_name = "DEVICE", required = true)]
    devices: Vec<Device>,
    /// Swap source and destination MAC address of each frame.
    #[arg(long)]
    swap_macs: bool,
    /// Buffers of 2048 bytes, on each NUMA node in use.
    #[arg(long, value_name = "COUNT", default_value_t = 65535)]
    pool: u32,
    /// Descriptors of each receive and transmit queue.
    #[arg(long, value_name = "COUNT", default_value_t = 1024)]
    descriptors: u16,
    /// Further options for DPDK's EAL. PCI ports need them without --no-pci.
    #[arg(
        long,
        value_name = "OPTIONS",
        default_value = "--in-memory --no-pci --no-telemetry --iova-mode=va",
        allow_hyphen_values = true
    )]
    eal: String,
}

/// A device as capsule is configured with it: what names it, and arguments.
#[derive(Clone)]
struct Device {
    name: String,
    arguments: Option<String>,
}

impl From<&str> for Device {
    fn from(text: &str) -> Self {
        match text.split_once(',') {
            Some((name, arguments)) => Self { name: name.into(), arguments: Some(arguments.into()) },
            None => Self { name: text.into(), arguments: None },
        }
    }
}

impl Options {
    /// capsule's configuration. Its types have no constructors: they are read from a file, or from a value.
    fn config(&self) -> Result<RuntimeConfig> {
        let port = |device: &Device| {
            json!({
                "name": device.name,
                "device": device.name,
                "args": device.arguments,
                "cores": [self.core],
                "rxd": self.descriptors,
                "txd": self.descriptors,
                "promiscuous": true,
            })
        };
        let config = json!({
            "app_name": "capsule",
            "master_core": self.main_core,
            "dpdk_args": self.eal,
            "mempool": { "capacity": self.pool, "cache_size": 256 },
            "ports": self.devices.iter().map(port).collect::<Vec<_>>(),
        });
        serde_json::from_value(config).context("capsule refuses its configuration")
    }
}

/// Prints what each port has received and sent so far, by capsule's own counters.
fn report(ports: &[String; 2]) {
    let counters = metrics::global().controller().snapshot().into_measurements();
    for port in ports {
        let total = |name: &str, direction: &str| -> u64 {
            let labels = [("port", port.as_str()), ("dir", direction)];
            counters
                .iter()
                .filter(|(key, _)| key.name() == name)
                .filter(|(key, _)| {
                    labels.iter().all(|label| key.labels().any(|l| (l.key(), l.value()) == *label))
                })
                .map(|(_, value)| if let Measurement::Counter(frames) = value { *frames } else { 0 })
                .sum()
        };
        println!(
            "port {port} received {} sent {} refused {}",
            total("capsule.port.packets", "rx"),
            total("capsule.port.packets", "tx"),
            total("capsule.port.dropped", "tx"),
        );
    }
}

/// What arrives by `from` leaves by `to`, its MAC addresses swapped.
fn swap(from: PortQueue, to: PortQueue) -> impl Pipeline {
    Poll::new(from)
        .map(|frame: Mbuf| {
            let mut frame = frame.parse::<Ethernet>()?;
            frame.swap_addresses();
            Ok(frame)
        })
        .send(to)
}

/// Installs one pipeline for each direction, on the core that has the ports.
fn install<P>(
    runtime: &mut Runtime,
    core: u16,
    ports: &[String; 2],
    pipeline: fn(PortQueue, PortQueue) -> P,
) -> Result<()>
where
    P: Pipeline + 'static,
{
    for (from, to) in [(0, 1), (1, 0)] {
        let names = ports.clone();
        runtime.add_pipeline_to_core(core.into(), move |queues| {
            // capsule calls this on the core, with the ports started, for one direction after the other
            if from == 1 {
                println!("running");
            }
            pipeline(queues[&names[from]].clone(), queues[&names[to]].clone())
        })?;
    }
    Ok(())
}

fn run(options: &Options) -> Result<()> {
    ensure!(options.core != options.main_core, "--core and --main-core must be two cores");
    let [first, second] = options.devices.as_slice() else {
        bail!("--device must be given twice, not {} times", options.devices.len());
    };
    ensure!(first.name != second.name, "both devices are {}: they need two names", first.name);
    let ports = [first.name.clone(), second.name.clone()];

    // Else the EAL keeps its helper threads off the main core, the only one that it knows of, and on the forwarding one.
    // capsule pins the forwarding thread.
    let mut main_core = CpuSet::new();
    main_core.set(options.main_core.into());
    sched_setaffinity(None, &main_core)
        .with_context(|| format!("--main-core: cannot run on core {}", options.main_core))?;

    let mut runtime =
        Runtime::build(options.config()?).context("capsule does not start (EAL lines above may say more)")?;
    if options.swap_macs {
        install(&mut runtime, options.core, &ports, swap)?;
    } else {
        install(&mut runtime, options.core, &ports, batch::splice)?;
    }
    let reported = ports.clone();
    runtime.set_on_signal(move |signal| match signal {
        UnixSignal::SIGHUP => {
            report(&reported);
            false
        }
        UnixSignal::SIGINT | UnixSignal::SIGTERM => true,
    });
    runtime.execute()?;
    report(&ports);
    Ok(())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("capsule-forwarder: {error:#}");
            ExitCode::FAILURE
        }
    }
}
