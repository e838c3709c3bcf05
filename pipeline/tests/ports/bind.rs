//! What sluice-bind refuses, and what it does.

use pipeline::io::machine::{Usable, What};

use super::fake::{Fake, Ran};

const PORT: &str = "0000:03:00.0";
const BOUND: &str = "driverctl set-override 0000:03:00.0 vfio-pci";

/// Two Intel ports, each alone in its group.
fn machine() -> Fake {
    let fake = Fake::new();
    for (pci, interface) in [(PORT, "enp3s0"), ("0000:04:00.0", "enp4s0")] {
        fake.port(pci, "8086:10fb", "ixgbe");
        fake.interface(pci, interface, Some(true), 10_000);
    }
    fake
}

#[track_caller]
fn is_refused(ran: &Ran, why: &str) {
    assert!(!ran.ok && ran.said.contains(why) && ran.said.ends_with("nothing was changed\n"), "{}", ran.said);
    assert!(ran.calls.is_empty(), "{:?}", ran.calls);
}

#[test]
fn a_port_is_bound_by_driverctl() {
    let ran = machine().bind(&[PORT]);
    assert!(ran.ok, "{}", ran.said);
    assert_eq!(ran.calls, [BOUND]);
    assert!(ran.said.contains(&format!("run {BOUND}")), "{}", ran.said);
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let fake = machine();
    let ran = fake.bind(&["--dry-run", "--huge", "64", PORT]);
    assert!(ran.ok && ran.said.contains(&format!("would run {BOUND}")), "{}", ran.said);
    assert!(ran.said.contains("would write /etc/sysctl.d/90-sluice-huge-pages.conf"), "{}", ran.said);
    assert!(ran.calls.is_empty() && fake.only_files_of("etc").is_empty());
    assert_eq!(fake.read("proc/sys/vm/nr_hugepages").unwrap(), "0\n");
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    let fake = machine();
    fake.bind(&[PORT]);
    let again = fake.bind(&[PORT]);
    assert!(again.ok && again.said.contains("nothing to do") && again.calls.is_empty(), "{}", again.said);
    assert_eq!(fake.at(PORT).usable, Usable::Now);
}

#[test]
fn a_port_that_is_bound_until_the_next_boot_is_bound_for_good() {
    let fake = Fake::new();
    fake.port(PORT, "8086:10fb", "vfio-pci");
    assert_eq!(fake.bind(&[PORT]).calls, [BOUND]);
}

#[test]
fn undo_gives_the_port_back_to_the_kernel_and_its_second_run_finds_nothing_to_do() {
    let fake = machine();
    fake.bind(&[PORT]);
    let undone = fake.bind(&["--undo", PORT]);
    assert!(undone.ok, "{}", undone.said);
    assert_eq!(undone.calls, ["modprobe -q pci:v00008086d000010fb", "driverctl unset-override 0000:03:00.0"]);
    let again = fake.bind(&["--undo", PORT]);
    assert!(again.ok && again.said.contains("nothing to do") && again.calls.is_empty(), "{}", again.said);
}

#[test]
fn a_short_address_is_that_of_the_first_domain() {
    assert_eq!(machine().bind(&["03:00.0"]).calls, [BOUND]);
}

#[test]
fn vfio_pci_is_loaded_first_where_it_is_not() {
    let fake = machine();
    fake.remove("sys/bus/pci/drivers");
    assert_eq!(fake.bind(&[PORT]).calls, ["modprobe vfio-pci", BOUND]);
}

#[test]
fn mellanox_is_left_alone() {
    let fake = Fake::new();
    fake.port(PORT, "15b3:1017", "mlx5_core");
    let ran = fake.bind(&[PORT]);
    assert!(ran.ok && ran.said.contains("stays with mlx5_core") && ran.calls.is_empty(), "{}", ran.said);
}

#[test]
fn the_port_of_the_default_route_is_refused() {
    let fake = machine();
    fake.default_route("enp3s0");
    is_refused(&fake.bind(&[PORT]), "the machine's default route leaves by it (enp3s0)");
}

#[test]
fn every_next_hop_of_the_default_route_counts_and_so_do_a_bonds_members() {
    let fake = machine();
    fake.file("ip/routes", "default proto static\n\tnexthop via 192.0.2.1 dev other weight 1\n\tnexthop via 192.0.2.5 dev bond0.7 weight 1\n");
    fake.stands_on("bond0.7", "bond0");
    fake.stands_on("bond0", "enp3s0");
    is_refused(&fake.bind(&[PORT]), "default route leaves by it");
}

#[test]
fn the_port_that_this_ssh_session_leaves_by_is_refused() {
    let fake = machine();
    fake.file("ip/get-192.0.2.9", "192.0.2.9 dev enp3s0 src 203.0.113.1 uid 0\n");
    fake.file("ip/has-203.0.113.1", "3: enp4s0    inet 203.0.113.1/24 scope global enp4s0\n");
    let session = Some("192.0.2.9 50000 203.0.113.1 22");
    is_refused(&fake.bind_in_session(&[PORT], session), "this SSH session comes in by it (enp3s0)");
    is_refused(&fake.bind_in_session(&["0000:04:00.0"], session), "this SSH session comes in by it (enp4s0)");
}

#[test]
fn a_session_from_a_link_local_address_names_its_interface() {
    let fake = machine();
    fake.file("ip/has-fe80::1", "3: enp3s0    inet6 fe80::1/64 scope link\n");
    let ran = fake.bind_in_session(&[PORT], Some("fe80::9%enp3s0 50000 fe80::1%enp3s0 22"));
    is_refused(&ran, "this SSH session comes in by it");
}

#[test]
fn the_session_is_found_where_sudo_took_its_variable_away() {
    let fake = machine();
    fake.file("ip/get-192.0.2.9", "192.0.2.9 dev enp3s0 src 203.0.113.1 uid 0\n");
    fake.file("ip/has-203.0.113.1", "");
    // the script's parent is this very process; that one's parent has the variable
    let this = std::process::id();
    fake.file(&format!("proc/{this}/environ"), "HOME=/root\0");
    fake.file(&format!("proc/{this}/status"), "Name:\tsudo\nPPid:\t77\n");
    fake.file("proc/77/environ", "HOME=/home/op\0SSH_CONNECTION=192.0.2.9 50000 203.0.113.1 22\0");
    fake.file("proc/77/status", "Name:\tbash\nPPid:\t1\n");
    is_refused(&fake.bind(&[PORT]), "this SSH session comes in by it");
}

#[test]
fn a_session_whose_route_is_not_known_ends_it() {
    let ran = machine().bind_in_session(&[PORT], Some("192.0.2.9 50000 203.0.113.1 22"));
    assert!(!ran.ok && ran.said.contains("no route to 192.0.2.9") && ran.calls.is_empty(), "{}", ran.said);
}

#[test]
fn without_an_iommu_it_is_refused() {
    let fake = machine();
    fake.without_iommu();
    is_refused(&fake.bind(&[PORT]), "intel_iommu=on");
}

#[test]
fn a_device_outside_the_iommu_is_refused() {
    let fake = Fake::new();
    fake.device(PORT, "020000", "8086:10fb", Some("ixgbe"), None);
    is_refused(&fake.bind(&[PORT]), "not for this device");
}

#[test]
fn a_port_that_a_process_uses_is_refused_also_to_undo() {
    let fake = Fake::new();
    fake.port(PORT, "8086:10fb", "vfio-pci");
    fake.uses_group("1234", 13);
    is_refused(&fake.bind(&[PORT]), "is in use by process 1234");
    is_refused(&fake.bind(&["--undo", PORT]), "is in use by process 1234");
}

#[test]
fn what_is_no_ethernet_port_or_not_there_is_refused() {
    let fake = Fake::new();
    fake.device(PORT, "010601", "8086:2922", Some("ahci"), Some(3));
    is_refused(&fake.bind(&[PORT]), "is no Ethernet port");
    is_refused(&fake.bind(&["0000:09:00.0"]), "there is no such PCI device");
}

#[test]
fn one_that_is_refused_holds_back_all() {
    let fake = machine();
    fake.default_route("enp4s0");
    is_refused(&fake.bind(&[PORT, "0000:04:00.0"]), "0000:04:00.0: the machine's default route");
}

#[test]
fn without_driverctl_it_says_how_to_get_it() {
    let fake = machine();
    std::fs::remove_file(fake.path("bin/driverctl")).unwrap();
    is_refused(&fake.bind(&[PORT]), "apt install driverctl");
}

#[test]
fn huge_pages_are_reserved_now_and_at_boot_and_given_back() {
    let fake = Fake::new();
    fake.file("proc/sys/vm/nr_hugepages", "16\n");
    let (boot, now) = ("etc/sysctl.d/90-sluice-huge-pages.conf", "proc/sys/vm/nr_hugepages");
    for pages in ["64", "128"] {
        assert!(fake.bind(&["--huge", pages]).ok);
        assert_eq!(fake.read(now).unwrap(), format!("{pages}\n"));
        assert_eq!(fake.read(boot).unwrap(), format!("# before: 16\nvm.nr_hugepages = {pages}\n"));
    }
    assert!(fake.bind(&["--huge", "0"]).ok);
    assert_eq!((fake.read(boot), fake.read(now).unwrap().as_str()), (None, "16\n"));
    assert!(fake.bind(&["--huge", "0"]).said.contains("nothing to do"));
}

#[test]
fn huge_pages_of_others_are_not_taken_away() {
    let fake = Fake::new();
    fake.file("proc/sys/vm/nr_hugepages", "512\n");
    is_refused(&fake.bind(&["--huge", "64"]), "others have 512 huge pages reserved");
}

#[test]
fn wrong_arguments_are_told_the_right_ones() {
    for arguments in [
        &[][..],
        &["--undo"],
        &["eth0"],
        &["--huge", "x"],
        &["--huge", "08"],
        &["--huge"],
        &["--force", PORT],
    ] {
        let ran = machine().bind(arguments);
        assert!(!ran.ok && ran.said.contains("usage: sluice-bind"), "{arguments:?}: {}", ran.said);
    }
}

/// What `sluice ports` advises, sluice-bind does; what it finds in the way, sluice-bind refuses.
#[test]
fn it_agrees_with_sluice_ports() {
    let group = |others: &'static [(&str, &str, &str)]| {
        move |fake: &Fake| {
            for (pci, class, driver) in others {
                fake.device(pci, class, "8086:10fb", Some(driver), Some(13));
            }
        }
    };
    type Change = Box<dyn Fn(&Fake)>;
    let worlds: [(&str, Change); 8] = [
        ("as it is", Box::new(|_| {})),
        (
            "no IOMMU",
            Box::new(|fake| {
                fake.without_iommu();
                std::fs::remove_file(fake.path("sys/bus/pci/devices/0000:03:00.0/iommu_group")).unwrap();
            }),
        ),
        ("default route", Box::new(|fake| fake.default_route("enp3s0"))),
        ("default route elsewhere", Box::new(|fake| fake.default_route("enp4s0"))),
        ("a group with a port", Box::new(group(&[("0000:03:00.1", "020000", "ixgbe")]))),
        ("a group with a disk", Box::new(group(&[("0000:00:1f.2", "010601", "ahci")]))),
        ("a group with a bridge", Box::new(group(&[("0000:00:01.0", "060400", "pcieport")]))),
        ("an unknown device", Box::new(|fake| fake.port(PORT, "14e4:1657", "tg3"))),
    ];
    for (name, change) in worlds {
        let fake = machine();
        change(&fake);
        let port = fake.at(PORT);
        let advice = port.obstacles.iter().find(|obstacle| obstacle.what == What::NotBound);
        let command = advice.map_or_else(|| format!("sluice-bind {PORT}"), |advice| advice.mend.clone());
        let ran = fake.bind(&command.split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(ran.ok, port.usable != Usable::No, "{name}: {:?}\n{}", port.obstacles, ran.said);
        if ran.ok {
            let usable = fake.at(PORT).usable;
            assert!(
                usable == Usable::Now || port.usable == Usable::Untried,
                "{name}: {usable:?} after binding"
            );
        }
    }
}

#[test]
fn at_boot_it_waits_until_what_is_to_be_bound_belongs_to_its_user() {
    let fake = Fake::new();
    assert!(fake.bind(&["--wait"]).ok, "nothing to wait for");
    fake.port(PORT, "8086:10fb", "vfio-pci");
    fake.bind(&[PORT]);
    let group = std::fs::read_link(fake.path(&format!("sys/bus/pci/devices/{PORT}/iommu_group"))).unwrap();
    let device = fake.path(&format!("dev/vfio/{}", group.file_name().unwrap().display()));
    let udev = std::thread::spawn({
        let device = device.clone();
        move || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            std::fs::create_dir_all(device.parent().unwrap()).unwrap();
            std::fs::write(&device, "").unwrap();
        }
    });
    let ran = fake.bind(&["--wait"]);
    assert!(ran.ok && device.exists() && ran.calls.is_empty(), "{}", ran.said);
    udev.join().unwrap();
}
