//! Waiting for frames: the receive interrupts of one worker's queues.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

/// What arming an interrupt returned says that it will come. A driver without such a function has it armed always: net_tap.
pub(super) fn is_armed(code: i32) -> bool {
    code == 0 || code == -rustix::io::Errno::NOTSUP.raw_os_error()
}

/// What wakes one worker.
#[derive(Debug)]
pub(super) struct Wakes {
    epoll: OwnedFd,
    /// See [`Wakes::after`].
    after: Duration,
}

impl Wakes {
    /// By any of these queues' interrupts, each with the silence that its driver wants first.
    pub(super) fn new<'a>(
        interrupts: impl IntoIterator<Item = (BorrowedFd<'a>, Duration)>,
    ) -> io::Result<Wakes> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut after = Duration::ZERO;
        for (interrupt, silence) in interrupts {
            // edges: an eventfd that nobody reads wakes by each write (epoll(7)), and a tap by each frame
            let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&epoll, interrupt, epoll::EventData::new_u64(0), edges)?;
            after = after.max(silence);
        }
        Ok(Wakes { epoll, after })
    }

    /// Sooner after a frame cards hold their interrupts back.
    pub(super) fn after(&self) -> Duration {
        self.after
    }

    /// Until something wakes it, or so long; `true` where something did.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        let longest = Timespec::try_from(longest).ok();
        let mut events =
            [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }];
        // a signal ends it too, and then nothing has come
        epoll::wait(self.epoll.as_fd(), &mut events, longest.as_ref()).is_ok_and(|count| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{EventfdFlags, eventfd};

    use super::*;

    #[test]
    fn an_interrupt_ends_the_wait_also_one_that_came_before_it() {
        let silence = Duration::from_millis(1);
        let interrupts = [0, 1].map(|_| eventfd(0, EventfdFlags::empty()).unwrap());
        let wakes = Wakes::new(interrupts.iter().map(|fd| (fd.as_fd(), silence))).unwrap();
        assert_eq!(wakes.after(), silence);
        for _ in 0..2 {
            rustix::io::write(&interrupts[1], &1_u64.to_ne_bytes()).unwrap();
            assert!(wakes.wait(Duration::from_secs(3600)));
        }
        assert!(!wakes.wait(Duration::ZERO));
    }
}
