//! What disturbed a run.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use serde::Serialize;

/// The device's threads on its core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Device {
    pid: u32,
    cpu: u32,
}

impl FromStr for Device {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (pid, cpu) = text.split_once(':').context("not PID:CPU")?;
        Ok(Self {
            pid: pid.parse().context("PID is a number")?,
            cpu: cpu.parse().context("CPU is a number")?,
        })
    }
}

impl Device {
    /// Seconds that its threads which may run on that CPU alone have waited for it.
    ///
    /// # Errors
    /// No such process.
    pub(crate) fn waited(self) -> Result<f64> {
        waited(&format!("/proc/{}/task", self.pid), Some(self.cpu))
            .with_context(|| format!("--watch: process {}", self.pid))
    }
}

/// Seconds that the generator has waited for its own CPU.
///
/// # Errors
/// No /proc.
pub(crate) fn generator_waited() -> Result<f64> {
    waited("/proc/self/task", None)
}

fn waited(tasks: &str, cpu: Option<u32>) -> Result<f64> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(tasks).with_context(|| tasks.to_owned())? {
        let task = task?.path();
        if cpu.is_none_or(|cpu| bound_to(&task, cpu)) {
            nanoseconds += waited_by(&task).unwrap_or(0); // the thread may be gone by now
        }
    }
    Ok(nanoseconds as f64 / 1e9)
}

fn bound_to(task: &Path, cpu: u32) -> bool {
    let status = fs::read_to_string(task.join("status")).unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    allowed.is_some_and(|list| list.trim() == cpu.to_string())
}

/// The second number of schedstat: nanoseconds on a run queue.
fn waited_by(task: &Path) -> Option<u64> {
    fs::read_to_string(task.join("schedstat")).ok()?.split(' ').nth(1)?.parse().ok()
}

/// Times when the generator did not run.
#[derive(Serialize)]
pub(crate) struct Gaps {
    count: u64,
    longest_us: u64,
    #[serde(skip)]
    last: u64,
}

impl Gaps {
    const NOTABLE: u64 = 1_000_000;

    /// From `now` on, in nanoseconds.
    pub(crate) fn since(now: u64) -> Self {
        Self { count: 0, longest_us: 0, last: now }
    }

    /// It runs; whether it had not for more than a millisecond.
    #[inline]
    pub(crate) fn note(&mut self, now: u64) -> bool {
        let gap = now - self.last;
        self.last = now;
        if gap > Self::NOTABLE {
            self.count += 1;
            self.longest_us = self.longest_us.max(gap / 1000);
        }
        gap > Self::NOTABLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_from_a_millisecond() {
        let mut gaps = Gaps::since(0);
        assert!(!gaps.note(1_000_000));
        assert!(gaps.note(3_500_000));
        assert!(gaps.note(5_000_000));
        assert_eq!((gaps.count, gaps.longest_us), (2, 2500));
    }

    #[test]
    fn a_process_is_watched_by_number() {
        let itself: Device = format!("{}:0", std::process::id()).parse().unwrap();
        assert!(itself.waited().unwrap() >= 0.0);
        assert!(generator_waited().unwrap() >= 0.0);
        assert!(
            "4194305:0".parse::<Device>().unwrap().waited().is_err(),
            "above the kernel's largest number"
        );
        assert!("5".parse::<Device>().is_err());
    }
}
