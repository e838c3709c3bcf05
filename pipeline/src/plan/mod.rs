//! The rules made ready for the packet path: what a worker holds for a burst. Immutable, and swapped whole by a reload.
//!
//! What must survive a reload (tables, limiter levels) is not in a plan but behind it, in [`Tables`], which the next plan
//! takes over by the bridge's name.

pub mod anycast;
pub mod bridge;
pub mod fast;
pub mod owners;
pub mod ports;

use std::sync::Arc;

use rules::{Mac, Rules, Side};

use crate::base::At;
use crate::table::Tables;
use bridge::BridgePlan;
use ports::PortMap;

/// The most bridges that one process has had in its life: slots are never given back.
pub const MOST_BRIDGES: usize = 1024;

/// The rules, ready.
#[derive(Debug)]
pub struct Plan {
    /// What it was made from.
    pub rules: Rules,
    /// 1 for the rules at start, one more for each reload.
    pub generation: u64,
    /// By port index.
    pub ports: Vec<PortMap>,
    /// By slot; a slot whose bridge was removed by a reload keeps its tables and has no port that leads to it.
    pub bridges: Vec<BridgePlan>,
}

impl Plan {
    /// The plan for these rules, taking over the tables of `before` by the bridges' names. A side without a MAC derives
    /// one from its port's. `seed` is that of the hashes: random live and fixed in a replay (DESIGN 1.5).
    pub fn new(rules: Rules, before: Option<&Plan>, port_macs: &[Mac], seed: u64) -> Plan {
        let mut bridges: Vec<BridgePlan> =
            before.map_or_else(Vec::new, |plan| plan.bridges.iter().map(BridgePlan::retired).collect());
        let mut ports: Vec<PortMap> = rules.ports.iter().map(|_| PortMap::default()).collect();
        for bridge in &rules.bridges {
            let slot = bridges.iter().position(|known| known.is_same(bridge));
            let tables = match slot {
                Some(slot) => Arc::clone(&bridges[slot].tables),
                None => Arc::new(Tables::new(bridge, seed)),
            };
            let ready = BridgePlan::new(bridge.clone(), tables, port_macs, seed);
            let slot = match slot {
                Some(slot) => {
                    bridges[slot] = ready;
                    slot
                }
                None => {
                    bridges.push(ready);
                    bridges.len() - 1
                }
            };
            for side in Side::BOTH {
                let rules = bridge.side(side);
                ports[rules.port].add(rules.tags, At { bridge: slot as u16, side });
            }
        }
        Plan { generation: before.map_or(1, |plan| plan.generation + 1), rules, ports, bridges }
    }

    /// The bridge in a slot.
    #[inline]
    pub fn bridge(&self, at: At) -> &BridgePlan {
        &self.bridges[usize::from(at.bridge)]
    }
}
