//! Attacks on a bridge's state and shares (docs/spec F.8), as timelines on the bench's clock: who sends what when, what it
//! would gain, and what is left to a victim, whose hosts answer as hosts do. An attack is asserted in a test of its own, named
//! by what it proves; all of them as one table: `cargo test -p pipeline --test attacks -- table --nocapture`.
//!
//! `search` looks for more of them at random, a few in each test run and many by `scripts/attacks`.
//!
//! What does not count: whoever stands on the victim's own side of the wire and sends with the victim's MAC is the victim, as far as
//! a bridge can see; and who stands on both sides and carries the bridge's probes from one to the other is a loop.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test crate: the bench is the conformance tests', and helpers panic"
)]

#[path = "../conformance/crew.rs"]
mod crew;
#[path = "../conformance/frames.rs"]
mod frames;
#[path = "../conformance/harness.rs"]
mod harness;
#[path = "../conformance/oracle.rs"]
mod oracle;
#[path = "../conformance/timeline.rs"]
mod timeline;

mod addresses;
mod answers;
mod errors;
mod events;
mod hosts;
mod loops;
mod moves;
mod own;
mod report;
mod scene;
mod search;
mod storms;
mod table;
mod workers;
