//! The members' MACs: which side each is pinned to; and the bridge's own, which are nobody else's. Part of the rules, so
//! it never changes while frames pass.

use rules::{Mac, Member, Side};

/// What the rules know of a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// A member's that belongs on one side.
    To(Side),
    /// A member's that may be on either side.
    Roaming,
    /// The bridge's own.
    Own,
}

/// An open-addressed table at most a quarter full, so that nearly every probe ends in its first cache line.
#[derive(Debug, Clone)]
pub struct Pins {
    /// MAC in the high 48 bits, the pin below them; 0 is an empty slot.
    slots: Box<[u64]>,
    shift: u32,
}

const PIN_BITS: u32 = 16;
const ROAMING: u64 = 3;
const OWN: u64 = 4;

impl Pins {
    /// The MACs of these members, and the bridge's own.
    pub fn new(members: &[Member], own: [Mac; 2]) -> Pins {
        let count = members.iter().map(|member| member.macs.len()).sum::<usize>() + own.len();
        let size = (count * 4).next_power_of_two();
        let mut pins = Pins { slots: vec![0; size].into_boxed_slice(), shift: 64 - size.trailing_zeros() };
        own.into_iter().for_each(|mac| pins.insert(mac, OWN));
        for member in members {
            let pin = member.side.map_or(ROAMING, |side| side.index() as u64 + 1);
            member.macs.iter().for_each(|mac| pins.insert(*mac, pin));
        }
        pins
    }

    fn insert(&mut self, mac: Mac, pin: u64) {
        let mut at = self.home(mac);
        while self.slots[at] != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = mac.as_u64() << PIN_BITS | pin;
    }

    #[inline(always)]
    fn home(&self, mac: Mac) -> usize {
        // The operator chooses these addresses, so a fixed multiplier does: nobody on the wire can crowd a slot.
        (mac.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// What the rules know of a MAC.
    #[inline(always)]
    pub fn get(&self, mac: Mac) -> Option<Pin> {
        match self.find(mac) {
            0 => None,
            ROAMING => Some(Pin::Roaming),
            OWN => Some(Pin::Own),
            side => Some(Pin::To(Side::from_index(side as usize - 1))),
        }
    }

    /// The MAC is pinned to this side; or it is pinned nowhere and `otherwise` says so, knowing whether it is a member's.
    #[inline(always)]
    pub fn is_pinned_or(&self, mac: Mac, side: Side, otherwise: impl FnOnce(bool) -> bool) -> bool {
        let pin = self.find(mac);
        pin == side.index() as u64 + 1 || ((pin == 0 || pin == ROAMING) && otherwise(pin == ROAMING))
    }

    #[inline(always)]
    fn find(&self, mac: Mac) -> u64 {
        let mask = self.slots.len() - 1;
        let mut at = self.home(mac);
        // bounded: three quarters of the slots are empty
        loop {
            let slot = self.slots[at & mask];
            if slot >> PIN_BITS == mac.as_u64() || slot == 0 {
                return slot & ((1 << PIN_BITS) - 1);
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn pins_are_those_of_the_members(macs in proptest::collection::hash_map(1u64..5000, 0u8..3, 0..600), probes in proptest::collection::vec(0u64..5000, 50)) {
            let side = |kind: u8| [None, Some(Side::First), Some(Side::Second)][kind as usize];
            let members: Vec<Member> = macs.iter().map(|(mac, kind)| Member {
                name: String::new(), side: side(*kind), macs: vec![Mac::from_u64(*mac)], addresses: vec![], role: Default::default(),
            }).collect();
            let own = [Mac::from_u64(6000), Mac::from_u64(6001)];
            let pins = Pins::new(&members, own);
            prop_assert_eq!(pins.get(own[0]), Some(Pin::Own));
            let naive: HashMap<u64, Pin> = macs.iter().map(|(mac, kind)| (*mac, side(*kind).map_or(Pin::Roaming, Pin::To))).collect();
            for probe in probes.iter().chain(macs.keys()) {
                prop_assert_eq!(pins.get(Mac::from_u64(*probe)), naive.get(probe).copied());
            }
        }
    }
}
