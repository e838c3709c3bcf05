//! sluice's data plane: what happens to a frame, from the port that it came in by to the port that it leaves by.
//!
//! [`path`] is the map: it lists the stages in order.

pub mod books;
pub mod cli;
pub mod control;
pub mod event;
pub mod frame;
pub mod idle;
pub mod io;
pub mod meter;
pub mod outbox;
pub mod path;
pub mod plan;
pub mod presence;
pub mod profile;
pub mod reason;
pub mod replay;
pub mod report;
pub mod shortcut;
pub mod stage;
pub mod table;
pub mod time;
pub mod worker;
