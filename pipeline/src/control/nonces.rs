//! The nonces of what the bridge sends itself.

use rules::Mac;

use crate::frame::nonce::{self, Nonce};

/// One for each message (RFC 7527 §4.1): none comes twice in the life of a process.
#[derive(Debug)]
pub(super) struct Nonces {
    seed: u64,
    number: u64,
}

impl Nonces {
    /// Such that nobody can guess them who does not know the seed.
    pub(super) fn new(seed: u64) -> Nonces {
        Nonces { seed, number: 0 }
    }

    /// For the next message of a MAC of ours.
    pub(super) fn draw(&mut self, mac: Mac) -> Nonce {
        self.number += 1;
        nonce::keyed(self.seed, mac, self.number)
    }
}
