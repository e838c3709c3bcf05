//! Law 1 of docs/ARCHITECTURE.md: a frame is forwarded when the transmit queue took it.

use pipeline::io::mem::Packet;

use crate::frames::*;
use crate::harness::*;

#[test]
fn a_full_queue_drops_and_says_so() {
    let mut bench = Config::c0().bench();
    bench.bridge().io().room = vec![usize::MAX, 0];
    bench.drops(M, &unicast(B, A), "tx_full");
    bench.crosses(W, &unicast(A, B));
    bench.drops(M, &arp_request(A, "202.7.0.10", "202.7.0.20"), "tx_full");
    let report = bench.report();
    assert_eq!(report.sides["mud"].dropped["tx_full"], 2, "dropped on the side that they came from");
    assert_eq!(report.sides["wix"].transmitted, 0);
    assert_eq!((report.ports["trunk0"].transmitted, report.ports["trunk1"].transmitted), (1, 0));
    bench.bridge().io().room.clear();
    bench.crosses(M, &unicast(B, A));
}

#[test]
fn a_queue_takes_the_first_of_a_burst_in_order() {
    for room in 0..=32 {
        let mut bench = Config::c0().bench();
        bench.bridge().io().room = vec![usize::MAX, room];
        let frame = |number: u8| {
            let packet = ipv4("192.0.2.1", "198.51.100.2", 253, &[number; 40]);
            ether(B, A, 0x0800, &packet)
        };
        let now = bench.bridge().now();
        for number in 0..31 {
            bench.bridge().io().input[0].push_back(Packet::new(&tagged(M, &frame(number))));
        }
        let sent = bench.bridge().feed(0, now, Packet::new(&tagged(M, &frame(31))));
        let expected: Vec<_> = (0..room as u8).map(|number| tagged(W, &frame(number))).collect();
        assert_eq!(sent.into_iter().map(|sent| sent.frame).collect::<Vec<_>>(), expected);
        bench.balanced();
        assert_eq!((bench.count("forwarded"), bench.count("tx_full")), (room as u64, 32 - room as u64));
        assert_eq!(bench.report().sides["wix"].transmitted, room as u64);
    }
}

#[test]
fn a_full_queue_counts_for_each_side_that_sent_into_it() {
    // one port: both sides' frames leave by the same queue
    let mut bench = Config::c0().with("port: trunk1", "port: trunk0").bench();
    bench.bridge().io().room = vec![3];
    let now = bench.bridge().now();
    for _ in 0..2 {
        bench.bridge().io().input[0].push_back(Packet::new(&tagged(M, &unicast(B, A))));
        bench.bridge().io().input[0].push_back(Packet::new(&tagged(W, &unicast(A, B))));
    }
    let sent = bench.bridge().feed(0, now, Packet::new(&tagged(W, &unicast(A, B))));
    assert_eq!(sent.len(), 3);
    let report = bench.report();
    assert_eq!(report.unaccounted, 0);
    assert_eq!((report.sides["mud"].forwarded, report.sides["wix"].forwarded), (2, 1));
    assert_eq!((report.sides["mud"].transmitted, report.sides["wix"].transmitted), (1, 2));
    assert_eq!(report.sides["wix"].dropped["tx_full"], 2);
    assert!(report.sides["mud"].dropped.is_empty());
}

#[test]
fn bytes_are_counted_as_they_came_and_as_they_left() {
    let mut bench = Config::c0().with("port: trunk1, vlan: 20,", "port: trunk1,").bench();
    let frame = tagged(M, &unicast(B, A));
    assert!(matches!(bench.raw(M, &frame), Outcome::Forwarded(_)));
    let report = bench.report();
    assert_eq!(report.sides["mud"].received_bytes, frame.len() as u64);
    assert_eq!(report.sides["wix"].transmitted_bytes, frame.len() as u64 - 4);
}
