//! Storms: who has the broadcasts and multicasts of a side.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use crate::report::{Attack, Service};
use crate::scene::*;
use crate::timeline::Sender;

pub const ATTACKS: &[fn() -> Attack] = &[many, strangers, invented, other_side];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn request(src: [u8; 6]) -> Vec<u8> {
    arp_request(src, &format!("202.7.1.{}", 1 + src[5] % 200), IP4_B)
}

fn many() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).known();
    let mut senders = [
        Sender::new(M, 12_000, |number| request(station(number % 200))),
        Sender::new(M, 4, |_| arp_request(V, IP4_V, IP4_B)).after(Duration::from_millis(3)),
        Sender::new(M, 4, |_| who_has6(V, IP_V, IP_B)).after(Duration::from_millis(5)),
        Sender::new(M, 1, |_| request(station(1000))).after(Duration::from_millis(7)),
    ];
    course.run(seconds(10), &mut senders);
    let [attacker, arp, nd, newcomer] = senders;
    Attack {
        row: "F203",
        sends: "60/s broadcasts from each of 200 MACs",
        wants: "leave none to others",
        bound: 90,
        services: vec![
            Service::new("a member's ARP requests", arp.sent, arp.served),
            Service::new("a member's solicitations", nd.sent, nd.served),
            Service::new("a newcomer's ARP requests", newcomer.sent, newcomer.served),
        ],
        gain: format!("{} of {} frames through", attacker.served, attacker.sent),
    }
}

#[test]
fn f203_a_storm_of_two_hundred_leaves_room_for_members_and_for_newcomers() {
    many().fails();
}

fn strangers() -> Attack {
    // each once a second: they are as quiet as the victim
    let storm = Sender::new(M, 3000, |number| request(station(number % 3000)));
    let served = Scene::new(M, Listed::Pinned)
        .plus("macs: { new: { rate: 50/s, burst: 4096 } }")
        .known()
        .serve((seconds(6), Duration::ZERO), 5, vec![storm]);
    Attack {
        row: "-",
        sends: "one broadcast a second from each of 3000 MACs",
        wants: "have what is left to the quiet",
        bound: 90,
        gain: served.gain(),
        services: served.services,
    }
}

#[test]
fn thousands_of_quiet_strangers_leave_a_member_its_broadcasts() {
    strangers().fails();
}

/// The buckets of a small bridge have few places: MACs that come and go could have theirs anew each time, and so could X.
fn invented() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned)
        .plus("macs: { capacity: 16, new: { rate: 100000/s, burst: 100000 } }")
        .known();
    let mut senders = [
        Sender::new(M, 500, |_| request(station(1))),
        Sender::new(M, 10_000, |number| request(station(2 + number))),
        Sender::new(M, 5, |_| arp_request(V, IP4_V, IP4_B)).after(Duration::from_millis(3)),
    ];
    course.run(seconds(6), &mut senders);
    let [attacker, _, arp] = senders;
    let share = 300 + 50 * 6;
    Attack {
        row: "-",
        sends: "500/s broadcasts from one MAC, beside 10,000/s from invented ones",
        wants: "have buckets forgotten: the victim's, or the attacker's own to begin anew",
        bound: 90,
        services: vec![
            Service::new("a member's ARP requests", arp.sent, arp.served),
            Service::fact("the attacker has its share and no more", attacker.served <= share),
        ],
        gain: format!("{} of {} frames through, its share is {share}", attacker.served, attacker.sent),
    }
}

#[test]
fn invented_macs_do_not_have_the_bucket_of_anybody_forgotten() {
    invented().fails();
}

fn other_side() -> Attack {
    let storm = Sender::new(W, 20_000, |number| match number % 2 {
        0 => request(station(number % 500)),
        _ => who_has6(station(number % 500), "fe80::c1", IP_V),
    });
    let served = Scene::new(M, Listed::Pinned).known().serve((seconds(4), Duration::ZERO), 5, vec![storm]);
    Attack {
        row: "-",
        sends: "20,000/s broadcasts and multicasts on the other side",
        wants: "drown what the victim sends and is asked",
        bound: 90,
        gain: served.gain(),
        services: served.services,
    }
}

#[test]
fn a_storm_on_the_other_side_costs_a_member_nothing() {
    other_side().fails();
}
