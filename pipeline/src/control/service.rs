//! The service manager (sd_notify(3)): ready, reloading, stopping, a line of status, and its watchdog (`WatchdogSec=`). That is fed
//! from the control thread, and only while every worker responds; whoever set it up decides what happens when nobody feeds it.
//!
//! Errors are no news anywhere here: not started by a service manager, or by one that does not read. (The words are those of the crate
//! `sd-notify`; its own sending waits for as long as the service manager does not read, and the control thread with it.)

use std::ffi::OsStr;
use std::fmt::Write;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use super::workers::Silent;

/// Between two lines of status; a change of who responds is told at once.
const STATUS: Duration = Duration::from_secs(5);

/// What must not be lost is tried for so long; all else comes again, and is not waited for at all.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells the service manager, waiting for it no longer than that.
fn notify(states: &[NotifyState<'_>], patience: Option<Duration>) {
    if let Some(socket) = std::env::var_os("NOTIFY_SOCKET") {
        let _ = send(&socket, states, patience);
    }
}

fn send(socket: &OsStr, states: &[NotifyState<'_>], patience: Option<Duration>) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
    let sender = UnixDatagram::unbound()?;
    match patience {
        Some(patience) => sender.set_write_timeout(Some(patience))?,
        None => sender.set_nonblocking(true)?,
    }
    sender.send_to_addr(lines.as_bytes(), &address).map(drop)
}

/// It comes up, or goes down, and may take so long from now on: memory in huge pages, slow devices, a disk that does not answer.
pub(super) fn busy(what: &str, longest: Duration) {
    let longest = NotifyState::ExtendTimeoutUsec(longest.as_micros() as u32);
    notify(&[longest, NotifyState::Status(what)], Some(PATIENCE));
}

/// Frames pass.
pub(super) fn ready() {
    notify(&[NotifyState::Ready], Some(PATIENCE));
}

/// The rules are being read; [`ready`] follows.
pub(super) fn reloading() {
    // both in one message: systemd 253 and later want the time with it
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    notify(&states, Some(PATIENCE));
}

/// It ends.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping], Some(PATIENCE));
}

/// What is told between start and end.
#[derive(Debug)]
pub(super) struct Service {
    /// The watchdog expects to be fed so often; never, where there is none.
    interval: Option<Duration>,
    fed: Option<Instant>,
    /// Somebody listens.
    managed: bool,
    silent: Vec<u16>,
    told: Option<(Instant, Traffic)>,
}

/// Frames since the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) transmitted: u64,
    pub(super) dropped: u64,
}

impl Service {
    /// As the service manager says in this process's environment.
    pub(super) fn from_environment() -> Service {
        let managed = std::env::var_os("NOTIFY_SOCKET").is_some();
        Service::new(sd_notify::watchdog_enabled(), managed)
    }

    fn new(interval: Option<Duration>, managed: bool) -> Service {
        Service { interval, fed: None, managed, silent: Vec::new(), told: None }
    }

    /// To be called now and then, with the cores of the workers that do not respond. True where a [line of
    /// status](Service::tell) is due.
    pub(super) fn tick(&mut self, silent: Vec<u16>) -> bool {
        let now = Instant::now();
        if self.feeds(&silent, now) {
            notify(&[NotifyState::Watchdog], None);
        }
        let changed = self.silent != silent;
        self.silent = silent;
        let due = self.told.is_none_or(|(told, _)| now.saturating_duration_since(told) >= STATUS);
        self.managed && (changed || due)
    }

    fn feeds(&mut self, silent: &[u16], now: Instant) -> bool {
        // a quarter: a late tick does not make it too late
        let hungry =
            |every: Duration| self.fed.is_none_or(|fed| now.saturating_duration_since(fed) >= every / 4);
        let feeds = silent.is_empty() && self.interval.is_some_and(hungry);
        self.fed = if feeds { Some(now) } else { self.fed };
        feeds
    }

    /// Tells how it goes: the rules in force, each port with its link, and what passed since the last line.
    pub(super) fn tell<'a>(
        &mut self,
        generation: u64,
        links: impl Iterator<Item = (&'a str, bool)>,
        traffic: Traffic,
    ) {
        let now = Instant::now();
        let since = self.told.map(|(told, before)| (now.saturating_duration_since(told), before));
        self.told = Some((now, traffic));
        let line = status(generation, links, traffic, since, &self.silent);
        notify(&[NotifyState::Status(&line)], None);
    }
}

fn status<'a>(
    generation: u64,
    links: impl Iterator<Item = (&'a str, bool)>,
    traffic: Traffic,
    since: Option<(Duration, Traffic)>,
    silent: &[u16],
) -> String {
    let mut line = format!("generation {generation}");
    // writing to a string does not fail
    for (port, up) in links {
        let _ = write!(line, "; {port} {}", if up { "up" } else { "DOWN" });
    }
    if let Some((time, before)) = since.filter(|(time, _)| !time.is_zero()) {
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / time.as_secs_f64();
        let _ = write!(
            line,
            "; {:.0} frames/s in, {:.0} out, {:.0} dropped",
            rate(traffic.received, before.received),
            rate(traffic.transmitted, before.transmitted),
            rate(traffic.dropped, before.dropped),
        );
    }
    if !silent.is_empty() {
        let _ = write!(line, "; {}", Silent(silent.to_vec()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_fed_four_times_an_interval_and_never_while_a_worker_is_silent() {
        let mut service = Service::new(Some(Duration::from_secs(4)), true);
        let began = Instant::now();
        let mut fed = |silent: &[u16], ms| service.feeds(silent, began + Duration::from_millis(ms));
        assert!(fed(&[], 0));
        assert!(!fed(&[], 900));
        assert!(fed(&[], 1_000));
        assert!(!fed(&[3], 2_000) && !fed(&[3], 60_000));
        assert!(fed(&[], 60_100));
    }

    #[test]
    fn without_a_watchdog_nothing_is_fed() {
        assert!(!Service::new(None, true).feeds(&[], Instant::now()));
    }

    #[test]
    fn a_status_is_due_at_first_and_when_somebody_falls_silent_and_never_where_nobody_listens() {
        let mut service = Service::new(None, true);
        assert!(service.tick(vec![]));
        service.tell(1, std::iter::empty(), Traffic::default());
        assert!(!service.tick(vec![]));
        assert!(service.tick(vec![2]));
        assert!(!service.tick(vec![2]));
        assert!(!Service::new(None, false).tick(vec![2]));
    }

    #[test]
    fn a_service_manager_that_does_not_read_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let mut sent = 0;
        let full = loop {
            match send(path.as_os_str(), &[NotifyState::Watchdog], None) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(send(path.as_os_str(), &[NotifyState::Ready], Some(Duration::from_millis(10))).is_err());
        let mut bytes = [0; 100];
        for _ in 0..sent {
            let read = manager.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..read], b"WATCHDOG=1\n");
        }
    }

    #[test]
    fn an_abstract_socket_is_spoken_to() {
        let name = format!("sluice-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(OsStr::new(&format!("@{name}")), &[NotifyState::Ready], None).unwrap();
        let mut bytes = [0; 100];
        let read = manager.recv(&mut bytes).unwrap();
        assert_eq!(&bytes[..read], b"READY=1\n");
    }

    #[test]
    fn the_status_has_generation_links_rates_and_who_is_silent() {
        let traffic = |received, transmitted, dropped| Traffic { received, transmitted, dropped };
        let links = || [("trunk0", true), ("trunk1", false)].into_iter();
        assert_eq!(status(1, links(), traffic(9, 9, 9), None, &[]), "generation 1; trunk0 up; trunk1 DOWN");
        let since = Some((Duration::from_secs(5), traffic(100, 100, 0)));
        assert_eq!(
            status(2, links(), traffic(600, 350, 50), since, &[3]),
            "generation 2; trunk0 up; trunk1 DOWN; 100 frames/s in, 50 out, 10 dropped; no response from the worker on core 3"
        );
    }
}
