//! The stages of the path, a file each, named as in [`crate::path`], in the counters and in the docs.

pub mod admit;
pub mod answer;
pub mod filter;
pub mod fit;
pub mod forward;
pub mod guard;
pub mod learn;
pub mod police;
pub mod snoop;

#[cfg(test)]
mod tests;
