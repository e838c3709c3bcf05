//! Hosts that answer questions for their addresses, as far as the bridge can be led astray by that they do or do not.

use rules::Side;

use crate::frames::*;
use crate::timeline::OnSide;

/// A host.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// Where it is.
    pub side: Side,
    /// What it sends with.
    pub mac: [u8; 6],
    /// What else it listens to and may speak for: a virtual router's.
    pub also: [u8; 6],
    /// Its addresses.
    pub ip4: &'static str,
    pub ip6: &'static str,
}

/// What an ARP packet or a neighbour discovery message says or asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Talk {
    pub asks: bool,
    /// Whose address is whose: the sender of ARP, the target of an advertisement, the source of a solicitation.
    pub says: Option<(String, [u8; 6])>,
    /// The address that is asked for.
    pub about: Option<String>,
    /// Who asks, or the unspecified address.
    pub from: String,
}

fn bytes<const N: usize>(frame: &[u8], at: usize) -> [u8; N] {
    frame[at..at + N].try_into().unwrap()
}

fn address4(frame: &[u8], at: usize) -> String {
    std::net::Ipv4Addr::from(bytes::<4>(frame, at)).to_string()
}

fn address6(frame: &[u8], at: usize) -> String {
    std::net::Ipv6Addr::from(bytes::<16>(frame, at)).to_string()
}

/// The first source or target link-layer address among options.
fn link_address(mut options: &[u8]) -> Option<[u8; 6]> {
    while let [kind, length, rest @ ..] = options {
        if matches!(kind, 1 | 2) && rest.len() >= 6 {
            return Some(bytes(rest, 0));
        }
        options = options.get(8 * usize::from(*length).max(1)..)?;
    }
    None
}

/// Reads what left the bridge, which lets nothing damaged through.
pub fn talk(frame: &[u8]) -> Option<Talk> {
    match (frame.get(12..14)?, frame.get(20), frame.get(54)) {
        ([0x08, 0x06], ..) => {
            let (spa, asks) = (address4(frame, 28), frame[21] == 1);
            let says = (spa != "0.0.0.0").then(|| (spa.clone(), bytes(frame, 22)));
            Some(Talk { asks, says, about: asks.then(|| address4(frame, 38)), from: spa })
        }
        ([0x86, 0xdd], Some(58), Some(kind @ (135 | 136))) => {
            let (from, target, asks) = (address6(frame, 22), address6(frame, 62), *kind == 135);
            let owner = if asks { from.clone() } else { target.clone() };
            let says = link_address(&frame[78..]).map(|link| (owner, link));
            Some(Talk { asks, says, about: asks.then_some(target), from })
        }
        _ => None,
    }
}

impl Host {
    /// This one of its addresses.
    pub fn has(&self, address: &str) -> bool {
        address == self.ip4 || address == self.ip6
    }

    /// Its network card takes this destination.
    pub fn takes(&self, dst: &[u8]) -> bool {
        dst[0] & 1 != 0 || *dst == self.mac || *dst == self.also
    }

    /// What it answers.
    pub fn hears(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let talk = talk(frame)?;
        let from = bytes(frame, 6);
        if !self.takes(&frame[..6]) || !talk.asks || !talk.about.is_some_and(|about| self.has(&about)) {
            return None;
        }
        // a virtual router that is asked as such answers as such (RFC 5798 §8.1.2)
        let me = if frame[..6] == self.also { self.also } else { self.mac };
        let way = (from, me);
        Some(match frame[12..14] {
            [0x08, 0x06] => arp_frame(way, &arp(2, me, self.ip4, from, &talk.from)),
            _ if talk.from == "::" => advertisement((ALL_NODES.1, me), ALL_NODES.0, R | O, self.ip6),
            _ => advertisement(way, &talk.from, R | S | O, self.ip6),
        })
    }

    /// What leaves on its side says that an address of its is another's.
    pub fn denies(&self, frame: &[u8]) -> bool {
        let said = talk(frame).and_then(|talk| talk.says);
        said.is_some_and(|(address, owner)| self.has(&address) && owner != self.mac && owner != self.also)
    }
}

/// What hosts answer to what left the bridge.
pub fn answers(hosts: &[Host], left: &[OnSide]) -> Vec<OnSide> {
    let answer = |(side, frame): &OnSide| {
        let there = hosts.iter().filter(|host| host.side == *side);
        there.filter_map(|host| host.hears(frame)).map(|answer| (*side, answer)).collect::<Vec<_>>()
    };
    left.iter().flat_map(answer).collect()
}
