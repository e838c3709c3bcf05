//! The two ports in the tester's hands, and how frames are taken from one to the other.

use std::time::Duration;

use super::frames::{EXPERIMENTAL, End, Run};
use super::ledger::{Besides, FENCE, Ledger};
use super::report::Check;
use crate::base::BURST;
use crate::base::time::Time;
use crate::frame::buffer::Buffer;
use crate::io::Io;
use crate::io::dpdk::{Clock, Mbuf, Port, Queues};

/// Frames that are on their way at once in all checks but those of load: few enough for the smallest queue.
const WINDOW: usize = 32;
/// How long the next frames wait for these. Those that come later count all the same.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a frame may take before it counts as lost: much longer than any switch keeps it, on a machine that is busy.
const LOST: Duration = Duration::from_secs(10);
/// Silence after which nothing more is expected.
const SILENCE: Duration = Duration::from_millis(200);
/// How long a transmit queue may take nothing before a frame is given up.
const STUCK: Duration = Duration::from_secs(1);

/// Two running ports with a cable, or a VLAN of a switch, between them.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) run: Run,
    pub(super) ports: [Port; 2],
    /// A pair of each port for each worker.
    pub(super) queues: Vec<Queues>,
    pub(super) clock: Clock,
    /// What came besides what was sent, until now.
    pub(super) besides: Besides,
    /// Frames whose tags the driver had taken off, until now.
    pub(super) stripped: u64,
    next: u64,
    burst: Vec<Mbuf>,
}

impl Rig {
    pub(super) fn new(run: Run, ports: [Port; 2], queues: Vec<Queues>) -> Rig {
        let (clock, besides) = (Clock::new(), Besides::default());
        let burst = Vec::with_capacity(BURST);
        Rig { run, ports, queues, clock, besides, stripped: 0, next: 1, burst }
    }

    /// For the frames of a check.
    pub(super) fn ledger(&self) -> Ledger {
        Ledger::new(self.next)
    }

    /// Hands a frame to a port. `false` where it takes none for a second.
    pub(super) fn send(&mut self, from: End, bytes: &[u8]) -> bool {
        let begun = self.clock.now();
        let Some(queues) = self.queues.first_mut() else { return false };
        let mut frames: Vec<Mbuf> = Vec::new();
        loop {
            if frames.is_empty() {
                frames.extend(queues.make(bytes));
            }
            if !frames.is_empty() {
                queues.transmit(from.index(), &mut frames);
                if frames.is_empty() {
                    return true;
                }
            }
            if self.clock.now().since(begun) > STUCK {
                return false;
            }
        }
    }

    /// Shows a frame by which the other port can tell that the way is open.
    pub(super) fn send_fence(&mut self, from: End) -> bool {
        let mut frame = self.run.head(from, &[], EXPERIMENTAL);
        let head = frame.len();
        frame.resize(60, 0);
        self.run.fill(&mut frame, head, self.run.stamp(FENCE | from as u8, 0));
        self.send(from, &frame)
    }

    /// Takes what has come to both ports, on all queues; whether anything of ours has.
    pub(super) fn poll(&mut self, ledger: &mut Ledger) -> bool {
        let before = (ledger.arrived, ledger.fences);
        for (index, queues) in self.queues.iter_mut().enumerate() {
            for end in End::BOTH {
                self.stripped += queues.receive_and_tell(end.index(), &mut self.burst) as u64;
                for frame in &self.burst {
                    ledger.receive(&self.run, end, index, frame.bytes(), frame.is_whole());
                }
                queues.discard(&mut self.burst);
            }
        }
        before != (ledger.arrived, ledger.fences)
    }

    /// Polls until the ledger is as wanted, or nothing of ours has come for so long.
    pub(super) fn poll_until(
        &mut self,
        ledger: &mut Ledger,
        silence: Duration,
        wanted: impl Fn(&Ledger) -> bool,
    ) -> bool {
        let mut last = self.clock.now();
        while !wanted(ledger) {
            if self.poll(ledger) {
                last = self.clock.now();
            } else if self.clock.now().since(last) > silence {
                return false;
            }
        }
        true
    }

    /// Sends all frames of a ledger in their order and takes what comes, until all has come, or what has not is lost.
    pub(super) fn exchange(&mut self, ledger: &mut Ledger) {
        let mut start = 0;
        while start < ledger.sent.len() {
            let end = (start + WINDOW).min(ledger.sent.len());
            for index in start..end {
                let bytes = std::mem::take(&mut ledger.sent[index].bytes);
                self.send(ledger.sent[index].from, &bytes);
                ledger.sent[index].bytes = bytes;
            }
            self.poll_until(ledger, PATIENCE, |ledger| ledger.arrived >= end);
            start = end;
        }
        self.settle(ledger);
        self.account(ledger);
    }

    /// Waits until nothing can be on its way any more: what is sent last has come, and then there was silence.
    fn settle(&mut self, ledger: &mut Ledger) {
        let begun = self.clock.now();
        while self.clock.now().since(begun) < LOST && ledger.fences != [true; 2] {
            ledger.fences = [false; 2];
            End::BOTH.iter().for_each(|&end| _ = self.send_fence(end));
            self.poll_until(ledger, PATIENCE, |ledger| ledger.fences == [true; 2]);
        }
        // what is complete needs no more than to see that nothing comes twice
        let silence = if ledger.is_complete() { SILENCE / 10 } else { SILENCE };
        self.poll_until(ledger, silence, |_| false);
    }

    /// Keeps what a ledger saw besides its frames, and their numbers from being used again.
    pub(super) fn account(&mut self, ledger: &Ledger) {
        let Besides { foreign: [a, b], twice, returned } = ledger.besides;
        self.besides.foreign[0] += a;
        self.besides.foreign[1] += b;
        self.besides.twice += twice;
        self.besides.returned += returned;
        self.next = self.next.max(ledger.next());
    }

    /// Sends a ledger's frames and says whether all came as they were sent.
    pub(super) fn check(&mut self, mut check: Check, ledger: &mut Ledger, advice: &str) -> Check {
        let stripped = self.stripped;
        self.exchange(ledger);
        check = check.saw(format!("{} of {} frames came", ledger.arrived, ledger.sent.len()));
        let stripped = self.stripped - stripped;
        if stripped > 0 {
            check = check
                .saw(format!(
                    "the driver took the tags off {stripped} frames, unasked; they were put back as sluice does it"
                ))
                .advise("sluice puts tags back, as 802.1Q the inner and 802.1ad the outer: it costs time. A virtual function's host may have set it");
        }
        check.fails_by(ledger.faults(), advice)
    }
}

/// Waits so long, or less. A sleep would begin anew after each signal, and net_tap has the kernel send one for each frame:
/// under load it would never end.
pub(super) fn pause(time: Duration) {
    std::thread::park_timeout(time);
}

/// Milliseconds between two moments.
pub(super) fn millis(from: Time, to: Time) -> f64 {
    to.since(from).as_secs_f64() * 1000.0
}
