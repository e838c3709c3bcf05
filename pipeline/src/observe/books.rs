//! The books: what became of every frame (law 1). Each worker writes its own, plainly; the control thread sees
//! copies taken between two bursts, so they always balance.

use std::ops::AddAssign;

use crate::base::At;
use crate::base::reason::{Cause, Reason};
use crate::observe::meter::Meter;

/// A counter for each [`Reason`].
pub type Dropped = [u64; Reason::COUNT];

/// What a port received and sent, and what it dropped before a side was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortBooks {
    /// Frames received.
    pub received: u64,
    /// Frames that its transmit queue took.
    pub transmitted: u64,
    /// Frames that belong to no side, by reason.
    pub dropped: Dropped,
}

impl Default for PortBooks {
    fn default() -> PortBooks {
        PortBooks { received: 0, transmitted: 0, dropped: [0; Reason::COUNT] }
    }
}

/// What became of the frames received on a side, and what was sent on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideBooks {
    /// Frames received.
    pub received: u64,
    /// Their bytes, without FCS.
    pub received_bytes: u64,
    /// Frames received here that the other side's queue took.
    pub forwarded: u64,
    /// Frames received here that were for the bridge itself or answered by it, and not forwarded.
    pub answered: u64,
    /// Frames received here and dropped, by reason.
    pub dropped: Dropped,
    /// What is counted beside the outcome.
    pub causes: [u64; Cause::COUNT],
    /// Frames sent on this side.
    pub transmitted: u64,
    /// Their bytes, without FCS.
    pub transmitted_bytes: u64,
    /// Of those, replies of the bridge itself.
    pub replies: u64,
    /// Of those, the further fragments of frames that were forwarded in several.
    pub fragments: u64,
    /// Of those, loop probes and duplicate address detection of the bridge itself.
    pub probes: u64,
}

impl Default for SideBooks {
    fn default() -> SideBooks {
        SideBooks {
            received: 0,
            received_bytes: 0,
            forwarded: 0,
            answered: 0,
            dropped: [0; Reason::COUNT],
            causes: [0; Cause::COUNT],
            transmitted: 0,
            transmitted_bytes: 0,
            replies: 0,
            fragments: 0,
            probes: 0,
        }
    }
}

impl SideBooks {
    /// Counts a cause.
    pub fn cause(&mut self, cause: Cause) {
        self.causes[cause.index()] += 1;
    }

    /// Frames received without an outcome: 0, or there is a bug.
    pub fn unaccounted(&self) -> i64 {
        self.received as i64 - (self.forwarded + self.answered + self.dropped.iter().sum::<u64>()) as i64
    }
}

/// All books of one worker, or of several added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// By port index.
    pub ports: Vec<PortBooks>,
    /// By [`BridgeId`](crate::base::BridgeId): two sides for each bridge.
    pub sides: Vec<[SideBooks; 2]>,
    /// How full the bursts were, and what the time went into.
    pub meter: Meter,
    /// Events that were not reported because the queue to the control thread was full.
    pub events_lost: u64,
}

impl Books {
    /// Empty books for so many ports and bridges.
    pub fn new(ports: usize, bridges: usize) -> Books {
        Books {
            ports: vec![PortBooks::default(); ports],
            sides: vec![Default::default(); bridges],
            ..Books::default()
        }
    }

    /// One side's.
    #[inline]
    pub fn side(&self, at: At) -> &SideBooks {
        &self.sides[at.bridge.index()][at.side.index()]
    }

    /// One side's.
    #[inline]
    pub fn side_mut(&mut self, at: At) -> &mut SideBooks {
        &mut self.sides[at.bridge.index()][at.side.index()]
    }

    /// Counts frames that a side received, with so many bytes together: the one place that does.
    #[inline(always)]
    pub fn received(&mut self, at: At, frames: usize, bytes: usize) {
        let side = self.side_mut(at);
        side.received += frames as u64;
        side.received_bytes += bytes as u64;
    }

    /// All that does not add up, over every equation of law 1: must be 0.
    pub fn unaccounted(&self) -> u64 {
        let sides = || self.sides.iter().flatten();
        let total = |count: fn(&SideBooks) -> u64| sides().map(count).sum::<u64>() as i64;
        let admitted = total(|side| side.received);
        let received: i64 = self
            .ports
            .iter()
            .map(|port| port.received as i64 - port.dropped.iter().sum::<u64>() as i64)
            .sum();
        let transmitted: i64 = self.ports.iter().map(|port| port.transmitted as i64).sum();
        let sent = total(|side| side.forwarded) + total(|side| side.replies + side.probes + side.fragments);
        let across: u64 = self
            .sides
            .iter()
            .map(|[a, b]| {
                let law = |to: &SideBooks, from: &SideBooks| {
                    to.transmitted.abs_diff(from.forwarded + to.replies + to.probes + to.fragments)
                };
                law(a, b) + law(b, a)
            })
            .sum();
        sides().map(|side| side.unaccounted().unsigned_abs()).sum::<u64>()
            + (received - admitted).unsigned_abs()
            + (transmitted - sent).unsigned_abs()
            + across
    }
}

impl AddAssign<&Books> for Books {
    fn add_assign(&mut self, other: &Books) {
        let add = |to: &mut [u64], from: &[u64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        self.meter += &other.meter;
        self.events_lost += other.events_lost;
        self.ports.resize_with(self.ports.len().max(other.ports.len()), Default::default);
        self.sides.resize_with(self.sides.len().max(other.sides.len()), Default::default);
        for (to, from) in self.ports.iter_mut().zip(&other.ports) {
            to.received += from.received;
            to.transmitted += from.transmitted;
            add(&mut to.dropped, &from.dropped);
        }
        for (to, from) in self.sides.iter_mut().flatten().zip(other.sides.iter().flatten()) {
            to.received += from.received;
            to.received_bytes += from.received_bytes;
            to.forwarded += from.forwarded;
            to.answered += from.answered;
            to.transmitted += from.transmitted;
            to.transmitted_bytes += from.transmitted_bytes;
            to.replies += from.replies;
            to.fragments += from.fragments;
            to.probes += from.probes;
            add(&mut to.dropped, &from.dropped);
            add(&mut to.causes, &from.causes);
        }
    }
}
