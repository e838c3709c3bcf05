//! The machine that DPDK would run on, as the kernel tells of it: Ethernet ports, IOMMU, huge pages. Files are read and
//! nothing is changed: it needs no privilege, and DPDK is not started.
//!
//! References: the kernel's Documentation/ABI/testing/sysfs-bus-pci, sysfs-class-net, sysfs-class-iommu and
//! Documentation/driver-api/vfio.rst; DPDK's guide "Linux Drivers".

mod cores;
mod drivers;
mod inventory;
mod judge;
mod pci_ids;
mod sysfs;

pub use cores::Cores;
pub use inventory::{
    EthernetPort, GroupMember, HugePages, Id, Interface, Inventory, IommuGroup, Library, Link, Obstacle,
    Process, Usable, VfioPci, What,
};
pub use sysfs::Machine;
