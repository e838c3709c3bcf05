//! The whole path: a bridge with any configuration, and any frames into it, with time, reloads and full queues in between.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use pipeline::base::reason::{Cause, Reason, Stage};
use pipeline::base::time::Time;
use pipeline::control::replay::{Replay, Sent};
use pipeline::frame::buffer::Buffer;
use pipeline::io::mem::Packet;
use pipeline::observe::books::{Books, Dropped, SideBooks};
use rules::{Mac, Rules, SideRules};

use crate::bytes::{Choices, bit};
use crate::config::Geometry;
use crate::oracle::{self, Placed};
use crate::packets;

/// Steps of one input.
const MOST: usize = 48;

/// Between two frames, in milliseconds.
const WAITS: [u64; 8] = [0, 1, 25, 300, 1_100, 11_000, 310_000, 90_000_000];

pub(crate) fn run(bytes: &[u8]) {
    drive(bytes);
}

fn drive(bytes: &[u8]) -> Watched {
    let mut choices = Choices::new(bytes);
    let geometry = Geometry::choose(&mut choices);
    let probes = choices.byte() & 1 == 1;
    let bridge = Replay::new(rules(&geometry, &mut choices)).expect("few bridges");
    let mut bridge = Watched::new(if probes { bridge.with_probes() } else { bridge }, probes);
    for _ in 0..MOST {
        if choices.is_empty() {
            break;
        }
        let (what, how) = (choices.byte(), choices.byte());
        bridge.now = bridge.now.after(Duration::from_millis(WAITS[usize::from(how & 7)]));
        match what & 15 {
            15 => bridge.reload(rules(&geometry, &mut choices)),
            14 => bridge.limit(choices.below(4)),
            13 => bridge.replay.advance(bridge.now),
            // what came last, again and again
            12 => {
                let last = bridge.last.clone();
                (0..=what >> 4).for_each(|_| bridge.feed(last.0, Packet::new(&last.1)));
            }
            // what left last comes back, to any side, by itself or in another's name
            11 => {
                let which = choices.byte();
                let mut frame = bridge.left.get(usize::from(which & 3)).cloned().unwrap_or_default();
                if bit(which, 7) && frame.len() >= 12 {
                    frame[6..12].copy_from_slice(&[0x02, 0xee, 0, 0, 0, 5]);
                }
                let side = side(&bridge.replay, what);
                let wire = oracle::wire(&oracle::tags_of(side.tags), 0, &frame);
                let port = side.port;
                bridge.feed(port, Packet::new(&wire));
            }
            _ => {
                let (port, packet) = arrival(&bridge.replay, what, how, &mut choices);
                bridge.feed(port, packet);
            }
        }
    }
    bridge
}

thread_local! {
    /// Reading the YAML takes longer than the frames.
    static KNOWN: RefCell<HashMap<String, Rules>> = RefCell::new(HashMap::new());
}

fn rules(geometry: &Geometry, choices: &mut Choices<'_>) -> Rules {
    let yaml = geometry.yaml(choices);
    KNOWN.with_borrow_mut(|known| {
        if known.len() == 1024 {
            known.clear();
        }
        let parse = |yaml: &String| {
            rules::parse(yaml, "fuzz.yaml").unwrap_or_else(|errors| panic!("{errors}\n{yaml}")).rules
        };
        known.entry(yaml).or_insert_with_key(parse).clone()
    })
}

/// A side, by the upper half of a byte.
fn side(bridge: &Replay, what: u8) -> &SideRules {
    let bridges = &bridge.plan().rules.bridges;
    &bridges[usize::from(what >> 5) % bridges.len()].sides[usize::from(what >> 4 & 1)]
}

/// A frame with the tags of a side, mostly, and the port of that side.
fn arrival(bridge: &Replay, what: u8, how: u8, choices: &mut Choices<'_>) -> (usize, Packet) {
    let side = side(bridge, what);
    let mut tags = oracle::tags_of(side.tags);
    let frame = packets::frame(choices);
    let priority = u16::from(choices.byte() >> 4);
    match how >> 3 {
        0..=23 => {}
        24 => tags = oracle::tags_of(self::side(bridge, choices.byte()).tags),
        25 => tags.clear(),
        26 => tags.push((0x8100, 20)),
        27 => tags.iter_mut().for_each(|(_, vid)| *vid = choices.pick(&[0, 4095, 1, 30])),
        28 => tags.iter_mut().for_each(|(tpid, _)| *tpid = choices.pick(&[0x8100, 0x88a8, 0x9100, 0x9200])),
        29 => {
            let stripped: Vec<_> = tags.iter().map(|(tpid, vid)| (*tpid, vid | priority << 12)).collect();
            return (side.port, Packet::with_stripped(&frame, &stripped));
        }
        _ => {
            let mut wire = oracle::wire(&tags, priority, &frame);
            packets::mutate(choices, &mut wire);
            return (side.port, Packet::new(&wire));
        }
    }
    (side.port, Packet::new(&oracle::wire(&tags, priority, &frame)))
}

/// A bridge, and what was in its books after the frame before.
struct Watched {
    replay: Replay,
    probes: bool,
    now: Time,
    books: Books,
    neighbours: usize,
    /// What came last, and by which port.
    last: (usize, Vec<u8>),
    /// What left last, without tags.
    left: Vec<Vec<u8>>,
    /// Its transmit queues take so few frames that some are lost.
    narrow: bool,
}

impl Watched {
    fn new(replay: Replay, probes: bool) -> Watched {
        let books = replay.books().clone();
        let now = Time::from_nanos(1_000_000_000);
        let (last, left) = Default::default();
        Watched { replay, probes, now, books, neighbours: 0, last, left, narrow: false }
    }

    fn reload(&mut self, rules: Rules) {
        let refused = rules::against(&self.replay.plan().rules, &rules);
        assert!(refused.is_empty(), "the same ports and tables, and {refused:?}");
        self.replay.reload(rules).expect("few bridges");
    }

    fn limit(&mut self, room: usize) {
        let io = self.replay.io();
        self.narrow = room < 3;
        io.room = if self.narrow { vec![room; io.output.len()] } else { vec![] };
    }

    fn feed(&mut self, port: usize, packet: Packet) {
        let frame = packet.bytes().to_vec();
        let sent = self.replay.feed(port, self.now, packet);
        if let Err(why) = self.judge(port, &frame, &sent) {
            let sent: Vec<_> = sent.iter().map(|sent| (sent.at, hex(&sent.frame))).collect();
            let rules = &self.replay.plan().rules;
            panic!("{why}\nport {port}, {:?}\n in {}\nout {sent:?}\n{rules:#?}", self.now, hex(&frame));
        }
        self.books = self.replay.books().clone();
        self.neighbours = self.known();
        self.last = (port, frame);
        if !sent.is_empty() {
            let plan = self.replay.plan();
            let bare = |sent: &Sent| Some(oracle::place(plan, sent.port, &sent.frame)?.bare);
            self.left = sent.iter().filter_map(bare).collect();
        }
    }

    fn known(&self) -> usize {
        self.replay.plan().bridges.iter().map(|bridge| bridge.tables.neighbours.entries().len()).sum()
    }

    fn judge(&self, port: usize, frame: &[u8], sent: &[Sent]) -> oracle::Check {
        let ensure = oracle::ensure;
        let (plan, before, after) = (self.replay.plan(), &self.books, self.replay.books());
        ensure(after.unaccounted() == 0, "the books do not balance")?;
        let grew = |count: fn(&SideBooks) -> u64| {
            let sum = |books: &Books| books.sides.iter().flatten().map(count).sum::<u64>();
            sum(after) - sum(before)
        };

        // one frame, one outcome
        let mut now = dropped(after);
        now.iter_mut().zip(dropped(before)).for_each(|(now, before)| *now -= before);
        let (drops, reason) = (now.iter().sum::<u64>(), now.iter().position(|count| *count > 0));
        let forwarded = grew(|side| side.forwarded);
        ensure(drops + forwarded + grew(|side| side.answered) == 1, "not one outcome")?;

        // it came in where its tags say
        let input = oracle::place(plan, port, frame);
        let received = |at: pipeline::base::At| {
            let received = |books: &Books| books.side(at).received;
            received(after) - received(before)
        };
        match &input {
            Some(input) => ensure(received(input.at) == 1, "it was not received on its side")?,
            None => {
                ensure(grew(|side| side.received) == 0, "it was received on a side whose tags it has not")?
            }
        }

        // what left has the tags of the side that the books say
        let output: Option<Vec<Placed>> =
            sent.iter().map(|sent| oracle::place(plan, sent.port, &sent.frame)).collect();
        let output = output.ok_or("a frame left with the tags of no side")?;
        for (slot, sides) in after.sides.iter().enumerate() {
            for (index, side) in sides.iter().enumerate() {
                let left =
                    |output: &&Placed| (output.at.bridge.index(), output.at.side.index()) == (slot, index);
                let transmitted = side.transmitted - before.sides[slot][index].transmitted;
                ensure(
                    output.iter().filter(left).count() as u64 == transmitted,
                    "it left elsewhere than the books say",
                )?;
            }
        }

        // what is ours, and what crossed
        let across = |output: &&Placed| {
            let ours = plan.bridge(output.at.bridge).own.iter().any(|own| own.bytes() == output.bare[6..12]);
            let other = |input: &Placed| {
                input.at.bridge == output.at.bridge && input.at.side.other() == output.at.side
            };
            !ours && input.as_ref().is_some_and(other)
        };
        let (crossed, own): (Vec<&Placed>, Vec<&Placed>) = output.iter().partition(across);
        for own in own {
            oracle::own(plan.bridge(own.at.bridge), own, self.probes)?;
        }
        let fragments = grew(|side| side.fragments);
        match (&input, crossed.as_slice()) {
            (_, []) => ensure(forwarded == 0, "it was forwarded, and left nowhere")?,
            (Some(input), [one]) if fragments == 0 && word_is_whole(input, one) => {
                oracle::crossing(plan.bridge(input.at.bridge), input, one)?;
            }
            (Some(input), several) => {
                ensure(several.len() as u64 == forwarded + fragments, "more left than the books say")?;
                oracle::fragments(plan.bridge(input.at.bridge), input, several, !self.narrow)?;
            }
            (None, _) => return Err("a frame of no side crossed".to_owned()),
        }
        ensure(crossed.len() as u64 == forwarded + fragments, "more or less crossed than the books say")?;

        // a refused frame draws nothing and changes nothing
        let replies = grew(|side| side.replies);
        ensure(replies <= 1, "one frame drew several replies")?;
        if let Some(reason) =
            reason.map(|at| Reason::ALL[at]).filter(|reason| reason.stage() <= Stage::Police)
        {
            ensure(replies == 0 && crossed.is_empty(), "it was refused, and drew something")?;
            ensure(self.known() <= self.neighbours, "it was refused, and a neighbour was learned from it")?;
            let learned =
                |side: &SideBooks| side.causes[Cause::MacNew.index()] + side.causes[Cause::MacMove.index()];
            ensure(
                reason.stage() > Stage::Filter || grew(learned) == 0,
                "it was refused, and its MAC learned",
            )?;
        }

        // each packet that was too big drew an error, or is counted by the cause that it drew none for
        let told = |side: &SideBooks| PTB.iter().map(|cause| side.causes[*cause]).sum();
        ensure(
            grew(told) == grew(|side| side.dropped[Reason::TooBig.index()]),
            "an error that no cause tells of",
        )?;
        self.tables(input.as_ref())
    }

    /// The tables keep to their size, and hold no address that no station can have.
    fn tables(&self, input: Option<&Placed>) -> oracle::Check {
        let plan = self.replay.plan();
        for bridge in &plan.bridges {
            let (macs, capacity) = (&bridge.tables.macs, &bridge.rules.macs.capacity);
            oracle::ensure(
                rules::Side::BOTH.iter().all(|side| macs.count(*side) <= *capacity),
                "too many MACs",
            )?;
            let known = bridge.tables.neighbours.entries().len();
            // what is listed does not count, and each MAC has only so many
            let rules = &bridge.rules;
            let listed: usize = rules.members.iter().map(|member| member.macs.len()).sum();
            let most = rules.neighbours.capacity as usize + listed * rules.neighbours.per_mac as usize;
            oracle::ensure(known <= most, "too many neighbours")?;
        }
        let Some(input) = input else { return Ok(()) };
        let Some(src) = input.bare[6..].first_chunk().map(|bytes| Mac::from_bytes(*bytes)) else {
            return Ok(());
        };
        let bridge = plan.bridge(input.at.bridge);
        let known = bridge.place(src, self.now).is_some();
        oracle::ensure(
            !known || (src.is_station() && !bridge.own.contains(&src)),
            "it learned a MAC of no station",
        )
    }
}

/// It left as it came, as far as its first bytes tell.
fn word_is_whole(input: &Placed, output: &Placed) -> bool {
    output.bare.len() >= input.bare.len()
}

/// The causes that tell of an error, sent or not.
static PTB: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let ptb = Cause::ALL.iter().filter(|cause| cause.name().starts_with("ptb_"));
    ptb.map(|cause| cause.index()).collect()
});

/// By reason, on all ports and sides.
fn dropped(books: &Books) -> Dropped {
    let mut sum = [0; Reason::COUNT];
    let ports = books.ports.iter().map(|port| &port.dropped);
    for dropped in ports.chain(books.sides.iter().flatten().map(|side| &side.dropped)) {
        sum.iter_mut().zip(dropped).for_each(|(sum, count)| *sum += count);
    }
    sum
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_meets_every_reason_and_cause_that_frames_can_meet() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/path");
        let (mut reasons, mut causes) = ([0; Reason::COUNT], [0; Cause::COUNT]);
        let add = |to: &mut [u64], from: &[u64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        for file in std::fs::read_dir(folder).expect("the corpus") {
            let input = std::fs::read(file.expect("a file of it").path()).expect("a readable file");
            let books = drive(&input).books;
            add(&mut reasons, &dropped(&books));
            books.sides.iter().flatten().for_each(|side| add(&mut causes, &side.causes));
        }
        let reasons = Reason::ALL.iter().filter(|it| reasons[it.index()] == 0).map(|it| it.name());
        let causes = Cause::ALL.iter().filter(|it| causes[it.index()] == 0).map(|it| it.name());
        // one ethertype is as good as another
        let causes = causes.filter(|name| !name.starts_with("ethertype_"));
        let never: Vec<&str> = reasons.chain(causes).collect();
        // the last three the filter refuses before there is an error to draw
        let expected = ["oversize_buffer", "no_headroom", "ptb_redirect", "ptb_invalid_src", "ptb_group"];
        assert_eq!(never, expected);
    }
}
