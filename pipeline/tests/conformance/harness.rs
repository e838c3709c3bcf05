//! The bench: a bridge in memory, two sides, frames in, outcomes out.

use std::time::Duration;

use pipeline::base::time::Time;
use pipeline::control::replay::{Replay, Sent};
use pipeline::io::mem::Packet;
use pipeline::observe::report::Report;
use pipeline::table::fdb::Place;
use pipeline::table::neighbour::Neighbour;
use rules::{Mac, Side};

use crate::oracle::sound;

/// Side M of the notation of docs/spec F: VLAN 10.
pub const M: Side = Side::First;
/// Side W: VLAN 20.
pub const W: Side = Side::Second;

/// C0 of docs/spec F, as YAML: to be changed by [`Config::with`].
pub const C0: &str = r#"
version: 1
ports:
  trunk0: { device: "net_null0" }
  trunk1: { device: "net_null1" }
workers: [0]
bridges:
  wix:
    sides:
      mud: { port: trunk0, vlan: 10, mtu: 1500, mac: "02:51:00:00:00:0a" }
      wix: { port: trunk1, vlan: 20, mtu: 1500, mac: "02:51:00:00:00:14" }
    peering: { ipv4: [202.7.0.0/23], ipv6: ["2001:7fa:3:ca07::/64"] }
    own: { ipv4: 202.7.1.254, ipv6: "2001:7fa:3:ca07::fe" }
    admission: members
    members:
      - { name: A, side: mud, mac: "02:aa:00:00:00:01", ipv4: [202.7.0.10], ipv6: ["2001:7fa:3:ca07::a"] }
      - { name: B, side: wix, mac: "02:bb:00:00:00:02", ipv4: [202.7.0.20], ipv6: ["2001:7fa:3:ca07::b"] }
      #more
    arp: { mode: bridge }
    nd: { mode: bridge }
    loop: { probe: off }
"#;

/// Rules to start a bench with.
#[derive(Debug, Clone)]
pub struct Config(String);

impl Config {
    /// C0: admission by membership, A pinned to M, B to W.
    pub fn c0() -> Config {
        Config(C0.to_owned())
    }

    /// Cd: admission by learning, no members.
    pub fn cd() -> Config {
        let mut yaml: Vec<_> = C0.lines().filter(|line| !line.contains("- { name:")).collect();
        yaml.retain(|line| !line.trim().starts_with('#'));
        Config(yaml.join("\n"))
            .with("admission: members", "admission: learned")
            .with("members:", "members: []")
    }

    /// Cm: the W side's MTU is 1400.
    pub fn cm() -> Config {
        Config::c0()
            .with("wix: { port: trunk1, vlan: 20, mtu: 1500", "wix: { port: trunk1, vlan: 20, mtu: 1400")
    }

    /// The YAML.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The same with `from`, which must be there, replaced by `to`.
    pub fn with(self, from: &str, to: &str) -> Config {
        assert!(self.0.contains(from), "the YAML has no {from:?}:\n{}", self.0);
        Config(self.0.replace(from, to))
    }

    /// The same with a line more in the bridge, such as `macs: { capacity: 16 }`.
    pub fn plus(self, line: &str) -> Config {
        self.with("    loop: { probe: off }", &format!("    loop: {{ probe: off }}\n    {line}"))
    }

    /// The same with another member on a side, without addresses.
    pub fn member(self, side: Side, mac: &str) -> Config {
        let side = if side == M { "mud" } else { "wix" };
        let entry = format!("- {{ name: \"{mac}\", side: {side}, mac: \"{mac}\" }}\n      #more");
        self.with("#more", &entry)
    }

    /// The YAML.
    pub fn yaml(&self) -> &str {
        &self.0
    }

    /// The rules.
    pub fn rules(&self) -> rules::Rules {
        rules::parse(&self.0, "test.yaml").unwrap_or_else(|errors| panic!("{errors}\n{}", self.0)).rules
    }

    /// A bridge that goes by them.
    pub fn bench(&self) -> Bench {
        Bench::of(self.rules())
    }
}

/// How a frame ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It left on the other side, as this.
    Forwarded(Vec<u8>),
    /// It was dropped for the reason of this name.
    Dropped(&'static str),
}

/// A bridge under test.
pub struct Bench {
    bridge: Replay,
    now: Time,
}

impl Bench {
    /// A bridge that goes by these rules.
    pub fn of(rules: rules::Rules) -> Bench {
        Bench { bridge: Replay::new(rules).unwrap(), now: Time::from_nanos(1_000_000_000) }
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) -> &mut Bench {
        self.now = self.now.after(time);
        self
    }

    /// Sends an untagged frame into a side, with that side's tags added; a forwarded one comes back without its tags.
    /// Sides of C0 and its kin only: one tag each.
    pub fn send(&mut self, side: Side, frame: &[u8]) -> Outcome {
        match self.raw(side, &tagged(side, frame)) {
            Outcome::Forwarded(out) => {
                assert_eq!(out[12..16], tag(side.other()), "left with another tag: {out:02x?}");
                Outcome::Forwarded([&out[..12], &out[16..]].concat())
            }
            dropped => dropped,
        }
    }

    /// Sends a frame as it is on the wire into the port of a side.
    pub fn raw(&mut self, side: Side, frame: &[u8]) -> Outcome {
        let port = self.bridge.plan().bridges[0].rules.side(side).port;
        self.packet(port, Packet::new(frame))
    }

    /// Gives a received packet to a port.
    pub fn packet(&mut self, port: usize, packet: Packet) -> Outcome {
        let before = self.report();
        let sent = self.bridge.feed(port, self.now, packet);
        let after = self.report();
        assert_eq!(after.unaccounted, 0, "the books do not balance");
        let received = |report: &Report| report.ports.values().map(|port| port.received).sum::<u64>();
        assert_eq!(received(&after), received(&before) + 1, "one frame came in");
        let grown: Vec<_> = after
            .outcomes
            .iter()
            .filter(|(name, count)| before.outcomes.get(*name).copied().unwrap_or(0) < **count)
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(grown.len(), 1, "one frame has one outcome: {grown:?}");
        match (grown[0], sent.as_slice()) {
            ("forwarded", [one]) => Outcome::Forwarded(one.frame.clone()),
            (name, []) => {
                let reason = pipeline::base::reason::Reason::ALL.iter().find(|reason| reason.name() == name);
                Outcome::Dropped(reason.expect("a reason of the table").name())
            }
            (name, sent) => panic!("{name}, and {} frames were sent", sent.len()),
        }
    }

    /// Sends a frame that must cross unchanged but for its tag.
    #[track_caller]
    pub fn crosses(&mut self, side: Side, frame: &[u8]) {
        assert_eq!(self.send(side, frame), Outcome::Forwarded(frame.to_vec()));
    }

    /// Sends a frame that must be dropped for this reason.
    #[track_caller]
    pub fn drops(&mut self, side: Side, frame: &[u8], reason: &str) {
        match self.send(side, frame) {
            Outcome::Dropped(name) => assert_eq!(name, reason),
            Outcome::Forwarded(out) => panic!("crossed, should be {reason}: {out:02x?}"),
        }
    }

    /// Sends a frame as [`Bench::send`] does, for floods: says only whether it crossed. [`Bench::balanced`] afterwards.
    pub fn pour(&mut self, side: Side, frame: &[u8]) -> bool {
        !self.feed(side, frame).is_empty()
    }

    /// [`Bench::pour`]: all that is sent.
    pub fn feed(&mut self, side: Side, frame: &[u8]) -> Vec<Sent> {
        let port = self.bridge.plan().bridges[0].rules.side(side).port;
        self.bridge.feed(port, self.now, Packet::new(&tagged(side, frame)))
    }

    /// The same, untagged: what crossed, replies, and what the bridge sends by itself.
    pub fn deliver(&mut self, side: Side, frame: &[u8]) -> Vec<(Side, Vec<u8>)> {
        self.feed(side, frame).into_iter().map(untagged).collect()
    }

    /// Checks the books of a flood.
    #[track_caller]
    pub fn balanced(&self) {
        assert_eq!(self.bridge.books().unaccounted(), 0, "the books do not balance");
    }

    /// Where a MAC was learned, on the first bridge.
    pub fn place(&self, mac: [u8; 6]) -> Option<Place> {
        let bridge = &self.bridge.plan().bridges[0];
        let mac = Mac::from_u64(mac.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        bridge.place(mac, self.now)
    }

    /// Changes the rules as a reload does.
    pub fn reload(&mut self, config: &Config) {
        self.bridge.reload(config.rules()).unwrap();
    }

    /// The books.
    pub fn report(&self) -> Report {
        Report::new(self.bridge.plan(), self.bridge.books(), self.bridge.events())
    }

    /// How often a cause was counted.
    pub fn cause(&self, name: &str) -> u64 {
        assert!(
            pipeline::base::reason::Cause::ALL.iter().any(|cause| cause.name() == name),
            "no cause {name}"
        );
        self.report().causes.get(name).copied().unwrap_or(0)
    }

    /// How often frames had an outcome.
    pub fn count(&self, outcome: &str) -> u64 {
        self.report().outcomes.get(outcome).copied().unwrap_or(0)
    }

    /// The events so far, as (name, MAC).
    pub fn events(&self) -> Vec<(String, String)> {
        self.report().events.into_iter().map(|event| (event.event, event.mac)).collect()
    }

    /// The bridge itself.
    pub fn bridge(&mut self) -> &mut Replay {
        &mut self.bridge
    }
}

/// All that a frame caused: its outcome by name, and what was sent, untagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// `forwarded`, `answered`, or the reason of the drop.
    pub outcome: String,
    /// What left on the other side.
    pub across: Vec<Vec<u8>>,
    /// What left on the side that the frame came in on: replies.
    pub back: Vec<Vec<u8>>,
}

impl Exchange {
    /// The only reply, and no frame across.
    #[track_caller]
    pub fn reply(&self) -> &[u8] {
        assert_eq!((self.back.len(), self.across.len()), (1, 0), "{self:02x?}");
        &self.back[0]
    }

    /// Ended so, and nothing was sent.
    #[track_caller]
    pub fn silent(&self, outcome: &str) {
        assert_eq!(self.outcome, outcome);
        assert!(self.back.is_empty() && self.across.is_empty(), "{self:02x?}");
    }
}

impl Bench {
    /// Sends an untagged frame into a side of C0, with that side's tag added, and takes all that comes out.
    #[track_caller]
    pub fn exchange(&mut self, side: Side, frame: &[u8]) -> Exchange {
        let mut exchange = self.exchange_raw(side, &tagged(side, frame));
        let untag = |frames: &mut Vec<Vec<u8>>, side| {
            for frame in frames {
                assert_eq!(frame[12..16], tag(side), "left with another tag: {frame:02x?}");
                frame.drain(12..16);
            }
        };
        untag(&mut exchange.back, side);
        untag(&mut exchange.across, side.other());
        exchange
            .back
            .iter()
            .for_each(|reply| sound(reply).unwrap_or_else(|why| panic!("{why}: {reply:02x?}")));
        exchange
    }

    /// Sends a frame as it is on the wire into the port of a side, and takes all that comes out, as it is on the wire.
    #[track_caller]
    pub fn exchange_raw(&mut self, side: Side, frame: &[u8]) -> Exchange {
        let port = self.bridge.plan().bridges[0].rules.side(side).port;
        let before = self.report();
        let sent = self.bridge.feed(port, self.now, Packet::new(frame));
        let after = self.report();
        assert_eq!(after.unaccounted, 0, "the books do not balance");
        self.told_all();
        let grew = |name: &&String| before.outcomes.get(*name) != after.outcomes.get(*name);
        let grown: Vec<_> = after.outcomes.keys().filter(grew).collect();
        assert_eq!(grown.len(), 1, "one frame has one outcome: {grown:?}");
        let outcome = grown[0].clone();
        let (back, across): (Vec<_>, Vec<_>) = sent.into_iter().partition(|sent| sent.at.side == side);
        let frames = |sent: Vec<Sent>| sent.into_iter().map(|sent| sent.frame).collect();
        Exchange { outcome, across: frames(across), back: frames(back) }
    }

    /// Each packet that was too big drew an error, or is counted by the cause that it drew none for.
    #[track_caller]
    pub fn told_all(&self) {
        let report = self.report();
        let ptb = |(name, _): &(&String, &u64)| name.starts_with("ptb_");
        let told: u64 = report.causes.iter().filter(ptb).map(|(_, count)| count).sum();
        let too_big = report.outcomes.get("too_big").copied().unwrap_or(0);
        assert_eq!(
            told, too_big,
            "errors sent and causes of none are all that was too big: {:?}",
            report.causes
        );
    }
}

/// The tag of a side of C0, priority 0.
pub fn tag(side: Side) -> [u8; 4] {
    [0x81, 0, 0, if side == M { 10 } else { 20 }]
}

/// A frame that left, without its side's tag.
fn untagged(sent: Sent) -> (Side, Vec<u8>) {
    assert_eq!(sent.frame[12..16], tag(sent.at.side), "left with another tag: {:02x?}", sent.frame);
    (sent.at.side, [&sent.frame[..12], &sent.frame[16..]].concat())
}

/// An untagged frame with a side's tag added.
pub fn tagged(side: Side, frame: &[u8]) -> Vec<u8> {
    match frame.split_at_checked(12) {
        Some((macs, rest)) => [macs, &tag(side), rest].concat(),
        None => frame.to_vec(),
    }
}

impl Config {
    /// Ca: C0, answering on behalf of members.
    pub fn ca() -> Config {
        Config::c0().answering()
    }

    /// Ca with admission by learning and no members: whoever speaks is learned.
    pub fn ca_learned() -> Config {
        Config::cd().answering()
    }

    /// Ca with B pinned to W, its addresses left out: they are learned.
    pub fn ca_without_addresses_of_b() -> Config {
        Config::ca().with(r#", ipv4: [202.7.0.20], ipv6: ["2001:7fa:3:ca07::b"]"#, "")
    }

    fn answering(self) -> Config {
        self.with("arp: { mode: bridge }", "arp: { mode: answer }")
            .with("nd: { mode: bridge }", "nd: { mode: answer }")
    }

    /// A bridge that probes for loops and looks for duplicates of its own addresses, as a live one does.
    pub fn live(&self) -> Bench {
        let bench = self.bench();
        Bench { bridge: bench.bridge.with_probes(), ..bench }
    }
}

impl Bench {
    /// What is known of an address.
    pub fn neighbour(&self, address: &str) -> Option<Neighbour> {
        self.bridge.plan().bridges[0].tables.neighbours.get(address.parse().unwrap())
    }

    /// The MAC that an address was learned with.
    pub fn owner(&self, address: &str) -> Option<[u8; 6]> {
        self.neighbour(address).map(|known| known.mac.bytes())
    }

    /// How many addresses are known.
    pub fn neighbours(&self) -> usize {
        self.bridge.plan().bridges[0].tables.neighbours.entries().len()
    }

    /// What the bridge sends by itself until now: sides, and frames without tags.
    pub fn own(&mut self) -> Vec<(Side, Vec<u8>)> {
        let runt = Packet::new(&[0; 13]); // ends in the port's books
        let sent = self.bridge.feed(0, self.now, runt);
        self.balanced();
        sent.into_iter().map(untagged).collect()
    }

    /// The frame crosses unchanged, and nothing is replied.
    #[track_caller]
    pub fn passes(&mut self, side: Side, frame: &[u8]) {
        let got = self.exchange(side, frame);
        assert_eq!(got.outcome, "forwarded");
        assert!(got.back.is_empty() && got.across == [frame], "{got:02x?}");
    }

    /// The frame ends at the bridge, which sends exactly this back.
    #[track_caller]
    pub fn answers(&mut self, side: Side, frame: &[u8], reply: &[u8]) {
        let got = self.exchange(side, frame);
        assert_eq!(got.outcome, "answered");
        assert!(got.across.is_empty() && got.back == [reply], "{got:02x?}\n{reply:02x?}");
    }

    /// The frame crosses unchanged, and the bridge sends exactly this back.
    #[track_caller]
    pub fn passes_and_answers(&mut self, side: Side, frame: &[u8], reply: &[u8]) {
        let got = self.exchange(side, frame);
        assert_eq!(got.outcome, "forwarded");
        assert!(got.across == [frame] && got.back == [reply], "{got:02x?}\n{reply:02x?}");
    }
}
