//! The fast path: a frame that passes every stage without side effect crosses at once. Each stage says so by its predicate
//! `plain`, beside its full rule; `Direction::is_plain` lists them in the stages' order. Nothing is written before the last
//! of them is sure, and whatever is in doubt takes the slow path, `run_stages`. Tests hold the two to be equal:
//! `pipeline/tests/conformance/fast_path.rs`.
//!
//! It is for a frame with one tag on both sides, or none, of TCP, UDP or ESP between two stations that are known and where
//! they should be.

use rules::Mac;

use super::stage::{admit, answer, filter, fit, forward, guard, learn, police, snoop};
use super::stations::{Station, Stations};
use super::verdict::Crossing;
use crate::base::At;
use crate::base::reason::Stage;
use crate::base::time::Time;
use crate::frame::buffer::{self, Buffer};
use crate::frame::ether::{self, HEADER, MACS, MIN_FRAME, TAG, ethertype};
use crate::plan::Plan;
use crate::plan::edges::Edges;
use crate::plan::fast::FastRules;
use crate::plan::ports::PortMap;

/// Layer-2 header with one tag.
const TAGGED: usize = HEADER + TAG;
/// The first bytes of a frame, which are read without further tests of its length. A shorter one takes the slow path.
const HEAD: usize = MIN_FRAME;

/// In a MAC's first byte: a group's.
const GROUP: u8 = 1;

/// The fast path of one burst. It remembers what the last frame's tag led to, as the next one mostly has the same.
#[derive(Debug)]
pub struct FastPath<'a> {
    plan: &'a Plan,
    port: Option<&'a PortMap>,
    now: Time,
    direction: Option<Direction<'a>>,
}

/// From one side to the other.
#[derive(Debug, Clone, Copy)]
struct Direction<'a> {
    from: At,
    rules: FastRules,
    edges: &'a Edges,
    stations: Stations<'a>,
}

impl<'a> FastPath<'a> {
    /// For a burst that a port received now.
    #[inline]
    pub fn new(plan: &'a Plan, port: usize, now: Time) -> FastPath<'a> {
        FastPath { plan, port: plan.ports.get(port), now, direction: None }
    }

    /// Takes the frames in front of a burst that can all go the way of the first one: how many, and as one crossing with
    /// all their bytes.
    #[inline]
    pub fn front<B: Buffer>(&mut self, burst: &mut [B]) -> Option<(Crossing, usize)> {
        let direction = self.direction(burst.first()?.bytes())?;
        if direction.stations.is_large() {
            direction.prefetch(burst);
        }
        direction.cross_all(burst.iter_mut())
    }

    /// [`FastPath::front`] for a burst that is in reverse.
    #[inline]
    pub fn back(&mut self, burst: &mut [impl Buffer]) -> Option<(Crossing, usize)> {
        let direction = self.direction(burst.last()?.bytes())?;
        direction.cross_all(burst.iter_mut().rev())
    }

    /// Takes one frame, or `None` and nothing done.
    #[inline]
    pub fn cross(&mut self, frame: &mut impl Buffer) -> Option<Crossing> {
        let direction = self.direction(frame.bytes())?;
        let bytes = match direction.rules.admit.tag {
            Some(_) => direction.cross::<TAGGED>(frame)?,
            None => direction.cross::<HEADER>(frame)?,
        };
        Some(direction.crossing(bytes))
    }

    /// The direction of a frame, by its tag.
    #[inline(always)]
    fn direction(&mut self, frame: &[u8]) -> Option<Direction<'a>> {
        let head: &[u8; HEAD] = frame.first_chunk()?;
        if head[0] & GROUP != 0 {
            return None; // a group's: slow path
        }
        let is_tagged = [head[MACS], head[MACS + 1]] == ethertype::CTAG.to_be_bytes();
        let tag = is_tagged.then(|| admit::tag(head));
        if let Some(direction) = self.direction.filter(|direction| direction.rules.admit.tag == tag) {
            return Some(direction);
        }
        let port = self.port?;
        let from = match tag {
            Some(_) => port.single(ether::vid_at(head, 0)?)?,
            None => port.untagged()?,
        };
        let bridge = self.plan.bridge(from.bridge);
        let rules = *bridge.fast(from.side);
        let stations = Stations::new(bridge, rules.learned, self.now);
        self.direction = Some(Direction { from, rules, edges: &bridge.edges, stations });
        self.direction
    }
}

/// What the predicates look at.
#[derive(Clone, Copy)]
struct Frame<'a> {
    bytes: &'a [u8],
    head: &'a [u8; HEAD],
    dst: Mac,
    from: Station,
    to: Station,
    /// Bytes behind the layer-2 header.
    carried: usize,
}

/// A frame passes all of these stages, in this order. That none of a packet's way is missing is checked here; that each has
/// a predicate, by the match in [`Direction::passes`].
macro_rules! every_stage {
    ($direction:ident, $l3:ident, $frame:ident: $($stage:ident)+) => {{
        const {
            let listed = [$(Stage::$stage as u8),+];
            let mut place = 0;
            while place < listed.len() {
                assert!(listed[place] == Stage::Admit as u8 + place as u8, "in the order of the stages");
                place += 1;
            }
            assert!(listed[listed.len() - 1] + 1 == Stage::Transmit as u8, "up to the last one");
        }
        $($direction.passes::<$l3>(Stage::$stage, $frame))&&+
    }};
}

impl Direction<'_> {
    fn crossing(&self, bytes: usize) -> Crossing {
        Crossing { port: self.rules.egress.port, from: self.from, bytes }
    }

    /// Asks for all addresses of a burst, so that their cache lines come side by side, and while the headers are judged.
    #[inline(never)]
    fn prefetch<B: Buffer>(&self, burst: &[B]) {
        for head in burst.iter().filter_map(|frame| frame.bytes().first_chunk::<HEAD>()) {
            let (dst, src) = ether::addresses_in(head);
            B::prefetch(self.stations.place(dst));
            B::prefetch(self.stations.place(src));
        }
    }

    /// Takes the first frames, as many as can go this way: as one crossing, and their number; `None` where that is 0.
    #[inline]
    fn cross_all<'b, B: Buffer + 'b>(
        &self,
        burst: impl Iterator<Item = &'b mut B>,
    ) -> Option<(Crossing, usize)> {
        let (frames, bytes) = match self.rules.admit.tag {
            Some(_) => self.cross_each::<TAGGED, B>(burst),
            None => self.cross_each::<HEADER, B>(burst),
        };
        (frames > 0).then_some((self.crossing(bytes), frames))
    }

    #[inline(never)] // so that it has the registers for itself
    fn cross_each<'b, const L3: usize, B: Buffer + 'b>(
        &self,
        burst: impl Iterator<Item = &'b mut B>,
    ) -> (usize, usize) {
        let (mut frames, mut bytes) = (0, 0);
        for frame in burst {
            let Some(length) = self.cross::<L3>(frame) else { break };
            frames += 1;
            bytes += length;
        }
        (frames, bytes)
    }

    /// Lets a frame cross if every stage does, without side effect; `L3` is where its packet begins. Its length.
    #[inline(always)]
    fn cross<const L3: usize>(&self, frame: &mut impl Buffer) -> Option<usize> {
        if !frame.is_whole() {
            return None;
        }
        let bytes = frame.bytes_mut();
        if !self.is_plain::<L3>(bytes)? {
            return None;
        }
        if L3 == TAGGED {
            let head: &mut [u8; HEAD] = bytes.first_chunk_mut()?;
            let tci = buffer::with_vid([head[14], head[15]], self.rules.egress.vid);
            [head[14], head[15]] = tci;
        }
        Some(bytes.len())
    }

    /// Every stage lets a frame through without side effect, but that its source has been heard again: which is then done.
    /// `None` as false.
    #[inline(always)]
    fn is_plain<const L3: usize>(&self, bytes: &[u8]) -> Option<bool> {
        let (here, there) = (self.from.side, self.from.side.other());
        let head = bytes.first_chunk()?;
        let (dst, src) = ether::addresses_in(head);
        let from = self.stations.on(src, here)?;
        let to = self.stations.on(dst, there)?;
        let frame = &Frame { bytes, head, dst, from, to, carried: bytes.len().wrapping_sub(L3) };
        let all = every_stage!(self, L3, frame: Admit Guard Filter Learn Police Snoop Answer Forward Fit);
        Some(all && self.stations.heard(from, src, here))
    }

    /// One stage lets a frame through without side effect.
    #[inline(always)]
    fn passes<const L3: usize>(&self, stage: Stage, frame: &Frame<'_>) -> bool {
        let Frame { bytes, head, dst, from, to, carried } = *frame;
        match stage {
            Stage::Receive | Stage::FastPath | Stage::Transmit => true, // not of a packet's way
            Stage::Admit => admit::plain::<L3, HEAD>(self.rules.admit, head),
            Stage::Guard => guard::plain(from, to, dst),
            Stage::Filter => {
                filter::plain::<L3, HEAD>(self.rules.filter, self.edges, to, (head, bytes), carried)
            }
            Stage::Learn => learn::plain(from),
            Stage::Police => police::plain(to),
            Stage::Snoop => snoop::plain(),
            Stage::Answer => answer::plain(to),
            Stage::Forward => forward::plain(to),
            Stage::Fit => fit::plain(self.rules.fit, carried),
        }
    }
}
