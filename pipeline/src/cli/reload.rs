//! `sluice reload`: the running bridge reads its rules file again; said and exited by what came of it.

use std::path::Path;
use std::process::ExitCode;

use super::common::{ask, print};
use crate::control::reload::{Outcome, Reloaded};
use crate::control::socket::Request;

pub(super) fn reload(socket: &Path) -> anyhow::Result<ExitCode> {
    match serde_json::from_str(&ask(socket, Request::Reload)?)? {
        Outcome::Reloaded(Reloaded { generation, changes, frames_lost, swap_us }) => print(&format!(
            "reloaded: generation {generation}, {changes} changes, {frames_lost} frames lost, in force within {swap_us} us\n"
        )),
        Outcome::Refused { refused, .. } => {
            for what in refused {
                eprintln!("{what}");
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
