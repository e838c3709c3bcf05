//! One interface of the device under test: the source that feeds it, and the sink of what comes out of it.

use std::path::Path;

use anyhow::{Context, Result};
use vm_memory::{Bytes, VolatileSlice};

use crate::frames::{Kind, build, on_the_wire, stamp_at};
use crate::latency::{Latency, stamp, stamped_at};
use crate::memif::{Incoming, Link, Outgoing, RING};
use crate::pace::{Pace, Rate};
use crate::pool::{Layout, Plan, Pool};
use crate::verify::{Expect, Seen, Verifier};

/// What happened at a side during a run.
#[derive(Default)]
pub(crate) struct Counts {
    /// Frames that the device was given.
    pub(crate) sent: u64,
    /// Of [`Counts::sent`], by kind.
    pub(crate) sent_by_kind: [u64; Kind::COUNT],
    /// Of [`Counts::sent`], those of the extra station.
    pub(crate) asked: u64,
    /// Frames that were due at a fixed rate and did not fit into the ring.
    pub(crate) refused: u64,
    /// Frames that came.
    pub(crate) received: u64,
    /// Of [`Counts::received`], those that were as they must be, by kind.
    pub(crate) received_by_kind: [u64; Kind::COUNT],
    /// Of those, the far side's extra station's.
    pub(crate) heard: u64,
    /// On the wire, FCS included.
    pub(crate) received_bytes: u64,
    /// Frames that came and were not as they must be.
    pub(crate) bad: u64,
    /// Frames of the device itself, such as its probes: not among [`Counts::received`].
    pub(crate) own: u64,
    /// The first bytes of the first bad one.
    pub(crate) first_bad: Option<Vec<u8>>,
    /// Looks at a transmit ring at rate max.
    pub(crate) polls: u64,
    /// Those that found it empty.
    pub(crate) starved: u64,
}

/// To show.
#[cold]
fn first_bytes(length: usize, frame: Option<&VolatileSlice<'_>>) -> Vec<u8> {
    let mut bytes = vec![0; length.min(128)];
    if let Some(frame) = frame {
        frame.copy_to(&mut bytes[..]);
    }
    bytes
}

/// A connected side.
pub(crate) struct Interface<'m> {
    pool: &'m Pool,
    link: Link,
    layout: Layout,
    stride: usize,
    out: Vec<Outgoing<'m>>,
    ins: Vec<Incoming<'m>>,
    /// By queue: the next frame of its pool.
    next: Vec<usize>,
    /// The queue whose turn it is at a fixed rate.
    turn: usize,
    verifier: Option<Verifier>,
    stamp_at: [usize; Kind::COUNT],
    rate: Rate,
    pace: Option<Pace>,
    /// Of the extra station.
    extra: Option<Pace>,
    /// The flow of the far side's.
    far_extra: Option<u32>,
    /// Of this run.
    pub(crate) counts: Counts,
    /// Of stamped frames that came in this run.
    pub(crate) latency: Latency,
}

impl<'m> Interface<'m> {
    /// Connects a side to the server on a socket; frames come from `far`.
    ///
    /// # Errors
    /// There is no server, or it refuses.
    pub(crate) fn new(plan: &Plan, pool: &'m Pool, far: &Pool, rate: Rate, socket: &Path) -> Result<Self> {
        let (layout, stride) = (plan.layout(), plan.stride());
        let place = |to_device, queue| Layout::ring(plan, to_device, queue);
        let out = (0..plan.queues).map(|queue| Outgoing::new(&pool.memory, place(true, queue)));
        let out = out.collect::<Result<Vec<_>>>()?;
        let ins = (0..plan.queues).map(|queue| {
            let buffers = layout.buffers + queue * usize::from(RING) * stride;
            Incoming::new(&pool.memory, place(false, queue), buffers, stride)
        });
        let ins = ins.collect::<Result<Vec<_>>>()?;
        let link = Link::new(socket, pool.side as u32, &pool.memory, &out, &ins, place)?;
        ins.iter().for_each(Incoming::open);
        let verifier = Verifier::new(&far.kinds, pool.side, plan.tags, plan.expect);
        let mut stamps = [0; Kind::COUNT];
        for &kind in &pool.kinds {
            stamps[kind as usize] = stamp_at(kind, plan.tags.is_some()).unwrap_or_default();
        }
        Ok(Self {
            pool,
            link,
            layout,
            stride,
            next: vec![0; out.len()],
            out,
            ins,
            turn: 0,
            verifier: (plan.expect != Expect::None).then_some(verifier),
            stamp_at: stamps,
            rate,
            pace: None,
            extra: plan.extra(pool.side).map(|rate| Pace::new(rate, 0)),
            far_extra: plan.extra(far.side).map(|_| plan.extra_flow()),
            counts: Counts::default(),
            latency: Latency::new()?,
        })
    }

    /// What the server calls itself.
    pub(crate) fn server(&self) -> &str {
        &self.link.server
    }

    /// Fails when the device under test has gone.
    ///
    /// # Errors
    /// It ended, or told us to.
    pub(crate) fn check(&self) -> Result<()> {
        self.link.check()
    }

    /// It sends at a rate of its own, not as much as the ring takes; or a station of it does.
    pub(crate) fn is_paced(&self) -> bool {
        self.extra.is_some() || matches!(self.rate, Rate::Frames(frames) if frames > 0)
    }

    /// A run begins now, in nanoseconds.
    pub(crate) fn begin(&mut self, now: u64) {
        self.counts = Counts::default();
        self.latency.clear();
        self.pace = match self.rate {
            Rate::Max => None,
            Rate::Frames(frames) => Some(Pace::new(frames, now)),
        };
        self.extra.iter_mut().for_each(|pace| pace.skip_to(now));
    }

    /// The generator did not run until now. The extra station's few are sent late all the same: it would not get to send any where
    /// gaps come more often than its frames are due.
    pub(crate) fn after_gap(&mut self, now: u64) {
        if let Some(pace) = &mut self.pace {
            pace.skip_to(now);
        }
    }

    /// Sends what is due.
    #[inline]
    pub(crate) fn send(&mut self, now: u64) {
        self.ask(now);
        if self.pace.is_none() {
            for queue in 0..self.out.len() {
                let waiting = self.out[queue].waiting();
                self.counts.polls += 1;
                self.counts.starved += u64::from(waiting == 0);
                let free = RING - waiting;
                // a few at a time would only move the ring's index between two caches
                if free >= 64 {
                    self.post(queue, free.min(256), now);
                }
            }
        } else if let Some(pace) = &mut self.pace {
            let due = pace.due(now);
            if due > 0 {
                pace.did(due);
                let free = RING - self.out[self.turn].waiting();
                let lot = due.min(free.into());
                self.counts.refused += due - lot;
                self.post(self.turn, lot as u16, now);
                self.turn = (self.turn + 1) % self.out.len();
            }
        }
    }

    /// Sends what the extra station is due. It comes first: whatever room there is the others may fill.
    #[inline]
    fn ask(&mut self, now: u64) {
        let Some(pace) = &mut self.extra else { return };
        let out = &mut self.out[0];
        if pace.due(now) == 0 || out.waiting() == RING {
            return;
        }
        pace.did(1);
        let number = self.counts.asked as usize % self.pool.questions.len();
        let question = &self.pool.questions[number];
        out.write(0, question.length.into(), (self.layout.questions + number * Layout::LESSON) as u32);
        out.send(1);
        self.counts.asked += 1;
        self.counts.sent += 1;
        self.counts.sent_by_kind[question.kind as usize] += 1;
    }

    #[inline]
    fn post(&mut self, queue: usize, frames: u16, now: u64) {
        let pool = &self.pool.frames[queue];
        let base = self.layout.frames + queue * pool.len() * self.stride;
        let mut next = self.next[queue];
        for ahead in 0..frames {
            let frame = &pool[next];
            let at = base + next * self.stride;
            if frame.stamped {
                let place = at + self.stamp_at[frame.kind as usize];
                // it lies in the pool, where the frame was written before
                let _ = self.pool.memory.frame(place, 8).map(|place| place.write_obj(stamp(now), 0));
            }
            self.out[queue].write(ahead, frame.length.into(), at as u32);
            self.counts.sent_by_kind[frame.kind as usize] += 1;
            next = if next + 1 == pool.len() { 0 } else { next + 1 };
        }
        self.next[queue] = next;
        self.counts.sent += u64::from(frames);
        self.out[queue].send(frames);
    }

    /// Takes what has come, `at_least` so many frames of a queue at once; whether there were any.
    #[inline]
    pub(crate) fn receive(&mut self, at_least: u16, now: impl Fn() -> u64) -> bool {
        let mut any = false;
        let (counts, latency, verifier) = (&mut self.counts, &mut self.latency, &self.verifier);
        let far_extra = self.far_extra;
        for queue in &mut self.ins {
            let mut time = None;
            any |= queue.take(at_least, |length, frame| {
                let seen = match (verifier, &frame) {
                    (None, _) => None,
                    (Some(_), None) => Some(Seen::Bad),
                    (Some(verifier), Some(frame)) => Some(verifier.look(frame)),
                };
                if seen == Some(Seen::Own) {
                    counts.own += 1;
                    return;
                }
                counts.received += 1;
                counts.received_bytes += on_the_wire(length) as u64;
                match seen {
                    Some(Seen::Good(kind, flow, stamp)) => {
                        counts.received_by_kind[kind as usize] += 1;
                        counts.heard += u64::from(Some(flow) == far_extra);
                        if let Some(stamp) = stamp {
                            let now = *time.get_or_insert_with(&now);
                            latency.note(now.saturating_sub(stamped_at(stamp)));
                        }
                    }
                    Some(Seen::Bad) => {
                        counts.bad += 1;
                        counts.first_bad.get_or_insert_with(|| first_bytes(length, frame.as_ref()));
                    }
                    _ => (),
                }
            });
        }
        any
    }

    /// The device has taken all frames.
    pub(crate) fn is_through(&self) -> bool {
        self.out.iter().all(|queue| queue.waiting() == 0)
    }

    /// Takes what has come and forgets it.
    pub(crate) fn discard(&mut self) {
        for queue in &mut self.ins {
            queue.take(1, |_, _| ());
        }
    }

    /// Lets the next stations from `flow` on speak once, at most 64 of them and only when the device has taken all before; how
    /// many did.
    ///
    /// # Errors
    /// A lesson's place is outside of the memory.
    pub(crate) fn teach(&mut self, plan: &Plan, flow: u32) -> Result<u32> {
        let out = &mut self.out[0];
        if out.waiting() > 0 {
            return Ok(0);
        }
        let speakers = (plan.flows - flow).min(64);
        for ahead in 0..speakers as u16 {
            let frame = build(
                Kind::Ip4,
                self.pool.side,
                flow + u32::from(ahead),
                60,
                plan.vlan(self.pool.side),
                false,
            );
            let slot = usize::from(out.next().wrapping_add(ahead) % RING);
            let at = self.layout.lessons + slot * Layout::LESSON;
            self.pool.memory.frame(at, frame.len())?.write_slice(&frame, 0).context("a lesson")?;
            out.write(ahead, frame.len() as u32, at as u32);
        }
        out.send(speakers as u16);
        Ok(speakers)
    }
}
