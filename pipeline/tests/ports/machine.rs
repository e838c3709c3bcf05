//! What is told of a machine.

use pipeline::io::machine::{Inventory, Link, Usable, VfioPci, What};

use super::fake::Fake;

const PORT: &str = "0000:03:00.0";
const INTEL: &str = "8086:10fb";
const MELLANOX: &str = "15b3:1017";

/// A port on ixgbe with an interface whose link is up.
fn intel() -> Fake {
    let fake = Fake::new();
    fake.port(PORT, INTEL, "ixgbe");
    fake.interface(PORT, "enp3s0", Some(true), 10_000);
    fake
}

/// What a port is good for, and what is in the way.
fn verdict(fake: &Fake, pci: &str) -> (Usable, Vec<What>) {
    let port = fake.at(pci);
    (port.usable, port.obstacles.iter().map(|obstacle| obstacle.what).collect())
}

/// What mends the first obstacle of a kind.
fn mend(fake: &Fake, what: What) -> String {
    let inventory = fake.inventory();
    let of_ports = inventory.ports.into_iter().flat_map(|port| port.obstacles);
    inventory.obstacles.into_iter().chain(of_ports).find(|obstacle| obstacle.what == what).unwrap().mend
}

#[test]
fn an_intel_port_with_the_kernel_is_usable_after_binding() {
    let fake = intel();
    assert_eq!(verdict(&fake, PORT), (Usable::AfterBinding, vec![What::NotBound]));
    assert_eq!(mend(&fake, What::NotBound), "sluice-bind 0000:03:00.0");
}

#[test]
fn a_port_has_its_facts() {
    let fake = intel();
    fake.file("sys/bus/pci/devices/0000:03:00.0/numa_node", "1\n");
    fake.file("usr/share/hwdata/pci.ids", "8086  Intel Corporation\n\t10fb  82599ES\n");
    let port = fake.only();
    assert_eq!((port.driver.as_deref(), port.numa_node), (Some("ixgbe"), Some(1)));
    assert_eq!(port.iommu_group.map(|group| (group.number, group.others)), Some((13, vec![])));
    assert_eq!((port.vendor.id.as_str(), port.vendor.name.as_deref()), ("8086", Some("Intel Corporation")));
    assert_eq!((port.device.id.as_str(), port.device.name.as_deref()), ("10fb", Some("82599ES")));
    let interface = &port.interfaces[0];
    assert_eq!(
        (interface.name.as_str(), interface.link, interface.speed_mbps),
        ("enp3s0", Link::Up, Some(10_000))
    );
}

#[test]
fn a_machine_has_its_facts() {
    let machine = Fake::new().inventory();
    assert!(machine.iommu && machine.obstacles.is_empty() && machine.ports.is_empty());
    assert_eq!(machine.vfio_pci, VfioPci::Loaded);
    let [pages] = &machine.huge_pages[..] else { panic!("{:?}", machine.huge_pages) };
    assert_eq!((pages.size_kib, pages.total, pages.free), (2048, 64, 64));
}

#[test]
fn a_link_without_carrier_is_down_and_an_interface_that_is_set_down_is_off() {
    let fake = intel();
    fake.interface(PORT, "enp3s0", Some(false), -1);
    fake.port("0000:04:00.0", INTEL, "ixgbe");
    fake.interface("0000:04:00.0", "enp4s0", None, -1);
    let link = |pci| (fake.at(pci).interfaces[0].link, fake.at(pci).interfaces[0].speed_mbps);
    assert_eq!(link(PORT), (Link::Down, None));
    assert_eq!(link("0000:04:00.0"), (Link::Off, None));
}

#[test]
fn without_an_iommu_an_intel_port_is_not_usable_and_the_kernel_option_is_named() {
    let fake = intel();
    fake.without_iommu();
    std::fs::remove_file(fake.path("sys/bus/pci/devices/0000:03:00.0/iommu_group")).unwrap();
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::NoIommu, What::NotBound]));
    assert!(mend(&fake, What::NoIommu).contains("add intel_iommu=on iommu=pt to GRUB_CMDLINE_LINUX"));
}

#[test]
fn what_turns_the_iommu_on_depends_on_the_machine() {
    let told = |cpuinfo: &str, cmdline: &str, table: Option<&str>| {
        let fake = Fake::new();
        fake.without_iommu();
        fake.file("proc/cpuinfo", cpuinfo);
        fake.file("proc/cmdline", cmdline);
        if let Some(table) = table {
            fake.file(&format!("sys/firmware/acpi/tables/{table}"), "");
        }
        mend(&fake, What::NoIommu)
    };
    let apply = "GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and reboot";
    let (option, firmware) =
        (format!("add intel_iommu=on iommu=pt to {apply}"), "turn it on in the firmware's setup");
    let (intel, amd) = ("vendor_id\t: GenuineIntel\n", "vendor_id\t: AuthenticAMD\n");
    assert_eq!(told(intel, "quiet", Some("DMAR")), option);
    let both = told(intel, "quiet", None);
    assert!(both.starts_with(firmware) && both.ends_with(&option), "{both}");
    assert!(told(intel, "intel_iommu=on", None).starts_with(firmware));
    assert!(told(intel, "intel_iommu=on", Some("DMAR")).contains("dmesg may say why"));
    assert!(!told(amd, "quiet", None).contains("intel_iommu"));
    assert_eq!(told(amd, "quiet amd_iommu=off", Some("IVRS")), format!("take amd_iommu=off out of {apply}"));
    // a virtual machine: the host may give any processor the IOMMU of Intel
    let guest = "vendor_id\t: AuthenticAMD\nflags\t\t: fpu hypervisor lahf_lm\n";
    assert!(told(guest, "", None).starts_with("this is a virtual machine"));
    assert_eq!(told(guest, "", Some("DMAR")), option);
}

#[test]
fn a_device_that_the_iommu_does_not_cover_is_told_from_a_machine_without_one() {
    let fake = Fake::new();
    fake.device(PORT, "020000", INTEL, Some("ixgbe"), None);
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::OutsideIommu, What::NotBound]));
}

#[test]
fn a_port_on_vfio_pci_is_usable_now() {
    let fake = Fake::new();
    fake.port(PORT, INTEL, "vfio-pci");
    assert_eq!(verdict(&fake, PORT), (Usable::Now, vec![]));
}

#[test]
fn a_port_on_uio_pci_generic_is_usable_without_an_iommu() {
    let fake = Fake::new();
    fake.without_iommu();
    fake.device(PORT, "020000", INTEL, Some("uio_pci_generic"), None);
    assert_eq!(verdict(&fake, PORT), (Usable::Now, vec![]));
}

#[test]
fn a_port_without_a_driver_is_known_by_its_vendor() {
    let fake = Fake::new();
    fake.device(PORT, "020000", INTEL, None, Some(7));
    assert_eq!(verdict(&fake, PORT), (Usable::AfterBinding, vec![What::NotBound]));
}

#[test]
fn a_mellanox_port_stays_with_its_driver_and_needs_no_iommu() {
    let fake = Fake::new();
    fake.without_iommu();
    fake.device(PORT, "020000", MELLANOX, Some("mlx5_core"), None);
    fake.file("sys/bus/pci/devices/0000:03:00.0/infiniband_verbs/uverbs0/dev", "");
    assert_eq!(verdict(&fake, PORT), (Usable::StaysBound, vec![]));
}

#[test]
fn a_mellanox_port_without_verbs_is_told_which_modules_it_lacks() {
    let fake = Fake::new();
    fake.port(PORT, MELLANOX, "mlx5_core");
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::NoVerbs]));
    assert_eq!(mend(&fake, What::NoVerbs), "modprobe -a ib_uverbs mlx5_ib");
}

#[test]
fn a_mellanox_port_on_vfio_pci_is_to_be_given_back() {
    let fake = Fake::new();
    fake.port(PORT, MELLANOX, "vfio-pci");
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::KernelDriverMissing]));
    assert_eq!(mend(&fake, What::KernelDriverMissing), "sluice-bind --undo 0000:03:00.0");
}

#[test]
fn a_virtio_port_has_the_interface_of_the_virtio_device_on_it() {
    let fake = Fake::new();
    fake.port(PORT, "1af4:1041", "virtio-pci");
    fake.interface("0000:03:00.0/virtio2", "ens3", Some(true), -1);
    let port = fake.only();
    assert_eq!(port.interfaces[0].name, "ens3");
    assert_eq!(port.usable, Usable::AfterBinding);
}

#[test]
fn an_unknown_device_is_to_be_tried() {
    let fake = Fake::new();
    fake.port(PORT, "14e4:1657", "tg3");
    assert_eq!(verdict(&fake, PORT), (Usable::Untried, vec![What::UnknownDevice, What::NotBound]));
    fake.port(PORT, "14e4:1657", "vfio-pci");
    assert_eq!(verdict(&fake, PORT), (Usable::Untried, vec![What::UnknownDevice]));
}

#[test]
fn devices_that_are_no_ethernet_ports_are_not_listed() {
    let fake = Fake::new();
    fake.device("0000:00:1f.2", "010601", "8086:2922", Some("ahci"), Some(3));
    fake.device("0000:05:00.0", "028000", "8086:2723", Some("iwlwifi"), Some(4));
    assert_eq!(fake.inventory().ports, []);
}

#[test]
fn a_machine_without_a_pci_bus_has_no_ports() {
    let fake = Fake::new();
    fake.remove("sys/bus/pci");
    assert_eq!(fake.inventory().ports, []);
}

#[test]
fn ports_that_share_a_group_are_bound_together() {
    let fake = Fake::new();
    for pci in [PORT, "0000:03:00.1"] {
        fake.device(pci, "020000", INTEL, Some("ixgbe"), Some(9));
    }
    assert_eq!(verdict(&fake, "0000:03:00.1"), (Usable::AfterBinding, vec![What::NotBound]));
    assert_eq!(mend(&fake, What::NotBound), "sluice-bind 0000:03:00.0 0000:03:00.1");
    let group = fake.at(PORT).iommu_group.unwrap();
    assert_eq!(group.others[0].pci, "0000:03:00.1");
}

#[test]
fn a_group_shared_with_what_the_kernel_uses_is_in_the_way() {
    let fake = intel();
    fake.device("0000:00:1f.2", "010601", "8086:2922", Some("ahci"), Some(13));
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::GroupShared, What::NotBound]));
    let why = fake.only().obstacles.remove(0).why;
    assert_eq!(why, "it shares IOMMU group 13 with 0000:00:1f.2 (ahci)");
}

#[test]
fn bridges_and_devices_without_a_driver_in_the_group_are_not_in_the_way() {
    let fake = intel();
    fake.device("0000:00:01.0", "060400", "8086:1901", Some("pcieport"), Some(13));
    fake.device("0000:03:00.7", "088000", "8086:1234", None, Some(13));
    assert_eq!(verdict(&fake, PORT), (Usable::AfterBinding, vec![What::NotBound]));
}

#[test]
fn the_port_of_the_default_route_is_not_usable_and_not_told_how_to_be_bound() {
    let fake = intel();
    fake.default_route("enp3s0");
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::DefaultRoute]));
}

#[test]
fn a_default_route_over_a_vlan_on_a_bond_is_that_of_the_bonds_members() {
    let fake = intel();
    fake.default_route("bond0.7");
    fake.stands_on("bond0.7", "bond0");
    fake.stands_on("bond0", "enp3s0");
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::DefaultRoute]));
}

#[test]
fn an_ipv6_default_route_counts_and_one_that_refuses_does_not() {
    let fake = intel();
    let route = |flags: &str| {
        let zero = "0".repeat(32);
        let text = format!("{zero} 00 {zero} 00 {zero} 00000400 00000001 00000000 {flags}   enp3s0\n");
        fake.file("proc/net/ipv6_route", &text);
        verdict(&fake, PORT).0
    };
    assert_eq!(route("00450003"), Usable::No);
    assert_eq!(route("00200200"), Usable::AfterBinding);
}

#[test]
fn the_port_of_the_default_route_is_not_bound_along_with_its_neighbour() {
    let fake = Fake::new();
    for pci in [PORT, "0000:03:00.1"] {
        fake.device(pci, "020000", INTEL, Some("ixgbe"), Some(9));
    }
    fake.interface("0000:03:00.1", "enp3s0f1", Some(true), 10_000);
    fake.default_route("enp3s0f1");
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::GroupShared, What::NotBound]));
}

#[test]
fn vfio_pci_can_be_loaded_where_the_kernel_has_the_module() {
    let fake = intel();
    fake.remove("sys/bus/pci/drivers");
    fake.file(
        "lib/modules/6.1.0-28-amd64/modules.dep",
        "kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/vfio.ko\n",
    );
    assert_eq!(fake.inventory().vfio_pci, VfioPci::Available);
    assert_eq!(mend(&fake, What::VfioPciNotLoaded), "modprobe vfio-pci (sluice-bind does it)");
    assert_eq!(verdict(&fake, PORT), (Usable::AfterBinding, vec![What::NotBound]));
}

#[test]
fn a_kernel_without_vfio_pci_is_in_the_way() {
    let fake = intel();
    fake.remove("sys/bus/pci/drivers");
    assert_eq!(verdict(&fake, PORT), (Usable::No, vec![What::NoVfioPci, What::NotBound]));
}

#[test]
fn huge_pages_that_are_reserved_are_not_free_and_more_are_advised() {
    let fake = Fake::new();
    fake.file("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "64\n");
    assert_eq!(fake.inventory().huge_pages[0].free, 0);
    assert_eq!(mend(&fake, What::NoHugePages), "sluice-bind --huge 128");
}

#[test]
fn its_json_is_read_back_as_it_was() {
    let fake = intel();
    fake.port("0000:04:00.0", MELLANOX, "mlx5_core");
    let inventory = fake.inventory();
    let json = serde_json::to_string(&inventory).unwrap();
    assert_eq!(serde_json::from_str::<Inventory>(&json).unwrap(), inventory);
    assert!(json.contains(r#""usable":"after_binding""#) && json.contains(r#""what":"not_bound""#), "{json}");
}

#[test]
fn who_uses_a_port_is_named() {
    let fake = Fake::new();
    fake.port("0000:03:00.0", "8086:10fb", "vfio-pci");
    fake.uses_group("812", 13);
    fake.file("proc/812/comm", "sluice\n");
    let port = fake.only();
    let users: Vec<String> = port.used_by.iter().map(ToString::to_string).collect();
    assert_eq!((users, port.usable), (vec!["process 812 (sluice)".to_owned()], Usable::Now));
}

#[test]
fn a_mellanox_port_without_a_library_of_its_driver_is_told_the_package() {
    let fake = Fake::new();
    fake.port("0000:82:00.0", "15b3:1017", "mlx5_core");
    fake.file("sys/bus/pci/devices/0000:82:00.0/infiniband_verbs/uverbs0/dev", "");
    assert_eq!(fake.only().usable, Usable::StaysBound);
    for library in ["librte_ethdev.so.23", "librte_net_mlx5.so.23", "libmlx5.so.1"] {
        fake.file(&format!("usr/lib/x86_64-linux-gnu/{library}"), "");
    }
    assert_eq!(mend(&fake, What::LibraryMissing), "apt install libibverbs1");
    assert_eq!(fake.only().usable, Usable::No);
    fake.file("usr/lib/x86_64-linux-gnu/libibverbs.so.1", "");
    assert_eq!(fake.only().usable, Usable::StaysBound);
}

#[test]
fn cores_for_workers_are_those_near_the_ports() {
    let fake = Fake::new();
    fake.port(PORT, INTEL, "vfio-pci");
    fake.file(&format!("sys/bus/pci/devices/{PORT}/numa_node"), "1\n");
    fake.file("sys/devices/system/cpu/online", "0-3\n");
    fake.file("sys/devices/system/cpu/isolated", "1,3\n");
    fake.file("sys/devices/system/node/node1/cpulist", "2-3\n");
    let cores = fake.inventory().cores.remove(0).to_string();
    assert!(
        cores.starts_with("node 1: 3 for workers; for `workers: [3]` add nohz_full=3 rcu_nocbs=3 to"),
        "{cores}"
    );
    fake.file("proc/cmdline", "intel_iommu=on isolcpus=1,3 nohz_full=1,3 rcu_nocbs=1,3\n");
    fake.file("sys/devices/system/cpu/nohz_full", "1,3\n");
    assert_eq!(fake.inventory().cores.remove(0).to_string(), "node 1: 3 for workers, kept free");
}
