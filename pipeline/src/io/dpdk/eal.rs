//! DPDK's environment: its memory, its devices, its threads.

use std::ffi::{CString, c_char, c_int};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::error::{self, Error};
use super::messages;
use super::size::PoolSize;
use crate::io::machine::{HugePages, Machine};

/// What DPDK is started with.
#[derive(Debug, Clone, Copy)]
pub struct EalOptions<'a> {
    /// The devices of the ports, as in the rules: PCI addresses, or virtual devices with their arguments. DPDK touches
    /// no other; virtual ones it makes when their ports start.
    pub devices: &'a [&'a str],
    /// The workers' cores: memory is taken near them, and DPDK's own threads stay off them where there are others.
    pub workers: &'a [u16],
    /// The frames that there must be memory for.
    pub frames: PoolSize,
    /// Huge pages are used where enough are free; `false`: never.
    pub huge_pages: bool,
}

/// What DPDK's memory is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Huge pages.
    HugePages,
    /// Ordinary pages: slower, and not for every device.
    OrdinaryPages,
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Memory::HugePages => "huge pages",
            Memory::OrdinaryPages => "ordinary pages",
        })
    }
}

/// DPDK runs: there is one value in the life of a process, and DPDK runs until its end.
#[derive(Debug)]
pub struct Eal {
    memory: Memory,
}

impl Eal {
    /// Starts DPDK and the drivers of the PCI devices. A device without a driver is found out when its port starts.
    ///
    /// Nothing is left in the file system (without huge pages, an empty directory of DPDK's), several processes may run
    /// at once, and no privilege is needed beyond what the devices need. The calling thread keeps its cores.
    ///
    /// # Errors
    /// [`Error::AlreadyStarted`], [`Error::Core`], [`Error::Device`], or [`Error::Eal`] with DPDK's reason.
    pub fn init(options: &EalOptions<'_>) -> Result<Eal, Error> {
        static STARTED: AtomicBool = AtomicBool::new(false);

        let not_started = |cause: io::Error| Error::Eal { arguments: "reading its cores".to_owned(), cause };
        let cores = sched_getaffinity(None).map_err(|cause| not_started(cause.into()))?;
        let memory = if options.huge_pages && free_huge_pages() >= options.frames.bytes() {
            Memory::HugePages
        } else {
            Memory::OrdinaryPages
        };
        let arguments = arguments(options, &cores, memory)?;
        let shown = arguments.join(" ");
        let arguments = arguments
            .into_iter()
            .map(|argument| CString::new(argument.clone()).map_err(|_| Error::Device { device: argument }))
            .collect::<Result<Vec<CString>, Error>>()?;
        if STARTED.swap(true, Ordering::Relaxed) {
            return Err(Error::AlreadyStarted);
        }

        messages::listen();
        // DPDK may keep pointers into its arguments: they are never freed.
        let mut arguments: Vec<*mut c_char> = arguments.into_iter().map(CString::into_raw).collect();
        // SAFETY: the arguments are writable C strings; this is the only call of the process, by `STARTED`.
        let code = unsafe { dpdk_sys::rte_eal_init(arguments.len() as c_int, arguments.as_mut_ptr()) };
        let cause = error::last();
        sched_setaffinity(None, &cores).map_err(|cause| not_started(cause.into()))?;
        if code < 0 { Err(Error::Eal { arguments: shown, cause }) } else { Ok(Eal { memory }) }
    }

    /// What its memory is made of.
    pub fn memory(&self) -> Memory {
        self.memory
    }
}

fn arguments(options: &EalOptions<'_>, allowed: &CpuSet, memory: Memory) -> Result<Vec<String>, Error> {
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect();
    if let Some(&core) = options.workers.iter().find(|&&core| !allowed.contains(&usize::from(core))) {
        return Err(Error::Core { core, allowed: join(&allowed) });
    }
    // DPDK has one thread, the calling one, on all workers' cores: so its helper threads go elsewhere.
    let cores = if options.workers.is_empty() { join(&allowed) } else { join(options.workers) };
    let mut arguments = ["sluice", "--no-telemetry", "--log-level=error"].map(str::to_owned).to_vec();
    arguments.push(format!("--lcores=0@({cores})"));
    arguments.extend(match memory {
        // No files, not even for a moment.
        Memory::HugePages => vec!["--in-memory".to_owned()],
        // As above, but DPDK refuses `--in-memory` here. It takes all memory at its start.
        Memory::OrdinaryPages => {
            let mib = options.frames.bytes_of_ordinary_pages().div_ceil(1 << 20);
            vec!["--no-shconf".to_owned(), "--no-huge".to_owned(), format!("-m{mib}")]
        }
    });
    let pci: Vec<&&str> = options.devices.iter().filter(|device| pci_address(device).is_some()).collect();
    if pci.is_empty() {
        // Virtual devices need no physical addresses, which only root may know.
        arguments.extend(["--no-pci", "--iova-mode=va"].map(str::to_owned));
    }
    arguments.extend(pci.iter().map(|device| format!("--allow={device}")));
    Ok(arguments)
}

fn join(cores: &[impl ToString]) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Bytes of huge pages that nobody uses or has reserved.
fn free_huge_pages() -> usize {
    let bytes = |pages: HugePages| pages.free * pages.size_kib * 1024;
    Machine::at("/").huge_pages().into_iter().map(bytes).sum::<u64>() as usize
}

/// The PCI address of a device in its full form (`0000:03:00.0`), unless it is a virtual device.
pub fn pci_address(device: &str) -> Option<String> {
    let address = device.split(',').next()?;
    let hex = |text: &str, most: usize| match text.len() {
        len if len >= 1 && len <= most && text.bytes().all(|c| c.is_ascii_hexdigit()) => {
            u32::from_str_radix(text, 16).ok()
        }
        _ => None,
    };
    let (slot, function) = address.split_once('.')?;
    let (domain, bus, slot) = match slot.split(':').collect::<Vec<_>>()[..] {
        [domain, bus, slot] => (hex(domain, 8)?, bus, slot),
        [bus, slot] => (0, bus, slot),
        _ => return None,
    };
    Some(format!("{domain:04x}:{:02x}:{:02x}.{:x}", hex(bus, 2)?, hex(slot, 2)?, hex(function, 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cores(list: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        list.iter().for_each(|&core| set.set(core));
        set
    }

    fn options<'a>(devices: &'a [&'a str], workers: &'a [u16]) -> EalOptions<'a> {
        EalOptions { devices, workers, frames: PoolSize { count: 17_408, data_room: 2176 }, huge_pages: true }
    }

    #[test]
    fn pci_addresses_are_told_from_virtual_devices() {
        for device in ["0000:03:00.0", "03:00.0", "0000:03:00.0,rxq_cqe_comp_en=0"] {
            assert_eq!(pci_address(device).as_deref(), Some("0000:03:00.0"), "{device}");
        }
        for device in ["net_tap1,iface=sw.0", "net_null0", "03:00", "3:x.0", "", "net_pcap0,rx_pcap=a:b.c"] {
            assert_eq!(pci_address(device), None, "{device}");
        }
    }

    #[test]
    fn only_the_devices_asked_for_are_touched() {
        let pci = ["0000:03:00.0", "net_tap1,iface=swB"];
        let args = arguments(&options(&pci, &[1]), &cores(&[0, 1]), Memory::HugePages).unwrap();
        assert!(args.contains(&"--allow=0000:03:00.0".to_owned()));
        assert!(!args.contains(&"--no-pci".to_owned()));

        let args = arguments(&options(&["net_null0"], &[1]), &cores(&[0, 1]), Memory::HugePages).unwrap();
        assert!(args.contains(&"--no-pci".to_owned()));
        assert!(!args.iter().any(|arg| arg.starts_with("--allow")));
    }

    #[test]
    fn without_huge_pages_all_memory_is_asked_for_at_the_start() {
        let args = arguments(&options(&[], &[]), &cores(&[0]), Memory::OrdinaryPages).unwrap();
        assert!(args.contains(&"--no-huge".to_owned()) && args.contains(&"-m100".to_owned()), "{args:?}");
    }

    #[test]
    fn a_worker_on_a_core_that_is_not_ours_is_refused_by_its_number() {
        let error = arguments(&options(&[], &[1, 7]), &cores(&[0, 1]), Memory::HugePages).unwrap_err();
        assert!(error.to_string().contains("may not run on core 7, only on 0,1"), "{error}");
    }
}
