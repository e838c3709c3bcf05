//! The bench: a bridge in memory, two sides, frames in, outcomes out.

use std::time::Duration;

use pipeline::io::mem::Packet;
use pipeline::replay::Replay;
use pipeline::report::Report;
use pipeline::table::mac::Place;
use pipeline::time::Time;
use rules::{Mac, Side};

/// Side M of the SPEC's notation: VLAN 10.
pub const M: Side = Side::First;
/// Side W: VLAN 20.
pub const W: Side = Side::Second;

/// C0 of SPEC F, as YAML: to be changed by [`Config::with`].
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
        Bench { bridge: Replay::new(self.rules()), now: Time::from_nanos(1_000_000_000) }
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
                let reason = pipeline::reason::Reason::ALL.iter().find(|reason| reason.name() == name);
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
        let port = self.bridge.plan().bridges[0].rules.side(side).port;
        !self.bridge.feed(port, self.now, Packet::new(&tagged(side, frame))).is_empty()
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
        bridge.tables.macs.lookup(mac, self.now, &bridge.rules.macs)
    }

    /// Changes the rules as a reload does.
    pub fn reload(&mut self, config: &Config) {
        self.bridge.reload(config.rules());
    }

    /// The books.
    pub fn report(&self) -> Report {
        Report::new(self.bridge.plan(), self.bridge.books(), self.bridge.events())
    }

    /// How often a cause was counted.
    pub fn cause(&self, name: &str) -> u64 {
        assert!(pipeline::reason::Cause::ALL.iter().any(|cause| cause.name() == name), "no cause {name}");
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

/// The tag of a side of C0, priority 0.
pub fn tag(side: Side) -> [u8; 4] {
    [0x81, 0, 0, if side == M { 10 } else { 20 }]
}

/// An untagged frame with a side's tag added.
pub fn tagged(side: Side, frame: &[u8]) -> Vec<u8> {
    match frame.split_at_checked(12) {
        Some((macs, rest)) => [macs, &tag(side), rest].concat(),
        None => frame.to_vec(),
    }
}
