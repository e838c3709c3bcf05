//! What a worker does while nothing comes (`idle` in the rules). The longer the silence, the longer the rest: what breaks
//! it is delayed by a small share of how long nobody spoke, and never by more than `LONGEST` and a late wake-up.
//!
//! Between two frames of busy traffic nothing here runs at all: a worker rests only after a turn without frames.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use rules::Idle;

/// A `sleep` worker does not sleep before so long a silence: frames that come in bursts find it awake.
const AWAKE: Duration = Duration::from_micros(32);

/// The share of the silence that a worker sleeps.
const SHARE: u32 = 8;

/// From falling asleep to being awake. A frame may be delayed by 50 us at p99: the rest is left to the kernel's jitter.
const LONGEST: Duration = Duration::from_micros(32);

/// Silence for each `pause` instruction, which takes from 10 to 140 cycles by processor: about that share again.
const SILENCE_PER_PAUSE: u128 = 256;

/// The most `pause` instructions between two looks at the ports: 2 us where one takes 140 cycles.
const MOST_PAUSES: u128 = 32;

/// How one worker rests.
#[derive(Debug, Default)]
pub struct IdleWait {
    /// How much later than asked the kernel wakes this thread, as of late. A few microseconds on bare metal, some twenty in
    /// a virtual machine, where arming the timer leaves it: so it is measured, and asked for that much less.
    late: Duration,
}

impl IdleWait {
    /// Has the kernel wake the calling thread when it asked to be, instead of up to 50 us later
    /// (`PR_SET_TIMERSLACK`, prctl(2)).
    ///
    /// # Errors
    /// The kernel refuses, as one without `prctl` may. Then `idle: sleep` delays frames by that much more.
    pub fn wake_promptly() -> std::io::Result<()> {
        rustix::thread::set_current_timer_slack(Some(NonZeroU64::MIN))?;
        Ok(())
    }

    /// Rests after a turn without frames, the last frame being so long ago. `true` where it slept.
    #[inline]
    pub fn rest(&mut self, policy: Idle, silence: Duration) -> bool {
        match policy {
            Idle::Poll => false,
            Idle::Sleep | Idle::Interrupt if silence >= AWAKE => {
                self.sleep(silence);
                true
            }
            Idle::Pause | Idle::Sleep | Idle::Interrupt => {
                (0..pauses(silence)).for_each(|_| std::hint::spin_loop());
                false
            }
        }
    }

    fn sleep(&mut self, silence: Duration) {
        let asked = self.nap(silence);
        let began = Instant::now();
        std::thread::sleep(asked);
        self.woke(asked, began.elapsed());
    }

    /// What to ask the kernel for.
    fn nap(&self, silence: Duration) -> Duration {
        // the kernel takes zero for no sleep at all
        (silence / SHARE).min(LONGEST.saturating_sub(self.late)).max(Duration::from_nanos(1))
    }

    fn woke(&mut self, asked: Duration, took: Duration) {
        // of a wake-up that some other thread delayed by milliseconds no more is learned than that it was late
        let late = took.saturating_sub(asked).min(LONGEST);
        self.late = (3 * self.late + late) / 4;
    }
}

fn pauses(silence: Duration) -> u128 {
    (silence.as_nanos() / SILENCE_PER_PAUSE).min(MOST_PAUSES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    #[test]
    fn a_nap_is_a_share_of_the_silence_up_to_the_longest() {
        let rest = IdleWait::default();
        assert_eq!(rest.nap(micros(32)), micros(4));
        assert_eq!(rest.nap(micros(80)), micros(10));
        assert_eq!(rest.nap(micros(300)), LONGEST);
        assert_eq!(rest.nap(Duration::from_secs(3600)), LONGEST);
    }

    #[test]
    fn where_the_kernel_wakes_late_less_is_asked_for() {
        let mut rest = IdleWait::default();
        for _ in 0..100 {
            let asked = rest.nap(micros(1000));
            rest.woke(asked, asked + micros(17));
        }
        let asked = rest.nap(micros(1000));
        assert!(asked.abs_diff(LONGEST - micros(17)) < micros(1), "{asked:?}");
    }

    #[test]
    fn one_wake_up_far_too_late_is_soon_forgotten() {
        let mut rest = IdleWait::default();
        rest.woke(LONGEST, Duration::from_secs(1));
        assert_eq!(rest.nap(micros(1000)), LONGEST * 3 / 4);
        for _ in 0..20 {
            rest.woke(LONGEST, LONGEST);
        }
        assert!(rest.nap(micros(1000)) > LONGEST - micros(1), "{rest:?}");
    }

    #[test]
    fn where_the_kernel_is_always_late_it_still_sleeps() {
        let mut rest = IdleWait::default();
        (0..100).for_each(|_| rest.woke(micros(1), Duration::from_millis(1)));
        assert!(rest.nap(micros(1000)) > Duration::ZERO);
    }

    #[test]
    fn pauses_grow_with_the_silence_and_are_bounded() {
        assert_eq!(pauses(Duration::ZERO), 0);
        assert_eq!(pauses(Duration::from_nanos(255)), 0);
        assert_eq!(pauses(Duration::from_nanos(1024)), 4);
        assert_eq!(pauses(Duration::from_secs(1 << 40)), MOST_PAUSES);
    }

    #[test]
    fn only_a_sleeping_worker_sleeps_and_not_at_once() {
        let mut rest = IdleWait::default();
        for silence in [micros(0), micros(31), micros(1000)] {
            assert!(!rest.rest(Idle::Poll, silence));
            assert!(!rest.rest(Idle::Pause, silence));
            assert_eq!(rest.rest(Idle::Sleep, silence), silence >= AWAKE);
        }
    }
}
