//! How long one frame takes that has the wire to itself.

use std::time::Duration;

use super::frames::{EXPERIMENTAL, End};
use super::report::Check;
use super::rig::Rig;

/// Frames of each size and way, where they fit into the time.
const FRAMES: usize = 5000;
/// Time for each size and way.
const TIME: Duration = Duration::from_secs(1);
/// How long to wait for one.
const LOST: Duration = Duration::from_secs(2);
/// In all, before a way on which all are lost is given up.
const MOST_LOST: usize = 3;

pub(super) fn latency(rig: &mut Rig, mtu: u16) -> Check {
    let title = "latency of single frames, from the call that sends to the call that receives";
    let mut check = Check::new("latency", title);
    let largest = 14 + rig.run.overhead() + usize::from(mtu);
    let mut faults = Vec::new();
    for len in [60, largest] {
        for from in End::BOTH {
            let (mut times, lost) = times(rig, from, len);
            if lost > 0 {
                faults.push(format!("{}, {len} bytes: {lost} of {} lost", from.way(), times.len() + lost));
            }
            times.sort_unstable();
            let of = format!("{}, {len} bytes", from.way());
            let at = |part: f64| {
                let index = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len().max(1)) - 1;
                times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
            };
            let (median, p99, max) = (at(0.5), at(0.99), at(1.0));
            if !times.is_empty() {
                let told = format!(
                    "{of}: median {median:.1}, p99 {p99:.1}, max {max:.1} us of {} frames",
                    times.len()
                );
                check = check.saw(told);
                check.measure("median latency", of.clone(), median, "us");
                check.measure("99th percentile of latency", of.clone(), p99, "us");
                check.measure("largest latency", of, max, "us");
            }
        }
    }
    check.fails_by(faults, "frames are lost that have the wire to themselves: cable, transceiver, switch")
}

/// One frame after the other: how long each took, and how many did not come.
fn times(rig: &mut Rig, from: End, len: usize) -> (Vec<Duration>, usize) {
    let begun = rig.clock.now();
    let (mut times, mut lost) = (Vec::with_capacity(FRAMES), 0);
    while times.len() < FRAMES && lost < MOST_LOST && rig.clock.now().since(begun) < TIME {
        let mut ledger = rig.ledger();
        let head = rig.run.head(from, &[], EXPERIMENTAL);
        let bytes = ledger.enter(&rig.run, from, "single", head, len).clone();
        let sent = rig.clock.now();
        rig.send(from, &bytes);
        let came = rig.poll_until(&mut ledger, LOST, |ledger| ledger.is_complete());
        if came {
            times.push(rig.clock.now().since(sent))
        } else {
            lost += 1
        }
        rig.account(&ledger);
    }
    (times, lost)
}
