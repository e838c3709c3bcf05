//! Receive side scaling: which flows share the queues, and that each stays on its own.

use std::collections::BTreeMap;

use super::frames::{End, Run, UDP, sum};
use super::ledger::Ledger;
use super::report::Check;
use super::rig::Rig;

const FLOWS: u8 = 128;
/// Frames of each flow.
const ROUNDS: usize = 4;
const LEN: usize = 120;

/// A share of a queue from which on the others do not count.
const NEARLY_ALL: f64 = 0.95;

type Make = fn(&Run, End, u8) -> Vec<u8>;

const KINDS: [(&str, Make); 4] = [
    ("untagged", |run, from, flow| run.udp4(from, flow, &[], LEN)),
    ("tagged", |run, from, flow| run.udp4(from, flow, &[(0x8100, 100)], LEN)),
    ("two tags", |run, from, flow| run.udp4(from, flow, &[(0x88a8, 100), (0x8100, 200)], LEN)),
    ("IPv6", |run, from, flow| run.udp6(from, flow, &[], LEN)),
];

pub(super) fn spread(rig: &mut Rig) -> Vec<Check> {
    let mut shares = Check::new("rss_spread", "flows are spread over the queues");
    let order = Check::new("flow_order", "a flow stays on one queue and in order");
    let mut ledger = rig.ledger();
    fill(&rig.run, &mut ledger);
    rig.exchange(&mut ledger);
    let order = judge(order, &ledger);
    let queues = rig.queues.len();
    if queues < 2 {
        let why =
            "each port has one queue in this test: --workers 2 or more, where cores and card have as many";
        return vec![shares.impossible(why), order];
    }
    let mut alone: Vec<&str> = Vec::new();
    for (kind, _) in KINDS {
        for from in End::BOTH {
            let mut counts = vec![0_u32; queues];
            let came =
                ledger.sent.iter().filter(|sent| sent.kind == kind && sent.from == from && sent.arrivals > 0);
            came.for_each(|sent| counts[sent.queue] += 1);
            let all = f64::from(counts.iter().sum::<u32>().max(1));
            let percent: Vec<String> =
                counts.iter().map(|&count| format!("{:.0} %", 100.0 * f64::from(count) / all)).collect();
            shares = shares.saw(format!("{}, {kind}: {}", from.way(), percent.join(", ")));
            let most = counts.iter().copied().max().unwrap_or(0);
            shares.measure(
                "largest share of a queue",
                format!("{}, {kind}", from.way()),
                f64::from(most) / all,
                "of 1",
            );
            if f64::from(most) / all > NEARLY_ALL && !alone.contains(&kind) {
                alone.push(kind);
            }
        }
    }
    if !alone.is_empty() {
        let advice = format!(
            "no fault, but: all flows of these kinds go to one queue, and so to one worker: {}. On ports with such traffic give \
             `workers` one core, a fast one",
            alone.join(", ")
        );
        shares = shares.advise(advice);
    }
    vec![shares, order]
}

/// All flows of all kinds in turn, again and again.
fn fill(run: &Run, ledger: &mut Ledger) {
    for _ in 0..ROUNDS {
        for (kind, make) in KINDS {
            for flow in 1..=FLOWS {
                for from in End::BOTH {
                    let frame = ledger.enter(run, from, kind, make(run, from, flow), LEN);
                    if kind == "IPv6" {
                        let at = 14 + run.overhead() + 40;
                        let checksum = sum(frame, at, 16, UDP);
                        frame[at + 6..at + 8].copy_from_slice(&checksum.to_be_bytes());
                    }
                }
            }
        }
    }
}

/// The frames of each flow: they came, in one queue, in the order in which they were sent.
fn judge(check: Check, ledger: &Ledger) -> Check {
    let mut flows: BTreeMap<(&str, &str, usize), Vec<(usize, usize)>> = BTreeMap::new();
    let turn = 2 * KINDS.len() * usize::from(FLOWS);
    for (index, sent) in ledger.sent.iter().enumerate().filter(|(_, sent)| sent.arrivals > 0) {
        let flow = flows.entry((&sent.kind, sent.from.way(), index % turn)).or_default();
        flow.push((sent.queue, sent.place));
    }
    let mut faults = ledger.faults();
    let mut told = |what: &str, is_bad: &dyn Fn(&[(usize, usize)]) -> bool| {
        let bad: Vec<_> = flows.iter().filter(|(_, frames)| is_bad(frames)).map(|(flow, _)| flow).collect();
        if let [(kind, way, _), ..] = &bad[..] {
            faults.push(format!("{} of {} flows {what}, such as one {way}, {kind}", bad.len(), flows.len()));
        }
    };
    told("changed their queue", &|frames| frames.windows(2).any(|pair| pair[0].0 != pair[1].0));
    told("came out of order", &|frames| {
        frames.windows(2).any(|pair| pair[0].0 == pair[1].0 && pair[0].1 > pair[1].1)
    });
    check.saw(format!("{} flows of {ROUNDS} frames", flows.len())).fails_by(
        faults,
        "with more than one of `workers`, this device puts packets of a flow out of order: give it one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::report::Verdict;
    use rules::Mac;

    fn ledger() -> Ledger {
        let run = Run::new([Mac::from_u64(0x3cfd_fe00_0001), Mac::from_u64(0x3cfd_fe00_0002)], None);
        let mut ledger = Ledger::new(1);
        fill(&run, &mut ledger);
        for index in 0..ledger.sent.len() {
            let (from, bytes) = (ledger.sent[index].from, ledger.sent[index].bytes.clone());
            ledger.receive(&run, from.other(), index % 2, &bytes, true);
        }
        ledger
    }

    fn judged(ledger: &Ledger) -> Check {
        judge(Check::new("flow_order", ""), ledger)
    }

    #[test]
    fn flows_that_keep_queue_and_order_pass() {
        assert_eq!(judged(&ledger()).verdict, Verdict::Ok);
    }

    #[test]
    fn a_flow_that_changes_its_queue_is_found() {
        let mut ledger = ledger();
        ledger.sent[5].queue ^= 1;
        let check = judged(&ledger);
        assert_eq!(check.verdict, Verdict::Failed);
        assert!(check.evidence[1].starts_with("1 of 1024 flows changed their queue"), "{:?}", check.evidence);
    }

    #[test]
    fn a_flow_out_of_order_is_found() {
        let mut ledger = ledger();
        ledger.sent[5].place = ledger.sent.len();
        let check = judged(&ledger);
        assert!(check.evidence[1].starts_with("1 of 1024 flows came out of order"), "{:?}", check.evidence);
    }
}
