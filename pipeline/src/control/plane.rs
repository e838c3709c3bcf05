//! The control plane: what it concludes from the workers' messages, on the clock of whoever drives it. Neighbours, moves, the
//! bridge's own addresses, loops. One for all workers; what it wants done it gives back as [`Effects`].

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use rules::{Mac, Side};

use super::ask::ask;
use super::dad::OwnAddresses;
use super::effects::{Effects, OperatorEvent};
use super::loops::Loops;
use super::moves::{Around, MoveCounts, Moves};
use super::nonces::Nonces;
use crate::base::time::Time;
use crate::base::{At, BridgeId};
use crate::path::control_queue::ControlMsg;
use crate::plan::Plan;
use crate::plan::anycast::Anycast;
use crate::plan::bridge::BridgePlan;
use crate::table::Tables;
use crate::table::fdb::Sweep;
use crate::table::neighbour::{Binding, Change, Writer};
use crate::table::static_fdb::StaticEntry;

/// How often neighbours that were not heard are swept out.
const SWEEP: Duration = Duration::from_secs(1);
/// An anycast source is told of once in this time.
const TELL: Duration = Duration::from_secs(60);
/// Anycast sources remembered at a time.
const MOST_TOLD: usize = 1024;

/// The control plane of all bridges of the process.
#[derive(Debug)]
pub struct ControlPlane {
    nonces: Nonces,
    /// Probes, duplicate address detection and questions to stations are sent: live, and in a replay that asks for them.
    active: bool,
    bridges: Vec<Bridge>,
    swept: Option<Time>,
    told: HashMap<(BridgeId, Ipv6Addr), Time>,
}

/// One bridge's.
#[derive(Debug)]
struct Bridge {
    /// The tables that the rest belongs to: a bridge that was removed and comes back has new ones, and starts anew here.
    tables: Arc<Tables>,
    neighbours: Writer,
    sweep: Sweep,
    moves: Moves,
    own_addresses: OwnAddresses,
    loops: Loops,
}

impl Bridge {
    fn new(tables: &Arc<Tables>, active: bool) -> Bridge {
        if active {
            tables.hold.verify_moves();
        }
        Bridge {
            tables: Arc::clone(tables),
            neighbours: Writer::new(active),
            sweep: Sweep::default(),
            moves: Moves::default(),
            own_addresses: OwnAddresses::default(),
            loops: Loops::default(),
        }
    }

    /// Its moves, and what they need.
    fn moves<'a>(
        &'a mut self,
        bridge: &'a BridgePlan,
        now: Time,
        effects: &'a mut Effects,
    ) -> (&'a mut Moves, Around<'a>) {
        (&mut self.moves, Around { bridge, neighbours: &self.neighbours, now, effects })
    }
}

impl ControlPlane {
    /// With nothing known. `active`: it probes and looks for duplicates.
    pub fn new(seed: u64, active: bool) -> ControlPlane {
        ControlPlane {
            nonces: Nonces::new(seed),
            active,
            bridges: Vec::new(),
            swept: None,
            told: HashMap::new(),
        }
    }

    /// Addresses that bridges could not learn for want of room, by [`BridgeId`].
    pub fn neighbours_refused(&self) -> Vec<u64> {
        self.bridges.iter().map(|bridge| bridge.neighbours.refused).collect()
    }

    /// What became of stations that spoke on another side than their own, by [`BridgeId`].
    pub fn moves(&self) -> Vec<MoveCounts> {
        self.bridges.iter().map(|bridge| bridge.moves.counts).collect()
    }

    /// The next time at which a station that is being looked for needs something done.
    pub fn due(&self) -> Option<Time> {
        self.bridges.iter().filter_map(|bridge| bridge.moves.due()).min()
    }

    /// Forgets what belongs to tables that are gone.
    fn follow(&mut self, plan: &Plan) {
        for (state, bridge) in self.bridges.iter_mut().zip(&plan.bridges) {
            if !Arc::ptr_eq(&state.tables, &bridge.tables) {
                *state = Bridge::new(&bridge.tables, self.active);
            }
        }
        let known = self.bridges.len();
        let new = plan.bridges.iter().skip(known);
        self.bridges.extend(new.map(|bridge| Bridge::new(&bridge.tables, self.active)));
    }

    /// Takes in a worker's message.
    pub fn take_in(&mut self, plan: &Plan, message: &ControlMsg, effects: &mut Effects) {
        self.follow(plan);
        if message.bridge().is_some_and(|bridge| plan.bridge(bridge).removed) {
            return; // it was on its way when the bridge was removed
        }
        match message {
            ControlMsg::Event(event) => effects.event(*event),
            ControlMsg::Snooped(conflict, id, binding) => {
                let bridge = plan.bridge(*id);
                let owner = match self.learn(bridge, *id, binding) {
                    Change::Conflict(owner) => {
                        effects.event(*conflict);
                        owner
                    }
                    Change::Ask(owner) => owner,
                    Change::None | Change::Full => return,
                };
                if self.active {
                    ask_owner(*id, bridge, owner, binding, effects);
                }
            }
            ControlMsg::Anycast(now, id, address, why) => self.anycast(*now, *id, *address, *why, effects),
            ControlMsg::Returned(probe) => {
                let id = probe.at.bridge;
                self.bridges[id.index()].loops.returned(plan.bridge(id), probe, effects);
            }
            ControlMsg::Own(claim) => {
                let id = claim.at.bridge;
                self.bridges[id.index()].own_addresses.claimed(plan.bridge(id), claim, effects);
            }
            ControlMsg::Challenge(challenge) => {
                let id = challenge.at.bridge;
                self.bridges[id.index()].moves.challenged(challenge);
            }
        }
    }

    fn learn(&mut self, bridge: &BridgePlan, id: BridgeId, binding: &Binding) -> Change {
        let (table, rules) = (&bridge.tables.neighbours, &bridge.rules.neighbours);
        // a member's address; and one by which a member that may move can be asked
        let moves = bridge.static_fdb.get(binding.mac) == Some(StaticEntry::Roaming);
        let listed = moves || bridge.owners.get(binding.address).is_some();
        self.bridges[id.index()].neighbours.learn(table, rules, binding, listed)
    }

    /// Takes in whose an address was when the bridge last ran. False where there is no room; nothing is known of it yet.
    pub fn restore(&mut self, plan: &Plan, id: BridgeId, known: &Binding) -> bool {
        self.follow(plan);
        self.learn(plan.bridge(id), id, known) == Change::None
    }

    fn anycast(
        &mut self,
        now: Time,
        bridge: BridgeId,
        address: Ipv6Addr,
        why: Anycast,
        effects: &mut Effects,
    ) {
        self.told.retain(|_, told| now.since(*told) < TELL);
        if self.told.len() < MOST_TOLD && !self.told.contains_key(&(bridge, address)) {
            self.told.insert((bridge, address), now);
            effects.tell.push(OperatorEvent::Anycast { bridge, address, why });
        }
    }

    /// Frees what has aged in the next part of the MAC tables, of so many; asks whom it meets there before they age (F211).
    pub fn sweep(&mut self, plan: &Plan, now: Time, parts: usize, effects: &mut Effects) {
        self.follow(plan);
        let bridges = self.bridges.iter_mut().zip(&plan.bridges).zip(BridgeId::all(plan.bridges.len()));
        for ((state, bridge), id) in bridges {
            let (rules, macs) = (&bridge.rules.macs, &bridge.tables.macs);
            let mut sweep = std::mem::take(&mut state.sweep);
            let active = self.active && !bridge.removed;
            let (moves, mut around) = state.moves(bridge, now, effects);
            macs.sweep(now, rules, &mut sweep, macs.slots().div_ceil(parts), |mac, side| {
                if active {
                    moves.fades(id, mac, side, &mut around);
                }
            });
            if sweep.is_new() {
                bridge.roaming.sweep_all(now, rules); // as large as the list of members, and nothing ages there
            }
            state.sweep = sweep;
        }
    }

    /// Does what is due about stations that are being looked for.
    pub fn verify(&mut self, plan: &Plan, now: Time, effects: &mut Effects) {
        self.follow(plan);
        for (state, bridge) in self.bridges.iter_mut().zip(&plan.bridges) {
            let (moves, mut around) = state.moves(bridge, now, effects);
            moves.tick(&mut around);
        }
    }

    /// Runs the timers that are due.
    pub fn tick(&mut self, plan: &Plan, now: Time, effects: &mut Effects) {
        self.follow(plan);
        if self.active {
            self.verify(plan, now, effects);
        }
        let sweep = self.swept.is_none_or(|swept| now.since(swept) >= SWEEP);
        if sweep {
            self.swept = Some(now);
        }
        let bridges = self.bridges.iter_mut().zip(&plan.bridges).zip(BridgeId::all(plan.bridges.len()));
        for ((state, bridge), id) in bridges {
            if sweep {
                state.neighbours.settle(&bridge.tables.neighbours, &bridge.rules.neighbours, now);
                let pinned = |mac| matches!(bridge.static_fdb.get(mac), Some(StaticEntry::To(_)));
                let alive = |mac| !pinned(mac) && bridge.side_of(mac, now).is_some();
                state.neighbours.sweep(&bridge.tables.neighbours, now, bridge.rules.macs.age, alive);
            }
            if self.active && !bridge.removed {
                state.own_addresses.tick(id, bridge, &mut self.nonces, now, effects);
                state.loops.tick(id, bridge, &mut self.nonces, now, effects);
            }
        }
    }

    /// A port's link came up: whatever is there now may have the addresses of the bridges with a side on it (RFC 5227 §2.1).
    pub fn link_up(&mut self, plan: &Plan, port: usize) {
        for (state, bridge) in self.bridges.iter_mut().zip(&plan.bridges) {
            if bridge.rules.sides.iter().any(|side| side.port == port) {
                state.own_addresses.restart();
            }
        }
    }
}

/// Asks an address's owner where it is known; on both sides where it is not.
fn ask_owner(id: BridgeId, bridge: &BridgePlan, owner: Mac, claim: &Binding, effects: &mut Effects) {
    let place = bridge.side_of(owner, claim.time);
    for side in Side::BOTH.into_iter().filter(|side| place.is_none_or(|place| place == *side)) {
        ask(At { bridge: id, side }, bridge, owner, claim.address, effects);
    }
}
