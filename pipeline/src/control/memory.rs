//! The memory that rules will take, for who has to provide it.

use std::fmt;

use rules::Rules;

use crate::io::dpdk::PoolSize;
use crate::plan::bridge::BridgePlan;

/// Bytes, all of them taken at the start. A reload that brings a bridge takes what that needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Of all bridges.
    tables: usize,
    /// Frames and DPDK: in huge pages, where the machine has some.
    frames: usize,
}

impl Memory {
    /// Of a bridge that goes by these rules.
    pub fn of(rules: &Rules) -> Memory {
        Memory {
            tables: rules.bridges.iter().map(BridgePlan::memory_for).sum(),
            frames: PoolSize::of(&rules.ports, rules.workers.len()).bytes(),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| bytes.div_ceil(1 << 20);
        let Memory { tables, frames } = *self;
        write!(
            f,
            "memory: about {} MiB: {} of tables, {} of frames",
            mib(tables + frames),
            mib(tables),
            mib(frames)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::plan::Plan;

    fn rules(macs: u32, neighbours: u32) -> Rules {
        let text = format!(
            r#"
version: 1
ports: {{ a: {{ device: net_null0 }}, b: {{ device: net_null1 }} }}
workers: [1, 2]
bridges:
  wix:
    sides: {{ mud: {{ port: a }}, wix: {{ port: b }} }}
    peering: {{ ipv4: [202.7.0.0/23] }}
    macs: {{ capacity: {macs} }}
    neighbours: {{ capacity: {neighbours} }}
"#
        );
        rules::parse(&text, "test.yaml").unwrap().rules
    }

    #[test]
    fn the_estimate_is_what_is_allocated() {
        for (macs, neighbours) in [(1, 64), (4096, 8192), (5000, 10_000), (20_000, 64)] {
            let rules = rules(macs, neighbours);
            let memory = Memory::of(&rules);
            let plan = Arc::new(Plan::new(rules, None, &[], 0).unwrap());
            let tables: usize = plan.bridges.iter().map(BridgePlan::memory).sum();
            assert_eq!(memory.tables, tables);
        }
    }

    #[test]
    fn a_million_addresses_take_what_the_comments_say() {
        let bytes = crate::table::fdb::Fdb::memory_for(1_000_000) / 1_000_000;
        assert!((576..=1152).contains(&bytes), "{bytes}");
    }

    #[test]
    fn the_parts_and_their_sum_are_said() {
        let memory = Memory { tables: 5 << 20, frames: 50 << 20 };
        assert_eq!(memory.to_string(), "memory: about 55 MiB: 5 of tables, 50 of frames");
    }
}
