//! Answers of the bridge for itself: who has them all.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use crate::report::Attack;
use crate::scene::*;
use crate::timeline::Sender;

pub const ATTACKS: &[fn() -> Attack] = &[questions];

/// Echo request for the bridge's own address.
fn echo(src: [u8; 6], from: &str) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0, 1, 0, 1, 0, 0];
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ether(MAC_M, src, 0x0800, &ipv4(from, OWN4, 1, &message))
}

fn questions() -> Attack {
    let x = station(1);
    let asks = [
        arp_frame((MAC_M, x), &arp(1, x, "202.7.0.11", [0; 6], OWN4)),
        who_has6(x, "fe80::c1", OWN6),
        echo(x, "202.7.0.11"),
    ];
    let flood = Sender::new(M, 20_000, |number| asks[number as usize % 3].clone());
    let served =
        Scene::new(M, Listed::Pinned).known().serve((Duration::from_secs(5), Duration::ZERO), 5, vec![flood]);
    Attack {
        row: "F206",
        sends: "20,000/s ARP, solicitations and echo for the bridge's own address",
        wants: "have all answers",
        bound: 90,
        gain: served.gain(),
        services: served.services,
    }
}

#[test]
fn f206_who_floods_the_bridge_with_questions_leaves_answers_to_a_member() {
    questions().fails();
}
