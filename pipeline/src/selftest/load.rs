//! As many frames as the wire, or the cores, can do, both ways, every one verified.
//!
//! Frames on their way are limited to what a receive queue holds: what is lost is then lost by card, cable or switch, and
//! not because a core that both sends and receives came late to a queue that it had filled itself.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::frames::{End, Run, Stamp, UDP4};
use super::ledger::difference;
use super::report::Check;
use super::rig::{Rig, pause};
use crate::base::BURST;
use crate::frame::buffer::Buffer;
use crate::io::Io;
use crate::io::dpdk::{Clock, Mbuf, Queues};

/// Senders of load: this, the port, and the worker shifted by one.
const LOAD: u8 = 0x80;
/// UDP flows of each port.
const FLOWS: usize = 64;
/// Frames that one call sends.
const BATCH: usize = 32;
/// On the wire besides a frame: FCS, preamble and the gap between frames (IEEE 802.3 sections 3.1.1, 4.4.2).
const WIRE: usize = 4 + 8 + 12;
/// Silence after which frames on their way count as lost, where also this many looks found nothing.
const SILENCE: Duration = Duration::from_millis(500);
const LOOKS: u32 = 1000;

/// Sizes of frames, in turn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mix {
    Smallest,
    Imix,
    Largest,
}

impl Mix {
    pub(super) const ALL: [Mix; 3] = [Mix::Smallest, Mix::Imix, Mix::Largest];

    fn name(self) -> (&'static str, &'static str) {
        match self {
            Mix::Smallest => ("load_64", "full load with the smallest frames (64 bytes with FCS), verified"),
            Mix::Imix => ("load_imix", "full load with IMIX (7 of 64, 4 of 594, 1 of 1518 bytes), verified"),
            Mix::Largest => ("load_mtu", "full load with the largest frames, verified"),
        }
    }

    fn sizes(self, largest: usize) -> Vec<usize> {
        let sizes: &[usize] = match self {
            Mix::Smallest => &[60],
            Mix::Imix => &[60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 60, 590],
            Mix::Largest => &[usize::MAX],
        };
        sizes.iter().map(|&size| size.min(largest)).collect()
    }
}

/// What all workers know.
#[derive(Debug)]
struct Plan<'a> {
    run: &'a Run,
    clock: Clock,
    sizes: Vec<usize>,
    /// The head of a frame: by port, by size as in `distinct`, by flow.
    heads: [Vec<Vec<Vec<u8>>>; 2],
    distinct: Vec<usize>,
    /// Bytes of a head.
    head: usize,
    window: i64,
    /// By the port that sent them.
    on_their_way: [AtomicI64; 2],
    stop: AtomicBool,
}

/// What one worker saw, by port.
#[derive(Debug, Default, Clone)]
struct Counts {
    sent: [u64; 2],
    sent_bytes: [u64; 2],
    /// By the port that sent them, as all that follow.
    received: [u64; 2],
    received_bytes: [u64; 2],
    wrong: [u64; 2],
    disordered: [u64; 2],
    foreign: [u64; 2],
    stripped: u64,
    first_wrong: Option<String>,
}

impl Plan<'_> {
    fn new(run: &Run, clock: Clock, sizes: Vec<usize>, window: i64) -> Plan<'_> {
        let mut distinct = sizes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let heads = End::BOTH.map(|from| {
            let of_size =
                |&len: &usize| (0..FLOWS).map(|flow| run.udp4(from, flow as u8 + 1, &[], len)).collect();
            distinct.iter().map(of_size).collect()
        });
        let head = UDP4 + run.overhead();
        let (on_their_way, stop) = (Default::default(), AtomicBool::new(false));
        Plan { run, clock, sizes, heads, distinct, head, window, on_their_way, stop }
    }

    fn place(&self, len: usize) -> Option<usize> {
        self.distinct.iter().position(|&size| size == len)
    }

    /// Writes a frame of some length whole.
    #[inline]
    fn write(&self, from: End, stamp: Stamp, frame: &mut [u8]) {
        let Some(place) = self.place(frame.len()) else { return };
        let head = &self.heads[from.index()][place][stamp.seed as usize % FLOWS];
        frame[..head.len()].copy_from_slice(head);
        self.run.fill(frame, head.len(), stamp);
    }

    /// The stamp of a frame that is in every byte as it was sent.
    #[inline]
    fn verify(&self, from: End, frame: &[u8]) -> Option<Stamp> {
        let stamp = self.run.stamp_at(frame, self.head)?;
        let head =
            self.heads[from.index()].get(self.place(frame.len())?)?.get(stamp.seed as usize % FLOWS)?;
        let payload = &frame[self.head + Stamp::LEN..];
        let is_right = stamp == self.run.stamp(stamp.sender, stamp.sequence)
            && stamp.sender & !0x3e == LOAD | from as u8
            && frame.starts_with(head)
            && payload == self.run.payload(stamp.seed, payload.len());
        is_right.then_some(stamp)
    }

    /// What is wrong with a frame that has a stamp of this run.
    fn what_is_wrong(&self, from: End, frame: &[u8]) -> Option<String> {
        let stamp = self.run.find(frame).filter(|stamp| stamp.sender & LOAD != 0)?;
        let mut sent = vec![0; frame.len()];
        self.write(from, self.run.stamp(stamp.sender, stamp.sequence), &mut sent);
        Some(match self.place(frame.len()) {
            None => format!("a frame of {} bytes, which none had that was sent", frame.len()),
            Some(_) => difference(&sent, frame).unwrap_or_else(|| "it is of another port".to_owned()),
        })
    }
}

/// A worker at work.
struct Worker<'a> {
    plan: &'a Plan<'a>,
    index: u8,
    queues: &'a mut Queues,
    sequence: [u64; 2],
    waiting: [Vec<Mbuf>; 2],
    burst: Vec<Mbuf>,
    /// As [`Counts::note`] keeps it.
    seen: Vec<u64>,
    counts: Counts,
}

impl Worker<'_> {
    fn work(mut self) -> Counts {
        let (mut last, mut looks) = (self.plan.clock.now(), 0_u32);
        loop {
            let is_ending = self.plan.stop.load(Ordering::Relaxed);
            if !is_ending {
                End::BOTH.iter().for_each(|&end| self.send(end));
            }
            let received = End::BOTH.map(|end| self.receive(end)).contains(&true);
            let now = self.plan.clock.now();
            if received {
                (last, looks) = (now, 0);
                continue;
            }
            looks = looks.saturating_add(1);
            if looks > LOOKS && now.since(last) > SILENCE {
                if is_ending {
                    return self.counts;
                }
                // what is on its way will not come any more: it must not keep others from going
                self.plan.on_their_way.iter().for_each(|count| count.store(0, Ordering::Relaxed));
                (last, looks) = (now, 0);
            }
        }
    }

    fn send(&mut self, from: End) {
        let (end, plan) = (from.index(), self.plan);
        let mut frames = std::mem::take(&mut self.waiting[end]);
        while frames.len() < BATCH && plan.on_their_way[end].load(Ordering::Relaxed) < plan.window {
            let size = plan.sizes[self.sequence[end] as usize % plan.sizes.len()];
            let Some(mut frame) = self.queues.alloc(size) else { break };
            let sender = LOAD | self.index << 1 | from as u8;
            let stamp = plan.run.stamp(sender, self.sequence[end]);
            plan.write(from, stamp, frame.bytes_mut());
            self.sequence[end] += 1;
            plan.on_their_way[end].fetch_add(1, Ordering::Relaxed);
            frames.push(frame);
        }
        let bytes = |frames: &[Mbuf]| frames.iter().map(|frame| frame.bytes().len() as u64).sum::<u64>();
        let (count, all) = (frames.len(), bytes(&frames));
        if count > 0 {
            self.queues.transmit(end, &mut frames);
        }
        self.counts.sent[end] += (count - frames.len()) as u64;
        self.counts.sent_bytes[end] += all - bytes(&frames);
        self.waiting[end] = frames;
    }

    fn receive(&mut self, at: End) -> bool {
        let (from, plan) = (at.other(), self.plan);
        self.counts.stripped += self.queues.receive_and_tell(at.index(), &mut self.burst) as u64;
        let sender = from.index();
        let counts = &mut self.counts;
        let note = |frame: &&Mbuf| counts.note(plan, from, frame.bytes(), &mut self.seen);
        let ours = self.burst.iter().filter(note).count() as i64;
        self.queues.discard(&mut self.burst);
        if ours > 0 && plan.on_their_way[sender].fetch_sub(ours, Ordering::Relaxed) < ours {
            plan.on_their_way[sender].store(0, Ordering::Relaxed); // late, and written off before
        }
        ours > 0
    }
}

/// Load for so long, on these cores.
pub(super) fn load(
    rig: &mut Rig,
    mix: Mix,
    mtu: u16,
    seconds: Duration,
    cores: &[u16],
    progress: &mut dyn FnMut(String),
) -> Check {
    let (name, title) = mix.name();
    let check = Check::new(name, title);
    let largest = 14 + rig.run.overhead() + usize::from(mtu);
    let room = rig.ports.iter().map(|port| port.card().descriptors).min().unwrap_or(0);
    let plan = Plan::new(&rig.run, rig.clock, mix.sizes(largest), i64::from(room) * 3 / 4);
    let before = [rig.ports[0].stats(), rig.ports[1].stats()];
    let begun = rig.clock.now();
    let mut took = seconds;
    let results: Vec<Result<Counts, String>> = std::thread::scope(|scope| {
        let started: Vec<_> = rig
            .queues
            .iter_mut()
            .zip(cores)
            .enumerate()
            .map(|(index, (queues, &core))| {
                let plan = &plan;
                scope.spawn(move || {
                    let _registered = queues.register_thread(core).map_err(|error| error.to_string())?;
                    let worker = Worker {
                        plan,
                        index: index as u8,
                        queues,
                        sequence: [0; 2],
                        waiting: Default::default(),
                        burst: Vec::with_capacity(BURST),
                        seen: vec![0; 64 * FLOWS],
                        counts: Counts::default(),
                    };
                    Ok(worker.work())
                })
            })
            .collect();
        let mut told = 0;
        loop {
            took = rig.clock.now().since(begun);
            if took >= seconds {
                break;
            }
            if took.as_secs() >= told + 5 {
                told = took.as_secs();
                progress(format!("{told} of {} s", seconds.as_secs_f64().round()));
            }
            pause((seconds - took).min(Duration::from_millis(200)));
        }
        plan.stop.store(true, Ordering::Relaxed);
        let ended = |worker: std::thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|_| Err("a worker panicked: please report this".to_owned()))
        };
        started.into_iter().map(ended).collect()
    });

    let mut counts = Counts::default();
    let mut faults = Vec::new();
    for result in results {
        match result {
            Ok(other) => counts.add(other),
            Err(error) => faults.push(error),
        }
    }
    rig.besides.foreign[0] += counts.foreign[0];
    rig.besides.foreign[1] += counts.foreign[1];
    rig.stripped += counts.stripped;
    verdict(check, rig, &counts, faults, before, took)
}

impl Counts {
    /// Takes notice of a frame that came from a port; whether it is of the load. `seen` has the number that may come next, by
    /// sender and flow.
    #[inline]
    fn note(&mut self, plan: &Plan<'_>, from: End, frame: &[u8], seen: &mut [u64]) -> bool {
        let sender = from.index();
        if let Some(stamp) = plan.verify(from, frame) {
            self.received[sender] += 1;
            self.received_bytes[sender] += frame.len() as u64;
            let flow = usize::from(stamp.sender & 0x3f) * FLOWS + stamp.seed as usize % FLOWS;
            let next = &mut seen[flow];
            self.disordered[sender] += u64::from(stamp.sequence < *next);
            *next = (*next).max(stamp.sequence + 1);
        } else if let Some(what) = plan.what_is_wrong(from, frame) {
            self.wrong[sender] += 1;
            self.first_wrong.get_or_insert(what);
        } else {
            self.foreign[from.other().index()] += 1;
            return false;
        }
        true
    }

    fn add(&mut self, other: Counts) {
        let fields = [
            (&mut self.sent, other.sent),
            (&mut self.sent_bytes, other.sent_bytes),
            (&mut self.received, other.received),
            (&mut self.received_bytes, other.received_bytes),
            (&mut self.wrong, other.wrong),
            (&mut self.disordered, other.disordered),
            (&mut self.foreign, other.foreign),
        ];
        for (sum, [a, b]) in fields {
            sum[0] += a;
            sum[1] += b;
        }
        self.stripped += other.stripped;
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
    }
}

fn verdict(
    mut check: Check,
    rig: &Rig,
    counts: &Counts,
    mut faults: Vec<String>,
    before: [crate::io::dpdk::PortStats; 2],
    took: Duration,
) -> Check {
    let after = [rig.ports[0].stats(), rig.ports[1].stats()];
    let seconds = took.as_secs_f64();
    let mut uncounted = false;
    for from in End::BOTH {
        let (sender, to, way) = (from.index(), from.other(), from.way());
        let (sent, received) = (counts.sent[sender], counts.received[sender]);
        let gigabits = |frames: u64, bytes: u64| 8e-9 * (bytes + frames * WIRE as u64) as f64 / seconds;
        let (out, back) =
            (gigabits(sent, counts.sent_bytes[sender]), gigabits(received, counts.received_bytes[sender]));
        let (out_mpps, back_mpps) = (1e-6 * sent as f64 / seconds, 1e-6 * received as f64 / seconds);
        let share = rig.ports[sender].link().mbit.map(|mbit| 100.0 * out / (1e-3 * f64::from(mbit)));
        let share_told = share.map_or(String::new(), |share| format!(", {share:.1} % of the link"));
        let came = received + counts.wrong[sender];
        let (lost, surplus) = (sent.saturating_sub(came), came.saturating_sub(sent));
        check = check.saw(format!(
            "{way}: sent {out_mpps:.3} Mpps, {out:.3} Gb/s on the wire{share_told}; received {back_mpps:.3} Mpps, \
             {back:.3} Gb/s; lost {lost} of {sent}"
        ));
        check.measure("sent", way, out_mpps, "Mpps");
        check.measure("sent", way, out, "Gb/s");
        check.measure("received", way, back_mpps, "Mpps");
        check.measure("received", way, back, "Gb/s");
        check.measure("frames sent", way, sent as f64, "frames");
        check.measure("frames lost", way, lost as f64, "frames");
        if let Some(share) = share {
            check.measure("share of the link", way, share, "%");
        }
        let (was, is) = (&before[to.index()], &after[to.index()]);
        let missed = is.missed.saturating_sub(was.missed);
        let errors = is.receive_errors.saturating_sub(was.receive_errors);
        let no_memory = is.no_memory.saturating_sub(was.no_memory);
        let untransmitted = after[sender].transmit_errors.saturating_sub(before[sender].transmit_errors);
        let counted = missed + errors + untransmitted;
        if sent == 0 {
            faults.push(format!("{way}: port {from} took no frame"));
        }
        let devices = format!(
            "{way}: {lost} lost; port {to} counts {missed} missed, {errors} errors, {no_memory} times without buffer; port {from} \
             {untransmitted} not transmitted"
        );
        if lost > 0 {
            faults.push(devices);
            uncounted |= lost > counted;
        } else if counted > 0 {
            check = check.saw(devices); // of frames of others, or of a driver that counts otherwise
        }
        if counts.wrong[sender] > 0 {
            let first = counts.first_wrong.as_deref().unwrap_or_default();
            faults.push(format!(
                "{way}: {} frames changed; the first of both ways: {first}",
                counts.wrong[sender]
            ));
        }
        if counts.disordered[sender] > 0 {
            faults.push(format!(
                "{way}: {} frames came twice or out of their flow's order",
                counts.disordered[sender]
            ));
        }
        if surplus > 0 {
            // in another queue than the first of them: no flow shows it
            faults.push(format!("{way}: {surplus} frames more came than were sent"));
        }
        if share.is_some_and(|share| share < 95.0) && faults.is_empty() {
            check = check.advise("no fault: the cores that made and verified the frames were the limit, or the wire's other users. More --workers say more, on cores near the card");
        }
    }
    let advice = if uncounted {
        "more is lost than the devices count: on a cable, a fault of the card or its driver; with a switch between, its counters tell"
    } else {
        "`missed`: the card or its queues are too slow; `errors`: cable or transceiver; changed frames: do not use this card"
    };
    check.fails_by(faults, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rules::Mac;

    fn with_plan(vlan: Option<u16>, test: impl Fn(&Plan<'_>)) {
        let cards = [Mac::from_u64(0x3cfd_fe00_0001), Mac::from_u64(0x3cfd_fe00_0002)];
        let run = Run::new(cards, vlan.and_then(rules::Vid::new));
        test(&Plan::new(&run, Clock::new(), Mix::Imix.sizes(1514), 100));
    }

    fn written(plan: &Plan<'_>, len: usize) -> Vec<u8> {
        let mut frame = vec![0; len];
        plan.write(End::A, plan.run.stamp(LOAD | 2 << 1, 77), &mut frame);
        frame
    }

    #[test]
    fn frames_of_every_size_verify_with_a_tag_and_without() {
        for vlan in [None, Some(5)] {
            with_plan(vlan, |plan| {
                for len in [60, 590, 1514] {
                    let frame = written(plan, len);
                    assert_eq!(plan.verify(End::A, &frame).map(|stamp| stamp.sequence), Some(77));
                    assert_eq!(plan.verify(End::B, &frame), None);
                }
            });
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found_under_load() {
        with_plan(None, |plan| {
            let mut frame = written(plan, 590);
            for bit in 0..8 * frame.len() {
                frame[bit / 8] ^= 1 << (bit % 8);
                assert!(plan.verify(End::A, &frame).is_none(), "bit {bit}");
                frame[bit / 8] ^= 1 << (bit % 8);
            }
        });
    }

    #[test]
    fn what_is_wrong_is_told_and_strangers_are_not() {
        with_plan(None, |plan| {
            let mut frame = written(plan, 590);
            frame[300] ^= 1;
            assert!(
                plan.what_is_wrong(End::A, &frame).is_some_and(|what| what.starts_with("from byte 300 on"))
            );
            assert_eq!(
                plan.what_is_wrong(End::A, &frame[..500]),
                Some("a frame of 500 bytes, which none had that was sent".into())
            );
            assert_eq!(plan.what_is_wrong(End::A, &[0; 590]), None);
        });
    }

    #[test]
    fn what_comes_twice_out_of_order_cut_or_from_elsewhere_is_counted_under_load() {
        with_plan(None, |plan| {
            let stamp = |sequence| plan.run.stamp(LOAD, sequence);
            let of_one_flow = |&sequence: &u64| (stamp(sequence).seed as usize).is_multiple_of(FLOWS);
            let frames: Vec<Vec<u8>> = (0..)
                .filter(of_one_flow)
                .take(3)
                .map(|sequence| {
                    let mut frame = vec![0; 590];
                    plan.write(End::A, stamp(sequence), &mut frame);
                    frame
                })
                .collect();
            let counts = |frames: &[&[u8]]| {
                let (mut counts, mut seen) = (Counts::default(), vec![0; 64 * FLOWS]);
                frames.iter().for_each(|frame| _ = counts.note(plan, End::A, frame, &mut seen));
                let Counts { received, disordered, wrong, foreign, .. } = counts;
                (received[0], disordered[0], wrong[0], foreign[1])
            };
            let [one, two, three] = [&frames[0][..], &frames[1][..], &frames[2][..]];
            assert_eq!(counts(&[one, two, three]), (3, 0, 0, 0));
            assert_eq!(counts(&[one, three]), (2, 0, 0, 0), "a gap is a loss, not disorder");
            assert_eq!(counts(&[one, two, two]), (3, 1, 0, 0));
            assert_eq!(counts(&[one, three, two]), (3, 1, 0, 0));
            assert_eq!(counts(&[&one[..589], &two[..60], &three[..50]]), (0, 0, 2, 1));
            assert_eq!(counts(&[&[0; 590]]), (0, 0, 0, 1));
        });
    }

    #[test]
    fn imix_is_seven_four_and_one() {
        let count = |size| Mix::Imix.sizes(1514).iter().filter(|&&other| other == size).count();
        assert_eq!((count(60), count(590), count(1514)), (7, 4, 1));
    }
}
