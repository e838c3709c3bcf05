//! `sluice ports`: the machine's Ethernet ports, what the bridge can do with each, and what mends what it cannot.

use std::fmt::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use super::common::print;
use crate::io::machine::{EthernetPort, HugePages, Id, Interface, Inventory, Machine, What};

pub(super) fn ports(json: bool) -> anyhow::Result<ExitCode> {
    let inventory = Machine::at("/").inventory().context("/sys/bus/pci/devices")?;
    print(&if json { serde_json::to_string_pretty(&inventory)? + "\n" } else { text(&inventory)? })
}

fn text(machine: &Inventory) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let pages: Vec<String> = machine.huge_pages.iter().map(pages).collect();
    let mut row = |name, state: &str, whats: &[What]| {
        let mends = machine.obstacles.iter().filter(|obstacle| whats.contains(&obstacle.what));
        let mends: String = mends.map(|obstacle| format!(": {}", obstacle.mend)).collect();
        writeln!(text, "{name:<10}  {state}{mends}")
    };
    row("IOMMU", if machine.iommu { "on" } else { "off" }, &[What::NoIommu])?;
    row("vfio-pci", &machine.vfio_pci.to_string(), &[What::NoVfioPci, What::VfioPciNotLoaded])?;
    let pages = if pages.is_empty() { "none".to_owned() } else { pages.join(", ") };
    row("huge pages", &pages, &[What::NoHugePages])?;
    for cores in &machine.cores {
        row("cores", &cores.to_string(), &[])?;
    }
    if machine.ports.is_empty() {
        writeln!(text, "\nno Ethernet port on the PCI bus")?;
        return Ok(text);
    }
    let (port, interface, driver, link) = ("port", "interface", "driver", "link");
    writeln!(
        text,
        "\n{port:<12}  {interface:<12} {driver:<10} {link:<16} {:>4} {:>5}  for sluice",
        "node", "group"
    )?;
    for port in &machine.ports {
        write_port(&mut text, machine, port)?;
    }
    Ok(text)
}

fn write_port(text: &mut String, machine: &Inventory, port: &EthernetPort) -> fmt::Result {
    let joined = |part: fn(&Interface) -> String| match port.interfaces.iter().map(part).collect::<Vec<_>>() {
        parts if parts.is_empty() => "-".to_owned(),
        parts => parts.join(", "),
    };
    writeln!(
        text,
        "{:<12}  {:<12} {:<10} {:<16} {:>4} {:>5}  {}",
        port.pci,
        joined(|interface| interface.name.clone()),
        port.driver.as_deref().unwrap_or("-"),
        joined(link),
        some(port.numa_node),
        some(port.iommu_group.as_ref().map(|group| group.number)),
        port.usable
    )?;
    let mut line = |what: &str| writeln!(text, "{:14}{what}", "");
    line(&device(&port.vendor, &port.device))?;
    let others = port.iommu_group.iter().flat_map(|group| &group.others);
    let others: Vec<String> = others.map(ToString::to_string).collect();
    if !others.is_empty() {
        line(&format!("in its IOMMU group: {}", others.join(", ")))?;
    }
    for process in &port.used_by {
        line(&format!("{process} uses it"))?;
    }
    for obstacle in &port.obstacles {
        if machine.obstacles.contains(obstacle) {
            line(&format!("{}: see above", obstacle.why))?; // said once, not at each port
        } else {
            line(&obstacle.to_string())?;
        }
    }
    Ok(())
}

fn link(interface: &Interface) -> String {
    match interface.speed_mbps {
        Some(speed) => format!("{}, {speed} Mb/s", interface.link),
        None => interface.link.to_string(),
    }
}

fn device(vendor: &Id, device: &Id) -> String {
    let ids = format!("[{}:{}]", vendor.id, device.id);
    [vendor.name.as_deref(), device.name.as_deref(), Some(&ids)]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

fn pages(pages: &HugePages) -> String {
    let HugePages { size_kib, total, free } = pages;
    let (shift, unit) = match size_kib {
        ..1024 => (0, "KiB"),
        1024..1_048_576 => (10, "MiB"),
        _ => (20, "GiB"),
    };
    format!("{total} of {} {unit} ({free} free)", size_kib >> shift)
}

fn some(number: Option<u32>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::machine::{Cores, IommuGroup, Link, Obstacle, Usable, VfioPci};

    fn port(
        pci: &str,
        interface: Option<(&str, Link, Option<u32>)>,
        driver: &str,
        device: &str,
    ) -> EthernetPort {
        let interface = interface.map(|(name, link, speed_mbps)| Interface {
            name: name.to_owned(),
            link,
            speed_mbps,
            default_route: false,
        });
        EthernetPort {
            pci: pci.to_owned(),
            interfaces: interface.into_iter().collect(),
            vendor: Id { id: "8086".to_owned(), name: Some("Intel Corporation".to_owned()) },
            device: Id { id: "10fb".to_owned(), name: Some(device.to_owned()) },
            driver: Some(driver.to_owned()),
            verbs: false,
            iommu_group: Some(IommuGroup { number: 14, others: vec![] }),
            used_by: Vec::new(),
            lacks: Vec::new(),
            numa_node: None,
            usable: Usable::Now,
            obstacles: vec![],
        }
    }

    fn obstacle(what: What, why: &str, mend: &str) -> Obstacle {
        Obstacle { what, why: why.to_owned(), mend: mend.to_owned() }
    }

    #[test]
    fn a_port_is_a_row_with_what_mends_it_below() {
        let kernel = EthernetPort {
            usable: Usable::AfterBinding,
            numa_node: Some(0),
            obstacles: vec![obstacle(
                What::NotBound,
                "the kernel's driver ixgbe has it",
                "sluice-bind 0000:03:00.0",
            )],
            ..port("0000:03:00.0", Some(("enp3s0f0", Link::Up, Some(10_000))), "ixgbe", "82599ES")
        };
        let machine = Inventory {
            iommu: true,
            vfio_pci: VfioPci::Loaded,
            huge_pages: vec![HugePages { size_kib: 2048, total: 64, free: 60 }],
            cores: vec![Cores { node: Some(0), for_workers: vec![2, 3], mend: None }],
            obstacles: vec![],
            ports: vec![kernel, port("0000:04:00.0", None, "vfio-pci", "X550")],
        };
        let expected = "\
IOMMU       on
vfio-pci    loaded
huge pages  64 of 2 MiB (60 free)
cores       node 0: 2-3 for workers, kept free

port          interface    driver     link             node group  for sluice
0000:03:00.0  enp3s0f0     ixgbe      up, 10000 Mb/s      0    14  usable after binding
              Intel Corporation 82599ES [8086:10fb]
              the kernel's driver ixgbe has it: sluice-bind 0000:03:00.0
0000:04:00.0  -            vfio-pci   -                   -    14  usable
              Intel Corporation X550 [8086:10fb]
";
        assert_eq!(text(&machine).unwrap(), expected);
    }

    #[test]
    fn what_mends_the_machine_is_said_once() {
        let off = obstacle(What::NoIommu, "the IOMMU is off", "add intel_iommu=on");
        let machine = Inventory {
            iommu: false,
            vfio_pci: VfioPci::Missing,
            huge_pages: vec![],
            cores: vec![],
            obstacles: vec![off.clone()],
            ports: vec![EthernetPort {
                usable: Usable::No,
                obstacles: vec![off],
                ..port("0000:03:00.0", Some(("enp3s0", Link::Off, None)), "ixgbe", "82599ES")
            }],
        };
        let text = text(&machine).unwrap();
        assert!(text.starts_with("IOMMU       off: add intel_iommu=on\n"), "{text}");
        assert!(text.ends_with("  the IOMMU is off: see above\n"), "{text}");
        assert_eq!(text.matches("add intel_iommu=on").count(), 1, "{text}");
    }
}
