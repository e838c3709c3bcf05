//! A place where frames come in or leave: a side of a bridge.

use rules::Side;

/// A bridge (by its slot: its place in the plan's bridges and in all books, for as long as the process lives) and a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct At {
    /// The bridge's slot.
    pub bridge: u16,
    /// The side.
    pub side: Side,
}
