//! Beginning and end: the cable is there; and a link that goes down and comes back.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Result, bail};

use super::frames::{EXPERIMENTAL, End};
use super::report::{Check, Verdict};
use super::rig::{Rig, millis, pause};
use crate::base::time::Time;

/// A link's training takes that long, on the slowest transceivers.
const LINK: Duration = Duration::from_secs(20);
/// How long probes are sent until one must have come.
const PROBE: Duration = Duration::from_secs(10);
/// Between two probes.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a link may take to go down.
const DOWN: Duration = Duration::from_secs(3);

impl Rig {
    fn link(&self, end: End) -> bool {
        self.ports[end.index()].link().up
    }

    fn wait(&self, most: Duration, done: impl Fn(&Rig) -> bool) -> Option<Time> {
        let begun = self.clock.now();
        loop {
            let now = self.clock.now();
            if done(self) {
                return Some(now);
            }
            if now.since(begun) > most {
                return None;
            }
            pause(Duration::from_millis(1));
        }
    }
}

/// Waits for the links. Nothing is sent before both are up.
///
/// # Errors
/// One stays down.
pub(super) fn wait_for_links(rig: &Rig, devices: &[&str; 2]) -> Result<()> {
    // a tap's driver asks for its interface by name where it started, and finds none once that is in a namespace
    let is_up = |rig: &Rig, end: End| devices[end.index()].starts_with("net_tap") || rig.link(end);
    if rig.wait(LINK, |rig| End::BOTH.iter().all(|&end| is_up(rig, end))).is_some() {
        return Ok(());
    }
    let down = End::BOTH.into_iter().filter(|&end| !is_up(rig, end));
    let down: Vec<String> = down.map(|end| format!("port {end} ({})", devices[end.index()])).collect();
    bail!(
        "no link after {} s at {}: is the cable in, are both transceivers of one kind, and is the switch's port up?",
        LINK.as_secs(),
        down.join(" and ")
    )
}

/// A harmless frame from A is seen on B, and one from B on A, before anything else is sent.
pub(super) fn cable(rig: &mut Rig) -> Check {
    let mut check = Check::new("cable", "frames of each port arrive at the other");
    for from in End::BOTH {
        let begun = rig.clock.now();
        let mut ledger = rig.ledger();
        while rig.clock.now().since(begun) < PROBE && !ledger.fences[from.index()] {
            rig.send_fence(from);
            rig.poll_until(&mut ledger, PAUSE, |ledger| ledger.fences[from.index()]);
        }
        if !ledger.fences[from.index()] {
            let (to, returned) = (from.other(), ledger.besides.returned);
            let mut why = vec![format!("no probe from {from} was seen on {to} in {} s", PROBE.as_secs())];
            if returned > 0 {
                why.push(format!(
                    "but {returned} came back to {from}: a loop plug, or a switch that reflects"
                ));
            }
            let advice = "no cable between A and B, or a switch between that does not forward from one to the other: \
                          are both ports in one VLAN (--vlan where it is tagged), and is there no spanning tree that blocks?";
            return check.fails_by(why, advice);
        }
        check = check.saw(format!(
            "the first probe {} came after {:.1} ms",
            from.way(),
            millis(begun, rig.clock.now())
        ));
    }
    check
}

/// Each port's link set down and up again.
pub(super) fn bounce(rig: &mut Rig) -> Vec<Check> {
    let mut down = Check::new("link_down", "sending on a link that is down does not block");
    let mut up = Check::new("link_bounce", "after the link was down, frames pass again");
    let mut tried = false;
    for end in End::BOTH {
        let begun = rig.clock.now();
        match rig.ports[end.index()].set_link(false) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                down = down.saw(format!("port {end}: its driver cannot set the link down"));
                continue;
            }
            Err(error) => {
                down = down.saw(format!("port {end}: setting the link down failed: {error}"));
                continue;
            }
            Ok(()) => {}
        }
        let gone = rig.wait(DOWN, |rig| !rig.link(end));
        let still_passes = gone.is_some() && passes(rig, end).is_some();
        if gone.is_none() || still_passes {
            let what = if still_passes { "frames still pass" } else { "it stays up" };
            down = down.saw(format!("port {end}: the driver says that it set the link down, and {what}"));
            let _ = rig.ports[end.index()].set_link(true);
            continue;
        }
        tried = true;
        let told = |at: Option<Time>| {
            at.map_or("never".to_owned(), |at| format!("after {:.1} ms", millis(begun, at)))
        };
        let other = rig.wait(DOWN, |rig| !rig.link(end.other()));
        down = down.saw(format!("port {end} set down: it says so {}, the other {}", told(gone), told(other)));
        let (taken, longest) = send_into_nothing(rig, end);
        down = down.saw(format!(
            "port {end}: it took {taken} frames while down; no call took longer than {longest:.1} ms"
        ));

        let begun = rig.clock.now();
        if let Err(error) = rig.ports[end.index()].set_link(true) {
            up = up.fails_by(vec![format!("port {end}: setting the link up failed: {error}")], MEND);
            continue;
        }
        // until frames pass both ways: switches learn and trees are built meanwhile
        match rig.wait_for_frames() {
            Some(at) => {
                let after = millis(begun, at);
                up = up.saw(format!("port {end} set up: frames passed both ways after {after:.1} ms"));
                up.measure("link up to frames", format!("port {end}"), after, "ms");
            }
            None => {
                up = up.fails_by(
                    vec![format!("port {end} set up: no frame passed for {} s", LINK.as_secs())],
                    MEND,
                )
            }
        }
    }
    if !tried {
        down.verdict = Verdict::NotPossible;
        return vec![
            down,
            up.impossible(
                "no port's link can be set down here: pull the cable, and look whether frames pass after",
            ),
        ];
    }
    let mut ledger = rig.ledger();
    for end in End::BOTH {
        for len in 60..92 {
            ledger.enter(&rig.run, end, "after the link was down", rig.run.head(end, &[], EXPERIMENTAL), len);
        }
    }
    up = rig.check(up, &mut ledger, MEND);
    vec![down, up]
}

const MEND: &str =
    "after a link loss a restart of sluice may be needed with this card: look for newer firmware";

/// A frame comes through from a port, soon.
fn passes(rig: &mut Rig, from: End) -> Option<Time> {
    let mut ledger = rig.ledger();
    rig.send_fence(from);
    let passes = rig.poll_until(&mut ledger, 2 * PAUSE, |ledger| ledger.fences[from.index()]);
    passes.then(|| rig.clock.now())
}

/// Offers more frames than a queue holds to a port whose link is down: how many it took, and the longest time, in
/// milliseconds, that an offer took. [`Rig::send`] gives up after a second without progress.
fn send_into_nothing(rig: &mut Rig, end: End) -> (u32, f64) {
    const FRAMES: u32 = 5000;
    let (mut taken, mut longest) = (0, 0.0);
    while taken < FRAMES {
        let before = rig.clock.now();
        let took = rig.send_fence(end);
        if !took {
            break; // its queue is full
        }
        taken += 1;
        longest = f64::max(longest, millis(before, rig.clock.now()));
    }
    (taken, longest)
}

impl Rig {
    fn wait_for_frames(&mut self) -> Option<Time> {
        let begun = self.clock.now();
        // what waited in the queues while the link was down shows that frames pass as well
        let mut ledger = self.ledger();
        while self.clock.now().since(begun) < LINK {
            End::BOTH.iter().for_each(|&end| _ = self.send_fence(end));
            if self.poll_until(&mut ledger, PAUSE / 10, |ledger| ledger.fences == [true; 2]) {
                return Some(self.clock.now());
            }
        }
        None
    }
}

/// What arrived that nobody sent, or twice, in all of the test.
pub(super) fn nothing_else(rig: &Rig, is_switched: bool) -> Check {
    let [a, b] = rig.besides.foreign;
    let mut check = Check::new("nothing_else", "nothing arrives twice, or where it came from")
        .saw(format!("frames of others: {a} on port A, {b} on port B"));
    check.measure("foreign frames", "port A", a as f64, "frames");
    check.measure("foreign frames", "port B", b as f64, "frames");
    if a + b > 0 && !is_switched {
        check = check.advise("on a cable nobody else should send: the card's own firmware may (LLDP: turn it off), or the kernel on a virtual device");
    }
    let mut faults = Vec::new();
    if rig.besides.twice > 0 {
        faults.push(format!("{} frames came twice", rig.besides.twice));
    }
    if rig.besides.returned > 0 {
        faults.push(format!("{} frames came back to the port that sent them", rig.besides.returned));
    }
    check.fails_by(faults, "the bridge would take them for a loop: a card's internal switch, a switch that reflects, a second path")
}
