//! A machine made of files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline::io::machine::{EthernetPort, Inventory, Machine};
use tempfile::TempDir;

/// Its root directory. At first: an Intel processor, the IOMMU on, vfio-pci loaded, 64 free huge pages, no device.
pub struct Fake {
    root: TempDir,
}

/// What a run of sluice-bind ended with.
pub struct Ran {
    pub ok: bool,
    /// Both outputs.
    pub said: String,
    /// The calls that it made of the commands that change the machine.
    pub calls: Vec<String>,
}

/// Commands that the script finds before the machine's own. What would change the machine is noted in `calls`; driverctl does
/// to the tree what driverctl 0.111 does.
const COMMANDS: [(&str, &str); 3] = [
    (
        "ip",
        r#"case "$*" in
        "-4 route show"*) cat "$root/ip/routes" ;;
        "-o route get "*) cat "$root/ip/get-$4" ;;
        "-o addr show to "*) cat "$root/ip/has-$5" ;;
        esac"#,
    ),
    ("modprobe", r#"[ "$1" = -qn ] || echo "modprobe $*" >>"$root/calls""#),
    (
        "driverctl",
        r#"echo "driverctl $*" >>"$root/calls"
        rm -f "$root/sys/bus/pci/devices/$2/driver"
        case $1 in
        set-override)
            ln -s "../../drivers/$3" "$root/sys/bus/pci/devices/$2/driver"
            echo "$3" >"$root/etc/driverctl.d/pci-$2" ;;
        unset-override) rm -f "$root/etc/driverctl.d/pci-$2" ;;
        esac"#,
    ),
];

impl Fake {
    pub fn new() -> Fake {
        let fake = Fake { root: TempDir::new().unwrap() };
        fake.file("proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: fpu vme\n");
        fake.file("proc/cmdline", "root=/dev/sda1 intel_iommu=on iommu=pt quiet\n");
        fake.file("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n");
        fake.file("proc/sys/vm/nr_hugepages", "0\n");
        fake.file("sys/class/iommu/dmar0/name", "");
        fake.file("sys/bus/pci/drivers/vfio-pci/bind", "");
        for (file, count) in [("nr_hugepages", 64), ("free_hugepages", 64), ("resv_hugepages", 0)] {
            fake.file(&format!("sys/kernel/mm/hugepages/hugepages-2048kB/{file}"), &format!("{count}\n"));
        }
        fake.file("ip/routes", "");
        for directory in ["sys/bus/pci/devices", "etc/driverctl.d", "etc/sysctl.d"] {
            fs::create_dir_all(fake.path(directory)).unwrap();
        }
        for (name, text) in COMMANDS {
            let file = format!("bin/{name}");
            fake.file(&file, &format!("#!/bin/sh\nroot={}\n{text}\n", fake.path("").display()));
            fs::set_permissions(fake.path(&file), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fake
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub fn file(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    pub fn remove(&self, path: &str) {
        fs::remove_dir_all(self.path(path)).unwrap();
    }

    fn link(&self, path: &str, to: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        symlink(to, path).unwrap();
    }

    /// A PCI device: `class`, `vendor` and `device` in hexadecimal, behind the IOMMU in the group where there is one.
    pub fn device(&self, pci: &str, class: &str, ids: &str, driver: Option<&str>, group: Option<u32>) {
        let at = format!("sys/bus/pci/devices/{pci}");
        let (vendor, device) = ids.split_once(':').unwrap();
        let texts = [("class", class), ("vendor", vendor), ("device", device)];
        for (file, hex) in texts {
            self.file(&format!("{at}/{file}"), &format!("0x{hex}\n"));
        }
        self.file(&format!("{at}/numa_node"), "-1\n");
        self.file(&format!("{at}/modalias"), &format!("pci:v0000{vendor}d0000{device}\n"));
        if let Some(driver) = driver {
            self.link(&format!("{at}/driver"), &format!("../../drivers/{driver}"));
        }
        if let Some(group) = group {
            self.link(&format!("{at}/iommu_group"), &format!("../../../../kernel/iommu_groups/{group}"));
            self.link(
                &format!("sys/kernel/iommu_groups/{group}/devices/{pci}"),
                &format!("../../../../bus/pci/devices/{pci}"),
            );
        }
    }

    /// An Ethernet port, alone in its group.
    pub fn port(&self, pci: &str, ids: &str, driver: &str) {
        let number = 10 + u32::from_str_radix(&pci[5..7], 16).unwrap();
        self.device(pci, "020000", ids, Some(driver), Some(number));
    }

    /// An interface of the kernel on a device, or on the virtio device that stands on it.
    pub fn interface(&self, holder: &str, name: &str, carrier: Option<bool>, speed: i32) {
        let at = format!("sys/bus/pci/devices/{holder}/net/{name}");
        self.file(&format!("{at}/speed"), &format!("{speed}\n"));
        if let Some(carrier) = carrier {
            self.file(&format!("{at}/carrier"), if carrier { "1\n" } else { "0\n" });
        }
    }

    /// One interface stands on another.
    pub fn stands_on(&self, upper: &str, lower: &str) {
        self.file(&format!("sys/class/net/{upper}/lower_{lower}"), "");
    }

    /// The kernel's routing table, and what ip(8) says of it.
    pub fn default_route(&self, interface: &str) {
        self.file("proc/net/route", &format!("Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n{interface}\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\nother\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"));
        self.file("ip/routes", &format!("default via 192.168.1.1 dev {interface} proto dhcp\n"));
    }

    /// A process holds a vfio group open.
    pub fn uses_group(&self, process: &str, group: u32) {
        self.link(&format!("proc/{process}/fd/7"), &format!("/dev/vfio/{group}"));
    }

    /// The files in the directories below one.
    pub fn only_files_of(&self, path: &str) -> Vec<PathBuf> {
        let inner = fs::read_dir(self.path(path))
            .unwrap()
            .flat_map(|entry| fs::read_dir(entry.unwrap().path()).unwrap());
        inner.map(|entry| entry.unwrap().path()).collect()
    }

    pub fn without_iommu(&self) {
        self.remove("sys/class/iommu");
        self.file("proc/cmdline", "root=/dev/sda1 quiet\n");
    }

    pub fn inventory(&self) -> Inventory {
        Machine::at(self.root.path()).inventory().unwrap()
    }

    /// Its only port, or the one at an address.
    pub fn only(&self) -> EthernetPort {
        let mut ports = self.inventory().ports;
        assert_eq!(ports.len(), 1);
        ports.remove(0)
    }

    pub fn at(&self, pci: &str) -> EthernetPort {
        self.inventory().ports.into_iter().find(|port| port.pci == pci).unwrap()
    }

    /// Runs sluice-bind on it.
    pub fn bind(&self, arguments: &[&str]) -> Ran {
        self.bind_in_session(arguments, None)
    }

    /// The same, in an SSH session.
    pub fn bind_in_session(&self, arguments: &[&str], session: Option<&str>) -> Ran {
        let _ = fs::remove_file(self.path("calls"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/sluice-bind");
        let mut command = Command::new(script);
        command.args(arguments).env("SLUICE_BIND_ROOT", self.root.path());
        command
            .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
            .env_remove("SSH_CONNECTION");
        command.envs(session.map(|session| ("SSH_CONNECTION", session)));
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        let calls = self.read("calls").unwrap_or_default().lines().map(str::to_owned).collect();
        Ran { ok: output.status.success(), said, calls }
    }
}
