//! Stations that send at their own rates into one bridge, on the bench's clock.

use std::time::Duration;

use rules::Side;

use crate::harness::*;

/// A station that sends a frame now and then.
pub struct Sender<'a> {
    side: Side,
    every: Duration,
    due: Duration,
    frame: Box<dyn FnMut(u32) -> Vec<u8> + 'a>,
    /// Frames sent.
    pub sent: u32,
    /// Frames that crossed or drew a reply.
    pub served: u32,
}

impl<'a> Sender<'a> {
    /// So many frames a second from the beginning; each is made of its number.
    pub fn new(side: Side, per_second: u32, frame: impl FnMut(u32) -> Vec<u8> + 'a) -> Sender<'a> {
        let every = Duration::from_secs(1) / per_second;
        Sender { side, every, due: Duration::ZERO, frame: Box::new(frame), sent: 0, served: 0 }
    }

    /// Its first frame is sent so much later.
    pub fn after(mut self, wait: Duration) -> Sender<'a> {
        self.due += wait;
        self
    }

    /// At least so many of a hundred of its frames were served.
    #[track_caller]
    pub fn has(&self, percent: u32) {
        let Sender { sent, served, .. } = self;
        assert!(served * 100 >= sent * percent, "{served} of {sent}, should be {percent} %");
    }
}

/// Lets all of them send for so long.
pub fn run(bench: &mut Bench, length: Duration, senders: &mut [Sender<'_>]) {
    let mut at = Duration::ZERO;
    while let Some(next) = senders.iter_mut().min_by_key(|sender| sender.due).filter(|next| next.due < length)
    {
        bench.wait(next.due - at);
        at = next.due;
        next.due += next.every;
        let frame = (next.frame)(next.sent);
        next.sent += 1;
        next.served += u32::from(bench.pour(next.side, &frame));
    }
    bench.wait(length - at);
    bench.balanced();
}
