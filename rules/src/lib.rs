//! sluice's rules: YAML in, checked [`Rules`] out, or every error at once with its line and column.
//!
//! Pure: no DPDK, no packets, no clock.
//!
//! The way of a file: [`parse`] reads it into a tree of values that know their place (`tree`), the keys are read from it
//! one by one (`file`, `bridge`, `member`, through `fields` and `form`), and what comes out is [`Rules`]. The same
//! walk over no file at all yields the [`schema`], so that the two cannot disagree. [`changes`] and [`against`] compare two [`Rules`].

mod bridge;
mod diagnostic;
mod diff;
mod ether;
mod fields;
mod file;
mod form;
mod member;
mod model;
mod peering;
mod tree;

pub use diagnostic::{Diagnostic, Errors, Severity};
pub use diff::{against, changes};
pub use ether::{Mac, MacError, Side, Vid};
pub use file::{Checked, MAX_BYTES, load, parse, schema};
pub use model::*;
