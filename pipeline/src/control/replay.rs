//! The bridge over captures: the same worker and the same stages on the captures' clock, with ports in memory. One frame
//! a burst, one worker, fixed hash keys: the same input always gives the same output (law 5).

use std::sync::Arc;
use std::time::Duration;

use rules::Rules;

use super::effects::{Effects, OperatorEvent};
use super::plane::ControlPlane;
use crate::base::At;
use crate::base::event::Event;
use crate::base::time::Time;
use crate::frame::buffer::Buffer;
use crate::io::mem::{MemIo, Packet};
use crate::observe::books::Books;
use crate::path::control_queue::ControlRx;
use crate::path::stage::admit;
use crate::plan::{Plan, TooManyBridges};
use crate::worker::orders::PlanSwap;
use crate::worker::{Worker, placeholder_mac};

/// How often aged MACs are swept out, as the control thread does it live.
pub const SWEEP: Duration = Duration::from_secs(1);

/// How many events are kept. A capture of any length must fit into memory, and nobody reads more of them.
pub const MOST_EVENTS: usize = 10_000;

/// Of the hashes.
const SEED: u64 = 0;

/// A bridge on a capture's clock.
#[derive(Debug)]
pub struct Replay {
    worker: Worker<MemIo>,
    queue: ControlRx,
    plane: ControlPlane,
    effects: Effects,
    events: Vec<Event>,
    events_omitted: u64,
    now: Time,
    swept: Option<Time>,
}

/// A frame that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// On which bridge and side.
    pub at: At,
    /// By which port.
    pub port: usize,
    /// The frame as on the wire.
    pub frame: Vec<u8>,
}

impl Replay {
    /// The bridge of these rules, nothing learned. It sends loop probes and looks for duplicates of its own addresses only
    /// with [`Replay::with_probes`].
    ///
    /// # Errors
    /// [`TooManyBridges`].
    pub fn new(rules: Rules) -> Result<Replay, TooManyBridges> {
        let io = MemIo::new(rules.ports.len());
        let plan = Plan::new(rules, None, &Replay::port_macs(io.input.len()), SEED)?;
        let (worker, queue) = Worker::new(io, Arc::new(plan), 1);
        Ok(Replay {
            worker,
            queue,
            plane: ControlPlane::new(SEED, false),
            effects: Effects::default(),
            events: Vec::new(),
            events_omitted: 0,
            now: Time::ZERO,
            swept: None,
        })
    }

    fn port_macs(ports: usize) -> Vec<rules::Mac> {
        (0..ports).map(placeholder_mac).collect()
    }

    /// The same with its loop probes, its own duplicate address detection, and its questions to stations before they move or age.
    pub fn with_probes(mut self) -> Replay {
        self.plane = ControlPlane::new(SEED, true);
        self
    }

    /// What happens when a port receives a frame at a time. The clock never goes back: an earlier time counts as the
    /// latest so far.
    pub fn feed(&mut self, port: usize, time: Time, packet: Packet) -> Vec<Sent> {
        self.advance(time);
        self.worker.io.input[port].push_back(packet);
        self.worker.poll(self.now);
        let plan = Arc::clone(self.worker.plan());
        while let Some(message) = self.queue.pop() {
            self.plane.take_in(&plan, &message, &mut self.effects);
        }
        self.plane.verify(&plan, self.now, &mut self.effects);
        self.send_own();
        let mut sent = Vec::new();
        for (port, output) in self.worker.io.output.iter_mut().enumerate() {
            for packet in output.drain(..) {
                // the tags that it left with say on which side
                if let Ok((at, _)) = admit::admit(&plan.ports[port], packet.bytes()) {
                    sent.push(Sent { at, port, frame: packet.bytes().to_vec() });
                }
            }
        }
        sent
    }

    /// Lets time pass: timers that are due run, once each a gap, but for those of stations that are being looked for, which run each
    /// at its time: else one that speaks once a second would be believed late (F199). What they send comes out with the next frame.
    pub fn advance(&mut self, time: Time) {
        /// More than one gap can need: each brings a verification to its next step.
        const MOST_STEPS: usize = 1 << 14;
        let plan = Arc::clone(self.worker.plan());
        for _ in 0..MOST_STEPS {
            let Some(due) = self.plane.due().filter(|due| *due < time) else { break };
            self.now = self.now.max(due);
            self.plane.verify(&plan, self.now, &mut self.effects);
            self.send_own();
        }
        self.now = self.now.max(time);
        if self.swept.is_none_or(|swept| self.now.since(swept) >= SWEEP) {
            self.swept = Some(self.now);
            self.plane.sweep(&plan, self.now, 1, &mut self.effects);
        }
        self.plane.tick(&plan, self.now, &mut self.effects);
        self.send_own();
    }

    fn send_own(&mut self) {
        self.worker.send_own(&self.effects.send);
        self.effects.send.clear();
        for told in self.effects.tell.drain(..) {
            match told {
                OperatorEvent::Event(event) if self.events.len() < MOST_EVENTS => self.events.push(event),
                OperatorEvent::Event(_) => self.events_omitted += 1,
                OperatorEvent::Anycast { .. } => {} // counted as a cause
            }
        }
    }

    /// New rules, as a reload brings them: everything learned stays.
    ///
    /// # Errors
    /// [`TooManyBridges`]: nothing has changed.
    pub fn reload(&mut self, rules: Rules) -> Result<(), TooManyBridges> {
        let before = Arc::clone(self.worker.plan());
        let macs = Replay::port_macs(before.ports.len());
        let plan = Arc::new(Plan::new(rules, Some(&before), &macs, SEED)?);
        plan.repace(&before, self.now);
        let mut swap = PlanSwap::new(plan, &before, 1);
        self.worker.swap_plan(&mut swap);
        Ok(())
    }

    /// The rules in force.
    pub fn plan(&self) -> &Plan {
        self.worker.plan()
    }

    /// The ports, to fill or to limit.
    pub fn io(&mut self) -> &mut MemIo {
        &mut self.worker.io
    }

    /// The books so far.
    pub fn books(&self) -> &Books {
        self.worker.books()
    }

    /// The first [`MOST_EVENTS`] events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many came after those.
    pub fn events_omitted(&self) -> u64 {
        self.events_omitted
    }

    /// The latest time.
    pub fn now(&self) -> Time {
        self.now
    }
}
