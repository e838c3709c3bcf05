//! When frames are due.

use std::str::FromStr;

use anyhow::{Result, bail};

/// What a side is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// As much as the ring takes.
    Max,
    /// Frames a second; 0 is a silent side.
    Frames(u64),
}

impl FromStr for Rate {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.parse() {
            _ if text == "max" => Ok(Self::Max),
            Ok(frames @ 0..=100_000_000) => Ok(Self::Frames(frames)),
            _ => bail!("a rate is 'max' or 0 to 100000000 frames a second"),
        }
    }
}

const SECOND: u128 = 1_000_000_000;

/// A side's timetable at a fixed rate.
pub(crate) struct Pace {
    rate: u64,
    /// Nanoseconds of the caller's clock when the first was due.
    since: u64,
    /// Frames sent or given up since then.
    done: u64,
    lot: u64,
}

impl Pace {
    /// From `now` on, in nanoseconds.
    pub(crate) fn new(rate: u64, now: u64) -> Self {
        // a lot is what is due every two microseconds: frame by frame, the ring's index would be in the device's way
        Self { rate, since: now, done: 0, lot: (rate / 500_000).clamp(1, 32) }
    }

    /// Frames that are due, a lot at least, or none.
    pub(crate) fn due(&self, now: u64) -> u64 {
        let all = u128::from(now - self.since) * u128::from(self.rate) / SECOND;
        let due = (all as u64).saturating_sub(self.done);
        if due < self.lot { 0 } else { due }
    }

    /// So many were sent or given up.
    pub(crate) fn did(&mut self, frames: u64) {
        self.done += frames;
    }

    /// What was due while the generator did not run is not sent late.
    pub(crate) fn skip_to(&mut self, now: u64) {
        *self = Self::new(self.rate, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_brings_the_rate() {
        for rate in [1, 3, 20_000, 7_654_321, 100_000_000] {
            let mut pace = Pace::new(rate, 5);
            let mut sent = 0;
            for now in (5..=1_000_000_005).step_by(1_000) {
                let due = pace.due(now);
                pace.did(due);
                sent += due;
            }
            assert!(rate - sent <= 32, "{sent} of {rate}");
        }
    }

    #[test]
    fn frames_come_in_lots() {
        let pace = Pace::new(5_000_000, 0);
        assert_eq!((pace.due(1_900), pace.due(2_000)), (0, 10));
    }

    #[test]
    fn what_a_gap_swallowed_is_not_sent_late() {
        let mut pace = Pace::new(1_000_000, 0);
        pace.skip_to(50_000_000);
        assert_eq!((pace.due(50_000_000), pace.due(50_002_000)), (0, 2));
    }

    #[test]
    fn rates_are_read() {
        assert_eq!("max".parse::<Rate>().unwrap(), Rate::Max);
        assert_eq!("0".parse::<Rate>().unwrap(), Rate::Frames(0));
        assert!("fast".parse::<Rate>().is_err());
    }
}
