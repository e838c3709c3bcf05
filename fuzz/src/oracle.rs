//! A naive opinion of what may leave the bridge, with its own parsers: slow, and apart from the path. It allows more than
//! the path does; what it refuses, nobody may ever see.

use pipeline::base::{At, BridgeId};
use pipeline::plan::Plan;
use pipeline::plan::bridge::BridgePlan;
use rules::{Admission, Resolution, Side, Tags};

use crate::packets::{address4, checksum};

pub(crate) type Check = Result<(), String>;

pub(crate) fn ensure(holds: bool, what: &str) -> Check {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u16 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(word) => u16::from_be_bytes(*word),
        None => 0,
    }
}

/// Tags as (TPID, VID), the outermost first.
pub(crate) fn tags_of(tags: Tags) -> Vec<(u16, u16)> {
    match tags {
        Tags::Untagged => vec![],
        Tags::Single(vid) => vec![(0x8100, vid.get())],
        Tags::Double { outer, inner } => vec![(0x88a8, outer.get()), (0x8100, inner.get())],
    }
}

/// An untagged frame with a side's tags, and priority bits (PCP and DEI) in each.
pub(crate) fn wire(tags: &[(u16, u16)], priority: u16, frame: &[u8]) -> Vec<u8> {
    let Some((macs, rest)) = frame.split_at_checked(12) else { return frame.to_vec() };
    let tag = |(tpid, vid): &(u16, u16)| [tpid.to_be_bytes(), (vid | priority << 12).to_be_bytes()].concat();
    [macs, &tags.iter().flat_map(tag).collect::<Vec<u8>>(), rest].concat()
}

/// A frame as a side sees it: its priority, and its bytes without the tags.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) at: At,
    pub(crate) priority: u16,
    pub(crate) bare: Vec<u8>,
}

/// The side that a frame on a port belongs to: the one whose tags it has, exactly.
pub(crate) fn place(plan: &Plan, port: usize, frame: &[u8]) -> Option<Placed> {
    let known = BridgeId::all(plan.bridges.len()).zip(&plan.bridges);
    for (id, bridge) in known.filter(|(_, bridge)| !bridge.removed) {
        for side in Side::BOTH {
            let rules = bridge.rules.side(side);
            let tags = tags_of(rules.tags);
            let end = 12 + 4 * tags.len();
            let matches = |(depth, (tpid, vid)): (usize, &(u16, u16))| {
                word(frame, 12 + 4 * depth) == *tpid && word(frame, 14 + 4 * depth) & 0xfff == *vid
            };
            let whole = frame.len() >= end + 2 && tags.iter().enumerate().all(matches);
            let another = matches!(word(frame, end), 0x8100 | 0x88a8 | 0x9100 | 0x9200);
            if rules.port == port && whole && !another {
                let priority = if tags.is_empty() { 0 } else { word(frame, end - 2) >> 12 };
                let bare = [&frame[..12], &frame[end..]].concat();
                return Some(Placed { at: At { bridge: id, side }, priority, bare });
            }
        }
    }
    None
}

/// May `input` leave the other side as `output`, whole?
pub(crate) fn crossing(bridge: &BridgePlan, input: &Placed, output: &Placed) -> Check {
    let (from, to) = (bridge.rules.side(input.at.side), bridge.rules.side(output.at.side));
    if from.tags.depth() > 0 && to.tags.depth() > 0 {
        ensure(input.priority == output.priority, "its priority changed")?;
    }
    ensure(output.bare.starts_with(&input.bare), "it changed on the way")?;
    let padding = &output.bare[input.bare.len()..];
    ensure(padding.iter().all(|byte| *byte == 0), "it was padded with something")?;
    ensure(
        padding.is_empty()
            || (output.bare.len() + 4 * to.tags.depth() == 60 && from.tags.depth() > to.tags.depth()),
        "it was padded beyond 60 bytes, or without having lost a tag",
    )?;
    ensure(input.bare.len() - 14 <= usize::from(to.mtu), "it is longer than the MTU")?;
    may_cross(bridge, input)
}

/// What every frame that crosses must be, whole or in fragments.
fn may_cross(bridge: &BridgePlan, input: &Placed) -> Check {
    let (dst, src) = (&input.bare[..6], &input.bare[6..12]);
    ensure(src[0] & 1 == 0 && src != [0; 6] && src != dst && dst != [0; 6], "an address of no station")?;
    ensure(dst[..5] != [0x01, 0x80, 0xc2, 0, 0] && dst[..3] != [0x01, 0, 0x0c], "reserved destination")?;
    let own = |mac: &[u8]| bridge.own.iter().any(|own| own.bytes() == *mac);
    ensure(!own(src) && !own(dst), "a MAC of the bridge itself")?;
    let member = bridge.rules.members.iter().find(|member| member.macs.iter().any(|mac| mac.bytes() == *src));
    if let Some(side) = member.and_then(|member| member.side) {
        ensure(side == input.at.side, "a member of the other side")?;
    }
    ensure(bridge.rules.admission == Admission::Learned || member.is_some(), "its source is no member")?;
    let packet = &input.bare[14..];
    match word(&input.bare, 12) {
        0x0800 => {
            ensure(dst[0] & 1 == 0, "IPv4 to a group MAC")?;
            let (header, total) = (usize::from(packet[0] & 15) * 4, usize::from(word(packet, 2)));
            ensure(
                packet[0] >> 4 == 4 && header >= 20 && header <= total && total <= packet.len(),
                "IPv4 lengths",
            )?;
            let (from, to) = (address4(&packet[12..]), address4(&packet[16..]));
            ensure(!to.is_multicast() && !to.is_broadcast(), "IPv4 to many")?;
            ensure(!matches!(to.octets()[0], 0 | 127 | 240..), "IPv4 martian destination")?;
            ensure(!from.is_multicast() && !from.is_loopback() && from.octets()[0] != 0, "IPv4 martian")?;
            let bgp = packet[9] == 6 && total >= header + 4 && word(packet, 6) & 0x1fff == 0 && {
                word(packet, header) == 179 || word(packet, header + 2) == 179
            };
            let peering = bridge.is_peering4(from) && bridge.is_peering4(to);
            ensure(!(bridge.rules.drain && peering && bgp), "BGP, and the bridge is drained")
        }
        0x0806 => {
            ensure(packet.len() >= 28 && packet[..7] == [0, 1, 8, 0, 6, 4, 0], "ARP that is none for IPv4")?;
            ensure(matches!(packet[7], 1 | 2), "ARP operation")
        }
        0x86dd => {
            ensure(packet.len() >= 40 && packet[0] >> 4 == 6, "no IPv6 header")?;
            let length = usize::from(word(packet, 4));
            ensure(packet.len() >= 40 + length, "IPv6 longer than the frame")?;
            let (from, to, message) = (&packet[8..24], &packet[24..40], &packet[40..40 + length]);
            ensure(from[0] != 0xff, "IPv6 from a group")?;
            ensure(to[0] != 0xff || matches!(packet[6], 58 | 0), "IPv6 to a group")?;
            if packet[6] == 58 && matches!(message.first(), Some(133..=137)) {
                ensure(matches!(message[0], 135 | 136), "a router's word")?;
                ensure(
                    packet[7] == 255 && message[1] == 0 && message.len() >= 24,
                    "neighbour discovery's header",
                )?;
                ensure(sum6(packet, message) == 0, "neighbour discovery's checksum")?;
            }
            Ok(())
        }
        other => Err(format!("ethertype {other:04x}")),
    }
}

fn sum6(packet: &[u8], message: &[u8]) -> u16 {
    checksum(&[&packet[8..40], &(message.len() as u32).to_be_bytes(), &[0, 0, 0, 58], message].concat())
}

/// May `input` leave the other side as these fragments? `all`: none of them was lost on the way.
pub(crate) fn fragments(bridge: &BridgePlan, input: &Placed, output: &[&Placed], all: bool) -> Check {
    let (from, to) = (bridge.rules.side(input.at.side), bridge.rules.side(input.at.side.other()));
    ensure(to.fragment && word(&input.bare, 12) == 0x0800, "it may not be fragmented")?;
    may_cross(bridge, input)?;
    let packet = &input.bare[14..];
    let (header, total) = (usize::from(packet[0] & 15) * 4, usize::from(word(packet, 2)));
    ensure(word(packet, 6) & 0x4000 == 0, "it may not be fragmented: DF")?;
    let mut at = header;
    for fragment in output {
        if from.tags.depth() > 0 && to.tags.depth() > 0 {
            ensure(fragment.priority == input.priority, "its priority changed")?;
        }
        ensure(fragment.bare[..14] == input.bare[..14], "its header changed")?;
        let part = &fragment.bare[14..];
        let (head, length) = (usize::from(part[0] & 15) * 4, usize::from(word(part, 2)));
        ensure(
            part[0] >> 4 == 4 && head >= 20 && length >= head && length <= part.len(),
            "a fragment's lengths",
        )?;
        ensure(length <= usize::from(to.mtu), "a fragment that is longer than the MTU")?;
        ensure(checksum(&part[..head]) == 0, "a fragment's checksum")?;
        ensure(
            part[4..6] == packet[4..6] && part[9] == packet[9] && part[12..20] == packet[12..20],
            "its fields",
        )?;
        let payload = &part[head..length];
        ensure(packet.get(at..at + payload.len()) == Some(payload), "a fragment's payload")?;
        let offset = (word(packet, 6) & 0x1fff) + ((at - header) / 8) as u16;
        ensure(word(part, 6) & 0x1fff == offset, "a fragment's offset")?;
        at += payload.len();
        let more = at < total || word(packet, 6) & 0x2000 != 0;
        ensure((word(part, 6) & 0x2000 != 0) == more, "a fragment's MF")?;
    }
    ensure(!all || (at == total && output.len() > 1), "fragments that are not all of it")
}

/// May the bridge send this frame of its own on a side? `probes`: it looks for loops and duplicates by itself.
pub(crate) fn own(bridge: &BridgePlan, output: &Placed, probes: bool) -> Check {
    let frame = &output.bare;
    ensure(output.priority == 0, "a frame of ours with priority")?;
    ensure(frame.len() >= 60, "a frame of ours under 60 bytes")?;
    let rules = &bridge.rules;
    let ours = frame[6..12] == bridge.own(output.at.side).bytes();
    let proxies = match word(frame, 12) {
        0x0806 => rules.arp == Resolution::Answer,
        _ => rules.nd == Resolution::Answer && frame[54] == 136,
    };
    ensure(ours || proxies, "a frame of ours with somebody else's MAC")?;
    ensure(frame[6] & 1 == 0 && frame[6..12] != [0; 6], "a frame of ours from a group")?;
    let packet = &frame[14..];
    let to_many = frame[0] & 1 == 1;
    let exact = |length: usize| {
        ensure(
            packet.len() >= length && frame.len() == (14 + length).max(60),
            "a frame of ours of the wrong length",
        )
    };
    let padded = |length: usize| ensure(packet[length..].iter().all(|byte| *byte == 0), "padding of ours");
    match word(frame, 12) {
        0x0806 => {
            exact(28)?;
            ensure(packet[..7] == [0, 1, 8, 0, 6, 4, 0] && packet[8..14] == frame[6..12], "ARP of ours")?;
            let asks = packet[7] == 1 && frame[..6] == [0xff; 6];
            let announces = asks && packet[14..18] == packet[24..28];
            let looks = asks && probes && packet[14..18] == [0; 4];
            let replies = packet[7] == 2 && !to_many && packet[18..24] == frame[..6];
            // to one station: is it still there?
            let own4 = rules.own.ipv4.map_or([0; 4], |own| own.octets());
            let questions = packet[7] == 1 && probes && ours && !to_many && packet[18..24] == [0; 6];
            let questions = questions && (packet[14..18] == [0; 4] || packet[14..18] == own4);
            // an announcement that looks for loops carries a nonce
            ensure(announces || looks || replies || questions, "ARP of ours that is nothing")?;
            padded(if announces && probes { 34 } else { 28 })
        }
        0x0800 => {
            let total = usize::from(word(packet, 2));
            ensure(packet[0] == 0x45 && total >= 28 && !to_many, "IPv4 of ours")?;
            exact(total)?;
            padded(total)?;
            ensure(
                checksum(&packet[..20]) == 0 && checksum(&packet[20..total]) == 0,
                "an IPv4 checksum of ours",
            )?;
            ensure(packet[9] == 1 && packet[8] == 64, "IPv4 of ours that is no ICMP")?;
            let host = |at: usize| !matches!(packet[at], 0 | 127 | 224..);
            ensure(host(12) && host(16), "IPv4 of ours from or to a group")?;
            ensure((packet[20..22] == [3, 4] && total <= 576) || packet[20..22] == [0, 0], "ICMP of ours")
        }
        0x86dd => {
            let length = usize::from(word(packet, 4));
            ensure(packet[..4] == [0x60, 0, 0, 0] && packet[6] == 58, "IPv6 of ours")?;
            exact(40 + length)?;
            padded(40 + length)?;
            let (src, dst, message) = (&packet[8..24], &packet[24..40], &packet[40..40 + length]);
            ensure(sum6(packet, message) == 0, "an ICMPv6 checksum of ours")?;
            ensure(src[0] != 0xff && dst != [0; 16], "IPv6 of ours from a group, or to nobody")?;
            let to_one = dst[0] != 0xff && !to_many && src != [0; 16];
            match message[..2] {
                [2, 0] => ensure(to_one && packet[7] == 64 && length <= 1240, "Packet Too Big of ours"),
                [129, 0] => ensure(to_one && packet[7] == 64, "an echo reply of ours"),
                [135, 0] => {
                    // to one station: is it still there? From nobody it is to the group, in a frame to that station
                    let link_local = bridge.link_local[output.at.side.index()].octets();
                    let asked = src == link_local && dst == &message[8..24] && length == 32;
                    let nobody = src == [0; 16] && dst[0] == 0xff;
                    let question = ours && !to_many && (asked || (nobody && length == 24));
                    let looks = to_many && nobody;
                    ensure(probes && packet[7] == 255 && (looks || question), "a solicitation of ours")
                }
                [136, 0] => {
                    let all = to_many && dst[0] == 0xff && message[4] & 0x40 == 0;
                    ensure((to_one || all) && packet[7] == 255, "an advertisement of ours")?;
                    ensure(length == 32 && message[8..24] == *src, "an advertisement's target")?;
                    ensure(
                        message[24..26] == [2, 1] && message[26..32] == frame[6..12],
                        "an advertisement's option",
                    )
                }
                _ => Err("ICMPv6 of ours".to_owned()),
            }
        }
        other => Err(format!("a frame of ours of type {other:04x}")),
    }
}
