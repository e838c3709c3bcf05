//! Names of vendors and devices, from the machine's pci.ids.
//!
//! Its lines are `8086  Intel Corporation`, and under that, `TAB 10fb  82599ES ...` and `TAB TAB` with subsystems.

/// The text of a pci.ids; empty where the machine has none.
#[derive(Debug)]
pub(super) struct PciIds(pub(super) String);

impl PciIds {
    /// The names of a vendor and of a device of its.
    pub(super) fn names(&self, vendor: &str, device: &str) -> (Option<String>, Option<String>) {
        let named =
            |line: &str, id| line.strip_prefix(id)?.strip_prefix("  ").map(|name| name.trim_end().to_owned());
        let mut lines = self.0.lines();
        let vendor = lines.find_map(|line| named(line, vendor));
        let of_vendor = lines.take_while(|line| line.is_empty() || line.starts_with(['\t', '#']));
        let device =
            of_vendor.filter_map(|line| line.strip_prefix('\t')).find_map(|line| named(line, device));
        (vendor, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_looked_for_under_its_own_vendor() {
        let ids = PciIds("# ids\n1af4  Red Hat, Inc.\n\t1041  Virtio 1.0 network device\n8086  Intel Corporation\n\t1041  other\n\t10fb  82599ES\n\t\t1028 1041  a subsystem\nC 02  Network controller\n\t00  Ethernet controller\n".to_owned());
        let both = |vendor: &str, device: &str| (Some(vendor.to_owned()), Some(device.to_owned()));
        assert_eq!(ids.names("8086", "10fb"), both("Intel Corporation", "82599ES"));
        assert_eq!(ids.names("1af4", "1041"), both("Red Hat, Inc.", "Virtio 1.0 network device"));
        assert_eq!(ids.names("1af4", "10fb"), (Some("Red Hat, Inc.".to_owned()), None));
        assert_eq!(ids.names("15b3", "1017"), (None, None));
    }
}
