//! What the benches measure in: ticks of the processor's time-stamp counter. It runs at one rate, whatever the core's own clock does.

use criterion::Throughput;
use criterion::measurement::{Measurement, ValueFormatter};
use quanta::Clock;

/// Ticks, read without a fence: a dozen either way, a reading.
pub(crate) struct Ticks {
    clock: Clock,
    unit: Unit,
}

impl Ticks {
    /// Where the processor's counter does not run at one rate, what is measured is nanoseconds, and says so.
    pub(crate) fn new() -> Ticks {
        const LONG: u64 = 1 << 32;
        let clock = Clock::new();
        let unit = if clock.delta_as_nanos(0, LONG) == LONG { Unit::NANOSECONDS } else { Unit::CYCLES };
        Ticks { clock, unit }
    }
}

impl Measurement for Ticks {
    type Intermediate = u64;
    type Value = u64;

    #[inline]
    fn start(&self) -> u64 {
        self.clock.raw()
    }

    #[inline]
    fn end(&self, start: u64) -> u64 {
        self.clock.raw().saturating_sub(start)
    }

    fn add(&self, one: &u64, other: &u64) -> u64 {
        one + other
    }

    fn zero(&self) -> u64 {
        0
    }

    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        &self.unit
    }
}

struct Unit {
    plain: &'static str,
    a_frame: &'static str,
}

impl Unit {
    const CYCLES: Unit = Unit { plain: "cycles", a_frame: "cycles/frame" };
    const NANOSECONDS: Unit = Unit { plain: "ns", a_frame: "ns/frame" };
}

impl ValueFormatter for Unit {
    fn scale_values(&self, _: f64, _: &mut [f64]) -> &'static str {
        self.plain
    }

    /// Elements are frames, and the less the better.
    fn scale_throughputs(&self, _: f64, throughput: &Throughput, values: &mut [f64]) -> &'static str {
        if let Throughput::Elements(frames) = throughput {
            values.iter_mut().for_each(|value| *value /= *frames as f64);
        }
        self.a_frame
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        self.plain
    }
}
