//! The service manager's watchdog (`WatchdogSec=`, sd_notify(3)): fed from the control thread, and only while every worker
//! responds. Whoever set it up decides what happens when nobody feeds it.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::workers::Silent;

/// What the service manager is told of.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// It expects to be told so often; never, where there is no watchdog.
    interval: Option<Duration>,
    fed: Option<Instant>,
    silent: Vec<u16>,
    gone: Vec<String>,
}

impl Watchdog {
    /// As the service manager says in this process's environment.
    pub(super) fn from_environment() -> Watchdog {
        let mut micros = 0;
        let wanted = sd_notify::watchdog_enabled(false, &mut micros);
        Watchdog::new(wanted.then_some(Duration::from_micros(micros)))
    }

    fn new(interval: Option<Duration>) -> Watchdog {
        Watchdog { interval, fed: None, silent: Vec::new(), gone: Vec::new() }
    }

    /// To be called now and then, with the cores of the workers that do not respond and the ports that are gone.
    pub(super) fn tick(&mut self, silent: Vec<u16>, gone: Vec<String>) {
        let now = Instant::now();
        // errors are no news: not started by systemd
        if self.feeds(&silent, now) {
            let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
        }
        if (&self.silent, &self.gone) != (&silent, &gone) {
            (self.silent, self.gone) = (silent.clone(), gone);
            let mut status = match silent.is_empty() {
                true => "every worker responds".to_owned(),
                false => Silent(silent).to_string(),
            };
            if !self.gone.is_empty() {
                status = format!("port {} gone; {status}", self.gone.join(", "));
            }
            let _ = sd_notify::notify(false, &[NotifyState::Status(&status)]);
        }
    }

    fn feeds(&mut self, silent: &[u16], now: Instant) -> bool {
        // a quarter: a late tick does not make it too late
        let hungry =
            |every: Duration| self.fed.is_none_or(|fed| now.saturating_duration_since(fed) >= every / 4);
        let feeds = silent.is_empty() && self.interval.is_some_and(hungry);
        self.fed = if feeds { Some(now) } else { self.fed };
        feeds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_fed_four_times_an_interval_and_never_while_a_worker_is_silent() {
        let mut watchdog = Watchdog::new(Some(Duration::from_secs(4)));
        let began = Instant::now();
        let mut fed = |silent: &[u16], ms| watchdog.feeds(silent, began + Duration::from_millis(ms));
        assert!(fed(&[], 0));
        assert!(!fed(&[], 900));
        assert!(fed(&[], 1_000));
        assert!(!fed(&[3], 2_000) && !fed(&[3], 60_000));
        assert!(fed(&[], 60_100));
    }

    #[test]
    fn without_a_watchdog_nothing_is_fed() {
        assert!(!Watchdog::new(None).feeds(&[], Instant::now()));
    }
}
