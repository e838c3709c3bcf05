//! Each header's parser over the same bytes, and the builders of what the bridge sends over what was parsed.

use std::net::{Ipv4Addr, Ipv6Addr};

use pipeline::frame::arp::{self, Arp};
use pipeline::frame::buffer::{self, Buffer};
use pipeline::frame::build::{self, Addresses, Advertisement};
use pipeline::frame::ether::{self, Ether};
use pipeline::frame::icmp6::{self, Neighbour};
use pipeline::frame::ipv4::{self, Ipv4};
use pipeline::frame::ipv6::{Fragment, Ipv6};
use pipeline::frame::{checksum, nonce};
use pipeline::io::mem::Packet;
use rules::{Mac, Tags, Vid};

use crate::oracle::word;
use crate::packets;

pub(crate) fn run(bytes: &[u8]) {
    for depth in 0..=2 {
        frame(bytes, depth);
    }
    // as payloads too, so that no header needs another before it
    arp_packet(bytes);
    ipv4_packet(bytes);
    ipv6_packet(bytes);
    neighbour(bytes);
    tags(bytes);
    assert_eq!(!checksum::fold(checksum::sum(bytes)), packets::checksum(bytes), "the Internet checksum");
}

/// Whether a slice lies within another.
fn within(inner: &[u8], outer: &[u8]) -> bool {
    let (inner, outer) = (inner.as_ptr_range(), outer.as_ptr_range());
    outer.start <= inner.start && inner.end <= outer.end
}

fn frame(bytes: &[u8], depth: usize) {
    let parsed = Ether::parse(bytes, depth);
    assert_eq!(parsed.is_some(), bytes.len() >= 14 + 4 * depth, "a header is whole, or it is none");
    let Some(ether) = parsed else { return };
    assert_eq!(Some((ether.dst, ether.src)), ether::addresses(bytes));
    assert_eq!([ether.dst.bytes(), ether.src.bytes()].concat(), bytes[..12]);
    assert_eq!(ether.ethertype, word(bytes, 12 + 4 * depth));
    assert_eq!(ether.payload, &bytes[14 + 4 * depth..]);
    assert!(ether::vid_at(bytes, depth).is_none_or(|vid| vid < 4096));
    if let Some(nonce) = nonce::carried(&ether) {
        assert!(nonce != [0; 6] && bytes.windows(6).any(|window| window == nonce), "a nonce from nowhere");
    }
    match ether.ethertype {
        0x0800 => ipv4_packet(ether.payload),
        0x0806 => arp_packet(ether.payload),
        0x86dd => ipv6_packet(ether.payload),
        _ => {}
    }
}

fn arp_packet(bytes: &[u8]) {
    let Ok(request) = Arp::parse(bytes) else { return };
    assert!(bytes.len() >= arp::LEN);
    assert_eq!(
        (request.op, request.sha.bytes()),
        (word(bytes, 6), bytes[8..14].try_into().unwrap_or([0; 6]))
    );
    let owner = Mac::from_u64(0x0200_0000_0001);
    let mut frame = Vec::new();
    build::arp_reply(&mut frame, &request, owner);
    let reply = Ether::parse(&frame, 0).and_then(|ether| Arp::parse(ether.payload).ok());
    let expected = Arp { op: arp::REPLY, sha: owner, spa: request.tpa, tpa: request.spa };
    assert_eq!((reply, frame.len()), (Some(expected), 60));
    build::arp_announcement(&mut frame, owner, request.spa, Some([1; 6]));
    assert_eq!(Ether::parse(&frame, 0).and_then(|ether| nonce::carried(&ether)), Some([1; 6]));
}

fn ipv4_packet(bytes: &[u8]) {
    let Ok(ip) = Ipv4::parse(bytes) else { return };
    assert!(within(ip.packet, bytes) && within(ip.payload, ip.packet));
    let header = ip.packet.len() - ip.payload.len();
    assert_eq!((header, ip.packet.len()), (4 * usize::from(bytes[0] & 15), word(bytes, 2).into()));
    assert_eq!(ip.checksum_ok, packets::checksum(&bytes[..header]) == 0);
    assert_eq!(ip.is_fragment(), word(bytes, 6) & 0x3fff != 0);
    assert_eq!(ipv4::ports(ip.payload).is_some(), ip.payload.len() >= 4);
    let way = Addresses { to: Mac::ZERO, from: Mac::BROADCAST, src: ip.dst, dst: ip.src };
    let mut frame = Vec::new();
    build::fragmentation_needed(&mut frame, &way, 1400, ip.packet);
    icmp_is_right(&frame, &way, 576);
    if ip.payload.len() >= 8 && ip.packet.len() <= 9216 {
        build::echo_reply4(&mut frame, &way, bytes[1], ip.payload);
        icmp_is_right(&frame, &way, 20 + ip.payload.len());
        assert_eq!(frame[14 + 24..][..ip.payload.len() - 4], ip.payload[4..]);
    }
}

fn icmp_is_right(frame: &[u8], way: &Addresses<Ipv4Addr>, most: usize) {
    let Some(Ok(ip)) = Ether::parse(frame, 0).map(|ether| Ipv4::parse(ether.payload)) else {
        panic!("a packet that nobody can read: {frame:02x?}");
    };
    assert!(ip.checksum_ok && (ip.src, ip.dst, ip.protocol) == (way.src, way.dst, ipv4::ICMP));
    assert!(packets::checksum(ip.payload) == 0 && ip.packet.len() <= most && frame.len() >= 60);
}

fn ipv6_packet(bytes: &[u8]) {
    let Ok(ip) = Ipv6::parse(bytes) else { return };
    assert!(within(ip.packet, bytes) && within(ip.payload(), ip.packet));
    assert_eq!(
        (ip.packet.len(), ip.packet.len() - ip.payload().len()),
        (40 + usize::from(word(bytes, 4)), 40)
    );
    if let Some(upper) = ip.upper() {
        assert!(within(upper.payload, ip.payload()));
        assert_eq!(
            upper.extended,
            upper.payload.len() < ip.payload().len(),
            "headers come before it, or none"
        );
        let before = ip.packet.len() - upper.payload.len();
        assert!(upper.fragment == Fragment::Later || before <= 256, "beyond the reach");
        assert!(upper.extended || (upper.fragment == Fragment::Whole && upper.protocol == ip.next_header));
        if upper.protocol == 58 && upper.fragment == Fragment::Whole {
            neighbour(upper.payload);
            let way = Addresses { to: Mac::ZERO, from: Mac::BROADCAST, src: ip.dst, dst: ip.src };
            if upper.payload.len() >= 8 && ip.packet.len() <= 9216 {
                let mut frame = Vec::new();
                build::echo_reply6(&mut frame, &way, upper.payload);
                icmp6_is_right(&frame, &way, 40 + upper.payload.len());
            }
        }
    }
    let way = Addresses { to: Mac::ZERO, from: Mac::BROADCAST, src: ip.dst, dst: ip.src };
    let mut frame = Vec::new();
    build::packet_too_big(&mut frame, &way, 1400, ip.packet);
    icmp6_is_right(&frame, &way, 1280);
}

fn icmp6_is_right(frame: &[u8], way: &Addresses<Ipv6Addr>, most: usize) {
    let Some(Ok(ip)) = Ether::parse(frame, 0).map(|ether| Ipv6::parse(ether.payload)) else {
        panic!("a packet that nobody can read: {frame:02x?}");
    };
    assert_eq!((ip.src, ip.dst, ip.next_header), (way.src, way.dst, 58));
    assert!(icmp6::checksum_ok(ip.src, ip.dst, ip.payload()) && ip.packet.len() <= most && frame.len() >= 60);
}

fn neighbour(bytes: &[u8]) {
    let parsed = Neighbour::parse(bytes);
    assert_eq!(parsed.is_some(), bytes.len() >= 24);
    let Some(nd) = parsed else { return };
    assert_eq!(
        (nd.code, nd.flags, nd.target.octets()),
        (bytes[1], bytes[4], bytes[8..24].try_into().unwrap_or([0; 16]))
    );
    for kind in [icmp6::SLLAO, icmp6::TLLAO, icmp6::NONCE] {
        let mut found = 0;
        let sound = icmp6::options(nd.options, kind, |_| found += 1);
        assert!(found <= nd.options.len() / 8 && (!sound || nd.options.len().is_multiple_of(8)));
    }
    let na = Advertisement {
        target: nd.target,
        owner: Mac::ZERO,
        to: (Mac::BROADCAST, nd.target),
        flags: nd.flags,
    };
    let mut frame = Vec::new();
    build::advertisement(&mut frame, &na);
    let way = Addresses { to: Mac::BROADCAST, from: Mac::ZERO, src: nd.target, dst: nd.target };
    icmp6_is_right(&frame, &way, 72);
    build::dad(&mut frame, Mac::ZERO, nd.target, [1; 6]);
    assert_eq!(Ether::parse(&frame, 0).and_then(|ether| nonce::carried(&ether)), Some([1; 6]));
}

/// Tags put on and taken off again leave the frame as it was.
fn tags(bytes: &[u8]) {
    let vid = |at: usize| Vid::new(word(bytes, at) % 4094 + 1).ok_or("from 1 to 4094");
    let (Ok(one), Ok(two)) = (vid(0), vid(2)) else { panic!("a VID from 1 to 4094 was refused") };
    let sides = [Tags::Untagged, Tags::Single(one), Tags::Double { outer: one, inner: two }];
    for from in sides {
        for to in sides {
            let mut packet = Packet::new(bytes);
            if bytes.len() < 60 || !buffer::tag(&mut packet, from, 0) {
                return;
            }
            let before = packet.bytes().to_vec();
            assert!(buffer::retag(&mut packet, from, to) && buffer::retag(&mut packet, to, from));
            assert_eq!(packet.bytes(), before, "from {from:?} to {to:?} and back");
        }
    }
    let stripped = Packet::with_stripped(bytes, &[(0x88a8, 100), (0x8100, 20)]);
    assert_eq!(stripped.bytes().len(), bytes.len() + if bytes.len() < 12 { 0 } else { 8 });
}
