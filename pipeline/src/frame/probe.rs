//! What tells our own probes apart from all else: the nonce that they carry (SPEC B.1, RFC 7527).

use super::arp::{Arp, LEN};
use super::build::Nonce;
use super::ether::{Ether, ethertype};
use super::icmp6::{NONCE, NS, Neighbour, options};
use super::ipv6::Ipv6;

/// The nonce of an ARP announcement (in its padding) or of a solicitation from nobody. Zero is padding, and no nonce.
pub fn nonce(ether: &Ether<'_>) -> Option<Nonce> {
    let nonce: Nonce = match ether.ethertype {
        ethertype::ARP => {
            Arp::parse(ether.payload).ok().filter(|arp| arp.spa == arp.tpa)?;
            *ether.payload.get(LEN..)?.first_chunk()?
        }
        ethertype::IPV6 => {
            let ip = Ipv6::parse(ether.payload).ok().filter(|ip| ip.src.is_unspecified())?;
            let nd = Neighbour::parse(ip.payload).filter(|_| ip.payload.first() == Some(&NS))?;
            let mut found = None;
            options(nd.options, NONCE, |nonce| found = Some(nonce.bytes()));
            found?
        }
        _ => return None,
    };
    (nonce != Nonce::default()).then_some(nonce)
}
