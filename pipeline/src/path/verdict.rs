//! What became of a frame.

use crate::base::At;

/// What became of a frame on its way to the egress queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It crosses.
    Forward(Crossing),
    /// Its fragments, which are in the outbox, leave in its place.
    Fragments {
        /// Where it came in.
        from: At,
    },
    /// It goes nowhere, and is counted.
    Done,
}

/// A frame that crosses: it came from one side and goes to the other of the same bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Egress port.
    pub port: usize,
    /// Where it came in.
    pub from: At,
    /// Its length as it leaves.
    pub bytes: usize,
}
