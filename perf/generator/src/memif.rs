//! memif, version 2, as the client: it owns all buffers, and the server, the device under test, copies.
//!
//! What lies where is as in FD.io VPP's `memif.h` and DPDK's `drivers/net/memif/memif.h`. A "C2S" ring takes frames to the
//! server, an "S2C" ring brings them; in both the client moves the head and the server the tail.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    SocketAddrUnix, SocketFlags, SocketType, connect, recvmsg, sendmsg, socket_with, sockopt,
};
use vm_memory::{FileOffset, MmapRegion, VolatileArrayRef, VolatileMemory, VolatileSlice};

// ---- memory ------------------------------------------------------------------------------------------------------------

const HUGE_PAGE: usize = 2 << 20;

/// Memory that a server can map.
pub(crate) struct Memory(MmapRegion);

impl Memory {
    /// At least so many bytes, all zero, of huge pages if there are any; and whether there were.
    ///
    /// # Errors
    /// There is not so much memory.
    pub(crate) fn new(bytes: usize) -> Result<(Self, bool)> {
        let bytes = bytes.next_multiple_of(HUGE_PAGE);
        match Self::of(bytes, MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB) {
            Ok(memory) => Ok((memory, true)),
            Err(_) => Ok((Self::of(bytes, MemfdFlags::empty()).context("memory for the frames")?, false)),
        }
    }

    fn of(bytes: usize, pages: MemfdFlags) -> Result<Self> {
        let file = memfd_create("memif-load", MemfdFlags::CLOEXEC | pages)?;
        ftruncate(&file, bytes as u64)?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // populated, and so refused here rather than missed on first use
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        let file = FileOffset::new(File::from(file), 0);
        Ok(Self(MmapRegion::build(Some(file), bytes, protection.bits() as i32, flags.bits() as i32)?))
    }

    /// The bytes of a frame.
    ///
    /// # Errors
    /// They do not all lie in this memory.
    #[inline]
    pub(crate) fn frame(
        &self,
        at: usize,
        length: usize,
    ) -> Result<VolatileSlice<'_>, vm_memory::VolatileMemoryError> {
        self.0.get_slice(at, length)
    }
}

// ---- rings -------------------------------------------------------------------------------------------------------------

/// Descriptors in each ring.
pub(crate) const RING: u16 = 1 << LOG2_RING;
const LOG2_RING: u8 = 10;
const COOKIE: u32 = 0x3e3_1f20;
/// In a ring's flags: the other end polls and wants no interrupts.
const POLLED: u16 = 1;
/// In a descriptor's flags: the frame goes on in the next one.
const NEXT: u64 = 1;
/// Bytes of a ring, a page's worth of them so that no two share one.
pub(crate) const RING_BYTES: usize = (128 + RING as usize * 16).next_multiple_of(4096);

/// The ends of a ring and its descriptors, each of which is two words: flags, region and length; then the offset.
struct Ring<'m> {
    flags: &'m AtomicU16,
    head: &'m AtomicU16,
    tail: &'m AtomicU16,
    descriptors: VolatileArrayRef<'m, u64>,
}

impl<'m> Ring<'m> {
    fn new(memory: &'m Memory, at: usize) -> Result<Self> {
        let memory = &memory.0;
        memory.get_ref::<u32>(at)?.store(COOKIE);
        let ring = Self {
            flags: memory.get_atomic_ref(at + 4)?,
            head: memory.get_atomic_ref(at + 6)?,
            tail: memory.get_atomic_ref(at + 64)?,
            descriptors: memory.get_array_ref(at + 128, 2 * usize::from(RING))?,
        };
        ring.flags.store(POLLED, Ordering::Relaxed);
        Ok(ring)
    }

    #[inline]
    fn write(&self, slot: u16, length: u32, at: u32) {
        let slot = 2 * usize::from(slot % RING);
        self.descriptors.store(slot, u64::from(length) << 32);
        self.descriptors.store(slot + 1, at.into());
    }
}

/// Frames to the device under test.
pub(crate) struct Outgoing<'m> {
    ring: Ring<'m>,
    head: u16,
    interrupt: OwnedFd,
}

impl<'m> Outgoing<'m> {
    /// In zeroed memory.
    ///
    /// # Errors
    /// The ring does not fit there; no more file descriptors.
    pub(crate) fn new(memory: &'m Memory, at: usize) -> Result<Self> {
        Ok(Self { ring: Ring::new(memory, at)?, head: 0, interrupt: interrupt()? })
    }

    /// Descriptors that wait for the device.
    #[inline]
    pub(crate) fn waiting(&self) -> u16 {
        self.head.wrapping_sub(self.ring.tail.load(Ordering::Acquire))
    }

    /// The number of the next frame, by which it has its slot.
    pub(crate) fn next(&self) -> u16 {
        self.head
    }

    /// Writes a frame `ahead` slots after the next. There must be room for it.
    #[inline]
    pub(crate) fn write(&self, ahead: u16, length: u32, at: u32) {
        self.ring.write(self.head.wrapping_add(ahead), length, at);
    }

    /// Hands over so many frames.
    #[inline]
    pub(crate) fn send(&mut self, frames: u16) {
        self.head = self.head.wrapping_add(frames);
        self.ring.head.store(self.head, Ordering::Release);
        if self.ring.flags.load(Ordering::Relaxed) & POLLED == 0 {
            // it cannot fail but where the device has stopped reading interrupts, and then it has enough of them
            let _ = rustix::io::write(&self.interrupt, &1u64.to_ne_bytes());
        }
    }
}

/// Frames from the device under test.
pub(crate) struct Incoming<'m> {
    ring: Ring<'m>,
    memory: &'m Memory,
    /// The next frame.
    next: u16,
    buffers: usize,
    size: usize,
    interrupt: OwnedFd,
}

impl<'m> Incoming<'m> {
    /// In zeroed memory, with a buffer of `size` bytes for each slot from `buffers` on.
    ///
    /// # Errors
    /// The ring does not fit there; no more file descriptors.
    pub(crate) fn new(memory: &'m Memory, at: usize, buffers: usize, size: usize) -> Result<Self> {
        let incoming =
            Self { ring: Ring::new(memory, at)?, memory, next: 0, buffers, size, interrupt: interrupt()? };
        for slot in 0..RING {
            incoming.ring.write(slot, size as u32, incoming.buffer(slot) as u32);
        }
        Ok(incoming)
    }

    /// Offers all buffers. Only now: DPDK's server sets both ends of a ring to 0 as it connects.
    pub(crate) fn open(&self) {
        self.ring.head.store(RING, Ordering::Release);
    }

    fn buffer(&self, slot: u16) -> usize {
        self.buffers + usize::from(slot % RING) * self.size
    }

    /// Takes the frames that are there, if there are at least so many, and gives their buffers back. A frame that does not
    /// lie in one buffer has no bytes to show. Returns whether there were any.
    #[inline]
    pub(crate) fn take(
        &mut self,
        at_least: u16,
        mut each: impl FnMut(usize, Option<VolatileSlice<'_>>),
    ) -> bool {
        let arrived = self.ring.tail.load(Ordering::Acquire).wrapping_sub(self.next);
        if arrived < at_least || arrived == 0 {
            return false;
        }
        for _ in 0..arrived {
            let slot = 2 * usize::from(self.next % RING);
            let descriptor = self.ring.descriptors.load(slot);
            let length = (descriptor >> 32) as usize;
            let whole = descriptor & NEXT == 0 && length <= self.size;
            each(length, self.memory.frame(self.buffer(self.next), length).ok().filter(|_| whole));
            self.ring.descriptors.store(slot, (self.size as u64) << 32);
            self.next = self.next.wrapping_add(1);
        }
        self.ring.head.store(self.next.wrapping_add(RING), Ordering::Release);
        true
    }
}

fn interrupt() -> Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?)
}

// ---- control channel ---------------------------------------------------------------------------------------------------

/// All messages have this size.
const MESSAGE: usize = 128;
const VERSION: u16 = 2 << 8;
const NAME: &[u8] = b"memif-load";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Message {
    Ack = 1,
    Hello = 2,
    Init = 3,
    Region = 4,
    Ring = 5,
    Connect = 6,
    Connected = 7,
    Disconnect = 8,
}

/// A connected interface. It ends when this is dropped.
pub(crate) struct Link {
    socket: OwnedFd,
    id: u32,
    /// What the server calls itself.
    pub(crate) server: String,
}

impl Link {
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Connects an interface whose rings are ready, waiting a little for a server that is starting.
    ///
    /// # Errors
    /// There is no server, or it does not want this.
    pub(crate) fn new(
        path: &Path,
        id: u32,
        memory: &Memory,
        out: &[Outgoing<'_>],
        ins: &[Incoming<'_>],
        at: impl Fn(bool, usize) -> usize,
    ) -> Result<Self> {
        let deadline = Instant::now() + Self::PATIENCE;
        loop {
            match Self::attempt(path, id, memory, out, ins, &at) {
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(Duration::from_millis(50)),
                link => return link,
            }
        }
    }

    fn attempt(
        path: &Path,
        id: u32,
        memory: &Memory,
        out: &[Outgoing<'_>],
        ins: &[Incoming<'_>],
        at: &impl Fn(bool, usize) -> usize,
    ) -> Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?).with_context(|| {
            format!("start the device under test first: no memif server at {}", path.display())
        })?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(Duration::from_secs(2)))?;
        let mut link = Self { socket, id, server: String::new() };

        let hello = link.receive(Message::Hello)?;
        let number = |at: usize| u16::from_ne_bytes([hello[at], hello[at + 1]]);
        link.server = text(&hello[2..34]);
        ensure!(
            (number(34)..=number(36)).contains(&VERSION),
            "'{}' does not speak memif version 2",
            link.server
        );
        ensure!(hello[44] >= LOG2_RING, "'{}' takes rings of at most 2^{}", link.server, hello[44]);

        link.send(Message::Init, &[&VERSION.to_ne_bytes(), &id.to_ne_bytes(), &[0; 25], NAME], None)?;
        link.receive(Message::Ack)?;
        let region = memory.0.file_offset().context("the memory is a file")?;
        let size = memory.0.size() as u64;
        link.send(Message::Region, &[&[0, 0], &size.to_ne_bytes()], Some(&region.file().as_fd()))?;
        link.receive(Message::Ack)?;
        for (queue, ring) in out.iter().enumerate() {
            link.add_ring(true, queue, at(true, queue), &ring.interrupt)?;
        }
        for (queue, ring) in ins.iter().enumerate() {
            link.add_ring(false, queue, at(false, queue), &ring.interrupt)?;
        }
        link.send(Message::Connect, &[NAME], None)?;
        link.receive(Message::Connected)?;
        Ok(link)
    }

    fn add_ring(&self, to_server: bool, queue: usize, at: usize, interrupt: &OwnedFd) -> Result<()> {
        let (flags, queue, at) = (u16::from(to_server), queue as u16, at as u32);
        let region_and_at = [&[0, 0], &at.to_ne_bytes()[..]].concat();
        let parts: [&[u8]; 4] = [&flags.to_ne_bytes(), &queue.to_ne_bytes(), &region_and_at, &[LOG2_RING]];
        self.send(Message::Ring, &parts, Some(&interrupt.as_fd()))?;
        self.receive(Message::Ack)
            .with_context(|| format!("ring {queue}: has the device so many queues?"))?;
        Ok(())
    }

    fn send(
        &self,
        message: Message,
        parts: &[&[u8]],
        file: Option<&std::os::fd::BorrowedFd<'_>>,
    ) -> Result<()> {
        let mut bytes = [&(message as u16).to_ne_bytes(), &parts.concat()[..]].concat();
        bytes.resize(MESSAGE, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let files = file.map(|file| [*file]);
        if let Some(files) = &files {
            ancillary.push(SendAncillaryMessage::ScmRights(files));
        }
        sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)
            .with_context(|| format!("{message:?} to {}", self.whom()))?;
        Ok(())
    }

    fn receive(&self, wanted: Message) -> Result<[u8; MESSAGE]> {
        match self.read(RecvFlags::empty()) {
            Err(Errno::AGAIN) => bail!("{} does not answer: waited for {wanted:?}", self.whom()),
            Err(error) => Err(error).with_context(|| format!("{wanted:?} from {}", self.whom())),
            Ok(message) if message[0] == wanted as u8 => Ok(message),
            Ok(message) => bail!("{} {}, and {wanted:?} was to come", self.whom(), said(&message)),
        }
    }

    fn read(&self, flags: RecvFlags) -> Result<[u8; MESSAGE], Errno> {
        let mut bytes = [0; MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags)?;
        if received.bytes == 0 { Err(Errno::CONNRESET) } else { Ok(bytes) }
    }

    /// Fails when the device under test has gone.
    ///
    /// # Errors
    /// It ended, or told us to.
    pub(crate) fn check(&self) -> Result<()> {
        match self.read(RecvFlags::DONTWAIT) {
            Err(Errno::AGAIN) => Ok(()),
            Err(_) => bail!("{} went away: the device under test ended", self.whom()),
            Ok(message) => bail!("{} {}", self.whom(), said(&message)),
        }
    }

    fn whom(&self) -> String {
        format!("memif server '{}', interface {}", self.server, self.id)
    }
}

fn said(message: &[u8; MESSAGE]) -> String {
    if message[0] == Message::Disconnect as u8 {
        format!("refuses: {}", text(&message[6..102]))
    } else {
        format!("sent message {}", message[0])
    }
}

/// Text up to its zero byte.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
