//! What one worker remembers between frames.

use super::control_queue::Notices;
use super::outbox::Outbox;
use crate::observe::books::Books;
use crate::table::limits::Limits;

/// What one worker owns: its limiters, its books, and its way to report events.
#[derive(Debug)]
pub struct Lane {
    /// By slot.
    pub limits: Vec<Limits>,
    /// The books.
    pub books: Books,
    /// The way to the control thread.
    pub notices: Notices,
    /// What the bridge itself sends.
    pub outbox: Outbox,
}
