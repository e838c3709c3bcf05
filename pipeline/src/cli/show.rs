//! `sluice show`: a running bridge's state, as text or as the JSON that came.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;

use super::print;
use crate::control::socket;
use crate::control::status::{
    Config, Counters, Macs, MemberStatus, NeighbourUse, Neighbours, Question, WorkerStatus,
};

pub(super) fn show(what: Question, json: bool, socket: &Path) -> anyhow::Result<ExitCode> {
    let answer = socket::ask(socket, what)?;
    let value: serde_json::Value = serde_json::from_str(&answer)?;
    if let Some(error) = value.get("error") {
        bail!("the bridge says: {error}");
    }
    print(&if json { format!("{value:#}\n") } else { text(what, &answer)? })
}

fn text(what: Question, answer: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    match what {
        Question::Counters => {
            let Counters { report, devices } = serde_json::from_str(answer)?;
            write!(text, "{report}")?;
            for device in devices {
                writeln!(text, "{device}")?;
            }
        }
        Question::Macs => {
            let Macs { tables, macs } = serde_json::from_str(answer)?;
            writeln!(text, "{:<20} {:<18} {:>8} {:>6} member", "side", "mac", "idle", "moves")?;
            for mac in macs {
                let idle = match (mac.idle_s, mac.quarantine_s) {
                    (Some(idle), _) => format!("{idle:.0} s"),
                    (None, left) => format!("HELD {:.0} s", left.unwrap_or_default()),
                };
                let member = mac.member.unwrap_or_default();
                writeln!(text, "{:<20} {:<18} {idle:>8} {:>6} {member}", mac.side, mac.mac, mac.moves)?;
            }
            for table in tables {
                writeln!(text, "{}: {} of {} addresses", table.side, table.learned, table.capacity)?;
            }
        }
        Question::Neighbours => {
            let Neighbours { tables, neighbours } = serde_json::from_str(answer)?;
            writeln!(
                text,
                "{:<12} {:<40} {:<18} {:<12} {:<5} {:>9} member",
                "bridge", "address", "mac", "side", "flags", "heard"
            )?;
            for n in neighbours {
                let side = n.side.unwrap_or_else(|| "not heard".to_owned());
                let note = if n.contested { " CONTESTED: no answers" } else { "" };
                let (heard, member) = (format!("{} s", n.confirmed_s), n.member.unwrap_or_default());
                writeln!(
                    text,
                    "{:<12} {:<40} {:<18} {side:<12} {:<5} {heard:>9} {member}{note}",
                    n.bridge, n.address, n.mac, n.flags
                )?;
            }
            for table in tables {
                let NeighbourUse { bridge, known, capacity, refused } = table;
                writeln!(text, "{bridge}: {known} of {capacity} addresses, {refused} refused")?;
            }
        }
        Question::Members => {
            let members: Vec<MemberStatus> = serde_json::from_str(answer)?;
            writeln!(text, "{:<12} {:<24} {:<16} {:<18} addresses", "bridge", "member", "side", "mac")?;
            for member in members {
                let side = match (&member.pinned, &member.side) {
                    (Some(side), _) => format!("{side} (pinned)"),
                    (None, Some(side)) => side.clone(),
                    (None, None) => "not heard".to_owned(),
                };
                let (macs, addresses) = (member.macs.join(" "), member.addresses.join(" "));
                writeln!(
                    text,
                    "{:<12} {:<24} {side:<16} {macs:<18} {addresses}",
                    member.bridge, member.name
                )?;
            }
        }
        Question::Workers => {
            let workers: Vec<WorkerStatus> = serde_json::from_str(answer)?;
            let head = ["core", "received", "sent", "polls", "bursts", "frames/burst", "unaccounted"];
            writeln!(
                text,
                "{:>5} {:>14} {:>14} {:>16} {:>14} {:>13} {:>12}",
                head[0], head[1], head[2], head[3], head[4], head[5], head[6]
            )?;
            for w in workers {
                let fill = w.received as f64 / w.bursts.max(1) as f64;
                writeln!(
                    text,
                    "{:>5} {:>14} {:>14} {:>16} {:>14} {fill:>13.1} {:>12}",
                    w.core, w.received, w.transmitted, w.polls, w.bursts, w.unaccounted
                )?;
            }
        }
        Question::Config => {
            let config: Config = serde_json::from_str(answer)?;
            let Config { generation, file, text: rules, uptime_s } = config;
            writeln!(text, "# generation {generation}, read from {file}; up for {uptime_s} s")?;
            text += &rules;
        }
    }
    Ok(text)
}
