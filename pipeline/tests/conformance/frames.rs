//! Frames, built by hand: untagged, each byte where the standard has it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Router A on side M.
pub const A: [u8; 6] = [0x02, 0xaa, 0, 0, 0, 0x01];
/// Router B on side W.
pub const B: [u8; 6] = [0x02, 0xbb, 0, 0, 0, 0x02];
/// Our own MAC on side M.
pub const MAC_M: [u8; 6] = [0x02, 0x51, 0, 0, 0, 0x0a];
/// Our own MAC on side W.
pub const MAC_W: [u8; 6] = [0x02, 0x51, 0, 0, 0, 0x14];
/// All stations.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// Some other station.
pub const fn station(number: u32) -> [u8; 6] {
    let n = number.to_be_bytes();
    [0x02, 0xcc, n[0], n[1], n[2], n[3]]
}

/// The notation of the rules.
pub fn mac(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// An Ethernet II frame.
pub fn ether(dst: [u8; 6], src: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&dst[..], &src, &ethertype.to_be_bytes(), payload].concat()
}

/// The Internet checksum, field to be filled in.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

/// An IPv4 packet, header checksum right, DF set.
pub fn ipv4(src: &str, dst: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let (src, dst): (Ipv4Addr, Ipv4Addr) = (src.parse().unwrap(), dst.parse().unwrap());
    let total = (20 + payload.len()) as u16;
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header.extend(src.octets());
    header.extend(dst.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [header, payload.to_vec()].concat()
}

/// UDP without a checksum.
pub fn udp(from: u16, to: u16, data: &[u8]) -> Vec<u8> {
    let len = (8 + data.len()) as u16;
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &len.to_be_bytes(), &[0, 0], data].concat()
}

/// An IPv6 packet with this next header and hop limit.
pub fn ipv6(src: &str, dst: &str, next: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let (src, dst): (Ipv6Addr, Ipv6Addr) = (src.parse().unwrap(), dst.parse().unwrap());
    let len = (payload.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0, len[0], len[1], next, hop_limit][..], &src.octets(), &dst.octets(), payload].concat()
}

/// An IPv6 packet with an ICMPv6 message, checksum filled in (bytes 2 and 3 of the message).
pub fn icmp6(src: &str, dst: &str, hop_limit: u8, message: &[u8]) -> Vec<u8> {
    ipv6(src, dst, 58, hop_limit, &icmp6_sum(src, dst, message))
}

/// An ICMPv6 message with its checksum filled in.
pub fn icmp6_sum(src: &str, dst: &str, message: &[u8]) -> Vec<u8> {
    let (from, to): (Ipv6Addr, Ipv6Addr) = (src.parse().unwrap(), dst.parse().unwrap());
    let mut message = message.to_vec();
    message[2..4].fill(0);
    let len = (message.len() as u32).to_be_bytes();
    let sum = checksum(&[&from.octets()[..], &to.octets(), &len, &[0, 0, 0, 58], &message].concat());
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// A neighbour solicitation's message: target and options.
pub fn ns(target: &str, options: &[u8]) -> Vec<u8> {
    let target: Ipv6Addr = target.parse().unwrap();
    [&[135, 0, 0, 0, 0, 0, 0, 0][..], &target.octets(), options].concat()
}

/// A neighbour advertisement's message: flags byte (R 0x80, S 0x40, O 0x20), target and options.
pub fn na(flags: u8, target: &str, options: &[u8]) -> Vec<u8> {
    let target: Ipv6Addr = target.parse().unwrap();
    [&[136, 0, 0, 0, flags, 0, 0, 0][..], &target.octets(), options].concat()
}

/// A source (1) or target (2) link-layer address option.
pub fn lladdr(kind: u8, mac: [u8; 6]) -> Vec<u8> {
    [&[kind, 1][..], &mac].concat()
}

/// The solicited-node group of an address, and its MAC.
pub fn solicited(target: &str) -> (String, [u8; 6]) {
    let low = target.parse::<Ipv6Addr>().unwrap().octets();
    let group = format!("ff02::1:ff{:02x}:{:x}", low[13], u16::from_be_bytes([low[14], low[15]]));
    (group, [0x33, 0x33, 0xff, low[13], low[14], low[15]])
}

/// An ARP packet.
pub fn arp(op: u16, sha: [u8; 6], spa: &str, tha: [u8; 6], tpa: &str) -> Vec<u8> {
    let (spa, tpa): (Ipv4Addr, Ipv4Addr) = (spa.parse().unwrap(), tpa.parse().unwrap());
    let head = [0, 1, 8, 0, 6, 4, op.to_be_bytes()[0], op.to_be_bytes()[1]];
    [&head[..], &sha, &spa.octets(), &tha, &tpa.octets()].concat()
}

/// A broadcast ARP request in a frame.
pub fn arp_request(src: [u8; 6], spa: &str, tpa: &str) -> Vec<u8> {
    ether(BROADCAST, src, 0x0806, &arp(1, src, spa, [0; 6], tpa))
}

/// A frame with a small IPv4 packet of UDP between two stations, addresses outside the exchange (transit).
pub fn unicast(dst: [u8; 6], src: [u8; 6]) -> Vec<u8> {
    ether(dst, src, 0x0800, &ipv4("192.0.2.1", "198.51.100.2", 17, &udp(4000, 5000, b"sluice: twenty bytes")))
}

/// A frame with these tags, as (TPID, TCI) from the outermost, behind its addresses.
pub fn with_tags(frame: &[u8], tags: &[(u16, u16)]) -> Vec<u8> {
    let tags = tags.iter().flat_map(|(tpid, tci)| [tpid.to_be_bytes(), tci.to_be_bytes()].concat());
    [&frame[..12], &tags.collect::<Vec<_>>(), &frame[12..]].concat()
}

/// A frame with a small IPv6 packet of UDP between two stations, addresses outside the exchange (transit).
pub fn unicast6(dst: [u8; 6], src: [u8; 6]) -> Vec<u8> {
    let payload = udp(4000, 5000, b"sluice: twenty bytes");
    ether(dst, src, 0x86dd, &ipv6("2001:db8:1::1", "2001:db8:2::2", 17, 64, &payload))
}

/// A record of the golden capture, from 1.
pub fn golden(record: usize) -> Vec<u8> {
    let mut rest = &include_bytes!("golden.pcap")[24..];
    for _ in 1..record {
        rest = &rest[16 + captured(rest)..];
    }
    rest[16..16 + captured(rest)].to_vec()
}

/// Captured length of the record that begins here.
fn captured(record: &[u8]) -> usize {
    u32::from_le_bytes(record[8..12].try_into().unwrap()) as usize
}

/// An IPv4 packet's header changed, and its checksum right again.
pub fn ipv4_with(mut packet: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    change(&mut packet);
    let header = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let sum = checksum(&packet[..header]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// An IPv4 packet with options, of a multiple of 4 bytes.
pub fn ipv4_options(src: &str, dst: &str, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let packet = ipv4(src, dst, protocol, &[options, payload].concat());
    ipv4_with(packet, |packet| packet[0] = 0x45 + (options.len() / 4) as u8)
}

/// The addresses of routers A and B.
pub const IP4_A: &str = "202.7.0.10";
pub const IP4_B: &str = "202.7.0.20";
pub const IP_A: &str = "2001:7fa:3:ca07::a";
pub const IP_B: &str = "2001:7fa:3:ca07::b";

/// Flags of an advertisement.
pub const R: u8 = 0x80;
pub const S: u8 = 0x40;
pub const O: u8 = 0x20;

/// All nodes of a link, and their MAC.
pub const ALL_NODES: (&str, [u8; 6]) = ("ff02::1", [0x33, 0x33, 0, 0, 0, 1]);

/// An ARP packet in a frame of the shortest length.
pub fn arp_frame((dst, src): ([u8; 6], [u8; 6]), packet: &[u8]) -> Vec<u8> {
    let mut frame = ether(dst, src, 0x0806, packet);
    frame.resize(60, 0);
    frame
}

/// A solicitation to a target's group with these options.
pub fn solicitation(src: [u8; 6], from: &str, target: &str, options: &[u8]) -> Vec<u8> {
    let (group, dst) = solicited(target);
    ether(dst, src, 0x86dd, &icmp6(from, &group, 255, &ns(target, options)))
}

/// A solicitation as a station sends it to find a target's MAC.
pub fn who_has6(src: [u8; 6], from: &str, target: &str) -> Vec<u8> {
    solicitation(src, from, target, &lladdr(1, src))
}

/// Duplicate address detection.
pub fn dad(src: [u8; 6], target: &str) -> Vec<u8> {
    solicitation(src, "::", target, &[])
}

/// An advertisement of a target by its owner, from the target, to this MAC and address.
pub fn advertisement((dst, src): ([u8; 6], [u8; 6]), to: &str, flags: u8, target: &str) -> Vec<u8> {
    ether(dst, src, 0x86dd, &icmp6(target, to, 255, &na(flags, target, &lladdr(2, src))))
}
