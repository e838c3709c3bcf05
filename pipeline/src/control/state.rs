//! What the bridge has learned, kept over a restart, so that a restart floods nothing (docs/decisions/0011): learned MACs and
//! neighbours of each bridge, in a file of lines of JSON. The first line says what the rest must be.
//!
//! Whatever stands in a file, the rules in force outrank it: an entry that they contradict is refused, and what is taken in is no more
//! than a stranger could have made the bridge learn. It is not more than that either: a station that speaks is believed as ever.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rules::{Admission, Mac, Side};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::plane::ControlPlane;
use crate::base::BridgeId;
use crate::base::time::Time;
use crate::plan::Plan;
use crate::plan::bridge::BridgePlan;
use crate::table::fdb::{self, Fdb, State};
use crate::table::neighbour::{Binding, BindingSource};
use crate::table::static_fdb::StaticEntry;

/// Of the format: a file of another one is refused.
const VERSION: u32 = 1;
/// Bytes of a first line, and more.
const LONGEST_HEADER: usize = 1024;
/// Bytes of a line about one address, and more.
const LONGEST_ENTRY: usize = 256;
/// Within one run of the machine the wall clock and the time since its boot may differ by so much, and the clock was not set.
const SLACK: Duration = Duration::from_secs(2);

/// A moment, as it can be told after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// By the wall clock: milliseconds since 1970.
    pub unix_ms: u64,
    /// The kernel's name of this run of the machine (random(4)); empty where it does not say.
    pub boot: String,
    /// Milliseconds since the machine was booted, also those in which it was suspended.
    pub since_boot_ms: u64,
}

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let since_boot = clock_gettime(ClockId::Boottime);
        Moment {
            unix_ms: millis(unix),
            boot: boot.trim().to_owned(),
            since_boot_ms: since_boot.tv_sec as u64 * 1000 + since_boot.tv_nsec as u64 / 1_000_000,
        }
    }

    /// How long ago an earlier moment was.
    fn since(&self, saved: &Moment) -> Result<Duration, Unusable> {
        let passed = self.unix_ms.checked_sub(saved.unix_ms).map(Duration::from_millis);
        let passed = passed.ok_or(Unusable::Future)?;
        if saved.boot == self.boot && !self.boot.is_empty() {
            let ran = Duration::from_millis(self.since_boot_ms.saturating_sub(saved.since_boot_ms));
            let step = passed.abs_diff(ran);
            if step > SLACK {
                return Err(Unusable::ClockSet(step.as_secs()));
            }
        }
        Ok(passed)
    }
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    sluice_state: u32,
    /// The program's version that wrote it, for people.
    program: String,
    saved: Moment,
    /// Of all that follows the first line.
    bytes: u64,
    crc32: u32,
}

/// A line of the rest. Lines of addresses are of the bridge before them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Bridge(BridgeLine),
    Mac(MacLine),
    Neighbour(NeighbourLine),
}

/// A bridge, by what it must have in common with that of the rules in force.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BridgeLine {
    name: String,
    sides: [SideLine; 2],
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SideLine {
    name: String,
    port: String,
    tags: String,
}

#[derive(Debug, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MacLine {
    mac: String,
    side: u8,
    /// Of `members`, without a side.
    #[serde(default)]
    listed: bool,
    /// Since it was heard; or what is left of its quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idle_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quarantine_ms: Option<u64>,
}

#[derive(Debug, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NeighbourLine {
    address: String,
    mac: String,
    router: bool,
    overrides: bool,
    idle_ms: u64,
}

impl BridgeLine {
    fn of(plan: &Plan, bridge: &BridgePlan) -> BridgeLine {
        let sides = Side::BOTH.map(|side| {
            let side = bridge.rules.side(side);
            let port = plan.rules.ports.get(side.port).map_or_else(String::new, |port| port.name.clone());
            SideLine { name: side.name.clone(), port, tags: side.tags.to_string() }
        });
        BridgeLine { name: bridge.rules.name.clone(), sides }
    }
}

/// Why nothing of a file is taken in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The first line is none of ours.
    #[error("it is no state file of sluice")]
    Foreign,
    /// Written by another program version.
    #[error("it is of version {0} of the format, and this program reads {VERSION}")]
    Version(u32),
    /// Fewer or more bytes than the first line says.
    #[error("it was cut, or written to: {found} bytes where it says {said}")]
    Cut {
        /// By the first line.
        said: u64,
        /// In the file.
        found: u64,
    },
    /// The bytes are not those that were written.
    #[error("it is damaged: its checksum is wrong")]
    Damaged,
    /// It was saved later than now.
    #[error("it was saved later than it is now: the clock was set back")]
    Future,
    /// The wall clock was set since.
    #[error("the clock was set by {0} s since it was saved: how old it is cannot be told")]
    ClockSet(u64),
    /// More bytes than all tables can fill.
    #[error("it is larger than all that the tables of these rules can hold ({0} bytes)")]
    TooLarge(u64),
}

/// What was taken in of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// MACs.
    pub macs: u64,
    /// Addresses with their MACs.
    pub neighbours: u64,
    /// Since it was saved.
    pub age: Duration,
    /// What was not, by the reason.
    refused: BTreeMap<String, u64>,
}

impl Restored {
    /// Entries that were refused.
    pub fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    fn refuse(&mut self, why: &str) {
        *self.refused.entry(why.to_owned()).or_default() += 1;
    }
}

/// Why entries were refused.
impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (why, count) in &self.refused {
            write!(f, "{comma}{count} {why}")?;
            comma = ", ";
        }
        Ok(())
    }
}

/// What is known, to be written.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The file.
    pub(super) bytes: Vec<u8>,
    /// Two of the same value say the same, though ages have grown.
    pub(super) content: u64,
}

/// What these bridges know at a time, as the bytes of a file.
pub fn save(plan: &Plan, now: Time, moment: &Moment) -> Vec<u8> {
    snapshot(plan, now, moment).bytes
}

/// [`save`], by any thread: nothing that it reads is locked, or is written by it.
pub(super) fn snapshot(plan: &Plan, now: Time, moment: &Moment) -> Snapshot {
    let mut body = Vec::new();
    let mut content = DefaultHasher::new();
    for bridge in plan.bridges.iter().filter(|bridge| !bridge.removed) {
        push(&mut body, &Line::Bridge(BridgeLine::of(plan, bridge)));
        let rules = &bridge.rules.macs;
        let mut macs: Vec<_> = [(&bridge.tables.macs, false), (&*bridge.roaming, true)]
            .into_iter()
            .flat_map(|(table, listed)| table.entries(now, rules).map(move |entry| (table, entry, listed)))
            // a station that a reload has listed is in the strangers' table too until it ages there
            .filter(|(table, entry, _)| std::ptr::eq(*table, bridge.fdb_of(entry.mac)))
            .map(|(_, entry, listed)| (entry, listed))
            .collect();
        macs.sort_by_key(|(entry, _)| entry.mac);
        for (entry, listed) in macs {
            let (idle, quarantine) = match entry.state {
                State::Heard { idle } => (Some(idle), None),
                State::Quarantined { left } => (None, Some(left)),
            };
            // when, not how long ago, and nothing for who is as old as can be: that stays the same while nobody speaks
            let heard = idle
                .filter(|idle| *idle < Fdb::LONGEST)
                .map(|idle| ticks(now).saturating_sub(ticks_in(idle)));
            let until = quarantine.map(|left| ticks(now) + ticks_in(left));
            (entry.mac.as_u64(), entry.side.index(), heard, until).hash(&mut content);
            push(
                &mut body,
                &Line::Mac(MacLine {
                    mac: entry.mac.to_string(),
                    side: entry.side.index() as u8,
                    listed,
                    idle_ms: idle.map(millis),
                    quarantine_ms: quarantine.map(millis),
                }),
            );
        }
        // of what two claim nothing is kept: requests for it are bridged
        for (address, known) in bridge.tables.neighbours.entries() {
            if !known.contested {
                (address, known.mac.as_u64(), known.router, known.overrides, known.confirmed)
                    .hash(&mut content);
                push(
                    &mut body,
                    &Line::Neighbour(NeighbourLine {
                        address: address.to_string(),
                        mac: known.mac.to_string(),
                        router: known.router,
                        overrides: known.overrides,
                        idle_ms: millis(now.since(known.confirmed)),
                    }),
                );
            }
        }
    }
    Snapshot { bytes: seal(&body, moment), content: content.finish() }
}

fn push(body: &mut Vec<u8>, line: &Line) {
    // neither a vector nor these types can refuse
    let _ = serde_json::to_writer(&mut *body, line);
    body.push(b'\n');
}

/// Lines with the first line that they must have.
pub fn seal(body: &[u8], moment: &Moment) -> Vec<u8> {
    let header = Header {
        sluice_state: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        saved: moment.clone(),
        bytes: body.len() as u64,
        crc32: crc32fast::hash(body),
    };
    let mut bytes = Vec::with_capacity(LONGEST_HEADER + body.len());
    let _ = serde_json::to_writer(&mut bytes, &header);
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    bytes
}

/// The most bytes that a file for these rules can have: what is larger is not even read.
pub fn largest(plan: &Plan) -> u64 {
    const NAMES: u64 = 1 << 20;
    let entries = plan.bridges.iter().map(|bridge| {
        let roaming: usize = bridge.rules.members.iter().map(|member| member.macs.len()).sum();
        let members: usize = bridge.rules.members.iter().map(|member| member.addresses.len()).sum();
        2 * u64::from(bridge.rules.macs.capacity)
            + u64::from(bridge.rules.neighbours.capacity)
            + (roaming + members) as u64
    });
    NAMES + LONGEST_ENTRY as u64 * entries.sum::<u64>()
}

/// Takes in the bytes of a file, before any worker runs.
///
/// # Errors
/// [`Unusable`]: nothing of it was taken in.
pub fn restore(
    bytes: &[u8],
    plan: &Plan,
    plane: &mut ControlPlane,
    now: Time,
    moment: &Moment,
) -> Result<Restored, Unusable> {
    if bytes.len() as u64 > largest(plan) {
        return Err(Unusable::TooLarge(largest(plan)));
    }
    let end = bytes.iter().take(LONGEST_HEADER).position(|byte| *byte == b'\n').ok_or(Unusable::Foreign)?;
    let (first, body) = (&bytes[..end], &bytes[end + 1..]);
    let header: Header = match serde_json::from_slice(first) {
        Ok(header) => header,
        Err(_) => return Err(other_version(first)),
    };
    if header.sluice_state != VERSION {
        return Err(Unusable::Version(header.sluice_state));
    }
    let found = body.len() as u64;
    if found != header.bytes {
        return Err(Unusable::Cut { said: header.bytes, found });
    }
    if crc32fast::hash(body) != header.crc32 {
        return Err(Unusable::Damaged);
    }
    let age = moment.since(&header.saved)?;
    let mut restored = Restored { age, ..Restored::default() };
    // the bridge that the lines are of; or why they are refused
    let mut bridge: Result<BridgeId, String> = Err("before any bridge".to_owned());
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = match serde_json::from_slice::<Line>(line) {
            Ok(line) => line,
            Err(_) => {
                restored.refuse("not understood");
                continue;
            }
        };
        let taken = match (&line, &bridge) {
            (Line::Bridge(line), _) => {
                bridge = find(plan, line, age);
                continue;
            }
            (_, Err(why)) => Err(why.clone()),
            (Line::Mac(line), Ok(id)) => {
                line.restore(plan.bridge(*id), age, now).map(|()| restored.macs += 1).map_err(str::to_owned)
            }
            (Line::Neighbour(line), Ok(id)) => line
                .restore(plan, *id, plane, age, now)
                .map(|()| restored.neighbours += 1)
                .map_err(str::to_owned),
        };
        if let Err(why) = taken {
            restored.refuse(&why);
        }
    }
    Ok(restored)
}

/// A first line that is not this version's may say of which it is.
fn other_version(first: &[u8]) -> Unusable {
    #[derive(Deserialize)]
    struct AnyVersion {
        sluice_state: u32,
    }
    let other = serde_json::from_slice::<AnyVersion>(first).ok().filter(|it| it.sluice_state != VERSION);
    other.map_or(Unusable::Foreign, |it| Unusable::Version(it.sluice_state))
}

/// The bridge of the rules in force that a line means; or why there is none.
fn find(plan: &Plan, line: &BridgeLine, age: Duration) -> Result<BridgeId, String> {
    let mut bridges = plan.bridges.iter().zip(BridgeId::all(plan.bridges.len()));
    let named = bridges.find(|(bridge, _)| bridge.rules.name == line.name && !bridge.removed);
    match named {
        None => Err("of a bridge that the rules do not have".to_owned()),
        Some((bridge, _)) if BridgeLine::of(plan, bridge) != *line => {
            Err(format!("of bridge {}, whose sides have other names, ports or VLANs now", bridge.rules.name))
        }
        Some((bridge, _)) if age >= bridge.rules.macs.age => {
            Err(format!("of bridge {}, saved longer ago than its macs.age", bridge.rules.name))
        }
        Some((_, id)) => Ok(id),
    }
}

impl MacLine {
    fn restore(&self, bridge: &BridgePlan, age: Duration, now: Time) -> Result<(), &'static str> {
        let (mac, known) = station(&self.mac, bridge)?;
        let side = match self.side {
            0 => Side::First,
            1 => Side::Second,
            _ => return Err("not understood"),
        };
        match known {
            Some(StaticEntry::To(_)) => return Err("pinned by the rules"),
            Some(StaticEntry::Roaming) if !self.listed => return Err("listed by the rules since"),
            _ => {}
        }
        let rules = &bridge.rules.macs;
        let state = match (self.idle_ms, self.quarantine_ms) {
            (Some(idle), None) => {
                let idle = Duration::from_millis(idle).saturating_add(age);
                if idle >= rules.age && known.is_none() {
                    return Err("older than macs.age");
                }
                State::Heard { idle }
            }
            // who is listed cannot be locked out by a file
            (None, Some(_)) if known.is_some() => return Err("quarantined, and listed by the rules"),
            (None, Some(left)) => {
                let left = Duration::from_millis(left).min(rules.flap.hold).saturating_sub(age);
                if left.is_zero() {
                    return Err("out of quarantine since");
                }
                State::Quarantined { left }
            }
            _ => return Err("not understood"),
        };
        let restored = bridge.fdb(known).restore(mac, side, state, now, rules);
        restored.then_some(()).ok_or("there already, or without room")
    }
}

impl NeighbourLine {
    fn restore(
        &self,
        plan: &Plan,
        id: BridgeId,
        plane: &mut ControlPlane,
        age: Duration,
        now: Time,
    ) -> Result<(), &'static str> {
        let bridge = plan.bridge(id);
        let address: IpAddr = self.address.parse().map_err(|_| "not understood")?;
        let (mac, _) = station(&self.mac, bridge)?;
        let (inside, several) = match address {
            IpAddr::V4(address) => {
                let edge = bridge.edges.is_network(address) || bridge.edges.is_broadcast(address);
                (bridge.is_peering4(address), edge)
            }
            // link-local ones are learned too
            IpAddr::V6(address) => (
                bridge.is_peering6(address) || address.is_unicast_link_local(),
                address.is_multicast() || bridge.anycast(address).is_some(),
            ),
        };
        if !inside || several {
            return Err("not an address of a station in the peering prefixes");
        } else if bridge.is_own(address) {
            return Err("the bridge's own");
        } else if bridge.owners.is_foreign(address, mac) {
            return Err("a member's address with another MAC");
        }
        let idle = Duration::from_millis(self.idle_ms).saturating_add(age);
        // of who is alive the last address is known for longer: only by it can a station be asked before it moves (F198)
        if idle >= bridge.rules.macs.age && bridge.side_of(mac, now).is_none() {
            return Err("older than macs.age");
        }
        if bridge.tables.neighbours.get(address).is_some() {
            return Err("there already: an address has one owner");
        }
        let heard = now.as_nanos().saturating_sub(idle.as_nanos().min(u64::MAX.into()) as u64);
        let flags = if self.router { 0x80 } else { 0 } | if self.overrides { 0x20 } else { 0 };
        let source = BindingSource::Advertised(flags);
        let known = Binding { time: Time::from_nanos(heard), address, mac, source };
        plane.restore(plan, id, &known).then_some(()).ok_or("there already, or without room")
    }
}

/// A station's MAC, which may speak, and what the rules know of it.
fn station(text: &str, bridge: &BridgePlan) -> Result<(Mac, Option<StaticEntry>), &'static str> {
    let mac: Mac = text.parse().map_err(|_| "not understood")?;
    let known = bridge.static_fdb.get(mac);
    match known {
        _ if !mac.is_station() => Err("a group's or zero, and no station's"),
        Some(StaticEntry::Own) => Err("the bridge's own"),
        None if bridge.rules.admission == Admission::Members => {
            Err("no member's, and only members are admitted")
        }
        _ => Ok((mac, known)),
    }
}

const fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

const fn ticks_in(duration: Duration) -> u64 {
    (duration.as_nanos() / fdb::TICK.as_nanos()) as u64
}

const fn ticks(time: Time) -> u64 {
    ticks_in(Duration::from_nanos(time.as_nanos()))
}

#[cfg(test)]
mod tests;
