//! What tells our own probes apart from all else: the nonce that they carry (docs/spec B.1, RFC 7527).

use std::hash::{DefaultHasher, Hasher};

use rules::Mac;

use super::arp::{Arp, LEN};
use super::ether::{Ether, ethertype};
use super::icmp6::{NS, NdOption, Neighbour, SLLAO, options};
use super::ipv6::Ipv6;

/// A random value that tells our own duplicate address detection and loop probes from anybody else's (RFC 7527).
pub type Nonce = [u8; 6];

/// A value that nobody can guess who does not know the seed, for a MAC of ours and a number.
pub fn keyed(seed: u64, mac: Mac, number: u64) -> Nonce {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write_u64(mac.as_u64());
    hasher.write_u64(number);
    Mac::from_u64(hasher.finish()).bytes()
}

/// The nonce of an ARP announcement (in its padding), or of a solicitation from the unspecified address (an option). Zero is
/// padding, and no nonce.
pub fn carried(ether: &Ether<'_>) -> Option<Nonce> {
    let nonce: Nonce = match ether.ethertype {
        ethertype::ARP => {
            Arp::parse(ether.payload).ok().filter(|arp| arp.spa == arp.tpa)?;
            *ether.payload.get(LEN..)?.first_chunk()?
        }
        ethertype::IPV6 => {
            let ip = Ipv6::parse(ether.payload).ok().filter(|ip| ip.src.is_unspecified())?;
            let nd = Neighbour::parse(ip.payload()).filter(|_| ip.payload().first() == Some(&NS))?;
            let mut found = None;
            options(nd.options, SLLAO, |option| {
                if let NdOption::Nonce(nonce) = option {
                    found = Some(nonce);
                }
            });
            found?
        }
        _ => return None,
    };
    (nonce != Nonce::default()).then_some(nonce)
}
