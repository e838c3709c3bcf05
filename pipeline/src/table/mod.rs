//! What the bridge knows of stations: learned MAC addresses, the members' pinned ones, and how much each source and side
//! may still send.

pub mod bucket;
pub mod fdb;
mod hash;
pub mod hold;
pub mod limits;
pub mod neighbour;
pub mod static_fdb;
mod sync;

use rules::Bridge;

use fdb::Fdb;
use hold::Hold;
use limits::Limits;
use neighbour::NeighbourTable;

/// What all workers share of a bridge, and what survives a reload.
#[derive(Debug)]
pub struct Tables {
    /// Learned addresses of strangers. The listed ones have [a table in the plan](crate::plan::bridge::BridgePlan::fdb).
    pub macs: Fdb,
    /// Whose MAC an address is.
    pub neighbours: NeighbourTable,
    /// What is held back: flooding, while there is a loop; our own addresses, while somebody else may have them.
    pub hold: Hold,
    /// What stations and sides may still send.
    pub limits: Limits,
}

impl Tables {
    /// Empty ones, of the size that the rules say.
    pub fn new(bridge: &Bridge, seed: u64) -> Tables {
        Tables {
            macs: Fdb::new(&bridge.macs, seed),
            neighbours: NeighbourTable::new(&bridge.neighbours, seed),
            hold: Hold::default(),
            limits: Limits::new(bridge, seed),
        }
    }

    /// Bytes that those of a bridge take.
    pub fn memory_for(bridge: &Bridge) -> usize {
        Fdb::memory_for(bridge.macs.capacity)
            + NeighbourTable::memory_for(bridge.neighbours.capacity)
            + Limits::memory_for(bridge)
    }

    /// Bytes that these take.
    pub fn memory(&self) -> usize {
        self.macs.memory() + self.neighbours.memory() + self.limits.memory()
    }

    /// Those of a bridge that the rules no longer have: the smallest there are.
    pub fn retired() -> Tables {
        Tables {
            macs: Fdb::with_capacity(1, 0),
            neighbours: NeighbourTable::with_capacity(1, 0),
            hold: Hold::default(),
            limits: Limits::retired(),
        }
    }
}
