//! What one worker remembers between frames.

use super::control_queue::ControlTx;
use super::outbox::Outbox;
use crate::observe::books::Books;
use crate::table::limits::Lots;

/// What one worker owns: its lots of the limits, its books, and its way to report events.
#[derive(Debug)]
pub struct WorkerState {
    /// By [`BridgeId`](crate::base::BridgeId).
    pub lots: Vec<Lots>,
    /// The books.
    pub books: Books,
    /// The way to the control thread.
    pub control: ControlTx,
    /// What the bridge itself sends.
    pub outbox: Outbox,
}
