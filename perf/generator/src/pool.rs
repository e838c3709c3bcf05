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
    /// Frames a second of the extra station of side A.
    pub(crate) extra: Option<u64>,
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

    /// Frames a second of a side's extra station.
    pub(crate) fn extra(&self, side: Side) -> Option<u64> {
        self.extra.filter(|_| side == Side::A)
    }

    /// The flow of the extra station: behind those of all others.
    pub(crate) fn extra_flow(&self) -> u32 {
        self.flows
    }

    /// Where all is in a side's memory.
    pub(crate) fn layout(&self) -> Layout {
        let rings = 2 * self.queues * RING_BYTES;
        let lessons = rings + self.queues * self.pool() * self.stride();
        let questions = lessons + usize::from(RING) * Layout::LESSON;
        let buffers = questions + Layout::QUESTIONS.len() * Layout::LESSON;
        let end = buffers + self.queues * usize::from(RING) * self.stride();
        Layout { frames: rings, lessons, questions, buffers, end }
    }
}

/// What lies where in a side's memory. First come the rings to the device, then those from it.
pub(crate) struct Layout {
    /// The pools, queue after queue.
    pub(crate) frames: usize,
    /// Frames of the teaching phase: one for each slot of a ring.
    pub(crate) lessons: usize,
    /// The extra station's: one of each of [`Layout::QUESTIONS`].
    pub(crate) questions: usize,
    /// Those that the device fills, queue after queue.
    pub(crate) buffers: usize,
    end: usize,
}

impl Layout {
    /// Bytes between two lessons, or questions.
    pub(crate) const LESSON: usize = 128;

    /// What the extra station sends, in turn.
    pub(crate) const QUESTIONS: [Kind; 2] = [Kind::Arp, Kind::Nd];

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
    /// Of the extra station, where there is one.
    pub(crate) questions: Vec<Prepared>,
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
        let (frames, questions) = (Vec::new(), Vec::new());
        let mut pool = Self { memory, side, frames, questions, kinds: mix.kinds(), huge };
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
        for (number, &kind) in Layout::QUESTIONS.iter().enumerate().filter(|_| plan.extra(side).is_some()) {
            let frame = build(kind, side, plan.extra_flow(), 60, plan.vlan(side), false);
            let at = layout.questions + number * Layout::LESSON;
            pool.memory.frame(at, frame.len())?.write_slice(&frame, 0)?;
            pool.questions.push(Prepared { length: frame.len() as u16, kind, stamped: false });
            if !pool.kinds.contains(&kind) {
                pool.kinds.push(kind);
            }
        }
        Ok(pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unicast of four stations a side, and the extra one.
    const PLAN: Plan = Plan {
        flows: 4,
        size: Size::Bytes(64),
        tags: Some([10, 20]),
        expect: Expect::Bridge,
        queues: 1,
        latency: None,
        extra: Some(16),
    };

    fn pool(side: Side) -> Pool {
        Pool::new(&PLAN, side, &"ip4=1".parse().unwrap()).unwrap()
    }

    fn bytes(pool: &Pool, at: usize, frame: &Prepared) -> Vec<u8> {
        let mut bytes = vec![0; frame.length.into()];
        pool.memory.frame(at, bytes.len()).unwrap().read_slice(&mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn the_extra_station_asks_for_its_partner_by_arp_and_by_nd() {
        let pool = pool(Side::A);
        let place = |number| PLAN.layout().questions + number * Layout::LESSON;
        let asked = [0, 1].map(|number| bytes(&pool, place(number), &pool.questions[number]));
        assert_eq!(asked, [Kind::Arp, Kind::Nd].map(|kind| build(kind, Side::A, 4, 60, Some(10), false)));
        assert_eq!(pool.kinds, [Kind::Ip4, Kind::Arp, Kind::Nd], "what the far side must know again");
    }

    #[test]
    fn the_extra_station_has_no_part_in_what_its_side_sends() {
        let pool = pool(Side::A);
        let frames = PLAN.layout().frames;
        for (number, frame) in pool.frames[0].iter().enumerate() {
            let sender = bytes(&pool, frames + number * PLAN.stride(), frame)[11];
            assert!(u32::from(sender) < PLAN.extra_flow());
        }
    }

    #[test]
    fn side_b_has_no_extra_station() {
        let pool = pool(Side::B);
        assert!(pool.questions.is_empty() && pool.kinds == [Kind::Ip4]);
    }
}
