//! Where frames come from and go to. The path sees a frame as a [`Buffer`]; a worker sees ports as an [`Io`].
//!
//! Whatever took the VLAN tags off a frame (a NIC that strips them), they are back in the bytes before the path sees it:
//! the path knows in-band tags only.

pub mod dpdk;
pub mod machine;
pub mod mem;
pub mod pcap;

use std::time::Duration;

use crate::frame::buffer::Buffer;

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

    /// Gives back the memory of frames that go nowhere, all at once.
    fn discard(&mut self, frames: &mut Vec<Self::Buffer>) {
        frames.clear();
    }

    /// Lets go of a port: it brings no frames from then on, and takes none.
    fn release(&mut self, _port: usize) {}

    /// After a silence of this length its ports can wake who waits for a frame; `None` where they cannot.
    fn wakes_after(&self) -> Option<Duration> {
        None
    }

    /// Has the next frame on any port end a [wait](Io::wait); frames that came before it may not. `false` where a port refuses.
    fn arm(&mut self) -> bool {
        false
    }

    /// Waits for a frame on any port, but no longer than so; with [armed](Io::arm) ports only. `true` where one woke it.
    fn wait(&mut self, _longest: Duration) -> bool {
        false
    }

    /// Ends what [`arm`](Io::arm) began, whatever came of it.
    fn disarm(&mut self) {}
}
