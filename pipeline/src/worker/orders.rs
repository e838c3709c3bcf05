//! What the control thread asks of a worker, and what that gives back.

use std::sync::Arc;

use crate::observe::books::{Books, SideBooks};
use crate::observe::profile::Profile;
use crate::path::outbox::LocalFrame;
use crate::plan::Plan;
use crate::table::limits::Limits;

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
}

/// New rules for one worker, with room made for all that they bring. After adoption: the old ones.
#[derive(Debug)]
pub struct PlanSwap {
    pub(super) plan: Arc<Plan>,
    pub(super) limits: Vec<Limits>,
    pub(super) sides: Vec<[SideBooks; 2]>,
}

impl PlanSwap {
    /// For a worker that goes by `before`.
    pub fn new(plan: Arc<Plan>, before: &Plan, workers: usize, seed: u64) -> PlanSwap {
        let total = plan.bridges.len();
        // an empty place for each bridge that the worker knows already: it moves what it has there
        let mut limits = Vec::with_capacity(total);
        limits.extend(
            plan.bridges[before.bridges.len()..]
                .iter()
                .map(|bridge| Limits::new(&bridge.rules, workers, seed)),
        );
        let mut sides = Vec::with_capacity(total);
        sides.resize_with(limits.len(), Default::default);
        PlanSwap { plan, limits, sides }
    }
}
