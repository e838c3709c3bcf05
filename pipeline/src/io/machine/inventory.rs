//! What `sluice ports` tells.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::cores::Cores;

/// The machine's Ethernet ports, and what a port needs of the machine. Its JSON is a stable interface: fields are added, never
/// renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The IOMMU is on: without it, vfio-pci takes no device.
    pub iommu: bool,
    /// The kernel's driver that hands a device to a process.
    pub vfio_pci: VfioPci,
    /// By size, the smallest first.
    pub huge_pages: Vec<HugePages>,
    /// By memory node that has a port: the cores for workers.
    #[serde(default)]
    pub cores: Vec<Cores>,
    /// What the machine lacks, whatever the port.
    pub obstacles: Vec<Obstacle>,
    /// By PCI address.
    pub ports: Vec<EthernetPort>,
}

/// Whether there is a vfio-pci.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VfioPci {
    /// It is loaded, or part of the kernel.
    Loaded,
    /// It can be loaded.
    Available,
    /// The kernel that runs has none.
    Missing,
}

/// Huge pages of one size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HugePages {
    /// Size of a page, in KiB.
    pub size_kib: u64,
    /// Pages.
    pub total: u64,
    /// Of those, neither used nor reserved by anybody.
    pub free: u64,
}

/// One Ethernet port: a PCI function of class 0200.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EthernetPort {
    /// PCI address: what a rules file calls `device`.
    pub pci: String,
    /// The kernel's interfaces on it: none once vfio-pci has it.
    pub interfaces: Vec<Interface>,
    /// Who made it.
    pub vendor: Id,
    /// What it is.
    pub device: Id,
    /// The kernel's driver that has it.
    pub driver: Option<String>,
    /// The kernel has a verbs device for it, by which DPDK drives Mellanox.
    pub verbs: bool,
    /// What the IOMMU cannot tell apart from it; none where it is not behind an IOMMU.
    pub iommu_group: Option<IommuGroup>,
    /// Processes that have its group open, as far as may be seen: root sees all.
    #[serde(default)]
    pub used_by: Vec<Process>,
    /// What DPDK's driver for it needs and is not installed: a library, and Debian's package of it.
    #[serde(default)]
    pub lacks: Vec<Library>,
    /// The memory that is near it, where the machine has several.
    pub numa_node: Option<u32>,
    /// What sluice can do with it.
    pub usable: Usable,
    /// What is to be done before sluice can use it, in this order; or what to know.
    pub obstacles: Vec<Obstacle>,
}

/// A PCI vendor or device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// Four hexadecimal digits.
    pub id: String,
    /// As the machine's pci.ids has it.
    pub name: Option<String>,
}

/// A network interface of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its link.
    pub link: Link,
    /// Mb/s, where the driver knows.
    pub speed_mbps: Option<u32>,
    /// The machine's default route leaves by it, or by an interface on top of it.
    pub default_route: bool,
}

/// A link, as the kernel's driver sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// There is a carrier.
    Up,
    /// There is none.
    Down,
    /// The interface is set down, and so the driver does not tell.
    Off,
}

/// Devices that the IOMMU cannot tell apart. vfio gives a process all of them or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IommuGroup {
    /// Its number.
    pub number: u32,
    /// What else is in it.
    pub others: Vec<GroupMember>,
}

/// A process that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its command's name.
    pub name: String,
}

/// A shared library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// Its file.
    pub file: String,
    /// Debian's package that has it.
    pub package: String,
}

/// Another device of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// PCI address.
    pub pci: String,
    /// PCI class, subclass and programming interface: six hexadecimal digits.
    pub class: String,
    /// The kernel's driver that has it.
    pub driver: Option<String>,
}

/// What sluice can do with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usable {
    /// Use it: it is bound as DPDK wants it.
    Now,
    /// Use it while its kernel driver keeps it: Mellanox.
    StaysBound,
    /// Use it after the command that its obstacles name.
    AfterBinding,
    /// Perhaps use it: no driver of DPDK is known here for it.
    Untried,
    /// Nothing, until its obstacles are gone.
    No,
}

/// Something that is missing or in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// Its kind.
    pub what: What,
    /// In words.
    pub why: String,
    /// What mends it: a command, a kernel option, a thing to do.
    pub mend: String,
}

/// The kinds of obstacles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The machine's default route leaves by the port.
    DefaultRoute,
    /// The IOMMU is off, or there is none.
    NoIommu,
    /// The IOMMU is on, but not for this device.
    OutsideIommu,
    /// Its IOMMU group has a device that the kernel keeps.
    GroupShared,
    /// The kernel that runs has no vfio-pci.
    NoVfioPci,
    /// vfio-pci is not loaded.
    VfioPciNotLoaded,
    /// A Mellanox port is not with its own driver.
    KernelDriverMissing,
    /// A Mellanox port without the kernel's interface for user-space verbs, by which DPDK drives it.
    NoVerbs,
    /// A library of DPDK's driver is not installed.
    LibraryMissing,
    /// No driver of DPDK is known here for the device.
    UnknownDevice,
    /// It is not bound to vfio-pci.
    NotBound,
    /// There are no free huge pages.
    NoHugePages,
}

impl Obstacle {
    pub(super) fn new(what: What, why: impl Into<String>, mend: impl Into<String>) -> Obstacle {
        Obstacle { what, why: why.into(), mend: mend.into() }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.why, self.mend)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.name)
    }
}

impl fmt::Display for GroupMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pci, self.driver.as_deref().unwrap_or("no driver"))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Link::Up => "up",
            Link::Down => "down",
            Link::Off => "off",
        })
    }
}

impl fmt::Display for VfioPci {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VfioPci::Loaded => "loaded",
            VfioPci::Available => "not loaded",
            VfioPci::Missing => "missing",
        })
    }
}

impl fmt::Display for Usable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Usable::Now => "usable",
            Usable::StaysBound => "usable, stays bound",
            Usable::AfterBinding => "usable after binding",
            Usable::Untried => "unknown to sluice, try it",
            Usable::No => "not usable",
        })
    }
}
