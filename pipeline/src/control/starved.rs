//! Ports whose device finds no buffer to receive into (the mempool is exhausted): frames are lost before the bridge sees them. Told once
//! when that begins and once when it is over; the device counts them (`without buffer`).

use tracing::{info, warn};

/// Looks without a loss after which it is over.
const OVER: u32 = 10;

/// By port.
#[derive(Debug, Default)]
pub(super) struct Starved(Vec<Port>);

#[derive(Debug, Default, Clone)]
struct Port {
    lost: u64,
    /// Lost when it began; `None` while nothing is lost.
    began: Option<u64>,
    quiet: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum News {
    Began,
    /// So many frames were lost.
    Over(u64),
}

impl Starved {
    /// To be called once a second with each port's name and the frames that its device has lost for want of a buffer.
    pub(super) fn look<'a>(&mut self, ports: impl Iterator<Item = (&'a str, u64)>) {
        for (index, (port, lost)) in ports.enumerate() {
            match self.news(index, lost) {
                Some(News::Began) => warn!(
                    port,
                    event = "no_buffers",
                    "no buffers are left to receive into: frames are lost in the device"
                ),
                Some(News::Over(lost)) => info!(port, lost, "there are buffers again"),
                None => {}
            }
        }
    }

    fn news(&mut self, index: usize, lost: u64) -> Option<News> {
        if self.0.len() <= index {
            // what was lost while it came up was nobody's
            self.0.resize(index + 1, Port { lost, ..Port::default() });
        }
        let port = &mut self.0[index];
        let before = std::mem::replace(&mut port.lost, lost);
        port.quiet = if lost > before { 0 } else { port.quiet + 1 };
        match port.began {
            None if lost > before => {
                port.began = Some(before);
                Some(News::Began)
            }
            Some(began) if port.quiet >= OVER => {
                port.began = None;
                Some(News::Over(lost - began))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_without_buffers_is_told_once_and_once_when_it_has_some_again() {
        let mut starved = Starved::default();
        let mut news = |lost| starved.news(0, lost);
        assert_eq!(news(5), None, "of before the start");
        assert_eq!(news(6), Some(News::Began));
        assert_eq!([7, 7, 7, 9].map(&mut news), [None, None, None, None]);
        (1..OVER).for_each(|_| assert_eq!(news(9), None));
        assert_eq!(news(9), Some(News::Over(4)));
        assert_eq!(news(9), None);
        assert_eq!(news(10), Some(News::Began));
    }
}
