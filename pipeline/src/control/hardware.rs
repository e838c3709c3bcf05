//! The ports, as the control thread sees them; and those of a live bridge: DPDK brought up for the rules.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::Context;
use rules::Rules;
use tracing::info;

use super::workers::Workers;
use crate::base::time::Time;
use crate::io::dpdk::{self, Clock, Eal, EalOptions, Mempool, PoolSize, Port, Queues};
use crate::plan::Plan;

/// The ports, as the control thread sees them.
pub(super) trait Hardware: Debug {
    /// The moment, on the workers' clock.
    fn now(&self) -> Time;
    /// Ticks a second of the time-stamp counter, where that is the workers' clock.
    fn tsc_hz(&self) -> Option<u64>;
    /// By port: the link is up.
    fn links(&self) -> Vec<bool>;
    /// By port: what the device itself lost.
    fn losses(&self) -> Vec<Losses>;
    /// Waits until the devices have sent what their queues hold.
    fn drain(&mut self);
}

/// Frames that a device lost before the bridge saw them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Losses {
    /// No room in the receive queue: the worker is too slow.
    pub missed: u64,
    /// Damaged, or too long for the port.
    pub errors: u64,
    /// No buffer to receive into.
    pub no_buffer: u64,
}

impl Losses {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.missed + self.errors + self.no_buffer
    }
}

/// A device's transmit queue of a thousand frames empties within this even at 1 Gb/s with 9,000-byte frames.
const DRAIN: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Live {
    ports: Vec<Port>,
    devices: Vec<String>,
    clock: Clock,
}

/// Starts DPDK, the ports and a worker on each core, as the rules say, with so many frames more than they need. `first` has the plan
/// before any worker does.
pub(super) fn start(
    rules: Rules,
    spare_frames: u32,
    seed: u64,
    first: impl FnOnce(&Plan, Time),
) -> anyhow::Result<(Workers, Box<dyn Hardware>)> {
    let devices: Vec<String> = rules.ports.iter().map(|port| port.device.clone()).collect();
    let names: Vec<&str> = devices.iter().map(String::as_str).collect();
    let workers = rules.workers.len();
    let size = PoolSize::of(&rules.ports, workers).with_spare(spare_frames);
    let options =
        EalOptions { devices: &names, workers: &rules.workers, memory: size.bytes(), huge_pages: true };
    let eal = Eal::init(&options)?;
    info!(memory = %eal.memory(), frames = size.count, frame_bytes = size.data_room, "DPDK is up");
    let mut pool = Mempool::new(eal, size)?;
    let (ports, queues) = dpdk::start(&rules.ports, workers, &mut pool)?;
    for (port, rules) in ports.iter().zip(&rules.ports) {
        info!(port = port.name(), device = rules.device, mac = %port.mac(), mtu = rules.mtu, queues = workers, "port is up");
    }
    let clock = Clock::new();
    let macs: Vec<_> = ports.iter().map(Port::mac).collect();
    // on the worker's own thread: pins it to its core and makes it one of DPDK's for as long as it runs
    let enter = |queues: &Queues, core| queues.register_thread(core).context("workers");
    let plan = Plan::new(rules, None, &macs, seed)?;
    let threads = Workers::start(plan, macs, seed, first, move || clock.now(), queues, enter)?;
    Ok((threads, Box::new(Live { ports, devices, clock })))
}

impl Hardware for Live {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn tsc_hz(&self) -> Option<u64> {
        self.clock.hz()
    }

    fn links(&self) -> Vec<bool> {
        // a tap's driver asks for its interface by name where it started, and finds none once that is in a namespace
        let tap = |device: &str| device.starts_with("net_tap");
        self.ports.iter().zip(&self.devices).map(|(port, device)| tap(device) || port.link().up).collect()
    }

    fn losses(&self) -> Vec<Losses> {
        let losses = |port: &Port| {
            let stats = port.stats();
            Losses { missed: stats.missed, errors: stats.receive_errors, no_buffer: stats.no_memory }
        };
        self.ports.iter().map(losses).collect()
    }

    fn drain(&mut self) {
        std::thread::sleep(DRAIN);
    }
}
