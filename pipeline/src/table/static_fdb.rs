//! The members' MACs: which side each is pinned to; and the bridge's own, which are nobody else's. Part of the rules, so
//! it never changes while frames pass.

use rules::{Mac, Member, Side};

/// What the rules know of a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaticEntry {
    /// A member's that belongs on one side.
    To(Side),
    /// A member's that may be on either side.
    Roaming,
    /// The bridge's own.
    Own,
}

/// What a short look says of a MAC, as seen from one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaticHit {
    /// It belongs here.
    Here,
    /// Neither a member's nor our own.
    Unlisted,
    /// Any of these or something else: [`StaticFdb::get`] says.
    Unsure,
}

/// An open-addressed table at most an eighth full, so that nearly every probe ends in its first slot.
#[derive(Debug, Clone)]
pub struct StaticFdb {
    /// MAC in the high 48 bits, the pin below them; 0 is an empty slot.
    slots: Box<[u64]>,
    shift: u32,
}

/// The slot that a MAC's hash names: it is there unless another MAC has that slot.
#[inline(always)]
const fn home(mac: Mac, shift: u32) -> usize {
    // The operator chooses these addresses, so a fixed multiplier does: nobody on the wire can crowd a slot.
    (mac.as_u64().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> shift) as usize
}

/// The table as a burst of frames sees it.
#[derive(Debug, Clone, Copy)]
pub struct StaticView<'a> {
    slots: &'a [u64],
    shift: u32,
}

impl StaticView<'_> {
    /// What a short look says of a MAC, as seen from one side.
    #[inline(always)]
    pub fn lookup_from(&self, mac: Mac, side: Side) -> StaticHit {
        let here = mac.as_u64() << PIN_BITS | (side.index() as u64 + 1);
        let home = home(mac, self.shift);
        match self.slots.get(home) {
            Some(slot) if *slot == here => StaticHit::Here,
            Some(0) => StaticHit::Unlisted,
            // another MAC has its slot: the next one is tried here too, before the loop
            Some(slot) if *slot >> PIN_BITS != mac.as_u64() => match self.slots.get(home + 1) {
                Some(slot) if *slot == here => StaticHit::Here,
                Some(0) => StaticHit::Unlisted,
                _ => StaticHit::Unsure,
            },
            _ => StaticHit::Unsure,
        }
    }
}

const PIN_BITS: u32 = 16;
const ROAMING: u64 = 3;
const OWN: u64 = 4;

impl StaticFdb {
    /// The MACs of these members, and the bridge's own.
    pub fn new(members: &[Member], own: [Mac; 2]) -> StaticFdb {
        let count = members.iter().map(|member| member.macs.len()).sum::<usize>() + own.len();
        const LEAST: usize = 256; // slots: in fewer, strangers' MACs would often meet a used slot and take the loop
        let size = (count * 8).next_power_of_two().max(LEAST);
        let mut static_fdb =
            StaticFdb { slots: vec![0; size].into_boxed_slice(), shift: 64 - size.trailing_zeros() };
        own.into_iter().for_each(|mac| static_fdb.insert(mac, OWN));
        for member in members {
            let pin = member.side.map_or(ROAMING, |side| side.index() as u64 + 1);
            member.macs.iter().for_each(|mac| static_fdb.insert(*mac, pin));
        }
        static_fdb
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
        home(mac, self.shift)
    }

    /// What the rules know of a MAC.
    #[inline(always)]
    pub fn get(&self, mac: Mac) -> Option<StaticEntry> {
        match self.find(mac) {
            0 => None,
            ROAMING => Some(StaticEntry::Roaming),
            OWN => Some(StaticEntry::Own),
            side => Some(StaticEntry::To(Side::from_index(side as usize - 1))),
        }
    }

    /// The table for a burst of frames.
    pub fn view(&self) -> StaticView<'_> {
        StaticView { slots: &self.slots, shift: self.shift }
    }

    #[inline(always)]
    fn find(&self, mac: Mac) -> u64 {
        let mask = self.slots.len() - 1;
        let mut at = self.home(mac);
        // bounded: seven eighths of the slots are empty
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
            let static_fdb = StaticFdb::new(&members, own);
            prop_assert_eq!(static_fdb.get(own[0]), Some(StaticEntry::Own));
            let naive: HashMap<u64, StaticEntry> = macs.iter().map(|(mac, kind)| (*mac, side(*kind).map_or(StaticEntry::Roaming, StaticEntry::To))).collect();
            for probe in probes.iter().chain(macs.keys()) {
                prop_assert_eq!(static_fdb.get(Mac::from_u64(*probe)), naive.get(probe).copied());
            }
        }
    }
}
