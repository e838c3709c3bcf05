//! `sluice show`: a running bridge's state, as text or as the JSON that came.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use super::common::{self, print};
use crate::control::socket::Request;
use crate::control::status::{
    Config, Counters, Macs, MemberStatus, NeighbourUse, Neighbours, Question, StageCost, TableUse, WorkerNow,
    WorkerRates, WorkerStages, WorkerStatus,
};

pub(super) fn show(what: Question, stages: bool, json: bool, socket: &Path) -> anyhow::Result<ExitCode> {
    if stages && what != Question::Workers {
        bail!("--stages is for `show workers` only");
    }
    let answer = match what {
        Question::Workers => serde_json::to_string(&workers(socket, stages)?)?,
        _ => ask(socket, what)?,
    };
    print(&if json {
        let value: serde_json::Value = serde_json::from_str(&answer)?;
        format!("{value:#}\n")
    } else {
        text(what, &answer)?
    })
}

fn ask(socket: &Path, what: Question) -> anyhow::Result<String> {
    common::ask(socket, Request::Show(what))
}

/// Between two looks at a bridge.
const BETWEEN: Duration = Duration::from_secs(1);

/// The bridge only counts. The rates are made here, from two looks: nobody pays for them who does not ask.
fn workers(socket: &Path, with_stages: bool) -> anyhow::Result<Vec<WorkerNow>> {
    let look = || -> anyhow::Result<Vec<WorkerStatus>> {
        Ok(serde_json::from_str(&ask(socket, Question::Workers)?)?)
    };
    let before = look()?;
    std::thread::sleep(BETWEEN);
    let now = |(before, total): (WorkerStatus, WorkerStatus)| WorkerNow {
        rates: WorkerRates::between(&before, &total),
        total,
        stages: None,
    };
    let mut workers: Vec<WorkerNow> = before.into_iter().zip(look()?).map(now).collect();
    if with_stages {
        // afterwards, so that the rates are those of a bridge that nobody times
        for (worker, stages) in workers.iter_mut().zip(stages(socket)?) {
            worker.stages = Some(stages);
        }
    }
    Ok(workers)
}

/// By worker.
fn stages(socket: &Path) -> anyhow::Result<Vec<Vec<StageCost>>> {
    ask(socket, Question::Profile)?;
    std::thread::sleep(BETWEEN);
    let all: Vec<WorkerStages> = serde_json::from_str(&ask(socket, Question::Stages)?)?;
    let taken =
        "a worker is silent, or somebody else asked for the stages at the same time and has them: ask again";
    all.into_iter().map(|worker| worker.stages.context(taken)).collect()
}

fn text(what: Question, answer: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    match what {
        Question::Counters => {
            let Counters { report, devices, silent_workers, log_lines_lost, state_save_failures, moves } =
                serde_json::from_str(answer)?;
            write!(text, "{report}")?;
            for (bridge, moves) in moves {
                writeln!(text, "bridge {bridge}: {moves}")?;
            }
            for device in devices {
                writeln!(text, "{device}")?;
            }
            for core in silent_workers {
                writeln!(text, "{}", silent(core))?;
            }
            if log_lines_lost > 0 {
                writeln!(text, "{log_lines_lost} lines of the log are lost: nobody read it")?;
            }
            if state_save_failures > 0 {
                writeln!(text, "the state was not saved {state_save_failures} times: see the log")?;
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
                let TableUse { side, learned, capacity, listed } = table;
                writeln!(
                    text,
                    "{side}: {learned} of {capacity} addresses, and {listed} listed ones without a side"
                )?;
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
        Question::Workers => write_workers(&mut text, &serde_json::from_str::<Vec<WorkerNow>>(answer)?)?,
        Question::Profile | Question::Stages => text += answer,
        Question::Config => {
            let config: Config = serde_json::from_str(answer)?;
            let Config { generation, file, text: rules, uptime_s } = config;
            writeln!(text, "# generation {generation}, read from {file}; up for {uptime_s} s")?;
            text += &rules;
        }
    }
    Ok(text)
}

fn silent(core: u16) -> String {
    format!("THE WORKER ON CORE {core} DOES NOT RESPOND: its counts are those of its last report")
}

fn write_workers(text: &mut String, workers: &[WorkerNow]) -> std::fmt::Result {
    let some = |number: Option<f64>, unit: &str| number.map_or("-".to_owned(), |it| format!("{it:.1}{unit}"));
    let percent = |number| some(number, " %");
    writeln!(
        text,
        "{:>5} {:>11} {:>11} {:>8} {:>13} {:>13} {:>9} {:>8} {:>8}",
        "core",
        "frames/s",
        "polls/s",
        "empty",
        "frames/burst",
        "cycles/frame",
        "headroom",
        "asleep",
        "waited"
    )?;
    for WorkerNow { total, rates, .. } in workers {
        writeln!(
            text,
            "{:>5} {:>11.0} {:>11.0} {:>8} {:>13} {:>13} {:>9} {:>8} {:>8}",
            total.core,
            rates.frames_per_s,
            rates.polls_per_s,
            percent(rates.empty_polls_percent),
            some(rates.frames_per_burst, ""),
            some(rates.cycles_per_frame, ""),
            percent(rates.headroom_percent),
            percent(rates.asleep_percent),
            percent(rates.waited_percent),
        )?;
    }
    for WorkerNow { total, .. } in workers.iter().filter(|worker| worker.total.silent) {
        writeln!(text, "{}", silent(total.core))?;
    }
    /// Per cent: what a core of its own shows, and some.
    const OWN: f64 = 1.0;
    for WorkerNow { total, rates, .. } in workers {
        if let Some(waited) = rates.waited_percent.filter(|&waited| waited > OWN) {
            writeln!(
                text,
                "core {} is not the worker's own: others had it for {waited:.0} % of the time, which counts as cycles or headroom",
                total.core
            )?;
        }
    }
    let most = workers.iter().map(|worker| worker.rates.bursts.len()).max().unwrap_or(0);
    write!(text, "\n{:>5} bursts of", "core")?;
    for (first, last) in classes(most) {
        let name = if first == last { first.to_string() } else { format!("{first}-{last}") };
        write!(text, " {name:>7}")?;
    }
    for WorkerNow { total, rates, .. } in workers {
        write!(text, "\n{:>5} {:>9}", total.core, "")?;
        let all: u64 = rates.bursts.iter().sum();
        for (first, last) in classes(most) {
            let these: u64 = rates.bursts.iter().take(last).skip(first - 1).sum();
            write!(text, " {:>7}", percent((all > 0).then(|| 100.0 * these as f64 / all as f64)))?;
        }
    }
    writeln!(
        text,
        "\n\n{:>5} {:>16} {:>16} {:>18} {:>16} {:>12}",
        "core", "received", "sent", "polls", "bursts", "unaccounted"
    )?;
    for WorkerNow { total: w, .. } in workers {
        writeln!(
            text,
            "{:>5} {:>16} {:>16} {:>18} {:>16} {:>12}",
            w.core, w.received, w.transmitted, w.polls, w.bursts, w.unaccounted
        )?;
    }
    for WorkerNow { total, stages, .. } in workers {
        let Some(stages) = stages else { continue };
        writeln!(text, "\n{:>5} {:<9} {:>13} {:>12}", "core", "stage", "cycles/frame", "frames")?;
        for StageCost { stage, cycles_per_frame, frames } in stages {
            let (name, cycles) = (stage.to_string(), some(*cycles_per_frame, ""));
            writeln!(text, "{:>5} {name:<9} {cycles:>13} {frames:>12}", total.core)?;
        }
    }
    Ok(())
}

/// Burst sizes that are shown together, first and last: by powers of two, up to the largest.
fn classes(most: usize) -> impl Iterator<Item = (usize, usize)> {
    std::iter::successors(Some(1), |first| Some(2 * first))
        .take_while(move |&first| first <= most)
        .map(move |first: usize| (first, (2 * first - 1).min(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_burst_size_is_in_one_class() {
        assert_eq!(classes(32).collect::<Vec<_>>(), [(1, 1), (2, 3), (4, 7), (8, 15), (16, 31), (32, 32)]);
        assert_eq!(classes(0).count(), 0);
        for most in 1..100 {
            let sizes: Vec<usize> = classes(most).flat_map(|(first, last)| first..=last).collect();
            assert_eq!(sizes, (1..=most).collect::<Vec<_>>());
        }
    }
}
