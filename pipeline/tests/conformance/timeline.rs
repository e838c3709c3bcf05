//! Stations that send at their own rates into one bridge, on the bench's clock; and hosts that answer.
#![allow(dead_code, reason = "the attacks need more of it than the conformance tests")]

use std::collections::VecDeque;
use std::time::Duration;

use rules::Side;

use crate::harness::*;

/// A frame without tags, and the side that it is on.
pub type OnSide = (Side, Vec<u8>);

/// Whether a frame was served by what the bridge sends when it comes.
type Serves<'a> = dyn FnMut(&[OnSide]) -> bool + 'a;

/// A station that sends a frame now and then.
pub struct Sender<'a> {
    side: Side,
    every: Duration,
    due: Duration,
    until: Duration,
    frame: Box<dyn FnMut(u32) -> Vec<u8> + 'a>,
    serves: Box<Serves<'a>>,
    /// Frames sent.
    pub sent: u32,
    /// Frames that were served: they crossed or drew a reply, or what [`Sender::served_by`] says.
    pub served: u32,
}

impl<'a> Sender<'a> {
    /// So many frames a second from the beginning; each is made of its number.
    pub fn new(side: Side, per_second: u32, frame: impl FnMut(u32) -> Vec<u8> + 'a) -> Sender<'a> {
        let every = Duration::from_secs(1) / per_second;
        let (frame, serves) = (Box::new(frame), Box::new(|sent: &[OnSide]| !sent.is_empty()));
        Sender { side, every, due: Duration::ZERO, until: Duration::MAX, frame, serves, sent: 0, served: 0 }
    }

    /// Its first frame is sent so much later.
    pub fn after(mut self, wait: Duration) -> Sender<'a> {
        self.due += wait;
        self
    }

    /// It ends at this time.
    pub fn until(mut self, end: Duration) -> Sender<'a> {
        self.until = end;
        self
    }

    /// A frame is served if this is so of what the bridge sends when it comes.
    pub fn served_by(mut self, serves: impl FnMut(&[OnSide]) -> bool + 'a) -> Sender<'a> {
        self.serves = Box::new(serves);
        self
    }

    /// At least so many of a hundred of its frames were served.
    #[track_caller]
    pub fn has(&self, percent: u32) {
        let Sender { sent, served, .. } = self;
        assert!(served * 100 >= sent * percent, "{served} of {sent}, should be {percent} %");
    }
}

/// What answers what the bridge sends: hosts, whose frames come a millisecond later.
pub type Network<'a> = &'a mut dyn FnMut(&[OnSide]) -> Vec<OnSide>;

/// Hosts take so long to answer.
const ANSWER: Duration = Duration::from_millis(1);

/// The bridge's timers run at least this often, as the control thread's do live.
const TICK: Duration = Duration::from_millis(10);

/// Lets all of them send for so long.
pub fn run(bench: &mut Bench, length: Duration, senders: &mut [Sender<'_>]) {
    run_among(bench, length, senders, None);
}

/// The same among hosts that answer: what the bridge asks by itself then gets out in time, and they hear it.
pub fn run_among(
    bench: &mut Bench,
    length: Duration,
    senders: &mut [Sender<'_>],
    mut network: Option<Network<'_>>,
) {
    let (mut at, mut tick, mut answers) = (Duration::ZERO, TICK, VecDeque::<(Duration, OnSide)>::new());
    loop {
        let next = senders.iter_mut().filter(|sender| sender.due < sender.until).min_by_key(|next| next.due);
        let sends = next.as_ref().map_or(Duration::MAX, |next| next.due);
        let answered = answers.front().map_or(Duration::MAX, |(due, _)| *due);
        let ticks = if network.is_some() { tick } else { Duration::MAX };
        let now = sends.min(answered).min(ticks);
        if now >= length {
            break;
        }
        bench.wait(now - at);
        at = now;
        tick = now + TICK;
        let answer = if answered == now { answers.pop_front() } else { None };
        let left = match (answer, next) {
            (Some((_, (side, frame))), _) => bench.deliver(side, &frame),
            (None, Some(next)) if sends == now => {
                next.due += next.every;
                let frame = (next.frame)(next.sent);
                next.sent += 1;
                let left = bench.deliver(next.side, &frame);
                next.served += u32::from((next.serves)(&left));
                left
            }
            _ => bench.own(),
        };
        if let Some(network) = network.as_mut().filter(|_| !left.is_empty()) {
            answers.extend(network(&left).into_iter().map(|answer| (now + ANSWER, answer)));
        }
    }
    bench.wait(length - at);
    bench.balanced();
}
