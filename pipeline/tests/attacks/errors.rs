//! Path-MTU errors: who has them all.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use crate::report::{Attack, Service};
use crate::scene::*;
use crate::timeline::Sender;

pub const ATTACKS: &[fn() -> Attack] = &[behind_one, hundred_routers, returning];

const LOAD: Duration = Duration::from_secs(5);

/// An address in a /64 of its own.
fn source(number: u32) -> String {
    format!("2001:db8:{:x}:{:x}::1", number >> 16, number & 0xffff)
}

fn errors(row: &'static str, sends: &'static str, router: [u8; 6], attacker: Sender<'_>) -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).known();
    let mut senders = [
        attacker,
        Sender::new(M, 1, |_| too_long(router, "2001:db8:77::1"))
            .after(Duration::from_micros(500))
            .served_by(|left| left.iter().any(|(_, frame)| is_mtu_error(frame, router, "2001:db8:77::1"))),
    ];
    course.run(2 * LOAD, &mut senders);
    let [attacker, victim] = senders;
    Attack {
        row,
        sends,
        wants: "leave no errors to another source",
        bound: 90,
        services: vec![Service::new("path-MTU errors to a source", victim.sent, victim.served)],
        gain: format!("{} errors for {} packets", attacker.served, attacker.sent),
    }
}

fn behind_one() -> Attack {
    let attacker = Sender::new(M, 5000, |number| too_long(V, &source(0x10_0000 + number)));
    errors("F201", "5000/s too long, from invented sources behind the victim's own router", V, attacker)
}

#[test]
fn f201_invented_sources_leave_errors_to_another_one_behind_their_router() {
    behind_one().fails();
}

fn hundred_routers() -> Attack {
    let attacker = Sender::new(M, 10_000, |number| too_long(station(number % 100), &source(number)));
    errors("F202", "10,000/s too long, from invented sources behind 100 MACs", station(0xffff), attacker)
}

#[test]
fn f202_a_hundred_flooding_routers_leave_errors_to_one_of_its_own() {
    hundred_routers().fails();
}

fn returning() -> Attack {
    let attacker = Sender::new(M, 6000, |number| {
        let number = number % 6000;
        too_long(station(number % 100), &source(number))
    });
    errors("-", "6000 sources behind 100 MACs, each comes back once a second", V, attacker)
}

#[test]
fn sources_that_come_back_once_a_second_leave_a_member_its_errors() {
    returning().fails();
}
