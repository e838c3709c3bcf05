//! `sluice run`: the bridge on DPDK ports, in the foreground.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tracing::warn;

use super::common::{load, print};
use crate::control::log::Log;
use crate::control::{self, status};

pub(super) fn run(
    file: &Path,
    json: bool,
    spare_frames: u32,
    state: Option<PathBuf>,
) -> anyhow::Result<ExitCode> {
    // the books go to standard output, everything else to standard error
    let (log, _flush) = Log::new(stderr()).context("starting the log")?;
    let lines_lost = log.lines_lost();
    tracing_subscriber::fmt()
        .with_writer(move || log.clone())
        .with_ansi(stderr().is_terminal())
        .with_target(false)
        .init();
    let Some(checked) = load(file) else { return Ok(ExitCode::FAILURE) };
    for missing in status::not_yet(&checked.rules) {
        warn!("{missing}");
    }
    let report = control::run(file, checked, spare_frames, lines_lost, state.or_else(given_by_systemd))?;
    let books = if json { serde_json::to_string_pretty(&report)? + "\n" } else { report.to_string() };
    print(&books)?;
    Ok(if report.unaccounted == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// systemd.exec(5): `StateDirectory=` names folders, with colons between them.
fn given_by_systemd() -> Option<PathBuf> {
    let folders = std::env::var_os("STATE_DIRECTORY")?;
    let first = std::env::split_paths(&folders).next()?;
    (!first.as_os_str().is_empty()).then(|| first.join("state"))
}
