//! Where a worker's time goes, [`Stage`] by stage: measured only while somebody asks for it.
//!
//! The stages are named where they are called, in [`path`](crate::path) and [`worker`](crate::worker), and nowhere else:
//! both are generic over a [`StageTimer`], and for the usual one, `()`, all of this is compiled away.
//!
//! A reading of the clock costs as much as a short stage takes. What it costs is therefore measured along (two readings in a
//! row at each look at a port) and taken off each stage. What cannot be taken off: a reading keeps the processor from
//! starting a stage before the one in front of it has ended. So all stages together are more than a frame takes untimed;
//! they tell the large from the small. A nanosecond is coarse for a stage, but each reading ends one stage and begins the
//! next, so nothing is lost between them, and over thousands of frames what is cut off evens out.

use crate::base::reason::Stage;
use crate::base::time::Time;

/// Is told when a stage has ended: what went before it belongs to it.
pub trait StageTimer {
    /// What went before belongs to no stage.
    fn begin(&mut self);

    /// A stage of so many frames has ended; of none where only its time is to be added to.
    fn frames(&mut self, stage: Stage, frames: usize);

    /// A stage of one frame has ended with this.
    #[inline(always)]
    fn stage<T>(&mut self, stage: Stage, ended: T) -> T {
        self.frames(stage, 1);
        ended
    }
}

/// Measures nothing, at no cost.
impl StageTimer for () {
    #[inline(always)]
    fn begin(&mut self) {}

    #[inline(always)]
    fn frames(&mut self, _: Stage, _: usize) {}
}

/// What was measured at one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    nanos: u64,
    /// How often: each has a reading of the clock in it.
    laps: u64,
    frames: u64,
}

impl Span {
    fn add(&mut self, nanos: u64, frames: usize) {
        self.nanos += nanos;
        self.laps += 1;
        self.frames += frames as u64;
    }
}

/// The stages of some bursts of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    bursts: u64,
    stages: [Span; Stage::COUNT],
    /// Two readings with nothing in between.
    empty: Span,
}

impl Profile {
    /// To be filled by so many bursts.
    pub fn new(bursts: u64) -> Profile {
        Profile { bursts, stages: Default::default(), empty: Span::default() }
    }

    /// It has not had all of its bursts yet.
    pub fn is_open(&self) -> bool {
        self.stages[Stage::Receive as usize].laps < self.bursts
    }

    /// Frames that a stage had.
    pub fn frames(&self, stage: Stage) -> u64 {
        self.stages[stage as usize].frames
    }

    /// Nanoseconds that a stage took for a frame, without those of reading the clock; `None` where it had no frames.
    pub fn nanos_per_frame(&self, stage: Stage) -> Option<f64> {
        let Span { nanos, laps, frames } = self.stages[stage as usize];
        let reading = self.empty.nanos as f64 / self.empty.laps.max(1) as f64;
        (frames > 0).then(|| (nanos as f64 - reading * laps as f64).max(0.0) / frames as f64)
    }
}

/// Fills a profile by a clock.
#[derive(Debug)]
pub struct Stopwatch<'a, C> {
    profile: &'a mut Profile,
    clock: &'a C,
    last: Time,
}

impl<'a, C: Fn() -> Time> Stopwatch<'a, C> {
    /// It runs from the first [`begin`](StageTimer::begin) on.
    pub fn new(profile: &'a mut Profile, clock: &'a C) -> Stopwatch<'a, C> {
        Stopwatch { profile, clock, last: Time::ZERO }
    }

    /// Nanoseconds since the last reading.
    #[inline]
    fn lap(&mut self) -> u64 {
        let now = (self.clock)();
        let nanos = now.as_nanos().saturating_sub(self.last.as_nanos());
        self.last = now;
        nanos
    }
}

impl<C: Fn() -> Time> StageTimer for Stopwatch<'_, C> {
    #[inline]
    fn begin(&mut self) {
        self.lap();
        let empty = self.lap();
        self.profile.empty.add(empty, 0);
    }

    #[inline]
    fn frames(&mut self, stage: Stage, frames: usize) {
        let nanos = self.lap();
        self.profile.stages[stage as usize].add(nanos, frames);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Runs what is to be measured with a clock of which each reading takes 3 ns, and which can be put forward.
    fn profile(bursts: u64, measured: impl Fn(&mut dyn FnMut(Stage, usize, u64))) -> Profile {
        let time = Cell::new(1_000);
        let clock = || Time::from_nanos(time.replace(time.get() + 3));
        let mut profile = Profile::new(bursts);
        let mut watch = Stopwatch::new(&mut profile, &clock);
        let mut step = |stage, frames, nanos| {
            if stage == Stage::Receive {
                time.set(time.get() + 100_000); // nobody's
                watch.begin();
            }
            time.set(time.get() + nanos);
            watch.frames(stage, frames);
        };
        measured(&mut step);
        profile
    }

    #[test]
    fn a_stage_has_its_own_time_and_not_that_of_the_clock() {
        let profile = profile(9, |step| {
            step(Stage::Receive, 4, 40);
            step(Stage::FastPath, 3, 60);
            step(Stage::Admit, 1, 7);
            step(Stage::Transmit, 0, 5);
            step(Stage::Transmit, 4, 11);
        });
        let stage = |stage| (profile.frames(stage), profile.nanos_per_frame(stage));
        assert_eq!(stage(Stage::Receive), (4, Some(10.0)));
        assert_eq!(stage(Stage::FastPath), (3, Some(20.0)));
        assert_eq!(stage(Stage::Admit), (1, Some(7.0)));
        assert_eq!(stage(Stage::Transmit), (4, Some(4.0)));
        assert_eq!(stage(Stage::Guard), (0, None));
    }

    #[test]
    fn a_profile_is_open_for_as_many_bursts_as_it_was_made_for() {
        let burst = |step: &mut dyn FnMut(Stage, usize, u64)| step(Stage::Receive, 32, 1);
        assert!(profile(3, |step| (0..2).for_each(|_| burst(step))).is_open());
        assert!(!profile(3, |step| (0..3).for_each(|_| burst(step))).is_open());
        assert!(!profile(0, |_| ()).is_open());
    }

    #[test]
    fn what_the_clock_is_too_coarse_for_is_never_less_than_nothing() {
        let mut profile = Profile::new(1);
        profile.empty.add(10, 0);
        profile.stages[Stage::Guard as usize].add(0, 1);
        assert_eq!(profile.nanos_per_frame(Stage::Guard), Some(0.0));
    }
}
