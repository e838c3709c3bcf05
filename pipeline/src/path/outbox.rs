//! Frames of the bridge's own, on their way to a port: replies, probes, fragments. Room for them is taken once.

use rules::Side;

use crate::base::{At, BridgeId};

/// What an own frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalKind {
    /// An answer to a frame.
    Reply,
    /// A loop probe, duplicate address detection for ourselves, or a question whether a station is still there.
    Probe,
    /// A further fragment of a frame that crosses.
    Fragment,
}

/// An own frame: untagged, the side's tags are added on sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFrame {
    /// Where it is sent.
    pub at: At,
    /// What it is.
    pub kind: LocalKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Own frames that wait until the worker is done with the frame that caused them.
#[derive(Debug)]
pub struct Outbox {
    frames: Vec<LocalFrame>,
    used: usize,
}

/// A 9,216-byte packet makes eight fragments of 1,280, and a reply may come on top.
const MOST: usize = 10;
/// The largest frame.
const ROOM: usize = 9216 + 64;

impl Default for Outbox {
    fn default() -> Outbox {
        let at = At { bridge: BridgeId::FIRST, side: Side::First };
        let place = || LocalFrame { at, kind: LocalKind::Reply, bytes: Vec::with_capacity(ROOM) };
        Outbox { frames: (0..MOST).map(|_| place()).collect(), used: 0 }
    }
}

impl Outbox {
    /// A place for a frame to be sent on a side; `None` where all are taken. The place is empty, with room for the largest
    /// frame: filling it allocates nothing.
    pub fn put(&mut self, at: At, kind: LocalKind) -> Option<&mut Vec<u8>> {
        let frame = self.frames.get_mut(self.used)?;
        self.used += 1;
        (frame.at, frame.kind) = (at, kind);
        frame.bytes.clear();
        Some(&mut frame.bytes)
    }

    /// What waits.
    pub fn frames(&self) -> &[LocalFrame] {
        &self.frames[..self.used]
    }

    /// Nothing waits any more.
    pub fn clear(&mut self) {
        self.used = 0;
    }
}
