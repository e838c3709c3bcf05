//! A machine that was suspended: the path's clock goes on by an hour from one burst to the next.

use std::time::Duration;

use pipeline::table::fdb::Place;

use crate::frames::*;
use crate::harness::*;

const HOUR: Duration = Duration::from_secs(3600);

fn station(number: u8) -> [u8; 6] {
    [0x02, 0, 0, 0, 1, number]
}

fn address(number: u8) -> String {
    format!("202.7.1.{number}")
}

/// A hundred strangers on M that said which address they have, and a bridge that has looked for duplicates of its own.
fn crowd() -> Bench {
    let mut bench = Config::cd().live();
    for number in 1..=100 {
        bench.deliver(M, &arp_request(station(number), &address(number), "202.7.0.20"));
    }
    for _ in 0..5 {
        bench.wait(Duration::from_secs(1)).own();
    }
    bench
}

#[test]
fn after_an_hour_all_stations_are_learned_anew_and_nobody_is_asked_or_told_of() {
    let mut bench = crowd();
    assert_eq!(bench.place(station(1)), Some(Place::Side(M)));
    let told = bench.events().len();
    bench.wait(HOUR);
    // on the other side: nobody has it any more, so it is no move. Nothing else comes out with it.
    let frame = arp_request(station(1), &address(1), "202.7.0.20");
    assert_eq!(bench.deliver(W, &frame), [(M, frame)]);
    assert_eq!(bench.place(station(1)), Some(Place::Side(W)));
    assert!((2..=100).all(|number| bench.place(station(number)).is_none()));
    assert_eq!((bench.own().len(), bench.events().len()), (0, told), "no questions, no alarm");
    assert_eq!(bench.cause("mac_move"), 0);
    bench.balanced();
}

#[test]
fn after_an_hour_no_neighbour_counts_as_present() {
    let mut bench = crowd();
    bench.wait(HOUR);
    let now = bench.bridge().now().after(HOUR);
    let known = bench.neighbour(&address(1));
    assert!(known.is_none_or(|known| !known.is_confirmed(now)));
}

#[test]
fn after_an_hour_every_limit_is_whole_and_none_is_more_than_that() {
    let mut bench = Config::cd().plus("storm: { mac: { rate: 10/s, burst: 20 } }").bench();
    let mut pass =
        || (0..100).filter(|_| bench.pour(M, &arp_request(station(1), &address(1), "202.7.0.20"))).count();
    assert_eq!(pass(), 20);
    bench.wait(HOUR);
    let mut pass =
        || (0..100).filter(|_| bench.pour(M, &arp_request(station(1), &address(1), "202.7.0.20"))).count();
    assert_eq!(pass(), 20);
    bench.balanced();
}
