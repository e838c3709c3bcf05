//! What one worker remembers between frames.

use super::control_queue::ControlTx;
use super::outbox::Outbox;
use crate::observe::books::Books;
use crate::table::limits::Limits;

/// What one worker owns: its limiters, its books, and its way to report events.
#[derive(Debug)]
pub struct WorkerState {
    /// By [`BridgeId`](crate::base::BridgeId).
    pub limits: Vec<Limits>,
    /// The books.
    pub books: Books,
    /// The way to the control thread.
    pub control: ControlTx,
    /// What the bridge itself sends.
    pub outbox: Outbox,
}
