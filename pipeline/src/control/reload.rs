//! Reload (law 4): the file is read and checked whole before anything changes, and a bad one changes nothing.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::running::Running;

/// What became of a reload. Its JSON is a stable interface: fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// The file's rules are in force.
    Reloaded(Reloaded),
    /// Nothing has changed.
    Refused {
        /// Of the rules that stay in force.
        generation: u64,
        /// All reasons: with file, line and column where the file is wrong.
        refused: Vec<String>,
    },
}

/// A reload that took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Of the rules that are in force now.
    pub generation: u64,
    /// Differences to those before.
    pub changes: usize,
    /// Frames that the devices lost meanwhile.
    pub frames_lost: u64,
    /// Microseconds until every worker went by them.
    pub swap_us: u64,
}

/// Puts the file's rules in force, or says why not and goes on as before.
pub(super) fn reload(running: &mut Running) -> Outcome {
    match running.reload() {
        Ok(reloaded) => Outcome::Reloaded(reloaded),
        Err(refused) => {
            let generation = running.workers.plan().generation;
            for what in &refused {
                error!(generation, "not reloaded, the rules stay as they were: {what}");
            }
            Outcome::Refused { generation, refused }
        }
    }
}

impl Running {
    fn reload(&mut self) -> Result<Reloaded, Vec<String>> {
        let began = Instant::now();
        let checked = rules::load(&self.file)
            .map_err(|errors| errors.0.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let fixed = rules::against(&self.workers.plan().rules, &checked.rules);
        if !fixed.is_empty() {
            return Err(fixed);
        }
        for warning in &checked.warnings {
            warn!("{warning}");
        }
        for missing in super::status::not_yet(&checked.rules) {
            warn!("{missing}");
        }
        let changes = rules::changes(&self.workers.plan().rules, &checked.rules);
        let lost = |control: &Running| control.hardware.losses().iter().map(|port| port.total()).sum::<u64>();
        let lost_before = lost(self);
        let plan = self.workers.prepare(checked.rules).map_err(|error| vec![error.to_string()])?;
        let swap = Instant::now();
        self.workers.swap_plan(plan, self.hardware.now()).map_err(|silent| vec![silent.to_string()])?;
        let reloaded = Reloaded {
            generation: self.workers.plan().generation,
            changes: changes.len(),
            swap_us: swap.elapsed().as_micros() as u64,
            frames_lost: lost(self).saturating_sub(lost_before),
        };
        self.text = checked.text;
        for change in &changes {
            info!("changed: {change}");
        }
        info!(
            generation = reloaded.generation,
            changes = reloaded.changes,
            frames_lost = reloaded.frames_lost,
            swap_us = reloaded.swap_us,
            total_us = began.elapsed().as_micros() as u64,
            "reloaded"
        );
        Ok(reloaded)
    }
}
