//! The frames of the test: each carries a stamp by which it is known again, and a payload that its seed determines.
//!
//! Addresses: MACs are locally administered (IEEE 802 section 8.2.2), IP addresses those of benchmarks (RFC 2544 appendix C.2.2,
//! RFC 5180 section 8). Where a check is not about IP, the EtherType is IEEE 802's Local Experimental 1 (IEEE 802 section 9.2.3).

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, Ipv6Addr};

use rules::{Mac, Vid};

use crate::frame::build::sum4;
use crate::frame::checksum;
use crate::frame::ether::ethertype::{CTAG, IPV4, IPV6};

/// IEEE 802 Local Experimental 1.
pub(super) const EXPERIMENTAL: u16 = 0x88b5;

/// Bytes of the headers of Ethernet, IPv4 and UDP.
pub(super) const UDP4: usize = 14 + 20 + 8;

/// Protocol numbers of IP.
pub(super) const TCP: u8 = 6;
/// UDP's.
pub(super) const UDP: u8 = 17;

/// One of the two ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    A,
    B,
}

impl End {
    pub(super) const BOTH: [End; 2] = [End::A, End::B];

    pub(super) fn index(self) -> usize {
        self as usize
    }

    pub(super) fn other(self) -> End {
        if self == End::A { End::B } else { End::A }
    }

    /// Which way a frame goes that it sends.
    pub(super) fn way(self) -> &'static str {
        if self == End::A { "A to B" } else { "B to A" }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == End::A { "A" } else { "B" })
    }
}

/// By what a frame of the test is known: 14 bytes, so that it fits into the shortest frame behind a tag and the headers of
/// IPv4 and UDP. In network order: magic (2), number of the run (2), sender (1), sequence (5), seed (4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Who sent it: a port, and what for.
    pub(super) sender: u8,
    /// Its number among all that this sender sent: 40 bits.
    pub(super) sequence: u64,
    /// Determines the payload. It is a hash of the other two with a secret of the run, so that no bit of a stamp can change
    /// unnoticed.
    pub(super) seed: u32,
}

impl Stamp {
    /// Bytes.
    pub(super) const LEN: usize = 14;

    /// Reads one that is known to begin with the mark of this run.
    pub(super) fn read(bytes: &[u8; Stamp::LEN]) -> Stamp {
        let [.., s0, s1, s2, s3] = *bytes;
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        Stamp {
            sender: bytes[4],
            sequence: number(&bytes[5..10]),
            seed: u32::from_be_bytes([s0, s1, s2, s3]),
        }
    }
}

/// A run of the test: what its frames have in common.
#[derive(Debug)]
pub(super) struct Run {
    /// Magic and number: what every stamp begins with.
    mark: [u8; 4],
    secret: u64,
    /// Random bytes. A frame's payload is a stretch of them that begins where its seed says: so it is made and verified by
    /// one copy and one comparison, at line rate.
    tape: Vec<u8>,
    /// The VLAN that all frames are to be in.
    pub(super) vlan: Option<Vid>,
    /// The addresses that the ports send from and to. Not the cards' own: a switch between them must learn the addresses
    /// that frames go to, or it floods them, and nobody else's frames have these.
    pub(super) stations: [Mac; 2],
}

/// What a stamp begins with, before the number of the run. No header of the test has these bytes.
const MAGIC: [u8; 2] = [0x51, 0xce];

/// Places where a payload may begin.
const PLACES: usize = 1 << 16;
/// Bytes of the longest payload: DPDK's ports count frames in 16 bits, and jumbo frames end well below this.
const LONGEST: usize = 1 << 14;

impl Run {
    /// A run between these cards.
    pub(super) fn new(cards: [Mac; 2], vlan: Option<Vid>) -> Run {
        let mut random = Random::new();
        let mut tape = Vec::with_capacity(PLACES + LONGEST);
        while tape.len() < PLACES + LONGEST {
            tape.extend_from_slice(&random.draw().to_le_bytes());
        }
        let [.., high, low] = random.draw().to_be_bytes();
        let station = |end: End| {
            let [_, _, c, d, e, f] = cards[end.index()].bytes();
            Mac::from_bytes([0x02, 0x5a + end as u8, c, d, e, f])
        };
        let (mark, secret) = ([MAGIC[0], MAGIC[1], high, low], random.draw());
        Run { mark, secret, tape, vlan, stations: End::BOTH.map(station) }
    }

    /// Bytes that its VLAN tag adds to every frame.
    pub(super) fn overhead(&self) -> usize {
        if self.vlan.is_some() { 4 } else { 0 }
    }

    /// The head of a frame to the other port: addresses, the run's tag, these tags as (TPID, TCI), the type.
    pub(super) fn head(&self, from: End, tags: &[(u16, u16)], ethertype: u16) -> Vec<u8> {
        self.head_to(from, self.stations[from.other().index()], tags, ethertype)
    }

    /// The same to any address.
    pub(super) fn head_to(&self, from: End, to: Mac, tags: &[(u16, u16)], ethertype: u16) -> Vec<u8> {
        let mut head = [to.bytes(), self.stations[from.index()].bytes()].concat();
        let run = self.vlan.map(|vid| (CTAG, vid.get()));
        for (tpid, tci) in run.iter().chain(tags) {
            head.extend_from_slice(&tpid.to_be_bytes());
            head.extend_from_slice(&tci.to_be_bytes());
        }
        head.extend_from_slice(&ethertype.to_be_bytes());
        head
    }

    /// The head of an IPv4 frame of `len` bytes, of one of many flows, up to and with UDP's header, whose checksum is zero:
    /// none (RFC 768).
    pub(super) fn udp4(&self, from: End, flow: u8, tags: &[(u16, u16)], len: usize) -> Vec<u8> {
        let mut head = self.ipv4(from, flow, tags, UDP, len, 0);
        let udp = len.saturating_sub(head.len()) as u16;
        head.extend_from_slice(&[ports(from, flow), udp.to_be_bytes().to_vec(), vec![0, 0]].concat());
        head
    }

    /// Up to and with IPv4's header, with these flags and fragment offset.
    pub(super) fn ipv4(
        &self,
        from: End,
        flow: u8,
        tags: &[(u16, u16)],
        protocol: u8,
        len: usize,
        fragment: u16,
    ) -> Vec<u8> {
        let mut head = self.head(from, tags, IPV4);
        let at = head.len();
        let host = |end: End| Ipv4Addr::new(198, 18 + end as u8, 0, flow.max(1)).octets();
        head.extend_from_slice(&[0x45, 0]);
        head.extend_from_slice(&(len.saturating_sub(at) as u16).to_be_bytes());
        head.extend_from_slice(&[0x51, flow]); // an identification for each flow: fragments are of one packet
        head.extend_from_slice(&fragment.to_be_bytes());
        head.extend_from_slice(&[64, protocol, 0, 0]);
        head.extend_from_slice(&[host(from), host(from.other())].concat());
        sum4(&mut head, at, at + 10);
        head
    }

    /// Up to and with IPv6's header.
    pub(super) fn ipv6(&self, from: End, flow: u8, tags: &[(u16, u16)], next: u8, len: usize) -> Vec<u8> {
        let mut head = self.head(from, tags, IPV6);
        let host =
            |end: End| Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, end as u16 + 0xa, u16::from(flow)).octets();
        head.extend_from_slice(&[0x60, 0, 0, 0]);
        head.extend_from_slice(&(len.saturating_sub(head.len() + 36) as u16).to_be_bytes());
        head.extend_from_slice(&[next, 64]);
        head.extend_from_slice(&[host(from), host(from.other())].concat());
        head
    }

    /// Up to and with UDP's header on IPv6; its checksum is to be filled in by [`sum`].
    pub(super) fn udp6(&self, from: End, flow: u8, tags: &[(u16, u16)], len: usize) -> Vec<u8> {
        let mut head = self.ipv6(from, flow, tags, UDP, len);
        let udp = len.saturating_sub(head.len()) as u16;
        head.extend_from_slice(&[ports(from, flow), udp.to_be_bytes().to_vec(), vec![0, 0]].concat());
        head
    }

    /// Fills a frame, in which `head` bytes are written, with its stamp and its payload.
    #[inline]
    pub(super) fn fill(&self, frame: &mut [u8], head: usize, stamp: Stamp) {
        let Some((place, payload)) = frame.get_mut(head..).and_then(<[u8]>::split_first_chunk_mut) else {
            return;
        };
        *place = self.stamp_bytes(stamp);
        let tape = self.payload(stamp.seed, payload.len());
        payload[..tape.len()].copy_from_slice(tape);
    }

    /// The stamp of a sender's frame.
    #[inline]
    pub(super) fn stamp(&self, sender: u8, sequence: u64) -> Stamp {
        let seed = mix(self.secret.wrapping_add(sequence << 8 | u64::from(sender))) as u32;
        Stamp { sender, sequence, seed }
    }

    /// A stamp's bytes.
    #[inline]
    fn stamp_bytes(&self, stamp: Stamp) -> [u8; Stamp::LEN] {
        let mut bytes = [0; Stamp::LEN];
        bytes[..4].copy_from_slice(&self.mark);
        bytes[4] = stamp.sender;
        bytes[5..10].copy_from_slice(&stamp.sequence.to_be_bytes()[3..]);
        bytes[10..].copy_from_slice(&stamp.seed.to_be_bytes());
        bytes
    }

    /// What a payload of this seed is: all of it, up to the longest.
    #[inline]
    pub(super) fn payload(&self, seed: u32, len: usize) -> &[u8] {
        let start = seed as usize % PLACES;
        &self.tape[start..start + len.min(LONGEST)]
    }

    /// The stamp at a place, if it is of this run.
    #[inline]
    pub(super) fn stamp_at(&self, frame: &[u8], at: usize) -> Option<Stamp> {
        let bytes: &[u8; Stamp::LEN] = frame.get(at..)?.first_chunk()?;
        bytes.starts_with(&self.mark).then(|| Stamp::read(bytes))
    }

    /// The first stamp of this run, wherever it is: whatever was done to the frame on its way.
    pub(super) fn find(&self, frame: &[u8]) -> Option<Stamp> {
        let at = frame.windows(self.mark.len()).position(|bytes| bytes == self.mark)?;
        self.stamp_at(frame, at)
    }
}

/// UDP and TCP ports of a flow: a dynamic one and discard (RFC 863), from the other end the other way round, so that card
/// and switch see one conversation.
fn ports(from: End, flow: u8) -> Vec<u8> {
    let (dynamic, discard) = ((0xc000 + u16::from(flow)).to_be_bytes(), 9_u16.to_be_bytes());
    if from == End::A { [dynamic, discard].concat() } else { [discard, dynamic].concat() }
}

/// The right checksum of a UDP datagram, TCP segment or the like from `at` on (RFC 768, RFC 9293 section 3.1, RFC 8200 section
/// 8.1), whose addresses of `len` bytes each precede it, and whose own field `field` is zero.
pub(super) fn sum(frame: &[u8], at: usize, addresses: usize, protocol: u8) -> u16 {
    let pseudo = checksum::sum(&frame[at - 2 * addresses..at]);
    let length = (frame.len() - at) as u64;
    match !checksum::fold(pseudo + length + u64::from(protocol) + checksum::sum(&frame[at..])) {
        0 => 0xffff,
        sum => sum,
    }
}

/// Numbers that nobody expects: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), begun with the process's own randomness.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new() -> Random {
        Random(RandomState::new().hash_one(0_u64))
    }

    #[inline]
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

/// What SplitMix64 makes of a number.
#[inline]
fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(vlan: Option<u16>) -> Run {
        let cards =
            [Mac::from_bytes([0x3c, 0xfd, 0xfe, 1, 2, 3]), Mac::from_bytes([0x3c, 0xfd, 0xfe, 1, 2, 4])];
        Run::new(cards, vlan.and_then(Vid::new))
    }

    #[test]
    fn a_frame_is_as_long_as_asked_for_and_known_again_by_its_stamp() {
        let run = run(None);
        let stamp = run.stamp(1, 0xff_0000_0001);
        for len in [60, 61, 1514, 9014] {
            let mut frame = run.head(End::A, &[], EXPERIMENTAL);
            frame.resize(len, 0);
            run.fill(&mut frame, 14, stamp);
            assert_eq!(run.find(&frame), Some(stamp), "{len}");
            assert_eq!(frame[28..], *run.payload(stamp.seed, len - 28), "{len}");
        }
    }

    #[test]
    fn frames_of_others_and_of_other_runs_are_not_taken_for_our_own() {
        let (one, other) = (run(None), run(None));
        let mut frame = one.head(End::A, &[], EXPERIMENTAL);
        frame.resize(60, 0);
        one.fill(&mut frame, 14, one.stamp(0, 1));
        assert!(one.mark == other.mark || other.find(&frame).is_none());
        assert_eq!(one.find(&[0; 60]), None);
    }

    #[test]
    fn the_run_s_vlan_is_the_outermost_tag_of_every_frame() {
        let head = run(Some(77)).head(End::B, &[(0x88a8, 5)], 0x0800);
        assert_eq!(head[12..], [0x81, 0, 0, 77, 0x88, 0xa8, 0, 5, 8, 0]);
    }

    #[test]
    fn ip_headers_are_right_and_their_addresses_are_those_of_benchmarks() {
        let run = run(None);
        let frame = run.udp4(End::A, 7, &[], 100);
        assert_eq!(frame.len(), UDP4);
        assert_eq!(checksum::fold(checksum::sum(&frame[14..34])), 0xffff);
        assert_eq!(frame[16..18], 86_u16.to_be_bytes());
        assert_eq!(frame[26..34], [198, 18, 0, 7, 198, 19, 0, 7]);

        let mut frame = run.udp6(End::B, 7, &[], 100);
        assert_eq!(frame.len(), 14 + 40 + 8);
        assert_eq!(frame[18..20], 46_u16.to_be_bytes());
        assert_eq!(frame[22..26], [0x20, 1, 0, 2]);
        frame.resize(100, 7);
        let right = sum(&frame, 54, 16, UDP);
        frame[60..62].copy_from_slice(&right.to_be_bytes());
        let whole = checksum::sum(&frame[22..]) + 46 + 17;
        assert_eq!(checksum::fold(whole), 0xffff);
    }

    #[test]
    fn stations_are_locally_administered_and_never_the_same() {
        let same = Mac::from_bytes([0x3c, 0xfd, 0xfe, 1, 2, 3]);
        let [a, b] = Run::new([same, same], None).stations;
        assert!(a.is_station() && b.is_station() && a != b);
        assert_eq!((a.bytes()[0] & 3, b.bytes()[0] & 3), (2, 2));
    }
}
