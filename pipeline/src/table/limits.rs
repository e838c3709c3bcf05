//! Every limit of a bridge: the sides' token pools, and what one worker has of them and of its own.

use rules::Bridge;

use super::bucket::{Pool, Share, Sources};

/// One side's token pools.
#[derive(Debug, Default)]
pub struct Pools {
    /// Broadcast.
    pub broadcast: Pool,
    /// Multicast.
    pub multicast: Pool,
    /// Frames to unknown destinations.
    pub unknown: Pool,
    /// New addresses.
    pub new: Pool,
    /// Replies of the bridge.
    pub answers: Pool,
    /// Path-MTU errors.
    pub mtu_errors: Pool,
}

/// One worker's own limiters of one bridge.
#[derive(Debug)]
pub struct Limits {
    /// Storm buckets by source MAC.
    pub sources: Sources,
    /// By side.
    pub sides: [Shares; 2],
    /// Path-MTU errors by source address.
    pub mtu_sources: Sources,
    /// Path-MTU errors by source MAC.
    pub mtu_macs: Sources,
    /// Of the hash that makes a source address a key.
    pub seed: u64,
}

/// Source addresses whose path-MTU errors are limited one by one (docs/spec D.6).
const MTU_SOURCES: u32 = 16 << 10;

impl Limits {
    /// Fresh ones for one of so many workers.
    pub fn new(bridge: &Bridge, workers: usize, seed: u64) -> Limits {
        Limits::for_sources(Limits::sources(bridge), MTU_SOURCES, workers, seed)
    }

    /// Every source that passed `learn` has a place: the members and what the table holds.
    fn sources(bridge: &Bridge) -> u32 {
        /// Members that reloads may add before their limits get crowded.
        const TO_COME: u32 = 4096;
        2 * bridge.macs.capacity + bridge.members.len() as u32 + TO_COME
    }

    /// Bytes that those of one worker take.
    pub fn memory_for(bridge: &Bridge) -> usize {
        2 * Sources::memory_for(Limits::sources(bridge)) + Sources::memory_for(MTU_SOURCES)
    }

    /// Bytes that these take.
    pub fn memory(&self) -> usize {
        self.sources.memory() + self.mtu_sources.memory() + self.mtu_macs.memory()
    }

    /// Those of a bridge that the rules no longer have: the smallest there are.
    pub fn retired() -> Limits {
        Limits::for_sources(1, 1, 1, 0)
    }

    fn for_sources(sources: u32, mtu_sources: u32, workers: usize, seed: u64) -> Limits {
        let share = || Share::of(workers);
        let shares = || Shares {
            broadcast: share(),
            multicast: share(),
            unknown: share(),
            new: share(),
            answers: share(),
            mtu_errors: share(),
            mtu_first: share(),
        };
        Limits {
            sources: Sources::new(sources, seed),
            sides: [shares(), shares()],
            mtu_sources: Sources::new(mtu_sources, seed),
            mtu_macs: Sources::new(sources, seed),
            seed,
        }
    }
}

/// One worker's shares of one side's pools.
#[derive(Debug)]
pub struct Shares {
    /// Of broadcast.
    pub broadcast: Share,
    /// Of multicast.
    pub multicast: Share,
    /// Of frames to unknown destinations.
    pub unknown: Share,
    /// Of new addresses.
    pub new: Share,
    /// Of replies.
    pub answers: Share,
    /// Of path-MTU errors.
    pub mtu_errors: Share,
    /// Of the same, for sources that have drawn none lately.
    pub mtu_first: Share,
}
