//! The program's commands, one file each.

mod check;
mod common;
mod ports;
mod reload;
mod replay;
mod run;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::control::status::Question;
use clap::{Parser, Subcommand};
use common::print;

/// A filtering bridge between two VLANs of an Internet exchange.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bridge, in the foreground. SIGHUP reloads the rules; SIGTERM and SIGINT end it and print the books.
    Run {
        /// The rules.
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
        /// Print the final books as JSON.
        #[arg(long)]
        json: bool,
        /// So many frames' buffers more than the ports' queues and the workers can hold: for devices that keep some for
        /// themselves, as net_pcap does with every frame of an `infinite_rx` capture.
        #[arg(long, value_name = "N", default_value_t = 0)]
        spare_frames: u32,
        /// Keep what is learned in this file over a restart. By default, `state` in the folder that systemd's
        /// `StateDirectory=` gives; without one, nowhere.
        #[arg(long, value_name = "PATH")]
        state: Option<PathBuf>,
    },
    /// Say everything that is wrong with a rules file; exit 1 if anything is.
    Check {
        /// The rules.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Also say what of it cannot replace these rules without a restart: a rules file, or the control socket of a
        /// running bridge.
        #[arg(long, value_name = "RUNNING")]
        against: Option<PathBuf>,
    },
    /// Take captures through the same stages, on the captures' clock. Needs no device and no privilege.
    Replay(replay::Replay),
    /// Show the state of a running bridge.
    Show {
        /// What.
        #[arg(value_enum)]
        what: Question,
        /// With `workers`: also the cycles a frame of each stage, timed for another second or 10,000 bursts of each worker,
        /// whichever is less. What reading the clock costs is taken off, but a timed stage does not overlap with the next: all of
        /// them together are more than cycles/frame, and frames are slower meanwhile.
        #[arg(long)]
        stages: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// The bridge's control socket.
        #[arg(long, value_name = "PATH", default_value = "/run/sluice/sluice.sock")]
        socket: PathBuf,
    },
    /// Have a running bridge read its rules file again, as SIGHUP does; exit 1, with every reason, where it refused. For root, and
    /// the user that the bridge runs as.
    Reload {
        /// The bridge's control socket.
        #[arg(long, value_name = "PATH", default_value = "/run/sluice/sluice.sock")]
        socket: PathBuf,
    },
    /// List the machine's Ethernet ports: what the bridge can use, and what is to be done for the others. Needs no privilege and
    /// starts nothing.
    Ports {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the rules file, for editors.
    Schema {
        /// The reference page instead, in Markdown.
        #[arg(long)]
        markdown: bool,
    },
    /// Print what every counter means, in Markdown.
    Reasons,
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run { config, json, spare_frames, state } => run::run(&config, json, spare_frames, state),
        Command::Check { file, against } => check::check(&file, against.as_deref()),
        Command::Replay(replay) => replay.run(),
        Command::Show { what, stages, json, socket } => show::show(what, stages, json, &socket),
        Command::Reload { socket } => reload::reload(&socket),
        Command::Ports { json } => ports::ports(json),
        Command::Schema { markdown: true } => print(&rules::reference()),
        Command::Schema { markdown: false } => print(&format!("{:#}\n", rules::schema())),
        Command::Reasons => print(&crate::base::reason::page()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("sluice: {error:#}");
        ExitCode::FAILURE
    })
}
