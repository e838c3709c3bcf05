//! Moves: who takes a MAC that is quiet, makes it flap, or keeps it from moving.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use crate::hosts::Host;
use crate::report::{Attack, Service};
use crate::scene::*;
use crate::timeline::{OnSide, Sender};

pub const ATTACKS: &[fn() -> Attack] = &[quiet, learned, answer, flaps, real, crowd];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// More than a question of the bridge's left on W.
fn crosses(left: &[OnSide]) -> bool {
    left.iter().any(|(side, frame)| *side == W && frame[6..12] != MAC_W)
}

/// What V says of itself where it is, and X with its MAC where it is not.
fn says() -> Vec<u8> {
    arp_request(V, IP4_V, "202.7.0.11")
}

/// V on W, quiet but for what it is asked; X on M.
fn theft(listed: Listed, frame: impl Fn() -> Vec<u8>, sends: &'static str, row: &'static str) -> Attack {
    let mut course = Scene::new(W, listed).known();
    let mut senders = [
        Sender::new(M, 5, |_| unicast(V, B)).served_by(|left| left.iter().any(|(side, _)| *side == W)),
        Sender::new(M, 2, |_| frame())
            .after(seconds(5))
            .served_by(|left| left.iter().any(|(side, out)| *side == W && out[6..12] == V)),
    ];
    course.run(seconds(30), &mut senders);
    Attack {
        row,
        sends,
        wants: "have the frames for it",
        bound: 90,
        services: vec![
            Service::new("unicast to it", senders[0].sent, senders[0].served),
            Service::fact("no move of it", !course.bench.events().contains(&("mac_moved".into(), mac(V)))),
        ],
        gain: format!("{} of {} frames through", senders[1].served, senders[1].sent),
    }
}

fn quiet() -> Attack {
    let sends = "2/s with a listed MAC of the other side that has been quiet for 5 s";
    theft(Listed::Roaming, says, sends, "F198")
}

#[test]
fn f198_a_listed_mac_that_is_quiet_but_alive_is_not_taken() {
    quiet().fails();
}

fn learned() -> Attack {
    let sends = "2/s with a learned MAC of the other side that has been quiet for 5 s";
    theft(Listed::No, says, sends, "F198")
}

#[test]
fn f198_a_learned_mac_that_is_quiet_but_alive_is_not_taken() {
    learned().fails();
}

fn answer() -> Attack {
    let reply = || arp_frame((MAC_M, V), &arp(2, V, IP4_V, MAC_M, OWN4));
    let sends = "2/s the victim's answer to the bridge's question, on its own side";
    theft(Listed::Roaming, reply, sends, "-")
}

#[test]
fn the_victims_answer_does_not_count_where_the_bridge_did_not_ask() {
    answer().fails();
}

fn flaps() -> Attack {
    let mut course = Scene::new(W, Listed::Roaming).known();
    let challenge = Sender::new(M, 1, |_| says()).served_by(crosses);
    let mut senders = [
        Sender::new(M, 5, |_| unicast(V, B)).served_by(|left| left.iter().any(|(side, _)| *side == W)),
        Sender::new(W, 1, |_| says())
            .after(Duration::from_millis(600))
            .served_by(|left| left.iter().any(|(side, _)| *side == M)),
        challenge,
    ];
    course.run(seconds(60), &mut senders);
    Attack {
        row: "F200",
        sends: "1/s with the MAC of a listed station that speaks once a second on the other side",
        wants: "have it quarantined for nine minutes",
        bound: 90,
        services: vec![
            Service::new("unicast to it", senders[0].sent, senders[0].served),
            Service::new("its ARP requests", senders[1].sent, senders[1].served),
        ],
        gain: format!("{} of {} frames through", senders[2].served, senders[2].sent),
    }
}

#[test]
fn f200_a_mac_is_not_quarantined_where_it_was_verified() {
    flaps().fails();
}

/// V moves from W to M and says something once a second there, the first time after half a second. A crowd stays on W, each of
/// which has an address and answers for it; X on M sends with each of their MACs.
fn moves(crowd: u32, sends: &'static str, row: &'static str) -> Attack {
    let mut course = Scene::new(W, Listed::Roaming).known();
    let address = |number: u32| format!("202.7.1.{}", 1 + number % crowd);
    for number in 0..crowd {
        let (mac, ip4) = (station(number), address(number).leak());
        course.hosts.push(Host { side: W, mac, also: mac, ip4, ip6: "" });
    }
    if crowd > 0 {
        let talk = |number| arp_request(station(number % crowd), &address(number), "202.7.0.11");
        course.run(seconds(4), &mut [Sender::new(W, 50, talk)]);
    }
    course.run(seconds(3), &mut []);
    course.hosts[0].side = M;
    let speaks = || Sender::new(M, 1, |_| says());
    let begin = Duration::from_millis(500);
    let mut senders = vec![
        speaks().after(begin).until(begin + seconds(2)),
        speaks()
            .after(begin + seconds(2))
            .served_by(|left| left.iter().any(|(side, frame)| *side == W && frame[6..12] == V)),
    ];
    if crowd > 0 {
        let challenge = Sender::new(M, 2000, |number| unicast(station(1 << 20), station(number % crowd)));
        senders.push(challenge.served_by(crosses));
        senders.push(
            Sender::new(M, 10, |number| unicast(station(number % crowd), B))
                .after(Duration::from_millis(3))
                .served_by(|left| left.iter().any(|(side, frame)| *side == W && frame[6..12] == B)),
        );
    }
    course.run(seconds(14), &mut senders);
    let service = |name, sender: &Sender<'_>| Service::new(name, sender.sent, sender.served);
    let mut services = vec![service("its requests from 2 s after the first", &senders[1])];
    services.extend(senders.get(3).map(|to| service("unicast to those that stay", to)));
    let gain = senders.get(2).map(|crowd| format!("{} of {} frames through", crowd.served, crowd.sent));
    let gain = gain.unwrap_or_else(|| "-".to_owned());
    Attack { row, sends, wants: "keep a listed station from moving", bound: 90, services, gain }
}

fn real() -> Attack {
    moves(0, "nothing: a listed station moves and sends a frame a second", "F199")
}

#[test]
fn f199_a_station_that_moves_is_served_within_two_seconds() {
    real().fails();
}

fn crowd() -> Attack {
    moves(200, "2000/s with all 200 MACs of the other side, while one really moves", "-")
}

#[test]
fn moves_claimed_of_every_mac_do_not_delay_the_one_that_is_true() {
    crowd().fails();
}
