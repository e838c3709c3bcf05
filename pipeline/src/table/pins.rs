//! The members' MACs: which side each is pinned to. Part of the rules, so it never changes while frames pass.

use rules::{Mac, Member, Side};

/// What the rules know of a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// A member's that belongs on one side.
    To(Side),
    /// A member's that may be on either side.
    Roaming,
}

/// An open-addressed table at most a quarter full, so that nearly every probe ends in its first cache line.
#[derive(Debug, Clone)]
pub struct Pins {
    /// MAC in the low 48 bits, the pin above them; 0 is an empty slot.
    slots: Box<[u64]>,
    shift: u32,
}

const PIN: u32 = 48;
const ROAMING: u64 = 3;

impl Pins {
    /// The MACs of these members.
    pub fn new(members: &[Member]) -> Pins {
        let count = members.iter().map(|member| member.macs.len()).sum::<usize>();
        let size = (count * 4).next_power_of_two().max(8);
        let mut pins = Pins { slots: vec![0; size].into_boxed_slice(), shift: 64 - size.trailing_zeros() };
        for member in members {
            let pin = member.side.map_or(ROAMING, |side| side.index() as u64 + 1);
            for mac in &member.macs {
                let mut at = pins.home(*mac);
                while pins.slots[at] != 0 {
                    at = (at + 1) & (size - 1);
                }
                pins.slots[at] = mac.as_u64() | pin << PIN;
            }
        }
        pins
    }

    fn home(&self, mac: Mac) -> usize {
        // The operator chooses these addresses, so a fixed multiplier does: nobody on the wire can crowd a slot.
        (mac.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// What the rules know of a MAC.
    #[inline]
    pub fn get(&self, mac: Mac) -> Option<Pin> {
        let mask = self.slots.len() - 1;
        let mut at = self.home(mac);
        // bounded: three quarters of the slots are empty
        loop {
            let slot = self.slots[at & mask];
            if slot << (64 - PIN) == mac.as_u64() << (64 - PIN) && slot != 0 {
                return Some(match slot >> PIN {
                    1 => Pin::To(Side::First),
                    2 => Pin::To(Side::Second),
                    _ => Pin::Roaming,
                });
            }
            if slot == 0 {
                return None;
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
            let pins = Pins::new(&members);
            let naive: HashMap<u64, Pin> = macs.iter().map(|(mac, kind)| (*mac, side(*kind).map_or(Pin::Roaming, Pin::To))).collect();
            for probe in probes.iter().chain(macs.keys()) {
                prop_assert_eq!(pins.get(Mac::from_u64(*probe)), naive.get(probe).copied());
            }
        }
    }
}
