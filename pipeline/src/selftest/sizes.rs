//! Every size that fits, those that do not, and those that Ethernet does not allow.

use super::frames::{EXPERIMENTAL, End};
use super::report::Check;
use super::rig::Rig;

/// Bytes behind Ethernet's header and tags, by the setting of the MTU.
fn largest(rig: &Rig, mtu: u16, tags: usize) -> usize {
    // on a switch, tags inside of its VLAN are payload
    let inner = if rig.run.vlan.is_some() { 0 } else { 4 * tags };
    14 + rig.run.overhead() + inner + usize::from(mtu)
}

/// Sizes that are tried at once: what is sent is kept until it has come.
const AT_ONCE: usize = 2048;

/// Every size from the shortest frame to the MTU.
pub(super) fn sizes(rig: &mut Rig, mtu: u16) -> Check {
    let check =
        Check::new("sizes", "every size from 60 bytes to the MTU, its tags on top, arrives bit for bit");
    let (mut came, mut all, mut faults) = (0, 0, Vec::new());
    let tags: [(u16, u16); 2] = [(0x8100, 100), (0x8100, 200)];
    for (kind, tags) in [("untagged", &tags[..0]), ("tagged", &tags[..1]), ("two tags", &tags)] {
        let most = largest(rig, mtu, tags.len());
        for first in (60..=most).step_by(AT_ONCE) {
            let mut ledger = rig.ledger();
            for len in first..=most.min(first + AT_ONCE - 1) {
                for from in End::BOTH {
                    ledger.enter(&rig.run, from, kind, rig.run.head(from, tags, EXPERIMENTAL), len);
                }
            }
            rig.exchange(&mut ledger);
            (came, all) = (came + ledger.arrived, all + ledger.sent.len());
            faults.extend(ledger.faults());
        }
    }
    check.saw(format!("{came} of {all} frames came")).fails_by(
        faults,
        "give the sides of this port an `mtu` whose frames pass, less its tags if only tagged ones are lost; on a switch, raise its MTU",
    )
}

/// What happens to frames that are too long. Whatever it is, it is no fault; but they must not come changed.
pub(super) fn too_long(rig: &mut Rig, mtu: u16) -> Check {
    let most = largest(rig, mtu, 0);
    let mut check = Check::new("over_mtu", "what happens to frames over the MTU");
    let mut changed = Vec::new();
    for (over, why) in [(1, ""), (5, ", more than a tag"), (9, ", more than two tags")] {
        let mut ledger = rig.ledger();
        for from in End::BOTH {
            ledger.enter(&rig.run, from, "too long", rig.run.head(from, &[], EXPERIMENTAL), most + over);
        }
        rig.exchange(&mut ledger);
        let came: Vec<&str> =
            ledger.sent.iter().filter(|sent| sent.arrivals > 0).map(|sent| sent.from.way()).collect();
        let came = if came.is_empty() {
            "lost both ways".to_owned()
        } else {
            format!("arrives {}", came.join(" and "))
        };
        check = check.saw(format!("{over} over ({} bytes{why}): {came}", most + over));
        changed.extend(ledger.faults().into_iter().filter(|fault| fault.contains(" changed; ")));
    }
    check
        .advise("nothing: sluice itself refuses what is over the MTU of the side that it would leave by")
        .fails_by(changed, "frames that do not fit must be lost, not cut: keep the `mtu` of all who send to this port to what passes")
}

/// Frames below Ethernet's least size are padded by who sends them (IEEE 802.3 section 4.2.3.3), or arrive as they are where
/// the wire is none.
pub(super) fn too_short(rig: &mut Rig) -> Check {
    let mut ledger = rig.ledger();
    for from in End::BOTH {
        // with other bytes in the buffers before, whose remains would show
        for len in [1000, 38, 46, 59] {
            ledger.enter(&rig.run, from, format!("{len} bytes"), rig.run.head(from, &[], EXPERIMENTAL), len);
        }
    }
    let check = Check::new("short_frames", "frames under 60 bytes arrive, padded with zeros or not at all");
    rig.check(
        check,
        &mut ledger,
        "sluice sends no such frame, but forwards what it gets: what follows its end may be another's data",
    )
}
