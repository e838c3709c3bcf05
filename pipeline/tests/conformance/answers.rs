//! F.3 and F.4: what the bridge answers itself.

use crate::frames::*;
use crate::harness::*;

/// Bytes from the notation of the golden file.
pub fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The golden frames of SPEC (golden.txt).
pub const G1: &str = "3333ff00000b02aa0000000186dd6000000000203aff200107fa0003ca07000000000000000aff0200000000000000000001ff00000b870092c800000000200107fa0003ca07000000000000000b010102aa00000001";
/// The advertisement that answers G1.
pub const G2: &str = "02aa0000000102bb0000000286dd6000000000203aff200107fa0003ca07000000000000000b200107fa0003ca07000000000000000a8800bcb4e0000000200107fa0003ca07000000000000000b020102bb00000002";

/// Ca: answering.
pub fn ca() -> Config {
    Config::c0()
        .with("arp: { mode: bridge }", "arp: { mode: answer }")
        .with("nd: { mode: bridge }", "nd: { mode: answer }")
}

#[test]
fn f81_arp_request_is_answered_on_behalf_of_the_owner() {
    let got = ca().bench().exchange(M, &arp_request(A, "202.7.0.10", "202.7.0.20"));
    let mut want = ether(A, B, 0x0806, &arp(2, B, "202.7.0.20", A, "202.7.0.10"));
    want.resize(60, 0);
    assert_eq!((got.outcome.as_str(), got.reply()), ("answered", &want[..]));
}

#[test]
fn f117_solicitation_is_answered_on_behalf_of_the_owner() {
    let got = ca().bench().exchange(M, &hex(G1));
    assert_eq!((got.outcome.as_str(), got.reply()), ("answered", &hex(G2)[..]));
}
