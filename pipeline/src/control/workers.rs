//! The workers, as the control thread holds them: a thread, a queue of orders, and queues of reports and events for each.

use std::fmt::Debug;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rules::{Mac, Rules};
use rustix::thread::{Pid, gettid};
use tracing::warn;

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
use crate::worker::idle::IdleWait;
use crate::worker::orders::{Order, PlanSwap, WorkerReport};

/// A worker reports between two bursts, which is microseconds away; one that has not for so long never will.
const PATIENCE: Duration = Duration::from_secs(10);

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
}

/// All workers of the process.
#[derive(Debug)]
pub(super) struct Workers {
    handles: Vec<WorkerHandle>,
    plan: Arc<Plan>,
    port_macs: Vec<Mac>,
    seed: u64,
}

/// Puts large tables into huge pages, before anybody uses them.
fn spread_out(bridges: &[BridgePlan]) {
    bridges.iter().for_each(|bridge| in_huge_pages(bridge.tables.macs.extent()));
}

impl Workers {
    /// Starts a worker on each core of the rules, each with its ports. `enter` runs first on the worker's own thread, and
    /// what it gives is kept as long as the worker runs.
    pub(super) fn start<I: Io + Send + 'static, Guard>(
        rules: Rules,
        port_macs: Vec<Mac>,
        clock: impl Fn() -> Time + Clone + Send + 'static,
        ios: Vec<I>,
        enter: impl Fn(&I, u16) -> anyhow::Result<Guard> + Clone + Send + 'static,
    ) -> anyhow::Result<Workers> {
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        let cores = rules.workers.clone();
        let plan = Arc::new(Plan::new(rules, None, &port_macs, seed)?);
        spread_out(&plan.bridges);
        keep_silent(&plan, 0);
        let workers = cores.len();
        let mut handles = Vec::with_capacity(workers);
        for (core, io) in cores.into_iter().zip(ios) {
            let (orders, ordered) = rtrb::RingBuffer::new(4);
            let (reporting, reports) = rtrb::RingBuffer::new(4);
            let (ready, started) = std::sync::mpsc::channel();
            let (clock, enter, plan) = (clock.clone(), enter.clone(), Arc::clone(&plan));
            let work = move || {
                let _entered = enter(&io, core)?;
                if let Err(error) = IdleWait::wake_promptly() {
                    warn!(core, "`idle: sleep` adds up to 50 us more to a frame: no exact timers: {error}");
                }
                // made here, so that its memory is near its core
                let (worker, messages) = Worker::new(io, plan, workers, seed);
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
            handles.push(WorkerHandle { core, id, thread, orders, reports, messages });
        }
        Ok(Workers { handles, plan, port_macs, seed })
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

    /// What the workers had to say since the last call.
    pub(super) fn messages(&mut self) -> Vec<ControlMsg> {
        self.handles
            .iter_mut()
            .flat_map(|handle| std::iter::from_fn(|| handle.messages.pop()).take(MOST_MESSAGES))
            .collect()
    }

    /// Has the first worker send frames of the bridge's own.
    pub(super) fn send(&mut self, frames: Vec<LocalFrame>) -> anyhow::Result<()> {
        let Some(handle) = self.handles.first_mut().filter(|_| !frames.is_empty()) else { return Ok(()) };
        handle.orders.push(Order::Send(frames)).map_err(|_| handle.stuck())?;
        handle.report().map(drop)
    }

    /// The key of everything that must not be guessed.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The books of each worker, with its core: each counted between two bursts.
    pub(super) fn books(&mut self) -> anyhow::Result<Vec<(u16, Books)>> {
        let (ports, bridges) = (self.plan.ports.len(), self.plan.bridges.len());
        self.order(|| Order::Count(Box::new(Books::new(ports, bridges))))?;
        self.handles
            .iter_mut()
            .map(|handle| match handle.report()? {
                WorkerReport::Counted(books) => Ok((handle.core, *books)),
                _ => Err(handle.confused()),
            })
            .collect()
    }

    /// Has each worker time the stages of its next bursts, so many at the most; or none. What each has timed until now, with
    /// its core: workers answer at once, as a silent port brings no bursts.
    pub(super) fn profile(
        &mut self,
        bursts: Option<u64>,
    ) -> anyhow::Result<Vec<(u16, Option<Box<Profile>>)>> {
        self.order(|| Order::Profile(bursts.map(|bursts| Box::new(Profile::new(bursts)))))?;
        self.handles
            .iter_mut()
            .map(|handle| match handle.report()? {
                WorkerReport::Profiled(profile) => Ok((handle.core, profile)),
                _ => Err(handle.confused()),
            })
            .collect()
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

    /// Puts a prepared plan in force on all workers; when it returns, no worker goes by the old one any more.
    ///
    /// # Errors
    /// A worker that does not respond, or has ended.
    pub(super) fn swap_plan(&mut self, plan: Arc<Plan>) -> anyhow::Result<()> {
        let (before, workers, seed) = (Arc::clone(&self.plan), self.handles.len(), self.seed);
        spread_out(&plan.bridges[before.bridges.len()..]);
        keep_silent(&plan, before.bridges.len());
        for (bridge, old) in plan.bridges.iter().zip(&before.bridges) {
            if (bridge.own, bridge.rules.own) != (old.own, old.rules.own) {
                OwnAddress::ALL.into_iter().for_each(|address| bridge.tables.hold.silence(address, true));
            }
        }
        self.order(|| Order::SwapPlan(Box::new(PlanSwap::new(Arc::clone(&plan), &before, workers, seed))))?;
        for handle in &mut self.handles {
            handle.report()?;
        }
        self.plan = plan;
        Ok(())
    }

    /// Ends all workers; their books together.
    pub(super) fn stop(mut self) -> anyhow::Result<Books> {
        self.order(|| Order::Stop)?;
        let mut total = Books::default();
        for handle in self.handles {
            let ended =
                handle.thread.join().map_err(|_| anyhow!("the worker on core {} panicked", handle.core))?;
            total += &ended?;
        }
        Ok(total)
    }

    fn order(&mut self, order: impl Fn() -> Order) -> anyhow::Result<()> {
        for handle in &mut self.handles {
            handle.orders.push(order()).map_err(|_| handle.stuck())?;
        }
        Ok(())
    }
}

/// Bridges from this index on are new: they answer for no address of their own before they have looked for duplicates of it.
fn keep_silent(plan: &Plan, from: usize) {
    for bridge in &plan.bridges[from..] {
        OwnAddress::ALL.into_iter().for_each(|address| bridge.tables.hold.silence(address, true));
    }
}

impl WorkerHandle {
    fn report(&mut self) -> anyhow::Result<WorkerReport> {
        let since = Instant::now();
        loop {
            if let Ok(report) = self.reports.pop() {
                return Ok(report);
            }
            if since.elapsed() > PATIENCE || self.thread.is_finished() {
                return Err(self.stuck());
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    /// The second field of `schedstat`, nanoseconds: Documentation/scheduler/sched-stats.rst.
    fn waited(&self) -> Option<Duration> {
        let file = format!("/proc/self/task/{}/schedstat", self.id);
        let text = std::fs::read_to_string(file).ok()?;
        text.split_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
    }

    fn confused(&self) -> anyhow::Error {
        anyhow!("the worker on core {} answered another question", self.core)
    }

    fn stuck(&self) -> anyhow::Error {
        anyhow!("the worker on core {} does not respond", self.core)
    }
}
