//! Everything off the packet path: starting and stopping, signals, reload, ageing, events, and the control socket.
//!
//! One thread does it all, in the order in which things come in; two more only wait, for signals and for connections.

mod alarms;
mod hardware;
pub mod plane;
mod reload;
pub mod replay;
mod signals;
pub mod socket;
pub mod status;
mod workers;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rules::{Checked, Rules};
use tracing::{info, warn};

use crate::control::plane::ControlPlane;
use crate::observe::report::Report;
use crate::table::fdb::Sweep;
use alarms::Alarms;
pub use workers::{Hardware, Workers};

/// What wakes the control thread.
#[derive(Debug)]
pub enum Wake {
    /// SIGHUP.
    Reload,
    /// SIGTERM or SIGINT, by its name.
    Stop(&'static str),
    /// Somebody asks through the socket; the answer goes to the sender.
    Ask(status::Question, mpsc::Sender<String>),
}

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
pub fn run(file: &Path, checked: Checked, spare_frames: u32) -> anyhow::Result<Report> {
    let (wake, wakes) = mpsc::channel();
    // before anything else: a signal during the start waits for its end, and who finds the socket taken must not have
    // bridged a single frame beside the bridge that has it
    signals::watch(wake.clone()).context("watching for signals")?;
    let _socket = socket::listen(&checked.rules.control, wake)?;
    let (workers, hardware) = hardware::start(checked.rules, spare_frames)?;
    Control::new(file.to_owned(), checked.text, workers, hardware).run(&wakes)
}

/// The running bridge, as the control thread sees it.
#[derive(Debug)]
struct Control {
    file: PathBuf,
    text: String,
    workers: Workers,
    hardware: Box<dyn Hardware>,
    alarms: Alarms,
    plane: ControlPlane,
    sweeps: Vec<Sweep>,
    links: Vec<Option<bool>>,
    started: Instant,
}

impl Control {
    /// Takes over a fleet that runs by the rules of `file`, whose text is `text`.
    fn new(file: PathBuf, text: String, workers: Workers, hardware: Box<dyn Hardware>) -> Control {
        let plane = ControlPlane::new(workers.seed(), true);
        Control {
            file,
            text,
            workers,
            hardware,
            alarms: Alarms::default(),
            plane,
            sweeps: Vec::new(),
            links: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Runs until a signal ends it; the final books.
    fn run(mut self, wakes: &Receiver<Wake>) -> anyhow::Result<Report> {
        let rules = &self.workers.plan().rules;
        // an error is no news: not started by systemd
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);
        info!(
            generation = self.workers.plan().generation,
            bridges = rules.bridges.len(),
            workers = rules.workers.len(),
            socket = %rules.control.socket.display(),
            "running"
        );
        let ended = self.serve(wakes);
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Stopping]);
        ended?;
        let plan = self.workers.plan().clone();
        let books = self.workers.stop()?;
        self.hardware.drain();
        Ok(Report::new(&plan, &books, &[]))
    }

    fn serve(&mut self, wakes: &Receiver<Wake>) -> anyhow::Result<()> {
        let mut next = Instant::now();
        let mut ticks = 0;
        loop {
            match wakes.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Wake::Stop(signal)) => {
                    info!(signal, "stopping");
                    return Ok(());
                }
                Ok(Wake::Reload) => self.reload()?,
                Ok(Wake::Ask(question, answer)) => {
                    // who asked may be gone
                    let _ = answer.send(self.answer(question)?);
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the thread that watches for signals has ended"),
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + TICK;
                    self.tick(ticks)?;
                    ticks += 1;
                }
            }
        }
    }

    fn tick(&mut self, ticks: u64) -> anyhow::Result<()> {
        self.workers.check()?;
        let plan = self.workers.plan().clone();
        let now = self.hardware.now();
        let (mut send, mut tell) = (Vec::new(), Vec::new());
        for notice in self.workers.notices() {
            self.plane.notice(&plan, &notice, &mut send, &mut tell);
        }
        self.plane.tick(&plan, now, &mut send, &mut tell);
        self.workers.send(send)?;
        tell.iter().for_each(|tell| self.alarms.tell(&plan, tell));
        self.alarms.flush(now);
        self.sweeps.resize_with(plan.bridges.len(), Sweep::default);
        for (bridge, sweep) in plan.bridges.iter().zip(&mut self.sweeps) {
            let macs = &bridge.tables.macs;
            macs.sweep(now, &bridge.rules.macs, sweep, macs.slots().div_ceil(SWEEP_TICKS));
        }
        if ticks.is_multiple_of(LINK_TICKS) {
            self.look_at_links(&plan.rules);
        }
        Ok(())
    }

    fn look_at_links(&mut self, rules: &Rules) {
        let links = self.hardware.links();
        self.links.resize(links.len(), None);
        for ((port, up), before) in rules.ports.iter().zip(links).zip(&mut self.links) {
            match (up, *before == Some(up)) {
                (_, true) => {}
                (true, _) => {
                    info!(port = port.name, "link is up");
                    if before.is_some() {
                        self.plane.link_up();
                    }
                }
                (false, _) => {
                    warn!(port = port.name, device = port.device, "link is down: nothing passes this port")
                }
            }
            *before = Some(up);
        }
    }
}
