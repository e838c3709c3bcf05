//! What the bridge says of itself: counters, load, time by stage, and how people and programs read them.

pub mod books;
pub mod meter;
pub mod profile;
pub mod report;
