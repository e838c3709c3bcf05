//! What a bridge does not do while something is wrong or not sure: it does not flood while there is a loop, does not use an
//! address of its own until it is sure that nobody else has it, and does not believe that a station has moved before it was
//! looked for. Written by the control thread, rarely; read by workers for frames that would be flooded, for frames to the bridge
//! itself, and for those of a station on another side than its own.

use rules::Side;

use super::sync::{AtomicU8, AtomicU64, Ordering};

/// An own address, by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OwnAddress {
    /// `own.ipv4`.
    V4,
    /// `own.ipv6`.
    V6,
    /// The link-local address of a side.
    LinkLocal(Side),
}

impl OwnAddress {
    /// All of a bridge's.
    pub const ALL: [OwnAddress; 4] = [
        OwnAddress::V4,
        OwnAddress::V6,
        OwnAddress::LinkLocal(Side::First),
        OwnAddress::LinkLocal(Side::Second),
    ];

    const fn bit(self) -> u8 {
        match self {
            OwnAddress::V4 => 1,
            OwnAddress::V6 => 2,
            OwnAddress::LinkLocal(Side::First) => 4,
            OwnAddress::LinkLocal(Side::Second) => 8,
        }
    }
}

/// The holds of a bridge. Nothing is held at first.
#[derive(Debug, Default)]
pub struct Hold {
    flooding: AtomicU8,
    moves: AtomicU8,
    silent: AtomicU8,
    /// The nonces of the last two probes of each side; 0 for none.
    probes: [[AtomicU64; 2]; 2],
}

impl Hold {
    /// Flooding is allowed. While it is not, no frame to a group or to an unknown station crosses the bridge.
    #[inline]
    pub fn floods(&self) -> bool {
        self.flooding.load(Ordering::Relaxed) == 0
    }

    /// Holds flooding, or allows it again.
    pub fn hold_flooding(&self, hold: bool) {
        self.flooding.store(u8::from(hold), Ordering::Relaxed);
    }

    /// A loop probe goes out on a side with this nonce. The one before it may still come back, those before that prove nothing.
    pub fn probe(&self, side: Side, nonce: [u8; 6]) {
        let [last, before] = &self.probes[side.index()];
        before.store(last.load(Ordering::Relaxed), Ordering::Relaxed);
        last.store(word(nonce), Ordering::Relaxed);
    }

    /// Stations that can be asked are looked for before they move (F198): there is a control plane that sends.
    pub fn verifies_moves(&self) -> bool {
        self.moves.load(Ordering::Relaxed) != 0
    }

    /// Has moves verified.
    pub fn verify_moves(&self) {
        self.moves.store(1, Ordering::Relaxed);
    }

    /// This is the nonce of one of the last two probes that a side sent.
    pub fn has_probed(&self, side: Side, nonce: [u8; 6]) -> bool {
        self.probes[side.index()].iter().any(|sent| sent.load(Ordering::Relaxed) == word(nonce))
    }

    /// We have this address: no duplicate is known, and none is being looked for.
    pub fn has(&self, address: OwnAddress) -> bool {
        self.silent.load(Ordering::Relaxed) & address.bit() == 0
    }

    /// Stops using an address, or uses it again.
    pub fn silence(&self, address: OwnAddress, silent: bool) {
        if silent {
            self.silent.fetch_or(address.bit(), Ordering::Relaxed);
        } else {
            self.silent.fetch_and(!address.bit(), Ordering::Relaxed);
        }
    }
}

fn word(nonce: [u8; 6]) -> u64 {
    nonce.into_iter().fold(0, |word, byte| word << 8 | u64::from(byte))
}
