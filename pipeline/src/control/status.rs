//! What `sluice show` shows: the running bridge's state, as it travels over the control socket.

use std::fmt;

use rules::{Mac, Resolution, Rules, Side};
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString};

use super::Control;
use super::fleet::Losses;
use crate::books::Books;
use crate::report::{Report, sides};
use crate::table::mac::{Place, State};

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, clap::ValueEnum)]
#[strum(serialize_all = "lowercase")]
pub enum Question {
    /// The books: every frame's outcome.
    Counters,
    /// Learned MAC addresses.
    Macs,
    /// Members and where they are.
    Members,
    /// The workers and their cores.
    Workers,
    /// The rules in force.
    Config,
}

/// The books, and what the ports' devices say.
#[derive(Debug, Serialize, Deserialize)]
pub struct Counters {
    /// The books.
    #[serde(flatten)]
    pub report: Report,
    /// By the port's name.
    pub devices: Vec<Device>,
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
    /// Addresses learned.
    pub learned: u32,
    /// Addresses that may be.
    pub capacity: u32,
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

/// One worker.
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

impl Control {
    /// The answer to a question, as JSON. An error only where the workers are beyond help.
    pub(super) fn answer(&mut self, question: Question) -> anyhow::Result<String> {
        let answer = match question {
            Question::Counters => serde_json::to_string(&self.counters()?),
            Question::Macs => serde_json::to_string(&self.macs()),
            Question::Members => serde_json::to_string(&self.members()),
            Question::Workers => serde_json::to_string(&self.workers()?),
            Question::Config => serde_json::to_string(&Config {
                generation: self.fleet.plan().generation,
                file: self.file.display().to_string(),
                text: self.text.clone(),
                uptime_s: self.started.elapsed().as_secs(),
            }),
        };
        Ok(answer?)
    }

    fn counters(&mut self) -> anyhow::Result<Counters> {
        let mut books = Books::default();
        for (_, worker) in self.fleet.books()? {
            books += &worker;
        }
        let plan = self.fleet.plan();
        let devices = plan.rules.ports.iter().zip(self.hardware.links()).zip(self.hardware.losses());
        Ok(Counters {
            report: Report::new(plan, &books, &[]),
            devices: devices
                .map(|((port, link), lost)| Device {
                    port: port.name.clone(),
                    device: port.device.clone(),
                    link,
                    lost,
                })
                .collect(),
        })
    }

    fn macs(&self) -> Macs {
        let plan = self.fleet.plan();
        let now = self.hardware.now();
        let mut macs = Vec::new();
        let mut tables = Vec::new();
        for (name, slot, side) in sides(plan) {
            let bridge = &plan.bridges[slot];
            let table = &bridge.tables.macs;
            tables.push(TableUse {
                side: name.clone(),
                learned: table.count(side),
                capacity: bridge.rules.macs.capacity,
            });
            let mut here: Vec<_> =
                table.entries(now, &bridge.rules.macs).filter(|entry| entry.side == side).collect();
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

    fn members(&self) -> Vec<MemberStatus> {
        let now = self.hardware.now();
        let plan = self.fleet.plan();
        let bridges = plan.bridges.iter().filter(|bridge| !bridge.removed);
        bridges
            .flat_map(|bridge| {
                let name = |side: Side| bridge.rules.side(side).name.clone();
                bridge.rules.members.iter().map(move |member| {
                    let heard = |mac: &Mac| match bridge.tables.macs.lookup(*mac, now, &bridge.rules.macs) {
                        Some(Place::Side(side)) => Some(side),
                        Some(Place::Quarantined) | None => None,
                    };
                    MemberStatus {
                        bridge: bridge.rules.name.clone(),
                        name: member.name.clone(),
                        pinned: member.side.map(name),
                        side: member.side.or_else(|| member.macs.iter().find_map(heard)).map(name),
                        macs: member.macs.iter().map(Mac::to_string).collect(),
                        addresses: member.addresses.iter().map(ToString::to_string).collect(),
                    }
                })
            })
            .collect()
    }

    fn workers(&mut self) -> anyhow::Result<Vec<WorkerStatus>> {
        let status = |(core, books): (u16, Books)| WorkerStatus {
            core,
            received: books.ports.iter().map(|port| port.received).sum(),
            transmitted: books.ports.iter().map(|port| port.transmitted).sum(),
            polls: books.polls,
            bursts: books.bursts,
            unaccounted: books.unaccounted(),
        };
        Ok(self.fleet.books()?.into_iter().map(status).collect())
    }
}

fn member_of(bridge: &rules::Bridge, mac: Mac) -> Option<String> {
    bridge.members.iter().find(|member| member.macs.contains(&mac)).map(|member| member.name.clone())
}

/// Keys that the YAML has and this version does not act on yet: said at start and at every reload, so that nobody relies
/// on them.
pub fn not_yet(rules: &Rules) -> Vec<String> {
    let mut all = Vec::new();
    for bridge in &rules.bridges {
        let mut say = |set: bool, key: &str, instead: &str| {
            if set {
                all.push(format!("bridges.{}.{key} is not in force in this version: {instead}", bridge.name));
            }
        };
        say(bridge.arp == Resolution::Answer, "arp.mode: answer", "requests are bridged");
        say(bridge.nd == Resolution::Answer, "nd.mode: answer", "solicitations are bridged");
        say(
            bridge.own.ipv4.is_some() || bridge.own.ipv6.is_some(),
            "own",
            "the bridge answers for no address",
        );
        say(
            bridge.sides.iter().any(|side| side.fragment),
            "sides.*.fragment",
            "what does not fit is dropped",
        );
        say(bridge.drain, "drain", "BGP passes");
    }
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
