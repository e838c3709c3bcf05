//! A configuration out of choices: always one that the rules accept.

use crate::bytes::{Choices, bit};

/// Ports, tags, MTU and table sizes: what no reload changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    ports: u8,
    tags: [u8; 4],
    mtus: [u8; 4],
    fragments: u8,
    sizes: u8,
}

const MTUS: [u16; 5] = [1500, 1280, 1400, 2000, 9000];
const MACS: [u16; 4] = [64, 2, 4, 16];
/// At least the members' addresses.
const NEIGHBOURS: [u16; 4] = [64, 8, 12, 16];

impl Geometry {
    pub(crate) fn choose(choices: &mut Choices<'_>) -> Geometry {
        let (ports, tags, mtus) = (choices.byte(), choices.word(), choices.word());
        let nibble = |word: u16, at: usize| (word >> (4 * at)) as u8 & 0xf;
        Geometry {
            ports,
            tags: [0, 1, 2, 3].map(|at| nibble(tags, at)),
            mtus: [0, 1, 2, 3].map(|at| nibble(mtus, at)),
            fragments: choices.byte(),
            sizes: choices.byte(),
        }
    }

    /// Two bridges, or one.
    fn bridges(&self) -> usize {
        1 + usize::from(bit(self.ports, 0))
    }

    /// The port of a side, of all four: two trunks, one that all share, or a port each.
    fn port(&self, side: usize) -> usize {
        match self.ports / 2 % 3 {
            0 => side % 2,
            1 => 0,
            _ => side,
        }
    }

    /// An untagged side has its port for itself.
    fn is_alone(&self, side: usize) -> bool {
        let port = self.port(side);
        (0..2 * self.bridges()).filter(|other| self.port(*other) == port).count() == 1
    }

    fn side(&self, side: usize) -> String {
        const NAMES: [&str; 4] = ["mud", "wix", "left", "right"];
        let port = self.port(side);
        let vlan = 10 * (side + 1);
        let tags = match self.tags[side] % 3 {
            1 if self.is_alone(side) => String::new(),
            2 => format!("outer_vlan: 100, vlan: {vlan}, "),
            _ => format!("vlan: {vlan}, "),
        };
        // a side without a MAC derives one from its port's
        let mac = match self.tags[side] / 3 % 2 {
            0 => format!("mac: \"02:51:00:00:00:{vlan:02x}\", "),
            _ => String::new(),
        };
        let mtu = MTUS[usize::from(self.mtus[side]) % MTUS.len()];
        let fragment = bit(self.fragments, side as u8);
        format!("{}: {{ port: trunk{port}, {tags}{mac}mtu: {mtu}, fragment: {fragment} }}", NAMES[side])
    }

    /// The YAML of a file with these ports and sides, and other choices for all else.
    pub(crate) fn yaml(&self, choices: &mut Choices<'_>) -> String {
        let mut yaml =
            "version: 1\nports:\n  trunk0: { device: net_null0 }\n  trunk1: { device: net_null1 }\n\
                        \x20 trunk2: { device: net_null2 }\n  trunk3: { device: net_null3 }\n\
                        workers: [0]\nbridges:\n"
                .to_owned();
        for bridge in 0..self.bridges() {
            yaml += &self.bridge(bridge, choices);
        }
        yaml
    }

    fn bridge(&self, bridge: usize, choices: &mut Choices<'_>) -> String {
        let (modes, anycast, limits, own) = (choices.byte(), choices.byte(), choices.byte(), choices.byte());
        let [left, right] = [0, 1].map(|side| self.side(2 * bridge + side));
        let names = [["mud", "wix"], ["left", "right"]][bridge];
        let choose = |bits: u8, at: u8, one: &'static str, other: &'static str| {
            if bit(bits, at) { other } else { one }
        };
        let own = match own % 4 {
            0 => {
                "own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\", icmp_source4: 192.0.2.1, icmp_source6: \"2001:db8::1\" }"
            }
            1 => "own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }",
            2 => "own: { icmp_source4: 192.0.2.1, icmp_source6: \"2001:db8::1\" }",
            _ => "own: {}",
        };
        let known = NEIGHBOURS[usize::from(self.sizes / 4) % 4];
        let storm = choose(limits, 5, "{ rate: 1000/s, burst: 1000 }", "{ rate: 2/s, burst: 2 }");
        let rate = choose(limits, 0, "{ rate: 1000/s, burst: 1000 }", "{ rate: 2/s, burst: 2 }");
        let lines = [
            format!("  {}:", ["wix", "lan"][bridge]),
            format!("    sides: {{ {left}, {right} }}"),
            "    peering: { ipv4: [202.7.0.0/23], ipv6: [\"2001:7fa:3:ca07::/64\"] }".to_owned(),
            format!("    {own}"),
            format!("    admission: {}", choose(modes, 0, "learned", "members")),
            if bit(modes, 1) { "    members: []".to_owned() } else { members(names) },
            format!("    conflict: {}", choose(modes, 2, "drop", "pass")),
            format!("    arp: {{ mode: {} }}", choose(modes, 3, "bridge", "answer")),
            format!("    nd: {{ mode: {} }}", choose(modes, 4, "bridge", "answer")),
            format!("    mld: {}", choose(modes, 5, "drop", "pass")),
            format!("    drain: {}", choose(modes, 6, "false", "true")),
            format!("    unknown_unicast: {}", choose(modes, 7, rate, "drop")),
            format!("    loop: {{ probe: {}, hold: 60s }}", choose(anycast, 0, "1s", "off")),
            format!(
                "    anycast: {{ subnet_router: {}, never: [{}], extra: [{}], ptb: {} }}",
                choose(anycast, 1, "auto", "off"),
                choose(anycast, 2, "", "\"2001:7fa:3:ca07::/127\""),
                choose(anycast, 3, "", "\"2001:db8:5::/48\""),
                choose(anycast, 4, "false", "true"),
            ),
            format!("    answers: {rate}"),
            format!("    mtu_errors: {{ source: {rate}, mac: {rate}, side: {rate} }}"),
            format!("    storm: {{ side: {{ broadcast: {storm}, multicast: {storm} }}, mac: {storm} }}"),
            format!(
                "    macs: {{ capacity: {}, age: {}, new: {rate}, move_guard: {}, flap: {{ moves: {}, within: 180s, hold: 540s }} }}",
                MACS[usize::from(self.sizes) % 4],
                choose(limits, 1, "300s", "10s"),
                choose(limits, 2, "1s", "100ms"),
                choose(limits, 3, "5", "1"),
            ),
            format!(
                "    neighbours: {{ capacity: {known}, per_mac: {} }}",
                if bit(limits, 4) { 1 } else { known.min(16) }
            ),
        ];
        lines.join("\n") + "\n"
    }
}

/// Pinned to each side, on either, and behind virtual routers' addresses.
fn members([first, second]: [&str; 2]) -> String {
    [
        "    members:".to_owned(),
        format!("      - {{ name: A, side: {first}, mac: \"02:aa:00:00:00:01\", ipv4: [202.7.0.10], ipv6: [\"2001:7fa:3:ca07::a\"] }}"),
        format!("      - {{ name: B, side: {second}, mac: \"02:bb:00:00:00:02\", ipv4: [202.7.0.20], ipv6: [\"2001:7fa:3:ca07::b\"], role: host }}"),
        "      - { name: C, mac: \"02:cc:00:00:00:03\", ipv4: [202.7.0.30], ipv6: [\"2001:7fa:3:ca07::c\"] }".to_owned(),
        format!("      - {{ name: V, side: {second}, macs: [\"02:dd:00:00:00:04\", \"00:00:5e:00:01:09\", \"00:00:5e:00:02:09\"], ipv4: [202.7.0.40] }}"),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_a_configuration() {
        for seed in 0..1000u32 {
            let bytes: Vec<u8> = (0..16).map(|at| (seed.wrapping_mul(0x9e37_79b9) >> at) as u8).collect();
            let mut choices = Choices::new(&bytes);
            let geometry = Geometry::choose(&mut choices);
            let yaml = geometry.yaml(&mut choices);
            rules::parse(&yaml, "seed.yaml").unwrap_or_else(|errors| panic!("{errors}\n{yaml}"));
        }
    }
}
