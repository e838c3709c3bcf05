//! What sluice can do with a port, and what is in the way.

use super::drivers::{VFIO_PCI, Way, is_handed_over, way};
use super::inventory::{EthernetPort, GroupMember, Inventory, Obstacle, Usable, VfioPci, What};

/// Fills in `usable` and `obstacles` of every port: these depend on the other ports too.
pub(super) fn judge(inventory: &mut Inventory) {
    let verdicts: Vec<_> = inventory.ports.iter().map(|port| verdict(inventory, port)).collect();
    for (port, (usable, obstacles)) in inventory.ports.iter_mut().zip(verdicts) {
        port.usable = usable;
        port.obstacles = obstacles;
    }
}

fn verdict(machine: &Inventory, port: &EthernetPort) -> (Usable, Vec<Obstacle>) {
    let mut obstacles = Vec::new();
    if let Some(interface) = default_route(port) {
        let why = format!(
            "the machine's default route leaves by {interface}, and sluice would take the port whole"
        );
        let mend = "let the machine be reached by another port first";
        obstacles.push(Obstacle::new(What::DefaultRoute, why, mend));
    }
    let way = way(&port.vendor.id, port.driver.as_deref());
    if way == Way::Shared {
        obstacles.extend(kernel_driver(port));
        obstacles.extend(port.lacks.iter().map(|library| {
            let why = format!("DPDK's driver for it needs {}", library.file);
            Obstacle::new(What::LibraryMissing, why, format!("apt install {}", library.package))
        }));
        let usable = if obstacles.is_empty() { Usable::StaysBound } else { Usable::No };
        return (usable, obstacles);
    }
    let is_bound = is_handed_over(port.driver.as_deref());
    // who bound it to something else than vfio-pci had reasons, and needs no IOMMU
    let bind = if is_bound && port.driver.as_deref() != Some(VFIO_PCI) {
        Vec::new()
    } else {
        let (bind, in_the_way) = isolation(machine, port);
        obstacles.extend(in_the_way);
        bind
    };
    let is_blocked = !obstacles.is_empty();
    if way == Way::Unknown {
        let (why, mend) = ("no driver of DPDK is known here for this device", "it may have one: try it");
        obstacles.push(Obstacle::new(What::UnknownDevice, why, mend));
    }
    // one that must not be bound is not told how to be
    if !is_bound && default_route(port).is_none() {
        let why = match &port.driver {
            Some(driver) => format!("the kernel's driver {driver} has it"),
            None => "no driver has it".to_owned(),
        };
        obstacles.push(Obstacle::new(What::NotBound, why, format!("sluice-bind {}", bind.join(" "))));
    }
    let usable = match way {
        _ if is_blocked => Usable::No,
        Way::Unknown => Usable::Untried,
        _ if is_bound => Usable::Now,
        _ => Usable::AfterBinding,
    };
    (usable, obstacles)
}

fn default_route(port: &EthernetPort) -> Option<&str> {
    port.interfaces.iter().find(|interface| interface.default_route).map(|interface| interface.name.as_str())
}

/// What a Mellanox port lacks: mlx4 and mlx5 drive it by the kernel's verbs (DPDK's guide "Linux Drivers", "Bifurcated
/// Driver").
fn kernel_driver(port: &EthernetPort) -> Option<Obstacle> {
    let driver = port.driver.as_deref();
    if is_handed_over(driver) {
        let (why, mend) =
            ("it must stay with the kernel's driver", format!("sluice-bind --undo {}", port.pci));
        return Some(Obstacle::new(What::KernelDriverMissing, why, mend));
    }
    let Some(driver) = driver else {
        let (why, mend) = ("its kernel driver is not loaded", "modprobe mlx5_core (ConnectX-3: mlx4_core)");
        return Some(Obstacle::new(What::KernelDriverMissing, why, mend));
    };
    (!port.verbs).then(|| {
        let generation = driver.trim_end_matches("_core");
        let mend = format!("modprobe -a ib_uverbs {generation}_ib");
        Obstacle::new(What::NoVerbs, "the kernel has no verbs device for it", mend)
    })
}

/// Which ports must be bound together for vfio to give this one away, and what prevents it.
fn isolation(machine: &Inventory, port: &EthernetPort) -> (Vec<String>, Vec<Obstacle>) {
    let mut bind = vec![port.pci.clone()];
    let mut obstacles = Vec::new();
    // they say the same of all ports: their cure stands with the machine
    let of_machine = |what| machine.obstacles.iter().filter(move |obstacle| obstacle.what == what).cloned();
    if machine.vfio_pci == VfioPci::Missing {
        obstacles.extend(of_machine(What::NoVfioPci));
    }
    match &port.iommu_group {
        Some(group) => {
            let keeps = |member: &&GroupMember| is_kept(member);
            let (with_it, kept): (Vec<_>, Vec<_>) =
                group.others.iter().filter(keeps).partition(|member| can_follow(machine, member));
            bind.extend(with_it.iter().map(|member| member.pci.clone()));
            bind.sort();
            if !kept.is_empty() {
                let named: Vec<_> = kept.iter().map(ToString::to_string).collect();
                let why = format!("it shares IOMMU group {} with {}", group.number, named.join(", "));
                let mend = "another slot, or a slot whose bridge has ACS: vfio takes a group whole";
                obstacles.push(Obstacle::new(What::GroupShared, why, mend));
            }
        }
        None if machine.iommu => {
            let (why, mend) = (
                "the IOMMU is on, but not for this device",
                "another slot; a virtual one: iommu_platform=on",
            );
            obstacles.push(Obstacle::new(What::OutsideIommu, why, mend));
        }
        None => obstacles.extend(of_machine(What::NoIommu)),
    }
    (bind, obstacles)
}

/// A device of a group that keeps vfio from giving away the others: the kernel uses it, and it is no bridge
/// (Documentation/driver-api/vfio.rst).
fn is_kept(member: &GroupMember) -> bool {
    let driver = member.driver.as_deref();
    driver.is_some()
        && !is_handed_over(driver)
        && driver != Some("pci-stub")
        && !member.class.starts_with("06")
}

/// The device can be bound along: it is a port too, and may be.
fn can_follow(machine: &Inventory, member: &GroupMember) -> bool {
    machine.ports.iter().any(|port| {
        port.pci == member.pci
            && default_route(port).is_none()
            && way(&port.vendor.id, port.driver.as_deref()) != Way::Shared
    })
}
