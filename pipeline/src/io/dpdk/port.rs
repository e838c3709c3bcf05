//! Ports: found by their device, set up as the rules say, or refused with what they cannot do.

use std::ffi::{CStr, CString};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use dpdk_sys::{rte_eth_conf, rte_eth_dev_info};
use rules::Mac;

use super::device::Device;
use super::eal::pci_address;
use super::error::{self, Error};
use super::mempool::Mempool;
use super::queue::{Queue, Queues};
use super::removal::{Removal, Watch};
use super::size::{DESCRIPTORS, wire_mtu};
use super::wait::is_armed;
use super::{locked, messages};
use crate::io::machine::{Machine, Process};

const ENOTSUP: i32 = rustix::io::Errno::NOTSUP.raw_os_error();

/// Drivers that hold an interrupt back for up to 17 ms after the last (`eth_em_start` sets `E1000_ITR` so), and their patience.
const HELD_BACK: (&str, Duration) = ("net_e1000_em", Duration::from_millis(20));
/// What the others need at the most: ixgbe, half a millisecond.
const SETTLED: Duration = Duration::from_millis(1);

/// Drivers whose `imissed` does not count the frames that a full queue lost: `q_errors` does (ixgbe: QPRDC; igc: RQDPC).
const MISSED_BY_QUEUE: [&str; 2] = ["net_ixgbe", "net_igc"];

/// Starts all ports, and gives each worker a queue pair of every one of them; with their receive interrupts, where that is
/// asked for and they have some.
///
/// # Errors
/// As [`Port::start`], for the first port that fails. [`Error::Locked`] where a device does not reach all frames.
pub fn start(
    ports: &[rules::Port],
    workers: usize,
    interrupts: bool,
    pool: &mut Mempool,
) -> Result<(Vec<Port>, Vec<Queues>), Error> {
    let mut started = Vec::with_capacity(ports.len());
    let mut queues: Vec<Vec<Queue>> = (0..workers).map(|_| Vec::with_capacity(ports.len())).collect();
    for port in ports {
        let (port, pairs) = Port::start(port, workers, interrupts, pool)?;
        started.push(port);
        for (worker, pair) in queues.iter_mut().zip(pairs) {
            worker.push(pair);
        }
    }
    if messages::unmapped() {
        return Err(locked::refused(locked::limit(), pool.size()));
    }
    Ok((started, queues.into_iter().map(|queues| Queues::new(queues, pool)).collect()))
}

/// A running port. It stops and closes when this and its queues have been dropped.
#[derive(Debug)]
pub struct Port {
    name: String,
    mac: Mac,
    driver: String,
    queues: usize,
    interrupts: bool,
    pub(super) device: Arc<Device>,
}

/// Whether a port is connected, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Connected.
    pub up: bool,
    /// Megabits a second; `None` where the device does not know.
    pub mbit: Option<u32>,
}

/// What a device counts by itself, since it started. Frames that it lost before any worker saw them are in no books.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortStats {
    /// Frames received.
    pub received: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Frames transmitted.
    pub transmitted: u64,
    /// Bytes transmitted.
    pub transmitted_bytes: u64,
    /// Frames lost because the receive queue was full: the workers were too slow.
    pub missed: u64,
    /// Frames received damaged, or larger than the MTU.
    pub receive_errors: u64,
    /// Frames that could not be transmitted.
    pub transmit_errors: u64,
    /// Times that no free frame was left to receive into.
    pub no_memory: u64,
    /// Of all these, the frames that each receive queue lost, where the driver tells them apart; zeros where it does not.
    pub queues: Vec<u64>,
}

impl Port {
    /// Finds the port's device and starts it with so many queue pairs: promiscuous, as a bridge must be, with the MTU of
    /// the rules and room for their tags, with tags left in the frames, and with receive queues that share the flows
    /// by IP addresses and TCP or UDP ports where the device can do that; with their interrupts, if `interrupts` and the
    /// device has them for each.
    ///
    /// Ports start one at a time, which `&mut` sees to: DPDK's set-up functions are not for several threads.
    ///
    /// # Errors
    /// [`Error::NoPort`], [`Error::Queues`], [`Error::Mtu`]; [`Error::Port`] for whatever else the device refuses.
    pub fn start(
        port: &rules::Port,
        queues: usize,
        interrupts: bool,
        pool: &mut Mempool,
    ) -> Result<(Port, Vec<Queue>), Error> {
        let (id, info) = found(port)?;
        let can = info.max_rx_queues.min(info.max_tx_queues);
        let pairs = u16::try_from(queues).unwrap_or(u16::MAX);
        if pairs > can {
            let (port, device) = (port.name.clone(), port.device.clone());
            return Err(Error::Queues { port, device, can, wanted: queues });
        }
        let wakes = if interrupts { start_with_interrupts(port, id, &info, pairs, pool) } else { None };
        if wakes.is_none() {
            configure(port, id, &info, pairs, false, pool)?;
        }

        let driver = driver(&info);
        let silence = if driver == HELD_BACK.0 { HELD_BACK.1 } else { SETTLED };
        let device = Arc::new(Device::new(id, Watch::new(id, &port.device)));
        let interrupts = wakes.is_some();
        let mut wakes = wakes.into_iter().flatten();
        let queues: Vec<Queue> = (0..pairs)
            .map(|index| {
                let wake = wakes.next().map(|fd| (fd, silence));
                // SAFETY: the device was started with `pairs` queues each way, and each index is given once: a second
                // start fails in `configure`, for DPDK configures no running device (EBUSY), and it runs while a queue
                // lives; so long is the descriptor open.
                unsafe { Queue::new(Arc::clone(&device), index, wake) }
            })
            .collect();
        let mac = mac(id).map_err(|cause| failed(port, "reading its MAC address", cause))?;
        Ok((Port { name: port.name.clone(), mac, driver, queues: queues.len(), interrupts, device }, queues))
    }

    /// Stops and closes the device, so that the kernel can take it back, and waits a second for that; `false` where it takes
    /// longer (a driver may wait tens of seconds for a dead device), which then goes on by itself, or while a queue of it is left.
    pub fn close(self) -> bool {
        Arc::into_inner(self.device).is_some_and(Device::close)
    }

    /// Why its device can be used no longer; `None` while it can.
    pub fn removal(&self) -> Option<Removal> {
        self.device.watch().removal()
    }

    /// It can wake the workers.
    pub fn has_interrupts(&self) -> bool {
        self.interrupts
    }

    /// Its name in the YAML.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// DPDK's driver that has the device, as DPDK calls it: `net_e1000_igb`.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// The device's own address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// Whether it is connected, now; down where the device does not say.
    pub fn link(&self) -> Link {
        let mut link = dpdk_sys::rte_eth_link::default();
        // SAFETY: the port is open as long as `self` is; `link` is DPDK's to write.
        let code = unsafe { dpdk_sys::rte_eth_link_get_nowait(self.device.id(), &mut link) };
        let known = link.link_speed != dpdk_sys::RTE_ETH_SPEED_NUM_UNKNOWN && link.link_speed != 0;
        Link {
            up: code == 0 && u32::from(link.link_status()) == dpdk_sys::RTE_ETH_LINK_UP,
            mbit: known.then_some(link.link_speed),
        }
    }

    /// The device's counters, now; zeros where it has none.
    pub fn stats(&self) -> PortStats {
        let mut stats = dpdk_sys::rte_eth_stats::default();
        // SAFETY: the port is open as long as `self` is; `stats` is DPDK's to write. DPDK zeroes it first.
        let _ = unsafe { dpdk_sys::rte_eth_stats_get(self.device.id(), &mut stats) };
        let queues: Vec<u64> = stats.q_errors.iter().take(self.queues).copied().collect();
        let apart = MISSED_BY_QUEUE.contains(&self.driver.as_str());
        PortStats {
            received: stats.ipackets,
            received_bytes: stats.ibytes,
            transmitted: stats.opackets,
            transmitted_bytes: stats.obytes,
            missed: stats.imissed + if apart { queues.iter().sum() } else { 0 },
            receive_errors: stats.ierrors,
            transmit_errors: stats.oerrors,
            no_memory: stats.rx_nombuf,
            queues,
        }
    }
}

/// The port that DPDK made of a device, by the device's name: a PCI address, or what precedes a virtual one's arguments.
fn find(device: &str) -> Option<(u16, rte_eth_dev_info)> {
    let wanted = pci_address(device).or_else(|| device.split(',').next().map(str::to_owned))?;
    // SAFETY: only reads DPDK's list of ports; there is a pool, so the EAL runs.
    let next = |from| u32::from(unsafe { dpdk_sys::rte_eth_find_next(from) });
    let mut id = next(0);
    while id < dpdk_sys::RTE_MAX_ETHPORTS {
        let mut info = rte_eth_dev_info::default();
        // SAFETY: `id` is a port; `info` is DPDK's to write.
        let known = unsafe { dpdk_sys::rte_eth_dev_info_get(id as u16, &mut info) } == 0;
        if known && !info.device.is_null() {
            // SAFETY: the device of a port that exists, whose name is a C string.
            let name = unsafe { CStr::from_ptr(dpdk_sys::rte_dev_name(info.device)) };
            if name.to_bytes() == wanted.as_bytes() {
                return Some((id as u16, info));
            }
        }
        id = next(id as u16 + 1);
    }
    None
}

fn driver(info: &rte_eth_dev_info) -> String {
    // SAFETY: DPDK filled it in: the driver's name is a C string as long as the driver is loaded, which is for ever.
    unsafe { CStr::from_ptr(info.driver_name) }.to_string_lossy().into_owned()
}

/// The port of a device in the rules.
pub(super) fn found(port: &rules::Port) -> Result<(u16, rte_eth_dev_info), Error> {
    let (name, device) = (port.name.clone(), port.device.clone());
    find_or_make(&port.device).map_err(|advice| Error::NoPort { port: name, device, advice })
}

/// The port of a device, or what to do so that there will be one. A virtual device is made now.
fn find_or_make(device: &str) -> Result<(u16, rte_eth_dev_info), String> {
    if let Some(found) = find(device) {
        return Ok(found);
    }
    if let Some(address) = pci_address(device) {
        return Err(pci_advice(&address));
    }
    let arguments = CString::new(device).map_err(|_| "its name has a NUL character".to_owned())?;
    // What it returns says less than its messages: EPERM also for a file that is not there.
    // SAFETY: the EAL runs, for there is a pool; one thread does this (see `Port::start`); DPDK copies the arguments.
    let _ = unsafe { dpdk_sys::rte_dev_probe(arguments.as_ptr()) };
    find(device).ok_or_else(|| {
        "DPDK's messages on standard error say why. It is no virtual device that DPDK knows, its arguments are wrong, \
         or a privilege is missing (net_tap and others need CAP_NET_ADMIN and CAP_NET_RAW)"
            .to_owned()
    })
}

fn is_another(process: &Process) -> bool {
    process.pid != std::process::id()
}

/// What to do about a PCI device of which DPDK made no port.
fn pci_advice(address: &str) -> String {
    let Ok(machine) = Machine::at("/").inventory() else {
        return "`sluice ports` says why".to_owned();
    };
    match machine.ports.into_iter().find(|port| port.pci == address) {
        None => {
            "there is no such PCI device, or it is no Ethernet port (`sluice ports` lists them)".to_owned()
        }
        Some(port) if port.obstacles.is_empty() && port.used_by.iter().any(is_another) => {
            let others: Vec<String> =
                port.used_by.iter().filter(|user| is_another(user)).map(ToString::to_string).collect();
            format!("{} uses it: end that first (`sluice ports` lists who uses which)", others.join(", "))
        }
        Some(port) if port.obstacles.is_empty() => format!(
            "its driver is {}, as it should be; does another process use it, may this process open /dev/vfio, and \
             (Mellanox) is rdma-core installed?",
            port.driver.unwrap_or_default()
        ),
        Some(port) => port.obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

fn failed(port: &rules::Port, step: &'static str, cause: io::Error) -> Error {
    Error::Port { port: port.name.clone(), device: port.device.clone(), step, cause }
}

/// Starts the device with receive interrupts: what wakes who waits for its queues, one after another. `None` where it has
/// none, and then it is stopped.
fn start_with_interrupts(
    port: &rules::Port,
    id: u16,
    info: &rte_eth_dev_info,
    pairs: u16,
    pool: &Mempool,
) -> Option<Vec<i32>> {
    // whatever fails here is told where it fails without interrupts too
    let started = configure(port, id, info, pairs, true, pool).is_ok();
    let interrupt = |queue| {
        // SAFETY: `id` is a started port with that queue, which nobody uses yet.
        let fd = unsafe { dpdk_sys::rte_eth_dev_rx_intr_ctl_q_get_fd(id, queue) };
        // SAFETY: as above.
        let can = unsafe {
            is_armed(dpdk_sys::rte_eth_dev_rx_intr_enable(id, queue))
                && is_armed(dpdk_sys::rte_eth_dev_rx_intr_disable(id, queue))
        };
        (fd >= 0 && can).then_some(fd)
    };
    let wakes = if started { (0..pairs).map(interrupt).collect() } else { None };
    if wakes.is_none() {
        // SAFETY: `id` is a port that no queue was given out of. One that did not start need not stop.
        let _ = unsafe { dpdk_sys::rte_eth_dev_stop(id) };
    }
    wakes
}

/// Sets the device up and starts it.
fn configure(
    port: &rules::Port,
    id: u16,
    info: &rte_eth_dev_info,
    pairs: u16,
    interrupts: bool,
    pool: &Mempool,
) -> Result<(), Error> {
    let check = |step, code| if code < 0 { Err(failed(port, step, error::returned(code))) } else { Ok(()) };
    let is_virtual = pci_address(&port.device).is_none();
    let most = largest_mtu(info);
    // A device at its limit still takes tags on top of it: drivers count with them (net_tap with two).
    let mtu = wire_mtu(port).min(most);

    let mut conf = rte_eth_conf::default();
    conf.rxmode.mtu = u32::from(mtu);
    // Links are looked at: on e1000 there is one interrupt, for the link or for frames.
    conf.intr_conf.set_rxq(u32::from(interrupts));
    // SAFETY: a driver's flags, which live as long as the driver.
    let flags = unsafe { info.dev_flags.as_ref() }.copied().unwrap_or_default();
    conf.intr_conf.set_rmv(u32::from(flags & dpdk_sys::RTE_ETH_DEV_INTR_RMV != 0));
    let spread = u64::from(dpdk_sys::RTE_ETH_RSS_IP | dpdk_sys::RTE_ETH_RSS_TCP | dpdk_sys::RTE_ETH_RSS_UDP)
        & info.flow_type_rss_offloads;
    if pairs > 1 && spread != 0 {
        conf.rxmode.mq_mode = dpdk_sys::rte_eth_rx_mq_mode_RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = spread;
    }
    // Legal because all frames are from one pool and none is ever shared.
    conf.txmode.offloads = u64::from(dpdk_sys::RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE) & info.tx_offload_capa;

    // SAFETY: here and below: `id` is a port, set up by one thread (see `Port::start`); DPDK copies what it is given by
    // reference, and the pool lives as long as the process.
    let code = unsafe { dpdk_sys::rte_eth_dev_configure(id, pairs, pairs, &conf) };
    check("configuring it", code)?;

    // SAFETY: as above.
    let code = unsafe { dpdk_sys::rte_eth_dev_set_mtu(id, mtu) };
    // A virtual device without an MTU has no such limit either, whatever it says (net_memif: 1518-byte frames).
    if !(code == -ENOTSUP && is_virtual) && (mtu < port.mtu || code < 0 && code != -ENOTSUP) {
        let cause =
            if mtu < port.mtu { format!("it can do {most}") } else { error::returned(code).to_string() };
        let (port, device, wanted) = (port.name.clone(), port.device.clone(), port.mtu);
        return Err(Error::Mtu { port, device, wanted, cause });
    }

    let (mut receive, mut transmit) = (DESCRIPTORS, DESCRIPTORS);
    // SAFETY: as above.
    let code = unsafe { dpdk_sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, &mut receive, &mut transmit) };
    check("sizing its queues", code)?;
    // A full queue must not stop those of other workers, as it does where the card waits for room in it (82599: all of the
    // port's). With one queue there is nobody to protect, and waiting saves what the card's own memory can hold.
    let mut receive_conf = info.default_rxconf;
    receive_conf.rx_drop_en |= u8::from(pairs > 1);
    let mut transmit_conf = info.default_txconf;
    transmit_conf.offloads = conf.txmode.offloads;
    // SAFETY: as above.
    let socket = unsafe { dpdk_sys::rte_eth_dev_socket_id(id) } as u32;
    for queue in 0..pairs {
        let set_up = |conf| {
            // SAFETY: as above.
            unsafe { dpdk_sys::rte_eth_rx_queue_setup(id, queue, receive, socket, conf, pool.raw().as_ptr()) }
        };
        let code = match set_up(&receive_conf) {
            // a driver that cannot drop (nobody promises that such ask for nothing else)
            code if code < 0 && pairs > 1 => set_up(&info.default_rxconf),
            code => code,
        };
        check("setting up a receive queue", code)?;
        // Counters for each queue: by default ixgbe counts all in one. Most have nothing to set.
        // SAFETY: as above.
        let _ = unsafe { dpdk_sys::rte_eth_dev_set_rx_queue_stats_mapping(id, queue, queue as u8) };
        // SAFETY: as above.
        let code = unsafe { dpdk_sys::rte_eth_tx_queue_setup(id, queue, transmit, socket, &transmit_conf) };
        check("setting up a transmit queue", code)?;
    }

    // SAFETY: as above.
    let code = unsafe { dpdk_sys::rte_eth_promiscuous_enable(id) };
    // A virtual device without such a mode has no address filter either.
    if !(code == -ENOTSUP && is_virtual) {
        check("receiving frames for others (a virtual function must be trusted by its host)", code)?;
    }
    // SAFETY: as above.
    check("starting it", unsafe { dpdk_sys::rte_eth_dev_start(id) })
}

/// The largest MTU that a device admits to, counted as DPDK does: what a driver needs besides is the difference of its
/// two limits where it knows both.
fn largest_mtu(info: &rte_eth_dev_info) -> u16 {
    if info.max_mtu != u16::MAX || info.max_rx_pktlen == 0 {
        return info.max_mtu;
    }
    let besides = dpdk_sys::RTE_ETHER_HDR_LEN + dpdk_sys::RTE_ETHER_CRC_LEN;
    u16::try_from(info.max_rx_pktlen.saturating_sub(besides)).unwrap_or(u16::MAX)
}

fn mac(id: u16) -> Result<Mac, io::Error> {
    let mut address = dpdk_sys::rte_ether_addr::default();
    // SAFETY: `id` is a port; `address` is DPDK's to write.
    match unsafe { dpdk_sys::rte_eth_macaddr_get(id, &mut address) } {
        0 => Ok(Mac::from_bytes(address.addr_bytes)),
        code => Err(error::returned(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(max_mtu: u16, max_rx_pktlen: u32) -> rte_eth_dev_info {
        rte_eth_dev_info { max_mtu, max_rx_pktlen, ..Default::default() }
    }

    #[test]
    fn the_largest_mtu_is_what_the_driver_says_in_either_of_its_ways() {
        assert_eq!(largest_mtu(&info(9702, 9728)), 9702);
        assert_eq!(largest_mtu(&info(u16::MAX, 1522)), 1504);
        assert_eq!(largest_mtu(&info(u16::MAX, u32::MAX)), u16::MAX);
    }

    #[test]
    fn a_pci_device_that_is_not_there_is_said_not_to_be() {
        assert!(pci_advice("ffff:ff:1f.7").contains("no such PCI device"));
    }
}
