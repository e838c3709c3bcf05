//! A worker's meter: how its bursts are filled, and how much of its time was needed.
//!
//! It costs a turn of the loop one addition, and each look at a port another: the loop reads the clock once a turn anyway,
//! and the time between two readings belongs whole to what the turn between them was.

use std::ops::AddAssign;
use std::time::Duration;

use crate::base::BURST;
use crate::base::time::Time;

/// Counted since the worker's start; plain integers that only the worker writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meter {
    /// Looks at a port, by how many frames they brought: the first is those that brought none.
    bursts: [u64; BURST + 1],
    /// Nanoseconds, by [`Spent`].
    spent: [u64; Spent::COUNT],
}

/// What a turn of the loop was: one look at each port, and what followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It brought frames. All of it counts as needed.
    Busy,
    /// It brought none.
    Idle,
    /// It brought none, and the worker then slept (`idle: sleep`).
    Asleep,
}

impl Spent {
    const COUNT: usize = 3;
}

impl Meter {
    /// Counts a look at a port that brought so many frames.
    #[inline]
    pub fn look(&mut self, frames: usize) {
        // as large as a burst can be, which only the port knows: `min` so that there is nothing to panic
        self.bursts[frames.min(BURST)] += 1;
    }

    /// Counts a turn from one reading of the clock to the next.
    #[inline]
    pub fn turn(&mut self, spent: Spent, from: Time, to: Time) {
        self.spent[spent as usize] += to.as_nanos().saturating_sub(from.as_nanos());
    }

    /// Looks at a port, by how many frames they brought.
    pub fn bursts(&self) -> &[u64; BURST + 1] {
        &self.bursts
    }

    /// Time in turns of one kind.
    pub fn time(&self, spent: Spent) -> Duration {
        Duration::from_nanos(self.spent[spent as usize])
    }
}

impl Default for Meter {
    fn default() -> Meter {
        Meter { bursts: [0; BURST + 1], spent: [0; Spent::COUNT] }
    }
}

impl AddAssign<&Meter> for Meter {
    fn add_assign(&mut self, other: &Meter) {
        let add = |to: &mut [u64], from: &[u64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        add(&mut self.bursts, &other.bursts);
        add(&mut self.spent, &other.spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_counted_by_the_frames_that_it_brought() {
        let mut meter = Meter::default();
        [0, 0, 0, 1, 5, 5, BURST].into_iter().for_each(|frames| meter.look(frames));
        let bursts = meter.bursts();
        assert_eq!((bursts[0], bursts[1], bursts[5], bursts[BURST]), (3, 1, 2, 1));
        assert_eq!(bursts.iter().sum::<u64>(), 7);
    }

    #[test]
    fn all_time_belongs_to_one_kind_of_turn() {
        let at = Time::from_nanos;
        let mut meter = Meter::default();
        meter.turn(Spent::Busy, at(100), at(400));
        meter.turn(Spent::Idle, at(400), at(450));
        meter.turn(Spent::Asleep, at(450), at(10_450));
        meter.turn(Spent::Busy, at(10_450), at(10_650));
        let times = [Spent::Busy, Spent::Idle, Spent::Asleep].map(|spent| meter.time(spent).as_nanos());
        assert_eq!(times, [500, 50, 10_000]);
    }

    #[test]
    fn meters_add_up() {
        let mut one = Meter::default();
        one.look(3);
        one.turn(Spent::Busy, Time::ZERO, Time::from_nanos(7));
        let mut two = one.clone();
        two += &one;
        assert_eq!((two.bursts()[3], two.time(Spent::Busy).as_nanos()), (2, 14));
    }
}
