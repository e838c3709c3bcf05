//! The ports, as the control thread sees them; and those of a live bridge: DPDK brought up for the rules.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::Context;
use rules::{Idle, Rules};
use tracing::{info, warn};

use super::workers::Workers;
use crate::base::time::Time;
use crate::io::dpdk::{
    self, Clock, Eal, EalOptions, Memory, Mempool, PoolSize, Port, PortStats, Queues, Removal,
};
use crate::plan::Plan;

/// The ports, as the control thread sees them.
pub(super) trait Hardware: Debug {
    /// The moment, on the workers' clock.
    fn now(&self) -> Time;
    /// Ticks a second of the time-stamp counter, where that is the workers' clock.
    fn tsc_hz(&self) -> Option<u64>;
    /// By port.
    fn links(&self) -> Vec<Link>;
    /// By port: what the device itself lost. Of one that is gone: as it was last seen.
    fn losses(&mut self) -> Vec<Losses>;
    /// Every port can wake the workers (`idle: interrupt`).
    fn wakes(&self) -> bool;
    /// Ports that are gone and not yet [closed](Hardware::close), and why.
    fn leaving(&self) -> Vec<(usize, Removal)>;
    /// Closes a port that no worker uses any more; `false` where the device does not respond to that.
    fn close(&mut self, port: usize) -> bool;
    /// Waits until the devices have sent what their queues hold, and closes them.
    fn shut_down(&mut self);
}

/// What is at the other end of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Something.
    Up,
    /// Nothing.
    Down,
    /// There is no such port any more.
    Gone,
}

/// Frames that a device lost before the bridge saw them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Losses {
    /// No room in the receive queue: the worker is too slow.
    pub missed: u64,
    /// Damaged, or too long for the port.
    pub errors: u64,
    /// No buffer to receive into.
    pub no_buffer: u64,
    /// Of all these, by receive queue, which is by worker; zeros where the driver does not tell them apart.
    #[serde(default)]
    pub queues: Vec<u64>,
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
    /// None where it was closed.
    ports: Vec<Option<Port>>,
    devices: Vec<String>,
    losses: Vec<Losses>,
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
    let options = EalOptions { devices: &names, workers: &rules.workers, frames: size, huge_pages: true };
    dpdk::may_lock_frames(&names, &size)?;
    let eal = Eal::init(&options)?;
    info!(memory = %eal.memory(), frames = size.count, frame_bytes = size.data_room, "DPDK is up");
    if eal.memory() == Memory::OrdinaryPages && names.iter().any(|device| dpdk::pci_address(device).is_some())
    {
        let wanted = size.bytes().div_ceil(2 << 20);
        warn!(
            "not enough huge pages are free: ordinary ones are slower, and not for every device (`sluice-bind --huge {wanted}` beside those that others use, then restart)"
        );
    }
    let mut pool = Mempool::new(eal, size)?;
    let interrupts = rules.idle == Idle::Interrupt;
    let (ports, queues) = dpdk::start(&rules.ports, workers, interrupts, &mut pool)?;
    for (port, rules) in ports.iter().zip(&rules.ports) {
        info!(
            port = port.name(), device = rules.device, driver = port.driver(), mac = %port.mac(), mtu = rules.mtu,
            queues = workers, "port is up"
        );
        if interrupts && !port.has_interrupts() {
            warn!(
                port = port.name(),
                driver = port.driver(),
                "no receive interrupts: workers go by `idle: sleep`"
            );
        }
    }
    let clock = Clock::new();
    let macs: Vec<_> = ports.iter().map(Port::mac).collect();
    // on the worker's own thread: pins it to its core and makes it one of DPDK's for as long as it runs
    let enter = |queues: &Queues, core| queues.register_thread(core).context("workers");
    let plan = Plan::new(rules, None, &macs, seed)?;
    let threads = Workers::start(plan, macs, seed, first, move || clock.now(), queues, enter)?;
    let losses = vec![Losses::default(); ports.len()];
    let ports = ports.into_iter().map(Some).collect();
    Ok((threads, Box::new(Live { ports, devices, losses, clock })))
}

impl Hardware for Live {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn tsc_hz(&self) -> Option<u64> {
        self.clock.hz()
    }

    fn links(&self) -> Vec<Link> {
        // a tap's driver asks for its interface by name where it started, and finds none once that is in a namespace
        let tap = |device: &str| device.starts_with("net_tap");
        let link = |(port, device): (&Option<Port>, &String)| match present(port) {
            None => Link::Gone,
            Some(port) if tap(device) || port.link().up => Link::Up,
            Some(_) => Link::Down,
        };
        self.ports.iter().zip(&self.devices).map(link).collect()
    }

    fn losses(&mut self) -> Vec<Losses> {
        for (port, losses) in self.ports.iter().zip(&mut self.losses) {
            // a device that is gone reads as ones
            if let Some(port) = present(port) {
                let PortStats { missed, receive_errors, no_memory, queues, .. } = port.stats();
                *losses = Losses { missed, errors: receive_errors, no_buffer: no_memory, queues };
            }
        }
        self.losses.clone()
    }

    fn wakes(&self) -> bool {
        self.ports.iter().flatten().all(Port::has_interrupts)
    }

    fn leaving(&self) -> Vec<(usize, Removal)> {
        let removal = |port: &Option<Port>| port.as_ref().and_then(Port::removal);
        self.ports.iter().map(removal).enumerate().filter_map(|(port, why)| Some((port, why?))).collect()
    }

    fn close(&mut self, port: usize) -> bool {
        self.ports[port].take().is_none_or(Port::close)
    }

    fn shut_down(&mut self) {
        // no sleep: it begins anew with each signal, and net_tap has the kernel send one for each frame
        let begun = Instant::now();
        while begun.elapsed() < DRAIN {
            std::thread::park_timeout(DRAIN.saturating_sub(begun.elapsed()));
        }
        for port in self.ports.iter_mut().filter_map(Option::take) {
            let name = port.name().to_owned();
            if !port.close() {
                warn!(port = name, "its device does not close, and is left to the kernel");
            }
        }
    }
}

fn present(port: &Option<Port>) -> Option<&Port> {
    port.as_ref().filter(|port| port.removal().is_none())
}
