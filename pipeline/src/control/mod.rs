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
pub mod reload;
pub mod replay;
mod running;
mod saver;
mod service;
mod signals;
pub mod socket;
mod starved;
pub mod state;
pub mod status;
mod wake;
mod workers;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
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
use saver::Saver;
use service::{Service, Traffic};
use starved::Starved;
pub use wake::Wake;

/// How often the control thread looks around when nothing wakes it.
const TICK: Duration = Duration::from_millis(100);
/// Ticks that one sweep of a MAC table takes.
const SWEEP_TICKS: usize = 10;
/// Ticks between two looks at the ports.
const PORT_TICKS: u64 = 10;
/// A start may take so long: DPDK clears its memory, and devices come up one after the other.
const LONGEST_START: Duration = Duration::from_secs(120);
/// And an end: a disk or a worker that does not answer.
const LONGEST_END: Duration = Duration::from_secs(30);

/// Runs the bridge of a file's rules until a signal ends it; the final books. What is learned is kept in `state`.
///
/// # Errors
/// A socket, port or worker that does not start, or a worker that ends: in words for an operator.
pub fn run(
    file: &Path,
    checked: Checked,
    spare_frames: u32,
    lines_lost: LinesLost,
    state: Option<PathBuf>,
) -> anyhow::Result<Report> {
    let (wake, wakes) = mpsc::channel();
    // before anything else: a signal during the start is then obeyed after it, and a second process that finds the socket
    // taken has not forwarded a single frame beside the bridge that has it
    signals::watch(wake.clone()).context("watching for signals")?;
    let _socket = socket::listen(&checked.rules.control, wake)?;
    service::busy("starting DPDK, the ports and the workers", LONGEST_START);
    let seed = workers::secret();
    let mut plane = ControlPlane::new(seed, true);
    // before the first frame: what is known floods nothing, and nothing is learned twice
    let first = |plan: &Plan, now| {
        if let Some(state) = &state {
            saver::restore(state, plan, &mut plane, now);
        }
    };
    let (workers, hardware) = hardware::start(checked.rules, spare_frames, seed, first)?;
    let saver = state.map(Saver::new).transpose().context("starting a thread")?;
    let started = Instant::now();
    let file = file.to_owned();
    let running = Running { file, text: checked.text, workers, hardware, plane, started, lines_lost, saver };
    Control::new(running).run(wakes)
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
    starved: Starved,
    service: Service,
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
            starved: Starved::default(),
            service: Service::from_environment(),
        }
    }

    /// Runs until a signal ends it; the final books.
    fn run(mut self, wakes: Receiver<Wake>) -> anyhow::Result<Report> {
        // each is heard once: its loop runs
        self.running.workers.books();
        service::ready();
        let rules = &self.running.workers.plan().rules;
        info!(
            generation = self.running.workers.plan().generation,
            bridges = rules.bridges.len(),
            workers = rules.workers.len(),
            socket = %rules.control.socket.display(),
            "running"
        );
        let ended = self.serve(&wakes);
        // whoever still asks is told at once that it is stopping
        drop(wakes);
        service::stopping();
        service::busy("ending: saving the state, sending what the queues hold", LONGEST_END);
        let plan = self.running.workers.plan().clone();
        if let Some(saver) = self.running.saver.take() {
            self.take_in(&plan);
            // while frames still pass
            saver.finish(&plan, || self.running.hardware.now());
        }
        ended?;
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
                Some(Wake::Reload(answer)) => {
                    service::reloading();
                    let outcome = reload::reload(&mut self.running);
                    service::ready();
                    if let Some(answer) = answer {
                        let _ = answer.send(serde_json::to_string(&outcome)?);
                    }
                }
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
        if self.service.tick(self.running.workers.silent()) {
            self.tell_status();
        }
        let plan = self.running.workers.plan().clone();
        let now = self.running.hardware.now();
        self.take_in(&plan);
        self.running.plane.sweep(&plan, now, SWEEP_TICKS, &mut self.effects);
        // while nobody can send, nothing is looked for: a look that nobody saw would find no duplicate
        if self.running.workers.can_send() {
            self.running.plane.tick(&plan, now, &mut self.effects);
        }
        self.running.workers.send(std::mem::take(&mut self.effects.send));
        self.effects.tell.drain(..).for_each(|event| self.alarms.tell(&plan, &event));
        self.alarms.flush(now);
        self.let_go(&plan);
        if ticks.is_multiple_of(PORT_TICKS) {
            self.look_at_links(&plan);
            let lost = self.running.hardware.losses();
            self.starved
                .look(plan.rules.ports.iter().zip(&lost).map(|(port, lost)| (&*port.name, lost.no_buffer)));
        }
        if let Some(saver) = &mut self.running.saver {
            saver.tick(&plan, now);
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

    fn take_in(&mut self, plan: &Plan) {
        for message in self.running.workers.messages() {
            self.running.plane.take_in(plan, &message, &mut self.effects);
        }
    }

    fn tell_status(&mut self) {
        let mut traffic = Traffic::default();
        for worker in self.running.workers.books() {
            for port in &worker.books.ports {
                traffic.received += port.received;
                traffic.transmitted += port.transmitted;
                traffic.dropped += port.dropped.iter().sum::<u64>();
            }
            traffic.dropped += worker.books.sides.iter().flatten().flat_map(|side| side.dropped).sum::<u64>();
        }
        let plan = self.running.workers.plan();
        let ports = plan.rules.ports.iter().map(|port| &*port.name);
        let links = ports.zip(self.links.iter().map(|link| link.unwrap_or(Link::Down)));
        self.service.tell(plan.generation, links, traffic);
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
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::sync::{Arc, Mutex};

    use super::hardware::{Hardware, Losses};
    use super::workers::Workers;
    use super::*;
    use crate::base::time::Time;
    use crate::io::Io;
    use crate::io::dpdk::Removal;
    use crate::io::mem::{MemIo, Packet};

    /// What happened to port 1, in order.
    type Happened = Arc<Mutex<Vec<&'static str>>>;

    /// A worker goes on, is to stand still, stands still.
    const FREE: u8 = 0;
    const HOLD: u8 = 1;
    const HELD: u8 = 2;

    /// Ports that can hold their worker.
    struct Ports(MemIo, Arc<AtomicU8>, Happened);

    impl Io for Ports {
        type Buffer = Packet;

        fn receive(&mut self, port: usize, into: &mut Vec<Packet>) {
            let _ = self.1.compare_exchange(HOLD, HELD, Ordering::Relaxed, Ordering::Relaxed);
            while self.1.load(Ordering::Relaxed) == HELD {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.0.receive(port, into);
        }

        fn transmit(&mut self, port: usize, frames: &mut Vec<Packet>) {
            self.0.transmit(port, frames);
        }

        fn make(&mut self, bytes: &[u8]) -> Option<Packet> {
            self.0.make(bytes)
        }

        fn release(&mut self, port: usize) {
            assert_eq!(port, 1);
            self.2.lock().unwrap().push("released");
        }
    }

    /// The same ports: the device of port 1 is to be given up until it is closed.
    #[derive(Debug)]
    struct Devices(Happened);

    impl Hardware for Devices {
        fn now(&self) -> Time {
            Time::from_nanos(0)
        }

        fn tsc_hz(&self) -> Option<u64> {
            None
        }

        fn links(&self) -> Vec<Link> {
            vec![Link::Up, Link::Gone]
        }

        fn losses(&mut self) -> Vec<Losses> {
            vec![Losses::default(); 2]
        }

        fn wakes(&self) -> bool {
            false
        }

        fn leaving(&self) -> Vec<(usize, Removal)> {
            let is_closed = self.0.lock().unwrap().contains(&"closed");
            if is_closed { Vec::new() } else { vec![(1, Removal::Asked)] }
        }

        fn close(&mut self, port: usize) -> bool {
            assert_eq!(port, 1);
            self.0.lock().unwrap().push("closed");
            true
        }

        fn shut_down(&mut self) {}
    }

    const RULES: &str = r#"
version: 1
ports: { a: { device: net_null0 }, b: { device: net_null1 } }
workers: [1, 2]
idle: sleep
bridges:
  wix:
    sides: { mud: { port: a }, wix: { port: b } }
    peering: { ipv4: [202.7.0.0/23] }
"#;

    #[test]
    fn a_device_that_goes_is_closed_once_and_not_before_every_worker_has_let_go_of_it() {
        let (held, happened) = (Arc::new(AtomicU8::new(FREE)), Happened::default());
        let ports = |held: &Arc<AtomicU8>| Ports(MemIo::new(2), Arc::clone(held), Arc::clone(&happened));
        let ios = vec![ports(&Arc::default()), ports(&held)];
        let plan = Plan::new(rules::parse(RULES, "test.yaml").unwrap().rules, None, &[], 0).unwrap();
        let clock = || Time::from_nanos(0);
        let workers = Workers::start(plan, Vec::new(), 0, |_, _| {}, clock, ios, |_, _| Ok(())).unwrap();
        let mut control = Control::new(Running {
            file: PathBuf::new(),
            text: String::new(),
            workers,
            hardware: Box::new(Devices(Arc::clone(&happened))),
            plane: ControlPlane::new(0, true),
            started: Instant::now(),
            lines_lost: LinesLost::default(),
            saver: None,
        });
        let plan = control.running.workers.plan().clone();
        held.store(HOLD, Ordering::Relaxed);
        while held.load(Ordering::Relaxed) != HELD {
            std::thread::yield_now();
        }
        control.let_go(&plan);
        control.let_go(&plan);
        assert_eq!(control.running.workers.silent(), [2]);
        assert!(!happened.lock().unwrap().contains(&"closed"), "a worker may still use it");
        held.store(FREE, Ordering::Relaxed);
        while !control.running.workers.silent().is_empty() {
            control.running.workers.listen();
        }
        while !happened.lock().unwrap().contains(&"closed") {
            control.let_go(&plan);
        }
        control.let_go(&plan);
        let happened = happened.lock().unwrap().clone();
        assert_eq!(happened.iter().filter(|&&what| what == "closed").count(), 1);
        assert_eq!(happened.last(), Some(&"closed"), "{happened:?}");
        control.running.workers.stop().unwrap();
    }

    #[test]
    fn a_tick_that_is_due_comes_before_all_questions_that_wait() {
        let (wake, wakes) = mpsc::channel();
        for _ in 0..3 {
            wake.send(Wake::Reload(None)).unwrap();
        }
        let later = Instant::now() + Duration::from_secs(3600);
        assert!(matches!(next(&wakes, later), Ok(Some(Wake::Reload(None)))));
        assert!(matches!(next(&wakes, Instant::now()), Ok(None)));
        assert!(matches!(next(&wakes, later), Ok(Some(Wake::Reload(None)))));
    }
}
