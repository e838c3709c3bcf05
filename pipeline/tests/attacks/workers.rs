//! Workers: who has its limits once for each of them.

use crate::crew::Crew;
use crate::frames::*;
use crate::harness::*;
use crate::report::{Attack, Service};

pub const ATTACKS: &[fn() -> Attack] = &[spread];

fn spread() -> Attack {
    let share = 300 + 10 * 50;
    let x = station(1);
    let had = [1, 2, 4, 8].map(|workers| {
        Crew::new(&Config::cd(), workers).served(2000, |_| arp_request(x, "202.7.0.11", IP4_B))
    });
    let within = |had: &u32| had * 10 <= share * 11;
    Attack {
        row: "F217",
        sends: "2000/s broadcasts of one MAC, spread over 1, 2, 4 and 8 workers",
        wants: "have its limit once for each worker",
        bound: 100,
        services: vec![Service::fact("it has its share and no more", had.iter().all(within))],
        gain: format!("{had:?} frames through, its share is {share}"),
    }
}

#[test]
fn f217_who_spreads_its_frames_over_workers_has_no_more_of_it() {
    spread().fails();
}
