//! Frames from and to DPDK ports: safe types over [`dpdk_sys`], and besides it the only place with `unsafe` code.
//!
//! The types enforce DPDK's order of things: [`Eal::init`] starts it, once; [`Mempool::new`] takes the [`Eal`]; ports
//! start with the [`Mempool`]; and each port gives every worker a queue pair that nobody else has.
//!
//! ```no_run
//! # fn run(rules: &rules::Rules) -> Result<(), pipeline::io::dpdk::Error> {
//! use pipeline::io::dpdk::{self, Clock, Eal, EalOptions, Mempool, PoolSize};
//!
//! let devices: Vec<&str> = rules.ports.iter().map(|port| port.device.as_str()).collect();
//! let size = PoolSize::of(&rules.ports, rules.workers.len());
//! let options = EalOptions { devices: &devices, workers: &rules.workers, frames: size, huge_pages: true };
//! let mut pool = Mempool::new(Eal::init(&options)?, size)?;
//! let (ports, queues) = dpdk::start(&rules.ports, rules.workers.len(), false, &mut pool)?;
//! let clock = Clock::new();
//! // a thread each: let _registered = queues.register_thread(core)?; then receive and transmit
//! # Ok(())
//! # }
//! ```
//!
//! Shutting down is dropping: a port stops and closes when its [`Port`] and the queues that use it are gone, and nobody waits
//! longer than a second for a device that does not respond. The EAL and the pool stay until the process ends, so that no
//! [`Mbuf`] can outlive its memory.

#![allow(unsafe_code)]

mod card;
mod clock;
mod device;
mod eal;
mod error;
mod locked;
mod mbuf;
mod mempool;
mod messages;
mod pages;
mod port;
mod queue;
mod removal;
mod size;
#[cfg(test)]
mod tests;
mod wait;

pub use card::{Card, most_queues, version};
pub use clock::Clock;
pub use eal::{Eal, EalOptions, Memory, pci_address};
pub use error::Error;
pub use locked::may_lock_frames;
pub use mbuf::Mbuf;
pub use mempool::Mempool;
pub use pages::in_huge_pages;
pub use port::{Link, Port, PortStats, start};
pub use queue::{Queue, Queues, Registered};
pub use removal::Removal;
pub use size::PoolSize;
