//! Several workers of one bridge, in one thread.

use std::sync::Arc;
use std::time::Duration;

use pipeline::base::time::Time;
use pipeline::io::mem::{MemIo, Packet};
use pipeline::path::control_queue::ControlRx;
use pipeline::plan::Plan;
use pipeline::worker::Worker;

use crate::harness::*;

/// Several workers of one bridge, each frame to the next one of them.
pub struct Crew {
    workers: Vec<(Worker<MemIo>, ControlRx)>,
    next: usize,
    now: Time,
}

impl Crew {
    /// So many that go by these rules.
    pub fn new(config: &Config, workers: usize) -> Crew {
        let plan = Arc::new(Plan::new(config.rules(), None, &[], 0).unwrap());
        let worker = |_| Worker::new(MemIo::new(2), Arc::clone(&plan), workers);
        Crew { workers: (0..workers).map(worker).collect(), next: 0, now: Time::from_nanos(1_000_000_000) }
    }

    /// How many frames left for this one.
    pub fn send(&mut self, side: rules::Side, frame: &[u8]) -> u32 {
        let next = self.next;
        self.next = (next + 1) % self.workers.len();
        let (worker, messages) = &mut self.workers[next];
        worker.io.input[side.index()].push_back(Packet::new(&tagged(side, frame)));
        worker.poll(self.now);
        while messages.pop().is_some() {}
        worker.io.output.iter_mut().map(|output| output.drain(..).count() as u32).sum()
    }

    /// How many of so many frames a second for 10 s are served, frames spread over all workers.
    pub fn served(&mut self, per_second: u32, mut frame: impl FnMut(u32) -> Vec<u8>) -> u32 {
        let every = Duration::from_secs(1) / per_second;
        let all = (0..10 * per_second).map(|number| {
            self.now = self.now.after(every);
            self.send(M, &frame(number))
        });
        all.sum()
    }
}
