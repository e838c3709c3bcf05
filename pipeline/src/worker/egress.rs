//! What a worker has on its way out: frames by port, and what each is for the books.

use crate::base::At;
use crate::base::reason::{Cause, Reason};
use crate::frame::buffer::{self, Buffer};
use crate::io::Io;
use crate::observe::books::Books;
use crate::path::outbox::LocalKind;
use crate::path::state::WorkerState;
use crate::path::verdict::Crossing;
use crate::plan::Plan;

/// Frames on their way to a port's transmit queue, and what each is.
#[derive(Debug)]
pub(super) struct TxQueue<B> {
    pub(super) frames: Vec<B>,
    pub(super) runs: Vec<TxRun>,
}

/// Frames one after another that are alike, for the books.
#[derive(Debug, Clone, Copy)]
pub(super) struct TxRun {
    pub(super) origin: TxOrigin,
    frames: usize,
    bytes: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum TxOrigin {
    /// It came from there.
    Forwarded(At),
    /// It is our own, and goes there.
    Own(LocalKind, At),
}

/// A frame that the bridge makes itself: untagged bytes, and the priority bits that its tag gets.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalTx<'a> {
    pub(super) at: At,
    pub(super) origin: TxOrigin,
    pub(super) priority: u16,
    pub(super) bytes: &'a [u8],
}

use crate::base::BURST;

/// Frames that wait at a port at the most: a burst, and as many again of our own.
pub(super) const WAITING: usize = 2 * BURST;

/// All that a worker has on its way out.
#[derive(Debug)]
pub(super) struct TxBuffers<B> {
    /// By port.
    pub(super) egress: Vec<TxQueue<B>>,
    pub(super) discard: Vec<B>,
}

impl<B: Buffer> TxBuffers<B> {
    /// Puts the first `count` frames of a burst on their way, as nearly all go. If that is the whole burst, the two lists are
    /// swapped and no frame is moved. Only before anything else in a burst: nothing may wait at the port yet.
    #[inline(always)]
    pub(super) fn cross_first(&mut self, burst: &mut Vec<B>, count: usize, crossing: Crossing) {
        let Crossing { port, from, bytes } = crossing;
        let TxQueue { frames, runs } = &mut self.egress[port];
        debug_assert!(frames.is_empty());
        if count == burst.len() {
            std::mem::swap(burst, frames);
        } else {
            frames.extend(burst.drain(..count));
        }
        runs.push(TxRun { origin: TxOrigin::Forwarded(from), frames: count, bytes });
    }

    /// The same for the last `count` frames of a burst whose order was reversed.
    pub(super) fn cross_next(
        &mut self,
        io: &mut impl Io<Buffer = B>,
        books: &mut Books,
        burst: &mut Vec<B>,
        count: usize,
        crossing: Crossing,
    ) {
        let Crossing { port, from, bytes } = crossing;
        if self.egress[port].frames.len() + count > WAITING {
            self.send(io, books, port);
        }
        let TxQueue { frames, runs } = &mut self.egress[port];
        frames.extend(burst.drain(burst.len() - count..).rev());
        runs.push(TxRun { origin: TxOrigin::Forwarded(from), frames: count, bytes });
    }

    /// One frame crosses: it joins the run of those before it.
    #[inline(always)]
    pub(super) fn cross(
        &mut self,
        io: &mut impl Io<Buffer = B>,
        books: &mut Books,
        frame: B,
        crossing: Crossing,
    ) {
        let Crossing { port, from, bytes } = crossing;
        let TxQueue { frames, runs } = &mut self.egress[port];
        if let Some(TxRun { origin: TxOrigin::Forwarded(before), frames: count, bytes: sum }) =
            runs.last_mut()
            && *before == from
            && frames.len() < WAITING
        {
            *count += 1;
            *sum += bytes;
            frames.push(frame);
        } else {
            self.push(io, books, port, frame, TxOrigin::Forwarded(from), bytes);
        }
    }

    #[inline(never)]
    fn push(
        &mut self,
        io: &mut impl Io<Buffer = B>,
        books: &mut Books,
        port: usize,
        frame: B,
        origin: TxOrigin,
        bytes: usize,
    ) {
        if self.egress[port].frames.len() == WAITING {
            self.send(io, books, port);
        }
        let TxQueue { frames, runs } = &mut self.egress[port];
        runs.push(TxRun { origin, frames: 1, bytes });
        frames.push(frame);
    }

    /// Puts what the outbox holds on its way. With `whole` it is the fragments of one frame, that came in there and had that
    /// priority: the first fragment counts as that frame forwarded, and all keep its priority.
    #[cold]
    pub(super) fn post(
        &mut self,
        io: &mut impl Io<Buffer = B>,
        plan: &Plan,
        state: &mut WorkerState,
        whole: Option<(At, u16)>,
    ) {
        let WorkerState { outbox, books, .. } = state;
        let (mut from, priority) = whole.unzip();
        for own in outbox.frames() {
            let origin = from.take().map_or(TxOrigin::Own(own.kind, own.at), TxOrigin::Forwarded);
            let priority = priority.unwrap_or(0);
            self.make(io, plan, books, LocalTx { at: own.at, origin, priority, bytes: &own.bytes });
        }
        outbox.clear();
    }

    /// A frame of our own, tagged for its side, on its way; without a buffer it is lost, and counted.
    pub(super) fn make(
        &mut self,
        io: &mut impl Io<Buffer = B>,
        plan: &Plan,
        books: &mut Books,
        made: LocalTx<'_>,
    ) {
        let LocalTx { at, origin, priority, bytes } = made;
        let side = plan.bridge(at.bridge).rules.side(at.side);
        let frame = io
            .make(bytes)
            .and_then(|mut frame| buffer::tag(&mut frame, side.tags, priority).then_some(frame));
        match frame {
            Some(frame) => {
                let bytes = frame.bytes().len();
                self.push(io, books, side.port, frame, origin, bytes);
            }
            None => refuse(books, origin, 1),
        }
    }

    /// Sends what waits, and gives back what goes nowhere.
    pub(super) fn flush(&mut self, io: &mut impl Io<Buffer = B>, books: &mut Books) {
        for port in 0..self.egress.len() {
            if !self.egress[port].frames.is_empty() {
                self.send(io, books, port);
            }
        }
        if !self.discard.is_empty() {
            io.discard(&mut self.discard);
        }
    }

    /// Forwarded counts when the queue took the frame (law 1). A full queue is not waited for: what it did not take
    /// is dropped.
    fn send(&mut self, io: &mut impl Io<Buffer = B>, books: &mut Books, port: usize) {
        let TxQueue { frames, runs } = &mut self.egress[port];
        io.transmit(port, frames);
        // what the queue did not take is the end of what it was offered
        let mut refused = frames.iter().rev();
        for run in runs.drain(..).rev() {
            let (mut left, mut bytes) = (run.frames, run.bytes);
            for frame in refused.by_ref().take(run.frames) {
                left -= 1;
                bytes -= frame.bytes().len();
            }
            books.ports[port].transmitted += left as u64;
            take(books, TxRun { frames: left, bytes, ..run });
            refuse(books, run.origin, run.frames - left);
        }
        io.discard(frames);
    }
}

/// Where a frame goes.
fn destination(origin: TxOrigin) -> At {
    match origin {
        TxOrigin::Forwarded(from) => At { side: from.side.other(), ..from },
        TxOrigin::Own(_, at) => at,
    }
}

/// Books frames that the queue took.
fn take(books: &mut Books, TxRun { origin, frames, bytes }: TxRun) {
    let at = destination(origin);
    let counter = match origin {
        TxOrigin::Forwarded(from) => &mut books.side_mut(from).forwarded,
        TxOrigin::Own(LocalKind::Reply, _) => &mut books.side_mut(at).replies,
        TxOrigin::Own(LocalKind::Probe, _) => &mut books.side_mut(at).probes,
        TxOrigin::Own(LocalKind::Fragment, _) => &mut books.side_mut(at).fragments,
    };
    *counter += frames as u64;
    let to = books.side_mut(at);
    to.transmitted += frames as u64;
    to.transmitted_bytes += bytes as u64;
}

/// Books frames that the queue did not take, or that there was no buffer for.
fn refuse(books: &mut Books, origin: TxOrigin, frames: usize) {
    match origin {
        TxOrigin::Forwarded(from) => {
            books.side_mut(from).dropped[Reason::TxFull.index()] += frames as u64;
        }
        TxOrigin::Own(_, at) => books.side_mut(at).causes[Cause::OwnLost.index()] += frames as u64,
    }
}
