//! The neighbour table of one bridge (docs/spec C.4): which MAC an address belongs to, as its owner said in
//! valid ARP or neighbour discovery. One writer, off the packet path; workers read an entry between two looks at its
//! sequence number and never wait. One word of an entry is theirs: when they last sent a request for it across. Fixed memory,
//! and never an entry from a request's target.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use rules::{Mac, Neighbours};

use super::hash::HashKey;
use super::sync::{AtomicU64, Ordering, fence};
use crate::base::time::Time;

/// Heard within this time, an owner counts as present (REACHABLE_TIME, RFC 4861 §10).
pub const CONFIRMED: Duration = Duration::from_secs(30);
/// So long one MAC alone must have spoken for a contested address before it is believed again (docs/spec C.4).
const ALONE: Duration = Duration::from_secs(60);
/// So long one that is not the owner must have been alone for the owner to be asked: the answer is there before [`ALONE`].
const ASK: Duration = Duration::from_secs(58);
/// An owner that was asked has this time to answer; after [`STALE`] its silence proves nothing any more.
const ANSWER: Duration = Duration::from_secs(1);
const STALE: Duration = Duration::from_secs(10);
/// A request that was sent across is not followed by more of them for so long, unless within [`ANSWER`]: none came.
const SEARCH: Duration = Duration::from_secs(60);
/// What an owner says again within this time is not sent to the writer again: that spares the queue.
const FRESH: Duration = Duration::from_secs(1);

const WAYS: usize = 8;

/// How an owner made its address known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingSource {
    /// ARP, or a solicitation's source: nothing about flags.
    Plain,
    /// A neighbour advertisement with these flags: R, S, O from the top bit.
    Advertised(u8),
}

/// An owner heard: what a worker tells the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// When.
    pub time: Time,
    /// Its address.
    pub address: IpAddr,
    /// Its MAC.
    pub mac: Mac,
    /// How.
    pub source: BindingSource,
}

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// Its owner.
    pub mac: Mac,
    /// The owner's last advertisement had R=1; without one, as all routers of an exchange would.
    pub router: bool,
    /// The owner's last advertisement had O=1.
    pub overrides: bool,
    /// Two MACs claim it: no answers.
    pub contested: bool,
    /// When the owner was last heard.
    pub confirmed: Time,
}

impl Neighbour {
    /// The owner was heard within 30 s.
    pub fn is_confirmed(&self, now: Time) -> bool {
        now.since(self.confirmed) < CONFIRMED
    }
}

const ROUTER: u64 = 1 << 48;
const OVERRIDES: u64 = 1 << 49;
const CONTESTED: u64 = 1 << 50;

/// One entry; a free one has the address zero. Odd sequence numbers are those of an entry being written.
#[derive(Debug)]
struct Entry {
    sequence: AtomicU64,
    address: [AtomicU64; 2],
    /// MAC in the low 48 bits, flags above.
    owner: AtomicU64,
    confirmed: AtomicU64,
    /// Even: when a worker last sent a request for the address across though its owner should have heard it. Odd: none has
    /// since the address, its owner or its contest is what it is; the sequence number of that writing, so that no two such
    /// words of an entry are the same, and who replaces the one that it has read replaces no later one.
    searched: AtomicU64,
}

impl Entry {
    fn new() -> Entry {
        let zero = || AtomicU64::new(0);
        Entry {
            sequence: zero(),
            address: [zero(), zero()],
            owner: zero(),
            confirmed: zero(),
            searched: zero(),
        }
    }

    /// The address and what is known of it; `None` where the entry is being written just now.
    fn read(&self) -> Option<(u128, Neighbour)> {
        self.read_all().map(|(number, known, _)| (number, known))
    }

    /// [`Entry::read`], and `searched`.
    fn read_all(&self) -> Option<(u128, Neighbour, u64)> {
        let before = self.sequence.load(Ordering::Acquire);
        let [high, low] = [0, 1].map(|half| self.address[half].load(Ordering::Relaxed));
        let owner = self.owner.load(Ordering::Relaxed);
        let confirmed = self.confirmed.load(Ordering::Relaxed);
        let searched = self.searched.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let same = before & 1 == 0 && self.sequence.load(Ordering::Relaxed) == before;
        same.then(|| {
            let neighbour = Neighbour {
                mac: Mac::from_u64(owner),
                router: owner & ROUTER != 0,
                overrides: owner & OVERRIDES != 0,
                contested: owner & CONTESTED != 0,
                confirmed: Time::from_nanos(confirmed),
            };
            (u128::from(high) << 64 | u128::from(low), neighbour, searched)
        })
    }

    /// By the one writer.
    fn write(&self, address: u128, known: &Neighbour) {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        let flags =
            flag(known.router, ROUTER) | flag(known.overrides, OVERRIDES) | flag(known.contested, CONTESTED);
        let (high, low, owner) = ((address >> 64) as u64, address as u64, known.mac.as_u64() | flags);
        let differs = |word: &AtomicU64, new: u64| word.load(Ordering::Relaxed) ^ new;
        let same = differs(&self.address[0], high) == 0
            && differs(&self.address[1], low) == 0
            && differs(&self.owner, owner) & !(ROUTER | OVERRIDES) == 0;
        let sequence = self.sequence.load(Ordering::Relaxed);
        let writing = sequence.wrapping_add(1);
        self.sequence.store(writing, Ordering::Relaxed);
        fence(Ordering::Release);
        self.address[0].store(high, Ordering::Relaxed);
        self.address[1].store(low, Ordering::Relaxed);
        self.owner.store(owner, Ordering::Relaxed);
        if !same {
            // an exchange, as the workers': one comes after the other
            self.searched.swap(writing, Ordering::Relaxed);
        }
        self.confirmed.store(known.confirmed.as_nanos(), Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }
}

/// IPv4 addresses stand in the v4-mapped prefix.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn address(number: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(number)).to_canonical()
}

/// The table, for readers.
pub struct NeighbourTable {
    entries: Box<[Entry]>,
    /// The MACs that have an address here, in sets like those of the entries; 0 for none.
    owners: Box<[AtomicU64]>,
    key: HashKey,
}

impl std::fmt::Debug for NeighbourTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NeighbourTable").field("slots", &self.entries.len()).finish_non_exhaustive()
    }
}

impl NeighbourTable {
    /// Room for so many addresses, all of it now.
    pub fn new(rules: &Neighbours, seed: u64) -> NeighbourTable {
        NeighbourTable::with_capacity(rules.capacity, seed)
    }

    /// [`NeighbourTable::new`] for so many addresses.
    pub fn with_capacity(capacity: u32, seed: u64) -> NeighbourTable {
        let slots = NeighbourTable::slots_for(capacity);
        NeighbourTable {
            entries: (0..slots).map(|_| Entry::new()).collect(),
            owners: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            key: HashKey::from_seed(seed),
        }
    }

    fn slots_for(capacity: u32) -> usize {
        // a quarter full at most, so that a set of eight is hardly ever full by chance
        (4 * capacity as usize).next_power_of_two().max(WAYS)
    }

    /// Bytes that a table for so many addresses takes.
    pub fn memory_for(capacity: u32) -> usize {
        NeighbourTable::slots_for(capacity) * (size_of::<Entry>() + size_of::<AtomicU64>())
    }

    /// Bytes that this one takes.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.entries) + size_of_val(&*self.owners)
    }

    /// A free slot for an address.
    fn free(&self, wanted: u128) -> Option<usize> {
        self.set(wanted).find(|slot| self.entries[*slot].read().is_some_and(|(number, _)| number == 0))
    }

    fn set(&self, number: u128) -> std::ops::Range<usize> {
        self.ways(self.key.hash((number >> 64) as u64 ^ self.key.hash(number as u64)))
    }

    fn ways(&self, hash: u64) -> std::ops::Range<usize> {
        let first = hash as usize % (self.entries.len() / WAYS) * WAYS;
        first..first + WAYS
    }

    /// The places where a MAC can stand among the owners.
    fn owner_set(&self, mac: Mac) -> &[AtomicU64] {
        &self.owners[self.ways(self.key.hash(mac.as_u64()))]
    }

    /// An address of this MAC is known: it can be asked whether it is still there.
    pub fn has_address_of(&self, mac: Mac) -> bool {
        self.owner_set(mac).iter().any(|owner| owner.load(Ordering::Relaxed) == mac.as_u64())
    }

    /// By the one writer. A MAC without room is one that cannot be asked.
    fn mark_owner(&self, from: u64, to: u64, mac: Mac) {
        let place = self.owner_set(mac).iter().find(|owner| owner.load(Ordering::Relaxed) == from);
        if let Some(place) = place {
            place.store(to, Ordering::Relaxed);
        }
    }

    fn find(&self, wanted: u128) -> Option<(usize, Neighbour)> {
        self.set(wanted).find_map(|slot| match self.entries[slot].read() {
            Some((number, known)) if number == wanted => Some((slot, known)),
            _ => None,
        })
    }

    /// What is known of an address. An entry that is being written counts as not there: a request is then bridged.
    pub fn get(&self, address: IpAddr) -> Option<Neighbour> {
        self.find(number(address)).map(|(_, known)| known)
    }

    /// Whether a request for an address that its owner should have heard is to cross nevertheless: what claimed it first need
    /// not be its owner, which may be silent on the other side until somebody asks (row F218). It is where none crossed in the
    /// last 60 s, which is noted, and for 1 s after that, as the answer may be on its way.
    pub fn searches(&self, address: IpAddr, now: Time) -> bool {
        let wanted = number(address);
        let found = self.set(wanted).find_map(|slot| {
            let entry = &self.entries[slot];
            entry.read_all().filter(|(number, ..)| *number == wanted).map(|(.., searched)| (entry, searched))
        });
        let Some((entry, searched)) = found else { return true };
        let age = now.since(Time::from_nanos(searched));
        if searched & 1 == 0 && age < SEARCH {
            return age < ANSWER;
        }
        // another worker notes the same just now, or the entry is no longer what was read: then the next request crosses too
        let noted = now.as_nanos() & !1;
        let _ = entry.searched.compare_exchange(searched, noted, Ordering::Relaxed, Ordering::Relaxed);
        true
    }

    /// The writer need not be told of this: it would change nothing.
    pub fn knows(&self, heard: &Binding) -> bool {
        self.get(heard.address).is_some_and(|known| {
            known.mac == heard.mac
                && !known.contested
                && heard.time.since(known.confirmed) < FRESH
                && match heard.source {
                    BindingSource::Plain => true,
                    BindingSource::Advertised(flags) => {
                        known.router == (flags & 0x80 != 0) && known.overrides == (flags & 0x20 != 0)
                    }
                }
        })
    }

    /// All entries, by address.
    pub fn entries(&self) -> Vec<(IpAddr, Neighbour)> {
        let used = self.entries.iter().filter_map(Entry::read).filter(|(number, _)| *number != 0);
        let mut all: Vec<_> = used.map(|(number, known)| (address(number), known)).collect();
        all.sort_by_key(|(address, _)| *address);
        all
    }
}

/// What hearing an owner changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Change {
    /// Known, or renewed.
    None,
    /// Not learned: the table, its set, or what one MAC may have is full.
    Full,
    /// Another MAC claims a known address: the first such claim. Its owner, to be asked whether it is still there.
    Conflict(Mac),
    /// The owner is to be asked before the address goes to the one that claims it alone.
    Ask(Mac),
}

/// An address that two MACs claim.
#[derive(Debug, Clone, Copy)]
struct Contest {
    /// What was said last, by the one that has been alone.
    said: Binding,
    /// Since when it has.
    since: Time,
    /// When the owner was last asked in that time.
    asked: Option<Time>,
}

impl Contest {
    fn new(said: &Binding, asked: Option<Time>) -> Contest {
        Contest { said: *said, since: said.time, asked }
    }

    /// It has been alone for a minute, and was still there at the end of it.
    fn is_won(&self) -> bool {
        self.said.time.since(self.since) >= ALONE
    }

    /// The owner was asked, has had its time, and said nothing: a word of it would have begun the contest anew.
    fn is_owner_silent(&self, now: Time) -> bool {
        self.asked.is_some_and(|asked| (ANSWER..=STALE).contains(&now.since(asked)))
    }
}

/// The one writer of a table.
#[derive(Debug, Default)]
pub struct Writer {
    /// The addresses of each MAC.
    owned: HashMap<Mac, Vec<u128>>,
    /// Entries that count in the capacity: all but those of what is listed.
    entries: u32,
    /// The address that a MAC said last of those that it does not have here: another one claims it, or there was no room. By it that
    /// MAC can be asked too, or whoever claims all of its addresses first could take it (docs/spec F198).
    said: HashMap<Mac, (u128, Time)>,
    /// The addresses that were listed, or their MACs were, when they got their entry.
    listed: HashSet<u128>,
    /// In the order of the addresses: which of them a MAC has room for must not hang on a hash (law 5).
    contests: BTreeMap<u128, Contest>,
    /// Owners are asked before their address goes to another: [`Change::Conflict`] and [`Change::Ask`] are acted on.
    asks: bool,
    /// Addresses not learned for want of room.
    pub refused: u64,
}

impl Writer {
    /// One that has owners asked, where there is somebody to ask them; [`Writer::settle`] is then called once a second.
    pub fn new(asks: bool) -> Writer {
        Writer { asks, ..Writer::default() }
    }

    /// Learns from what an owner said. What is listed has room whatever strangers have said.
    pub fn learn(
        &mut self,
        table: &NeighbourTable,
        rules: &Neighbours,
        heard: &Binding,
        listed: bool,
    ) -> Change {
        let wanted = number(heard.address);
        match table.find(wanted) {
            None if listed && self.owned(heard.mac) < rules.per_mac => {
                self.insert_listed(table, wanted, heard)
            }
            None => self.insert(table, rules, wanted, heard),
            Some((slot, known)) if known.contested => {
                self.note(table, rules, known.mac, heard);
                self.contested(table, slot, rules, &known, heard)
            }
            Some((slot, known)) if known.mac == heard.mac => {
                table.entries[slot].write(wanted, &renewed(known, heard));
                Change::None
            }
            Some((slot, known)) => {
                self.note(table, rules, known.mac, heard);
                table.entries[slot].write(wanted, &Neighbour { contested: true, ..known });
                self.contests.insert(wanted, Contest::new(heard, Some(heard.time)));
                Change::Conflict(known.mac)
            }
        }
    }

    fn insert(
        &mut self,
        table: &NeighbourTable,
        rules: &Neighbours,
        wanted: u128,
        heard: &Binding,
    ) -> Change {
        let room = self.entries < rules.capacity && self.owned(heard.mac) < rules.per_mac;
        let (Some(slot), true) = (table.free(wanted), room) else {
            self.refused += 1;
            self.note(table, rules, Mac::ZERO, heard);
            return Change::Full;
        };
        self.entries += 1;
        self.put(table, slot, wanted, heard);
        Change::None
    }

    /// In a full set a stranger's entry makes room: the one that was heard longest ago.
    fn insert_listed(&mut self, table: &NeighbourTable, wanted: u128, heard: &Binding) -> Change {
        let stranger = || {
            let entries = table.set(wanted).filter_map(|slot| Some((slot, table.entries[slot].read()?)));
            let strangers = entries.filter(|(_, (number, _))| !self.listed.contains(number));
            strangers.min_by_key(|(_, (_, known))| known.confirmed)
        };
        let slot = match table.free(wanted) {
            Some(slot) => slot,
            None => {
                let Some((slot, (number, known))) = stranger() else {
                    self.refused += 1;
                    return Change::Full;
                };
                self.forget(table, slot, number, &known);
                slot
            }
        };
        self.listed.insert(wanted);
        self.put(table, slot, wanted, heard);
        Change::None
    }

    fn put(&mut self, table: &NeighbourTable, slot: usize, wanted: u128, heard: &Binding) {
        self.own(table, heard.mac, wanted);
        table.entries[slot].write(wanted, &first(heard));
    }

    fn forget(&mut self, table: &NeighbourTable, slot: usize, number: u128, known: &Neighbour) {
        const FREE: Neighbour = Neighbour {
            mac: Mac::ZERO,
            router: false,
            overrides: false,
            contested: false,
            confirmed: Time::ZERO,
        };
        table.entries[slot].write(0, &FREE);
        if !self.listed.remove(&number) {
            self.entries -= 1;
        }
        self.disown(table, known.mac, number);
        self.contests.remove(&number);
    }

    /// The first owner stays, and nothing is answered, until one MAC alone has spoken for a minute; another one has the address
    /// then only if the owner is silent (docs/spec C.4).
    fn contested(
        &mut self,
        table: &NeighbourTable,
        slot: usize,
        rules: &Neighbours,
        known: &Neighbour,
        heard: &Binding,
    ) -> Change {
        let begun = Contest::new(heard, None);
        let contest = self.contests.entry(number(heard.address)).or_insert(begun);
        if contest.said.mac != heard.mac {
            *contest = begun;
            return Change::None;
        }
        contest.said = *heard;
        if !self.asks || heard.mac == known.mac {
            return if contest.is_won() { self.end(table, slot, rules, known, heard) } else { Change::None };
        }
        let asked = contest.asked.is_some_and(|asked| heard.time.since(asked) <= STALE);
        if heard.time.since(contest.since) < ASK || asked {
            return Change::None;
        }
        contest.asked = Some(heard.time);
        Change::Ask(known.mac)
    }

    /// Gives contested addresses whose owner was asked and kept silent to those that claim them alone.
    pub fn settle(&mut self, table: &NeighbourTable, rules: &Neighbours, now: Time) {
        let won = |contest: &&Contest| self.asks && contest.is_won() && contest.is_owner_silent(now);
        let won: Vec<Binding> = self.contests.values().filter(won).map(|contest| contest.said).collect();
        for said in won {
            if let Some((slot, known)) = table.find(number(said.address))
                && known.mac != said.mac
            {
                // one that has no room is counted, and asks again
                let _ = self.end(table, slot, rules, &known, &said);
                self.contests.entry(number(said.address)).and_modify(|contest| contest.asked = None);
            }
        }
    }

    /// The contest is over: the address is the MAC's that said this.
    fn end(
        &mut self,
        table: &NeighbourTable,
        slot: usize,
        rules: &Neighbours,
        known: &Neighbour,
        said: &Binding,
    ) -> Change {
        let wanted = number(said.address);
        let settled = if known.mac == said.mac {
            renewed(Neighbour { contested: false, ..*known }, said)
        } else {
            if self.owned(said.mac) >= rules.per_mac {
                self.refused += 1;
                return Change::Full;
            }
            self.disown(table, known.mac, wanted);
            self.own(table, said.mac, wanted);
            first(said) // what the other one said of itself is not this one's
        };
        self.contests.remove(&wanted);
        table.entries[slot].write(wanted, &settled);
        Change::None
    }

    fn owned(&self, mac: Mac) -> u32 {
        self.owned.get(&mac).map_or(0, |addresses| addresses.len() as u32)
    }

    /// The addresses that a MAC can be asked for: its own, and one that it says is.
    pub fn addresses_of(&self, mac: Mac) -> impl Iterator<Item = IpAddr> {
        let owned = self.owned.get(&mac).into_iter().flatten().copied().map(address);
        owned.chain(self.said_by(mac))
    }

    /// The address that a MAC said last of those that it does not have here.
    pub fn said_by(&self, mac: Mac) -> Option<IpAddr> {
        self.said.get(&mac).map(|(said, _)| address(*said))
    }

    /// A MAC says that it has an address that is another's, or that there is no room for.
    fn note(&mut self, table: &NeighbourTable, rules: &Neighbours, owner: Mac, heard: &Binding) {
        let room = self.said.len() < 2 * rules.capacity as usize || self.said.contains_key(&heard.mac);
        if owner != heard.mac && room {
            let before = self.can_be_asked(heard.mac);
            self.said.insert(heard.mac, (number(heard.address), heard.time));
            if !before {
                table.mark_owner(0, heard.mac.as_u64(), heard.mac);
            }
        }
    }

    fn can_be_asked(&self, mac: Mac) -> bool {
        self.owned.contains_key(&mac) || self.said.contains_key(&mac)
    }

    /// Forgets owners that said nothing of an address for `age`, but for the last address of a MAC that may move and is alive and says of no other: only by it can
    /// that be asked before it moves (docs/spec F198). Nobody is answered for on what is so old.
    pub fn sweep(&mut self, table: &NeighbourTable, now: Time, age: Duration, alive: impl Fn(Mac) -> bool) {
        for (slot, entry) in table.entries.iter().enumerate() {
            if let Some((number, known)) = entry.read()
                && number != 0
                // a contested address stays for as long as anybody claims it
                && self.contests.get(&number).is_none_or(|contest| now.since(contest.since) >= age)
                && now.since(known.confirmed) >= age
                && !(self.owned(known.mac) == 1 && !self.said.contains_key(&known.mac) && alive(known.mac))
            {
                self.forget(table, slot, number, &known);
            }
        }
        let old = |mac: &Mac, said: &mut (u128, Time)| now.since(said.1) >= age && !alive(*mac);
        let gone: Vec<Mac> = self.said.extract_if(old).map(|(mac, _)| mac).collect();
        gone.into_iter().for_each(|mac| self.unmark(table, mac));
    }

    /// A MAC that cannot be asked for anything any more is no owner.
    fn unmark(&self, table: &NeighbourTable, mac: Mac) {
        if !self.can_be_asked(mac) {
            table.mark_owner(mac.as_u64(), 0, mac);
        }
    }

    fn own(&mut self, table: &NeighbourTable, mac: Mac, number: u128) {
        if !self.can_be_asked(mac) {
            table.mark_owner(0, mac.as_u64(), mac);
        }
        self.owned.entry(mac).or_default().push(number);
        if self.said.get(&mac).is_some_and(|(said, _)| *said == number) {
            self.said.remove(&mac);
        }
    }

    fn disown(&mut self, table: &NeighbourTable, mac: Mac, number: u128) {
        if let Some(addresses) = self.owned.get_mut(&mac) {
            addresses.retain(|owned| *owned != number);
            if addresses.is_empty() {
                self.owned.remove(&mac);
                self.unmark(table, mac);
            }
        }
    }
}

/// What an owner's first word makes known of it. An exchange's stations are routers, until one says otherwise.
fn first(heard: &Binding) -> Neighbour {
    let Binding { mac, time: confirmed, .. } = *heard;
    renewed(Neighbour { mac, router: true, overrides: false, contested: false, confirmed }, heard)
}

fn renewed(known: Neighbour, heard: &Binding) -> Neighbour {
    let confirmed = known.confirmed.max(heard.time);
    match heard.source {
        BindingSource::Plain => Neighbour { confirmed, ..known },
        BindingSource::Advertised(flags) => {
            Neighbour { confirmed, router: flags & 0x80 != 0, overrides: flags & 0x20 != 0, ..known }
        }
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
