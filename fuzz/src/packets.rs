//! Frames out of choices: of every kind that the path knows, then damaged.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::bytes::{Choices, bit};

type Mac = [u8; 6];

const MACS: [Mac; 16] = [
    [0x02, 0xbb, 0, 0, 0, 2],
    [0x02, 0xaa, 0, 0, 0, 1],
    [0x02, 0xcc, 0, 0, 0, 3],
    [0x02, 0xdd, 0, 0, 0, 4],
    [0, 0, 0x5e, 0, 1, 9],
    [0, 0, 0x5e, 0, 2, 9],
    [0x02, 0xee, 0, 0, 0, 5],
    [0x02, 0xee, 0, 0, 0, 6],
    [0x02, 0x51, 0, 0, 0, 0x0a],
    [0x02, 0x51, 0, 0, 0, 0x14],
    [0xff; 6],
    [0x33, 0x33, 0, 0, 0, 1],
    [0x01, 0x80, 0xc2, 0, 0, 0],
    [0x01, 0x00, 0x5e, 0, 0, 5],
    [0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd],
    [0; 6],
];

const HOSTS4: [[u8; 4]; 16] = [
    [202, 7, 0, 10],
    [202, 7, 0, 20],
    [202, 7, 0, 30],
    [202, 7, 0, 40],
    [202, 7, 0, 99],
    [202, 7, 1, 254],
    [202, 7, 1, 255],
    [202, 7, 0, 0],
    [0, 0, 0, 0],
    [192, 0, 2, 1],
    [198, 51, 100, 2],
    [10, 0, 0, 1],
    [127, 0, 0, 1],
    [224, 0, 0, 5],
    [255, 255, 255, 255],
    [169, 254, 1, 1],
];

fn hosts6() -> [Ipv6Addr; 16] {
    let peering = |host| Ipv6Addr::new(0x2001, 0x7fa, 3, 0xca07, 0, 0, 0, host);
    let local = |host| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host);
    let all = |host| Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, host);
    [
        peering(10),
        peering(11),
        peering(12),
        peering(0x99),
        peering(0xfe),
        peering(0),
        local(10),
        local(11),
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0x51, 0xff, 0xfe00, 0x0a),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
        Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 2),
        Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 5),
        Ipv6Addr::UNSPECIFIED,
        Ipv6Addr::LOCALHOST,
        all(1),
        all(2),
    ]
}

/// Bytes that mean something somewhere in a header.
const BYTES: [u8; 32] = [
    0, 1, 2, 4, 5, 6, 8, 9, 10, 17, 43, 44, 51, 58, 59, 60, 64, 127, 128, 133, 134, 135, 136, 137, 143, 0x45,
    0x4f, 0x60, 224, 254, 255, 20,
];
const TYPES: [u16; 12] =
    [0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x9000, 0x88cc, 0x0026, 0x05dd, 0x0600, 0xffff];
const LENGTHS: [usize; 16] =
    [0, 8, 20, 64, 512, 1232, 1240, 1252, 1260, 1352, 1452, 1460, 1472, 1500, 8932, 8972];
const PORTS: [u16; 8] = [4000, 179, 53, 67, 68, 546, 547, 0];

/// An untagged frame.
pub(crate) fn frame(choices: &mut Choices<'_>) -> Vec<u8> {
    let (kind, macs, damage) = (choices.byte(), choices.byte(), choices.byte());
    let (mut dst, src) = (MACS[usize::from(macs >> 4)], MACS[usize::from(macs & 15)]);
    let (ethertype, packet) = match kind % 8 {
        0 => (0x0800, ipv4(choices)),
        1 => (0x86dd, ipv6(choices)),
        2 => {
            if bit(kind, 3) {
                dst = [0xff; 6];
            }
            (0x0806, arp(src, choices))
        }
        3 | 4 => {
            let (to, packet) = neighbour(kind % 8 == 4, src, choices);
            if let (Some(mac), false) = (group_mac(to), bit(kind, 3)) {
                dst = mac;
            }
            (0x86dd, packet)
        }
        5 => (0x86dd, icmp6_any(choices)),
        6 => (0x0800, echo4(choices)),
        _ => {
            let count = choices.below(64);
            (choices.pick(&TYPES), choices.take(count).to_vec())
        }
    };
    let mut frame = [&dst[..], &src, &u16::to_be_bytes(ethertype), &packet].concat();
    for _ in 0..damage & 3 {
        mutate(choices, &mut frame);
    }
    if bit(damage, 2) {
        repair(&mut frame);
    }
    if !bit(damage, 3) && frame.len() < 60 {
        frame.resize(60, 0);
    }
    frame
}

fn group_mac(group: Ipv6Addr) -> Option<Mac> {
    let [.., a, b, c, d] = group.octets();
    group.is_multicast().then_some([0x33, 0x33, a, b, c, d])
}

fn solicited(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

fn two<T: Copy>(choices: &mut Choices<'_>, from: &[T; 16]) -> (T, T) {
    let byte = choices.byte();
    (from[usize::from(byte >> 4)], from[usize::from(byte & 15)])
}

fn arp(src: Mac, choices: &mut Choices<'_>) -> Vec<u8> {
    let (spa, tpa) = two(choices, &HOSTS4);
    let shape = choices.byte();
    let op = [1, 2, 1, 3][usize::from(shape & 3)];
    let sha = if bit(shape, 2) { MACS[usize::from(shape >> 4)] } else { src };
    let tha = if bit(shape, 3) { MACS[usize::from(shape >> 4)] } else { [0; 6] };
    [&[0, 1, 8, 0, 6, 4, 0, op][..], &sha, &spa, &tha, &tpa].concat()
}

/// A payload of UDP or TCP, or of anything else.
fn transport(protocol: u8, choices: &mut Choices<'_>) -> Vec<u8> {
    let shape = choices.byte();
    let mut length = LENGTHS[usize::from(shape & 15)];
    if bit(shape, 7) {
        length += choices.below(32);
    }
    let mut payload = vec![0x5a; 8.max(length)];
    let ports = usize::from(shape >> 4 & 7);
    payload[..2].copy_from_slice(&PORTS[ports].to_be_bytes());
    payload[2..4].copy_from_slice(&PORTS[ports / 2 * 3 % 8].to_be_bytes());
    if protocol == 6 {
        payload.resize(payload.len().max(20), 0);
        payload[12] = 0x50;
    }
    payload
}

fn ipv4(choices: &mut Choices<'_>) -> Vec<u8> {
    let (src, dst) = two(choices, &HOSTS4);
    let (shape, offset) = (choices.byte(), choices.byte());
    let protocol = [17, 6, 1, 50][usize::from(shape & 3)];
    let payload = transport(protocol, choices);
    let options = choices.take(4 * usize::from(shape >> 2 & 3)).to_vec();
    // DF, MF, and now and then an offset
    let mut fragment = u16::from(!bit(shape, 4)) << 14 | u16::from(bit(shape, 5)) << 13;
    if bit(shape, 6) {
        fragment |= u16::from(offset) << 5 & 0x1fff;
    }
    header4(src, dst, protocol, fragment, &options, &payload)
}

fn header4(
    src: [u8; 4],
    dst: [u8; 4],
    protocol: u8,
    fragment: u16,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let words = 5 + options.len().div_ceil(4);
    let total = (4 * words + payload.len()) as u16;
    let mut header = vec![0x40 | words as u8, 0];
    header.extend(total.to_be_bytes());
    header.extend([0x12, 0x34]);
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(src);
    header.extend(dst);
    header.extend(options);
    header.resize(4 * words, 0);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend(payload);
    header
}

/// ICMP with its checksum: a ping, an error or whatever.
fn echo4(choices: &mut Choices<'_>) -> Vec<u8> {
    let (src, dst) = two(choices, &HOSTS4);
    let kind = choices.pick(&[8, 0, 3, 5, 9, 10, 11, 12, 13]);
    let length = LENGTHS[choices.below(16)];
    let mut message = vec![kind, 0, 0, 0, 0, 1, 0, 2];
    message.resize(8.max(length), 0x61);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    header4(src, dst, 1, 0x4000, &[], &message)
}

fn header6(src: Ipv6Addr, dst: Ipv6Addr, next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    let [a, b] = (payload.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0, a, b, next, hops][..], &src.octets(), &dst.octets(), payload].concat()
}

/// An IPv6 packet behind any chain of extension headers.
fn ipv6(choices: &mut Choices<'_>) -> Vec<u8> {
    let (src, dst) = two(choices, &hosts6());
    let shape = choices.byte();
    let last = [17, 6, 58, 59][usize::from(shape & 3)];
    let mut body = transport(last, choices);
    if last == 58 {
        sum6(src, dst, &mut body);
    }
    let (first, body) = extended(usize::from(shape >> 4), last, body, choices);
    header6(src, dst, first, 64, &body)
}

fn extended(count: usize, last: u8, mut body: Vec<u8>, choices: &mut Choices<'_>) -> (u8, Vec<u8>) {
    let mut next = last;
    for _ in 0..count {
        let shape = choices.byte();
        let kind = [0, 43, 44, 51, 60, 135, 139, 140][usize::from(shape & 7)];
        let units = shape >> 3 & 7;
        let mut header = match kind {
            44 => vec![0; 8],
            51 => vec![0; 8 + 4 * usize::from(units)],
            _ => vec![0; 8 + 8 * usize::from(units)],
        };
        header[0] = next;
        header[1] = if kind == 44 { 0 } else { units };
        if kind == 44 {
            // offset 0 or not, more fragments or not
            header[2..4].copy_from_slice(&[shape >> 6 & 1, shape >> 7]);
        }
        body.splice(..0, header);
        next = kind;
    }
    (next, body)
}

fn sum6(src: Ipv6Addr, dst: Ipv6Addr, message: &mut [u8]) {
    message[2..4].fill(0);
    let length = (message.len() as u32).to_be_bytes();
    let sum = checksum(&[&src.octets()[..], &dst.octets(), &length, &[0, 0, 0, 58], message].concat());
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// A solicitation or an advertisement, and where it goes.
fn neighbour(advertises: bool, mac: Mac, choices: &mut Choices<'_>) -> (Ipv6Addr, Vec<u8>) {
    let (src, target) = two(choices, &hosts6());
    let (shape, flags) = (choices.byte(), choices.byte());
    let dst = match shape & 3 {
        0 if !advertises => solicited(target),
        0 | 1 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
        2 => target,
        _ => hosts6()[usize::from(shape >> 4)],
    };
    let src = if bit(shape, 2) { Ipv6Addr::UNSPECIFIED } else { src };
    let mut message =
        vec![if advertises { 136 } else { 135 }, 0, 0, 0, if advertises { flags } else { 0 }, 0, 0, 0];
    message.extend(target.octets());
    for _ in 0..shape >> 4 & 3 {
        match choices.below(5) {
            0 => message.extend([&[if advertises { 2 } else { 1 }, 1][..], &mac].concat()),
            1 => message.extend([&[1, 1][..], &choices.pick(&MACS)].concat()),
            2 => message.extend([&[2, 1][..], &choices.pick(&MACS)].concat()),
            3 => message.extend([14, 1, 1, 2, 3, 4, 5, 6]),
            _ => {
                let count = choices.below(20);
                message.extend(choices.take(count));
            }
        }
    }
    sum6(src, dst, &mut message);
    // headers in front, now and then
    let (first, message) = extended(usize::from(flags & 7 == 7), 58, message, choices);
    (dst, header6(src, dst, first, if bit(shape, 3) { 64 } else { 255 }, &message))
}

/// Any other ICMPv6: a ping, multicast listener discovery, a router's words.
fn icmp6_any(choices: &mut Choices<'_>) -> Vec<u8> {
    let (src, dst) = two(choices, &hosts6());
    let kind = choices.pick(&[128, 129, 1, 2, 3, 4, 127, 130, 131, 132, 133, 134, 137, 143, 151, 255]);
    let shape = choices.byte();
    let mut message = vec![kind, 0, 0, 0];
    message.resize(LENGTHS[usize::from(shape & 15)].max(8), 0x61);
    sum6(src, dst, &mut message);
    let (first, body) = extended(usize::from(shape >> 4 & 1), 58, message, choices);
    header6(src, dst, first, [64, 255, 1, 0][usize::from(shape >> 6)], &body)
}

/// Damages a frame in one place.
pub(crate) fn mutate(choices: &mut Choices<'_>, frame: &mut Vec<u8>) {
    let (kind, place) = (choices.byte(), usize::from(choices.word()));
    // near the front, where the headers are, more often than not
    let at = if bit(kind, 7) { place } else { place % 128 } % frame.len().max(1);
    match kind % 8 {
        0 if at < frame.len() => frame[at] = choices.pick(&BYTES),
        1 if at < frame.len() => frame[at] = choices.byte(),
        2 if at < frame.len() => frame[at] ^= 1 << choices.below(8),
        3 => frame.truncate(at),
        4 => frame.resize(frame.len() + choices.below(64), 0),
        5 => {
            let count = choices.below(16);
            frame.splice(at..at, choices.take(count).iter().copied());
        }
        6 => {
            let end = (at + 1 + choices.below(12)).min(frame.len());
            frame.drain(at..end);
        }
        _ if frame.len() >= 14 => frame[12..14].copy_from_slice(&choices.pick(&TYPES).to_be_bytes()),
        _ => {}
    }
}

/// Makes lengths and checksums right again, so that what lies behind them is reached.
fn repair(frame: &mut [u8]) {
    let Some((header, packet)) = frame.split_at_mut_checked(14) else { return };
    match header[12..] {
        [0x86, 0xdd] if packet.len() >= 44 => {
            let length = packet.len() - 40;
            packet[4..6].copy_from_slice(&(length as u16).to_be_bytes());
            let (fixed, message) = packet.split_at_mut(40);
            let address = |at: usize| fixed[at..].first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes));
            if let (Some(src), Some(dst)) = (address(8), address(24)) {
                sum6(src, dst, message);
            }
        }
        [0x08, 0x00] if packet.len() >= 24 => {
            let (length, header) = (packet.len(), 4 * usize::from(packet[0] & 15));
            packet[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            packet[10..12].fill(0);
            let sum = checksum(&packet[..header.clamp(20, length)]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        _ => {}
    }
}

/// The Internet checksum to be filled in; 0 over bytes that hold the right one.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}

/// An IPv4 address of four bytes.
pub(crate) fn address4(bytes: &[u8]) -> Ipv4Addr {
    bytes.first_chunk::<4>().map_or(Ipv4Addr::UNSPECIFIED, |bytes| Ipv4Addr::from(*bytes))
}
