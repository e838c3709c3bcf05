//! The rules made ready for the packet path: what a worker holds for a burst. Immutable, and swapped whole by a reload.
//!
//! What must survive a reload (tables, limiter levels) is not in a plan but behind it, in [`Tables`], which the next plan
//! takes over by the bridge's name.

pub mod anycast;
pub mod bridge;
pub mod edges;
pub mod fast;
pub mod owners;
pub mod ports;

use std::sync::Arc;

use rules::{Mac, Rules, Side};

use crate::base::time::Time;
use crate::base::{At, BridgeId};
use crate::table::Tables;
use bridge::BridgePlan;
use ports::PortMap;

/// The rules, ready.
#[derive(Debug)]
pub struct Plan {
    /// What it was made from.
    pub rules: Rules,
    /// 1 for the rules at start, one more for each reload.
    pub generation: u64,
    /// By port index.
    pub ports: Vec<PortMap>,
    /// By [`BridgeId`]. One that a reload removed stays for its books; no port leads to it, and its tables are gone.
    pub bridges: Vec<BridgePlan>,
}

/// This process has had [`BridgeId::MOST`] bridges in its life, and has room for no more: books are kept of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this process has had {} bridges in its life and has room for no more: restart it", BridgeId::MOST)]
pub struct TooManyBridges;

impl Plan {
    /// The plan for these rules, taking over the tables of `before` by the bridges' names. A side without a MAC derives
    /// one from its port's. `seed` is that of the hashes: random live and fixed in a replay (law 5).
    ///
    /// # Errors
    /// [`TooManyBridges`]; `before` then stays what it was.
    pub fn new(
        rules: Rules,
        before: Option<&Plan>,
        port_macs: &[Mac],
        seed: u64,
    ) -> Result<Plan, TooManyBridges> {
        let mut bridges: Vec<BridgePlan> =
            before.map_or_else(Vec::new, |plan| plan.bridges.iter().map(BridgePlan::retired).collect());
        let mut ports: Vec<PortMap> = rules.ports.iter().map(|_| PortMap::default()).collect();
        for bridge in &rules.bridges {
            let known = bridges.iter().position(|known| known.is_same(bridge));
            let id = BridgeId::new(known.unwrap_or(bridges.len())).ok_or(TooManyBridges)?;
            let before = known.and_then(|known| before?.bridges.get(known)).filter(|before| !before.removed);
            let tables = match before {
                Some(before) => Arc::clone(&before.tables),
                None => Arc::new(Tables::new(bridge, seed)),
            };
            let ready = BridgePlan::new(bridge.clone(), tables, before, port_macs, seed);
            match known {
                Some(known) => bridges[known] = ready,
                None => bridges.push(ready),
            }
            for side in Side::BOTH {
                let rules = bridge.side(side);
                ports[rules.port].add(rules.tags, At { bridge: id, side });
            }
        }
        Ok(Plan { generation: before.map_or(1, |plan| plan.generation + 1), rules, ports, bridges })
    }

    /// Takes the levels of the limits over from the rates of `before`, which it replaces now.
    pub fn repace(&self, before: &Plan, now: Time) {
        for (new, old) in self.bridges.iter().zip(&before.bridges) {
            if Arc::ptr_eq(&new.tables, &old.tables) {
                new.tables.limits.repace(now, &old.rates, &new.rates);
            }
        }
    }

    /// The same rules with every frame on the slow path: what tests hold the fast path against.
    #[must_use]
    pub fn without_fast_path(mut self) -> Plan {
        self.bridges.iter_mut().for_each(BridgePlan::leave_fast_path);
        self
    }

    /// One bridge.
    #[inline]
    pub fn bridge(&self, bridge: BridgeId) -> &BridgePlan {
        &self.bridges[bridge.index()]
    }
}

/// A bridge between two VLANs of a port, for tests, with these lines besides.
#[cfg(test)]
pub(crate) fn small(more: &str) -> Plan {
    let yaml = format!(
        "version: 1
ports:
  p: {{ device: \"net_null0\" }}
workers: [0]
bridges:
  x:
    sides: {{ a: {{ port: p, vlan: 10, mtu: 1500 }}, b: {{ port: p, vlan: 20, mtu: 1500 }} }}
    peering: {{ ipv4: [202.7.0.0/23] }}
{more}"
    );
    let rules = rules::parse(&yaml, "test.yaml").unwrap_or_else(|errors| panic!("{errors}")).rules;
    Plan::new(rules, None, &[], 0).unwrap()
}
