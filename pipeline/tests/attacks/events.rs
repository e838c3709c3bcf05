//! Events: who hides them behind others.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use crate::report::{Attack, Service};
use crate::scene::*;
use crate::timeline::Sender;

pub const ATTACKS: &[fn() -> Attack] = &[bpdus, same_kind];

fn bpdu(src: [u8; 6]) -> Vec<u8> {
    [&[0x01, 0x80, 0xc2, 0, 0, 0][..], &src, &[0, 38, 0x42, 0x42, 3], &[0; 43]].concat()
}

fn told(bench: &Bench, kind: &str, by: [u8; 6]) -> bool {
    bench.events().contains(&(kind.to_owned(), mac(by)))
}

fn bpdus() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).known();
    course.run(Duration::from_secs(1), &mut [Sender::new(M, 1100, |number| bpdu(station(number)))]);
    let x = station(5000);
    course.bench.deliver(M, &arp_request(x, OWN4, IP4_B));
    course.bench.deliver(M, &arp_request(x, IP4_B, IP4_V));
    course.bench.deliver(W, &unicast(B, V));
    let of_kind = course.bench.events().iter().filter(|(kind, _)| kind == "bpdu_seen").count();
    let told = |kind: &'static str, by| Service::fact(kind, told(&course.bench, kind, by));
    Attack {
        row: "F205",
        sends: "1100 BPDUs from invented MACs in a second",
        wants: "hide other events",
        bound: 100,
        services: vec![told("ip_conflict_own", x), told("arp_spoof", x), told("mac_wrong_side", V)],
        gain: format!("{of_kind} events told one by one"),
    }
}

#[test]
fn f205_a_flood_of_bpdus_hides_no_other_event() {
    bpdus().fails();
}

fn same_kind() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).known();
    let claim = |number: u32| arp_request(station(number % 1000), IP4_B, "202.7.0.11");
    let mut senders = [
        Sender::new(M, 10_000, claim),
        // the member claims what is B's, once
        Sender::new(M, 1, |_| arp_request(V, IP4_B, "202.7.0.11")).after(Duration::from_millis(2500)),
    ];
    course.run(Duration::from_secs(3), &mut senders);
    let events = course.bench.events();
    let of_kind = events.iter().filter(|(kind, _)| kind == "arp_spoof").count();
    Attack {
        row: "-",
        sends: "10,000/s events of one kind from a thousand MACs",
        wants: "hide the same event of a member",
        bound: 100,
        services: vec![Service::fact("arp_spoof of a member", told(&course.bench, "arp_spoof", V))],
        gain: format!("{of_kind} events told one by one"),
    }
}

#[test]
fn events_of_a_thousand_strangers_do_not_hide_a_members() {
    same_kind().fails();
}
