//! The bridge's own presence and what it concludes from notices, on the clock of whoever drives it: neighbours learned,
//! conflicts, duplicate address detection and defence of its own addresses, loop probes. One writer for all workers; what it
//! wants sent it gives back.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use rules::Side;

use crate::base::At;
use crate::base::event::{Event, EventKind};
use crate::base::time::Time;
use crate::frame::build::{self, Advertisement};
use crate::frame::icmp6::{ALL_NODES, OVERRIDE, group_mac};
use crate::frame::nonce::{self, Nonce};
use crate::path::control_queue::{Claim, ControlMsg, ReturnedProbe};
use crate::path::outbox::{LocalFrame, LocalKind};
use crate::plan::Plan;
use crate::plan::anycast::Anycast;
use crate::plan::bridge::BridgePlan;
use crate::table::hold::OwnAddress;
use crate::table::neighbour::{Change, Writer};

/// A host defends its address once in this time (DEFEND_INTERVAL, RFC 5227 §2.4 c).
const DEFEND: Duration = Duration::from_secs(10);
/// Between two looks for duplicates, and from the last one until an address is ours (RFC 5227 §1.1: 1 to 2 s;
/// RETRANS_TIMER, RFC 4861 §10).
const DETECT: Duration = Duration::from_secs(1);
/// How often duplicates are looked for (PROBE_NUM, RFC 5227 §1.1).
const DETECTIONS: u32 = 3;
/// Intervals in a row in which a probe crosses that make a loop, and clean ones that end it (SPEC B.1).
const IN_A_ROW: u32 = 3;
/// The hold doubles with each loop after the last up to this.
const LONGEST_HOLD: Duration = Duration::from_secs(15 * 60);
/// How often neighbours that were not heard are swept out.
const SWEEP: Duration = Duration::from_secs(1);
/// An anycast source is told of once in this time.
const TELL: Duration = Duration::from_secs(60);
/// Anycast sources remembered at a time.
const MOST_TOLD: usize = 1024;

/// What an operator should hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorEvent {
    /// An event.
    Event(Event),
    /// No Packet Too Big was sent to an anycast source.
    Anycast {
        /// The bridge's slot.
        bridge: usize,
        /// The source.
        address: Ipv6Addr,
        /// Why it counts as anycast.
        why: Anycast,
    },
}

/// The control plane of all bridges of the process.
#[derive(Debug)]
pub struct ControlPlane {
    seed: u64,
    /// Probes and duplicate address detection are sent: live, and in a replay that asks for them.
    active: bool,
    bridges: Vec<Bridge>,
    swept: Option<Time>,
    told: HashMap<(usize, Ipv6Addr), Time>,
}

/// One bridge's.
#[derive(Debug, Default)]
struct Bridge {
    writer: Writer,
    defended: HashMap<(OwnAddress, Side), Time>,
    /// With the address that was looked for: a reload may give another.
    detection: HashMap<OwnAddress, (IpAddr, Detection)>,
    loops: Loops,
}

/// How far duplicate address detection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detection {
    /// So many looks to go, the next (or the end) at this time.
    Looking(u32, Time),
    /// Ours.
    Ours,
    /// Somebody else's.
    Duplicate,
}

/// Loop probes of one bridge.
#[derive(Debug, Default)]
struct Loops {
    next: Option<Time>,
    number: u64,
    /// The last two intervals' nonces, by side: a probe may come back after the next was sent.
    sent: [[Nonce; 2]; 2],
    /// A probe crossed in this interval.
    crossed: Option<ReturnedProbe>,
    dirty: u32,
    clean: u32,
    held: Option<Time>,
    holds: u32,
}

impl ControlPlane {
    /// With nothing known. `active`: it probes and looks for duplicates.
    pub fn new(seed: u64, active: bool) -> ControlPlane {
        ControlPlane { seed, active, bridges: Vec::new(), swept: None, told: HashMap::new() }
    }

    /// Addresses that bridges could not learn for want of room, by slot.
    pub fn neighbours_refused(&self) -> Vec<u64> {
        self.bridges.iter().map(|bridge| bridge.writer.refused).collect()
    }

    /// Takes in what a worker noticed. What is to be sent and told is appended.
    pub fn notice(
        &mut self,
        plan: &Plan,
        notice: &ControlMsg,
        send: &mut Vec<LocalFrame>,
        tell: &mut Vec<OperatorEvent>,
    ) {
        self.bridges.resize_with(plan.bridges.len(), Bridge::default);
        match notice {
            ControlMsg::Event(event) => tell.push(OperatorEvent::Event(*event)),
            ControlMsg::Snooped(slot, about, heard) => {
                let bridge = &plan.bridges[*slot];
                let (table, rules) = (&bridge.tables.neighbours, &bridge.rules.neighbours);
                if self.bridges[*slot].writer.snoop(table, rules, heard) == Change::Conflict {
                    tell.push(OperatorEvent::Event(*about));
                }
            }
            ControlMsg::Anycast(slot, now, address, why) => self.anycast(*slot, *now, *address, *why, tell),
            ControlMsg::Returned(probe) => self.probe(&plan.bridges[probe.at.0], probe, tell),
            ControlMsg::Own(claim) => self.own_claim(plan, claim, send, tell),
        }
    }

    fn anycast(
        &mut self,
        slot: usize,
        now: Time,
        address: Ipv6Addr,
        why: Anycast,
        tell: &mut Vec<OperatorEvent>,
    ) {
        self.told.retain(|_, told| now.since(*told) < TELL);
        if self.told.len() < MOST_TOLD && !self.told.contains_key(&(slot, address)) {
            self.told.insert((slot, address), now);
            tell.push(OperatorEvent::Anycast { bridge: slot, address, why });
        }
    }

    /// Only a probe of the last two intervals counts: whoever replays an older one proves nothing.
    fn probe(&mut self, bridge: &BridgePlan, probe: &ReturnedProbe, tell: &mut Vec<OperatorEvent>) {
        let loops = &mut self.bridges[probe.at.0].loops;
        let detection = bridge.nonces.contains(&probe.nonce);
        let ours = loops.sent[probe.sent.index()].contains(&probe.nonce);
        let mac = bridge.own(probe.sent);
        let event = |kind| Event { time: probe.time, port: probe.port, at: Some(probe.at), kind, mac };
        match (ours, probe.sent == probe.at.1) {
            // our own duplicate address detection, come back: a loop and no duplicate (RFC 7527 §4.2)
            _ if detection => tell.push(OperatorEvent::Event(event(EventKind::LoopSuspected))),
            (true, true) => tell.push(OperatorEvent::Event(event(EventKind::ProbeReflected))),
            (true, false) => {
                loops.crossed = Some(*probe);
                tell.push(OperatorEvent::Event(event(EventKind::LoopSuspected)));
            }
            (false, true) => tell.push(OperatorEvent::Event(event(EventKind::Reflected))),
            (false, false) => tell.push(OperatorEvent::Event(event(EventKind::LoopSuspected))),
        }
    }

    /// While we look for duplicates, who claims the address or looks for it too has it. Once it is ours we defend it, now and
    /// then; who only looks is answered by the worker that sees it.
    fn own_claim(
        &mut self,
        plan: &Plan,
        claim: &Claim,
        send: &mut Vec<LocalFrame>,
        tell: &mut Vec<OperatorEvent>,
    ) {
        let (slot, side) = claim.at;
        let bridge = &plan.bridges[slot];
        let state = &mut self.bridges[slot];
        if let Some((_, detection @ Detection::Looking(..))) = state.detection.get_mut(&claim.address) {
            *detection = Detection::Duplicate;
            let Claim { time, at, port, mac, .. } = *claim;
            tell.push(OperatorEvent::Event(Event {
                time,
                port,
                at: Some(at),
                kind: EventKind::OwnDuplicate,
                mac,
            }));
            return;
        }
        let defended = state.defended.get(&(claim.address, side)).copied();
        let due = defended.is_none_or(|at| claim.time.since(at) >= DEFEND);
        if claim.looks || !due || !bridge.tables.hold.has(claim.address) {
            return;
        }
        state.defended.insert((claim.address, side), claim.time);
        let mut bytes = Vec::new();
        let mac = bridge.own(side);
        match (claim.address, bridge.rules.own.ipv4) {
            (OwnAddress::V4, Some(address)) => build::arp_announcement(&mut bytes, mac, address, None),
            _ => {
                let Some(target) = own_address6(bridge, claim.address) else { return };
                let to = (group_mac(ALL_NODES), ALL_NODES);
                build::advertisement(&mut bytes, &Advertisement { target, owner: mac, to, flags: OVERRIDE });
            }
        }
        send.push(LocalFrame { at: At { bridge: slot as u16, side }, kind: LocalKind::Reply, bytes });
    }

    /// Runs the timers that are due.
    pub fn tick(
        &mut self,
        plan: &Plan,
        now: Time,
        send: &mut Vec<LocalFrame>,
        tell: &mut Vec<OperatorEvent>,
    ) {
        self.bridges.resize_with(plan.bridges.len(), Bridge::default);
        let sweep = self.swept.is_none_or(|swept| now.since(swept) >= SWEEP);
        if sweep {
            self.swept = Some(now);
        }
        for (slot, (state, bridge)) in self.bridges.iter_mut().zip(&plan.bridges).enumerate() {
            if sweep {
                state.writer.sweep(&bridge.tables.neighbours, now, bridge.rules.macs.age);
            }
            if self.active && !bridge.removed {
                state.detect(slot, bridge, now, send);
                state.loops.tick(slot, bridge, self.seed, now, send, tell);
            }
        }
    }

    /// A side's link came up: whatever is there now may have our addresses (RFC 5227 §2.1).
    pub fn link_up(&mut self) {
        for bridge in &mut self.bridges {
            bridge.detection.clear();
        }
    }
}

fn own_address6(bridge: &BridgePlan, address: OwnAddress) -> Option<Ipv6Addr> {
    match address {
        OwnAddress::V4 => None,
        OwnAddress::V6 => bridge.rules.own.ipv6,
        OwnAddress::LinkLocal(side) => Some(bridge.link_local[side.index()]),
    }
}

impl Bridge {
    /// Looks for duplicates of our own addresses before using them, silent meanwhile; for good where there is one.
    fn detect(&mut self, slot: usize, bridge: &BridgePlan, now: Time, send: &mut Vec<LocalFrame>) {
        for address in OwnAddress::ALL {
            let (v4, v6) = (bridge.rules.own.ipv4, own_address6(bridge, address));
            if v6.is_none() && (address != OwnAddress::V4 || v4.is_none()) {
                self.detection.remove(&address); // should it come back, it is looked for again
                continue;
            }
            let Some(wanted) = v6.map(IpAddr::V6).or(v4.map(IpAddr::V4)) else { continue };
            let fresh = (wanted, Detection::Looking(DETECTIONS, now));
            let known = self.detection.entry(address).or_insert(fresh);
            if known.0 != wanted {
                *known = fresh;
            }
            let (_, state) = known;
            bridge.tables.hold.silence(address, *state != Detection::Ours);
            let Detection::Looking(left, due) = *state else { continue };
            if now < due {
                continue;
            }
            if left == 0 {
                *state = Detection::Ours;
                bridge.tables.hold.silence(address, false);
            } else {
                *state = Detection::Looking(left - 1, now.after(DETECT));
            }
            for side in Side::BOTH {
                if matches!(address, OwnAddress::LinkLocal(own) if own != side) {
                    continue;
                }
                let mac = bridge.own(side);
                let mut bytes = Vec::new();
                match (v4.filter(|_| address == OwnAddress::V4), v6) {
                    (Some(v4), _) if left == 0 => build::arp_announcement(&mut bytes, mac, v4, None),
                    (Some(v4), _) => build::arp_probe(&mut bytes, mac, v4),
                    (None, Some(v6)) if left > 0 => {
                        build::dad(&mut bytes, mac, v6, bridge.nonces[side.index()]);
                    }
                    _ => continue,
                }
                send.push(LocalFrame { at: At { bridge: slot as u16, side }, kind: LocalKind::Probe, bytes });
            }
        }
    }
}

impl Loops {
    fn tick(
        &mut self,
        slot: usize,
        bridge: &BridgePlan,
        seed: u64,
        now: Time,
        send: &mut Vec<LocalFrame>,
        tell: &mut Vec<OperatorEvent>,
    ) {
        let Some(interval) = bridge.rules.loops.probe else {
            if self.held.take().is_some() {
                bridge.tables.hold.hold_flooding(false); // the operator knows better
            }
            return;
        };
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        if self.next.is_some() {
            self.settle(slot, bridge, now, tell);
        }
        self.next = Some(now.after(interval));
        self.number += 1;
        for side in Side::BOTH {
            let mac = bridge.own(side);
            let nonce = nonce::keyed(seed, mac, self.number);
            let sent = &mut self.sent[side.index()];
            *sent = [nonce, sent[0]];
            let mut bytes = Vec::new();
            match bridge.rules.own.ipv4.filter(|_| bridge.tables.hold.has(OwnAddress::V4)) {
                Some(address) => build::arp_announcement(&mut bytes, mac, address, Some(nonce)),
                None => build::dad(&mut bytes, mac, bridge.link_local[side.index()], nonce),
            }
            send.push(LocalFrame { at: At { bridge: slot as u16, side }, kind: LocalKind::Probe, bytes });
        }
    }

    /// Three intervals in a row with a probe across: held. Three clean ones once the hold is over: healed.
    fn settle(&mut self, slot: usize, bridge: &BridgePlan, now: Time, tell: &mut Vec<OperatorEvent>) {
        let crossed = self.crossed.take();
        (self.dirty, self.clean) = if crossed.is_some() { (self.dirty + 1, 0) } else { (0, self.clean + 1) };
        let port = bridge.rules.side(Side::Second).port;
        let event = |kind| Event {
            time: now,
            port,
            at: Some((slot, Side::Second)),
            kind,
            mac: bridge.own(Side::Second),
        };
        match self.held {
            None if self.dirty >= IN_A_ROW => {
                let hold = bridge
                    .rules
                    .loops
                    .hold
                    .saturating_mul(1 << self.holds.min(16))
                    .min(LONGEST_HOLD.max(bridge.rules.loops.hold));
                self.held = Some(now.after(hold));
                self.holds += 1;
                bridge.tables.hold.hold_flooding(true);
                tell.push(OperatorEvent::Event(event(EventKind::LoopHeld)));
            }
            Some(until) if now >= until && self.clean >= IN_A_ROW => {
                self.held = None;
                self.clean = 0; // whether it stays away shows from here on
                bridge.tables.hold.hold_flooding(false);
                tell.push(OperatorEvent::Event(event(EventKind::LoopHealed)));
            }
            // a loop that stayed away as long as the longest hold is a new one
            None if self.clean as u128 * bridge.rules.loops.probe.unwrap_or_default().as_nanos()
                >= LONGEST_HOLD.as_nanos() =>
            {
                self.holds = 0;
            }
            _ => {}
        }
    }
}
