//! Loop probes: who fakes a loop.

use std::time::Duration;

use crate::harness::*;
use crate::report::{Attack, Service};
use crate::scene::*;
use crate::timeline::Sender;

pub const ATTACKS: &[fn() -> Attack] = &[reflected, stale, forged];

/// The victim is served for so long while this is sent, and nothing is held.
fn faked(
    sends: &'static str,
    wants: &'static str,
    attacker: impl FnOnce(&Course) -> Sender<'static>,
) -> Attack {
    let mut course = Scene::new(M, Listed::Pinned).known();
    let attacker = attacker(&course);
    let served = course.serve((Duration::from_secs(8), Duration::ZERO), 5, vec![attacker]);
    let mut services = served.services.clone();
    let held = course.bench.events().iter().any(|(kind, _)| kind == "loop_held");
    services.push(Service::fact("nothing is held", !held));
    Attack { row: "-", sends, wants, bound: 90, gain: served.gain(), services }
}

fn reflected() -> Attack {
    faked("5000/s the bridge's last probe, back on its own side", "have flooding held", |course| {
        let heard = course.heard.clone();
        Sender::new(M, 5000, move |_| heard.borrow().last[M.index()].clone().unwrap())
    })
}

#[test]
fn probes_that_come_back_on_their_own_side_hold_nothing() {
    reflected().fails();
}

fn stale() -> Attack {
    faked("5000/s a probe that is some seconds old, on the other side", "have flooding held", |course| {
        let heard = course.heard.borrow().first[M.index()].clone().unwrap();
        Sender::new(W, 5000, move |_| heard.clone())
    })
}

#[test]
fn probes_that_are_old_hold_nothing() {
    stale().fails();
}

fn forged() -> Attack {
    faked("5000/s probes with invented nonces, on the other side", "have flooding held", |course| {
        let mut probe = course.heard.borrow().last[M.index()].clone().unwrap();
        Sender::new(W, 5000, move |number| {
            probe[42..46].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
            probe.clone()
        })
    })
}

#[test]
fn probes_with_invented_nonces_hold_nothing() {
    forged().fails();
}
