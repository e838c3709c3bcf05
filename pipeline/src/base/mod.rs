//! What every layer speaks of: time, places, reasons, events.

pub mod at;
pub mod event;
pub mod reason;
pub mod time;

pub use at::{At, BridgeId};

/// The most frames in one receive burst.
pub const BURST: usize = 64;
