//! Where frames come from and go to. The path sees a frame as a [`Buffer`]; a worker sees ports as an [`Io`].
//!
//! Whatever took the VLAN tags off a frame (a NIC that strips them), they are back in the bytes before the path sees it:
//! the path knows in-band tags only.

pub mod dpdk;
pub mod mem;
pub mod pcap;

/// A frame in a buffer with room in front, so that a tag can be added without moving the payload.
pub trait Buffer {
    /// The frame, from its destination MAC on, without FCS.
    fn bytes(&self) -> &[u8];

    /// The same, to be rewritten in place.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Whether [`Buffer::bytes`] is the whole frame. A frame that its driver spread over several segments is not.
    fn is_whole(&self) -> bool;

    /// Adds `count` bytes of undefined content in front; `false`, and no change, where there is no room.
    #[must_use]
    fn grow_front(&mut self, count: usize) -> bool;

    /// Takes `count` bytes off the front; no more than the frame has.
    fn shrink_front(&mut self, count: usize);

    /// Adds `count` zero bytes at the end; `false`, and no change, where there is no room.
    #[must_use]
    fn grow_back(&mut self, count: usize) -> bool;
}

/// The ports of one worker: one queue each way on every port of the rules, by the port's index.
pub trait Io {
    /// What its frames are held in. Dropping one gives its memory back.
    type Buffer: Buffer;

    /// Receives up to `BURST` frames from a port and appends them to `into`, which has room for them.
    fn receive(&mut self, port: usize, into: &mut Vec<Self::Buffer>);

    /// Hands the frames to a port's transmit queue, in order. Those that the queue did not take stay in `frames` (a
    /// suffix of it, in order); the taken ones are gone.
    fn transmit(&mut self, port: usize, frames: &mut Vec<Self::Buffer>);

    /// A frame with these bytes; `None` where there is no memory for it now.
    fn make(&mut self, bytes: &[u8]) -> Option<Self::Buffer>;

    /// Asks the processor to bring what is at an address near, and does not wait for it. Here nothing is asked.
    fn prefetch(_address: *const u8) {}

    /// Gives back the memory of frames that go nowhere, all at once.
    fn discard(&mut self, frames: &mut Vec<Self::Buffer>) {
        frames.clear();
    }
}

/// The most frames in one receive burst.
pub const BURST: usize = 64;

/// Puts tags that a NIC took off, as (TPID, TCI) from the outermost, back into the frame.
///
/// A frame too short to have an EtherType, or a buffer without room, is left as it is: it fails closed, as a runt or as
/// untagged.
pub fn restore_tags(frame: &mut impl Buffer, tags: &[(u16, u16)]) {
    const MACS: usize = 12;
    let added = 4 * tags.len();
    if frame.bytes().len() < MACS || !frame.grow_front(added) {
        return;
    }
    let bytes = frame.bytes_mut();
    bytes.copy_within(added..added + MACS, 0);
    for (place, (tpid, tci)) in bytes[MACS..].chunks_exact_mut(4).zip(tags) {
        place[..2].copy_from_slice(&tpid.to_be_bytes());
        place[2..].copy_from_slice(&tci.to_be_bytes());
    }
}
