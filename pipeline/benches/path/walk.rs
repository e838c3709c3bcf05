//! In which order bursts are gone through, which decides what the caches hold of the tables.

use std::cell::RefCell;
use std::hint::black_box;

/// The order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A few bursts again and again: all that they need is at hand.
    Hot,
    /// Every burst in turn, so that each station speaks as often as the others.
    InTurn,
    /// The same, and all that caches held is evicted before each burst.
    Cold,
}

impl Order {
    /// As benches are named.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Order::Hot => "hot",
            Order::InTurn => "in turn",
            Order::Cold => "cold",
        }
    }

    /// How many samples criterion is to take: evicting takes milliseconds.
    pub(crate) fn samples(self) -> usize {
        match self {
            Order::Hot | Order::InTurn => 100,
            Order::Cold => 20,
        }
    }
}

/// A way through so many bursts, without end.
pub(crate) struct Walk {
    order: Order,
    count: usize,
    next: usize,
}

impl Walk {
    /// From the first burst on.
    pub(crate) fn new(order: Order, bursts: usize) -> Walk {
        const HOT: usize = 8;
        Walk { order, count: if order == Order::Hot { HOT.min(bursts) } else { bursts }, next: 0 }
    }

    /// The number of the next burst.
    #[inline]
    pub(crate) fn step(&mut self) -> usize {
        if self.order == Order::Cold {
            evict();
        }
        let number = self.next;
        self.next = if number + 1 == self.count { 0 } else { number + 1 };
        number
    }
}

/// Reads more memory than caches hold.
fn evict() {
    const WORDS: usize = (64 << 20) / size_of::<u64>();
    const LINE: usize = 64 / size_of::<u64>();
    thread_local! {
        // not zeros: those would be one page, mapped over and over
        static MEMORY: RefCell<Vec<u64>> = RefCell::new(vec![1; WORDS]);
    }
    MEMORY.with_borrow(|memory| black_box(memory.iter().step_by(LINE).sum::<u64>()));
}
