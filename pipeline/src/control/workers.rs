//! The workers, as the control thread holds them: a thread, a queue of orders, and queues of reports and events for each.

use std::fmt::Debug;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use rules::{Mac, Rules};
use rustix::thread::{Pid, gettid};
use tracing::{error, info, warn};

use crate::base::time::Time;
use crate::io::Io;
use crate::io::dpdk::in_huge_pages;
use crate::observe::books::Books;
use crate::observe::profile::Profile;
use crate::path::control_queue::{ControlMsg, ControlRx};
use crate::path::outbox::LocalFrame;
use crate::plan::bridge::BridgePlan;
use crate::plan::{Plan, TooManyBridges};
use crate::table::hold::OwnAddress;
use crate::worker::Worker;
use crate::worker::confine::confine;
use crate::worker::idle::IdleWait;
use crate::worker::orders::{Order, PlanSwap, WorkerReport};

/// A worker reports between two bursts, which is microseconds away; one that has not for so long is silent, and nobody waits
/// for it until it is back (docs/decisions/0009).
const PATIENCE: Duration = Duration::from_secs(1);

/// What is waited at the end for workers that are silent: less than a service manager waits before it kills.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at what a worker has to say. No sleep: that begins anew with each signal, and net_tap has the kernel send
/// one for each frame.
const LOOK: Duration = Duration::from_micros(50);

/// Orders that a worker may have before it and reports that may wait for the control thread: a question and frames of each
/// tick that it is late, and somebody's question.
const ORDERS: usize = 16;

/// Messages taken from a worker in one tick: one that goes on sending must not keep the control thread from everything else.
const MOST_MESSAGES: usize = 16384;

#[derive(Debug)]
struct WorkerHandle {
    core: u16,
    id: Pid,
    thread: JoinHandle<anyhow::Result<Books>>,
    orders: rtrb::Producer<Order>,
    reports: rtrb::Consumer<WorkerReport>,
    messages: ControlRx,
    /// Orders that it has not reported on, and since when there are any.
    open: usize,
    since: Instant,
    silent: bool,
    /// It waits for no interrupts any more, and that was told.
    deaf: bool,
    /// As it last gave them.
    books: Books,
}

/// What a worker counted.
#[derive(Debug)]
pub(super) struct WorkerBooks {
    /// Its core.
    pub(super) core: u16,
    /// Up to now; up to its last report where it is silent.
    pub(super) books: Books,
    /// It does not respond.
    pub(super) silent: bool,
}

/// Workers on these cores do not respond.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no response from the worker on core {}", .0.iter().map(u16::to_string).collect::<Vec<_>>().join(", "))]
pub(super) struct Silent(pub(super) Vec<u16>);

/// All workers of the process.
#[derive(Debug)]
pub(super) struct Workers {
    handles: Vec<WorkerHandle>,
    plan: Arc<Plan>,
    port_macs: Vec<Mac>,
    seed: u64,
    patience: Duration,
    listened: Instant,
}

/// The key of everything that must not be guessed.
pub(super) fn secret() -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0)
}

/// Puts a large table into huge pages, before anybody uses it.
fn spread_out(bridge: &BridgePlan) {
    in_huge_pages(bridge.tables.macs.extent());
    in_huge_pages(bridge.roaming.extent());
}

impl Workers {
    /// Starts a worker on each core of the plan, each with its ports. `first` has the plan before any worker does. `enter` runs
    /// first on the worker's own thread, and what it gives is kept as long as the worker runs.
    pub(super) fn start<I: Io + Send + 'static, Guard>(
        plan: Plan,
        port_macs: Vec<Mac>,
        seed: u64,
        first: impl FnOnce(&Plan, Time),
        clock: impl Fn() -> Time + Clone + Send + 'static,
        ios: Vec<I>,
        enter: impl Fn(&I, u16) -> anyhow::Result<Guard> + Clone + Send + 'static,
    ) -> anyhow::Result<Workers> {
        let cores = plan.rules.workers.clone();
        plan.bridges.iter().for_each(spread_out);
        plan.bridges.iter().for_each(keep_silent);
        first(&plan, clock());
        let plan = Arc::new(plan);
        let workers = cores.len();
        let mut handles = Vec::with_capacity(workers);
        for (core, io) in cores.into_iter().zip(ios) {
            let (orders, ordered) = rtrb::RingBuffer::new(ORDERS);
            let (reporting, reports) = rtrb::RingBuffer::new(ORDERS);
            let (ready, started) = std::sync::mpsc::channel();
            let (clock, enter, plan) = (clock.clone(), enter.clone(), Arc::clone(&plan));
            let work = move || {
                let _entered = enter(&io, core)?;
                if let Err(error) = IdleWait::wake_promptly() {
                    warn!(core, "`idle: sleep` adds up to 50 us more to a frame: no exact timers: {error}");
                }
                // made here, so that its memory is near its core
                let (worker, messages) = Worker::new(io, plan, workers);
                if let Err(error) = confine() {
                    warn!(core, "the worker can open files and sockets, which it never needs: {error:#}");
                }
                let _ = ready.send((gettid(), messages));
                Ok(worker.run(clock, ordered, reporting))
            };
            let thread = std::thread::Builder::new()
                .name(format!("worker-{core}"))
                .spawn(work)
                .with_context(|| format!("starting the worker on core {core}"))?;
            let Ok((id, messages)) = started.recv() else {
                let error =
                    thread.join().map_err(|_| anyhow!("it panicked")).and_then(|ended| ended.map(drop));
                return Err(error
                    .err()
                    .unwrap_or_else(|| anyhow!("it ended"))
                    .context(format!("worker on core {core}")));
            };
            handles.push(WorkerHandle {
                core,
                id,
                thread,
                orders,
                reports,
                messages,
                open: 0,
                since: Instant::now(),
                silent: false,
                deaf: false,
                books: Books::default(),
            });
        }
        Ok(Workers { handles, plan, port_macs, seed, patience: PATIENCE, listened: Instant::now() })
    }

    /// The rules in force.
    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// An error where a worker has ended: nobody forwards on its queues any more.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match self.handles.iter().find(|handle| handle.thread.is_finished()) {
            Some(handle) => bail!("the worker on core {} has ended by itself", handle.core),
            None => Ok(()),
        }
    }

    /// Hears who is there, and asks anew: to be called now and then. Waits for nobody.
    pub(super) fn listen(&mut self) {
        // whoever did not listen for so long did not run itself, and nor did they: a suspended machine. Their time begins anew.
        let late = self.listened.elapsed() >= self.patience;
        self.listened = Instant::now();
        for handle in self.handles.iter_mut().filter(|_| late) {
            handle.since = self.listened;
        }
        for handle in &mut self.handles {
            while handle.take().is_some() {}
            if handle.open == 0 {
                handle.order(Order::Respond);
            } else if handle.since.elapsed() >= self.patience {
                handle.fall_silent();
            }
        }
    }

    /// The cores of workers that do not respond.
    pub(super) fn silent(&self) -> Vec<u16> {
        self.handles.iter().filter(|handle| handle.silent).map(|handle| handle.core).collect()
    }

    /// What the workers had to say since the last call.
    pub(super) fn messages(&mut self) -> Vec<ControlMsg> {
        self.handles
            .iter_mut()
            .flat_map(|handle| std::iter::from_fn(|| handle.messages.pop()).take(MOST_MESSAGES))
            .collect()
    }

    /// Some worker responds.
    pub(super) fn can_send(&self) -> bool {
        self.handles.iter().any(|handle| !handle.silent)
    }

    /// Has the first worker that responds send frames of the bridge's own.
    pub(super) fn send(&mut self, frames: Vec<LocalFrame>) {
        let responding = self.handles.iter_mut().find(|handle| !handle.silent);
        if let Some(handle) = responding.filter(|_| !frames.is_empty()) {
            handle.order(Order::Send(frames));
        }
    }

    /// Has all workers let go of a port; `false` where one does not respond, and may still use it.
    pub(super) fn release(&mut self, port: usize) -> bool {
        self.ask(|| Order::Release(port)).iter().all(|report| matches!(report, Some(WorkerReport::Released)))
    }

    /// The books of each worker, each counted between two bursts.
    pub(super) fn books(&mut self) -> Vec<WorkerBooks> {
        let (ports, bridges) = (self.plan.ports.len(), self.plan.bridges.len());
        let counted = self.ask(|| Order::Count(Box::new(Books::new(ports, bridges))));
        for (handle, report) in self.handles.iter_mut().zip(counted) {
            if let Some(WorkerReport::Counted(books)) = report {
                handle.books = *books;
            }
        }
        let books = |handle: &WorkerHandle| {
            // one that is silent may not know of all bridges yet
            let mut books = Books::new(ports, bridges);
            books += &handle.books;
            WorkerBooks { core: handle.core, books, silent: handle.silent }
        };
        self.handles.iter().map(books).collect()
    }

    /// Has each worker time the stages of its next bursts, so many at the most; or none. What each has timed until now, with
    /// its core: workers answer at once, as a silent port brings no bursts.
    pub(super) fn profile(&mut self, bursts: Option<u64>) -> Vec<(u16, Option<Box<Profile>>)> {
        let profiled = self.ask(|| Order::Profile(bursts.map(|bursts| Box::new(Profile::new(bursts)))));
        let profile = |(handle, report): (&WorkerHandle, _)| match report {
            Some(WorkerReport::Profiled(profile)) => (handle.core, profile),
            _ => (handle.core, None),
        };
        self.handles.iter().zip(profiled).map(profile).collect()
    }

    /// How long each worker, in their order, could have run and another thread had its core; `None` where the kernel does
    /// not say (no `CONFIG_SCHED_INFO`).
    pub(super) fn waited(&self) -> Vec<Option<Duration>> {
        self.handles.iter().map(WorkerHandle::waited).collect()
    }

    /// The rules made ready to [swap in](Workers::swap_plan).
    ///
    /// # Errors
    /// [`TooManyBridges`]: nothing has changed.
    pub(super) fn prepare(&self, rules: Rules) -> Result<Arc<Plan>, TooManyBridges> {
        Plan::new(rules, Some(&self.plan), &self.port_macs, self.seed).map(Arc::new)
    }

    /// Puts a prepared plan in force on all workers. When it returns, no worker goes by the old one any more; one that has
    /// fallen silent in that very moment has the order before it, and takes it before its next burst.
    ///
    /// # Errors
    /// [`Silent`]: nothing has changed (law 4).
    pub(super) fn swap_plan(&mut self, plan: Arc<Plan>, now: Time) -> Result<(), Silent> {
        self.ask(|| Order::Respond);
        let silent = self.silent();
        if !silent.is_empty() {
            return Err(Silent(silent));
        }
        let (before, workers) = (Arc::clone(&self.plan), self.handles.len());
        for (index, bridge) in plan.bridges.iter().enumerate() {
            let old = before.bridges.get(index);
            // also where a bridge was removed and comes back
            let is_new = !old.is_some_and(|old| Arc::ptr_eq(&old.tables, &bridge.tables));
            if !old.is_some_and(|old| Arc::ptr_eq(&old.roaming, &bridge.roaming)) {
                spread_out(bridge);
            }
            if is_new || old.is_some_and(|old| (bridge.own, bridge.rules.own) != (old.own, old.rules.own)) {
                keep_silent(bridge);
            }
        }
        plan.repace(&before, now);
        self.ask(|| Order::SwapPlan(Box::new(PlanSwap::new(Arc::clone(&plan), &before, workers))));
        self.plan = plan;
        Ok(())
    }

    /// Ends all workers; their books together.
    ///
    /// # Errors
    /// A worker that panicked, or that does not end: its books cannot be had.
    pub(super) fn stop(mut self) -> anyhow::Result<Books> {
        for handle in &mut self.handles {
            // one that has ended, or has no room for it, is found below
            let _ = handle.orders.push(Order::Stop);
        }
        let began = Instant::now();
        let mut total = Books::default();
        for WorkerHandle { core, thread, .. } in self.handles {
            while !thread.is_finished() {
                ensure!(began.elapsed() < LAST_PATIENCE, "{}: its books are lost", Silent(vec![core]));
                std::thread::park_timeout(LOOK);
            }
            let ended = thread.join().map_err(|_| anyhow!("the worker on core {core} panicked"))?;
            total += &ended?;
        }
        Ok(total)
    }

    /// Each worker's report on an order; none of those that are silent or fall silent over it.
    fn ask(&mut self, order: impl Fn() -> Order) -> Vec<Option<WorkerReport>> {
        let asked: Vec<bool> = self.handles.iter_mut().map(|handle| handle.order(order())).collect();
        let until = Instant::now() + self.patience;
        let reports = self.handles.iter_mut().zip(asked);
        reports.map(|(handle, asked)| asked.then(|| handle.report(until)).flatten()).collect()
    }
}

/// A bridge answers for no address of its own before it has looked for duplicates of it.
fn keep_silent(bridge: &BridgePlan) {
    OwnAddress::ALL.into_iter().for_each(|address| bridge.tables.hold.silence(address, true));
}

impl WorkerHandle {
    /// Gives it an order, if it takes any.
    fn order(&mut self, order: Order) -> bool {
        let given = !self.silent && self.open < ORDERS && self.orders.push(order).is_ok();
        if given {
            self.since = if self.open == 0 { Instant::now() } else { self.since };
            self.open += 1;
        }
        given
    }

    /// The next report, if it is there.
    fn take(&mut self) -> Option<WorkerReport> {
        let report = self.reports.pop().ok()?;
        if matches!(report, WorkerReport::Present { deaf: true }) && !std::mem::replace(&mut self.deaf, true)
        {
            warn!(core = self.core, "receive interrupts do not come: the worker goes by `idle: sleep`");
        }
        self.open -= 1;
        self.since = Instant::now();
        if self.open == 0 && std::mem::take(&mut self.silent) {
            info!(event = "worker_back", core = self.core, "the worker responds again");
        }
        Some(report)
    }

    /// The report on the last order: those before it are about what nobody waits for any more.
    fn report(&mut self, until: Instant) -> Option<WorkerReport> {
        loop {
            while let Some(report) = self.take() {
                if self.open == 0 {
                    return Some(report);
                }
            }
            if Instant::now() >= until || self.thread.is_finished() {
                self.fall_silent();
                return None;
            }
            std::thread::park_timeout(LOOK);
        }
    }

    fn fall_silent(&mut self) {
        if !std::mem::replace(&mut self.silent, true) {
            error!(
                event = "worker_stuck",
                core = self.core,
                "the worker does not respond: nothing passes on its queues, and no reload until it is back"
            );
        }
    }

    /// The second field of `schedstat`, nanoseconds: Documentation/scheduler/sched-stats.rst.
    fn waited(&self) -> Option<Duration> {
        let file = format!("/proc/self/task/{}/schedstat", self.id);
        let text = std::fs::read_to_string(file).ok()?;
        text.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::io::mem::{MemIo, Packet};
    use crate::worker::confine::is_refusal;

    /// Ports that can hold the worker that looks at them.
    struct Ports(MemIo, Arc<Hold>);

    struct Hold {
        held: AtomicBool,
        met: Barrier,
    }

    impl Hold {
        fn new() -> Arc<Hold> {
            Arc::new(Hold { held: AtomicBool::new(false), met: Barrier::new(2) })
        }

        /// When this returns, the worker responds to nothing.
        fn hold(&self) {
            self.held.store(true, Ordering::Relaxed);
            self.met.wait();
        }

        fn release(&self) {
            self.held.store(false, Ordering::Relaxed);
        }
    }

    impl Io for Ports {
        type Buffer = Packet;

        fn receive(&mut self, port: usize, into: &mut Vec<Packet>) {
            if self.1.held.load(Ordering::Relaxed) {
                self.1.met.wait();
            }
            while self.1.held.load(Ordering::Relaxed) {
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

    fn rules() -> Rules {
        rules::parse(RULES, "test.yaml").unwrap().rules
    }

    /// Two workers, a frame waiting for each, and what holds the second.
    fn workers() -> (Workers, Arc<Hold>) {
        let hold = Hold::new();
        let ports = |hold: &Arc<Hold>| {
            let mut io = MemIo::new(2);
            io.input[0].push_back(Packet::new(&[0; 10]));
            Ports(io, Arc::clone(hold))
        };
        let ios = vec![ports(&Hold::new()), ports(&hold)];
        let began = Instant::now();
        let clock = move || Time::from_nanos(began.elapsed().as_nanos() as u64);
        let plan = Plan::new(rules(), None, &[], 0).unwrap();
        let mut workers = Workers::start(plan, Vec::new(), 0, |_, _| {}, clock, ios, |_, _| Ok(())).unwrap();
        wait(|| received(&mut workers) == [(1, 1, false), (2, 1, false)]);
        workers.patience = Duration::from_millis(200);
        (workers, hold)
    }

    /// Core, frames, silence.
    fn received(workers: &mut Workers) -> Vec<(u16, u64, bool)> {
        let each = |worker: WorkerBooks| (worker.core, worker.books.ports[0].received, worker.silent);
        workers.books().into_iter().map(each).collect()
    }

    fn wait(mut until: impl FnMut() -> bool) {
        let began = Instant::now();
        while !until() {
            assert!(began.elapsed() < Duration::from_secs(30), "it does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ports that try to open a file and a socket on the worker's thread, and keep what came of it.
    struct Curious(Arc<std::sync::Mutex<Vec<std::io::Result<()>>>>);

    impl Io for Curious {
        type Buffer = Packet;

        fn receive(&mut self, _: usize, _: &mut Vec<Packet>) {
            let mut tries = self.0.lock().unwrap();
            if tries.is_empty() {
                tries.push(std::fs::File::open("/dev/null").map(drop));
                tries.push(std::net::UdpSocket::bind("127.0.0.1:0").map(drop));
            }
        }

        fn transmit(&mut self, _: usize, _: &mut Vec<Packet>) {}

        fn make(&mut self, _: &[u8]) -> Option<Packet> {
            None
        }
    }

    #[test]
    fn a_worker_can_open_neither_a_file_nor_a_socket() {
        let tried = Arc::default();
        let mut rules = rules();
        rules.workers.truncate(1);
        let clock = || Time::from_nanos(0);
        let ios = vec![Curious(Arc::clone(&tried))];
        let plan = Plan::new(rules, None, &[], 0).unwrap();
        let workers = Workers::start(plan, Vec::new(), 0, |_, _| {}, clock, ios, |_, _| Ok(())).unwrap();
        wait(|| !tried.lock().unwrap().is_empty());
        workers.stop().unwrap();
        let tries = std::mem::take(&mut *tried.lock().unwrap());
        assert!(
            tries.len() == 2 && tries.iter().all(|tried| tried.as_ref().is_err_and(is_refusal)),
            "{tries:?}"
        );
    }

    #[test]
    fn a_silent_worker_is_waited_for_once_and_its_last_books_are_shown() {
        let (mut workers, hold) = workers();
        hold.hold();
        assert_eq!(received(&mut workers), [(1, 1, false), (2, 1, true)]);
        let began = Instant::now();
        for _ in 0..100 {
            assert_eq!(received(&mut workers), [(1, 1, false), (2, 1, true)]);
        }
        assert!(began.elapsed() < 20 * workers.patience, "it waited for each");
        assert_eq!(workers.check().map_err(|error| error.to_string()), Ok(()));
        hold.release();
        wait(|| {
            workers.listen();
            workers.silent().is_empty()
        });
        assert_eq!(received(&mut workers), [(1, 1, false), (2, 1, false)]);
        assert_eq!(workers.stop().unwrap().ports[0].received, 2);
    }

    #[test]
    fn a_worker_that_never_reported_has_books_of_every_port_and_bridge() {
        let (mut workers, hold) = workers();
        hold.hold();
        workers.handles.iter_mut().for_each(|handle| handle.books = Books::default());
        let silent = workers.books().remove(1);
        assert_eq!((silent.silent, silent.books.ports.len(), silent.books.sides.len()), (true, 2, 1));
        hold.release();
        workers.stop().unwrap();
    }

    #[test]
    fn a_port_is_let_go_when_every_worker_has_said_so() {
        let (mut workers, hold) = workers();
        hold.hold();
        assert!(!workers.release(1));
        hold.release();
        wait(|| {
            workers.listen();
            workers.release(1)
        });
        workers.stop().unwrap();
    }

    #[test]
    fn silence_is_heard_where_nobody_asks() {
        let (mut workers, hold) = workers();
        hold.hold();
        wait(|| {
            workers.listen();
            workers.silent() == [2]
        });
        workers.send(Vec::new());
        hold.release();
        workers.stop().unwrap();
    }

    #[test]
    fn after_a_gap_in_which_nobody_ran_nobody_counts_as_silent() {
        let (mut workers, hold) = workers();
        hold.hold();
        workers.listen(); // the worker that is held has a question before it
        let gap = 10 * workers.patience;
        workers.listened -= gap;
        workers.handles.iter_mut().for_each(|handle| handle.since -= gap);
        workers.listen();
        assert!(workers.silent().is_empty());
        wait(|| {
            workers.listen();
            workers.silent() == [2]
        });
        hold.release();
        workers.stop().unwrap();
    }

    #[test]
    fn while_a_worker_is_silent_a_reload_changes_nothing_on_any() {
        let (mut workers, hold) = workers();
        hold.hold();
        let plan = workers.prepare(rules()).unwrap();
        assert_eq!(workers.swap_plan(Arc::clone(&plan), Time::ZERO), Err(Silent(vec![2])));
        assert_eq!((workers.plan().generation, Arc::strong_count(&plan)), (1, 1));
        hold.release();
        wait(|| {
            workers.listen();
            workers.swap_plan(Arc::clone(&plan), Time::ZERO).is_ok()
        });
        assert_eq!(workers.plan().generation, 2);
        workers.stop().unwrap();
    }
}
