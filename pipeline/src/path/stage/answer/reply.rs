//! What all answers have in common.

use crate::base::event::EventKind;
use crate::base::reason::{Cause, Reason};
use crate::path::context::FrameContext;
use crate::path::packet::Frame;
use crate::table::bucket::Admitted;
use crate::table::hold::OwnAddress;

/// Whether the frame goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It does, answered besides or not.
    Pass,
    /// It ends here.
    Done,
}

/// An address of our own is ours alone. Only who may speak comes so far, so only it can make us give one up or defend it
/// (RFC 5227 §2.4, RFC 4862 §5.4).
pub(super) fn conflict(address: OwnAddress, context: &mut FrameContext<'_>) -> Reason {
    context.event(EventKind::IpConflictOwn);
    wanted(address, false, context);
    Reason::IpConflictOwn
}

/// Somebody claims an address of our own, or looks whether it is free. A side's link-local address is not in use on the other
/// side: it is neither given up nor advertised for what is said there (row F208).
pub(super) fn wanted(address: OwnAddress, looks: bool, context: &mut FrameContext<'_>) {
    if address != OwnAddress::LinkLocal(context.at.side.other()) {
        context.own_claim(address, looks);
    }
}

/// A token of the side's replies, for the one who asks.
pub(super) fn may_answer(frame: &Frame<'_>, context: &mut FrameContext<'_>) -> bool {
    let (limit, who) = (&frame.bridge.tables.limits.answers, context.claimant());
    limit.admit(&mut context.lots.answers, who, frame.now, frame.bridge.rates.answers) == Admitted::Yes
}

/// The reply is there; whether the frame goes on besides.
pub(super) fn replied(context: &mut FrameContext<'_>, goes_on: bool) -> Answer {
    context.cause(if goes_on { Cause::AnsweredAndBridged } else { Cause::AnsweredForOwner });
    if goes_on { Answer::Pass } else { Answer::Done }
}
