//! docs/spec F.8, F195 to F200 and F211: listed stations have room whatever strangers do, and who is alive stays where it is.

use std::net::Ipv6Addr;
use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use pipeline::table::fdb::Place;
use rules::Side;

/// The station that all is about.
const V: [u8; 6] = station(0xf077);
const V4: &str = "202.7.0.77";
const V6: &str = "2001:7fa:3:ca07::77";
/// Known on M, and on W.
const Y: [u8; 6] = station(0xf002);
const Z: [u8; 6] = station(0xf003);

const NO_LIMITS: &str = "unknown_unicast: { rate: 1000000/s, burst: 1000000 }";

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Cd with these members.
fn listing(members: &[String]) -> Config {
    let list: String = members.iter().map(|member| format!("\n      - {{ {member} }}")).collect();
    Config::cd().with("members: []", &format!("members:{list}"))
}

/// V as the YAML lists it, without a side.
fn listed() -> String {
    format!("name: V, mac: \"{}\", ipv4: [{V4}], ipv6: [\"{V6}\"]", mac(V))
}

/// A bridge that sends, on a clock that goes in steps of 10 ms; and V, which may answer what it is asked.
struct World {
    bench: Bench,
    now: u64,
    /// Who was asked: when (ms), on which side, for what.
    asked: Vec<(u64, Side, Vec<u8>)>,
    /// V hears questions on this side, and answers after so many milliseconds.
    alive: Option<(Side, u64)>,
    answers: Vec<(u64, Vec<u8>)>,
}

impl World {
    /// X on M uses the MAC of V, which answers on W, until it is refused without questions.
    fn misuse(&mut self) {
        while self.events("mac_flapping") == 0 {
            assert_eq!(self.says(M, &unicast(Z, V)), "mac_both_sides");
            self.pass(1000);
            assert!(self.is_on(W) && self.now < 60_000);
        }
    }

    /// Y and Z are known, V too, on W; the bridge has its own addresses.
    fn new(config: &Config) -> World {
        let mut world =
            World { bench: config.live(), now: 0, asked: Vec::new(), alive: None, answers: Vec::new() };
        for _ in 0..5 {
            world.pass(1000);
        }
        for _ in 0..2 {
            world.says(M, &unicast(Z, Y));
            world.says(W, &unicast(Y, Z));
        }
        world.says(W, &arp_frame((Y, V), &arp(1, V, V4, [0; 6], "202.7.0.2")));
        assert_eq!(world.bench.place(V), Some(Place::Side(W)));
        world
    }

    /// What a side says; what became of it.
    fn says(&mut self, side: Side, frame: &[u8]) -> String {
        let got = self.bench.exchange(side, frame);
        let across = got.across.into_iter().map(|frame| (side.other(), frame));
        let all: Vec<_> = across.chain(got.back.into_iter().map(|frame| (side, frame))).collect();
        all.into_iter().filter(|(_, sent)| sent != frame).for_each(|(side, frame)| self.sent(side, frame));
        got.outcome
    }

    fn sent(&mut self, side: Side, frame: Vec<u8>) {
        if frame[..6] == V {
            if let Some((_, delay)) = self.alive.filter(|(here, _)| *here == side) {
                self.answers.push((self.now + delay, answer(&frame)));
            }
            self.asked.push((self.now, side, frame));
        }
    }

    /// Lets so many milliseconds pass.
    fn pass(&mut self, time: u64) {
        for _ in 0..time / 10 {
            self.bench.wait(milliseconds(10));
            self.now += 10;
            for (side, frame) in self.bench.own() {
                self.sent(side, frame);
            }
            let due = std::mem::take(&mut self.answers);
            let (due, later) = due.into_iter().partition(|(at, _)| *at <= self.now);
            self.answers = later;
            for (_, frame) in due {
                if let Some((side, _)) = self.alive {
                    self.says(side, &frame);
                }
            }
        }
    }

    fn is_on(&self, side: Side) -> bool {
        self.bench.place(V) == Some(Place::Side(side))
    }

    fn events(&self, name: &str) -> usize {
        self.bench.events().iter().filter(|event| **event == (name.to_owned(), mac(V))).count()
    }
}

/// V's answer to a question, as a host sends it.
fn answer(question: &[u8]) -> Vec<u8> {
    let asking: [u8; 6] = question[6..12].try_into().unwrap();
    if question[12..14] == [8, 6] {
        let spa = std::net::Ipv4Addr::new(question[28], question[29], question[30], question[31]);
        return arp_frame((asking, V), &arp(2, V, V4, asking, &spa.to_string()));
    }
    let from: [u8; 16] = question[22..38].try_into().unwrap();
    let (to, flags) = (Ipv6Addr::from(from), R | S | O);
    match to.is_unspecified() {
        true => advertisement((ALL_NODES.1, V), ALL_NODES.0, R | O, V6),
        false => advertisement((asking, V), &to.to_string(), flags, V6),
    }
}

/// Under both: V listed without a side, and V a stranger.
fn both() -> [Config; 2] {
    [listing(&[listed()]), Config::cd()].map(|config| config.plus(NO_LIMITS))
}

#[test]
fn f195_a_listed_station_is_learned_with_its_first_frame_whatever_strangers_spend() {
    let mut bench = listing(&[listed()]).bench();
    bench.crosses(M, &unicast(Z, Y));
    for n in 0..10_000 {
        bench.wait(milliseconds(1));
        bench.pour(W, &unicast(Y, station(n)));
    }
    assert!(bench.count("mac_new_limit") > 8000);
    bench.drops(W, &unicast(Y, station(0xdead)), "mac_new_limit");
    bench.crosses(W, &unicast(Y, V));
    assert_eq!(bench.place(V), Some(Place::Side(W)));
    bench.crosses(M, &unicast(V, Y));
}

#[test]
fn f195_listed_stations_do_not_count_in_the_capacity() {
    let members: Vec<String> =
        (0..100).map(|n| format!("name: m{n}, mac: \"{}\"", mac(station(n)))).collect();
    for side in [M, W] {
        let config = listing(&members).plus("macs: { capacity: 1 }").plus(NO_LIMITS);
        let mut bench = config.bench();
        bench.crosses(side, &unicast(Z, Y));
        bench.drops(side, &unicast(Z, station(1000)), "mac_table_full");
        for n in 0..100 {
            bench.crosses(side, &unicast(Z, station(n)));
        }
        bench.drops(side, &unicast(Z, station(1000)), "mac_table_full");
        bench.crosses(side, &unicast(Z, Y));
    }
}

#[test]
fn f195_what_is_known_of_a_station_goes_along_when_a_reload_lists_it_and_strikes_it_off() {
    let drop = "unknown_unicast: drop";
    let stranger = Config::cd().plus(drop);
    let other = "name: o, mac: \"02:00:00:00:00:99\"".to_owned();
    let [one, two] = [vec![listed()], vec![other, listed()]].map(|list| listing(&list).plus(drop));
    let mut bench = stranger.bench();
    bench.drops(W, &unicast(Y, V), "unknown_unicast");
    for config in [&one, &one, &two, &stranger, &two, &stranger, &one] {
        bench.reload(config);
        assert_eq!(bench.place(V), Some(Place::Side(W)));
        bench.crosses(M, &unicast(V, Y));
        bench.drops(M, &unicast(Z, V), "mac_both_sides");
    }
    assert_eq!(bench.cause("mac_new"), 2, "V and Y");
    // and its quarantine
    let quarantined = |config: &Config| config.clone().plus("macs: { flap: { moves: 1 } }");
    bench.reload(&quarantined(&stranger));
    bench.wait(Duration::from_secs(2)).drops(M, &unicast(Z, V), "mac_flapping");
    for config in [&one, &two, &stranger].map(quarantined) {
        bench.reload(&config);
        bench.drops(W, &unicast(Y, V), "mac_flapping");
    }
}

/// V on W, M full of strangers.
fn full_of_strangers(members: &[String]) -> Config {
    listing(members).plus("macs: { capacity: 4 }").plus(NO_LIMITS)
}

#[test]
fn f196_a_listed_station_moves_to_a_side_that_strangers_have_filled() {
    let mut world = World::new(&full_of_strangers(&[listed()]));
    for n in 0..10 {
        world.says(M, &unicast(Z, station(n)));
    }
    assert!(world.bench.count("mac_table_full") > 0);
    let full = world.bench.count("mac_table_full");
    world.pass(2000);
    assert_eq!(world.says(M, &unicast(Z, V)), "mac_both_sides");
    world.pass(2000);
    assert_eq!(world.says(M, &unicast(Z, V)), "forwarded");
    assert!(world.is_on(M));
    assert_eq!(world.bench.count("mac_table_full"), full);
}

#[test]
fn f196_it_does_so_under_the_guard_alone_too() {
    let mut bench = full_of_strangers(&[listed()]).bench();
    bench.crosses(W, &unicast(Y, V));
    for n in 0..10 {
        bench.pour(M, &unicast(Z, station(n)));
    }
    bench.wait(Duration::from_secs(2)).crosses(M, &unicast(Z, V));
}

#[test]
fn f198_a_quiet_station_that_answers_stays_where_it_is() {
    for (config, delay) in both().into_iter().flat_map(|config| [0, 400].map(|delay| (config.clone(), delay)))
    {
        let config = config.plus("macs: { flap: { moves: 16 } }");
        let mut world = World::new(&config);
        world.alive = Some((W, delay));
        world.pass(5000);
        for _ in 0..20 {
            assert_eq!(world.says(M, &unicast(Z, V)), "mac_both_sides");
            assert!(world.is_on(W));
            assert_eq!(world.says(M, &unicast(V, Y)), "forwarded");
            world.pass(500);
        }
        assert_eq!(world.events("mac_both_sides"), 20);
        assert_eq!((world.events("mac_moved"), world.events("mac_flapping")), (0, 0));
        assert!((8..=60).contains(&world.asked.len()), "{} questions", world.asked.len());
        assert!(world.asked.iter().all(|(_, side, _)| *side == W), "nothing goes to the challenger's side");
    }
}

#[test]
fn f198_one_that_answers_for_ipv6_alone_stays_too() {
    let six = format!("name: V, mac: \"{}\", ipv6: [\"{V6}\"]", mac(V));
    let mut world = World::new(&listing(&[six]).plus(NO_LIMITS));
    // what it said in ARP is known as well, and it does not answer that
    world.alive = Some((W, 10));
    world.pass(5000);
    for _ in 0..4 {
        assert_eq!(world.says(M, &unicast(Z, V)), "mac_both_sides");
        world.answers.retain(|(_, frame)| frame[12..14] == [0x86, 0xdd]);
        world.pass(1000);
    }
    assert!(world.is_on(W));
    assert!(world.asked.iter().any(|(_, _, frame)| frame[12..14] == [0x86, 0xdd]));
}

#[test]
fn f198_one_without_a_known_address_goes_by_the_guard_alone() {
    let mut world = World::new(&Config::cd().plus(NO_LIMITS));
    let x = station(5);
    world.says(W, &unicast(Y, x));
    world.pass(500);
    assert_eq!(world.says(M, &unicast(Z, x)), "mac_both_sides");
    world.pass(2000);
    assert_eq!(world.says(M, &unicast(Z, x)), "forwarded");
}

#[test]
fn f198_a_bridge_that_sends_nothing_goes_by_the_guard_alone() {
    for config in both() {
        let mut bench = config.bench();
        bench.send(W, &arp_frame((Y, V), &arp(1, V, V4, [0; 6], "202.7.0.2")));
        bench.wait(Duration::from_secs(2)).crosses(M, &unicast(Z, V));
    }
}

#[test]
fn f198_one_that_speaks_by_itself_is_never_asked() {
    for config in both() {
        let mut world = World::new(&config);
        for _ in 0..50 {
            assert_eq!(world.says(W, &unicast(Y, V)), "forwarded");
            world.pass(100);
            assert_eq!(world.says(M, &unicast(Z, V)), "mac_both_sides");
            world.pass(100);
        }
        assert!(world.is_on(W) && world.asked.is_empty(), "{:02x?}", world.asked);
        assert_eq!(world.events("mac_flapping"), 0);
    }
}

#[test]
fn f198_the_questions_to_one_station_are_bounded() {
    for config in both() {
        let mut world = World::new(&config.plus("macs: { flap: { moves: 16 } }"));
        world.alive = Some((W, 400));
        world.pass(5000);
        for _ in 0..1000 {
            world.says(M, &unicast(Z, V));
            world.pass(10);
        }
        // a second brings one verification, of two tries for three addresses at the most
        let most = |from: u64| world.asked.iter().filter(|(at, ..)| (from..from + 1000).contains(at)).count();
        let busiest = (0..world.now).step_by(100).map(most).max();
        assert!(busiest.is_some_and(|busiest| (1..=6).contains(&busiest)), "{busiest:?}");
        assert!(world.is_on(W));
    }
}

#[test]
fn f199_a_station_that_has_moved_crosses_within_two_seconds() {
    for config in both() {
        // how long before its first frame on M it was last heard on W, at every place of a tick
        for (idle, phase) in
            [0, 100, 240, 500, 740, 990, 1250, 5000].into_iter().zip([0, 30, 120, 240].iter().cycle())
        {
            let mut world = World::new(&config);
            world.pass(*phase);
            world.says(W, &unicast(Y, V));
            world.pass(idle);
            assert_eq!(world.says(M, &unicast(Z, V)), "mac_both_sides");
            world.pass(1000);
            world.says(M, &unicast(Z, V));
            world.pass(1000);
            assert_eq!(world.says(M, &unicast(Z, V)), "forwarded", "heard {idle} ms before");
            assert!(world.is_on(M));
            assert_eq!(world.events("mac_moved"), 1);
        }
    }
}

#[test]
fn f199_traffic_follows_before_it_speaks_again() {
    for config in both() {
        let mut world = World::new(&config);
        world.pass(300);
        assert_eq!(world.says(M, &unicast(Z, V)), "mac_both_sides");
        world.pass(1700);
        assert_eq!(world.says(W, &unicast(V, Z)), "forwarded");
        assert_eq!(world.says(M, &unicast(V, Y)), "dst_local");
    }
}

#[test]
fn f199_a_move_never_ends_in_quarantine_on_both_sides() {
    for config in both() {
        let mut world = World::new(&config);
        let mut side = W;
        for _ in 0..12 {
            side = side.other();
            world.pass(3000);
            let peer = if side == M { Z } else { Y };
            for _ in 0..3 {
                world.says(side, &arp_frame((peer, V), &arp(1, V, V4, [0; 6], "202.7.0.2")));
                world.pass(1000);
            }
            assert!(world.is_on(side));
        }
        assert_eq!((world.events("mac_moved"), world.events("mac_flapping")), (12, 0));
    }
}

#[test]
fn f199_a_capture_whose_frames_are_a_second_apart_has_its_timers_in_between() {
    // nothing but the mover's own frames moves the clock
    let mut bench = listing(&[listed()]).plus(NO_LIMITS).live();
    for _ in 0..5 {
        bench.wait(milliseconds(1000)).own();
    }
    let outcomes: Vec<String> = [(W, 1000), (W, 10_000), (M, 1000), (M, 1000), (M, 1000)]
        .into_iter()
        .map(|(side, wait)| {
            bench.wait(milliseconds(wait));
            bench.exchange(side, &unicast(if side == M { Z } else { Y }, V)).outcome
        })
        .collect();
    assert_eq!((outcomes[2].as_str(), outcomes[4].as_str()), ("mac_both_sides", "forwarded"));
}

#[test]
fn f200_only_the_challengers_side_refuses_it_and_for_the_hold() {
    for config in both() {
        let mut world = World::new(&config.plus("macs: { flap: { moves: 5, within: 180s, hold: 60s } }"));
        world.alive = Some((W, 20));
        let mut held = None;
        for second in 0..70 {
            assert_eq!(world.says(W, &arp_frame((Y, V), &arp(1, V, V4, [0; 6], "202.7.0.2"))), "forwarded");
            assert_eq!(world.says(M, &unicast(V, Y)), "forwarded");
            world.pass(1000);
            assert_eq!(world.says(M, &unicast(Z, V)), "mac_both_sides");
            world.pass(1000);
            assert!(world.is_on(W));
            if world.events("mac_flapping") == 1 && held.is_none() {
                held = Some((second, world.now, world.asked.len()));
            }
            if let Some((_, at, asked)) = held
                && world.now < at + 58_000
            {
                assert_eq!(world.asked.len(), asked, "asked while its challenger is refused");
            }
        }
        assert!(held.is_some_and(|(second, ..)| second == 4), "{held:?}");
        assert!(world.events("mac_flapping") >= 2, "after the hold it is looked into again");
        assert_eq!(world.bench.count("mac_flapping"), 0);
    }
}

#[test]
fn f199_a_station_moves_also_to_a_side_where_its_mac_was_misused() {
    for config in both() {
        let mut world = World::new(&config);
        world.alive = Some((W, 20));
        world.misuse();
        // V is patched over, which takes a moment
        world.alive = None;
        world.pass(5000);
        for _ in 0..2 {
            world.says(M, &unicast(Z, V));
            world.pass(1000);
        }
        assert_eq!(world.says(M, &unicast(Z, V)), "forwarded");
        assert!(world.is_on(M));
    }
}

#[test]
fn f200_one_that_answers_stays_while_its_challenger_is_refused_and_is_asked_little() {
    for config in both() {
        let mut world = World::new(&config);
        world.alive = Some((W, 20));
        world.misuse();
        let asked = world.asked.len();
        for _ in 0..300 {
            assert_eq!(world.says(M, &unicast(Z, V)), "mac_both_sides");
            assert!(world.is_on(W));
            world.pass(200);
        }
        let questions = world.asked.len() - asked;
        assert!(questions <= 3 * 60 / 5, "{questions} in a minute");
    }
}

#[test]
fn f198_a_flood_of_challenges_fills_nothing_and_delays_no_listed_mover() {
    let rates = "macs: { capacity: 4096, new: { rate: 1000000/s, burst: 1000000 } }";
    let mut world = World::new(&listing(&[listed()]).plus(rates).plus(NO_LIMITS));
    let address = |n: u32| format!("202.7.{}.{}", n / 250 % 2, 1 + n % 250);
    for n in 0..4000 {
        let six = format!("2001:7fa:3:ca07::1:{n:x}");
        let frame = match n < 300 {
            true => arp_frame((Y, station(n)), &arp(1, station(n), &address(n + 100), [0; 6], "202.7.0.2")),
            false => ether(
                Y,
                station(n),
                0x86dd,
                &icmp6(&six, "2001:7fa:3:ca07::2", 255, &na(O, &six, &lladdr(2, station(n)))),
            ),
        };
        world.bench.wait(Duration::from_micros(500)).pour(W, &frame);
    }
    assert!(world.bench.neighbours() > 3900);
    world.bench.wait(Duration::from_secs(2));
    let mut crossed = None;
    let mut asked = 0;
    for n in 0..30_000_u32 {
        world.bench.wait(Duration::from_micros(100));
        let x = station(n % 4000);
        let sent = world.bench.feed(M, &unicast(Z, x));
        let question = |frame: &[u8]| frame[..2] == [0x02, 0xcc] && frame[16..18] != [8, 0];
        assert!(
            sent.iter().all(|sent| sent.at.side == W || !question(&sent.frame)),
            "to the challenger's side"
        );
        asked += sent.iter().filter(|sent| question(&sent.frame)).count();
        if n % 10_000 == 0 && world.says(M, &unicast(Z, V)) == "forwarded" && crossed.is_none() {
            crossed = Some(n);
        }
    }
    assert!(crossed.is_some_and(|n| n <= 20_000), "the listed station crossed at {crossed:?}");
    // 500 verifications a second and their burst, of two tries for one address
    assert!(asked <= 2 * (500 + 3 * 500) + 10, "{asked} questions in three seconds");
    world.bench.balanced();
}

#[test]
fn f198_a_virtual_mac_is_not_asked_for_an_address_that_another_mac_of_its_member_has() {
    const VIRTUAL: [u8; 6] = [0, 0, 0x5e, 0, 1, 7];
    let macs = format!("macs: [\"{}\", \"{}\"]", mac(V), mac(VIRTUAL));
    let member = format!("name: V, {macs}, ipv4: [{V4}, 202.7.0.78]");
    let mut bench = listing(&[member]).plus(NO_LIMITS).live();
    for _ in 0..5 {
        bench.wait(milliseconds(1000)).own();
    }
    bench.exchange(W, &arp_frame((Y, V), &arp(1, V, V4, [0; 6], "202.7.0.2")));
    bench.exchange(W, &unicast(Y, VIRTUAL));
    bench.wait(milliseconds(5000));
    let mut asked = bench.exchange(M, &unicast(Z, VIRTUAL)).across;
    asked.extend(bench.wait(milliseconds(100)).own().into_iter().map(|(_, frame)| frame));
    let question = arp_frame((VIRTUAL, MAC_W), &arp(1, MAC_W, "202.7.1.254", [0; 6], "202.7.0.78"));
    assert_eq!(asked, [question]);
}

#[test]
fn f211_a_station_that_answers_does_not_age() {
    let mut world = World::new(&Config::cd().plus("unknown_unicast: drop"));
    world.alive = Some((W, 50));
    for second in 0..1000 {
        assert_eq!(world.says(M, &unicast(V, Y)), "forwarded", "{second} s");
        world.pass(1000);
    }
    let times: Vec<u64> = world.asked.iter().map(|(at, ..)| at / 1000).collect();
    assert_eq!(times.len(), 3, "once each time: {times:?}");
}

#[test]
fn f211_one_that_does_not_answer_is_asked_once_and_ages() {
    let mut world = World::new(&Config::cd().plus("unknown_unicast: drop"));
    for _ in 0..299 {
        assert_eq!(world.says(M, &unicast(V, Y)), "forwarded");
        world.pass(1000);
    }
    world.pass(3000);
    assert_eq!(world.says(M, &unicast(V, Y)), "unknown_unicast");
    assert_eq!(world.asked.len(), 1, "{:02x?}", world.asked);
    assert!((270_000..275_000).contains(&(world.asked[0].0 - 5000)), "{}", world.asked[0].0);
}

#[test]
fn f211_listed_stations_keep_their_last_side() {
    for hours in [1, 2, 24, 24 * 365] {
        let other = "name: o, side: wix, mac: \"02:cc:00:00:f0:03\"".to_owned();
        let mut bench = listing(&[listed(), other]).plus("unknown_unicast: drop").bench();
        bench.drops(W, &unicast(Y, V), "unknown_unicast");
        bench.wait(Duration::from_secs(3600 * hours)).crosses(M, &unicast(V, Y));
        bench.crosses(W, &unicast(Y, V));
        bench.wait(Duration::from_secs(3600 * hours)).crosses(M, &unicast(Z, V));
        assert_eq!(bench.cause("mac_move"), 1);
    }
}

#[test]
fn f198_a_station_whose_address_another_one_claimed_first_is_asked_all_the_same() {
    let mut world = World::new(&Config::cd().plus(NO_LIMITS));
    let late = station(0xf088);
    let claim = |dst, src| arp_frame((dst, src), &arp(1, src, "202.7.0.88", [0; 6], "202.7.0.2"));
    assert_eq!(world.says(M, &claim(Z, Y)), "forwarded");
    world.pass(1000);
    assert_eq!(world.says(W, &claim(Y, late)), "forwarded");
    world.pass(2000);
    assert_eq!(world.says(M, &unicast(Z, late)), "mac_both_sides");
    assert_eq!(world.bench.place(late), Some(Place::Side(W)));
}
