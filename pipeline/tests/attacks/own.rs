//! The bridge's own addresses: who takes them.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use crate::report::{Attack, Service};
use crate::scene::*;
use crate::timeline::Sender;

pub const ATTACKS: &[fn() -> Attack] = &[link_local, nonce, minutes];

/// The bridge's link-local address on W.
const LINK_LOCAL_W: &str = "fe80::51:ff:fe00:14";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn link_local() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).known();
    let x = station(1);
    let claim = ether(
        ALL_NODES.1,
        x,
        0x86dd,
        &icmp6(LINK_LOCAL_W, ALL_NODES.0, 255, &na(O, LINK_LOCAL_W, &lladdr(2, x))),
    );
    let mut senders = [
        Sender::new(M, 10, |_| claim.clone())
            .served_by(|left| left.iter().any(|(_, frame)| !is_probe(frame))),
        Sender::new(W, 4, |_| who_has6(B, IP_B, LINK_LOCAL_W)).after(Duration::from_millis(3)).served_by(
            |left| left.iter().any(|(side, frame)| *side == W && frame[..6] == B && frame[6..12] == MAC_W),
        ),
    ];
    course.run(seconds(5), &mut senders);
    let told = course.bench.events().contains(&("ip_conflict_own".to_owned(), mac(x)));
    let [attacker, asked] = senders;
    Attack {
        row: "F208",
        sends: "10/s claims on one side of the bridge's link-local address on the other",
        wants: "have it",
        bound: 100,
        services: vec![
            Service::new("answers of the bridge on that side", asked.sent, asked.served),
            Service::fact("the operator hears of it", told),
            Service::fact("nothing crosses, and nothing is advertised to it", attacker.served == 0),
        ],
        gain: format!("{} of {} frames through", attacker.served, attacker.sent),
    }
}

#[test]
fn f208_a_link_local_address_of_the_other_side_is_not_had_here() {
    link_local().fails();
}

/// X hears how the bridge looks for duplicates, and does the same with the same nonce.
fn nonce() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).fresh();
    let x = station(1);
    let mut looks = Vec::new();
    for _ in 0..8 {
        course.bench.wait(Duration::from_millis(500));
        looks.extend(
            course
                .bench
                .own()
                .into_iter()
                .filter(|(side, frame)| *side == M && frame[12..14] == [0x86, 0xdd]),
        );
    }
    let own6: std::net::Ipv6Addr = OWN6.parse().unwrap();
    let mut copy =
        looks.into_iter().map(|(_, frame)| frame).rfind(|frame| frame[62..78] == own6.octets()).unwrap();
    copy[6..12].copy_from_slice(&x);
    course.run(seconds(2), &mut []);
    let mut senders = [Sender::new(M, 2, |_| copy.clone()).served_by(|left| {
        left.iter().any(|(side, frame)| *side == M && frame[6..12] == MAC_M && frame[54] == 136)
    })];
    course.run(seconds(4), &mut senders);
    let looped = course.bench.events().iter().any(|(kind, _)| kind == "loop_suspected");
    Attack {
        row: "F209",
        sends: "duplicate address detection for the bridge's address with the bridge's nonce, from its own MAC",
        wants: "not be defended against",
        bound: 100,
        services: vec![
            Service::new("its looks that the bridge answers", senders[0].sent, senders[0].served),
            Service::fact("it is not taken for a loop", !looped),
        ],
        gain: "-".to_owned(),
    }
}

#[test]
fn f209_our_nonce_in_anothers_frame_is_a_claim_like_any_other() {
    nonce().fails();
}

fn minutes() -> Attack {
    let x = station(1);
    let course = Scene::new(M, Listed::Pinned).fresh();
    let claim = |number: u32| match number % 2 {
        0 => arp_request(x, OWN4, OWN4),
        _ => ether(ALL_NODES.1, x, 0x86dd, &icmp6(OWN6, ALL_NODES.0, 255, &na(O, OWN6, &lladdr(2, x)))),
    };
    let mut course = course;
    // two claims a second for some seconds of each minute: whenever the bridge looks again
    let attackers: Vec<_> = (0..3)
        .map(|minute| {
            let begin = seconds(60 * minute) + Duration::from_millis(500);
            Sender::new(M, 2, claim).after(begin).until(begin + seconds(4))
        })
        .collect();
    let served = course.serve((seconds(125), seconds(1)), 1, attackers);
    let gain = served.gain();
    let mut services = served.services;
    // to keep the bridge's own address from it is what duplicate address detection is for (RFC 5227 §2.1)
    let answers = services.iter().position(|service| service.name == "answers of the bridge").unwrap();
    let answers = services.remove(answers);
    Attack {
        row: "-",
        sends: "claims of the bridge's own addresses whenever it looks for duplicates, once a minute",
        wants: "leave members without what the bridge does for them",
        bound: 90,
        gain: format!("{gain}; {answers}"),
        services,
    }
}

#[test]
fn claims_during_every_look_for_duplicates_cost_members_nothing_but_the_bridges_own_answers() {
    minutes().fails();
}
