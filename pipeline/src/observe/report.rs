//! The books as people and programs read them: one shape for `replay`, `show counters` and the end of `run`.

use std::fmt;

use indexmap::IndexMap;
use rules::Side;
use serde::{Deserialize, Serialize};

use crate::base::event::Event;
use crate::base::reason::{Cause, Reason};
use crate::base::{At, BridgeId};
use crate::observe::books::{Books, Dropped, PortBooks, SideBooks};
use crate::plan::Plan;

/// Counters by name, in the order of the tables; those that are zero are left out.
pub type Counts = IndexMap<String, u64>;

/// The books, named. Its JSON is a stable interface: fields are added, never renamed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Generation of the rules in force.
    pub generation: u64,
    /// By `SIDE`, or `BRIDGE/SIDE` where there are several bridges.
    pub sides: IndexMap<String, SideReport>,
    /// By the port's name.
    pub ports: IndexMap<String, PortReport>,
    /// How the frames ended: `forwarded`, `answered`, and every reason that dropped one. Exclusive: they add up to all
    /// frames received.
    pub outcomes: Counts,
    /// What is counted beside the outcome.
    pub causes: Counts,
    /// Replies sent.
    pub replies: u64,
    /// Probes sent.
    pub probes: u64,
    /// Events, in order (in a replay; a running bridge logs them): the first 10,000.
    pub events: Vec<EventReport>,
    /// How many came after those.
    pub events_omitted: u64,
    /// Events that were not reported because the queue was full.
    pub events_lost: u64,
    /// What does not add up in the books (law 1), frames without an outcome first of all: 0, or there is a bug.
    pub unaccounted: u64,
}

/// One side's books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideReport {
    /// Frames received here.
    pub received: u64,
    /// Their bytes, without FCS.
    pub received_bytes: u64,
    /// Of those, forwarded to the other side.
    pub forwarded: u64,
    /// Of those, for the bridge itself.
    pub answered: u64,
    /// Of those, dropped, by reason.
    pub dropped: Counts,
    /// What is counted beside the outcome.
    pub causes: Counts,
    /// Frames sent here.
    pub transmitted: u64,
    /// Their bytes, without FCS.
    pub transmitted_bytes: u64,
    /// Of those, replies of the bridge itself.
    pub replies: u64,
    /// Of those, further fragments of forwarded frames.
    pub fragments: u64,
    /// Of those, probes of the bridge itself.
    pub probes: u64,
    /// Received without an outcome.
    pub unaccounted: i64,
}

/// One port's books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortReport {
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub transmitted: u64,
    /// Frames of no side, by reason.
    pub dropped: Counts,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventReport {
    /// Nanoseconds: since 1970 in a replay, on a clock of its own in a running bridge.
    pub time_ns: u64,
    /// Its name.
    pub event: String,
    /// Bridge, where the frame belonged to one.
    pub bridge: Option<String>,
    /// Side, where the frame belonged to one.
    pub side: Option<String>,
    /// Port.
    pub port: String,
    /// The source MAC of the frame that showed it.
    pub mac: String,
}

impl Report {
    /// These books and events, named by the plan that they were kept under.
    pub fn new(plan: &Plan, books: &Books, events: &[Event]) -> Report {
        let mut outcomes: IndexMap<&str, u64> = IndexMap::new();
        let mut add = |name, count| *outcomes.entry(name).or_default() += count;
        add("forwarded", books.sides.iter().flatten().map(|side| side.forwarded).sum());
        add("answered", books.sides.iter().flatten().map(|side| side.answered).sum());
        let dropped =
            || books.ports.iter().map(|p| &p.dropped).chain(books.sides.iter().flatten().map(|s| &s.dropped));
        for reason in Reason::ALL {
            let count: u64 = dropped().map(|dropped| dropped[reason.index()]).sum();
            if count > 0 {
                add(reason.name(), count);
            }
        }
        let causes = |index: usize| books.sides.iter().flatten().map(|side| side.causes[index]).sum();
        let total = |count: fn(&SideBooks) -> u64| books.sides.iter().flatten().map(count).sum();
        Report {
            generation: plan.generation,
            sides: sides(plan).map(|(name, at)| (name, SideReport::new(books.side(at)))).collect(),
            ports: plan
                .rules
                .ports
                .iter()
                .zip(&books.ports)
                .map(|(port, books)| (port.name.clone(), books.into()))
                .collect(),
            outcomes: outcomes.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
            causes: counts(Cause::ALL.iter().map(|cause| (cause.name(), causes(cause.index())))),
            replies: total(|side| side.replies),
            probes: total(|side| side.probes),
            events: events.iter().map(|event| EventReport::new(plan, event)).collect(),
            events_omitted: 0,
            events_lost: books.events_lost,
            unaccounted: books.unaccounted(),
        }
    }
}

/// Every side by its name: `SIDE`, or `BRIDGE/SIDE` where there are or were several bridges. One that
/// the rules no longer have says so, with its number: another of its name may be there.
pub fn sides(plan: &Plan) -> impl Iterator<Item = (String, At)> {
    let several = plan.bridges.len() > 1;
    BridgeId::all(plan.bridges.len()).flat_map(move |id| {
        let bridge = plan.bridge(id);
        Side::BOTH.map(|side| {
            let mut name = bridge.rules.side(side).name.clone();
            if several {
                name = format!("{}/{name}", bridge.rules.name);
            }
            if bridge.removed {
                name += &format!(" (removed, {})", id.index());
            }
            (name, At { bridge: id, side })
        })
    })
}

fn counts<'a>(all: impl Iterator<Item = (&'a str, u64)>) -> Counts {
    all.filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
}

fn reasons(dropped: &Dropped) -> Counts {
    counts(Reason::ALL.iter().map(|reason| (reason.name(), dropped[reason.index()])))
}

impl SideReport {
    fn new(books: &SideBooks) -> SideReport {
        SideReport {
            received: books.received,
            received_bytes: books.received_bytes,
            forwarded: books.forwarded,
            answered: books.answered,
            dropped: reasons(&books.dropped),
            causes: counts(Cause::ALL.iter().map(|cause| (cause.name(), books.causes[cause.index()]))),
            transmitted: books.transmitted,
            transmitted_bytes: books.transmitted_bytes,
            replies: books.replies,
            fragments: books.fragments,
            probes: books.probes,
            unaccounted: books.unaccounted(),
        }
    }
}

impl From<&PortBooks> for PortReport {
    fn from(books: &PortBooks) -> PortReport {
        PortReport {
            received: books.received,
            transmitted: books.transmitted,
            dropped: reasons(&books.dropped),
        }
    }
}

impl EventReport {
    /// The event, its places named.
    pub fn new(plan: &Plan, event: &Event) -> EventReport {
        let bridge = event.at.map(|at| (&plan.bridge(at.bridge).rules, at.side));
        EventReport {
            time_ns: event.time.as_nanos(),
            event: event.kind.name().to_owned(),
            bridge: bridge.map(|(bridge, _)| bridge.name.clone()),
            side: bridge.map(|(bridge, side)| bridge.side(side).name.clone()),
            port: plan.rules.ports[event.port].name.clone(),
            mac: event.mac.to_string(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14} {:>12} {:>12} {:>12} {:>12} {:>12}",
            "", "received", "forwarded", "answered", "dropped", "sent"
        )?;
        for (name, side) in &self.sides {
            let dropped: u64 = side.dropped.values().sum();
            writeln!(
                f,
                "side {name:<9} {:>12} {:>12} {:>12} {dropped:>12} {:>12}",
                side.received, side.forwarded, side.answered, side.transmitted
            )?;
        }
        for (name, port) in &self.ports {
            let dropped: u64 = port.dropped.values().sum();
            writeln!(
                f,
                "port {name:<9} {:>12} {:>12} {:>12} {dropped:>12} {:>12}",
                port.received, "", "", port.transmitted
            )?;
        }
        writeln!(f, "\noutcomes")?;
        for (name, count) in &self.outcomes {
            let help =
                Reason::ALL.iter().find(|reason| reason.name() == name).map_or("", |reason| reason.help());
            writeln!(f, "  {name:<24} {count:>12}  {help}")?;
        }
        if !self.causes.is_empty() {
            writeln!(f, "\nbesides")?;
            for (name, count) in &self.causes {
                let help =
                    Cause::ALL.iter().find(|cause| cause.name() == name).map_or("", |cause| cause.help());
                writeln!(f, "  {name:<24} {count:>12}  {help}")?;
            }
        }
        if !self.events.is_empty() {
            writeln!(f, "\nevents")?;
            for event in &self.events {
                let side = event
                    .side
                    .as_deref()
                    .map_or_else(|| format!("port {}", event.port), |side| format!("side {side}"));
                let (seconds, nanos) = (event.time_ns / 1_000_000_000, event.time_ns % 1_000_000_000);
                writeln!(f, "  {seconds}.{nanos:09} {side} {} {}", event.mac, event.event)?;
            }
            if self.events_omitted > 0 {
                writeln!(f, "  and {} more", self.events_omitted)?;
            }
        }
        let verdict = if self.unaccounted == 0 { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
        writeln!(f, "\ngeneration {}, unaccounted {}: {verdict}", self.generation, self.unaccounted)
    }
}
