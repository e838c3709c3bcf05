//! The books: what became of every frame (law 1). Each worker writes its own, plainly; the control thread sees
//! copies taken between two bursts, so they always balance.

use std::ops::AddAssign;

use rules::Side;

use crate::base::At;
use crate::base::reason::{Cause, Reason};
use crate::observe::meter::Meter;
use crate::plan::Plan;

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
    /// What sides have received and sent on it whose counts are settled: see [`Books::follow`].
    settled: Traffic,
}

/// Frames in and out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Traffic {
    received: u64,
    transmitted: u64,
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Traffic) {
        self.received += other.received;
        self.transmitted += other.transmitted;
    }
}

impl Default for PortBooks {
    fn default() -> PortBooks {
        PortBooks { received: 0, transmitted: 0, dropped: [0; Reason::COUNT], settled: Traffic::default() }
    }
}

impl PortBooks {
    /// Frames that came in or left by this port and that no side of it counts, or the reverse: 0, or there is a bug.
    fn unaccounted(&self, sides: Traffic) -> u64 {
        let dropped: u64 = self.dropped.iter().sum();
        let Traffic { received, transmitted } = self.settled;
        self.received.abs_diff(dropped + received + sides.received)
            + self.transmitted.abs_diff(transmitted + sides.transmitted)
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
    /// Its port, by index; none before it has one.
    port: Option<usize>,
    /// What of its traffic is settled with the ports that it has had: see [`Books::follow`].
    settled: Traffic,
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
            port: None,
            settled: Traffic::default(),
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

    fn traffic(&self) -> Traffic {
        Traffic { received: self.received, transmitted: self.transmitted }
    }

    /// Traffic since the last settlement.
    fn unsettled(&self) -> Traffic {
        Traffic {
            received: self.received.saturating_sub(self.settled.received),
            transmitted: self.transmitted.saturating_sub(self.settled.transmitted),
        }
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

    /// Counts frames that a side received, with so many bytes together: the one place that does. The side's books.
    #[inline(always)]
    pub fn received(&mut self, at: At, frames: usize, bytes: usize) -> &mut SideBooks {
        let side = self.side_mut(at);
        side.received += frames as u64;
        side.received_bytes += bytes as u64;
        side
    }

    /// From here on the sides are on the ports that the plan says. A reload may have moved one: what it counted so far
    /// belongs to the port that it had.
    pub fn follow(&mut self, plan: &Plan) {
        let Books { ports, sides, .. } = self;
        for (sides, bridge) in sides.iter_mut().zip(&plan.bridges).filter(|(_, bridge)| !bridge.removed) {
            for (side, which) in sides.iter_mut().zip(Side::BOTH) {
                let port = Some(bridge.rules.side(which).port);
                if side.port != port {
                    settle(ports, side);
                    side.settled = side.traffic();
                    side.port = port;
                }
            }
        }
    }

    /// All that does not add up, over every equation of law 1: must be 0. Each port and each side by itself, so that no error
    /// hides another.
    pub fn unaccounted(&self) -> u64 {
        let sides = || self.sides.iter().flatten();
        let across = |to: &SideBooks, from: &SideBooks| {
            to.transmitted.abs_diff(from.forwarded + to.replies + to.probes + to.fragments)
        };
        let of_port = |(index, port): (usize, &PortBooks)| {
            let mut its = Traffic::default();
            for side in sides().filter(|side| side.port == Some(index)).map(SideBooks::unsettled) {
                its += side;
            }
            port.unaccounted(its)
        };
        sides().map(|side| side.unaccounted().unsigned_abs()).sum::<u64>()
            + self.sides.iter().map(|[a, b]| across(a, b) + across(b, a)).sum::<u64>()
            + self.ports.iter().enumerate().map(of_port).sum::<u64>()
    }
}

/// What a side counted since the last time becomes its port's, for good: the side may go to another port.
fn settle(ports: &mut [PortBooks], side: &SideBooks) {
    if let Some(port) = side.port.and_then(|port| ports.get_mut(port)) {
        port.settled += side.unsettled();
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
            to.settled += from.settled;
            add(&mut to.dropped, &from.dropped);
        }
        let Books { ports, sides, .. } = self;
        for (to, from) in sides.iter_mut().flatten().zip(other.sides.iter().flatten()) {
            // settled as it is added: another worker's may be on another port, for the moment of a reload
            settle(ports, from);
            to.settled += from.traffic();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ports with a side each, and frames that crossed both ways.
    fn balanced() -> Books {
        let mut books = Books::new(2, 1);
        for (index, port) in books.ports.iter_mut().enumerate() {
            (port.received, port.transmitted) = (10, 10);
            let side = &mut books.sides[0][index];
            (side.port, side.received, side.forwarded, side.transmitted) = (Some(index), 10, 10, 10);
        }
        assert_eq!(books.unaccounted(), 0);
        books
    }

    #[test]
    fn a_frame_too_few_on_one_port_and_one_too_many_on_the_other_both_show() {
        let mut books = balanced();
        books.ports[0].received -= 1;
        books.ports[1].received += 1;
        assert_eq!(books.unaccounted(), 2);
        let mut books = balanced();
        books.ports[0].transmitted -= 1;
        books.ports[1].transmitted += 1;
        assert_eq!(books.unaccounted(), 2);
    }

    #[test]
    fn errors_of_two_sides_that_cancel_both_show() {
        let mut books = balanced();
        books.sides[0][0].answered += 1;
        books.sides[0][1].forwarded -= 1;
        books.sides[0][0].transmitted -= 1;
        books.ports[0].transmitted -= 1;
        assert_eq!(books.unaccounted(), 2);
    }

    #[test]
    fn errors_of_two_workers_that_cancel_on_another_port_show_in_the_sum() {
        let (mut one, mut other) = (balanced(), balanced());
        one.ports[0].received += 1;
        other.ports[1].received -= 1;
        let mut total = Books::default();
        total += &one;
        total += &other;
        assert_eq!(total.unaccounted(), 2);
    }
}
