//! The stages of the path, a file each, named as in [`crate::path`], in the counters and in the docs.

pub mod admit;
pub mod answer;
pub mod filter;
pub mod fit;
pub mod forward;
pub mod guard;
pub mod learn;
pub mod police;

use rules::Side;

use crate::frame::ether::Ether;
use crate::plan::{At, BridgePlan};
use crate::time::Time;

/// A frame that has arrived: on which bridge and side, when, and its header.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The bridge.
    pub bridge: &'a BridgePlan,
    /// Where it came in.
    pub at: At,
    /// Its layer-2 header.
    pub ether: Ether<'a>,
    /// When.
    pub now: Time,
}

impl Arrival<'_> {
    /// The side that it came in on.
    pub fn side(&self) -> Side {
        self.at.side
    }
}
