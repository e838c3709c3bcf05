//! Views of headers on bytes. Nothing here can panic on what a wire brings: every field is read out of an array whose
//! length was checked once.

pub mod arp;
pub mod buffer;
pub mod build;
pub mod checksum;
pub mod ether;
pub mod icmp6;
pub mod ipv4;
pub mod ipv6;
pub mod nonce;
pub mod words;
