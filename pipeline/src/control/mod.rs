//! Everything off the packet path: starting and stopping, signals, reload, ageing, events, and the control socket.
//!
//! One thread does it all, in the order in which things come in; two more only wait, for signals and for connections.

mod alarms;
mod ask;
mod dad;
pub mod effects;
mod hardware;
pub mod log;
mod loops;
pub mod memory;
mod moves;
mod nonces;
pub mod plane;
mod reload;
pub mod replay;
mod running;
mod signals;
pub mod socket;
pub mod status;
mod wake;
mod watchdog;
mod workers;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rules::Checked;
use tracing::{error, info, warn};

use crate::observe::report::Report;
use crate::plan::Plan;
use alarms::Alarms;
use effects::Effects;
use hardware::Link;
use log::LinesLost;
use plane::ControlPlane;
use running::Running;
pub use wake::Wake;
use watchdog::Watchdog;

/// How often the control thread looks around when nothing wakes it.
const TICK: Duration = Duration::from_millis(100);
/// Ticks that one sweep of a MAC table takes.
const SWEEP_TICKS: usize = 10;
/// Ticks between two looks at the links.
const LINK_TICKS: u64 = 10;

/// Runs the bridge of a file's rules until a signal ends it; the final books.
///
/// # Errors
/// A socket, port or worker that does not start, or a worker that ends: in words for an operator.
pub fn run(
    file: &Path,
    checked: Checked,
    spare_frames: u32,
    lines_lost: LinesLost,
) -> anyhow::Result<Report> {
    let (wake, wakes) = mpsc::channel();
    // before anything else: a signal during the start is then obeyed after it, and a second process that finds the socket
    // taken has not forwarded a single frame beside the bridge that has it
    signals::watch(wake.clone()).context("watching for signals")?;
    let _socket = socket::listen(&checked.rules.control, wake)?;
    let (workers, hardware) = hardware::start(checked.rules, spare_frames)?;
    let plane = ControlPlane::new(workers.seed(), true);
    let started = Instant::now();
    let file = file.to_owned();
    let running = Running { file, text: checked.text, workers, hardware, plane, started, lines_lost };
    Control::new(running).run(&wakes)
}

/// The control thread's loop.
#[derive(Debug)]
struct Control {
    running: Running,
    alarms: Alarms,
    effects: Effects,
    links: Vec<Option<Link>>,
    /// Ports whose loss was told.
    leaving: BTreeSet<usize>,
    watchdog: Watchdog,
}

impl Control {
    /// Takes over a running bridge.
    fn new(running: Running) -> Control {
        Control {
            running,
            alarms: Alarms::default(),
            effects: Effects::default(),
            links: Vec::new(),
            leaving: BTreeSet::new(),
            watchdog: Watchdog::from_environment(),
        }
    }

    /// Runs until a signal ends it; the final books.
    fn run(mut self, wakes: &Receiver<Wake>) -> anyhow::Result<Report> {
        let rules = &self.running.workers.plan().rules;
        // an error is no news: not started by systemd
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);
        info!(
            generation = self.running.workers.plan().generation,
            bridges = rules.bridges.len(),
            workers = rules.workers.len(),
            socket = %rules.control.socket.display(),
            "running"
        );
        let ended = self.serve(wakes);
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]);
        ended?;
        let plan = self.running.workers.plan().clone();
        let books = self.running.workers.stop()?;
        self.running.hardware.shut_down();
        Ok(Report::new(&plan, &books, &[]))
    }

    fn serve(&mut self, wakes: &Receiver<Wake>) -> anyhow::Result<()> {
        let mut due = Instant::now();
        let mut ticks = 0;
        loop {
            match next(wakes, due)? {
                Some(Wake::Stop(signal)) => {
                    info!(signal, "stopping");
                    return Ok(());
                }
                Some(Wake::Reload) => reload::reload(&mut self.running),
                Some(Wake::Ask(question, answer)) => {
                    // who asked may be gone
                    let _ = answer.send(status::answer(&mut self.running, question)?);
                }
                None => {
                    self.tick(ticks)?;
                    ticks += 1;
                    due = Instant::now() + TICK; // from now: what waits has its turn between two ticks, however long they take
                }
            }
        }
    }

    fn tick(&mut self, ticks: u64) -> anyhow::Result<()> {
        self.running.workers.check()?;
        self.running.workers.listen();
        let gone =
            self.leaving.iter().map(|&port| self.running.workers.plan().rules.ports[port].name.clone());
        self.watchdog.tick(self.running.workers.silent(), gone.collect());
        let plan = self.running.workers.plan().clone();
        let now = self.running.hardware.now();
        for message in self.running.workers.messages() {
            self.running.plane.take_in(&plan, &message, &mut self.effects);
        }
        self.running.plane.sweep(&plan, now, SWEEP_TICKS, &mut self.effects);
        // while nobody can send, nothing is looked for: a look that nobody saw would find no duplicate
        if self.running.workers.can_send() {
            self.running.plane.tick(&plan, now, &mut self.effects);
        }
        self.running.workers.send(std::mem::take(&mut self.effects.send));
        self.effects.tell.drain(..).for_each(|event| self.alarms.tell(&plan, &event));
        self.alarms.flush(now);
        self.let_go(&plan);
        if ticks.is_multiple_of(LINK_TICKS) {
            self.look_at_links(&plan);
        }
        Ok(())
    }

    /// Gives up the ports whose devices are gone, as soon as no worker uses them: until then the kernel waits for the device
    /// (vfio). The bridges on other ports go on.
    fn let_go(&mut self, plan: &Plan) {
        for (port, why) in self.running.hardware.leaving() {
            let rules::Port { name, device, .. } = &plan.rules.ports[port];
            if self.leaving.insert(port) {
                error!(event = "port_gone", port = name, device, "nothing passes this port any more: {why}");
            }
            if self.running.workers.release(port) {
                if self.running.hardware.close(port) {
                    info!(port = name, device, "the device is closed: when it is back, restart");
                } else {
                    warn!(port = name, device, "the device does not close, and is left to the kernel");
                }
            }
        }
    }

    fn look_at_links(&mut self, plan: &Plan) {
        let links = self.running.hardware.links();
        self.links.resize(links.len(), None);
        for (index, ((port, link), before)) in
            plan.rules.ports.iter().zip(links).zip(&mut self.links).enumerate()
        {
            match link {
                _ if *before == Some(link) => {}
                Link::Up => {
                    info!(port = port.name, "link is up");
                    if before.is_some() {
                        self.running.plane.link_up(plan, index);
                    }
                }
                Link::Down => {
                    warn!(port = port.name, device = port.device, "link is down: nothing passes this port")
                }
                Link::Gone => {}
            }
            *before = Some(link);
        }
    }
}

/// What comes next; `None` where a tick is due, which comes before all that waits: who asks without end must not keep the
/// bridge from looking around.
fn next(wakes: &Receiver<Wake>, due: Instant) -> anyhow::Result<Option<Wake>> {
    let left = due.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Ok(None);
    }
    match wakes.recv_timeout(left) {
        Ok(wake) => Ok(Some(wake)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => bail!("the thread that watches for signals has ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_is_due_comes_before_all_questions_that_wait() {
        let (wake, wakes) = mpsc::channel();
        for _ in 0..3 {
            wake.send(Wake::Reload).unwrap();
        }
        let later = Instant::now() + Duration::from_secs(3600);
        assert!(matches!(next(&wakes, later), Ok(Some(Wake::Reload))));
        assert!(matches!(next(&wakes, Instant::now()), Ok(None)));
        assert!(matches!(next(&wakes, later), Ok(Some(Wake::Reload))));
    }
}
