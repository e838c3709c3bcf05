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
    let mut shares = Check::new("rss_spread", "how flows share the queues");
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
    let mut alone = Vec::new();
    for from in End::BOTH {
        let to = from.other();
        let mut kinds = Vec::new();
        for (kind, _) in KINDS {
            let mut counts = vec![0_u32; queues];
            let came = ledger.sent.iter().filter(|sent| sent.arrivals > 0);
            let came = came.filter(|sent| sent.kind == kind && sent.from == from);
            came.for_each(|sent| counts[sent.queue] += 1);
            let all = f64::from(counts.iter().sum::<u32>().max(1));
            let share = |count: u32| f64::from(count) / all;
            let percent: Vec<_> =
                counts.iter().map(|&count| format!("{:.0} %", 100.0 * share(count))).collect();
            shares = shares.saw(format!("port {to}, {kind}: {}", percent.join(", ")));
            let most = counts.iter().copied().map(share).fold(0.0, f64::max);
            shares.measure("largest share of a queue", format!("port {to}, {kind}"), 100.0 * most, "%");
            if most > NEARLY_ALL {
                kinds.push(kind);
            }
        }
        if !kinds.is_empty() {
            alone.push(format!("port {to}: {}", kinds.join(", ")));
        }
        if !rig.ports[to.index()].card().spreads {
            shares = shares.saw(format!("port {to}: its driver offers no receive side scaling"));
        }
    }
    if !alone.is_empty() {
        let advice = format!(
            "no fault, but all flows of a kind go to one queue, and so to one worker ({}). Where that is your traffic, more than one \
             core in `workers` is of no use with this card",
            alone.join("; ")
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

/// Where and when a frame of a flow came.
struct Arrival {
    queue: usize,
    place: usize,
}

/// The frames of each flow: they came, in one queue, in the order in which they were sent.
fn judge(check: Check, ledger: &Ledger) -> Check {
    let mut flows: BTreeMap<(&str, &str, usize), Vec<Arrival>> = BTreeMap::new();
    let turn = 2 * KINDS.len() * usize::from(FLOWS);
    for (index, sent) in ledger.sent.iter().enumerate().filter(|(_, sent)| sent.arrivals > 0) {
        let flow = flows.entry((&sent.kind, sent.from.way(), index % turn)).or_default();
        flow.push(Arrival { queue: sent.queue, place: sent.place });
    }
    // what their bytes have become is said by other checks
    let mut faults = ledger.losses();
    let mut told = |what: &str, is_bad: fn(&Arrival, &Arrival) -> bool| {
        let has = |frames: &[Arrival]| frames.windows(2).any(|pair| is_bad(&pair[0], &pair[1]));
        let bad: Vec<_> = flows.iter().filter(|(_, frames)| has(frames)).map(|(flow, _)| flow).collect();
        if let [(kind, way, _), ..] = &bad[..] {
            faults.push(format!("{} of {} flows {what}, such as one {way}, {kind}", bad.len(), flows.len()));
        }
    };
    told("changed their queue", |one, next| one.queue != next.queue);
    told("came out of order", |one, next| one.queue == next.queue && one.place > next.place);
    check.saw(format!("{} flows of {ROUNDS} frames", flows.len())).fails_by(
        faults,
        "flows come with gaps or out of order, which slows TCP down: if --workers 1 passes, give `workers` one core",
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
