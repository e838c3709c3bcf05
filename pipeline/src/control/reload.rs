//! Reload (law 4): the file is read and checked whole before anything changes, and a bad one changes nothing.

use std::time::Instant;

use rules::Idle;
use tracing::{error, info, warn};

use super::hardware::Losses;
use super::running::Running;

/// Puts the file's rules in force, or says why not and goes on as before.
pub(super) fn reload(running: &mut Running) {
    running.reload();
}

impl Running {
    fn reload(&mut self) {
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Reloading]);
        self.try_reload();
        let _ = sd_notify::notify(false, &[sd_notify::NotifyState::Ready]);
    }

    fn try_reload(&mut self) {
        let began = Instant::now();
        let generation = self.workers.plan().generation;
        let refused = |what: &str| error!(generation, "not reloaded, the rules stay as they were: {what}");
        let checked = match rules::load(&self.file) {
            Ok(checked) => checked,
            Err(errors) => {
                errors.0.iter().for_each(|what| refused(&what.to_string()));
                return;
            }
        };
        let fixed = rules::against(&self.workers.plan().rules, &checked.rules);
        if !fixed.is_empty() {
            fixed.iter().for_each(|what| refused(what));
            return;
        }
        if checked.rules.idle == Idle::Interrupt && !self.hardware.wakes() {
            warn!(
                "`idle: interrupt` is `sleep` here: a port has no receive interrupts, or was started without"
            );
        }
        for warning in &checked.warnings {
            warn!("{warning}");
        }
        for missing in super::status::not_yet(&checked.rules) {
            warn!("{missing}");
        }
        let changes = rules::changes(&self.workers.plan().rules, &checked.rules);
        let lost = |control: &mut Running| control.hardware.losses().iter().map(Losses::total).sum::<u64>();
        let lost_before = lost(self);
        let plan = match self.workers.prepare(checked.rules) {
            Ok(plan) => plan,
            Err(error) => {
                refused(&error.to_string());
                return;
            }
        };
        let swap = Instant::now();
        if let Err(silent) = self.workers.swap_plan(plan, self.hardware.now()) {
            refused(&silent.to_string());
            return;
        }
        let swapped = swap.elapsed();
        let frames_lost = lost(self).saturating_sub(lost_before);
        self.text = checked.text;
        for change in &changes {
            info!("changed: {change}");
        }
        info!(
            generation = self.workers.plan().generation,
            changes = changes.len(),
            frames_lost,
            swap_us = swapped.as_micros() as u64,
            total_us = began.elapsed().as_micros() as u64,
            "reloaded"
        );
    }
}
