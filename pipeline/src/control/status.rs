//! What `sluice show` shows: the running bridge's state, as it travels over the control socket.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use rules::{Mac, Rules, Side};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString};

use super::hardware::Losses;
pub use super::moves::MoveCounts;
use super::running::Running;
use super::saver::Saver;
use super::workers::WorkerBooks;
use crate::base::At;
use crate::base::reason::Stage;
use crate::observe::books::Books;
use crate::observe::meter::Spent;
use crate::observe::profile::Profile;
use crate::observe::report::{Report, sides};
use crate::table::fdb::State;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, clap::ValueEnum)]
#[strum(serialize_all = "lowercase")]
pub enum Question {
    /// The books: every frame's outcome.
    Counters,
    /// Learned MAC addresses.
    Macs,
    /// Which MAC each address of the exchange belongs to, as its owner said.
    Neighbours,
    /// Members and where they are.
    Members,
    /// The workers over one second: frames, bursts, cycles a frame; `headroom`, the time that was not needed (more still fits
    /// than it says: fuller bursts take fewer cycles a frame); `waited`, the time that others had the core.
    Workers,
    /// Time the stages of what comes next: see [`BURSTS`].
    #[value(skip)]
    Profile,
    /// What that has brought until now; ends it.
    #[value(skip)]
    Stages,
    /// The rules in force.
    Config,
}

/// Bursts of each worker that are timed stage by stage, where nobody ends it sooner: in a loaded bridge a moment.
pub const BURSTS: u64 = 10_000;

/// The books, and what the ports' devices say.
#[derive(Debug, Serialize, Deserialize)]
pub struct Counters {
    /// The books.
    #[serde(flatten)]
    pub report: Report,
    /// By the port's name.
    pub devices: Vec<Device>,
    /// Cores of workers that do not respond: theirs are the counts of their last report.
    #[serde(default)]
    pub silent_workers: Vec<u16>,
    /// Lines of the log that found no room, as nobody read it.
    #[serde(default)]
    pub log_lines_lost: u64,
    /// The state was not saved so often: see the log.
    #[serde(default)]
    pub state_save_failures: u64,
    /// By the bridge's name: stations that spoke on another side than their own.
    #[serde(default)]
    pub moves: IndexMap<String, MoveCounts>,
}

/// A port's device.
#[derive(Debug, Serialize, Deserialize)]
pub struct Device {
    /// The port's name.
    pub port: String,
    /// DPDK's name of it.
    pub device: String,
    /// The link is up.
    pub link: bool,
    /// Frames that the bridge never saw.
    pub lost: Losses,
}

/// Learned addresses.
#[derive(Debug, Serialize, Deserialize)]
pub struct Macs {
    /// How full the tables are.
    pub tables: Vec<TableUse>,
    /// The addresses, by bridge, side and address.
    pub macs: Vec<LearnedMac>,
}

/// One side's share of a MAC table.
#[derive(Debug, Serialize, Deserialize)]
pub struct TableUse {
    /// `SIDE`, or `BRIDGE/SIDE`.
    pub side: String,
    /// Addresses learned, but for listed ones.
    pub learned: u32,
    /// Addresses that may be.
    pub capacity: u32,
    /// Listed addresses without a side of their own that were heard here: they need none of that room.
    #[serde(default)]
    pub listed: u32,
}

/// One learned address.
#[derive(Debug, Serialize, Deserialize)]
pub struct LearnedMac {
    /// `SIDE`, or `BRIDGE/SIDE`.
    pub side: String,
    /// The address.
    pub mac: String,
    /// The member whose it is.
    pub member: Option<String>,
    /// Seconds since it was last heard, to a quarter.
    pub idle_s: Option<f64>,
    /// Seconds that its quarantine lasts.
    pub quarantine_s: Option<f64>,
    /// How often it has moved since it was learned.
    pub moves: u64,
}

/// The neighbour tables.
#[derive(Debug, Serialize, Deserialize)]
pub struct Neighbours {
    /// By bridge.
    pub tables: Vec<NeighbourUse>,
    /// The addresses, by bridge and address.
    pub neighbours: Vec<NeighbourStatus>,
}

/// How full a bridge's neighbour table is.
#[derive(Debug, Serialize, Deserialize)]
pub struct NeighbourUse {
    /// The bridge.
    pub bridge: String,
    /// Addresses known.
    pub known: usize,
    /// Addresses that may be.
    pub capacity: u32,
    /// Addresses not learned for want of room, or because one MAC has as many as it may.
    pub refused: u64,
}

/// One neighbour.
#[derive(Debug, Serialize, Deserialize)]
pub struct NeighbourStatus {
    /// Its bridge.
    pub bridge: String,
    /// The address.
    pub address: String,
    /// Its owner's MAC.
    pub mac: String,
    /// The member whose it is.
    pub member: Option<String>,
    /// The side that the owner's MAC is on now.
    pub side: Option<String>,
    /// The owner's flags: R for a router, O for override.
    pub flags: String,
    /// Seconds since the owner was last heard.
    pub confirmed_s: u64,
    /// Two MACs claim it: no answers.
    pub contested: bool,
}

/// One member.
#[derive(Debug, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its bridge.
    pub bridge: String,
    /// Its name.
    pub name: String,
    /// The side that it is pinned to.
    pub pinned: Option<String>,
    /// The side that it is on: the pinned one, or where its MAC was last heard.
    pub side: Option<String>,
    /// Its MACs.
    pub macs: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// One worker, since its start. Its JSON is a stable interface: fields are added, never renamed.
#[derive(Debug, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// Its core.
    pub core: u16,
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub transmitted: u64,
    /// Looks at a port.
    pub polls: u64,
    /// Of those, the ones that brought frames.
    pub bursts: u64,
    /// Frames without an outcome: 0, or there is a bug.
    pub unaccounted: u64,
    /// Looks at a port by how many frames they brought, from 0 to a whole burst.
    pub burst_sizes: Vec<u64>,
    /// Nanoseconds in turns of its loop that brought frames: receiving, deciding, sending, orders of the control thread.
    pub busy_ns: u64,
    /// Nanoseconds in turns that brought none.
    pub idle_ns: u64,
    /// Nanoseconds that it slept because nothing came (`idle: sleep`), waking up included.
    pub asleep_ns: u64,
    /// Nanoseconds that it could have run but another thread had its core; they lie within the three above. `null` where
    /// the kernel does not say.
    pub waited_ns: Option<u64>,
    /// Ticks of the time-stamp counter in a second. `null` where the clock is another.
    pub tsc_hz: Option<u64>,
    /// It does not respond: the counts are those of its last report.
    #[serde(default)]
    pub silent: bool,
}

/// What a worker did between two looks at it. What cannot be told (the cycles of no frame) is `null`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRates {
    /// Between the two looks, on the worker's own clock.
    pub seconds: f64,
    /// Frames received in a second.
    pub frames_per_s: f64,
    /// Looks at a port in a second.
    pub polls_per_s: f64,
    /// Of those, the per cent that brought nothing.
    pub empty_polls_percent: Option<f64>,
    /// Frames that one brought, of those that brought any.
    pub frames_per_burst: Option<f64>,
    /// Time-stamp cycles for a frame: of the turns that brought frames, whole.
    pub cycles_per_frame: Option<f64>,
    /// Time that was not needed, in per cent: turns without frames, and sleep. The traffic that still fits is *more* than
    /// this says: the fuller the bursts, the fewer cycles a frame takes.
    pub headroom_percent: Option<f64>,
    /// Of that, sleep, in per cent of all time.
    pub asleep_percent: Option<f64>,
    /// Time that another thread had the core while this one could have run, in per cent. More than a few in a thousand:
    /// the core is not the worker's own, and neither cycles nor headroom mean much.
    pub waited_percent: Option<f64>,
    /// Bursts by their frames, from 1 to a whole burst.
    pub bursts: Vec<u64>,
}

/// What `sluice show workers` shows of one: the JSON of [`WorkerStatus`], and its rates.
#[derive(Debug, Serialize, Deserialize)]
pub struct WorkerNow {
    /// Since its start.
    #[serde(flatten)]
    pub total: WorkerStatus,
    /// In the last second.
    pub rates: WorkerRates,
    /// In the second after that; left out where it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<StageCost>>,
}

/// What a worker's stages cost, in their order; none where nobody had them timed.
#[derive(Debug, Serialize, Deserialize)]
pub struct WorkerStages {
    /// Its core.
    pub core: u16,
    /// By stage.
    pub stages: Option<Vec<StageCost>>,
}

/// What one stage cost a frame.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct StageCost {
    /// The stage.
    pub stage: String,
    /// Time-stamp cycles. `null` where it had no frames, or the clock is another.
    pub cycles_per_frame: Option<f64>,
    /// Frames that it had.
    pub frames: u64,
}

impl WorkerRates {
    /// From two looks at one worker.
    pub fn between(before: &WorkerStatus, after: &WorkerStatus) -> WorkerRates {
        // a bridge that was restarted in between starts again from 0
        let grew = |count: fn(&WorkerStatus) -> u64| count(after).saturating_sub(count(before)) as f64;
        let (busy, asleep) = (grew(|w| w.busy_ns), grew(|w| w.asleep_ns));
        let unneeded = grew(|w| w.idle_ns) + asleep;
        let nanos = busy + unneeded;
        let (frames, polls, bursts) = (grew(|w| w.received), grew(|w| w.polls), grew(|w| w.bursts));
        let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let percent = |part: f64, whole: f64| ratio(100.0 * part, whole);
        let waited = before.waited_ns.zip(after.waited_ns).map(|(from, to)| to.saturating_sub(from) as f64);
        let sizes = after.burst_sizes.iter().zip(&before.burst_sizes).skip(1);
        WorkerRates {
            seconds: nanos / 1e9,
            frames_per_s: ratio(1e9 * frames, nanos).unwrap_or(0.0),
            polls_per_s: ratio(1e9 * polls, nanos).unwrap_or(0.0),
            empty_polls_percent: percent(polls - bursts, polls),
            frames_per_burst: ratio(frames, bursts),
            cycles_per_frame: after.tsc_hz.and_then(|hz| ratio(busy / 1e9 * hz as f64, frames)),
            headroom_percent: percent(unneeded, nanos),
            asleep_percent: percent(asleep, nanos),
            waited_percent: waited.and_then(|waited| percent(waited, nanos)),
            bursts: sizes.map(|(after, before)| after.saturating_sub(*before)).collect(),
        }
    }
}

/// The rules in force.
#[derive(Debug, Serialize, Deserialize)]
pub struct Config {
    /// 1 for the rules at start, one more for each reload.
    pub generation: u64,
    /// Where they were read.
    pub file: String,
    /// As they were read.
    pub text: String,
    /// Seconds since the start.
    pub uptime_s: u64,
}

/// The answer to a question, as JSON.
pub(super) fn answer(running: &mut Running, question: Question) -> anyhow::Result<String> {
    running.answer(question)
}

impl Running {
    fn answer(&mut self, question: Question) -> anyhow::Result<String> {
        let answer = match question {
            Question::Counters => serde_json::to_string(&self.counters()),
            Question::Macs => serde_json::to_string(&self.macs()),
            Question::Neighbours => serde_json::to_string(&self.neighbours()),
            Question::Members => serde_json::to_string(&self.members()),
            Question::Workers => serde_json::to_string(&self.workers()),
            Question::Profile => {
                self.workers.profile(Some(BURSTS));
                serde_json::to_string(&serde_json::json!({ "bursts": BURSTS }))
            }
            Question::Stages => serde_json::to_string(&self.stages()),
            Question::Config => serde_json::to_string(&Config {
                generation: self.workers.plan().generation,
                file: self.file.display().to_string(),
                text: self.text.clone(),
                uptime_s: self.started.elapsed().as_secs(),
            }),
        };
        Ok(answer?)
    }

    fn counters(&mut self) -> Counters {
        let mut books = Books::default();
        for worker in self.workers.books() {
            books += &worker.books;
        }
        let plan = self.workers.plan();
        let devices = plan.rules.ports.iter().zip(self.hardware.links()).zip(self.hardware.losses());
        Counters {
            report: Report::new(plan, &books, &[]),
            silent_workers: self.workers.silent(),
            log_lines_lost: self.lines_lost.count(),
            state_save_failures: self.saver.as_ref().map_or(0, Saver::failures),
            moves: plan
                .bridges
                .iter()
                .zip(self.plane.moves())
                .filter(|(bridge, _)| !bridge.removed)
                .map(|(bridge, counts)| (bridge.rules.name.clone(), counts))
                .collect(),
            devices: devices
                .map(|((port, link), lost)| Device {
                    port: port.name.clone(),
                    device: port.device.clone(),
                    link,
                    lost,
                })
                .collect(),
        }
    }

    fn macs(&self) -> Macs {
        let plan = self.workers.plan();
        let now = self.hardware.now();
        let mut macs = Vec::new();
        let mut tables = Vec::new();
        for (name, At { bridge, side }) in sides(plan) {
            let bridge = plan.bridge(bridge);
            let rules = &bridge.rules.macs;
            tables.push(TableUse {
                side: name.clone(),
                learned: bridge.tables.macs.count(side),
                capacity: rules.capacity,
                listed: bridge.roaming.count(side),
            });
            let mut here: Vec<_> = [&bridge.tables.macs, &*bridge.roaming]
                .into_iter()
                .flat_map(|table| table.entries(now, rules).map(move |entry| (table, entry)))
                // a station that a reload has listed is in the strangers' table too until it ages there
                .filter(|(table, entry)| entry.side == side && std::ptr::eq(*table, bridge.fdb_of(entry.mac)))
                .map(|(_, entry)| entry)
                .collect();
            here.sort_by_key(|entry| entry.mac);
            macs.extend(here.into_iter().map(|entry| LearnedMac {
                side: name.clone(),
                mac: entry.mac.to_string(),
                member: member_of(&bridge.rules, entry.mac),
                idle_s: match entry.state {
                    State::Heard { idle } => Some(idle.as_secs_f64()),
                    State::Quarantined { .. } => None,
                },
                quarantine_s: match entry.state {
                    State::Quarantined { left } => Some(left.as_secs_f64()),
                    State::Heard { .. } => None,
                },
                moves: entry.moves,
            }));
        }
        Macs { tables, macs }
    }

    fn neighbours(&self) -> Neighbours {
        let (plan, now) = (self.workers.plan(), self.hardware.now());
        let refused = self.plane.neighbours_refused();
        let mut all = Neighbours { tables: Vec::new(), neighbours: Vec::new() };
        for (index, bridge) in plan.bridges.iter().enumerate() {
            let rules = &bridge.rules;
            let known = bridge.tables.neighbours.entries();
            all.tables.push(NeighbourUse {
                bridge: rules.name.clone(),
                known: known.len(),
                capacity: rules.neighbours.capacity,
                refused: refused.get(index).copied().unwrap_or(0),
            });
            all.neighbours.extend(known.into_iter().map(|(address, known)| {
                let flag = |set: bool, name: &'static str| if set { name } else { "" };
                NeighbourStatus {
                    bridge: rules.name.clone(),
                    address: address.to_string(),
                    mac: known.mac.to_string(),
                    member: member_of(rules, known.mac),
                    side: bridge.side_of(known.mac, now).map(|side| rules.side(side).name.clone()),
                    flags: [flag(known.router, "R"), flag(known.overrides, "O")].concat(),
                    confirmed_s: now.since(known.confirmed).as_secs(),
                    contested: known.contested,
                }
            }));
        }
        all
    }

    fn members(&self) -> Vec<MemberStatus> {
        let now = self.hardware.now();
        let plan = self.workers.plan();
        let bridges = plan.bridges.iter().filter(|bridge| !bridge.removed);
        bridges
            .flat_map(|bridge| {
                let name = |side: Side| bridge.rules.side(side).name.clone();
                bridge.rules.members.iter().map(move |member| MemberStatus {
                    bridge: bridge.rules.name.clone(),
                    name: member.name.clone(),
                    pinned: member.side.map(name),
                    side: member
                        .side
                        .or_else(|| member.macs.iter().find_map(|mac| bridge.side_of(*mac, now)))
                        .map(name),
                    macs: member.macs.iter().map(Mac::to_string).collect(),
                    addresses: member.addresses.iter().map(ToString::to_string).collect(),
                })
            })
            .collect()
    }

    fn workers(&mut self) -> Vec<WorkerStatus> {
        let (books, waited) = (self.workers.books(), self.workers.waited());
        let tsc_hz = self.hardware.tsc_hz();
        let status = |(worker, waited): (WorkerBooks, Option<Duration>)| {
            let WorkerBooks { core, books, silent } = worker;
            let nanos = |time: Duration| time.as_nanos() as u64;
            let spent = |spent| nanos(books.meter.time(spent));
            let sizes = books.meter.bursts();
            let bursts = sizes[1..].iter().sum();
            WorkerStatus {
                core,
                received: books.ports.iter().map(|port| port.received).sum(),
                transmitted: books.ports.iter().map(|port| port.transmitted).sum(),
                polls: sizes[0] + bursts,
                bursts,
                unaccounted: books.unaccounted(),
                burst_sizes: sizes.to_vec(),
                busy_ns: spent(Spent::Busy),
                idle_ns: spent(Spent::Idle),
                asleep_ns: spent(Spent::Asleep),
                waited_ns: waited.map(nanos),
                tsc_hz,
                silent,
            }
        };
        books.into_iter().zip(waited).map(status).collect()
    }

    fn stages(&mut self) -> Vec<WorkerStages> {
        let tsc_hz = self.hardware.tsc_hz();
        let cost = |profile: &Profile, stage: Stage| StageCost {
            stage: stage.name().to_owned(),
            cycles_per_frame: profile
                .nanos_per_frame(stage)
                .zip(tsc_hz)
                .map(|(nanos, hz)| nanos / 1e9 * hz as f64),
            frames: profile.frames(stage),
        };
        let costs = |profile: &Profile| Stage::ALL.iter().map(|stage| cost(profile, *stage)).collect();
        let profiles = self.workers.profile(None).into_iter();
        profiles.map(|(core, profile)| WorkerStages { core, stages: profile.as_deref().map(costs) }).collect()
    }
}

fn member_of(bridge: &rules::Bridge, mac: Mac) -> Option<String> {
    bridge.members.iter().find(|member| member.macs.contains(&mac)).map(|member| member.name.clone())
}

/// Keys that the YAML has and this version does not act on yet: said at start and at every reload, so that nobody relies
/// on them.
pub fn not_yet(rules: &Rules) -> Vec<String> {
    let mut all = Vec::new();
    if rules.metrics.is_some() {
        all.push(
            "metrics.listen is not in force in this version: use `sluice show counters --json`".to_owned(),
        );
    }
    all
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = if self.link { "up" } else { "DOWN" };
        let Losses { missed, errors, no_buffer } = self.lost;
        write!(
            f,
            "port {}: link {link}, lost by the device: {missed} missed, {errors} errors, {no_buffer} without buffer",
            self.port
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second in which a worker of 2 GHz was busy for a quarter, with 1,000 bursts of 4 frames.
    fn quarter() -> [WorkerStatus; 2] {
        let before = WorkerStatus {
            core: 1,
            received: 500,
            transmitted: 500,
            polls: 9_000,
            bursts: 500,
            unaccounted: 0,
            burst_sizes: vec![8_500, 500, 0, 0, 0],
            busy_ns: 1_000,
            idle_ns: 2_000,
            asleep_ns: 3_000,
            waited_ns: Some(0),
            tsc_hz: Some(2_000_000_000),
            silent: false,
        };
        let after = WorkerStatus {
            received: 4_500,
            polls: 19_000,
            bursts: 1_500,
            burst_sizes: vec![17_500, 500, 0, 0, 1_000],
            busy_ns: 250_001_000,
            idle_ns: 250_002_000,
            asleep_ns: 500_003_000,
            waited_ns: Some(30_000_000),
            ..before
        };
        [before, after]
    }

    #[test]
    fn rates_are_those_between_two_looks() {
        let [before, after] = quarter();
        let rates = WorkerRates::between(&before, &after);
        let expected = WorkerRates {
            seconds: 1.0,
            frames_per_s: 4_000.0,
            polls_per_s: 10_000.0,
            empty_polls_percent: Some(90.0),
            frames_per_burst: Some(4.0),
            cycles_per_frame: Some(125_000.0),
            headroom_percent: Some(75.0),
            asleep_percent: Some(50.0),
            waited_percent: Some(3.0),
            bursts: vec![0, 0, 0, 1_000],
        };
        assert_eq!(rates, expected);
    }

    #[test]
    fn what_cannot_be_told_is_left_open() {
        let [before, _] = quarter();
        let rates = WorkerRates::between(&before, &before);
        assert_eq!((rates.frames_per_s, rates.polls_per_s), (0.0, 0.0));
        assert_eq!(
            (rates.cycles_per_frame, rates.headroom_percent, rates.waited_percent),
            (None, None, None)
        );
        let [before, after] = quarter();
        let foreign = WorkerStatus { waited_ns: None, tsc_hz: None, ..after };
        let rates = WorkerRates::between(&before, &foreign);
        assert_eq!((rates.cycles_per_frame, rates.waited_percent), (None, None));
    }

    #[test]
    fn a_restart_in_between_is_no_negative_rate() {
        let [before, after] = quarter();
        let rates = WorkerRates::between(&after, &before);
        assert_eq!((rates.seconds, rates.frames_per_s, rates.headroom_percent), (0.0, 0.0, None));
    }
}
