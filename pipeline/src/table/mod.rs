//! What the bridge knows of stations: learned MAC addresses, the members' pinned ones, and how much each source and side
//! may still send.

pub mod bucket;
mod hash;
pub mod hold;
pub mod mac;
pub mod neighbour;
pub mod pins;
mod sync;
