//! Learn: who may speak, and on which side. Only frames that passed the filter come here, so only they teach anything.

use rules::{Admission, Mac, Side};

use crate::event::{EventKind, Notes};
use crate::path::Limits;
use crate::plan::BridgePlan;
use crate::reason::{Cause, Reason};
use crate::table::mac::Learned;
use crate::table::pins::Pin;
use crate::time::Time;

/// Admits a source on this side, and learns it (SPEC B.2).
#[inline]
pub fn learn(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    src: Mac,
    now: Time,
    notes: &mut Notes<'_>,
) -> Result<(), Reason> {
    match bridge.pins.get(src) {
        Some(Pin::To(pinned)) if pinned == side => Ok(()),
        Some(Pin::To(_)) => {
            notes.event(EventKind::MacWrongSide);
            Err(Reason::MacWrongSide)
        }
        None if bridge.rules.admission == Admission::Members => Err(Reason::SrcNotMember),
        Some(Pin::Roaming) | None => learned(bridge, limits, side, src, now, notes),
    }
}

#[inline]
fn learned(
    bridge: &BridgePlan,
    limits: &mut Limits,
    side: Side,
    src: Mac,
    now: Time,
    notes: &mut Notes<'_>,
) -> Result<(), Reason> {
    let rate = bridge.rules.macs.new;
    let pool = &bridge.tables.pools[side.index()].new;
    let share = &mut limits.sides[side.index()].new;
    match bridge.tables.macs.learn(src, side, now, &bridge.rules.macs, || share.take(pool, now, rate)) {
        Learned::Known => Ok(()),
        outcome => changed(outcome, notes),
    }
}

#[cold]
fn changed(outcome: Learned, notes: &mut Notes<'_>) -> Result<(), Reason> {
    match outcome {
        Learned::Known => Ok(()),
        Learned::New => {
            notes.cause(Cause::MacNew);
            Ok(())
        }
        Learned::Moved => {
            notes.cause(Cause::MacMove);
            notes.event(EventKind::MacMoved);
            Ok(())
        }
        Learned::NewLimit => Err(Reason::MacNewLimit),
        Learned::Full => {
            notes.event(EventKind::MacTableFull);
            Err(Reason::MacTableFull)
        }
        Learned::BothSides => {
            notes.event(EventKind::MacBothSides);
            Err(Reason::MacBothSides)
        }
        Learned::Flapping { first } => {
            if first {
                notes.event(EventKind::MacFlapping);
            }
            Err(Reason::MacFlapping)
        }
    }
}
