//! sluice's rules: YAML in, checked [`Rules`] out, or every error at once with its line and column.
//!
//! Pure: no DPDK, no packets, no clock.
//!
//! The way of a file: [`parse`] reads it into a tree of values that know their place (`tree`), the keys are read from it
//! one by one (`file`, `bridge`, `member`, through `fields` and `form`), and what comes out is [`Rules`]. The same
//! walk keeps what each key says, by which [`changes`] and [`against`] compare two [`Rules`]; over no file at all it yields the
//! [`schema`] and the [`reference`](reference()) page. So neither can miss a key.
//!
//! Files know each other one way, each only some before it: `ether`, `tree`, `diagnostic`, `model`, `form`, `key`, `fields`, `peering`,
//! `member`, `bridge`, `diff`, `page`, `file`.

mod bridge;
mod diagnostic;
mod diff;
mod ether;
mod fields;
mod file;
mod form;
mod key;
mod member;
mod model;
mod page;
mod peering;
mod tree;

pub use diagnostic::{Diagnostic, Errors, Severity};
pub use diff::{against, changes};
pub use ether::{Mac, MacError, Side, Vid};
pub use file::{Checked, MAX_BYTES, load, parse, reference, schema};
pub use model::*;
pub use peering::is_reserved_anycast;
