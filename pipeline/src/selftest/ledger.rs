//! What was sent, frame by frame, and what came of it.

use std::fmt::Write;

use indexmap::IndexMap;

use super::frames::{End, Run, Stamp};
use crate::frame::ether::MIN_FRAME;

/// Senders of frames that are not in a ledger: they show that a way is open.
pub(super) const FENCE: u8 = 0x40;

/// A frame that was sent, or will be.
#[derive(Debug)]
pub(super) struct Sent {
    /// Which kind of frame: those of one kind are told together.
    pub(super) kind: String,
    pub(super) from: End,
    pub(super) bytes: Vec<u8>,
    /// Times that it came.
    pub(super) arrivals: u32,
    /// The receive queue that it came in, and its place among all that came.
    pub(super) queue: usize,
    pub(super) place: usize,
    /// How it had changed.
    change: Option<String>,
}

/// What else was received.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Besides {
    /// Frames that are not of this run, by port.
    pub(super) foreign: [u64; 2],
    /// Frames that came a second time.
    pub(super) twice: u64,
    /// Frames that came back to the port that had sent them.
    pub(super) returned: u64,
}

/// The frames of one check.
#[derive(Debug)]
pub(super) struct Ledger {
    first: u64,
    pub(super) sent: Vec<Sent>,
    pub(super) arrived: usize,
    /// Fences that came, by the port that they came from.
    pub(super) fences: [bool; 2],
    pub(super) besides: Besides,
}

impl Ledger {
    /// An empty one, whose first frame has this number: numbers of earlier checks' frames are smaller.
    pub(super) fn new(first: u64) -> Ledger {
        Ledger { first, sent: Vec::new(), arrived: 0, fences: [false; 2], besides: Besides::default() }
    }

    /// The number of the frame after its last.
    pub(super) fn next(&self) -> u64 {
        self.first + self.sent.len() as u64
    }

    /// Enters a frame: what `head` does not fill of `len` bytes is its stamp and payload. It may then still be changed.
    pub(super) fn enter(
        &mut self,
        run: &Run,
        from: End,
        kind: impl Into<String>,
        mut head: Vec<u8>,
        len: usize,
    ) -> &mut Vec<u8> {
        let stamp = run.stamp(from as u8, self.next());
        let written = head.len();
        head.resize(len.max(written + Stamp::LEN), 0);
        run.fill(&mut head, written, stamp);
        let at = self.sent.len();
        let kind = kind.into();
        self.sent.push(Sent { kind, from, bytes: head, arrivals: 0, queue: 0, place: 0, change: None });
        &mut self.sent[at].bytes
    }

    /// Takes notice of a frame that came.
    pub(super) fn receive(&mut self, run: &Run, at: End, queue: usize, bytes: &[u8], is_whole: bool) {
        let Some(stamp) = run.find(bytes) else {
            self.besides.foreign[at.index()] += 1;
            return;
        };
        if stamp.sender & FENCE != 0 {
            let from = if stamp.sender & 1 == 0 { End::A } else { End::B };
            if from == at {
                self.besides.returned += 1;
            } else {
                self.fences[from.index()] = true;
            }
            return;
        }
        if stamp.sender > End::B as u8 {
            return; // of the load, late
        }
        let index = stamp.sequence.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let Some(sent) = index.and_then(|index| self.sent.get_mut(index)) else {
            return; // late: it was told as lost
        };
        if sent.from == at {
            self.besides.returned += 1;
            return;
        }
        sent.arrivals += 1;
        if sent.arrivals > 1 {
            self.besides.twice += 1;
            return;
        }
        (sent.queue, sent.place) = (queue, self.arrived);
        self.arrived += 1;
        sent.change = if is_whole {
            difference(&sent.bytes, bytes)
        } else {
            Some("came in several segments: it is larger than the driver's buffer".to_owned())
        };
    }

    /// All have come.
    pub(super) fn is_complete(&self) -> bool {
        self.arrived == self.sent.len()
    }

    /// A line for each kind of frame of which some are lost, and one where some had changed: the first few.
    pub(super) fn faults(&self) -> Vec<String> {
        self.lines(true)
    }

    /// The same without those that had changed.
    pub(super) fn losses(&self) -> Vec<String> {
        self.lines(false)
    }

    fn lines(&self, with_changed: bool) -> Vec<String> {
        /// More than one reads.
        const MOST: usize = 12;
        #[derive(Default)]
        struct Group<'a> {
            all: usize,
            lost: Vec<&'a Sent>,
            changed: Vec<(&'a Sent, &'a str)>,
        }
        let mut groups: IndexMap<(&str, &str), Group<'_>> = IndexMap::new();
        for sent in &self.sent {
            let group = groups.entry((&sent.kind, sent.from.way())).or_default();
            group.all += 1;
            if let Some(change) = &sent.change {
                group.changed.push((sent, change));
            } else if sent.arrivals == 0 {
                group.lost.push(sent);
            }
        }
        let mut lines = Vec::new();
        for ((kind, way), group) in &groups {
            if let [first, ..] = &group.lost[..] {
                let mut line = format!("{way}, {kind}: {} of {} lost", group.lost.len(), group.all);
                let sizes = group.lost.iter().map(|sent| sent.bytes.len());
                let (least, most) = (sizes.clone().min().unwrap_or(0), sizes.max().unwrap_or(0));
                let _ = if least < most {
                    write!(line, " ({least} to {most} bytes)")
                } else {
                    write!(line, " ({} bytes)", first.bytes.len())
                };
                lines.push(line);
            }
            if let [(first, change), ..] = &group.changed[..]
                && with_changed
            {
                let (changed, all, len) = (group.changed.len(), group.all, first.bytes.len());
                lines.push(format!(
                    "{way}, {kind}: {changed} of {all} changed; the first, {len} bytes: {change}"
                ));
            }
        }
        if lines.len() > MOST {
            let more = lines.len() - MOST;
            lines.truncate(MOST);
            lines.push(format!("and {more} more kinds of frames"));
        }
        lines
    }
}

/// What is different between a frame and what came of it; nothing where it came as it was sent. One below the shortest that
/// Ethernet allows may come padded to that, with zeros.
pub(super) fn difference(sent: &[u8], came: &[u8]) -> Option<String> {
    if sent == came {
        return None;
    }
    let padding = came.strip_prefix(sent).unwrap_or_default();
    if sent.len() < MIN_FRAME && came.len() == MIN_FRAME && !padding.is_empty() {
        let is_clean = padding.iter().all(|&byte| byte == 0);
        return (!is_clean).then(|| "its padding is not zero, but what was left in some buffer".to_owned());
    }
    let same = sent.iter().zip(came).take_while(|(one, other)| one == other).count();
    let hex = |bytes: &[u8]| {
        let shown: String = bytes.iter().skip(same).take(8).map(|byte| format!("{byte:02x}")).collect();
        if shown.is_empty() { "nothing".to_owned() } else { shown }
    };
    let length = match came.len() {
        len if len == sent.len() => String::new(),
        len => format!("came with {len} bytes; "),
    };
    Some(format!("{length}from byte {same} on: sent {}, came {}", hex(sent), hex(came)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::frames::EXPERIMENTAL;
    use rules::Mac;

    fn run() -> Run {
        Run::new([Mac::from_u64(0x3cfd_fe00_0001), Mac::from_u64(0x3cfd_fe00_0002)], None)
    }

    fn ledger(run: &Run, count: usize) -> Ledger {
        let mut ledger = Ledger::new(1000);
        for _ in 0..count {
            ledger.enter(run, End::A, "plain", run.head(End::A, &[], EXPERIMENTAL), 100);
        }
        ledger
    }

    fn deliver(ledger: &mut Ledger, run: &Run, index: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = ledger.sent[index].bytes.clone();
        change(&mut bytes);
        ledger.receive(run, End::B, 0, &bytes, true);
    }

    #[test]
    fn frames_that_come_as_sent_are_no_faults() {
        let run = run();
        let mut ledger = ledger(&run, 3);
        (0..3).for_each(|index| deliver(&mut ledger, &run, index, |_| {}));
        assert!(ledger.is_complete() && ledger.faults().is_empty());
        assert_eq!(ledger.besides, Besides::default());
    }

    #[test]
    fn a_lost_frame_is_found() {
        let run = run();
        let mut ledger = ledger(&run, 3);
        deliver(&mut ledger, &run, 0, |_| {});
        deliver(&mut ledger, &run, 2, |_| {});
        assert!(!ledger.is_complete());
        assert_eq!(ledger.faults(), ["A to B, plain: 1 of 3 lost (100 bytes)"]);
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is() {
        let run = run();
        let frame = ledger(&run, 1).sent[0].bytes.clone();
        for bit in 0..8 * frame.len() {
            let mut came = frame.clone();
            came[bit / 8] ^= 1 << (bit % 8);
            assert!(difference(&frame, &came).is_some(), "bit {bit}");
            // a stamp that is hit makes the frame a stranger, and then it is missing: it is never taken for well
            let mut ledger = ledger(&run, 1);
            let mut bytes = ledger.sent[0].bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            ledger.receive(&run, End::B, 0, &bytes, true);
            assert_eq!(ledger.faults().len(), 1, "bit {bit}");
        }
    }

    #[test]
    fn a_tag_that_was_taken_off_or_rewritten_is_told_with_the_bytes() {
        let run = run();
        let mut ledger = Ledger::new(0);
        let head = run.head(End::A, &[(0x88a8, 100)], EXPERIMENTAL);
        ledger.enter(&run, End::A, "802.1ad", head.clone(), 64);
        ledger.enter(&run, End::A, "802.1ad", head, 64);
        deliver(&mut ledger, &run, 0, |bytes| bytes[12] = 0x81);
        deliver(&mut ledger, &run, 1, |bytes| drop(bytes.drain(12..16)));
        let [fault] = &ledger.faults()[..] else { panic!("{:?}", ledger.faults()) };
        assert!(fault.starts_with(
            "A to B, 802.1ad: 2 of 2 changed; the first, 64 bytes: from byte 12 on: sent 88a80064"
        ));
        assert_eq!(
            difference(&[1, 2, 3], &[1, 2]),
            Some("came with 2 bytes; from byte 2 on: sent 03, came nothing".into())
        );
    }

    #[test]
    fn a_short_frame_may_come_padded_with_zeros_and_with_nothing_else() {
        let short = [7; 40];
        let mut padded = [0; 60];
        padded[..40].copy_from_slice(&short);
        assert_eq!(difference(&short, &padded), None);
        padded[59] = 1;
        assert!(difference(&short, &padded).is_some_and(|told| told.contains("padding")));
        assert!(difference(&short, &[7; 41]).is_some());
        assert!(difference(&[7; 60], &[7; 61]).is_some());
    }

    #[test]
    fn what_comes_twice_or_back_or_from_elsewhere_is_counted() {
        let run = run();
        let mut ledger = ledger(&run, 1);
        deliver(&mut ledger, &run, 0, |_| {});
        deliver(&mut ledger, &run, 0, |_| {});
        let own = ledger.sent[0].bytes.clone();
        ledger.receive(&run, End::A, 0, &own, true);
        ledger.receive(&run, End::A, 0, &[0xff; 60], true);
        assert_eq!(ledger.besides, Besides { foreign: [1, 0], twice: 1, returned: 1 });
        assert!(ledger.is_complete() && ledger.faults().is_empty());
    }

    #[test]
    fn frames_of_an_earlier_check_are_not_taken_for_those_of_this_one() {
        let run = run();
        let (early, mut late) = (ledger(&run, 1), Ledger::new(1001));
        late.enter(&run, End::A, "plain", run.head(End::A, &[], EXPERIMENTAL), 100);
        late.receive(&run, End::B, 0, &early.sent[0].bytes, true);
        assert!(!late.is_complete());
    }
}
