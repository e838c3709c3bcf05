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

/// Messages of our own duplicate address detection that are known when they come back: all that is sent until an address is
/// ours (four a second for three seconds), and some.
const DETECTIONS: usize = 16;

/// The holds of a bridge. Nothing is held at first.
#[derive(Debug, Default)]
pub struct Hold {
    flooding: AtomicU8,
    moves: AtomicU8,
    silent: AtomicU8,
    /// The nonces of the last of them, in a ring; 0 for none.
    detections: [AtomicU64; DETECTIONS],
    next: AtomicU8,
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

    /// Stations that can be asked are looked for before they move (F198): there is a control plane that sends.
    pub fn verifies_moves(&self) -> bool {
        self.moves.load(Ordering::Relaxed) != 0
    }

    /// Has moves verified.
    pub fn verify_moves(&self) {
        self.moves.store(1, Ordering::Relaxed);
    }

    /// Duplicate address detection of ours goes out with this nonce. By the one writer.
    pub fn detect(&self, nonce: [u8; 6]) {
        let next = self.next.load(Ordering::Relaxed);
        self.detections[usize::from(next) % DETECTIONS].store(word(nonce), Ordering::Relaxed);
        self.next.store(next.wrapping_add(1), Ordering::Relaxed);
    }

    /// This nonce is of duplicate address detection that we sent lately (RFC 7527 §4.2).
    pub fn detects(&self, nonce: [u8; 6]) -> bool {
        let wanted = word(nonce);
        wanted != 0 && self.detections.iter().any(|sent| sent.load(Ordering::Relaxed) == wanted)
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_nonces_that_were_sent_last_are_ours_and_no_nonce_never_is() {
        let hold = Hold::default();
        let nonce = |number: u16| [1, 2, 3, 4, (number >> 8) as u8, number as u8];
        assert!(!hold.detects([0; 6]) && !hold.detects(nonce(0)));
        for number in 0..1000 {
            hold.detect(nonce(number));
            let known = (0..1000).filter(|&number| hold.detects(nonce(number))).max();
            assert_eq!(known, Some(number));
        }
        let known: Vec<u16> = (0..1000).filter(|&number| hold.detects(nonce(number))).collect();
        assert_eq!(known, (1000 - DETECTIONS as u16..1000).collect::<Vec<_>>());
    }
}
