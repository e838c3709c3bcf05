//! A naive opinion of what must not cross, written from docs/spec and apart from the path: slow, and with its own parsers.
//! It allows more than the path does; what it refuses, nobody may ever see on the other side, nor draw a reply with. And
//! what a frame of the bridge's own must be like, whatever draws it.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::frames::*;
use crate::harness::*;
use rules::Side;

/// A side: its port, its tags as (TPID, VID) from the outermost, its MTU.
#[derive(Debug, Clone)]
pub struct Edge {
    pub port: usize,
    pub tags: Vec<(u16, u16)>,
    pub mtu: usize,
}

/// A bridge, as far as the oracle knows it.
#[derive(Debug, Clone)]
pub struct World {
    pub config: Config,
    pub edges: [Edge; 2],
    /// Members only.
    pub members: bool,
    /// It answers on behalf of members.
    pub answers: bool,
    /// `conflict: drop`, and members have addresses.
    pub claims: bool,
    pub mld: bool,
}

type Check<T> = Result<T, String>;

fn ensure(holds: bool, what: &str) -> Check<()> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from(bytes[at]) << 8 | u16::from(bytes[at + 1])
}

impl World {
    fn edge(&self, side: Side) -> &Edge {
        &self.edges[side.index()]
    }

    /// The frame as it is on the wire of a side, priority 0.
    pub fn wire(&self, side: Side, frame: &[u8]) -> Vec<u8> {
        let tags: Vec<u8> = self
            .edge(side)
            .tags
            .iter()
            .flat_map(|(tpid, vid)| [tpid.to_be_bytes(), vid.to_be_bytes()].concat())
            .collect();
        match frame.split_at_checked(12) {
            Some((macs, rest)) => [macs, &tags, rest].concat(),
            None => frame.to_vec(),
        }
    }

    /// What an untagged frame that crosses from a side must look like on the other one.
    pub fn crossed(&self, from: Side, frame: &[u8]) -> Vec<u8> {
        let mut out = self.wire(from.other(), frame);
        if self.edge(from).tags.len() > self.edge(from.other()).tags.len() {
            out.resize(out.len().max(60), 0);
        }
        out
    }

    /// The priority bits and the untagged frame, where a frame has exactly a side's tags.
    fn untagged(&self, side: Side, frame: &[u8]) -> Option<(u16, Vec<u8>)> {
        let tags = &self.edge(side).tags;
        if frame.len() < 14 + 4 * tags.len() {
            return None;
        }
        let mut priority = 0;
        for (depth, (tpid, vid)) in tags.iter().enumerate() {
            let tci = word(frame, 14 + 4 * depth);
            if word(frame, 12 + 4 * depth) != *tpid || tci & 0x0fff != *vid {
                return None;
            }
            priority = tci & 0xf000;
        }
        let bare = [&frame[..12], &frame[12 + 4 * tags.len()..]].concat();
        let tagged = matches!(word(&bare, 12), 0x8100 | 0x88a8 | 0x9100 | 0x9200);
        (!tagged).then_some((priority, bare))
    }

    /// The side that a frame comes in on.
    pub fn side_of(&self, port: usize, input: &[u8]) -> Option<Side> {
        let is_of = |side: &Side| self.edge(*side).port == port && self.untagged(*side, input).is_some();
        [M, W].into_iter().find(is_of)
    }

    /// May `input`, received on a port, leave another one as `output`?
    pub fn judge(&self, port: usize, input: &[u8], (out_port, output): (usize, &[u8])) -> Check<()> {
        let from = self.side_of(port, input).ok_or("it has no side's tags")?;
        let to = from.other();
        ensure(out_port == self.edge(to).port, "it left by a port that is not the other side's")?;
        let (priority, bare) = self.untagged(from, input).ok_or("its tags")?;
        let (kept, after) =
            self.untagged(to, output).ok_or("it left with other tags than the other side's")?;
        if !self.edge(to).tags.is_empty() && !self.edge(from).tags.is_empty() {
            ensure(kept == priority, "its priority changed")?;
        }
        ensure(after.starts_with(&bare), "it changed on the way")?;
        if after.len() > bare.len() {
            ensure(after[bare.len()..].iter().all(|byte| *byte == 0), "it was padded with something")?;
            ensure(output.len() == 60, "it was padded beyond 60 bytes")?;
        }
        ensure(bare.len() - 14 <= self.edge(to).mtu, "it is longer than the MTU")?;
        self.frame(from, &bare, false)
    }

    /// May `input`, received on a side, draw `reply` out of it? `refused`: it was dropped for claiming an address of ours,
    /// which we defend.
    pub fn judge_reply(&self, side: Side, input: &[u8], reply: &[u8], refused: bool) -> Check<()> {
        let (_, asked) = self.untagged(side, input).ok_or("a reply to a frame of no side")?;
        let (priority, reply) =
            self.untagged(side, reply).ok_or("it left with other tags than its side's")?;
        ensure(priority == 0, "a reply with priority")?;
        sound(&reply)?;
        let (own, across) = if side == M { (MAC_M, B) } else { (MAC_W, A) };
        ensure(reply[6..12] == own || (self.answers && reply[6..12] == across), "a reply from another MAC")?;
        let to_many = reply[0] & 1 == 1;
        if refused {
            return ensure(to_many && reply[6..12] == own, "a reply to a frame that was refused");
        }
        // a virtual router asks with its own MAC inside
        let asks = reply[..6] == asked[6..12] || (word(&asked, 12) == 0x0806 && reply[..6] == asked[22..28]);
        ensure(asks || (to_many && asked[22..38] == [0; 16]), "a reply to somebody else")?;
        self.frame(side, &asked, true)
    }

    /// `drew`: it drew a reply, and may be for the bridge itself.
    fn frame(&self, from: Side, frame: &[u8], drew: bool) -> Check<()> {
        let (dst, src): ([u8; 6], [u8; 6]) =
            (frame[..6].try_into().unwrap(), frame[6..12].try_into().unwrap());
        ensure(src[0] & 1 == 0 && src != [0; 6], "its source is no station")?;
        ensure(dst != [0; 6] && dst != src, "its destination is no station")?;
        let ours = [MAC_M, MAC_W].contains(&dst);
        ensure(![MAC_M, MAC_W].contains(&src) && (drew || !ours), "a MAC of the bridge itself")?;
        ensure(dst[..5] != [0x01, 0x80, 0xc2, 0, 0] && dst[..3] != [0x01, 0, 0x0c], "reserved destination")?;
        if self.members {
            let home = |mac| {
                if mac == A {
                    Some(M)
                } else if mac == B {
                    Some(W)
                } else {
                    None
                }
            };
            ensure(home(src) == Some(from), "its source is no member of that side")?;
            // a question for our own address need not know our MAC
            let asks =
                drew && (word(frame, 12) == 0x0806 || (frame[20] == 58 && matches!(frame[54], 135 | 136)));
            ensure(
                dst[0] & 1 == 1 || ours || asks || home(dst) == Some(from.other()),
                "its destination is no member over there",
            )?;
        }
        let packet = &frame[14..];
        match word(frame, 12) {
            0x0800 => {
                ensure(dst[0] & 1 == 0, "IPv4 to a group MAC")?;
                v4(packet)
            }
            0x0806 => {
                ensure(dst[0] & 1 == 0 || dst == BROADCAST, "ARP to a group MAC")?;
                self.arp(src, packet)
            }
            0x86dd => self.v6(dst, src, packet),
            other => Err(format!("ethertype {other:04x}")),
        }
    }

    fn arp(&self, src: [u8; 6], packet: &[u8]) -> Check<()> {
        ensure(packet.len() >= 28 && packet[..7] == [0, 1, 8, 0, 6, 4, 0], "ARP that is none for IPv4")?;
        ensure(matches!(packet[7], 1 | 2), "ARP operation")?;
        ensure(packet[8..14] == src || packet[8..13] == [0, 0, 0x5e, 0, 1], "ARP sender MAC")?;
        let (spa, tpa) = (&packet[14..18], &packet[24..28]);
        let inside = |ip: &[u8]| ip[..2] == [202, 7] && ip[2] < 2 && ip[2..] != [0, 0] && ip[2..] != [1, 255];
        let none = |ip: &[u8]| ip == [0; 4];
        let right = if packet[7] == 1 {
            inside(tpa) && (inside(spa) || none(spa))
        } else {
            inside(spa) && (inside(tpa) || none(tpa))
        };
        ensure(right, "ARP outside the exchange")?;
        let owner = if spa == [202, 7, 0, 10] { A } else { B };
        let claimed = spa == [202, 7, 0, 10] || spa == [202, 7, 0, 20];
        ensure(!self.claims || !claimed || src == owner, "ARP claims a member's address")
    }

    fn v6(&self, dst: [u8; 6], src: [u8; 6], packet: &[u8]) -> Check<()> {
        ensure(packet.len() >= 40 && packet[0] >> 4 == 6, "no IPv6 header")?;
        let len = usize::from(word(packet, 4));
        ensure(packet.len() >= 40 + len, "IPv6 longer than the frame")?;
        let (from, to) = (&packet[8..24], &packet[24..40]);
        let localhost = Ipv6Addr::LOCALHOST.octets();
        ensure(from[0] != 0xff && from != localhost && to != localhost && to != [0; 16], "IPv6 martian")?;
        let to_group = to[0] == 0xff;
        ensure(to_group || from != [0; 16], "unicast from ::")?;
        ensure(to_group || dst[0] & 1 == 0, "unicast IPv6 to a group MAC")?;
        let end = upper(packet[6], &packet[40..40 + len], 0)?;
        if let Some((_, message, true)) = end {
            ensure(40 + len - message.len() <= 256, "header chain beyond 256 bytes")?;
        }
        let Some((next, message, behind)) = end else {
            return ensure(!to_group, "later fragment to a group");
        };
        let mapped = [&[0x33, 0x33][..], &to[12..]].concat();
        if next != 58 {
            return ensure(!to_group, "IPv6 to a group");
        }
        ensure(!message.is_empty(), "ICMPv6 without a type")?;
        match message[0] {
            135 | 136 => {
                ensure(!behind && packet[6] == 58, "ND behind headers")?;
                ensure(!to_group || dst[..] == mapped[..], "ND to another group's MAC")?;
                self.nd(src, packet[7], (from, to), message)
            }
            130..=132 | 143 => ensure(self.mld && to_group && dst[..] == mapped[..] && packet[7] == 1, "MLD"),
            127 | 133 | 134 | 137..=142 | 148..=153 | 255 => Err(format!("ICMPv6 type {}", message[0])),
            _ => ensure(!to_group, "ICMPv6 to a group"),
        }
    }

    fn nd(&self, src: [u8; 6], hop_limit: u8, (from, to): (&[u8], &[u8]), message: &[u8]) -> Check<()> {
        ensure(hop_limit == 255 && message[1] == 0 && message.len() >= 24, "ND header")?;
        let pseudo = [from, to, &(message.len() as u32).to_be_bytes(), &[0, 0, 0, 58], message].concat();
        ensure(checksum(&pseudo) == 0, "ND checksum")?;
        let target = &message[8..24];
        let peering = [0x20, 0x01, 0x07, 0xfa, 0, 3, 0xca, 7];
        let inside = |ip: &[u8]| ip[..8] == peering || (ip[0] == 0xfe && ip[1] & 0xc0 == 0x80);
        ensure(
            inside(target) && (inside(from) || (from == [0; 16] && message[0] == 135) || message[0] == 136),
            "ND outside the exchange",
        )?;
        let mut at = 24;
        while at < message.len() {
            ensure(at + 2 <= message.len() && message[at + 1] > 0, "ND option of length 0")?;
            let next = at + usize::from(message[at + 1]) * 8;
            ensure(next <= message.len(), "ND option past the end")?;
            let body = &message[at + 2..next];
            if message[at] == 1 && message[0] == 135 {
                ensure(body == src && from != [0; 16], "source address option")?;
            }
            if message[at] == 2 && message[0] == 136 {
                ensure(
                    body == src || (body.len() == 6 && body[..5] == [0, 0, 0x5e, 0, 2]),
                    "target address option",
                )?;
            }
            at = next;
        }
        let solicited = [&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff][..], &target[13..]].concat();
        if message[0] == 135 {
            ensure(to == solicited || (to == target && from != [0; 16]), "solicitation sent elsewhere")?;
        } else if to[0] == 0xff {
            let known =
                to[..15] == [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] && matches!(to[15], 1 | 2);
            ensure(known && message[4] & 0x40 == 0, "advertisement to a group")?;
        }
        let claimed = if message[0] == 135 { from } else { target };
        let member = claimed[..8] == peering && claimed[8..15] == [0; 7] && matches!(claimed[15], 10 | 11);
        let owner = if claimed[15] == 10 { A } else { B };
        ensure(!self.claims || !member || src == owner, "ND claims a member's address")
    }
}

/// Is this, untagged, a frame that the bridge may send of its own? Addresses, lengths, checksums, padding.
pub fn sound(frame: &[u8]) -> Check<()> {
    ensure(frame.len() >= 60, "a frame of ours under 60 bytes")?;
    ensure(frame[6] & 1 == 0 && frame[6..12] != [0; 6], "a frame of ours from a group")?;
    let packet = &frame[14..];
    let exact = |length: usize| {
        let padding = packet.get(length..).ok_or("a packet of ours longer than its frame")?;
        ensure(frame.len() == (14 + length).max(60), "a frame of ours of the wrong length")?;
        ensure(padding.iter().all(|byte| *byte == 0), "padding of ours that is not zero")
    };
    let to_many = frame[0] & 1 == 1;
    match word(frame, 12) {
        0x0806 => {
            exact(28)?;
            let head = packet[..7] == [0, 1, 8, 0, 6, 4, 0] && packet[8..14] == frame[6..12];
            let announces = packet[7] == 1 && packet[14..18] == packet[24..28] && frame[..6] == BROADCAST;
            let replies = packet[7] == 2 && !to_many && packet[18..24] == frame[..6];
            ensure(head && (announces || replies), "ARP of ours")
        }
        0x0800 => {
            let total = usize::from(word(packet, 2));
            ensure(packet[0] == 0x45 && total >= 28, "an IPv4 header of ours")?;
            exact(total)?;
            ensure(checksum(&packet[..20]) == 0, "an IPv4 checksum of ours")?;
            let host = |at: usize| !matches!(packet[at], 0 | 127 | 224..);
            ensure(host(12) && host(16) && !to_many, "IPv4 of ours from or to a group")?;
            ensure(packet[9] == 1 && packet[8] == 64, "IPv4 of ours that is no ICMP")?;
            ensure(checksum(&packet[20..total]) == 0, "an ICMP checksum of ours")?;
            let error = packet[20..22] == [3, 4] && total <= 576;
            ensure(error || packet[20..22] == [0, 0], "ICMP of ours")
        }
        0x86dd => {
            let length = usize::from(word(packet, 4));
            ensure(packet[..4] == [0x60, 0, 0, 0] && packet[6] == 58, "an IPv6 header of ours")?;
            exact(40 + length)?;
            let (src, dst, message) = (&packet[8..24], &packet[24..40], &packet[40..40 + length]);
            ensure(src[0] != 0xff && src != [0; 16] && dst != [0; 16], "IPv6 of ours from or to a group")?;
            let pseudo = [src, dst, &(length as u32).to_be_bytes(), &[0, 0, 0, 58], message].concat();
            ensure(checksum(&pseudo) == 0, "an ICMPv6 checksum of ours")?;
            let all_nodes = dst == "ff02::1".parse::<Ipv6Addr>().unwrap().octets();
            let to_one = dst[0] != 0xff && !to_many;
            match message[..2] {
                [2, 0] => ensure(to_one && packet[7] == 64 && length <= 1240, "Packet Too Big of ours"),
                [129, 0] => ensure(to_one && packet[7] == 64, "an echo reply of ours"),
                [136, 0] => {
                    let mapped =
                        all_nodes && frame[..6] == [0x33, 0x33, 0, 0, 0, 1] && message[4] & 0x40 == 0;
                    ensure(to_one || mapped, "an advertisement of ours to a group")?;
                    ensure(packet[7] == 255 && length == 32 && message[8..24] == *src, "its header")?;
                    ensure(message[24..26] == [2, 1] && message[26..32] == frame[6..12], "its option")
                }
                _ => Err("ICMPv6 of ours".to_owned()),
            }
        }
        other => Err(format!("a frame of ours of type {other:04x}")),
    }
}

fn v4(packet: &[u8]) -> Check<()> {
    ensure(packet.len() >= 20 && packet[0] >> 4 == 4, "no IPv4 header")?;
    let (header, total) = (usize::from(packet[0] & 15) * 4, usize::from(word(packet, 2)));
    ensure(header >= 20 && header <= total && total <= packet.len(), "IPv4 lengths")?;
    let ip = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    let (from, to, broadcast) = (ip(12), ip(16), Ipv4Addr::new(202, 7, 1, 255));
    ensure(!to.is_multicast() && !to.is_broadcast() && to != broadcast, "IPv4 to many")?;
    ensure(!matches!(to.octets()[0], 0 | 127 | 240..), "IPv4 martian destination")?;
    let impossible =
        from.octets()[0] == 0 || from.is_loopback() || from.octets()[0] >= 224 || from == broadcast;
    ensure(!impossible, "IPv4 martian source")?;
    let first = word(packet, 6) & 0x1fff == 0;
    let body = &packet[header..total];
    if first && packet[9] == 1 {
        ensure(body.first().is_none_or(|kind| ![5, 9, 10].contains(kind)), "ICMP of one link")?;
    }
    let exchange = |ip: Ipv4Addr| ip.octets()[..2] == [202, 7] && ip.octets()[2] < 2;
    if first && packet[9] == 17 && body.len() >= 4 && (exchange(from) || exchange(to)) {
        ensure([word(body, 0), word(body, 2)].iter().all(|port| ![67, 68].contains(port)), "DHCP")?;
    }
    Ok(())
}

/// The upper layer's protocol, its bytes, and whether a header came before; none in a later fragment.
fn upper(next: u8, bytes: &[u8], count: usize) -> Check<Option<(u8, &[u8], bool)>> {
    let len = match next {
        44 => 8,
        0 | 43 | 60 | 135 | 139 | 140 => usize::from(*bytes.get(1).ok_or("header chain")?) * 8 + 8,
        51 => usize::from(*bytes.get(1).ok_or("header chain")?) * 4 + 8,
        _ => return Ok(Some((next, bytes, count > 0))),
    };
    ensure(bytes.len() >= 8, "a header cut short")?;
    ensure(count < 8, "nine headers")?;
    if next == 44 && word(bytes, 2) >> 3 > 0 {
        return Ok(None);
    }
    ensure(bytes.len() >= len, "header chain past the end")?;
    upper(bytes[0], &bytes[len..], count + 1)
}
