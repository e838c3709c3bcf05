//! The MAC table: who fills it, and what is thrown out of where.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use crate::report::{Attack, Service};
use crate::scene::*;
use crate::timeline::Sender;

pub const ATTACKS: &[fn() -> Attack] = &[newcomer, full, silent_member, silent_stranger, unknown];

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn newcomer() -> Attack {
    let strangers = Sender::new(M, 1000, |number| unicast(B, station(number)));
    let served = Scene::new(M, Listed::Roaming)
        .plus("macs: { new: { rate: 50/s, burst: 100 } }")
        .settled()
        .serve((seconds(6), seconds(2)), 5, vec![strangers]);
    Attack {
        row: "F195",
        sends: "1000 new MACs/s on the side where a listed MAC is to speak for the first time",
        wants: "keep it from being learned",
        bound: 90,
        gain: served.gain(),
        services: served.services,
    }
}

#[test]
fn f195_strangers_do_not_keep_a_listed_newcomer_from_speaking() {
    newcomer().fails();
}

fn full() -> Attack {
    let mut course = Scene::new(W, Listed::Roaming).plus("macs: { capacity: 64 }").known();
    let strangers = |number: u32| unicast(B, station(number % 200));
    course.run(seconds(3), &mut [Sender::new(M, 200, strangers)]);
    // B is where V was: let another one be whom it talks to
    course.hosts[0].side = M;
    let (home, gone) = (M, seconds(1));
    let mut moved = [
        Sender::new(M, 200, strangers),
        Sender::new(home, 10, |_| arp_request(V, IP4_V, "202.7.0.11"))
            .after(gone + seconds(2))
            .served_by(|left| left.iter().any(|(side, frame)| *side == W && frame[6..12] == V)),
        Sender::new(home, 2, |_| arp_request(V, IP4_V, "202.7.0.11")).after(gone).until(gone + seconds(2)),
    ];
    course.run(seconds(8), &mut moved);
    Attack {
        row: "F196",
        sends: "as many MACs as the table has room for, on the side that a listed MAC moves to",
        wants: "keep it from moving",
        bound: 90,
        services: vec![Service::new("its requests from 2 s after the move", moved[1].sent, moved[1].served)],
        gain: format!("{} of {} frames through", moved[0].served, moved[0].sent),
    }
}

#[test]
fn f196_a_full_table_does_not_keep_a_listed_mac_from_moving() {
    full().fails();
}

/// V listens and says nothing but answers; then somebody uses up the limit of unknown destinations.
fn silent(listed: Listed, sends: &'static str) -> Attack {
    let mut course = Scene::new(M, listed).plus("macs: { age: 30s }").known();
    let to_it = || {
        Sender::new(W, 1, |_| unicast(V, station(9)))
            .after(Duration::from_millis(300))
            .served_by(|left| left.iter().any(|(side, frame)| *side == M && frame[..6] == V))
    };
    let mut alone = [to_it()];
    course.run(seconds(40), &mut alone);
    let known = course.bench.cause("unknown_flooded") == 0;
    let flood = |number: u32| unicast(station(1 << 20 | number), station(1));
    let mut senders = [to_it(), Sender::new(W, 200, flood)];
    course.run(seconds(20), &mut senders);
    let (sent, served) = (alone[0].sent + senders[0].sent, alone[0].served + senders[0].served);
    Attack {
        row: "F211",
        sends,
        wants: "have what is for it refused as unknown unicast",
        bound: 100,
        services: vec![
            Service::new("unicast to it", sent, served),
            Service::fact("it is known all the time", known),
        ],
        gain: format!("{} of {} frames through", senders[1].served, senders[1].sent),
    }
}

fn silent_member() -> Attack {
    silent(
        Listed::Roaming,
        "200/s to unknown MACs, while a member has only listened for longer than MACs are kept",
    )
}

#[test]
fn f211_a_member_that_only_listens_is_not_forgotten() {
    silent_member().fails();
}

fn silent_stranger() -> Attack {
    silent(Listed::No, "the same of a station that no member is")
}

#[test]
fn f211_who_only_listens_and_answers_is_not_forgotten() {
    silent_stranger().fails();
}

fn unknown() -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).known();
    let flood = |number: u32| unicast(station(1 << 20 | number), station(number % 50));
    let mut senders = [
        Sender::new(M, 20_000, flood),
        Sender::new(M, 4, |_| unicast(station(0xff_ffff), V)).after(Duration::from_millis(3)),
    ];
    course.run(seconds(4), &mut senders);
    Attack {
        row: "-",
        sends: "20,000/s to unknown MACs from 50 of its own, while the victim talks to a station that has aged",
        wants: "have the victim's frames refused",
        bound: 90,
        services: vec![Service::new("unicast to an aged station", senders[1].sent, senders[1].served)],
        gain: format!("{} of {} frames through", senders[0].served, senders[0].sent),
    }
}

#[test]
fn a_flood_to_unknown_stations_leaves_a_member_its_way_to_one_that_has_aged() {
    unknown().fails();
}
