//! What the kernel tells in /sys and /proc, and the distribution in /lib and /usr/share.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::cores::{self, Cores, Facts};
use super::drivers::{VFIO_PCI, libraries};
use super::inventory::{
    EthernetPort, GroupMember, HugePages, Id, Interface, Inventory, IommuGroup, Library, Link, Obstacle,
    Process, Usable, VfioPci, What,
};
use super::judge::judge;
use super::pci_ids::PciIds;

/// A machine, below the directory that is its root.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

/// What routing tables of the kernel call a route that refuses (`RTF_REJECT` of linux/route.h).
const REJECT: u32 = 0x200;

impl Machine {
    /// The machine whose root directory this is: `/`, or a test's.
    pub fn at(root: impl Into<PathBuf>) -> Machine {
        Machine { root: root.into() }
    }

    /// All that is known of it.
    ///
    /// # Errors
    /// The devices cannot be listed. A machine without a PCI bus is none: it has no ports.
    pub fn inventory(&self) -> io::Result<Inventory> {
        let mut inventory = Inventory {
            // vfio without an IOMMU makes groups too: the class tells
            iommu: !names(&self.root.join("sys/class/iommu")).is_empty(),
            vfio_pci: self.vfio_pci(),
            huge_pages: self.huge_pages(),
            cores: Vec::new(),
            obstacles: Vec::new(),
            ports: self.ports()?,
        };
        inventory.cores = self.cores(&inventory.ports);
        inventory.obstacles = self.obstacles(&inventory);
        judge(&mut inventory);
        Ok(inventory)
    }

    /// The kernel's release, as `uname -r` says it.
    pub fn kernel(&self) -> String {
        text(&self.root.join("proc/sys/kernel/osrelease")).unwrap_or_default()
    }

    /// What the first processor calls itself, where it does (Arm's do not).
    pub fn processor(&self) -> Option<String> {
        let info = text(&self.root.join("proc/cpuinfo"))?;
        let named = |line: &str| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned());
        info.lines().find_map(named)
    }

    /// KiB of memory.
    pub fn memory_kib(&self) -> Option<u64> {
        let info = text(&self.root.join("proc/meminfo"))?;
        info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
    }

    /// Huge pages by their size, the smallest first.
    pub fn huge_pages(&self) -> Vec<HugePages> {
        let folder = self.root.join("sys/kernel/mm/hugepages");
        let of_size = |name: String| {
            let number = |file: &str| text(&folder.join(&name).join(file))?.parse::<u64>().ok();
            Some(HugePages {
                size_kib: name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?,
                total: number("nr_hugepages")?,
                free: number("free_hugepages")?.saturating_sub(number("resv_hugepages")?),
            })
        };
        let mut sizes: Vec<HugePages> = names(&folder).into_iter().filter_map(of_size).collect();
        sizes.sort_by_key(|pages| pages.size_kib);
        sizes
    }

    fn vfio_pci(&self) -> VfioPci {
        if self.root.join("sys/bus/pci/drivers").join(VFIO_PCI).exists() {
            return VfioPci::Loaded;
        }
        let modules = self.root.join("lib/modules").join(self.kernel());
        let is_listed =
            |list: &str| text(&modules.join(list)).is_some_and(|list| list.contains("/vfio-pci.ko"));
        if is_listed("modules.dep") { VfioPci::Available } else { VfioPci::Missing }
    }

    fn obstacles(&self, inventory: &Inventory) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        if !inventory.iommu {
            obstacles.push(Obstacle::new(What::NoIommu, "the IOMMU is off", self.iommu_mend()));
        }
        match inventory.vfio_pci {
            VfioPci::Loaded => {}
            VfioPci::Available => {
                let (why, mend) = ("vfio-pci is not loaded", "modprobe vfio-pci (sluice-bind does it)");
                obstacles.push(Obstacle::new(What::VfioPciNotLoaded, why, mend));
            }
            VfioPci::Missing => {
                let why = "the kernel that runs has no vfio-pci";
                let mend = "start one that has, such as Debian's linux-image-amd64";
                obstacles.push(Obstacle::new(What::NoVfioPci, why, mend));
            }
        }
        if inventory.huge_pages.iter().all(|pages| pages.free == 0) {
            let why = "no huge pages are free, and ordinary ones are slower";
            // beside those that others have taken
            let pages = 64 + inventory.huge_pages.first().map_or(0, |pages| pages.total);
            obstacles.push(Obstacle::new(What::NoHugePages, why, format!("sluice-bind --huge {pages}")));
        }
        obstacles
    }

    /// What turns the IOMMU on (Documentation/admin-guide/kernel-parameters.txt). The firmware tells of Intel's in the ACPI
    /// table DMAR and of AMD's in IVRS. Only Intel's wants an option: `amd_iommu` has no `on`.
    fn iommu_mend(&self) -> String {
        let file = |name: &str| text(&self.root.join("proc").join(name)).unwrap_or_default();
        let has_table = |name: &str| self.root.join("sys/firmware/acpi/tables").join(name).exists();
        let (processor, options) = (file("cpuinfo"), file("cmdline"));
        let mut options = options.split_whitespace();
        let apply = "GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and reboot";
        let off = ["intel_iommu=off", "amd_iommu=off", "iommu=off"];
        if let Some(off) = options.clone().find(|option| off.contains(option)) {
            return format!("take {off} out of {apply}");
        }
        let mut mends = Vec::new();
        if !has_table("DMAR") && !has_table("IVRS") {
            mends.push(if processor.contains(" hypervisor") {
                "this is a virtual machine: its host must give it a virtual IOMMU".to_owned()
            } else {
                "turn it on in the firmware's setup (Intel: VT-d; AMD: IOMMU or AMD-Vi)".to_owned()
            });
        }
        let is_intel = has_table("DMAR") || processor.contains("GenuineIntel");
        if is_intel && !options.any(|option| option.starts_with("intel_iommu=on")) {
            mends.push(format!("add intel_iommu=on iommu=pt to {apply}"));
        }
        if mends.is_empty() {
            mends.push("the firmware has one that the kernel does not use: dmesg may say why".to_owned());
        }
        mends.join("; ")
    }

    fn ports(&self) -> io::Result<Vec<EthernetPort>> {
        let devices = self.root.join("sys/bus/pci/devices");
        match fs::read_dir(&devices) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let ids = PciIds(
            ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"]
                .into_iter()
                .find_map(|file| fs::read(self.root.join(file)).ok())
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default(),
        );
        let routed = self.default_routes();
        let all = names(&devices).into_iter();
        let mut ports: Vec<EthernetPort> =
            all.filter_map(|pci| port(&devices.join(&pci), pci, &ids, &routed)).collect();
        for port in &mut ports {
            port.used_by = port.iommu_group.as_ref().map_or_else(Vec::new, |group| self.users(group.number));
            port.lacks = self.lacks(&port.vendor.id, port.driver.as_deref());
        }
        Ok(ports)
    }

    /// Cores for workers, by memory node that has a port.
    fn cores(&self, ports: &[EthernetPort]) -> Vec<Cores> {
        let system = self.root.join("sys/devices/system");
        let list = |file: &str| cores::parse(&text(&system.join(file)).unwrap_or_default());
        let command_line = text(&self.root.join("proc/cmdline")).unwrap_or_default();
        let rcu_nocbs = command_line
            .split_whitespace()
            .find_map(|option| option.strip_prefix("rcu_nocbs="))
            .map(cores::parse);
        let online = list("cpu/online");
        let of_node = |node: Option<u32>| {
            let near = node.map(|node| list(&format!("node/node{node}/cpulist")));
            let cores: Vec<u16> = online
                .iter()
                .copied()
                .filter(|core| near.as_ref().is_none_or(|near| near.contains(core)))
                .collect();
            let threads = |core: &u16| list(&format!("cpu/cpu{core}/topology/thread_siblings_list"));
            cores::judge(Facts {
                node,
                siblings: cores.iter().map(threads).collect(),
                cores,
                isolated: list("cpu/isolated"),
                nohz_full: list("cpu/nohz_full"),
                rcu_nocbs: rcu_nocbs.clone().unwrap_or_default(),
            })
        };
        let nodes: BTreeSet<Option<u32>> = ports.iter().map(|port| port.numa_node).collect();
        if online.is_empty() { Vec::new() } else { nodes.into_iter().map(of_node).collect() }
    }

    /// The processes that have a group open at vfio (proc_pid_fd(5)).
    fn users(&self, group: u32) -> Vec<Process> {
        let (proc, file) = (self.root.join("proc"), format!("/dev/vfio/{group}"));
        let user = |pid: u32| {
            let files = proc.join(pid.to_string()).join("fd");
            let has = |fd: &String| fs::read_link(files.join(fd)).is_ok_and(|to| to == Path::new(&file));
            let name = || text(&proc.join(pid.to_string()).join("comm")).unwrap_or_default();
            names(&files).iter().any(has).then(|| Process { pid, name: name() })
        };
        names(&proc).iter().filter_map(|name| name.parse().ok()).filter_map(user).collect()
    }

    /// Libraries that are not where the machine's DPDK is; none where that is not known.
    fn lacks(&self, vendor: &str, driver: Option<&str>) -> Vec<Library> {
        let lib = self.root.join("usr/lib");
        let folders = names(&lib).into_iter().map(|name| lib.join(name)).chain([lib.clone()]);
        let Some(folder) = folders.into_iter().find(|folder| folder.join("librte_ethdev.so.23").exists())
        else {
            return Vec::new();
        };
        let all = libraries(vendor, driver).into_iter();
        all.filter(|(file, _)| !folder.join(file).exists())
            .map(|(file, package)| Library { file, package })
            .collect()
    }

    /// The interfaces by which a default route leaves, with those below them: a bond's members, a VLAN's parent.
    ///
    /// Of an IPv4 route with several next hops /proc tells the first only; sluice-bind, which acts, asks ip(8).
    fn default_routes(&self) -> Vec<String> {
        let table = |name: &str| text(&self.root.join("proc/net").join(name)).unwrap_or_default();
        let passes = |flags: &str| u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & REJECT == 0);
        let ipv4 = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [name, "00000000", _, flags, _, _, _, "00000000", ..] if passes(flags) => Some(name.to_owned()),
            _ => None,
        };
        let ipv6 = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [to, "00", .., flags, name] if to.bytes().all(|c| c == b'0') && passes(flags) => {
                Some(name.to_owned())
            }
            _ => None,
        };
        let mut found: Vec<String> = table("route")
            .lines()
            .filter_map(ipv4)
            .chain(table("ipv6_route").lines().filter_map(ipv6))
            .collect();
        let mut next = 0;
        while let Some(upper) = found.get(next) {
            let links = names(&self.root.join("sys/class/net").join(upper)).into_iter();
            let lower = links.filter_map(|name| name.strip_prefix("lower_").map(str::to_owned));
            let new: Vec<String> = lower.filter(|name| !found.contains(name)).collect();
            found.extend(new);
            next += 1;
        }
        found
    }
}

/// An Ethernet port; `None` for another device.
fn port(path: &Path, pci: String, ids: &PciIds, routed: &[String]) -> Option<EthernetPort> {
    if !hex(&path.join("class"))?.starts_with("0200") {
        return None;
    }
    let (vendor, device) = (hex(&path.join("vendor"))?, hex(&path.join("device"))?);
    let (vendor_name, device_name) = ids.names(&vendor, &device);
    // a virtio port's interfaces are those of the virtio device on it
    let holders =
        names(path).into_iter().filter(|name| name.starts_with("virtio")).map(|name| path.join(name));
    let interfaces = [path.to_owned()].into_iter().chain(holders).map(|holder| holder.join("net"));
    Some(EthernetPort {
        interfaces: interfaces
            .flat_map(|net| names(&net).into_iter().map(move |name| (net.join(&name), name)))
            .map(|(path, name)| interface(&path, name, routed))
            .collect(),
        vendor: Id { id: vendor, name: vendor_name },
        device: Id { id: device, name: device_name },
        driver: target(&path.join("driver")),
        verbs: path.join("infiniband_verbs").exists(),
        iommu_group: target(&path.join("iommu_group"))
            .and_then(|number| group(&path.join("iommu_group/devices"), &number, &pci)),
        // -1 where the machine has one memory
        used_by: Vec::new(),
        lacks: Vec::new(),
        numa_node: text(&path.join("numa_node")).and_then(|node| node.parse().ok()),
        usable: Usable::No,
        obstacles: Vec::new(),
        pci,
    })
}

fn interface(path: &Path, name: String, routed: &[String]) -> Interface {
    Interface {
        // an interface that is set down refuses the question
        link: match text(&path.join("carrier")).as_deref() {
            Some("1") => Link::Up,
            Some(_) => Link::Down,
            None => Link::Off,
        },
        // -1 where it is not known
        speed_mbps: text(&path.join("speed")).and_then(|speed| speed.parse().ok()),
        default_route: routed.contains(&name),
        name,
    }
}

fn group(devices: &Path, number: &str, pci: &str) -> Option<IommuGroup> {
    let others = names(devices).into_iter().filter(|other| other != pci);
    let member = |pci: String| GroupMember {
        class: hex(&devices.join(&pci).join("class")).unwrap_or_default(),
        driver: target(&devices.join(&pci).join("driver")),
        pci,
    };
    Some(IommuGroup { number: number.parse().ok()?, others: others.map(member).collect() })
}

/// A file's text, without the line's end.
fn text(file: &Path) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim_end().to_owned())
}

/// A number's hexadecimal digits.
fn hex(file: &Path) -> Option<String> {
    Some(text(file)?.strip_prefix("0x")?.to_owned())
}

/// The last name of where a link leads.
fn target(link: &Path) -> Option<String> {
    Some(fs::read_link(link).ok()?.file_name()?.to_str()?.to_owned())
}

/// What a directory holds, in order; nothing where there is none.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
