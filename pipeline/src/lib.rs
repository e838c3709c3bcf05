//! sluice's data plane: what happens to a frame, from the port that it came in by to the port that it leaves by.
//!
//! [`path`] is the map: it lists the stages in order. The modules below stand in their layers, the lowest first: who may
//! use whom is a list in `docs/ARCHITECTURE.md`, and `scripts/check` holds the code to it.

pub mod base;
pub mod frame;
pub mod io;
pub mod table;

pub mod plan;

pub mod observe;
pub mod path;

pub mod worker;

pub mod control;

pub mod selftest;

pub mod cli;
