//! docs/spec F, row by row: exact frames in and out of the bridge, on a clock of the tests' own. Tests are named by their
//! row (`scripts/spec` fills in which), or by the section that they prove. The books are checked after every frame.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test crate: nothing is for outside, and helpers panic"
)]

mod answers;
mod anycast;
mod arp;
mod bursts;
mod captures;
mod crew;
mod drain;
mod fast_path;
mod fragment;
mod frames;
mod framing;
mod harness;
mod hostile;
mod icmp6;
mod ipv4;
mod ipv6;
mod kinds;
mod loops;
mod moves;
mod mtu;
mod nd;
mod neighbours;
mod oracle;
mod own;
mod ptb;
mod queue;
mod reload;
mod reserved;
mod shares;
mod stations;
mod storm;
mod suspended;
mod tags;
mod timeline;
