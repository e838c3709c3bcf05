//! docs/spec B.1, F34 to F36: loops are found by our own probes, hold flooding alone, and heal. No frame that we did not
//! just send holds anything.

use std::time::Duration;

use crate::frames::*;
use crate::harness::*;
use rules::Side;

const OWN4: &str = "202.7.1.254";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// C0 with probes.
fn config() -> Config {
    Config::c0().with("loop: { probe: off }", "loop: { probe: 1s, hold: 60s }")
}

/// A bridge that is sure of its addresses and has just probed.
fn settled(config: &Config) -> Bench {
    let mut bench = config.live();
    for _ in 0..4 {
        bench.own();
        bench.wait(seconds(1));
    }
    bench.own();
    bench
}

/// A second later: this interval's probes.
fn probes(bench: &mut Bench) -> Vec<(Side, Vec<u8>)> {
    bench.wait(seconds(1)).own()
}

/// A second passes in which each probe comes back on the other side.
fn looped(bench: &mut Bench) {
    for (side, probe) in probes(bench) {
        bench.exchange(side.other(), &probe).silent("own_mac");
    }
}

/// So many seconds pass without.
fn clean(bench: &mut Bench, seconds: u64) {
    for _ in 0..seconds {
        probes(bench);
    }
}

fn held(bench: &mut Bench) -> bool {
    !bench.bridge().plan().bridges[0].tables.hold.floods()
}

fn count(bench: &Bench, name: &str) -> usize {
    bench.events().iter().filter(|(event, _)| event == name).count()
}

/// Held after exactly the third loop in a row.
#[track_caller]
fn hold(bench: &mut Bench) {
    for _ in 0..3 {
        assert!(!held(bench));
        looped(bench);
    }
    probes(bench); // the third interval ends
    assert!(held(bench));
}

#[test]
fn probes_are_announcements_with_a_nonce_in_the_padding_each_second_on_each_side() {
    let mut bench = settled(&config());
    let mut nonces = Vec::new();
    for _ in 0..5 {
        let sent = probes(&mut bench);
        assert_eq!(sent.iter().map(|(side, _)| *side).collect::<Vec<_>>(), [M, W]);
        for ((_, frame), own) in sent.into_iter().zip([MAC_M, MAC_W]) {
            let nonce = frame[42..48].to_vec();
            let mut packet = arp(1, own, OWN4, [0; 6], OWN4);
            packet.extend_from_slice(&nonce);
            assert_eq!(frame, arp_frame((BROADCAST, own), &packet));
            nonces.push(nonce);
        }
    }
    let all = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!((nonces.len(), nonces[0] == [0; 6]), (all, false));
    assert_eq!(bench.report().replies, 0);
}

#[test]
fn probes_are_duplicate_address_detection_where_there_is_no_ipv4_address() {
    let own = "own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }";
    let mut bench = settled(&config().with(own, "own: {}"));
    for (side, frame) in probes(&mut bench) {
        let (own, address) =
            if side == M { (MAC_M, "fe80::51:ff:fe00:a") } else { (MAC_W, "fe80::51:ff:fe00:14") };
        assert_eq!(frame, solicitation(own, "::", address, &frame[78..]));
        assert_eq!(frame[78..80], [14, 1]);
    }
    hold(&mut bench);
}

#[test]
fn a_loop_is_found_by_duplicate_address_detection_while_our_ipv4_address_is_somebody_elses() {
    let mut bench = config().live();
    bench.own();
    bench.exchange(M, &arp_request(A, OWN4, OWN4)).silent("ip_conflict_own");
    clean(&mut bench, 5);
    assert_eq!(count(&bench, "own_duplicate"), 1);
    assert!(probes(&mut bench).iter().all(|(_, frame)| frame[12..14] == [0x86, 0xdd]));
    hold(&mut bench);
}

#[test]
fn probe_off_sends_nothing() {
    let mut bench = settled(&Config::c0());
    assert_eq!(probes(&mut bench), []);
}

#[test]
fn f34_probe_that_comes_back_on_its_own_side_holds_nothing() {
    let mut bench = settled(&config());
    for _ in 0..10 {
        for (side, probe) in probes(&mut bench) {
            bench.exchange(side, &probe).silent("own_mac");
        }
    }
    assert!(!held(&mut bench));
    assert_eq!((count(&bench, "probe_reflected"), count(&bench, "loop_suspected")), (20, 0));
    assert_eq!(bench.events().last().map(|(_, mac)| mac.clone()), Some(mac(MAC_W)));
}

#[test]
fn f35_frames_with_our_own_mac_hold_nothing() {
    let mut bench = settled(&config());
    for _ in 0..10 {
        probes(&mut bench);
        for _ in 0..10 {
            bench.exchange(M, &arp_request(MAC_W, OWN4, OWN4)).silent("own_mac");
            bench.exchange(W, &unicast(B, MAC_M)).silent("own_mac");
        }
    }
    assert!(!held(&mut bench));
    assert_eq!(count(&bench, "loop_suspected"), 200);
}

#[test]
fn f36_three_intervals_in_a_row_hold_flooding_and_nothing_else() {
    let config = config().with("admission: members", "admission: learned");
    let mut bench = settled(&config);
    let stranger = station(9);
    bench.crosses(M, &unicast(B, stranger));
    hold(&mut bench);
    assert_eq!(
        (count(&bench, "loop_held"), bench.events().last().unwrap().clone()),
        (1, ("loop_held".to_owned(), mac(MAC_W)))
    );
    // floods neither enter nor leave the held side
    for (side, src, ip4, ip6) in [(M, A, IP4_A, IP_A), (W, B, IP4_B, IP_B)] {
        bench.exchange(side, &arp_request(src, ip4, "202.7.0.77")).silent("loop_hold");
        bench.exchange(side, &who_has6(src, ip6, "2001:7fa:3:ca07::77")).silent("loop_hold");
        bench.exchange(side, &unicast(station(77), src)).silent("loop_hold");
    }
    // known unicast passes
    bench.passes(M, &unicast(B, A));
    bench.passes(W, &unicast6(A, B));
    bench.passes(W, &unicast(stranger, B));
    bench.passes(M, &ether(B, A, 0x0806, &arp(1, A, IP4_A, [0; 6], IP4_B)));
    // and we are there on both sides
    assert_eq!(bench.exchange(M, &arp_request(A, IP4_A, OWN4)).outcome, "answered");
    assert_eq!(bench.exchange(W, &arp_request(B, IP4_B, OWN4)).outcome, "answered");
}

#[test]
fn f36_answers_on_behalf_go_on_while_flooding_is_held() {
    let config = Config::ca().with("loop: { probe: off }", "loop: { probe: 1s, hold: 60s }");
    let mut bench = settled(&config);
    hold(&mut bench);
    bench.answers(M, &golden(1), &golden(2));
}

#[test]
fn f36_who_sends_forged_and_seen_probes_at_full_rate_hides_no_loop() {
    let mut bench = settled(&config());
    for _ in 0..3 {
        let sent = probes(&mut bench);
        let (_, seen) = sent.iter().find(|(side, _)| *side == M).unwrap();
        let forged = arp_request(MAC_W, OWN4, OWN4);
        for number in 0..20_000u32 {
            let mut forged = forged.clone();
            forged.extend([&[1, 1], &number.to_be_bytes()[..], &[0; 12]].concat());
            bench.pour(M, &forged);
            bench.pour(M, seen);
        }
        for (side, probe) in sent {
            bench.pour(side.other(), &probe);
        }
    }
    probes(&mut bench);
    assert!(held(&mut bench));
}

#[test]
fn f36_one_side_that_sees_the_other_ones_probes_is_enough() {
    for from in [M, W] {
        let mut bench = settled(&config());
        for _ in 0..3 {
            assert!(!held(&mut bench));
            let sent = probes(&mut bench);
            let (_, probe) = sent.iter().find(|(side, _)| *side == from).unwrap();
            bench.exchange(from.other(), probe).silent("own_mac");
        }
        probes(&mut bench);
        assert!(held(&mut bench));
        assert_eq!(count(&bench, "loop_held"), 1);
    }
}

#[test]
fn f36_two_in_a_row_hold_nothing() {
    let mut bench = settled(&config());
    for _ in 0..10 {
        looped(&mut bench);
        looped(&mut bench);
        clean(&mut bench, 1);
        assert!(!held(&mut bench));
    }
    clean(&mut bench, 2);
    assert!(!held(&mut bench));
}

#[test]
fn f36_many_copies_in_one_interval_are_one() {
    let mut bench = settled(&config());
    let sent = probes(&mut bench);
    for _ in 0..100 {
        for (side, probe) in &sent {
            bench.exchange(side.other(), probe).silent("own_mac");
        }
    }
    clean(&mut bench, 5);
    assert!(!held(&mut bench));
}

#[test]
fn f36_one_probe_replayed_for_ever_holds_nothing() {
    let mut bench = settled(&config());
    let (side, probe) = probes(&mut bench).remove(0);
    for _ in 0..100 {
        bench.exchange(side.other(), &probe).silent("own_mac");
        clean(&mut bench, 1);
        assert!(!held(&mut bench));
    }
}

#[test]
fn f36_stale_probes_hold_nothing() {
    let mut bench = settled(&config());
    let mut kept: Vec<Vec<(Side, Vec<u8>)>> = Vec::new();
    for _ in 0..20 {
        kept.push(probes(&mut bench));
        if let Some(stale) = kept.len().checked_sub(3) {
            for (side, probe) in &kept[stale] {
                bench.exchange(side.other(), probe).silent("own_mac");
            }
        }
    }
    assert!(!held(&mut bench));
}

#[test]
fn f36_forged_nonces_hold_nothing() {
    let mut bench = settled(&config());
    for round in 0..10 {
        for (side, mut probe) in probes(&mut bench) {
            for byte in 42..48 {
                probe[byte] = probe[byte].wrapping_add(1 + round);
                bench.exchange(side.other(), &probe).silent("own_mac");
            }
            // the other side's nonce, under this one's MAC; and none at all
            probe[42..48].fill(0);
            bench.exchange(side.other(), &probe).silent("own_mac");
        }
        let [m, w] = probes(&mut bench).try_into().unwrap();
        let swapped = [&m.1[..42], &w.1[42..]].concat();
        bench.exchange(W, &swapped).silent("own_mac");
    }
    assert!(!held(&mut bench));
}

#[test]
fn f36_a_loop_that_opens_is_released_after_the_hold_and_three_clean_intervals() {
    let mut bench = settled(&config());
    hold(&mut bench);
    clean(&mut bench, 59);
    assert!(held(&mut bench));
    clean(&mut bench, 1);
    assert!(!held(&mut bench));
    assert_eq!((count(&bench, "loop_held"), count(&bench, "loop_healed")), (1, 1));
    bench.passes(M, &golden(5));
    bench.passes(M, &golden(1));
}

#[test]
fn f36_a_loop_that_stays_is_held_until_three_intervals_after_it_opens() {
    let mut bench = settled(&config());
    hold(&mut bench);
    for _ in 0..100 {
        looped(&mut bench);
    }
    assert!(held(&mut bench));
    clean(&mut bench, 1); // in which the last one is counted
    for _ in 0..3 {
        assert!(held(&mut bench));
        clean(&mut bench, 1);
    }
    assert!(!held(&mut bench));
    assert_eq!((count(&bench, "loop_held"), count(&bench, "loop_healed")), (1, 1));
}

#[test]
fn f36_each_further_loop_is_held_twice_as_long_up_to_15_minutes() {
    let mut bench = settled(&config());
    for seconds in [60, 120, 240, 480, 900, 900] {
        hold(&mut bench);
        clean(&mut bench, seconds - 1);
        assert!(held(&mut bench), "{seconds}");
        clean(&mut bench, 1);
        assert!(!held(&mut bench), "{seconds}");
    }
    // one that stayed away as long as that begins anew
    clean(&mut bench, 901);
    hold(&mut bench);
    clean(&mut bench, 60);
    assert!(!held(&mut bench));
}

#[test]
fn f36_probing_turned_off_releases_the_hold() {
    let mut bench = settled(&config());
    hold(&mut bench);
    bench.reload(&Config::c0());
    clean(&mut bench, 1);
    assert!(!held(&mut bench));
    bench.passes(M, &golden(5));
}

#[test]
fn f36_a_reload_keeps_the_hold() {
    let mut bench = settled(&config());
    hold(&mut bench);
    bench.reload(&config());
    bench.exchange(M, &golden(5)).silent("loop_hold");
}
