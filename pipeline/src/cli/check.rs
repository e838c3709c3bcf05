//! `sluice check`: everything that is wrong with a rules file, and what a reload could not do.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use rules::Rules;

use super::common::{load, print};
use crate::control::memory::Memory;
use crate::control::socket::{self, Request};
use crate::control::status::{Config, Question};

pub(super) fn check(file: &Path, against: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Some(checked) = load(file) else { return Ok(ExitCode::FAILURE) };
    let Some(running) = against else {
        return print(&format!("{}: ok\n{}\n", file.display(), Memory::of(&checked.rules)));
    };
    let fixed = rules::against(&rules_in_force(running)?, &checked.rules);
    for what in &fixed {
        eprintln!("{}: {what}", file.display());
    }
    if !fixed.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    print(&format!("{}: ok, and a reload can bring it\n", file.display()))
}

/// The rules of a file, or those that the bridge behind a control socket goes by.
fn rules_in_force(running: &Path) -> anyhow::Result<Rules> {
    let named = || running.display().to_string();
    let is_socket = std::fs::metadata(running).with_context(named)?.file_type().is_socket();
    let checked = if is_socket {
        let config: Config = serde_json::from_str(&socket::ask(running, Request::Show(Question::Config))?)?;
        rules::parse(&config.text, &config.file)
    } else {
        rules::load(running)
    };
    checked.map(|checked| checked.rules).map_err(|errors| anyhow!("the running rules: {errors}"))
}
