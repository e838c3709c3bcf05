//! How long frames are under way.

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;

/// Nanoseconds of a clock of the caller's, as they are written into a frame: 6 bytes of time, then what makes the sum of all 8
/// zero, so that the frame's checksum stays right.
pub(crate) fn stamp(now: u64) -> u64 {
    let sum = (now >> 32 & 0xffff) + (now >> 16 & 0xffff) + (now & 0xffff);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    (now << 16 | (!sum & 0xffff)).to_be()
}

/// The nanoseconds of a stamp.
pub(crate) fn stamped_at(stamp: u64) -> u64 {
    u64::from_be(stamp) >> 16
}

/// Times under way, to three digits.
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    /// None yet. Any time counts, up to 100 s.
    ///
    /// # Errors
    /// None: the bounds are good ones.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, 100_000_000_000, 3)?))
    }

    /// One frame took so many nanoseconds.
    #[inline]
    pub(crate) fn note(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// None again.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What both saw.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.0 += &other.0;
        self
    }

    /// In microseconds; nothing where no stamped frame came.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let us = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
        let at = |quantile| us(self.0.value_at_quantile(quantile));
        (!self.0.is_empty()).then(|| Summary {
            count: self.0.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: us(self.0.max()),
        })
    }
}

/// Latency in microseconds.
#[derive(Serialize)]
pub(crate) struct Summary {
    /// Stamped frames that came.
    pub(crate) count: u64,
    /// Half of them took no longer.
    pub(crate) p50: f64,
    /// 99 % took no longer.
    pub(crate) p99: f64,
    /// 99.9 % took no longer.
    pub(crate) p999: f64,
    /// The slowest.
    pub(crate) max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_keeps_the_time_and_the_checksum() {
        for now in [0, 1, 0xffff, 0x1_0000, 123_456_789_012, (1 << 48) - 1] {
            let stamp = stamp(now);
            assert_eq!(stamped_at(stamp), now);
            let words: u64 =
                stamp.to_ne_bytes().chunks(2).map(|word| u64::from(word[0]) * 256 + u64::from(word[1])).sum();
            assert_eq!(words % 0xffff, 0, "{now}");
        }
    }

    #[test]
    fn quantiles_are_in_microseconds() {
        let mut latency = Latency::new().unwrap();
        assert!(latency.summary().is_none());
        for us in 1..=1000 {
            latency.note(us * 1000);
        }
        let summary = Latency::new().unwrap().and(&latency).summary().unwrap();
        assert_eq!(summary.count, 1000);
        for (quantile, us) in
            [(summary.p50, 500.0), (summary.p99, 990.0), (summary.p999, 999.0), (summary.max, 1000.0)]
        {
            assert!((quantile / us - 1.0).abs() < 0.002, "{quantile} for {us}");
        }
    }
}
