//! A random search for attacks: up to six attackers at once, of all kinds of frames, against a listed victim. None may take more
//! than a tenth of any service that the victim has without them. A few timelines in each test run, always the same;
//! `scripts/attacks` tries many, and prints what it finds as a call of [`holds`], to be made a test of its own here.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, RngAlgorithm, TestError, TestRng, TestRunner};
use rules::Side;

use crate::frames::*;
use crate::harness::*;
use crate::report::Service;
use crate::scene::*;
use crate::timeline::Sender;

use Does::*;
use Kind::*;
use Listed::{Pinned, Roaming};
use Source::*;
use Whose::*;

/// Whose MAC an attacker sends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Its own.
    Stranger(u8),
    /// So many in turn.
    Crowd(u16),
    /// Another one each time.
    Invented,
    /// The victim's, and its virtual router's: on the other side only.
    OfVictim,
    OfVirtual,
    /// B's: on the victim's side only.
    OfPeer,
    /// The bridge's own, on this side and on the other.
    OfBridge(Side),
}

/// Whose address, or which destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Victims,
    Virtuals,
    Peers,
    Bridges,
    /// The bridge's link-local address of a side.
    LinkLocal(Side),
    /// Another one each time.
    Any,
}

/// What it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unicast(Whose),
    TooLong(Whose),
    ArpRequest(Whose),
    /// Says that it has this address, to this one.
    ArpReply(Whose, Whose),
    /// The same to all.
    ArpClaim(Whose),
    /// The victim's MAC is inside, whatever is outside.
    ArpInside(Whose),
    ArpProbe(Whose),
    Solicits(Whose),
    SolicitsAs(Whose),
    Advertises(Whose),
    Dad(Whose),
    Echo,
    Bpdu,
    RouterAdvertisement,
    /// The bridge's last own frame on this side, back as it was; or its first, whichever side it was on.
    Reflects,
    Replays(Side),
    Noise,
}

/// One of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Attacker {
    side: Side,
    from: Source,
    kind: Kind,
    per_second: u32,
    frames: u32,
    /// When it begins.
    millisecond: u64,
}

/// What the victim does meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Victim {
    home: Side,
    listed: Listed,
    /// The bridge answers on behalf of members.
    answering: bool,
    does: Does,
}

/// How the victim lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Does {
    /// It uses all services.
    Speaks,
    /// It says nothing but answers.
    Listens,
    /// It was on the other side before, and uses all services from two seconds after its first frame on.
    Moves,
}

/// So long the victim is served.
const COURSE: Duration = Duration::from_secs(4);

/// So long a move may take (docs/spec F199).
const MOVE: Duration = Duration::from_secs(2);

/// Limits of a small exchange: some hundred frames reach them.
fn scene(victim: Victim) -> Scene {
    let scene = Scene::new(victim.home, victim.listed)
        .plus("storm: { side: { broadcast: { rate: 100/s, burst: 160 }, multicast: { rate: 100/s, burst: 160 } }, mac: { rate: 30/s, burst: 60 } }")
        .plus("macs: { capacity: 64, new: { rate: 50/s, burst: 50 } }")
        .plus("neighbours: { capacity: 256, per_mac: 16 }")
        .plus("answers: { rate: 100/s, burst: 100 }")
        .plus("unknown_unicast: { rate: 50/s, burst: 50 }")
        .plus("mtu_errors: { source: { rate: 10/s, burst: 20 }, mac: { rate: 50/s, burst: 40 }, side: { rate: 200/s, burst: 80 } }");
    if victim.answering { scene.answering() } else { scene }
}

impl Victim {
    fn served(self, attackers: &[Attacker]) -> Vec<Service> {
        let scene = scene(self);
        let mut course = if self.does == Moves { scene.elsewhere() } else { scene.known() };
        let mut senders: Vec<_> = attackers.iter().map(|attacker| attacker.sender(&course)).collect();
        match self.does {
            Speaks => course.serve((COURSE, Duration::ZERO), 5, senders).services,
            Listens => course.overhear(COURSE, senders),
            Moves => {
                let here = |number| unicast(B, if number % 2 == 0 { V } else { VRRP });
                senders.push(Sender::new(self.home, 2, here).until(MOVE));
                course.serve((MOVE + COURSE, MOVE), 5, senders).services
            }
        }
    }

    /// Without attackers, reckoned once.
    fn alone(self) -> Vec<Service> {
        static ALONE: Mutex<Option<HashMap<Victim, Vec<Service>>>> = Mutex::new(None);
        let known = ALONE.lock().unwrap().as_ref().and_then(|known| known.get(&self).cloned());
        known.unwrap_or_else(|| {
            let services = self.served(&[]);
            let full = services.iter().all(|service| service.delivered == service.offered);
            assert!(full, "served without attackers: {services:?}");
            ALONE.lock().unwrap().get_or_insert_default().insert(self, services.clone());
            services
        })
    }
}

impl Attacker {
    fn sender(self, course: &Course) -> Sender<'static> {
        let Attacker { side, from, kind, per_second, frames, millisecond } = self;
        let begin = Duration::from_millis(millisecond);
        let heard = course.heard.clone();
        let frame = move |number| match kind {
            Reflects => heard.borrow().last[side.index()].clone().unwrap_or_default(),
            Replays(sent) => heard.borrow().first[sent.index()].clone().unwrap_or_default(),
            kind => kind.frame(side, from, number),
        };
        Sender::new(side, per_second, frame)
            .after(begin)
            .until(begin + Duration::from_secs(1) / per_second * frames)
    }

    /// The same where it counts. What does not: the victim's MAC on the victim's side, where it is or was, and B's on B's.
    fn that_counts(self, victim: Victim) -> Attacker {
        let (home, away) = (victim.home, victim.home.other());
        match self.from {
            OfVictim | OfVirtual if victim.does == Moves => Attacker { from: Stranger(1), ..self },
            OfVictim | OfVirtual => Attacker { side: away, ..self },
            OfPeer => Attacker { side: home, ..self },
            _ => self,
        }
    }
}

fn own(side: Side) -> [u8; 6] {
    if side == M { MAC_M } else { MAC_W }
}

impl Source {
    fn mac(self, side: Side, number: u32) -> [u8; 6] {
        match self {
            Stranger(one) => station(one.into()),
            Crowd(size) => station(1000 + number % u32::from(size)),
            Invented => station(1 << 20 | u32::from(side == M) << 16 | number),
            OfVictim => V,
            OfVirtual => VRRP,
            OfPeer => B,
            OfBridge(side) => own(side),
        }
    }
}

impl Whose {
    fn mac(self, side: Side, number: u32) -> [u8; 6] {
        match self {
            Victims => V,
            Virtuals => VRRP,
            Peers => B,
            Bridges => own(side),
            LinkLocal(side) => own(side),
            Any => station(1 << 21 | number),
        }
    }

    fn ip4(self, number: u32) -> String {
        match self {
            Victims | Virtuals => IP4_V.to_owned(),
            Peers => IP4_B.to_owned(),
            Bridges | LinkLocal(_) => OWN4.to_owned(),
            Any => format!("202.7.1.{}", 1 + number % 200),
        }
    }

    fn ip6(self, number: u32) -> String {
        match self {
            Victims | Virtuals => IP_V.to_owned(),
            Peers => IP_B.to_owned(),
            Bridges => OWN6.to_owned(),
            LinkLocal(Side::First) => "fe80::51:ff:fe00:a".to_owned(),
            LinkLocal(Side::Second) => "fe80::51:ff:fe00:14".to_owned(),
            Any => format!("2001:7fa:3:ca07::1:{:x}", number % 0xffff),
        }
    }
}

impl Kind {
    fn frame(self, side: Side, from: Source, number: u32) -> Vec<u8> {
        let src = from.mac(side, number);
        let (me4, me6) = ("202.7.0.77", "2001:7fa:3:ca07::77");
        let request =
            |sha, spa: &str, tpa: &str| ether(BROADCAST, src, 0x0806, &arp(1, sha, spa, [0; 6], tpa));
        match self {
            Unicast(to) => unicast(to.mac(side, number), src),
            TooLong(to) => {
                let source = format!("2001:db8:{:x}:{:x}::1", number >> 16, number & 0xffff);
                ether(
                    to.mac(side, number),
                    src,
                    0x86dd,
                    &ipv6(&source, "2001:db8:ffff::1", 17, 64, &[7; 1400]),
                )
            }
            ArpRequest(about) => request(src, me4, &about.ip4(number)),
            ArpReply(whose, to) => {
                let dst = to.mac(side, number);
                arp_frame((dst, src), &arp(2, src, &whose.ip4(number), dst, &to.ip4(number)))
            }
            ArpClaim(whose) => request(src, &whose.ip4(number), &whose.ip4(number)),
            ArpInside(to) => {
                let dst = to.mac(side, number);
                arp_frame((dst, src), &arp(2, V, IP4_V, dst, &to.ip4(number)))
            }
            ArpProbe(about) => request(src, "0.0.0.0", &about.ip4(number)),
            Solicits(about) => who_has6(src, me6, &about.ip6(number)),
            SolicitsAs(whose) => who_has6(src, &whose.ip6(number), IP_B),
            Advertises(whose) => advertisement((ALL_NODES.1, src), ALL_NODES.0, R | O, &whose.ip6(number)),
            Dad(about) => dad(src, &about.ip6(number)),
            Echo => {
                let message = icmp6_sum(me6, OWN6, &[128, 0, 0, 0, 0, 1, 0, 1]);
                ether(own(side), src, 0x86dd, &ipv6(me6, OWN6, 58, 64, &message))
            }
            Bpdu => [&[0x01, 0x80, 0xc2, 0, 0, 0][..], &src, &[0, 38, 0x42, 0x42, 3], &[0; 43]].concat(),
            RouterAdvertisement => {
                let message = [&[134, 0, 0, 0, 64, 0, 7, 8][..], &[0; 8]].concat();
                ether(ALL_NODES.1, src, 0x86dd, &icmp6("fe80::77", ALL_NODES.0, 255, &message))
            }
            Reflects | Replays(_) | Noise => {
                let mut frame = [&B[..], &src].concat();
                frame.extend(
                    (0..60)
                        .map(|at: u32| (number.wrapping_mul(0x9e37_79b9).wrapping_add(at * at) >> 7) as u8),
                );
                frame
            }
        }
    }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::First), Just(Side::Second)]
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        3 => Just(Victims),
        1 => Just(Virtuals),
        1 => Just(Peers),
        1 => Just(Bridges),
        1 => side().prop_map(LinkLocal),
        2 => Just(Any)
    ]
}

fn from() -> impl Strategy<Value = Source> {
    prop_oneof![
        2 => (1..4u8).prop_map(Stranger),
        2 => (2..500u16).prop_map(Crowd),
        1 => Just(Invented),
        3 => Just(OfVictim),
        1 => Just(OfVirtual),
        1 => Just(OfPeer),
        1 => side().prop_map(OfBridge)
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => whose().prop_map(Unicast),
        1 => whose().prop_map(TooLong),
        1 => whose().prop_map(ArpRequest),
        2 => (whose(), whose()).prop_map(|(whose, to)| ArpReply(whose, to)),
        1 => whose().prop_map(ArpClaim),
        1 => whose().prop_map(ArpInside),
        1 => whose().prop_map(ArpProbe),
        1 => whose().prop_map(Solicits),
        1 => whose().prop_map(SolicitsAs),
        1 => whose().prop_map(Advertises),
        1 => whose().prop_map(Dad),
        1 => Just(Echo),
        1 => Just(Bpdu),
        1 => Just(RouterAdvertisement),
        1 => Just(Reflects),
        1 => side().prop_map(Replays),
        1 => Just(Noise)
    ]
}

/// From 1/s to 50,000/s, as many of each order of magnitude.
fn rate() -> impl Strategy<Value = u32> {
    (0.0..50_000f64.ln()).prop_map(|log| log.exp() as u32)
}

fn attacker() -> impl Strategy<Value = Attacker> {
    let frames = prop_oneof![15 => 1..600u32, 1 => 600..5000u32];
    let parts = (side(), from(), kind(), rate(), frames, 0..3000u64);
    parts.prop_map(|(side, from, kind, per_second, frames, millisecond)| Attacker {
        side,
        from,
        kind,
        per_second,
        frames,
        millisecond,
    })
}

fn victim() -> impl Strategy<Value = Victim> {
    let lives = prop_oneof![
        3 => Just((Pinned, Speaks)),
        1 => Just((Pinned, Listens)),
        3 => Just((Roaming, Speaks)),
        2 => Just((Roaming, Listens)),
        2 => Just((Roaming, Moves))
    ];
    (side(), lives, any::<bool>()).prop_map(|(home, (listed, does), answering)| Victim {
        home,
        listed,
        answering,
        does,
    })
}

fn timeline() -> impl Strategy<Value = (Victim, Vec<Attacker>)> {
    (victim(), prop::collection::vec(attacker(), 1..=6)).prop_map(|(victim, attackers)| {
        (victim, attackers.into_iter().map(|attacker| attacker.that_counts(victim)).collect())
    })
}

/// What the attackers take more than a tenth of.
fn taken(victim: Victim, attackers: &[Attacker]) -> Vec<Service> {
    let mut services = victim.served(attackers);
    let alone = victim.alone();
    assert_eq!(services.len(), alone.len());
    let mut alone = alone.iter().map(|service| service.delivered);
    services.retain(|service| alone.next().is_some_and(|alone| service.delivered * 10 < alone * 9));
    services
}

/// The victim keeps nine tenths of what it has without attackers.
#[track_caller]
fn holds(victim: Victim, attackers: &[Attacker]) {
    let taken = taken(victim, attackers);
    assert!(taken.is_empty(), "{taken:?}");
}

/// So many, which `scripts/attacks` asks for; or a few.
fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |number| number.parse().unwrap_or_else(|_| panic!("{name}={number}")))
}

#[test]
fn random_attackers_take_no_more_than_a_tenth_from_a_listed_victim() {
    let (timelines, seed) = (number("ATTACKS", 200), number("ATTACKS_SEED", 1));
    let shows = std::env::var_os("ATTACKS").is_some();
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let runs = Runs {
        cases: timelines as u32,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Runs::default()
    };
    let mut runner = TestRunner::new_with_rng(runs, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let tried = std::cell::Cell::new(0u64);
    let found = runner.run(&timeline(), |(victim, attackers)| {
        tried.set(tried.get() + 1);
        if shows && tried.get().is_multiple_of((timelines / 50).max(1)) {
            eprintln!("{} timelines of {timelines}", tried.get());
        }
        let taken = taken(victim, &attackers);
        prop_assert!(taken.is_empty(), "{taken:?}");
        Ok(())
    });
    match found {
        Ok(()) => {}
        Err(TestError::Fail(why, (victim, attackers))) => {
            panic!("seed {seed}: {why}\n    holds({victim:?}, &{attackers:?});")
        }
        Err(TestError::Abort(why)) => panic!("seed {seed}: {why}"),
    }
}

#[test]
fn duplicate_address_detection_for_a_members_address_does_not_use_up_its_own_limit() {
    let victim = Victim { home: M, listed: Pinned, answering: false, does: Speaks };
    let looks =
        |side, kind| Attacker { side, from: Crowd(9), kind, per_second: 400, frames: 600, millisecond: 0 };
    holds(victim, &[looks(M, Dad(Peers)), looks(W, Dad(Victims))]);
}
