//! What the commands have in common.

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use rules::Checked;

use crate::control::socket::{self, Request};

/// Prints to standard output. Who reads it may have gone (`sluice schema | head`): then there is nothing left to do.
pub(super) fn print(text: &str) -> anyhow::Result<ExitCode> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The rules of a file; or all its errors on standard error, a line each. Warnings go there too.
pub(super) fn load(file: &Path) -> Option<Checked> {
    let checked = rules::load(file).map_err(|errors| eprintln!("{errors}")).ok()?;
    for warning in &checked.warnings {
        eprintln!("{warning}");
    }
    Some(checked)
}

/// What a running bridge answers, as JSON; an error where it is one.
pub(super) fn ask(socket: &Path, request: Request) -> anyhow::Result<String> {
    let answer = socket::ask(socket, request)?;
    let value: serde_json::Value = serde_json::from_str(&answer)?;
    match value.get("error") {
        Some(serde_json::Value::String(error)) => bail!("the bridge says: {error}"),
        Some(error) => bail!("the bridge says: {error}"),
        None => Ok(answer),
    }
}
