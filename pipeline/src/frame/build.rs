//! The frames that the bridge sends itself: untagged, padded to 60 bytes; the egress side's tags are added on sending.
//! Byte for byte as docs/spec C.4, C.6, D.2 and D.3.

use std::net::{Ipv4Addr, Ipv6Addr};

use rules::Mac;

use super::arp::{self, Arp};
use super::checksum;
use super::ether::{MIN_FRAME, ethertype};
use super::icmp6::{self, NA, NS, SLLAO, TLLAO, group_mac, solicited_node};
use super::ipv4::ICMP;
use super::ipv6::ICMP6;
use super::nonce::Nonce;

/// Hop limit and TTL of errors and echo replies (docs/spec D.2).
const TTL: u8 = 64;
/// Neighbour discovery's hop limit (RFC 4861 §4).
const ND_HOPS: u8 = 255;
/// The largest ICMPv6 error (RFC 4443 §2.4 c).
const MOST_ERROR6: usize = 1280;
/// The largest ICMP error (RFC 1812 §4.3.2.3).
const MOST_ERROR4: usize = 576;
/// Bytes of an IPv6 header and of an ICMP error's own.
const HEADER6: usize = 40;
const ERROR: usize = 8;

/// Pads to the shortest frame.
pub fn pad(frame: &mut Vec<u8>) {
    if frame.len() < MIN_FRAME {
        frame.resize(MIN_FRAME, 0);
    }
}

fn ether(frame: &mut Vec<u8>, dst: Mac, src: Mac, ethertype: u16) {
    frame.clear();
    frame.extend_from_slice(&dst.bytes());
    frame.extend_from_slice(&src.bytes());
    frame.extend_from_slice(&ethertype.to_be_bytes());
}

/// An ARP packet in a frame; `pad` follows it.
fn arp(frame: &mut Vec<u8>, dst: Mac, src: Mac, op: u16, arp: &Arp, tha: Mac) {
    ether(frame, dst, src, ethertype::ARP);
    frame.extend_from_slice(&[0, 1, 8, 0, 6, 4]);
    frame.extend_from_slice(&op.to_be_bytes());
    frame.extend_from_slice(&arp.sha.bytes());
    frame.extend_from_slice(&arp.spa.octets());
    frame.extend_from_slice(&tha.bytes());
    frame.extend_from_slice(&arp.tpa.octets());
}

/// The reply to an ARP request, as `owner` of the address would send it (golden G6); to a probe its target is 0.0.0.0 (golden G7).
pub fn arp_reply(frame: &mut Vec<u8>, request: &Arp, owner: Mac) {
    let reply = Arp { op: arp::REPLY, sha: owner, spa: request.tpa, tpa: request.spa };
    arp(frame, request.sha, owner, arp::REPLY, &reply, request.sha);
    pad(frame);
}

/// An ARP announcement (RFC 5227 §1.1) of our own address; as a loop probe it carries a nonce behind the packet, where
/// everybody else sees padding.
pub fn arp_announcement(frame: &mut Vec<u8>, mac: Mac, address: Ipv4Addr, nonce: Option<Nonce>) {
    let announcement = Arp { op: arp::REQUEST, sha: mac, spa: address, tpa: address };
    arp(frame, Mac::BROADCAST, mac, arp::REQUEST, &announcement, Mac::ZERO);
    frame.extend_from_slice(&nonce.unwrap_or_default());
    pad(frame);
}

/// An ARP probe (RFC 5227 §1.1) for our own address.
pub fn arp_probe(frame: &mut Vec<u8>, mac: Mac, address: Ipv4Addr) {
    let probe = Arp { op: arp::REQUEST, sha: mac, spa: Ipv4Addr::UNSPECIFIED, tpa: address };
    arp(frame, Mac::BROADCAST, mac, arp::REQUEST, &probe, Mac::ZERO);
    pad(frame);
}

/// A request for `target` to one station alone, (to, from) these MACs; without an address of our own it is a probe (RFC 5227 §1.1).
pub fn arp_question(frame: &mut Vec<u8>, (to, own): (Mac, Mac), from: Option<Ipv4Addr>, target: Ipv4Addr) {
    let spa = from.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let question = Arp { op: arp::REQUEST, sha: own, spa, tpa: target };
    arp(frame, to, own, arp::REQUEST, &question, Mac::ZERO);
    pad(frame);
}

fn ipv6(frame: &mut Vec<u8>, src: Ipv6Addr, dst: Ipv6Addr, hop_limit: u8, length: usize) {
    frame.extend_from_slice(&[0x60, 0, 0, 0]);
    frame.extend_from_slice(&(length as u16).to_be_bytes());
    frame.extend_from_slice(&[ICMP6, hop_limit]);
    frame.extend_from_slice(&src.octets());
    frame.extend_from_slice(&dst.octets());
}

/// Fills in the checksum of the ICMPv6 message that ends the frame, `length` bytes long.
fn sum6(frame: &mut [u8], src: Ipv6Addr, dst: Ipv6Addr, length: usize) {
    let at = frame.len() - length;
    if let Some(message) = frame.get_mut(at..) {
        message[2..4].fill(0);
        let sum = !icmp6::sum(src, dst, message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Where a neighbour advertisement goes, and what it says.
#[derive(Debug, Clone, Copy)]
pub struct Advertisement {
    /// Whose address: the source of the packet too.
    pub target: Ipv6Addr,
    /// The owner's MAC: the source of the frame too.
    pub owner: Mac,
    /// To whom: (MAC, address).
    pub to: (Mac, Ipv6Addr),
    /// R, S, O from the top bit.
    pub flags: u8,
}

/// A neighbour advertisement (golden G2, G4).
pub fn advertisement(frame: &mut Vec<u8>, na: &Advertisement) {
    ether(frame, na.to.0, na.owner, ethertype::IPV6);
    ipv6(frame, na.target, na.to.1, ND_HOPS, 32);
    frame.extend_from_slice(&[NA, 0, 0, 0, na.flags, 0, 0, 0]);
    frame.extend_from_slice(&na.target.octets());
    frame.extend_from_slice(&[TLLAO, 1]);
    frame.extend_from_slice(&na.owner.bytes());
    sum6(frame, na.target, na.to.1, 32);
}

/// Duplicate address detection (RFC 4862 §5.4.2) with a nonce (RFC 7527) for our own address.
pub fn dad(frame: &mut Vec<u8>, mac: Mac, target: Ipv6Addr, nonce: Nonce) {
    let (src, dst) = (Ipv6Addr::UNSPECIFIED, solicited_node(target));
    ether(frame, group_mac(dst), mac, ethertype::IPV6);
    ipv6(frame, src, dst, ND_HOPS, 32);
    frame.extend_from_slice(&[NS, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(&target.octets());
    frame.extend_from_slice(&[icmp6::NONCE, 1]);
    frame.extend_from_slice(&nonce);
    sum6(frame, src, dst, 32);
}

/// A solicitation of `target` to one station alone, (to, from) these MACs, as a host asks whether a neighbour is still there
/// (RFC 4861 §7.3.3). Without an address of our own it is duplicate address detection: to the group, in a frame to the station
/// (RFC 6085).
pub fn solicitation(frame: &mut Vec<u8>, (to, own): (Mac, Mac), from: Option<Ipv6Addr>, target: Ipv6Addr) {
    let (src, dst) = from.map_or((Ipv6Addr::UNSPECIFIED, solicited_node(target)), |from| (from, target));
    let length = if from.is_some() { 32 } else { 24 };
    ether(frame, to, own, ethertype::IPV6);
    ipv6(frame, src, dst, ND_HOPS, length);
    frame.extend_from_slice(&[NS, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(&target.octets());
    if from.is_some() {
        frame.extend_from_slice(&[SLLAO, 1]);
        frame.extend_from_slice(&own.bytes());
    }
    sum6(frame, src, dst, length);
}

/// Addresses of an answer: from us, to the sender.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<A> {
    /// To this MAC: the one that the invoking frame came from.
    pub to: Mac,
    /// From ours.
    pub from: Mac,
    /// Source.
    pub src: A,
    /// Destination.
    pub dst: A,
}

/// Packet Too Big (docs/spec D.2), quoting as much as keeps it within 1280 bytes.
pub fn packet_too_big(frame: &mut Vec<u8>, way: &Addresses<Ipv6Addr>, mtu: u16, invoking: &[u8]) {
    let quote = &invoking[..invoking.len().min(MOST_ERROR6 - HEADER6 - ERROR)];
    let length = ERROR + quote.len();
    ether(frame, way.to, way.from, ethertype::IPV6);
    ipv6(frame, way.src, way.dst, TTL, length);
    frame.extend_from_slice(&[icmp6::PACKET_TOO_BIG, 0, 0, 0]);
    frame.extend_from_slice(&u32::from(mtu).to_be_bytes());
    frame.extend_from_slice(quote);
    sum6(frame, way.src, way.dst, length);
    pad(frame);
}

/// Destination Unreachable, Fragmentation Needed (docs/spec D.3), quoting as much as fits in 576 bytes.
pub fn fragmentation_needed(frame: &mut Vec<u8>, way: &Addresses<Ipv4Addr>, mtu: u16, invoking: &[u8]) {
    /// Precedence 6, internetwork control; the TOS bits are the invoking packet's (RFC 1812 §4.3.2.5).
    const INTERNETWORK_CONTROL: u8 = 0xc0;
    const TOS: u8 = 0x1e;
    let quote = &invoking[..invoking.len().min(MOST_ERROR4 - 20 - ERROR)];
    let tos = INTERNETWORK_CONTROL | invoking.get(1).map_or(0, |tos| tos & TOS);
    ether(frame, way.to, way.from, ethertype::IPV4);
    ipv4(frame, way, tos, ERROR + quote.len());
    let at = frame.len();
    frame.extend_from_slice(&[3, 4, 0, 0, 0, 0]);
    frame.extend_from_slice(&mtu.to_be_bytes());
    frame.extend_from_slice(quote);
    sum4(frame, at, at + 2);
    pad(frame);
}

fn ipv4(frame: &mut Vec<u8>, way: &Addresses<Ipv4Addr>, tos: u8, length: usize) {
    let at = frame.len();
    frame.extend_from_slice(&[0x45, tos]);
    frame.extend_from_slice(&((20 + length) as u16).to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, 0, TTL, ICMP, 0, 0]);
    frame.extend_from_slice(&way.src.octets());
    frame.extend_from_slice(&way.dst.octets());
    sum4(frame, at, at + 10);
}

/// Fills in the checksum at `field` of everything from `at` on.
pub fn sum4(frame: &mut [u8], at: usize, field: usize) {
    frame[field..field + 2].fill(0);
    let sum = !checksum::fold(checksum::sum(&frame[at..]));
    frame[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

/// The reply to an ICMPv6 echo request with the same identifier, number and data (RFC 4443 §4.2).
pub fn echo_reply6(frame: &mut Vec<u8>, way: &Addresses<Ipv6Addr>, request: &[u8]) {
    ether(frame, way.to, way.from, ethertype::IPV6);
    ipv6(frame, way.src, way.dst, TTL, request.len());
    frame.extend_from_slice(&[icmp6::ECHO_REPLY, 0, 0, 0]);
    frame.extend_from_slice(request.get(4..).unwrap_or_default());
    sum6(frame, way.src, way.dst, request.len());
    pad(frame);
}

/// The reply to an ICMP echo request with the same identifier, number and data (RFC 1122 §3.2.2.6).
pub fn echo_reply4(frame: &mut Vec<u8>, way: &Addresses<Ipv4Addr>, tos: u8, request: &[u8]) {
    ether(frame, way.to, way.from, ethertype::IPV4);
    ipv4(frame, way, tos, request.len());
    let at = frame.len();
    frame.extend_from_slice(&[0, 0, 0, 0]);
    frame.extend_from_slice(request.get(4..).unwrap_or_default());
    sum4(frame, at, at + 2);
    pad(frame);
}
