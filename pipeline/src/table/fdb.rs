//! The MAC table of one bridge (docs/spec B.2, F38 to F50): which side a learned address is on, shared by all workers without
//! a lock. Addresses that the YAML pins to a side are not in it.
//!
//! An entry is one word, so that a look-up reads one or two cache lines and whatever changes an entry is one
//! compare-and-swap of all that it says:
//!
//! ```text
//!  63                         16  15     14            13    0
//! +-----------------------------+------+-------------+---------+
//! |           address           | side | quarantined |  stamp  |
//! +-----------------------------+------+-------------+---------+
//! ```
//!
//! and 0 in a free slot, as 00:00:00:00:00:00 is no station.
//!
//! The stamp is when the address was last heard, in ticks of 250 ms modulo 2^14. It is written again when the tick has
//! changed, so most frames of a known address write nothing, and what is compared with a stamp allows for the tick that
//! it may be behind. **A stamp never wraps unnoticed**: every sweep of the whole table moves a horizon up to which all
//! stamps can be read, and whoever looks at the table from beyond it (a capture may jump by days between two frames)
//! sweeps first.
//!
//! There are two kinds. The strangers' forgets who was not heard for `age`; that of the listed stations without a side
//! [lasts](Fdb::lasting) (F195, F211).

use std::fmt;
use std::iter;
use std::ops::Range;
use std::time::Duration;

use rules::{Mac, Macs, Side};

use super::hash::HashKey;
use super::sync::{AtomicU32, AtomicU64, Ordering, fence};
use crate::base::time::Time;

/// How exactly an address's last sight is known: at the default `move_guard` the step that docs/decisions/0003 explains.
pub const TICK: Duration = Duration::from_millis(250);

/// Stamps are modulo this, in ticks.
const STAMPS: u64 = 1 << 14;

/// Ticks that a stamp may be ahead of the reader: another worker's burst may be younger.
const AHEAD: u64 = 255;

/// Ticks beyond the start of a sweep until a stamp that it left could be misread: 432 s.
const UNTIL_HORIZON: u64 = STAMPS - AHEAD - 1 - LONGEST_SILENCE;

/// Ticks after which an address counts as silent whatever the rules say: no stamp need say more.
const LONGEST_SILENCE: u64 = tick_of(Time::from_nanos(nanos(Fdb::LONGEST))) + 1;

/// Words of a set, which is one cache line. (The model checker tries every order of steps: it gets fewer.)
const WAYS: usize = if cfg!(loom) { 2 } else { 8 };

/// Moves remembered: one less than `flap.moves` may be, as the move at hand is the last.
const MOVES: usize = 15;

/// Challengers are refused unseen while the address was heard on its own side within this time. One that was silent for longer may
/// have moved: whoever misused its MAC on its new side must not keep it from there (F199).
const DOUBT: Duration = Duration::from_secs(5);

/// How often a worker starts over because another one changed the same entry meanwhile. Each time that one succeeded, so only
/// as many workers as this, all changing one entry at once, can make a frame be refused.
const TRIES: usize = 8;

/// So many ticks since a stamp make sure that the address was silent for `limit`: one tick more than that, for what a
/// stamp does not say (its own remainder, and the sights in the same tick that did not renew it).
#[inline]
fn silent(ticks: u64, limit: Duration) -> bool {
    ticks * nanos(TICK) >= nanos(limit.min(Fdb::LONGEST)) + nanos(TICK)
}

#[inline]
const fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

/// What became of a frame's source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Learned {
    /// It is where it was; the frame passes.
    Known,
    /// It was not known and is now; the frame passes.
    New,
    /// It was silent for `move_guard` and is on this side now (F44); the frame passes.
    Moved,
    /// Not learned: too many new addresses (F49).
    NewLimit,
    /// Not learned or not moved: its side has all the addresses that it may have (F48), or the address is no station's.
    Full,
    /// It was heard on the other side within `move_guard` (F43), or must be looked for there before it is believed here (F198);
    /// the entry is unchanged.
    BothSides,
    /// It proved too often that it is on the other side: who claims it here is not believed for a while (F200).
    Refused,
    /// It moves to and fro and is quarantined on both sides (F46).
    Flapping {
        /// By this very frame: the one to report.
        first: bool,
    },
}

impl Learned {
    /// The frame goes on.
    pub const fn passes(self) -> bool {
        matches!(self, Learned::Known | Learned::New | Learned::Moved)
    }
}

/// Where an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On this side.
    Side(Side),
    /// Flapping: nothing goes to it (F46).
    Quarantined,
}

/// When and where an address was last heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The side.
    pub side: Side,
    /// The beginning of the tick.
    pub heard: Time,
}

/// What became of an address that was looked for on its side, for [`Fdb::move_silent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It was silent, and is on the other side now.
    Moved,
    /// It was heard on its side since it was asked.
    Alive,
    /// It was silent since it was asked, and not for `move_guard` yet.
    Guarded,
    /// It was silent, and its new side has all the addresses that it may have.
    Full,
    /// Nothing is left to be decided: it is there already, or nowhere.
    Settled,
}

/// An entry, as people look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The address.
    pub mac: Mac,
    /// The side that it counts on.
    pub side: Side,
    /// Heard, or quarantined.
    pub state: State,
    /// How often it has moved since it was learned.
    pub moves: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// In use.
    Heard {
        /// Since it was last heard, to a quarter of a second.
        idle: Duration,
    },
    /// Its frames, and those to it, are dropped.
    Quarantined {
        /// Until that ends.
        left: Duration,
    },
}

/// An entry's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word(u64);

impl Word {
    const FREE: Word = Word(0);
    const QUARANTINED: u64 = 1 << 14;

    const fn heard(mac: Mac, side: Side, tick: u64) -> Word {
        Word((mac.as_u64() << 16) | ((side as u64) << 15) | (tick % STAMPS))
    }

    const fn quarantined(self) -> Word {
        Word(self.0 | Word::QUARANTINED)
    }

    const fn is_quarantined(self) -> bool {
        self.0 & Word::QUARANTINED != 0
    }

    /// Of this address. A free slot is nobody's.
    const fn is(self, mac: Mac) -> bool {
        self.0 >> 16 == mac.as_u64() && self.0 != Word::FREE.0
    }

    const fn mac(self) -> Mac {
        Mac::from_u64(self.0 >> 16)
    }

    const fn side(self) -> Side {
        Side::from_index((self.0 >> 15) as usize)
    }

    /// Ticks since the stamp, at a tick that is not beyond the horizon.
    const fn age(self, tick: u64) -> u64 {
        let age = tick.wrapping_sub(self.0) % STAMPS;
        if age < STAMPS - AHEAD { age } else { 0 }
    }
}

/// Words on one cache line.
#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

impl Set {
    /// The word of an address. Reads all ways, as a branch for each costs more: of the differences to what is looked for,
    /// the smallest is below 2^16 where the address is the same.
    #[inline]
    fn nearest(&self, mac: Mac) -> Option<Word> {
        let wanted = mac.as_u64() << 16;
        let differences: [u64; WAYS] = std::array::from_fn(|way| self.word(way).0 ^ wanted);
        let word = Word(differences.into_iter().fold(u64::MAX, u64::min) ^ wanted);
        word.is(mac).then_some(word)
    }

    #[inline]
    fn word(&self, way: usize) -> Word {
        Word(self.0[way].load(Ordering::Acquire))
    }

    /// True where this thread made the change.
    fn swap(&self, way: usize, from: Word, to: Word) -> bool {
        self.0[way].compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// A free slot for an address: where it is looked for first, if it can be.
    fn vacant(&self, first: usize) -> Option<usize> {
        iter::once(first).chain(0..WAYS).find(|&way| self.word(way) == Word::FREE)
    }

    fn used(&self) -> usize {
        (0..WAYS).filter(|&way| self.word(way) != Word::FREE).count()
    }
}

/// The place of a word.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Slot {
    set: usize,
    way: usize,
}

/// The moves of the address in one slot: a cache line.
///
/// Every slot has one: a common pool would be smaller, and who fills it with moves of his own would be free to flap. Times are in
/// ticks modulo 2^32, which is 34 years.
///
/// Written only by whoever's compare-and-swap inserted or moved the entry, and the guard keeps the next move away from
/// that: two write at once only where a worker stands still for so long in between, and then moves are miscounted or a
/// quarantine ends early.
#[repr(align(64))]
struct History {
    moves: AtomicU32,
    /// The move number n is at n modulo its length. In quarantine the first is its end, as moves no longer matter: who wrote
    /// that and then found the entry changed has made one move of an address that is about to be quarantined count longer. It is
    /// also the end of the time for which challengers are refused, which makes one move count longer too.
    times: [AtomicU32; MOVES],
}

impl History {
    /// In `moves`, above the number: until the first of the times, challengers are refused.
    const REFUSES: u32 = 1 << 31;

    fn new() -> History {
        History { moves: AtomicU32::new(0), times: std::array::from_fn(|_| AtomicU32::new(0)) }
    }

    /// Forgets what another address left behind. Most left nothing, and then there is nothing to write.
    fn clear(&self) {
        if self.moves.load(Ordering::Relaxed) != 0 {
            self.moves.store(0, Ordering::Relaxed);
        }
    }

    /// Moves that count against the address, before the one at hand: all within that time, and some up to a tick older.
    fn recent(&self, now: Time, within: Duration) -> usize {
        let known = (self.moves() as usize).min(MOVES);
        let within = nanos(within).div_ceil(nanos(TICK)) as i64;
        let ago = |time: &&AtomicU32| ticks(time.load(Ordering::Relaxed), tick_of(now) as u32).into();
        self.times[..known].iter().filter(|time| within >= ago(time)).count()
    }

    fn record(&self, now: Time) {
        self.times[self.moves() as usize % MOVES].store(tick_of(now) as u32, Ordering::Relaxed);
        self.count();
    }

    /// A move without its time.
    fn count(&self) {
        // whoever refuses challengers meanwhile is not overwritten; more moves than 2^31 an entry does not see
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    fn moves(&self) -> u32 {
        self.moves.load(Ordering::Relaxed) & !History::REFUSES
    }

    /// Challengers are refused for so long, and up to a tick more.
    fn refuse(&self, now: Time, hold: Duration) {
        self.hold(now, hold);
        self.moves.fetch_or(History::REFUSES, Ordering::Release);
    }

    fn refuses(&self, now: Time) -> bool {
        self.moves.load(Ordering::Acquire) & History::REFUSES != 0 && !self.left(now).is_zero()
    }

    /// What is known of an address goes along with it into another table.
    fn copy(&self, from: &History) {
        for (time, from) in self.times.iter().zip(&from.times) {
            time.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.moves.store(from.moves.load(Ordering::Relaxed), Ordering::Release);
    }

    /// The quarantine lasts for so long, and up to a tick more.
    fn hold(&self, now: Time, hold: Duration) {
        let end = now.after(hold).as_nanos().div_ceil(nanos(TICK));
        self.times[0].store(end as u32, Ordering::Relaxed);
    }

    /// Of the quarantine; zero where it is over.
    fn left(&self, now: Time) -> Duration {
        let left = ticks(tick_of(now) as u32, self.times[0].load(Ordering::Relaxed)).max(0);
        Duration::from_nanos(left as u64 * nanos(TICK))
    }
}

/// From one time of a [`History`] to another; negative where that is before it.
const fn ticks(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

/// Entries on each side, away from what every look-up reads.
#[repr(align(64))]
struct Counts([AtomicU32; 2]);

/// How far a sweep in pieces has come. One belongs to whoever sweeps the table regularly.
#[derive(Debug, Default)]
pub struct Sweep {
    next: usize,
    began: u64,
}

impl Sweep {
    /// Nothing is swept yet, or all is: the next piece is the first one.
    pub fn is_new(&self) -> bool {
        self.next == 0
    }
}

/// The table. Shared by reference; every method may be called by any thread at any time.
pub struct Fdb {
    sets: Box<[Set]>,
    key: HashKey,
    capacity: u32,
    /// Addresses stay, however long they are silent.
    lasting: bool,
    /// The last tick at which every stamp in the table can be read.
    horizon: AtomicU64,
    histories: Box<[History]>,
    counts: Counts,
}

/// The table as a burst of frames sees it, its time and rules looked up once. For as long as the burst lasts.
#[derive(Debug, Clone, Copy)]
pub struct FdbView<'a> {
    table: &'a Fdb,
    tick: u64,
    /// An address silent for so many ticks is forgotten.
    age: u64,
}

/// What is known of an address on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FdbLookup {
    /// It is not there, or not to be used.
    Miss,
    /// It is there, and was not heard in this tick yet.
    HitStale,
    /// It is there and was heard in this tick: learning it would write nothing.
    Hit,
}

impl FdbView<'_> {
    /// Whether an address is on this side.
    #[inline(always)]
    pub fn known(&self, mac: Mac, side: Side) -> FdbLookup {
        let (word, fresh) = (self.home(mac), Word::heard(mac, side, self.tick));
        // a free slot is 0, and so is the word of 00:00:00:00:00:00
        if word == fresh && word != Word::FREE {
            FdbLookup::Hit
        } else if word.0 ^ fresh.0 < STAMPS && word != Word::FREE && word.age(self.tick) < self.age {
            // the stamp is the lowest of a word's bits: nothing else differs
            FdbLookup::HitStale
        } else {
            self.seek(mac, side)
        }
    }

    /// Renews the stamp of an address that is [`FdbLookup::HitStale`]. False where its entry has changed meanwhile, or is not in
    /// the slot where it is looked for first.
    #[inline]
    pub fn refresh(&self, mac: Mac, side: Side) -> bool {
        let (Slot { set, way }, fresh) = (self.slot(mac), Word::heard(mac, side, self.tick));
        let set = &self.table.sets[set];
        let word = set.word(way);
        let stale = word.0 ^ fresh.0 < STAMPS && word.age(self.tick) < self.age;
        // Age 0 may also be a stamp ahead of this worker's clock: it stays.
        stale && (word.age(self.tick) == 0 || set.swap(way, word, fresh))
    }

    /// Where an address most likely is, for the sake of the caches.
    #[inline(always)]
    pub fn place(&self, mac: Mac) -> *const u8 {
        let Slot { set, way } = self.slot(mac);
        std::ptr::from_ref(&self.table.sets[set].0[way]).cast()
    }

    /// The table is larger than the caches near a core: it pays to ask for all addresses of a burst before any is needed.
    pub fn is_large(&self) -> bool {
        /// 1 MiB of words.
        const LARGE: usize = 1 << 17;
        self.table.slots() > LARGE
    }

    /// What is in the slot where an address is looked for first.
    #[inline(always)]
    fn home(&self, mac: Mac) -> Word {
        let Slot { set, way } = self.slot(mac);
        self.table.sets[set].word(way)
    }

    #[inline(always)]
    fn slot(&self, mac: Mac) -> Slot {
        let ([set, _], way) = self.table.homes(mac);
        Slot { set, way }
    }

    /// Looks in all slots where an address can be.
    #[cold]
    #[inline(never)]
    fn seek(&self, mac: Mac, side: Side) -> FdbLookup {
        match self.table.word(mac) {
            Some(word) if word == Word::heard(mac, side, self.tick) => FdbLookup::Hit,
            Some(word) if word.side() == side && !word.is_quarantined() && word.age(self.tick) < self.age => {
                FdbLookup::HitStale
            }
            _ => FdbLookup::Miss,
        }
    }
}

impl fmt::Debug for Fdb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Side::BOTH.map(|side| self.count(side));
        f.debug_struct("Fdb")
            .field("capacity", &self.capacity)
            .field("counts", &counts)
            .finish_non_exhaustive()
    }
}

impl Fdb {
    /// The longest `age` and `move_guard`: stamps reach no further. Longer ones count as this.
    pub const LONGEST: Duration = Duration::from_secs(3600);

    /// A table of `rules.capacity` addresses a side, which takes 0.6 to 1.2 KiB for each (8 to 16 slots of a word and a
    /// history: see [`Fdb::memory_for`]), all of it now. All else in the
    /// rules may change with every call. `seed` is that of the hash: one that nobody can guess for live traffic.
    pub fn new(rules: &Macs, seed: u64) -> Fdb {
        Fdb::with_capacity(rules.capacity, seed)
    }

    /// [`Fdb::new`] for so many addresses a side.
    pub fn with_capacity(capacity: u32, seed: u64) -> Fdb {
        Fdb::made(capacity, false, seed)
    }

    /// A table for so many listed addresses, all of which have room on either side and none of which ages (F195, F211).
    pub fn lasting(addresses: u32, seed: u64) -> Fdb {
        Fdb::made(addresses, true, seed)
    }

    fn made(capacity: u32, lasting: bool, seed: u64) -> Fdb {
        let sets = Fdb::sets_for(capacity);
        Fdb {
            sets: (0..sets).map(|_| Set(std::array::from_fn(|_| AtomicU64::new(Word::FREE.0)))).collect(),
            key: HashKey::from_seed(seed),
            capacity,
            lasting,
            horizon: AtomicU64::new(0),
            histories: (0..sets * WAYS).map(|_| History::new()).collect(),
            counts: Counts(std::array::from_fn(|_| AtomicU32::new(0))),
        }
    }

    const fn sets_for(capacity: u32) -> usize {
        // A quarter full at most: then two sets of eight are never both full by chance.
        let slots = 4 * Side::BOTH.len() * capacity as usize;
        let sets = slots.div_ceil(WAYS).next_power_of_two();
        if sets > 2 { sets } else { 2 }
    }

    /// Bytes that a table for so many addresses a side takes.
    pub const fn memory_for(capacity: u32) -> usize {
        Fdb::sets_for(capacity) * (size_of::<Set>() + WAYS * size_of::<History>())
    }

    /// Bytes that this one takes.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.sets) + size_of_val(&*self.histories)
    }

    /// Where frames to `mac` go; `None` where it is unknown or has aged (F50).
    #[inline]
    pub fn lookup(&self, mac: Mac, now: Time, rules: &Macs) -> Option<Place> {
        let tick = self.tick(now, rules);
        let word = self.word(mac)?;
        if word.is_quarantined() {
            return self.held(mac, now);
        }
        (!silent(word.age(tick), rules.age) || self.lasting).then(|| Place::Side(word.side()))
    }

    /// A frame from `mac` came in on `side`. `new_token` is asked at most once, and only for an address that is not known
    /// and has room (F49).
    #[inline]
    pub fn learn(
        &self,
        mac: Mac,
        side: Side,
        now: Time,
        rules: &Macs,
        new_token: impl FnOnce() -> bool,
    ) -> Learned {
        self.learn_unless(mac, side, now, rules, new_token, || false)
    }

    /// [`Fdb::learn`], but an address that could move does not where `must_verify` says that it is to be looked for on its old
    /// side first (F198).
    #[inline]
    pub fn learn_unless(
        &self,
        mac: Mac,
        side: Side,
        now: Time,
        rules: &Macs,
        new_token: impl FnOnce() -> bool,
        must_verify: impl Fn() -> bool,
    ) -> Learned {
        let tick = self.tick(now, rules);
        if self.word(mac) == Some(Word::heard(mac, side, tick)) {
            return Learned::Known;
        }
        self.learn_change(mac, side, now, rules, new_token, must_verify)
    }

    /// When and where an address was last heard; `None` where it is unknown, has aged, or is in quarantine.
    pub fn sight(&self, mac: Mac, now: Time, rules: &Macs) -> Option<Sight> {
        let tick = self.tick(now, rules);
        let (slot, word) = self.find(mac)?;
        if word.is_quarantined() || self.has_aged(slot, word, now, rules) {
            return None;
        }
        let heard = tick.saturating_sub(self.age(word, now));
        Some(Sight { side: word.side(), heard: Time::from_nanos(heard * nanos(TICK)) })
    }

    /// Moves an address to a side if it was silent on its own since the tick in which it was asked, and for `move_guard`. It was
    /// looked for, so this never ends in quarantine (F200).
    pub fn move_silent(&self, mac: Mac, to: Side, asked: Time, now: Time, rules: &Macs) -> Verdict {
        let tick = self.tick(now, rules);
        for _ in 0..TRIES {
            let Some((slot, word)) = self.find(mac) else { return Verdict::Settled };
            let age = self.age(word, now);
            if word.is_quarantined() || word.side() == to || self.has_aged(slot, word, now, rules) {
                return Verdict::Settled;
            } else if tick.saturating_sub(age) >= tick_of(asked) {
                return Verdict::Alive;
            } else if !silent(age, rules.move_guard) {
                return Verdict::Guarded;
            }
            match self.cross(slot, word, Word::heard(mac, to, tick), now) {
                Some(Learned::Full) => return Verdict::Full,
                Some(_) => return Verdict::Moved,
                None => {}
            }
        }
        Verdict::Alive // somebody else changed it each time
    }

    /// Who claims an address on the side where it is not is refused for so long, without being looked into for as long as the address
    /// goes on to be heard on its own.
    pub fn refuse_challengers(&self, mac: Mac, now: Time, hold: Duration) {
        if let Some((slot, _)) = self.find(mac) {
            self.history(slot).refuse(now, hold);
        }
    }

    /// Takes in what another table knows of the addresses that are wanted, as far as there is room (law 4). What workers write
    /// there meanwhile may be missed, which is a refresh at most.
    pub fn take_over(&self, from: &Fdb, wanted: impl Fn(Mac) -> bool) {
        for set in 0..from.sets.len() {
            for way in 0..WAYS {
                let (slot, word) = (Slot { set, way }, from.sets[set].word(way));
                if word != Word::FREE && wanted(word.mac()) {
                    self.adopt(word, from.history(slot), from.horizon.load(Ordering::Acquire));
                }
            }
        }
    }

    /// Takes in one word, which can be read up to a horizon.
    fn adopt(&self, word: Word, history: &History, horizon: u64) {
        if let Some((slot, old)) = self.find(word.mac()) {
            self.expire(slot, old); // of a time before
        }
        let homes = self.homes(word.mac());
        let mut vacant = homes.0.into_iter().filter_map(|set| Some((set, self.sets[set].vacant(homes.1)?)));
        let Some((set, way)) = vacant.next() else { return };
        match Side::BOTH.iter().all(|&side| self.count(side) == 0) {
            true => self.horizon.store(horizon, Ordering::Release),
            false => _ = self.horizon.fetch_min(horizon, Ordering::AcqRel),
        }
        if !self.reserve(word.side()) {
            return;
        }
        self.history(Slot { set, way }).copy(history);
        if !self.sets[set].swap(way, Word::FREE, word) {
            self.release(word.side());
        }
    }

    /// Takes in what was known of an address when the bridge last ran, to be called before any worker runs. False where there is no
    /// room, the address is no station's, or it is there already. How often it has moved is forgotten.
    pub fn restore(&self, mac: Mac, side: Side, state: State, now: Time, rules: &Macs) -> bool {
        let tick = self.tick(now, rules);
        let vacancy = if self.find(mac).is_none() { self.vacancy(mac, side, now, rules) } else { None };
        let Some(slot) = vacancy.filter(|_| self.reserve(side)) else { return false };
        let word = match state {
            // rather older than younger; a stamp that lies before the clock's origin is read right too
            State::Heard { idle } => {
                let ticks = nanos(idle.min(Fdb::LONGEST)).div_ceil(nanos(TICK));
                Word::heard(mac, side, tick.wrapping_sub(ticks))
            }
            State::Quarantined { left } => {
                self.history(slot).hold(now, left);
                Word::heard(mac, side, tick).quarantined()
            }
        };
        let mine = self.sets[slot.set].swap(slot.way, Word::FREE, word);
        if !mine {
            self.release(side);
        }
        mine
    }

    /// The table as a burst of frames sees it.
    #[inline]
    pub fn view(&self, now: Time, rules: &Macs) -> FdbView<'_> {
        let age = nanos(rules.age.min(Fdb::LONGEST)) + nanos(TICK);
        let age = if self.lasting { u64::MAX } else { age.div_ceil(nanos(TICK)) };
        FdbView { table: self, tick: self.tick(now, rules), age }
    }

    /// Frees what has aged, in the next `slots` slots (a set's at least). Until then an aged entry takes up capacity. Where
    /// no sweep of the whole table has begun for seven minutes, a worker makes one. Says who was silent for nine tenths of its
    /// time (F211).
    pub fn sweep(
        &self,
        now: Time,
        rules: &Macs,
        sweep: &mut Sweep,
        slots: usize,
        mut fading: impl FnMut(Mac, Side),
    ) {
        let nearly = nanos(rules.age.min(Fdb::LONGEST)) / 10 * 9;
        if sweep.next == 0 {
            sweep.began = tick_of(now);
        }
        let end = self.sets.len().min(sweep.next + slots.div_ceil(WAYS).max(1));
        for set in sweep.next..end {
            self.sweep_set(set, now, rules);
            let words = (0..WAYS).map(|way| self.sets[set].word(way));
            let fades = |word: &Word| {
                let heard = *word != Word::FREE && !word.is_quarantined() && !self.lasting;
                heard && self.age(*word, now) * nanos(TICK) >= nearly
            };
            words.filter(fades).for_each(|word| fading(word.mac(), word.side()));
        }
        sweep.next = end;
        if end == self.sets.len() {
            self.horizon.fetch_max(sweep.began + UNTIL_HORIZON, Ordering::AcqRel);
            sweep.next = 0;
        }
    }

    /// Frees all that has aged.
    pub fn sweep_all(&self, now: Time, rules: &Macs) {
        self.sweep(now, rules, &mut Sweep::default(), self.slots(), |_, _| {});
    }

    /// The memory that look-ups read.
    pub fn extent(&self) -> Range<*const u8> {
        let Range { start, end } = self.sets.as_ptr_range();
        start.cast()..end.cast()
    }

    /// Slots of the table: the length of a whole sweep.
    pub fn slots(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Entries on a side, those included that have aged but are not swept yet. Never over the capacity.
    pub fn count(&self, side: Side) -> u32 {
        self.counts.0[side.index()].load(Ordering::Relaxed)
    }

    /// All entries, in no order, without those that have aged.
    pub fn entries(&self, now: Time, rules: &Macs) -> impl Iterator<Item = Entry> {
        let slots = (0..self.sets.len()).flat_map(|set| (0..WAYS).map(move |way| Slot { set, way }));
        slots.filter_map(move |slot| {
            let word = self.sets[slot.set].word(slot.way);
            if word == Word::FREE || self.has_aged(slot, word, now, rules) {
                return None;
            }
            let state = if word.is_quarantined() {
                State::Quarantined { left: self.history(slot).left(now) }
            } else {
                State::Heard { idle: Duration::from_nanos(self.age(word, now) * nanos(TICK)) }
            };
            Some(Entry {
                mac: word.mac(),
                side: word.side(),
                state,
                moves: self.history(slot).moves().into(),
            })
        })
    }

    #[cold]
    #[inline(never)]
    fn learn_change(
        &self,
        mac: Mac,
        side: Side,
        now: Time,
        rules: &Macs,
        new_token: impl FnOnce() -> bool,
        must_verify: impl Fn() -> bool,
    ) -> Learned {
        let tick = tick_of(now);
        let heard = Word::heard(mac, side, tick);
        let mut new_token = Some(new_token);
        for _ in 0..TRIES {
            let Some((slot, word)) = self.find(mac) else {
                let Some(slot) = self.vacancy(mac, side, now, rules) else { return Learned::Full };
                if new_token.take().is_some_and(|ask| !ask()) {
                    return Learned::NewLimit;
                }
                if !self.reserve(side) {
                    return Learned::Full;
                }
                if !self.sets[slot.set].swap(slot.way, Word::FREE, heard) {
                    self.release(side);
                } else if self.settle(mac) == Some(slot) {
                    self.history(slot).clear();
                    return Learned::New;
                }
                continue;
            };
            if self.has_aged(slot, word, now, rules) {
                self.expire(slot, word);
            } else if word.is_quarantined() {
                return Learned::Flapping { first: false };
            } else if word.side() == side {
                // Age 0 may also be a stamp ahead of this worker's clock: it stays.
                if word.age(tick) == 0 || self.sets[slot.set].swap(slot.way, word, heard) {
                    return Learned::Known;
                }
            } else if self.history(slot).refuses(now) && !silent(word.age(tick), DOUBT) {
                return Learned::Refused;
            } else if !silent(word.age(tick), rules.move_guard) || must_verify() {
                return Learned::BothSides;
            } else if let Some(learned) = self.shift(slot, word, heard, now, rules) {
                return learned;
            }
        }
        Learned::Full
    }

    /// Moves an entry to its other side, or into quarantine; `None` where another thread changed it first.
    fn shift(&self, slot: Slot, word: Word, heard: Word, now: Time, rules: &Macs) -> Option<Learned> {
        let history = self.history(slot);
        if history.recent(now, rules.flap.within) + 1 >= rules.flap.moves.into() {
            // Before the swap, which makes others read it.
            history.hold(now, rules.flap.hold);
            return self.sets[slot.set].swap(slot.way, word, word.quarantined()).then(|| {
                history.count();
                Learned::Flapping { first: true }
            });
        }
        self.cross(slot, word, heard, now)
    }

    /// Moves an entry to its other side if there is room; `None` where another thread changed it first.
    fn cross(&self, slot: Slot, word: Word, heard: Word, now: Time) -> Option<Learned> {
        if !self.reserve(heard.side()) {
            return Some(Learned::Full);
        }
        if !self.sets[slot.set].swap(slot.way, word, heard) {
            self.release(heard.side());
            return None;
        }
        self.release(word.side());
        self.history(slot).record(now);
        Some(Learned::Moved)
    }

    /// A free slot for an address that is not there, if its side may have another.
    fn vacancy(&self, mac: Mac, side: Side, now: Time, rules: &Macs) -> Option<Slot> {
        if !mac.is_station() || self.count(side) >= self.capacity {
            return None;
        }
        let (homes @ [a, b], first) = self.homes(mac);
        let used = || homes.map(|set| self.sets[set].used());
        if used() == [WAYS; 2] {
            self.sweep_set(a, now, rules);
            self.sweep_set(b, now, rules);
        }
        // The first set while it is half empty, so that most look-ups end there; then the emptier one, which is what
        // keeps both from filling up (the power of two choices).
        let [in_a, in_b] = used();
        let set = if in_a < WAYS / 2 || in_a <= in_b { a } else { b };
        self.sets[set].vacant(first).map(|way| Slot { set, way })
    }

    /// After an insertion: of the slots with this address (two workers may have met it at once) the first one stays, and
    /// is returned.
    fn settle(&self, mac: Mac) -> Option<Slot> {
        // Between the insertion and the look at the other slots: of two workers, one at least sees both entries.
        fence(Ordering::SeqCst);
        let mut first = None;
        for set in self.homes(mac).0 {
            for way in 0..WAYS {
                for _ in 0..TRIES {
                    let word = self.sets[set].word(way);
                    if !word.is(mac) {
                        break;
                    }
                    if first.is_none() {
                        first = Some(Slot { set, way });
                        break;
                    }
                    if self.expire(Slot { set, way }, word) {
                        break;
                    }
                }
            }
        }
        first
    }

    fn sweep_set(&self, set: usize, now: Time, rules: &Macs) {
        for way in 0..WAYS {
            let slot = Slot { set, way };
            let word = self.sets[set].word(way);
            if word == Word::FREE {
                continue;
            } else if self.has_aged(slot, word, now, rules) {
                self.expire(slot, word);
            } else if !word.is_quarantined() && self.age(word, now) > LONGEST_SILENCE {
                // it stays, and so its stamp must stay readable; who heard it meanwhile has written a better one
                let stamp = tick_of(now).wrapping_sub(LONGEST_SILENCE);
                self.sets[set].swap(way, word, Word::heard(word.mac(), word.side(), stamp));
            }
        }
    }

    /// Counts as absent: unheard for too long where the table does not last, or at the end of its quarantine. Right beyond the
    /// horizon too.
    fn has_aged(&self, slot: Slot, word: Word, now: Time, rules: &Macs) -> bool {
        if word.is_quarantined() {
            self.history(slot).left(now).is_zero()
        } else {
            !self.lasting && silent(self.age(word, now), rules.age)
        }
    }

    /// Ticks since a word's stamp. Right beyond the horizon too, where the word was read from the table before this call:
    /// a stamp beyond the horizon is written only once that has moved.
    fn age(&self, word: Word, now: Time) -> u64 {
        let tick = tick_of(now);
        let readable = tick.min(self.horizon.load(Ordering::Acquire));
        word.age(readable) + (tick - readable)
    }

    /// Frees a slot; false where its word has changed meanwhile. Whoever frees it gives its place back.
    fn expire(&self, slot: Slot, word: Word) -> bool {
        let mine = self.sets[slot.set].swap(slot.way, word, Word::FREE);
        if mine {
            self.release(word.side());
        }
        mine
    }

    fn reserve(&self, side: Side) -> bool {
        let one_more = |count| (count < self.capacity).then_some(count + 1);
        self.counts.0[side.index()].fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    fn release(&self, side: Side) {
        self.counts.0[side.index()].fetch_sub(1, Ordering::Relaxed);
    }

    /// The tick of `now`, with the table brought to where all stamps can be read at it.
    #[inline]
    fn tick(&self, now: Time, rules: &Macs) -> u64 {
        let tick = tick_of(now);
        if tick > self.horizon.load(Ordering::Acquire) {
            self.catch_up(now, rules);
        }
        tick
    }

    /// The packet path comes here before anybody has swept the table, which is when a reload has just made it: with nothing
    /// in it there is nothing to sweep. (An address that comes in meanwhile is of this moment, which the horizon allows for.)
    #[cold]
    #[inline(never)]
    fn catch_up(&self, now: Time, rules: &Macs) {
        if Side::BOTH.iter().all(|&side| self.count(side) == 0) {
            self.horizon.fetch_max(tick_of(now) + UNTIL_HORIZON, Ordering::AcqRel);
        } else {
            self.sweep_all(now, rules);
        }
    }

    /// The word of an address: all that a look-up needs.
    #[inline]
    fn word(&self, mac: Mac) -> Option<Word> {
        let ([a, b], _) = self.homes(mac);
        self.sets[a].nearest(mac).or_else(|| self.sets[b].nearest(mac))
    }

    /// The first slot of an address, with its word.
    fn find(&self, mac: Mac) -> Option<(Slot, Word)> {
        let slots = self.homes(mac).0.into_iter().flat_map(|set| (0..WAYS).map(move |way| Slot { set, way }));
        let mut words = slots.map(|slot| (slot, self.sets[slot.set].word(slot.way)));
        words.find(|&(_, word)| word.is(mac))
    }

    #[cold]
    fn held(&self, mac: Mac, now: Time) -> Option<Place> {
        let (slot, _) = self.find(mac)?;
        (!self.history(slot).left(now).is_zero()).then_some(Place::Quarantined)
    }

    /// The two sets that an address can be in, and the way in both that it takes if that is free. As the table is mostly
    /// empty, nearly every address is found in the first slot that is looked at.
    #[inline(always)]
    fn homes(&self, mac: Mac) -> ([usize; 2], usize) {
        let hash = self.key.hash(mac.as_u64());
        let mask = self.sets.len() - 1;
        let a = hash as usize & mask;
        let b = (hash >> 32) as usize & mask;
        ([a, if a == b { b ^ 1 } else { b }], (hash >> 61) as usize % WAYS)
    }

    fn history(&self, slot: Slot) -> &History {
        &self.histories[slot.set * WAYS + slot.way]
    }
}

#[inline]
const fn tick_of(now: Time) -> u64 {
    now.as_nanos() / nanos(TICK)
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
