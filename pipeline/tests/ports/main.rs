//! What `sluice ports` tells of a machine and what `scripts/sluice-bind` does with it, on trees of files that stand for
//! /sys and /proc.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test crate: nothing is for outside, and helpers panic"
)]

mod bind;
mod fake;
mod machine;
