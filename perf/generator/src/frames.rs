//! The frames that are sent.

use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::Serialize;

/// An interface of the device under test, and the stations behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// memif interface 0; stations `02:aa:00:...`.
    A,
    /// memif interface 1; stations `02:bb:00:...`.
    B,
}

impl Side {
    /// The far side.
    pub(crate) fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// IPv4 and UDP between the two stations of a flow.
    Ip4,
    /// IPv6 and UDP between the two stations of a flow.
    Ip6,
    /// Broadcast ARP request within the peering prefix.
    Arp,
    /// Multicast neighbour solicitation within the peering prefix.
    Nd,
    /// Broadcast ARP request outside of the peering prefix.
    ForeignArp,
    /// IPv4 and UDP to 255.255.255.255.
    Broadcast,
}

impl Kind {
    /// How many kinds there are.
    pub(crate) const COUNT: usize = 6;

    /// It goes to one station and carries a [`Stamp`](crate::latency).
    pub(crate) fn is_unicast(self) -> bool {
        matches!(self, Self::Ip4 | Self::Ip6)
    }

    /// Bytes in the buffer of a frame of which `wanted` are wished for: what has no payload has its own size, and no frame is
    /// shorter than its headers and [`MARK`], or than 60 bytes.
    pub(crate) fn length(self, wanted: usize, tagged: bool) -> usize {
        let ether = ether_length(tagged);
        match self {
            Self::Ip4 | Self::Broadcast => wanted.max(ether + IP4 + UDP + MARK),
            Self::Ip6 => wanted.max(ether + IP6 + UDP + MARK),
            Self::Arp | Self::ForeignArp => 60,
            Self::Nd => ether + IP6 + SOLICITATION,
        }
        .max(60)
    }
}

/// Shares of the kinds among a side's frames.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mix(Vec<(Kind, f64)>);

impl Mix {
    /// The kinds in it, the most frequent first.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        let mut shares = self.0.clone();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares.into_iter().map(|(kind, _)| kind).collect()
    }

    /// The kind of each of `count` frames, in an order by chance: at least one of each kind.
    pub(crate) fn spread(&self, count: usize, chance: &mut fastrand::Rng) -> Vec<Kind> {
        let total: f64 = self.0.iter().map(|(_, share)| share).sum();
        let most = self.kinds()[0];
        let mut kinds = Vec::with_capacity(count);
        for &(kind, share) in self.0.iter().filter(|(kind, _)| *kind != most) {
            let frames = ((share / total * count as f64).round() as usize).max(1);
            kinds.extend(std::iter::repeat_n(kind, frames));
        }
        kinds.resize(count, most);
        chance.shuffle(&mut kinds);
        kinds
    }
}

impl FromStr for Mix {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut shares: Vec<(Kind, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, share) =
                part.split_once('=').with_context(|| format!("'{part}' is not KIND=SHARE"))?;
            let kind = Kind::from_str(name, false).map_err(|_| {
                let names: Vec<_> =
                    Kind::value_variants().iter().filter_map(Kind::to_possible_value).collect();
                let names: Vec<_> = names.iter().map(|name| name.get_name()).collect();
                anyhow::anyhow!("no kind '{name}': there are {}", names.join(", "))
            })?;
            let share: f64 = share.parse().with_context(|| format!("'{share}' is not a number"))?;
            ensure!(share.is_finite() && share >= 0.0, "a share is 0 or more");
            ensure!(shares.iter().all(|(other, _)| *other != kind), "'{name}' is there twice");
            if share > 0.0 {
                shares.push((kind, share));
            }
        }
        ensure!(!shares.is_empty(), "all shares are 0: for a silent side give rate 0");
        Ok(Self(shares))
    }
}

/// Sizes of the frames that have a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// 7 frames of 64, 4 of 594 and 1 of 1518 bytes.
    Imix,
    /// Bytes on the wire, FCS included.
    Bytes(usize),
}

const FCS: usize = 4;

impl Size {
    const IMIX: [usize; 12] = [64, 64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594];

    /// After so many frames the sizes start again.
    pub(crate) const PERIOD: usize = Self::IMIX.len();

    /// Bytes in the buffer of the frame with this number.
    pub(crate) fn of(self, number: usize) -> usize {
        let wire = match self {
            Self::Imix => Self::IMIX[number % Self::PERIOD],
            Self::Bytes(bytes) => bytes,
        };
        wire - FCS
    }

    /// The most bytes that a frame has in its buffer.
    pub(crate) fn largest(self) -> usize {
        (0..Self::PERIOD).map(|number| self.of(number)).max().unwrap_or_default().max(128)
    }
}

impl FromStr for Size {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "imix" {
            return Ok(Self::Imix);
        }
        match text.parse() {
            Ok(bytes @ 64..=9022) => Ok(Self::Bytes(bytes)),
            _ => bail!("a size is 'imix' or 64 to 9022 bytes on the wire"),
        }
    }
}

/// Bytes on the wire of a frame that has so many in its buffer.
pub(crate) fn on_the_wire(length: usize) -> usize {
    length + FCS
}

// ---- building ----------------------------------------------------------------------------------------------------------

const IP4: usize = 20;
pub(crate) const IP6: usize = 40;
const UDP: usize = 8;
/// A neighbour solicitation with its sender's link-layer address.
pub(crate) const SOLICITATION: usize = 32;
/// What a payload begins with: a fixed byte, 1 where the frame is stamped, the flow (4 bytes), and the stamp (8 bytes).
const MARK: usize = 14;
const MARK_BYTE: u8 = 0x5c;
/// The stamp's place in the mark.
pub(crate) const STAMP: usize = 6;

pub(crate) fn ether_length(tagged: bool) -> usize {
    if tagged { 18 } else { 14 }
}

/// Where the payload of a kind begins, if it has one.
pub(crate) fn mark_at(kind: Kind, tagged: bool) -> Option<usize> {
    let ip = match kind {
        Kind::Ip4 | Kind::Broadcast => IP4,
        Kind::Ip6 => IP6,
        Kind::Arp | Kind::Nd | Kind::ForeignArp => return None,
    };
    Some(ether_length(tagged) + ip + UDP)
}

/// Where the stamp of a unicast frame is.
pub(crate) fn stamp_at(kind: Kind, tagged: bool) -> Option<usize> {
    mark_at(kind, tagged).filter(|_| kind.is_unicast()).map(|mark| mark + STAMP)
}

/// The station's address: flow numbers have 24 bits.
fn mac(side: Side, flow: u32) -> [u8; 6] {
    let [_, high, middle, low] = flow.to_be_bytes();
    [0x02, if side == Side::A { 0xaa } else { 0xbb }, 0, high, middle, low]
}

/// For benchmarks: RFC 2544 appendix C.2.2.
fn test4(side: Side, flow: u32) -> [u8; 4] {
    let [_, _, high, low] = flow.to_be_bytes();
    [198, 18 + side as u8, high, low]
}

/// For benchmarks: RFC 5180 section 8.
fn test6(side: Side, flow: u32) -> [u8; 16] {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[0x20, 0x01, 0x00, 0x02]);
    address[10] = 1 + side as u8;
    address[12..].copy_from_slice(&flow.to_be_bytes());
    address
}

/// In 202.7.0.0/23, below what bridges take for themselves. More than 250 stations of a side share addresses.
fn peering4(side: Side, flow: u32) -> [u8; 4] {
    [202, 7, side as u8, (flow % 250) as u8 + 1]
}

fn foreign4(side: Side, flow: u32) -> [u8; 4] {
    [192, 168, side as u8, (flow % 250) as u8 + 1]
}

/// In 2001:7fa:3:ca07::/64.
fn peering6(side: Side, flow: u32) -> [u8; 16] {
    let mut address = [0x20, 0x01, 0x07, 0xfa, 0x00, 0x03, 0xca, 0x07, 0, 0, 0, 0, 0, 0, 0, 0];
    address[11] = mac(side, flow)[1];
    address[12..].copy_from_slice(&flow.to_be_bytes());
    address
}

/// What an Internet checksum is of: the sum of 16-bit words with the carry put back (RFC 1071).
fn sum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let total: u32 = words.map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0))).sum();
    let total = (total >> 16) + (total & 0xffff);
    ((total >> 16) + total) as u16
}

/// A frame as its sender's side sees it, `wanted` bytes in the buffer where its kind allows.
pub(crate) fn build(
    kind: Kind,
    from: Side,
    flow: u32,
    wanted: usize,
    vlan: Option<u16>,
    stamped: bool,
) -> Vec<u8> {
    let to = from.other();
    let length = kind.length(wanted, vlan.is_some());
    let mut frame = Vec::with_capacity(length);
    frame.extend(match kind {
        Kind::Ip4 | Kind::Ip6 => mac(to, flow),
        Kind::Arp | Kind::ForeignArp | Kind::Broadcast => [0xff; 6],
        // the solicited-node group of the target (RFC 4291 2.7.1, RFC 2464 7)
        Kind::Nd => {
            [0x33, 0x33, 0xff, peering6(to, flow)[13], peering6(to, flow)[14], peering6(to, flow)[15]]
        }
    });
    frame.extend(mac(from, flow));
    if let Some(vlan) = vlan {
        frame.extend([0x81, 0x00]);
        frame.extend(vlan.to_be_bytes());
    }
    let room = length - frame.len() - 2;
    match kind {
        Kind::Ip4 => ip4(&mut frame, test4(from, flow), test4(to, flow), room, flow, stamped),
        Kind::Broadcast => ip4(&mut frame, test4(from, flow), [255; 4], room, flow, false),
        Kind::Ip6 => {
            let (source, target) = (test6(from, flow), test6(to, flow));
            ip6(&mut frame, source, target, 17, 64, &udp(&[&source, &target], room - IP6, flow, stamped));
        }
        Kind::Arp => arp(&mut frame, mac(from, flow), peering4(from, flow), peering4(to, flow)),
        Kind::ForeignArp => arp(&mut frame, mac(from, flow), foreign4(from, flow), foreign4(to, flow)),
        Kind::Nd => {
            let (source, target) = (peering6(from, flow), peering6(to, flow));
            let mut group = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff, 0, 0, 0];
            group[13..].copy_from_slice(&target[13..]);
            ip6(&mut frame, source, group, 58, 255, &solicitation(source, group, target, mac(from, flow)));
        }
    }
    frame.resize(length, 0);
    frame
}

fn ip4(frame: &mut Vec<u8>, source: [u8; 4], target: [u8; 4], room: usize, flow: u32, stamped: bool) {
    frame.extend([0x08, 0x00]);
    let mut header = [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[2..4].copy_from_slice(&(room as u16).to_be_bytes());
    header[12..16].copy_from_slice(&source);
    header[16..].copy_from_slice(&target);
    let checksum = !sum(&[&header]);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    frame.extend(header);
    frame.extend(udp(&[&source, &target], room - IP4, flow, stamped));
}

fn ip6(frame: &mut Vec<u8>, source: [u8; 16], target: [u8; 16], next: u8, hops: u8, payload: &[u8]) {
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend((payload.len() as u16).to_be_bytes());
    frame.extend([next, hops]);
    frame.extend(source);
    frame.extend(target);
    frame.extend(payload);
}

/// A datagram of `length` bytes to the discard port, with the mark.
fn udp(addresses: &[&[u8]], length: usize, flow: u32, stamped: bool) -> Vec<u8> {
    let size = (length as u16).to_be_bytes();
    let mut datagram = Vec::with_capacity(length);
    datagram.extend((0xc000 | flow as u16 & 0x3fff).to_be_bytes());
    datagram.extend([0, 9, size[0], size[1], 0, 0, MARK_BYTE, stamped.into()]);
    datagram.extend(flow.to_be_bytes());
    datagram.resize(UDP + MARK, 0);
    datagram.extend((0..length - datagram.len()).map(|byte| byte as u8));
    let checksum = !sum(&[&addresses.concat(), &[0, 17], &size, &datagram]);
    // a sum of 0 is sent as ffff (RFC 768)
    datagram[6..8].copy_from_slice(&if checksum == 0 { 0xffff } else { checksum }.to_be_bytes());
    datagram
}

fn arp(frame: &mut Vec<u8>, sender: [u8; 6], from: [u8; 4], to: [u8; 4]) {
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
    frame.extend(sender);
    frame.extend(from);
    frame.extend([0; 6]);
    frame.extend(to);
}

fn solicitation(source: [u8; 16], group: [u8; 16], target: [u8; 16], sender: [u8; 6]) -> Vec<u8> {
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target);
    message.extend([1, 1]);
    message.extend(sender);
    let checksum = !sum(&[&source, &group, &[0, SOLICITATION as u8, 0, 58], &message]);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: u32 = 0x01_0203;

    fn hex(frame: &[u8]) -> String {
        frame.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn frames_are_as_scapy_builds_them() {
        for (kind, tagged) in [
            (
                Kind::Ip4,
                "02bb0001020302aa000102038100000a08004500002a000040004011aa97c6120203c6130203c203000900164f855c0000010203\
                 0000000000000000",
            ),
            (
                Kind::Ip6,
                "02bb0001020302aa000102038100000a86dd60000000001611402001000200000000000001000001020320010002000000000000\
                 020000010203c2030009001698a35c00000102030000000000000000",
            ),
            (
                Kind::Arp,
                "ffffffffffff02aa000102038100000a0806000108000604000102aa00010203ca070034000000000000ca070134000000000000\
                 0000000000000000",
            ),
            (
                Kind::ForeignArp,
                "ffffffffffff02aa000102038100000a0806000108000604000102aa00010203c0a80034000000000000c0a80134000000000000\
                 0000000000000000",
            ),
            (
                Kind::Nd,
                "3333ff01020302aa000102038100000a86dd6000000000203aff200107fa0003ca07000000aa00010203ff020000000000000000\
                 0001ff0102038700897400000000200107fa0003ca07000000bb00010203010102aa00010203",
            ),
            (
                Kind::Broadcast,
                "ffffffffffff02aa000102038100000a08004500002a00004000401172aec6120203ffffffffc20300090016179c5c0000010203\
                 0000000000000000",
            ),
        ] {
            assert_eq!(hex(&build(kind, Side::A, FLOW, 60, Some(10), false)), tagged, "{kind:?}");
        }
        assert_eq!(
            hex(&build(Kind::Ip4, Side::A, FLOW, 60, None, false)),
            "02bb0001020302aa0001020308004500002e000040004011aa93c6120203c6130203c2030009001a4d795c0000010203\
             000000000000000000010203"
        );
    }

    /// The sum over what a checksum covers, itself included, is ffff.
    fn is_right(covered: &[u8]) -> bool {
        let mut total = 0;
        for (place, byte) in covered.iter().enumerate() {
            total += u64::from(*byte) * if place % 2 == 0 { 256 } else { 1 };
        }
        while total > 0xffff {
            total = total % 0x1_0000 + total / 0x1_0000;
        }
        total == 0xffff
    }

    #[test]
    fn checksums_are_right_at_every_size_and_flow() {
        let mut chance = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let (flow, wanted) = (chance.u32(..1 << 24), chance.usize(60..2000));
            let side = if chance.bool() { Side::A } else { Side::B };
            let tag = chance.bool().then_some(20);
            let ip = ether_length(tag.is_some());
            for kind in [Kind::Ip4, Kind::Broadcast] {
                let frame = build(kind, side, flow, wanted, tag, chance.bool());
                assert!(is_right(&frame[ip..ip + 20]));
                let pseudo = [0, 17, frame[ip + 24], frame[ip + 25]];
                assert!(is_right(&[&frame[ip + 12..], &pseudo].concat()) || frame.len() % 2 == 1);
            }
            for (kind, next) in [(Kind::Ip6, 17), (Kind::Nd, 58)] {
                let frame = build(kind, side, flow, wanted, tag, false);
                let pseudo = [0, next, frame[ip + 4], frame[ip + 5]];
                // the pseudo header comes first where the length may be odd
                assert!(is_right(&[&pseudo, &frame[ip + 8..]].concat()), "{}", hex(&frame));
                assert_eq!(frame[ip + 6], next);
            }
        }
    }

    #[test]
    fn sizes_are_those_on_the_wire() {
        for (size, tag, kind, wire) in [
            ("64", Some(10), Kind::Ip4, 64),
            ("64", None, Kind::Ip4, 64),
            ("64", Some(10), Kind::Ip6, 84),
            ("64", None, Kind::Ip6, 80),
            ("1518", Some(10), Kind::Ip6, 1518),
            ("1518", Some(10), Kind::Broadcast, 1518),
            ("9018", None, Kind::Ip4, 9018),
            ("1518", Some(10), Kind::Arp, 64),
            ("1518", Some(10), Kind::Nd, 94),
        ] {
            let size: Size = size.parse().unwrap();
            assert_eq!(on_the_wire(build(kind, Side::B, 7, size.of(3), tag, false).len()), wire, "{kind:?}");
        }
        for wrong in ["63", "9023", "big", ""] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn imix_is_seven_four_one() {
        let imix: Size = "imix".parse().unwrap();
        let of = |bytes| (0..1200).filter(|&number| on_the_wire(imix.of(number)) == bytes).count();
        assert_eq!((of(64), of(594), of(1518)), (700, 400, 100));
        assert_eq!(imix.largest(), 1514);
    }

    #[test]
    fn shares_are_as_asked_for() {
        let mut chance = fastrand::Rng::with_seed(1);
        let mix: Mix = "arp=1,ip4=197,nd=2,broadcast=0.0001,ip6=0".parse().unwrap();
        let kinds = mix.spread(20_000, &mut chance);
        let of = |kind| kinds.iter().filter(|&&other| other == kind).count();
        assert_eq!((of(Kind::Arp), of(Kind::Nd), of(Kind::Broadcast), of(Kind::Ip6)), (100, 200, 1, 0));
        assert_eq!(of(Kind::Ip4), 20_000 - 301);
        assert_eq!(mix.kinds()[0], Kind::Ip4);
        assert!(!mix.kinds().contains(&Kind::Ip6));
    }

    #[test]
    fn wrong_mixes_are_refused() {
        for wrong in ["", "ip4", "ip4=x", "ip5=1", "ip4=1,ip4=2", "ip4=0", "ip4=-1", "ip4=inf"] {
            assert!(wrong.parse::<Mix>().is_err(), "{wrong}");
        }
    }
}
