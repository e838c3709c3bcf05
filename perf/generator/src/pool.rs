//! The frames that a side sends, all built before the first run.

use anyhow::{Result, ensure};
use vm_memory::Bytes;

use crate::frames::{Kind, Mix, Side, Size, build};
use crate::memif::{Memory, RING, RING_BYTES};
use crate::verify::Expect;

/// What both sides have in common.
pub(crate) struct Plan {
    /// Stations on each side.
    pub(crate) flows: u32,
    /// Of frames with a payload.
    pub(crate) size: Size,
    /// VLANs of side A and of side B.
    pub(crate) tags: Option<[u16; 2]>,
    /// What the sink verifies.
    pub(crate) expect: Expect,
    /// Rings each way.
    pub(crate) queues: usize,
    /// One frame in so many carries the time, if it is unicast.
    pub(crate) latency: Option<usize>,
}

impl Plan {
    /// Bytes between two buffers: an odd number of cache lines, so that they do not all fall into the same sets.
    pub(crate) fn stride(&self) -> usize {
        (self.size.largest().max(2304).div_ceil(64) | 1) * 64
    }

    /// Frames in a queue's pool: a frame must have left the ring when its turn comes again.
    fn pool(&self) -> usize {
        let wanted = (self.flows as usize).max(8192) / self.queues + 1;
        wanted.max(2 * usize::from(RING)).next_multiple_of(Size::PERIOD)
    }

    /// The tag of a side.
    pub(crate) fn vlan(&self, side: Side) -> Option<u16> {
        self.tags.map(|tags| tags[side as usize])
    }

    /// Where all is in a side's memory.
    pub(crate) fn layout(&self) -> Layout {
        let rings = 2 * self.queues * RING_BYTES;
        let lessons = rings + self.queues * self.pool() * self.stride();
        let buffers = lessons + usize::from(RING) * Layout::LESSON;
        let end = buffers + self.queues * usize::from(RING) * self.stride();
        Layout { frames: rings, lessons, buffers, end }
    }
}

/// What lies where in a side's memory. First come the rings to the device, then those from it.
pub(crate) struct Layout {
    /// The pools, queue after queue.
    pub(crate) frames: usize,
    /// Frames of the teaching phase: one for each slot of a ring.
    pub(crate) lessons: usize,
    /// Those that the device fills, queue after queue.
    pub(crate) buffers: usize,
    end: usize,
}

impl Layout {
    /// Bytes between two lessons.
    pub(crate) const LESSON: usize = 128;

    /// The place of a ring.
    pub(crate) fn ring(plan: &Plan, to_device: bool, queue: usize) -> usize {
        (queue + if to_device { 0 } else { plan.queues }) * RING_BYTES
    }
}

/// A side's memory, filled with its frames.
pub(crate) struct Pool {
    /// It lies here, with the side's rings and receive buffers.
    pub(crate) memory: Memory,
    /// Whose it is.
    pub(crate) side: Side,
    /// By queue.
    pub(crate) frames: Vec<Vec<Prepared>>,
    /// The kinds in it, the most frequent first.
    pub(crate) kinds: Vec<Kind>,
    /// It lies in huge pages.
    pub(crate) huge: bool,
}

/// A frame in the pool.
pub(crate) struct Prepared {
    /// Bytes in the buffer.
    pub(crate) length: u16,
    /// What it is.
    pub(crate) kind: Kind,
    /// It takes the time when it is sent.
    pub(crate) stamped: bool,
}

impl Pool {
    /// Builds all frames that a side sends. The flows come in an order by chance, the same each time.
    ///
    /// # Errors
    /// Not enough memory.
    pub(crate) fn new(plan: &Plan, side: Side, mix: &Mix) -> Result<Self> {
        let layout = plan.layout();
        ensure!(
            layout.end < u32::MAX as usize,
            "so many frames of this size do not fit into 4 GiB: fewer --macs"
        );
        let (memory, huge) = Memory::new(layout.end)?;
        let mut chance = fastrand::Rng::with_seed(side as u64);
        let mut flows: Vec<u32> = (0..plan.flows).collect();
        chance.shuffle(&mut flows);
        let mut pool = Self { memory, side, frames: Vec::new(), kinds: mix.kinds(), huge };
        for queue in 0..plan.queues {
            let kinds = mix.spread(plan.pool(), &mut chance);
            let mut sizes: Vec<usize> = (0..plan.pool()).map(|number| plan.size.of(number)).collect();
            chance.shuffle(&mut sizes);
            // a flow stays on its queue, as it would by RSS
            let mut own = flows.iter().skip(queue % flows.len()).step_by(plan.queues).cycle();
            let mut frames = Vec::with_capacity(kinds.len());
            for (number, (kind, size)) in kinds.into_iter().zip(sizes).enumerate() {
                let stamped = plan.latency.is_some_and(|each| number % each == 0) && kind.is_unicast();
                let flow = own.next().copied().unwrap_or_default();
                let frame = build(kind, side, flow, size, plan.vlan(side), stamped);
                let at = layout.frames + (queue * plan.pool() + number) * plan.stride();
                pool.memory.frame(at, frame.len())?.write_slice(&frame, 0)?;
                frames.push(Prepared { length: frame.len() as u16, kind, stamped });
            }
            pool.frames.push(frames);
        }
        Ok(pool)
    }
}
