//! What the control thread asks of a worker, and what that gives back.

use std::sync::Arc;

use crate::observe::books::{Books, SideBooks};
use crate::observe::profile::Profile;
use crate::path::outbox::LocalFrame;
use crate::plan::Plan;
use crate::table::limits::Lots;

/// What the control thread asks of a worker.
#[derive(Debug)]
pub enum Order {
    /// Go by these rules from the next burst on.
    SwapPlan(Box<PlanSwap>),
    /// Add your books to these.
    Count(Box<Books>),
    /// Send these frames of our own; empty the list.
    Send(Vec<LocalFrame>),
    /// Fill this from the next burst on, until it is full; without one, fill none.
    Profile(Option<Box<Profile>>),
    /// Let go of this port: its device is gone.
    Release(usize),
    /// Say that you are there.
    Respond,
    /// Finish.
    Stop,
}

/// What a worker gives back. It frees nothing itself.
#[derive(Debug)]
pub enum WorkerReport {
    /// The new rules are in force; the old ones, to be freed.
    PlanSwapped(Box<PlanSwap>),
    /// The books, counted between two bursts.
    Counted(Box<Books>),
    /// What was sent, to be freed.
    Sent(Vec<LocalFrame>),
    /// The profile that was filled until now.
    Profiled(Option<Box<Profile>>),
    /// It uses that port no longer.
    Released,
    /// It is there.
    Present {
        /// It no longer waits for interrupts: none come.
        deaf: bool,
    },
}

/// New rules for one worker, with room made for all that they bring. After the swap: the old ones.
#[derive(Debug)]
pub struct PlanSwap {
    pub(super) plan: Arc<Plan>,
    pub(super) lots: Vec<Lots>,
    pub(super) sides: Vec<[SideBooks; 2]>,
}

impl PlanSwap {
    /// For a worker that goes by `before`.
    pub fn new(plan: Arc<Plan>, before: &Plan, workers: usize) -> PlanSwap {
        let total = plan.bridges.len();
        // an empty place for each bridge that the worker knows already: it moves what it has there
        let added = total - before.bridges.len();
        let mut lots = Vec::with_capacity(total);
        lots.resize_with(added, || Lots::of(workers));
        let mut sides = Vec::with_capacity(total);
        sides.resize_with(added, Default::default);
        PlanSwap { plan, lots, sides }
    }
}
