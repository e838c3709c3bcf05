//! SPEC section F, row by row: exact frames in and out of the bridge, on a clock of the tests' own. Tests are named by
//! their row. The books are checked after every frame.

mod frames;
mod framing;
mod harness;
mod reserved;
mod answers;
mod arp;
mod hostile;
mod icmp6;
mod ipv4;
mod ipv6;
mod nd;
