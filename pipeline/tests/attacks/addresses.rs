//! Addresses: who speaks for another's, and who keeps owners from being heard.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use crate::hosts::Host;
use crate::report::{Attack, Service};
use crate::scene::*;
use crate::timeline::Sender;

pub const ATTACKS: &[fn() -> Attack] = &[virtual_router, claims, dad_for_member, first_claim, neighbours];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn virtual_router() -> Attack {
    let x = station(1);
    let claims = [
        ether(BROADCAST, x, 0x0806, &arp(1, VRRP, IP4_V, [0; 6], IP4_V)),
        ether(B, x, 0x0806, &arp(2, VRRP, IP4_V, B, IP4_B)),
        ether(B, x, 0x86dd, &icmp6(IP_V, IP_B, 255, &na(R | S | O, IP_V, &lladdr(2, VRRP)))),
        solicitation(x, IP_V, IP_B, &lladdr(1, VRRP)),
    ];
    let attacker = Sender::new(M, 100, |number| claims[number as usize % claims.len()].clone());
    let served = Scene::new(M, Listed::Pinned).answering().known().serve(
        (seconds(5), Duration::ZERO),
        5,
        vec![attacker],
    );
    let mut services = served.services.clone();
    services.push(Service::fact("none of it crosses", served.through == 0));
    Attack {
        row: "F197",
        sends: "100/s claims of a member's address, with its own MAC outside and the member's virtual router's inside",
        wants: "speak for the member",
        bound: 90,
        gain: served.gain(),
        services,
    }
}

#[test]
fn f197_a_members_mac_inside_does_not_make_a_stranger_the_member() {
    virtual_router().fails();
}

fn claims() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).answering().known();
    let (x, owner, address) = (station(1), station(2), "202.7.0.30");
    let claim =
        |number: u32| ether(V, x, 0x0806, &arp(2, x, &format!("202.7.0.{}", 30 + number % 60), V, IP4_V));
    course.bench.deliver(W, &claim(0)); // first
    let had = course.bench.owner(address) == Some(x);
    let mut senders = [
        Sender::new(W, 20_000, claim),
        Sender::new(M, 1, |_| arp_request(owner, address, "202.7.0.12")).after(Duration::from_millis(500)),
    ];
    course.run(Duration::from_millis(1500), &mut senders);
    let noticed =
        course.bench.neighbour(address).is_none_or(|known| known.contested || known.mac.bytes() == owner);
    Attack {
        row: "F204",
        sends: "20,000/s unicast ARP claims of varying addresses",
        wants: "keep the true owner of one of them from being heard",
        bound: 100,
        services: vec![
            Service::fact("X was believed before", had),
            Service::fact("answers that name X end within a second", noticed),
        ],
        gain: format!("{} addresses known in all", course.bench.neighbours()),
    }
}

#[test]
fn f204_a_flood_of_claims_hides_no_conflict() {
    claims().fails();
}

fn dad_for_member() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).answering().known();
    let x = station(1);
    let asks = [dad(x, IP_V), ether(BROADCAST, x, 0x0806, &arp(1, x, "0.0.0.0", [0; 6], IP4_V))];
    let mut attacker = [Sender::new(W, 2, |number| asks[number as usize % 2].clone())
        .served_by(|left| left.iter().any(|(side, frame)| *side == M && frame[6..12] == x))];
    course.run(seconds(5), &mut attacker);
    let told = course.bench.events().contains(&("dad_for_member".to_owned(), mac(x)));
    Attack {
        row: "F210",
        sends: "duplicate address detection for a member's address, 2/s",
        wants: "have it without the owner's knowledge",
        bound: 100,
        services: vec![
            Service::new("the owner hears of it", attacker[0].sent, attacker[0].served),
            Service::fact("the operator hears of it", told),
        ],
        gain: "-".to_owned(),
    }
}

#[test]
fn f210_nobody_takes_a_members_address_behind_its_back() {
    dad_for_member().fails();
}

/// X on M claims what is a silent host's on W; A on M asks for it, and hears the owner.
fn first_claim() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).answering().settled();
    let (x, a, owner) = (station(1), station(2), station(3));
    let (ip4, ip6) = ("202.7.0.44", "2001:7fa:3:ca07::44");
    course.hosts.push(Host { side: W, mac: owner, also: owner, ip4, ip6 });
    let claims = [arp_request(x, ip4, ip4), who_has6(x, ip6, IP_B)];
    let reaches = move |left: &[(rules::Side, Vec<u8>)]| left.iter().any(|(side, _)| *side == W);
    let mut senders = [
        Sender::new(M, 2, |number| claims[number as usize % 2].clone()),
        Sender::new(M, 1, |_| arp_request(a, "202.7.0.12", ip4)).after(seconds(1)).served_by(reaches),
        Sender::new(M, 1, |_| who_has6(a, "2001:7fa:3:ca07::12", ip6)).after(seconds(1)).served_by(reaches),
    ];
    course.run(seconds(6), &mut senders);
    let [claims, arp, nd] = senders;
    Attack {
        row: "F218",
        sends: "claims of an unlisted address whose owner on the other side is silent",
        wants: "have requests for it not reach the owner",
        bound: 100,
        services: vec![
            Service::new("ARP requests for it reach its side", arp.sent, arp.served),
            Service::new("solicitations for it reach its side", nd.sent, nd.served),
        ],
        gain: format!("{} of {} frames through", claims.served, claims.sent),
    }
}

#[test]
fn f218_who_claims_first_does_not_hide_the_owner() {
    first_claim().fails();
}

/// The member's virtual router changes its master while every place for neighbours is taken.
fn neighbours() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned)
        .answering()
        .plus("neighbours: { capacity: 8192, per_mac: 16 }")
        .with("202.7.0.0/23", "202.7.0.0/19")
        .plus("macs: { new: { rate: 5000/s, burst: 5000 } }")
        .settled();
    let address = |number: u32| format!("202.7.{}.{}", 2 + number / 200 % 42 % 29, 1 + number % 200);
    let claim = |number: u32| {
        let mac = station(number % 512);
        let target = format!("2001:7fa:3:ca07:1::{number:x}");
        match number % 2 {
            0 => ether(B, mac, 0x0806, &arp(2, mac, &address(number / 2), B, IP4_B)),
            _ => ether(B, mac, 0x86dd, &icmp6(&target, IP_B, 255, &na(R | S | O, &target, &lladdr(2, mac)))),
        }
    };
    course.run(seconds(4), &mut [Sender::new(M, 4000, claim)]);
    let full = course.bench.neighbours();
    let names = |master: [u8; 6]| {
        move |left: &[(rules::Side, Vec<u8>)]| {
            left.iter().any(|(side, frame)| *side == M || frame[..6] == B && frame[6..12] == master)
        }
    };
    let mut asked = Vec::new();
    for master in [V, VRRP, V] {
        let mut senders = [
            Sender::new(M, 4000, claim),
            Sender::new(M, 1, |_| arp_frame((BROADCAST, master), &arp(1, master, IP4_V, [0; 6], IP4_V)))
                .until(Duration::from_millis(1)),
            Sender::new(W, 4, |_| arp_request(B, IP4_B, IP4_V))
                .after(Duration::from_millis(300))
                .served_by(names(master)),
        ];
        course.run(seconds(3), &mut senders);
        asked.push((senders[2].sent, senders[2].served));
    }
    let (offered, delivered) = asked.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Attack {
        row: "-",
        sends: "claims of 16 addresses by each of 512 MACs, while a member's virtual router changes its master",
        wants: "have the bridge answer with the old master",
        bound: 90,
        services: vec![Service::new("questions that hear of the master, or reach it", offered, delivered)],
        gain: format!("{full} addresses known in all"),
    }
}

#[test]
fn a_full_neighbour_table_does_not_keep_a_virtual_router_from_changing_hands() {
    neighbours().fails();
}
