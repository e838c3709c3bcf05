//! What the packet path costs a frame, for `perf/instructions` to count by callgrind. Without an argument it names its
//! cases. With one it sends that case's frames through `counted`, which is what callgrind counts, and prints how many and what
//! became of them: exactly what the case says, or it fails.

#[path = "../benches/path/exchange.rs"]
mod exchange;

use std::error::Error;
use std::fmt;

use exchange::{Exchange, Hopper, STEP, Traffic};
use pipeline::base::BURST;
use pipeline::base::reason::Reason;
use pipeline::base::time::Time;
use pipeline::observe::books::{Books, SideBooks};
use pipeline::worker::Worker;
use rules::Rate;

/// Who sends what, and what must become of every frame of it.
struct Case(&'static str, Exchange, Traffic, Outcome);

#[derive(Clone, Copy)]
enum Outcome {
    Forwarded,
    Answered,
    Dropped(Reason),
}

const MEMBERS: Exchange = Exchange::members(100);
const ANSWERING: Exchange = Exchange { answer: true, ..MEMBERS };
const UNTAGGED: Exchange = Exchange { tagged: false, ..MEMBERS };
const OF_TWO: Exchange = Exchange { workers: 2, ..MEMBERS };
const LEARNED_OF_TWO: Exchange = Exchange { workers: 2, ..Exchange::learned(1000) };
const STORM: Exchange = Exchange { storm: Rate { per_second: 1, burst: 1 }, ..MEMBERS };

const CASES: &[Case] = {
    use Outcome::{Answered, Dropped, Forwarded};
    &[
        Case("IPv4, 100 members", MEMBERS, Traffic::Ipv4, Forwarded),
        Case("IPv4, 1,000 members", Exchange::members(1000), Traffic::Ipv4, Forwarded),
        Case("IPv4, 10,000 members", Exchange::members(10_000), Traffic::Ipv4, Forwarded),
        Case("IPv4, answer mode", ANSWERING, Traffic::Ipv4, Forwarded),
        Case("IPv6, 100 members", MEMBERS, Traffic::Ipv6, Forwarded),
        Case("IPv6, 1,000 members", Exchange::members(1000), Traffic::Ipv6, Forwarded),
        Case("IPv6, 10,000 members", Exchange::members(10_000), Traffic::Ipv6, Forwarded),
        Case("IPv6, answer mode", ANSWERING, Traffic::Ipv6, Forwarded),
        Case("IPv4, 1,000 learned", Exchange::learned(1000), Traffic::Ipv4, Forwarded),
        Case("IPv4, 10,000 learned", Exchange::learned(10_000), Traffic::Ipv4, Forwarded),
        Case("IPv4, 100,000 learned", Exchange::learned(100_000), Traffic::Ipv4, Forwarded),
        Case("IPv4, one of two workers", OF_TWO, Traffic::Ipv4, Forwarded),
        Case("IPv4, 1,000 learned, one of two workers", LEARNED_OF_TWO, Traffic::Ipv4, Forwarded),
        Case("IPv4, untagged", UNTAGGED, Traffic::Ipv4, Forwarded),
        Case("IMIX, 100 members", MEMBERS, Traffic::Imix, Forwarded),
        Case("IPv4, 1 % ARP requests", MEMBERS, Traffic::Mix, Forwarded),
        Case("ARP request", MEMBERS, Traffic::Arp, Forwarded),
        Case("neighbour solicitation", MEMBERS, Traffic::Nd, Forwarded),
        Case("ARP request, answer mode", ANSWERING, Traffic::Arp, Answered),
        Case("neighbour solicitation, answer mode", ANSWERING, Traffic::Nd, Answered),
        Case("storm: foreign ARP", MEMBERS, Traffic::ForeignArp, Dropped(Reason::ArpNotWix)),
        Case("storm: IPv4 broadcast", MEMBERS, Traffic::Ipv4Broadcast, Dropped(Reason::L2BroadcastIp)),
        Case("storm: ARP over the limit", STORM, Traffic::Arp, Dropped(Reason::BcastLimit)),
        Case("storm: solicitations over the limit", STORM, Traffic::Nd, Dropped(Reason::McastLimit)),
    ]
};

/// So many are sent: whole rounds of [`Traffic::Mix`], so that its share is exact.
const FRAMES: usize = 19_200;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(wanted) = std::env::args().nth(1) else {
        CASES.iter().for_each(|Case(name, ..)| println!("{name}"));
        return Ok(());
    };
    let case = CASES.iter().find(|Case(name, ..)| *name == wanted);
    let Case(_, exchange, traffic, outcome) =
        case.ok_or("no such case: without an argument, they are listed")?;
    let bursts = exchange.bursts(*traffic);
    let mut bridge = exchange.open(&bursts)?;
    let before = outcome.count(bridge.worker.books());
    for number in (0..bursts[0].len()).cycle().take(FRAMES / (2 * BURST)) {
        bridge.offer(&bursts, number);
        bridge.now = bridge.now.after(STEP);
        counted(&mut bridge.worker, bridge.now);
    }
    let books = bridge.worker.books();
    let (became, unaccounted) = (outcome.count(books) - before, books.unaccounted());
    if became != FRAMES as u64 || unaccounted != 0 {
        let seen = [Outcome::Forwarded, Outcome::Answered].into_iter();
        let seen = seen.chain(Reason::ALL.iter().map(|reason| Outcome::Dropped(*reason)));
        let seen = seen.filter(|outcome| outcome.count(books) > 0);
        let seen: Vec<String> = seen.map(|seen| format!("{} {seen}", seen.count(books))).collect();
        let seen = seen.join(", ");
        return Err(format!(
            "of {FRAMES} frames {became} were {outcome}, not all; {unaccounted} unaccounted; since the start: {seen}"
        )
        .into());
    }
    println!("{FRAMES} {outcome}");
    Ok(())
}

/// What callgrind counts.
#[inline(never)]
fn counted(worker: &mut Worker<Hopper>, now: Time) {
    worker.poll(now);
}

impl Outcome {
    fn count(self, books: &Books) -> u64 {
        let of = |side: &SideBooks| match self {
            Outcome::Forwarded => side.forwarded,
            Outcome::Answered => side.answered,
            Outcome::Dropped(reason) => side.dropped[reason.index()],
        };
        books.sides.iter().flatten().map(of).sum()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Forwarded => f.write_str("forwarded"),
            Outcome::Answered => f.write_str("answered"),
            Outcome::Dropped(reason) => write!(f, "dropped: {}", reason.name()),
        }
    }
}
