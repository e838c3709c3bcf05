//! The addresses at the edges of the IPv4 peering prefixes: networks and broadcasts, which no host has. A /31 or /32 has
//! neither (RFC 3021).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Network and broadcast addresses, as words in the order of a frame's bytes.
#[derive(Debug, Clone)]
pub struct Edges {
    networks: Box<[u32]>,
    broadcasts: Box<[u32]>,
    /// By [`mixed`]: some edge is mixed to that. Nearly every address is told from all edges by that alone.
    mixed: [bool; 256],
}

/// The second and the last byte of an address together: edges mostly end in 0 or 255, and so do many hosts elsewhere.
#[inline(always)]
const fn mixed([_, second, _, last]: [u8; 4]) -> usize {
    (second ^ last) as usize
}

const fn word(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

impl Edges {
    /// Of these prefixes.
    pub fn new(prefixes: &[Ipv4Net]) -> Edges {
        let with_edges = || prefixes.iter().filter(|prefix| prefix.prefix_len() <= 30);
        let networks: Box<[u32]> = with_edges().map(|prefix| word(prefix.network())).collect();
        let broadcasts: Box<[u32]> = with_edges().map(|prefix| word(prefix.broadcast())).collect();
        let mut seen = [false; 256];
        for edge in networks.iter().chain(&broadcasts) {
            seen[mixed(edge.to_ne_bytes())] = true;
        }
        Edges { networks, broadcasts, mixed: seen }
    }

    /// A prefix's network address.
    pub fn is_network(&self, address: Ipv4Addr) -> bool {
        self.mixed[mixed(address.octets())] && self.networks.contains(&word(address))
    }

    /// A prefix's broadcast address.
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        self.mixed[mixed(address.octets())] && self.broadcasts.contains(&word(address))
    }

    /// Neither of two addresses is an edge.
    #[inline(always)]
    pub fn has_neither(&self, one: [u8; 4], two: [u8; 4]) -> bool {
        !(self.mixed[mixed(one)] | self.mixed[mixed(two)]) || !self.has_either(one, two)
    }

    #[cold]
    #[inline(never)]
    fn has_either(&self, one: [u8; 4], two: [u8; 4]) -> bool {
        let [one, two] = [one, two].map(u32::from_ne_bytes);
        self.networks.iter().chain(&self.broadcasts).any(|&edge| edge == one || edge == two)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_the_first_and_the_last_address_of_prefixes_that_have_them() {
        let prefixes = ["202.7.0.0/23", "192.0.2.128/25", "203.0.113.0/31", "198.51.100.4/30"];
        let edges = Edges::new(&prefixes.map(|prefix| prefix.parse().unwrap()));
        let address = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        for network in ["202.7.0.0", "192.0.2.128", "198.51.100.4"] {
            assert!(edges.is_network(address(network)) && !edges.is_broadcast(address(network)), "{network}");
        }
        for broadcast in ["202.7.1.255", "192.0.2.255", "198.51.100.7"] {
            assert!(edges.is_broadcast(address(broadcast)) && !edges.is_network(address(broadcast)));
        }
        for host in ["202.7.0.255", "202.7.1.0", "203.0.113.0", "203.0.113.1", "192.0.2.0", "1.2.3.4"] {
            let host = address(host);
            assert!(!edges.is_network(host) && !edges.is_broadcast(host), "{host}");
            assert!(edges.has_neither(host.octets(), host.octets()), "{host}");
            assert!(!edges.has_neither(host.octets(), [202, 7, 0, 0]));
            assert!(!edges.has_neither([192, 0, 2, 255], host.octets()));
        }
    }
}
