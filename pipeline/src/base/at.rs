//! Where frames come in and leave: a side of a bridge.

use rules::Side;

/// A bridge of the process: its place in the plan's bridges and in all books, for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId(u16);

impl BridgeId {
    /// The most bridges that one process has had in its life: an identifier is never given again.
    pub const MOST: usize = 1024;

    /// The first.
    pub const FIRST: BridgeId = BridgeId(0);

    /// The one at this place; `None` beyond [`BridgeId::MOST`].
    pub const fn new(index: usize) -> Option<BridgeId> {
        if index < BridgeId::MOST { Some(BridgeId(index as u16)) } else { None }
    }

    /// Its place in every list by bridge.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Those of so many bridges, in order.
    pub fn all(bridges: usize) -> impl Iterator<Item = BridgeId> {
        (0..bridges).map_while(BridgeId::new)
    }
}

/// A side of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct At {
    /// The bridge.
    pub bridge: BridgeId,
    /// The side.
    pub side: Side,
}
