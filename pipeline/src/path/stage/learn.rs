//! Learn: who may speak, and on which side. Only frames that passed the filter come here, so only they teach anything.

use rules::Admission;

use crate::base::event::EventKind;
use crate::base::reason::{Cause, Reason};
use crate::path::context::FrameContext;
use crate::path::packet::{Frame, Packet};
use crate::path::stations::Station;
use crate::table::fdb::Learned;
use crate::table::static_fdb::StaticEntry;

/// Admits a source on this side, and learns it (docs/spec B.2).
///
/// # Errors
/// The reason that drops the frame.
#[inline]
pub fn learn(packet: &Packet<'_>, context: &mut FrameContext<'_>) -> Result<(), Reason> {
    let frame = &packet.frame;
    let known = frame.bridge.static_fdb.get(frame.ether.src);
    context.listed = Some(known.is_some());
    match known {
        Some(StaticEntry::To(side)) if side == frame.side() => Ok(()),
        // our own on either side is refused by `guard`
        Some(StaticEntry::To(_) | StaticEntry::Own) => {
            context.event(EventKind::MacWrongSide);
            Err(Reason::MacWrongSide)
        }
        None if frame.bridge.rules.admission == Admission::Members => Err(Reason::SrcNotMember),
        Some(StaticEntry::Roaming) | None => learned(packet, known, context),
    }
}

/// [`learn`] admits a source that is a station on its side; once [`Stations::heard`] says that nothing else changes, there
/// is nothing more to it.
///
/// [`Stations::heard`]: crate::path::stations::Stations::heard
#[inline(always)]
pub fn plain(_from: Station) -> bool {
    true
}

#[inline]
fn learned(
    packet: &Packet<'_>,
    known: Option<StaticEntry>,
    context: &mut FrameContext<'_>,
) -> Result<(), Reason> {
    let frame = &packet.frame;
    let (bridge, side, now) = (frame.bridge, frame.side(), frame.now);
    let listed = known.is_some(); // who is listed pays nothing (F195)
    let token = || listed || bridge.tables.limits.new_address(context.lots, side, now, &bridge.rates);
    let (src, macs) = (frame.ether.src, &bridge.rules.macs);
    match bridge.fdb(known).learn_unless(src, side, now, macs, token, || bridge.must_verify(src)) {
        Learned::Known => Ok(()),
        outcome => changed(outcome, frame, listed, context),
    }
}

#[cold]
fn changed(
    outcome: Learned,
    frame: &Frame<'_>,
    listed: bool,
    context: &mut FrameContext<'_>,
) -> Result<(), Reason> {
    match outcome {
        Learned::Known => Ok(()),
        Learned::New => {
            context.cause(Cause::MacNew);
            Ok(())
        }
        Learned::Moved => {
            context.cause(Cause::MacMove);
            context.event(EventKind::MacMoved);
            Ok(())
        }
        Learned::NewLimit => Err(Reason::MacNewLimit),
        Learned::Full => {
            context.event(EventKind::MacTableFull);
            Err(Reason::MacTableFull)
        }
        Learned::BothSides => {
            context.event(EventKind::MacBothSides);
            if frame.bridge.must_verify(frame.ether.src) {
                // also within the guard, so that one who has really moved is known to have when it ends (F199)
                context.challenge(listed);
            }
            Err(Reason::MacBothSides)
        }
        Learned::Refused => Err(Reason::MacBothSides), // that it is refused was told
        Learned::Flapping { first } => {
            if first {
                context.event(EventKind::MacFlapping);
            }
            Err(Reason::MacFlapping)
        }
    }
}
