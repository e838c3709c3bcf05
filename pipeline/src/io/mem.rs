//! Frames in ordinary memory: for tests, fuzzing and replay.

use std::collections::VecDeque;

use super::Io;
use crate::base::BURST;
use crate::frame::buffer::{self, Buffer};

/// Room in front of a frame, as DPDK's own buffers have (RTE_PKTMBUF_HEADROOM).
const HEADROOM: usize = 128;

/// A frame on the heap.
#[derive(Debug, Clone)]
pub struct Packet {
    bytes: Vec<u8>,
    start: usize,
}

impl Packet {
    /// A frame with these bytes.
    pub fn new(frame: &[u8]) -> Packet {
        let mut bytes = vec![0; HEADROOM];
        bytes.extend_from_slice(frame);
        Packet { bytes, start: HEADROOM }
    }

    /// A frame whose tags a NIC took off, as (TPID, TCI) from the outermost: they are put back, as every port does.
    pub fn with_stripped(frame: &[u8], tags: &[(u16, u16)]) -> Packet {
        let mut packet = Packet::new(frame);
        buffer::restore_tags(&mut packet, tags);
        packet
    }
}

impl Buffer for Packet {
    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    fn is_whole(&self) -> bool {
        true
    }

    fn grow_front(&mut self, count: usize) -> bool {
        let room = self.start >= count;
        if room {
            self.start -= count;
        }
        room
    }

    fn shrink_front(&mut self, count: usize) {
        self.start += count.min(self.bytes.len() - self.start);
    }

    fn grow_back(&mut self, count: usize) -> bool {
        self.bytes.resize(self.bytes.len() + count, 0);
        true
    }
}

/// Ports that are queues in memory: what is put on `input` is received, what is sent appears on `output`.
#[derive(Debug, Default)]
pub struct MemIo {
    /// By port: frames that wait to be received.
    pub input: Vec<VecDeque<Packet>>,
    /// By port: frames that were sent.
    pub output: Vec<Vec<Packet>>,
    /// By port: how many frames its transmit queue takes before it is full; without an entry, all.
    pub room: Vec<usize>,
    released: Vec<usize>,
}

impl MemIo {
    /// So many ports, all idle.
    pub fn new(ports: usize) -> MemIo {
        MemIo {
            input: (0..ports).map(|_| VecDeque::new()).collect(),
            output: (0..ports).map(|_| Vec::new()).collect(),
            room: Vec::new(),
            released: Vec::new(),
        }
    }
}

impl Io for MemIo {
    type Buffer = Packet;

    fn receive(&mut self, port: usize, into: &mut Vec<Packet>) {
        if self.released.contains(&port) {
            return;
        }
        let queue = &mut self.input[port];
        into.extend(queue.drain(..queue.len().min(BURST)));
    }

    fn transmit(&mut self, port: usize, frames: &mut Vec<Packet>) {
        if self.released.contains(&port) {
            return;
        }
        let room =
            self.room.get(port).map_or(usize::MAX, |room| room.saturating_sub(self.output[port].len()));
        self.output[port].extend(frames.drain(..frames.len().min(room)));
    }

    fn make(&mut self, bytes: &[u8]) -> Option<Packet> {
        Some(Packet::new(bytes))
    }

    fn release(&mut self, port: usize) {
        self.released.push(port);
    }
}
