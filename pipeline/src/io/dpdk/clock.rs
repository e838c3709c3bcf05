//! The clock of the packet path.

use std::time::Instant;

use crate::base::time::Time;

/// Nanoseconds since it was made, in a dozen of them: the processor's time-stamp counter where it runs at one rate in
/// all power states and on all cores (invariant TSC), else the system's monotonic clock.
///
/// Copies show the same time. It never goes back, on one core or between two, because neither counter does.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Source);

/// Two hours, in nanoseconds.
const START: u64 = 7_200_000_000_000;

#[derive(Debug, Clone, Copy)]
enum Source {
    /// `nanos_q32` is nanoseconds a tick, in units of 2^-32.
    Tsc {
        origin: u64,
        nanos_q32: u64,
    },
    System {
        origin: Instant,
    },
}

impl Clock {
    /// What a clock shows when it is made: late enough for what the bridge remembers of before its start (an address's last sight) to
    /// have a time too.
    pub const START: Time = Time::from_nanos(START);

    /// A clock that shows [`Clock::START`] now. Before [`Eal::init`](super::Eal::init), which measures the counter's rate, it is
    /// the system's.
    pub fn new() -> Clock {
        // SAFETY: both only read what the EAL found out at its start.
        let hz = unsafe { dpdk_sys::rte_get_tsc_hz() };
        if hz == 0 || !has_invariant_tsc() {
            return Clock(Source::System { origin: Instant::now() });
        }
        let before = (u128::from(START) * u128::from(hz) / 1_000_000_000) as u64;
        // the counter may have started later than that: both subtractions wrap
        Clock(Source::Tsc { origin: ticks().wrapping_sub(before), nanos_q32: reciprocal_q32(hz) })
    }

    /// Ticks of the time-stamp counter in a second, to a few; `None` where this clock does not read it.
    pub fn hz(&self) -> Option<u64> {
        match self.0 {
            Source::Tsc { nanos_q32, .. } => Some(reciprocal_q32(nanos_q32)),
            Source::System { .. } => None,
        }
    }

    /// The time now.
    #[inline]
    pub fn now(&self) -> Time {
        Time::from_nanos(match self.0 {
            Source::Tsc { origin, nanos_q32 } => nanos(ticks().wrapping_sub(origin), nanos_q32),
            Source::System { origin } => START + origin.elapsed().as_nanos() as u64,
        })
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

#[inline]
fn ticks() -> u64 {
    // SAFETY: reads a counter.
    unsafe { dpdk_sys::rte_rdtsc() }
}

/// Nanoseconds a tick, in units of 2^-32, from ticks a second; and those from these.
fn reciprocal_q32(value: u64) -> u64 {
    ((1_000_000_000_u128 << 32) / u128::from(value)) as u64
}

#[inline]
fn nanos(ticks: u64, nanos_q32: u64) -> u64 {
    ((u128::from(ticks) * u128::from(nanos_q32)) >> 32) as u64
}

#[cfg(target_arch = "x86_64")]
fn has_invariant_tsc() -> bool {
    // SAFETY: reads CPUID.
    unsafe { dpdk_sys::rte_cpu_get_flag_enabled(dpdk_sys::rte_cpu_flag_t_RTE_CPUFLAG_INVTSC) == 1 }
}

/// The generic timer of other architectures is invariant by definition.
#[cfg(not(target_arch = "x86_64"))]
fn has_invariant_tsc() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_ticks_is_a_second_at_every_rate() {
        for hz in [1_000_000_000, 2_600_000_000, 3_333_333_333, 5_000_000_000_u64] {
            let nanos = nanos(hz, reciprocal_q32(hz));
            assert!(nanos.abs_diff(1_000_000_000) <= 5, "{hz} Hz: {nanos}");
        }
    }

    #[test]
    fn the_rate_is_known_again() {
        for hz in [1_000_000_000, 2_600_000_000, 3_333_333_333, 5_000_000_000_u64] {
            let clock = Clock(Source::Tsc { origin: 0, nanos_q32: reciprocal_q32(hz) });
            let again = clock.hz().unwrap();
            assert!(again.abs_diff(hz) <= 10, "{hz} Hz: {again}");
        }
    }

    #[test]
    fn thirty_years_of_ticks_do_not_overflow() {
        let (hz, seconds) = (5_000_000_000, 30 * 366 * 86_400);
        let years = nanos(hz * seconds, reciprocal_q32(hz)) / 1_000_000_000;
        assert!(years.abs_diff(seconds) <= 10, "{years} s");
    }

    #[test]
    fn a_clock_begins_at_its_start() {
        let late = Clock::new().now().since(Clock::START);
        assert!(late < std::time::Duration::from_secs(60), "{late:?}");
    }

    #[test]
    fn time_never_goes_back() {
        let clock = Clock::new();
        let mut last = clock.now();
        for _ in 0..100_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }
}
