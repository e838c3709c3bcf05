//! The running bridge: what signals, questions and timers act on.

use std::path::PathBuf;
use std::time::Instant;

use super::hardware::Hardware;
use super::log::LinesLost;
use super::plane::ControlPlane;
use super::saver::Saver;
use super::workers::Workers;

/// The running bridge, as the control thread sees it.
#[derive(Debug)]
pub(super) struct Running {
    /// Where the rules are read.
    pub(super) file: PathBuf,
    /// The rules in force, as they were read.
    pub(super) text: String,
    /// The workers.
    pub(super) workers: Workers,
    /// The ports.
    pub(super) hardware: Box<dyn Hardware>,
    /// What the bridge concludes.
    pub(super) plane: ControlPlane,
    /// When it came up.
    pub(super) started: Instant,
    /// Of the log.
    pub(super) lines_lost: LinesLost,
    /// Keeps what is learned over a restart, where a file is named for it.
    pub(super) saver: Option<Saver>,
}
