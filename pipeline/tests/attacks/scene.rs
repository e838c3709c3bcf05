//! The victim and whom it talks to, their traffic, and what comes of that while attackers send.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rules::Side;

use crate::frames::*;
use crate::harness::*;
use crate::hosts::{self, Host, talk};
use crate::report::Service;
use crate::timeline::{OnSide, Sender, run_among};

/// The victim's MACs and addresses: a router, in charge of a virtual one.
pub const V: [u8; 6] = [0x02, 0xdd, 0, 0, 0, 0x01];
pub const VRRP: [u8; 6] = [0, 0, 0x5e, 0, 1, 7];
pub const IP4_V: &str = "202.7.0.99";
pub const IP_V: &str = "2001:7fa:3:ca07::99";
/// The bridge's own addresses.
pub const OWN4: &str = "202.7.1.254";
pub const OWN6: &str = "2001:7fa:3:ca07::fe";

/// What the rules say of the victim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listed {
    /// A member with a side.
    Pinned,
    /// A member without a side.
    Roaming,
    /// Nobody's.
    No,
}

/// A bridge, live, with the victim on one side and B, pinned, on the other. Packets of 1401 bytes are too long for B's side.
#[derive(Debug, Clone)]
pub struct Scene {
    pub home: Side,
    pub listed: Listed,
    config: Config,
}

impl Scene {
    pub fn new(home: Side, listed: Listed) -> Scene {
        let names = ["mud", "wix"];
        let (here, away) = (names[home.index()], names[home.other().index()]);
        let (v, vrrp, b) = (mac(V), mac(VRRP), mac(B));
        let side = if listed == Listed::Pinned { format!("side: {here}, ") } else { String::new() };
        let addresses = format!(r#"ipv4: [{IP4_V}], ipv6: ["{IP_V}"]"#);
        let victim = format!(r#"{{ name: V, {side}macs: ["{v}", "{vrrp}"], {addresses} }},"#);
        let victim = if listed == Listed::No { String::new() } else { victim };
        let addresses = format!(r#"ipv4: [{IP4_B}], ipv6: ["{IP_B}"]"#);
        let peer = format!(r#"{{ name: B, side: {away}, mac: "{b}", {addresses} }}"#);
        let port = if away == "mud" { "port: trunk0, vlan: 10" } else { "port: trunk1, vlan: 20" };
        let config = Config::cd()
            .with("members: []", &format!("members: [ {victim} {peer} ]"))
            .with(&format!("{port}, mtu: 1500"), &format!("{port}, mtu: 1400"));
        Scene { home, listed, config }
    }

    /// It answers on behalf of members.
    pub fn answering(self) -> Scene {
        self.with("arp: { mode: bridge }", "arp: { mode: answer }")
            .with("nd: { mode: bridge }", "nd: { mode: answer }")
    }

    /// The same with something in its rules replaced.
    pub fn with(mut self, from: &str, to: &str) -> Scene {
        self.config = self.config.with(from, to);
        self
    }

    /// The same with a line more in its rules.
    pub fn plus(mut self, line: &str) -> Scene {
        self.config = self.config.plus(line);
        self
    }

    /// A bridge that has just begun to look for duplicates of its own addresses.
    pub fn fresh(&self) -> Course {
        let config = self.config.clone().with("loop: { probe: off }", "loop: { probe: 1s, hold: 60s }");
        Course {
            bench: config.live(),
            hosts: vec![self.victim(), self.peer()],
            lies: 0,
            heard: Rc::default(),
        }
    }

    /// A bridge that is sure of its own addresses. B is known there, the victim is not.
    pub fn settled(&self) -> Course {
        let mut course = self.fresh();
        let away = self.home.other();
        let talk = |_| arp_request(B, IP4_B, "202.7.0.11");
        course.run(Duration::from_secs(6), &mut [Sender::new(away, 1, talk)]);
        course
    }

    /// The same, and the victim has spoken as well, of both its addresses.
    pub fn known(&self) -> Course {
        let mut course = self.settled();
        course.bench.deliver(self.home, &arp_request(V, IP4_V, "202.7.0.11"));
        course.bench.deliver(self.home, &who_has6(V, IP_V, IP_B));
        course.bench.deliver(self.home, &unicast(B, VRRP));
        course.run(Duration::from_millis(1500), &mut []);
        course
    }

    /// The same, but the victim has spoken on the other side, which it has left.
    pub fn elsewhere(&self) -> Course {
        let mut course = self.settled();
        course.bench.deliver(self.home.other(), &arp_request(V, IP4_V, "202.7.0.11"));
        course.run(Duration::from_millis(1500), &mut []);
        course
    }

    fn victim(&self) -> Host {
        Host { side: self.home, mac: V, also: VRRP, ip4: IP4_V, ip6: IP_V }
    }

    fn peer(&self) -> Host {
        Host { side: self.home.other(), mac: B, also: B, ip4: IP4_B, ip6: IP_B }
    }
}

/// A scene as it goes on.
pub struct Course {
    pub bench: Bench,
    /// The victim, B, and whoever else answers.
    pub hosts: Vec<Host>,
    /// Frames by which somebody was told that an address of theirs is somebody else's.
    pub lies: u32,
    /// What the bridge said by itself.
    pub heard: Rc<RefCell<Heard>>,
}

/// The bridge's loop probes, by side.
#[derive(Debug, Default)]
pub struct Heard {
    pub first: [Option<Vec<u8>>; 2],
    pub last: [Option<Vec<u8>>; 2],
}

impl Course {
    /// Lets all of them send for so long, and hosts answer.
    pub fn run(&mut self, length: Duration, senders: &mut [Sender<'_>]) {
        let (hosts, lies, heard) = (&self.hosts, &mut self.lies, &self.heard);
        let mut network = |left: &[OnSide]| {
            for (side, frame) in left {
                *lies += u32::from(hosts.iter().any(|host| host.denies(frame)));
                if is_probe(frame) {
                    let Heard { first, last } = &mut *heard.borrow_mut();
                    first[side.index()].get_or_insert_with(|| frame.clone());
                    last[side.index()] = Some(frame.clone());
                }
            }
            hosts::answers(hosts, left)
        };
        run_among(&mut self.bench, length, senders, Some(&mut network));
    }

    /// Lets the victim and B use their services, each so many times a second from a time on, beside attackers.
    pub fn serve(
        &mut self,
        (length, from): (Duration, Duration),
        rate: u32,
        attackers: Vec<Sender<'_>>,
    ) -> Served {
        let all = services(&self.hosts[0], rate);
        self.offer((length, from), all, attackers)
    }

    /// The same for a victim that says nothing but answers.
    pub fn overhear(&mut self, length: Duration, attackers: Vec<Sender<'_>>) -> Vec<Service> {
        let mut all = services(&self.hosts[0], 5);
        all.retain(|(name, _)| name.starts_with("unicast to"));
        self.offer((length, Duration::ZERO), all, attackers).services
    }

    fn offer(
        &mut self,
        (length, from): (Duration, Duration),
        services: Vec<(&'static str, Sender<'static>)>,
        attackers: Vec<Sender<'_>>,
    ) -> Served {
        let (services, senders): (Vec<_>, Vec<Sender<'_>>) = services.into_iter().unzip();
        let count = senders.len();
        // each at a time of its own
        let mut phase = from;
        let mut next = |sender: Sender<'static>| {
            phase += Duration::from_micros(3137);
            sender.after(phase)
        };
        let mut senders: Vec<Sender<'_>> = senders.into_iter().map(&mut next).collect();
        // what the bridge says by itself is not the attackers' doing
        let gains = |left: &[OnSide]| left.iter().any(|(_, frame)| !is_probe(frame));
        senders.extend(attackers.into_iter().map(|attacker| attacker.served_by(gains)));
        self.run(length, &mut senders);
        let attackers = senders.split_off(count);
        let service = |(name, sender): (_, &Sender<'_>)| Service::new(name, sender.sent, sender.served);
        let mut all: Vec<_> = services.into_iter().zip(&senders).map(service).collect();
        all.push(Service::fact("nobody was told otherwise", self.lies == 0));
        let (sent, through) =
            attackers.iter().fold((0, 0), |sum, one| (sum.0 + one.sent, sum.1 + one.served));
        Served { services: all, sent, through }
    }
}

/// What came of a course.
#[derive(Debug, Clone)]
pub struct Served {
    pub services: Vec<Service>,
    /// The attackers' frames, and how many of them crossed or drew a reply.
    pub sent: u32,
    pub through: u32,
}

impl Served {
    pub fn gain(&self) -> String {
        format!("{} of {} frames through", self.through, self.sent)
    }

    /// Without those services that the attack is not about.
    pub fn only(mut self, names: &[&str]) -> Vec<Service> {
        self.services.retain(|service| names.contains(&service.name.as_str()));
        assert_eq!(self.services.len(), names.len());
        self.services
    }
}

/// A loop probe of the bridge's own.
pub fn is_probe(frame: &[u8]) -> bool {
    frame[..6] == BROADCAST && (frame[6..12] == MAC_M || frame[6..12] == MAC_W)
}

fn is_to(frame: &[u8], dst: [u8; 6], src: [u8; 6]) -> bool {
    frame[..6] == dst && frame[6..12] == src
}

/// An IPv6 packet that is too long for the other side, from an address behind a station, to B.
pub fn too_long(router: [u8; 6], source: &str) -> Vec<u8> {
    ether(B, router, 0x86dd, &ipv6(source, "2001:db8:ffff::1", 17, 64, &[7; 1400]))
}

/// The path-MTU error to a source behind a station.
pub fn is_mtu_error(frame: &[u8], router: [u8; 6], source: &str) -> bool {
    let source: std::net::Ipv6Addr = source.parse().unwrap();
    frame[..6] == router
        && frame[12..14] == [0x86, 0xdd]
        && frame[38..54] == source.octets()
        && frame[54] == 2
}

/// What a victim needs, by name.
fn services(victim: &Host, rate: u32) -> Vec<(&'static str, Sender<'static>)> {
    let (home, away) = (victim.side, victim.side.other());
    let crossed = |dst, src, side| {
        move |left: &[OnSide]| left.iter().any(|(at, frame)| *at == side && is_to(frame, dst, src))
    };
    // a question is served if it reaches the side of whom it is for, or the bridge says the truth instead
    let asked = |src: [u8; 6], from: Side, owner: [u8; 6]| {
        move |left: &[OnSide]| {
            left.iter().any(|(at, frame)| match *at == from {
                true => talk(frame).is_some_and(|talk| {
                    frame[..6] == src && !talk.asks && talk.says.is_some_and(|(_, mac)| mac == owner)
                }),
                false => frame[6..12] == src,
            })
        }
    };
    let error = |source: &'static str| {
        move |left: &[OnSide]| {
            left.iter().any(|(side, frame)| *side == home && is_mtu_error(frame, V, source))
        }
    };
    const BEHIND: &str = "2001:db8:77::1";
    let own = if home == M { MAC_M } else { MAC_W };
    vec![
        ("its unicast", Sender::new(home, rate, |_| unicast(B, V)).served_by(crossed(B, V, away))),
        ("unicast to it", Sender::new(away, rate, |_| unicast(V, B)).served_by(crossed(V, B, home))),
        (
            "its ARP requests",
            Sender::new(home, rate, |_| arp_request(V, IP4_V, IP4_B)).served_by(asked(V, home, B)),
        ),
        (
            "its solicitations",
            Sender::new(home, rate, |_| who_has6(V, IP_V, IP_B)).served_by(asked(V, home, B)),
        ),
        ("path-MTU errors to it", Sender::new(home, rate, |_| too_long(V, IP_V)).served_by(error(IP_V))),
        (
            "path-MTU errors to a source behind it",
            Sender::new(home, rate, |_| too_long(V, BEHIND)).served_by(error(BEHIND)),
        ),
        (
            "answers of the bridge",
            Sender::new(home, rate, |_| arp_request(V, IP4_V, OWN4)).served_by(crossed(V, own, home)),
        ),
        (
            "ARP requests for it",
            Sender::new(away, rate, |_| arp_request(B, IP4_B, IP4_V)).served_by(asked(B, away, V)),
        ),
        (
            "solicitations for it",
            Sender::new(away, rate, |_| who_has6(B, IP_B, IP_V)).served_by(asked(B, away, V)),
        ),
        (
            "unicast to its virtual router",
            Sender::new(away, rate, |_| unicast(VRRP, B)).served_by(crossed(VRRP, B, home)),
        ),
    ]
}
