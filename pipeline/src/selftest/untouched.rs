//! What is in a frame is none of the card's business.

use super::frames::{EXPERIMENTAL, End, TCP, UDP, sum};
use super::report::Check;
use super::rig::Rig;
use rules::Mac;

const LEN: usize = 120;
const ICMP: u8 = 1;

/// EtherTypes that a driver may not know, and lengths (IEEE 802.3 section 3.2.6).
pub(super) fn ethertypes(rig: &mut Rig) -> Check {
    let mut ledger = rig.ledger();
    for from in End::BOTH {
        for ethertype in [EXPERIMENTAL, 0x88b6, 0x0600, 0x8847, 0x9999, 0xfffe] {
            for (what, tags) in [("", &[][..]), (" behind a tag", &[(0x8100, 100)])] {
                let head = rig.run.head(from, tags, ethertype);
                ledger.enter(&rig.run, from, format!("type {ethertype:04x}{what}"), head, LEN);
            }
        }
        let mut llc = rig.run.head(from, &[], 17 + 43);
        llc.extend_from_slice(&[0xaa, 0xaa, 3]);
        ledger.enter(&rig.run, from, "a length and LLC", llc, 74 + rig.run.overhead());
    }
    let check = Check::new("ethertypes", "frames of any EtherType arrive as sent");
    rig.check(
        check,
        &mut ledger,
        "the card or the switch filters or parses them: look at the types that are named",
    )
}

/// Wrong checksums arrive as wrong as they were sent, and right ones as right.
pub(super) fn checksums(rig: &mut Rig) -> Check {
    let mut ledger = rig.ledger();
    for from in End::BOTH {
        for (what, tags) in [("", &[][..]), (", tagged", &[(0x8100, 100)])] {
            let at = 14 + rig.run.overhead() + 4 * tags.len();
            let run = &rig.run;
            let head = run.udp4(from, 1, tags, LEN);
            ledger.enter(run, from, format!("UDP without checksum{what}"), head.clone(), LEN);
            ledger.enter(run, from, format!("wrong IPv4 header checksum{what}"), head.clone(), LEN)
                [at + 10] ^= 0x55;
            ledger.enter(run, from, format!("wrong UDP checksum{what}"), head.clone(), LEN)[at + 26..at + 28]
                .fill(0x5a);
            let right = ledger.enter(run, from, format!("right UDP checksum{what}"), head, LEN);
            let checksum = sum(right, at + 20, 4, UDP);
            right[at + 26..at + 28].copy_from_slice(&checksum.to_be_bytes());
            for (protocol, name) in [(TCP, "TCP"), (ICMP, "ICMP")] {
                // the fields of a segment or message, its checksum among them, are whatever stamp and payload are there
                let head = run.ipv4(from, 1, tags, protocol, LEN, 0);
                ledger.enter(run, from, format!("wrong {name} checksum{what}"), head, LEN);
            }
            let at = at + 40;
            let head = run.udp6(from, 1, tags, LEN);
            ledger.enter(run, from, format!("UDP without checksum on IPv6{what}"), head.clone(), LEN);
            let right =
                ledger.enter(run, from, format!("right UDP checksum on IPv6{what}"), head.clone(), LEN);
            let checksum = sum(right, at, 16, UDP);
            right[at + 6..at + 8].copy_from_slice(&checksum.to_be_bytes());
            ledger.enter(run, from, format!("wrong UDP checksum on IPv6{what}"), head, LEN)[at + 6..at + 8]
                .fill(0x5a);
        }
    }
    let check = Check::new("checksums", "checksums arrive as sent, right or wrong");
    rig.check(check, &mut ledger, "something between repairs or drops packets: a card's firmware, or a switch that routes. A bridge does neither")
}

/// Fragments arrive as they are.
pub(super) fn fragments(rig: &mut Rig) -> Check {
    const MORE: u16 = 0x2000;
    let mut ledger = rig.ledger();
    for from in End::BOTH {
        let run = &rig.run;
        let len = 14 + run.overhead() + 20 + 80;
        ledger.enter(run, from, "first IPv4 fragment", run.ipv4(from, 2, &[], UDP, len, MORE), len);
        ledger.enter(run, from, "last IPv4 fragment", run.ipv4(from, 2, &[], UDP, len, 10), len);
        ledger.enter(
            run,
            from,
            "IPv4 fragment without its others",
            run.ipv4(from, 3, &[], UDP, len, MORE | 10),
            len,
        );
        let len = 14 + run.overhead() + 40 + 8 + 80;
        for (kind, flow, fragment) in [
            ("first IPv6 fragment", 2, 1),
            ("last IPv6 fragment", 2, 80),
            ("IPv6 fragment without its others", 3, 81),
        ] {
            let mut head = run.ipv6(from, flow, &[], 44, len);
            head.extend_from_slice(&[UDP, 0]);
            head.extend_from_slice(&u16::to_be_bytes(fragment));
            head.extend_from_slice(&[0x5a, 0x5a, 0, flow]);
            ledger.enter(run, from, kind, head, len);
        }
    }
    let check = Check::new("fragments", "fragments arrive as sent, not put together");
    rig.check(check, &mut ledger, "something between puts packets together or drops their parts (a kernel's firewall, a virtual device): path MTU discovery and large DNS answers suffer")
}

/// Frames to others arrive: the port is promiscuous.
pub(super) fn delivery(rig: &mut Rig) -> Check {
    let mut ledger = rig.ledger();
    for from in End::BOTH {
        let run = &rig.run;
        let [.., low] = run.stations[from.index()].bytes();
        for (kind, to) in [
            ("broadcast", Mac::BROADCAST),
            ("IPv4 multicast", Mac::from_bytes([1, 0, 0x5e, 0x7f, 0x5a, 0x5a])),
            ("IPv6 multicast", Mac::from_bytes([0x33, 0x33, 0, 0, 0x5a, 0x5a])),
            ("local group", Mac::from_bytes([3, 0x5a, 0, 0, 0, low])),
            ("unknown unicast", Mac::from_bytes([2, 0x5c, 0, 0, 0, low])),
            ("the card's own address", rig.ports[from.other().index()].mac()),
        ] {
            for (what, tags) in [("", &[][..]), (", tagged", &[(0x8100, 100)])] {
                let head = run.head_to(from, to, tags, EXPERIMENTAL);
                ledger.enter(run, from, format!("{kind}{what}"), head, LEN);
            }
        }
    }
    let check = Check::new("delivery", "broadcast, multicast and frames to others arrive (promiscuous)");
    rig.check(check, &mut ledger, "the bridge does not hear what it must forward: a virtual function must be trusted by its host; a switch may police unknown or multicast frames")
}
