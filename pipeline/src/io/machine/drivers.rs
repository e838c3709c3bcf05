//! Which ports DPDK 22.11 has a driver for, and how it wants them. No list of all devices: the kernel's driver says what a
//! device is, and where it has none, or vfio-pci has it, the vendor does.

/// How DPDK drives a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By itself, when vfio-pci has the device.
    Vfio,
    /// With the kernel's driver, which keeps the device.
    Shared,
    /// Not, as far as is known here.
    Unknown,
}

/// Drivers that hand a device to a process: they say nothing of what it is.
const HANDED_OVER: [&str; 3] = [VFIO_PCI, "uio_pci_generic", "igb_uio"];

pub(super) const VFIO_PCI: &str = "vfio-pci";

const MELLANOX: &str = "15b3";

/// The kernel's drivers of devices that DPDK drives alone: Intel, virtio, VMware, Broadcom, Amazon.
const VFIO: [&str; 14] = [
    "e1000",
    "e1000e",
    "igb",
    "igbvf",
    "igc",
    "ixgbe",
    "ixgbevf",
    "i40e",
    "iavf",
    "ice",
    "virtio-pci",
    "vmxnet3",
    "bnxt_en",
    "ena",
];

/// Their vendors, where all Ethernet ports are such: Intel, virtio, VMware, Amazon. Not Broadcom, whose other ports
/// (tg3) DPDK does not drive.
const VENDORS: [&str; 4] = ["8086", "1af4", "15ad", "1d0f"];

/// A process can have the device: its driver is vfio-pci or one like it.
pub(super) fn is_handed_over(driver: Option<&str>) -> bool {
    driver.is_some_and(|driver| HANDED_OVER.contains(&driver))
}

/// What DPDK's driver of a Mellanox port is made of, and Debian's packages of that.
pub(super) fn libraries(vendor: &str, driver: Option<&str>) -> Vec<(String, String)> {
    if vendor != MELLANOX {
        return Vec::new();
    }
    // without a driver it is as likely as not, and most are
    let generation = if driver == Some("mlx4_core") { "mlx4" } else { "mlx5" };
    vec![
        (format!("librte_net_{generation}.so.23"), format!("librte-net-{generation}-23")),
        ("libibverbs.so.1".to_owned(), "libibverbs1".to_owned()),
        (format!("lib{generation}.so.1"), "ibverbs-providers".to_owned()),
    ]
}

pub(super) fn way(vendor: &str, driver: Option<&str>) -> Way {
    let own = driver.filter(|_| !is_handed_over(driver));
    match own {
        // mlx4 and mlx5: every Ethernet port that Mellanox made since ConnectX-3
        _ if vendor == MELLANOX => Way::Shared,
        Some(driver) if VFIO.contains(&driver) => Way::Vfio,
        None if VENDORS.contains(&vendor) => Way::Vfio,
        _ => Way::Unknown,
    }
}
