//! The table by itself; what the bridge makes of it is in the conformance tests.

use std::net::Ipv4Addr;

use super::*;

const RULES: Neighbours = Neighbours { capacity: 64, per_mac: 4 };
const A: Mac = Mac::from_u64(0x02aa_0000_0001);
const B: Mac = Mac::from_u64(0x02bb_0000_0002);

fn ip(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0xca07_0000 + number))
}

fn at(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn heard(address: IpAddr, mac: Mac, ms: u64) -> Binding {
    Binding { time: at(ms), address, mac, source: BindingSource::Plain }
}

fn empty() -> (NeighbourTable, Writer) {
    (NeighbourTable::new(&RULES, 1), Writer::default())
}

#[test]
fn both_families_are_known_by_their_addresses_and_listed_in_order() {
    let (table, mut writer) = empty();
    let six: IpAddr = "2001:7fa:3:ca07::a".parse().unwrap();
    for address in [six, ip(20), ip(10)] {
        assert_eq!(table.get(address), None);
        assert_eq!(writer.learn(&table, &RULES, &heard(address, A, 1), false), Change::None);
        assert_eq!(table.get(address).map(|known| known.mac), Some(A));
    }
    assert_eq!(
        table.entries().iter().map(|(address, _)| *address).collect::<Vec<_>>(),
        [ip(10), ip(20), six]
    );
}

#[test]
fn the_writer_is_spared_what_it_knows() {
    let (table, mut writer) = empty();
    let said = |flags, ms| Binding { source: BindingSource::Advertised(flags), ..heard(ip(1), A, ms) };
    assert!(!table.knows(&heard(ip(1), A, 0)));
    assert_eq!(writer.learn(&table, &RULES, &said(0xa0, 0), false), Change::None);
    assert!(table.knows(&heard(ip(1), A, 999)));
    assert!(table.knows(&said(0xa0, 999)) && table.knows(&said(0xe0, 999)), "S is not the owner's to keep");
    assert!(!table.knows(&heard(ip(1), A, 1000)), "confirmed anew once a second");
    assert!(!table.knows(&said(0x80, 1)) && !table.knows(&said(0x20, 1)), "other flags");
    assert!(!table.knows(&heard(ip(1), B, 1)), "another owner");
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(1), B, 1), false), Change::Conflict(A));
    assert!(!table.knows(&heard(ip(1), A, 2)), "contested: who speaks matters");
}

#[test]
fn a_time_before_the_last_one_takes_nothing_back() {
    let (table, mut writer) = empty();
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(1), A, 500), false), Change::None);
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(1), A, 100), false), Change::None);
    assert_eq!(table.get(ip(1)).map(|known| known.confirmed), Some(at(500)));
}

#[test]
fn full_is_full_and_counted() {
    let (table, mut writer) = empty();
    let mut full = 0;
    for number in 0..100 {
        let mac = Mac::from_u64(0x02cc_0000_0000 + u64::from(number));
        full += u64::from(writer.learn(&table, &RULES, &heard(ip(number), mac, 1), false) == Change::Full);
    }
    assert_eq!((table.entries().len(), full, writer.refused), (64, 36, 36));
    // known ones are renewed all the same
    let first = Mac::from_u64(0x02cc_0000_0000);
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(0), first, 9), false), Change::None);
    assert_eq!(table.get(ip(0)).map(|known| known.confirmed), Some(at(9)));
}

#[test]
fn what_is_swept_out_makes_room_for_its_mac_and_for_others() {
    let (table, mut writer) = empty();
    for number in 0..8 {
        let _ = writer.learn(&table, &RULES, &heard(ip(number), A, 1000 * u64::from(number)), false);
    }
    assert_eq!((table.entries().len(), writer.refused), (4, 4));
    writer.sweep(&table, at(10_000), Duration::from_secs(9), |_| false);
    assert_eq!(table.entries().iter().map(|(address, _)| *address).collect::<Vec<_>>(), [ip(2), ip(3)]);
    for number in 10..14 {
        let _ = writer.learn(&table, &RULES, &heard(ip(number), A, 10_000), false);
    }
    assert_eq!(table.entries().len(), 4);
    writer.sweep(&table, at(100_000), Duration::from_secs(1), |_| false);
    assert_eq!(
        (table.entries(), writer.entries, writer.owned.len(), writer.contests.len()),
        (vec![], 0, 0, 0)
    );
}

#[test]
fn counts_are_exact_through_contests() {
    let (table, mut writer) = empty();
    for (mac, ms) in [(A, 0), (B, 1000), (B, 61_000), (A, 62_000), (A, 122_000)] {
        let _ = writer.learn(&table, &RULES, &heard(ip(1), mac, ms), false);
    }
    assert_eq!(table.get(ip(1)).map(|known| (known.mac, known.contested)), Some((A, false)));
    assert_eq!((writer.owned(A), writer.owned(B), writer.entries), (1, 0, 1));
}

#[test]
fn a_table_takes_nearly_all_that_it_has_room_for() {
    // sets of eight, two of them used on average
    let rules = Neighbours { capacity: 8192, per_mac: 1 };
    for seed in 0..4 {
        let (table, mut writer) = (NeighbourTable::new(&rules, seed), Writer::default());
        for number in 0..8192 {
            let _ = writer.learn(
                &table,
                &rules,
                &heard(ip(number), Mac::from_u64(0x02dd_0000_0000 + u64::from(number)), 1),
                false,
            );
        }
        assert!(writer.refused < 16, "{}", writer.refused);
    }
}

#[test]
fn an_address_is_searched_across_once_a_minute_and_within_a_second_of_that() {
    let (table, mut writer) = empty();
    assert!(table.searches(ip(1), at(0)), "unknown");
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(1), A, 0), false), Change::None);
    let asked = [0, 999, 1000, 59_999, 60_000, 60_999, 61_000].map(|ms| table.searches(ip(1), at(ms)));
    assert_eq!(asked, [true, true, false, false, true, true, false]);
    // what the owner says of itself meanwhile changes nothing
    let said = Binding { source: BindingSource::Advertised(0x20), ..heard(ip(1), A, 62_000) };
    assert_eq!(writer.learn(&table, &RULES, &said, false), Change::None);
    assert!(!table.searches(ip(1), at(63_000)));
}

#[test]
fn a_search_is_of_one_owner_and_of_one_address() {
    let (table, mut writer) = empty();
    let searched = |table: &NeighbourTable, ms| {
        table.searches(ip(1), at(ms));
        table.searches(ip(1), at(ms + 1000))
    };
    let _ = writer.learn(&table, &RULES, &heard(ip(1), A, 0), false);
    assert!(!searched(&table, 0));
    // contested, and given to another
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(1), B, 2000), false), Change::Conflict(A));
    assert!(table.searches(ip(1), at(3000)));
    assert!(!searched(&table, 3000));
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(1), B, 62_000), false), Change::None);
    assert_eq!(table.get(ip(1)).map(|known| (known.mac, known.contested)), Some((B, false)));
    assert!(!searched(&table, 62_000));
    // forgotten, and learned anew
    writer.sweep(&table, at(70_000), Duration::from_secs(1), |_| false);
    let _ = writer.learn(&table, &RULES, &heard(ip(1), B, 70_000), false);
    assert!(table.searches(ip(1), at(70_000)));
}

#[test]
fn a_writer_that_asks_gives_an_address_away_only_when_its_owner_was_asked_and_kept_silent() {
    let (table, mut writer) = (NeighbourTable::new(&RULES, 1), Writer::new(true));
    let mut says = |mac, ms| {
        let change = writer.learn(&table, &RULES, &heard(ip(1), mac, ms), false);
        writer.settle(&table, &RULES, at(ms));
        (change, table.get(ip(1)).map(|known| (known.mac, known.contested)))
    };
    let (kept, given) = (Some((A, true)), Some((B, false)));
    assert_eq!(says(A, 0), (Change::None, Some((A, false))));
    assert_eq!(says(B, 0), (Change::Conflict(A), kept));
    assert_eq!(says(B, 57_999), (Change::None, kept));
    assert_eq!(says(B, 58_000), (Change::Ask(A), kept));
    assert_eq!(says(A, 58_001), (Change::None, kept), "it answers");
    assert_eq!(says(B, 60_000), (Change::None, kept));
    assert_eq!(says(B, 119_500), (Change::Ask(A), kept));
    assert_eq!(says(B, 120_499), (Change::None, kept), "a minute alone, and 999 ms after the question");
    assert_eq!(says(B, 120_500), (Change::None, given));
}

#[test]
fn an_owner_whose_address_nobody_has_room_for_keeps_it() {
    let (table, mut writer) = (NeighbourTable::new(&RULES, 1), Writer::new(true));
    for number in 2..6 {
        let _ = writer.learn(&table, &RULES, &heard(ip(number), B, 0), false);
    }
    for (mac, ms) in [(A, 0), (B, 0), (B, 60_000)] {
        let _ = writer.learn(&table, &RULES, &heard(ip(1), mac, ms), false);
    }
    for ms in [61_000, 62_000, 63_000] {
        writer.settle(&table, &RULES, at(ms));
    }
    assert_eq!(table.get(ip(1)).map(|known| (known.mac, known.contested)), Some((A, true)));
    assert_eq!((writer.owned(A), writer.owned(B), writer.refused), (1, 4, 1));
}

#[test]
fn f198_a_mac_is_known_as_an_owner_for_as_long_as_it_has_an_address() {
    let (table, mut writer) = empty();
    assert!(!table.has_address_of(A));
    for number in [1, 2] {
        let _ = writer.learn(&table, &RULES, &heard(ip(number), A, 1000 * u64::from(number)), false);
    }
    assert!(table.has_address_of(A) && !table.has_address_of(B));
    assert_eq!(writer.addresses_of(A).collect::<Vec<_>>(), [ip(1), ip(2)]);
    writer.sweep(&table, at(10_000), Duration::from_millis(8500), |_| false);
    assert!(table.has_address_of(A));
    writer.sweep(&table, at(20_000), Duration::from_secs(1), |_| false);
    assert!(!table.has_address_of(A) && writer.addresses_of(A).next().is_none());
    // an address that goes to another owner
    for (mac, ms) in [(A, 30_000), (B, 31_000), (B, 91_000)] {
        let _ = writer.learn(&table, &RULES, &heard(ip(1), mac, ms), false);
    }
    assert!(!table.has_address_of(A) && table.has_address_of(B));
}

#[test]
fn a_listed_address_has_room_in_a_table_that_strangers_have_filled() {
    let rules = Neighbours { capacity: 16, per_mac: 1024 };
    let (table, mut writer) = (NeighbourTable::new(&rules, 1), Writer::default());
    let strangers = || (0..16).map(|number| ip(number + 1));
    for (second, address) in strangers().enumerate() {
        let said = heard(address, A, 1000 * second as u64);
        assert_eq!(writer.learn(&table, &rules, &said, false), Change::None);
    }
    assert_eq!(writer.learn(&table, &rules, &heard(ip(100), A, 20_000), false), Change::Full);
    // as many listed ones as there are slots beside: those find room too, if need be in a stranger's place
    let listed = || (100..132).map(ip);
    for address in listed() {
        assert_eq!(writer.learn(&table, &rules, &heard(address, B, 20_000), true), Change::None);
    }
    assert!(listed().all(|address| table.get(address).is_some_and(|known| known.mac == B)));
    let left = strangers().filter(|address| table.get(*address).is_some()).count();
    assert_eq!(writer.entries as usize, left);
    // and they give back no room that they did not take
    writer.sweep(&table, at(30_000), Duration::from_secs(1), |_| false);
    assert_eq!((writer.entries, writer.listed.len(), table.entries().len()), (0, 0, 0));
}

#[test]
fn f198_a_mac_that_is_alive_keeps_an_address_that_it_can_be_asked_for() {
    let (table, mut writer) = empty();
    for (address, mac, ms) in [(ip(1), A, 0), (ip(2), A, 0), (ip(3), B, 0), (ip(4), A, 900)] {
        let _ = writer.learn(&table, &RULES, &heard(address, mac, ms), false);
    }
    writer.sweep(&table, at(1000), Duration::from_secs(1), |mac| mac == A);
    assert_eq!(writer.addresses_of(A).collect::<Vec<_>>(), [ip(4)]);
    assert!(!table.has_address_of(B));
    writer.sweep(&table, at(9000), Duration::from_secs(1), |mac| mac == A);
    assert_eq!(writer.addresses_of(A).collect::<Vec<_>>(), [ip(4)]);
    writer.sweep(&table, at(9000), Duration::from_secs(1), |_| false);
    assert!(!table.has_address_of(A));
}

#[test]
fn f198_who_claims_an_address_second_can_be_asked_for_it_too() {
    let (table, mut writer) = (NeighbourTable::new(&RULES, 1), Writer::new(true));
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(1), A, 0), false), Change::None);
    assert_eq!(writer.learn(&table, &RULES, &heard(ip(1), B, 1000), false), Change::Conflict(A));
    assert!(table.has_address_of(B));
    assert_eq!(writer.addresses_of(B).collect::<Vec<_>>(), [ip(1)]);
    // and goes on to be while it is alive, whoever claims it meanwhile
    let _ = writer.learn(&table, &RULES, &heard(ip(1), A, 2000), false);
    writer.sweep(&table, at(9000), Duration::from_secs(1), |mac| mac == B);
    assert!(table.has_address_of(B));
    writer.sweep(&table, at(9000), Duration::from_secs(1), |_| false);
    assert!(!table.has_address_of(B) && writer.said.is_empty());
}

#[test]
fn f198_one_whose_address_found_no_room_can_be_asked_for_it_too() {
    let rules = Neighbours { capacity: 1, per_mac: 1 };
    let (table, mut writer) = (NeighbourTable::new(&rules, 1), Writer::default());
    let _ = writer.learn(&table, &rules, &heard(ip(1), A, 0), false);
    assert_eq!(writer.learn(&table, &rules, &heard(ip(2), B, 0), false), Change::Full);
    assert_eq!(writer.addresses_of(B).collect::<Vec<_>>(), [ip(2)]);
    // once it has room there is one address, not two
    writer.sweep(&table, at(5000), Duration::from_secs(1), |mac| mac == B);
    assert_eq!(writer.learn(&table, &rules, &heard(ip(2), B, 6000), false), Change::None);
    assert_eq!(writer.addresses_of(B).collect::<Vec<_>>(), [ip(2)]);
}

#[test]
fn f198_an_address_that_a_mac_no_longer_speaks_of_does_not_hide_the_one_that_it_does() {
    let (table, mut writer) = (NeighbourTable::new(&RULES, 1), Writer::new(true));
    let _ = writer.learn(&table, &RULES, &heard(ip(1), A, 0), false);
    let _ = writer.learn(&table, &RULES, &heard(ip(2), B, 0), false);
    // A has another address now, which B claimed first
    let _ = writer.learn(&table, &RULES, &heard(ip(2), A, 9000), false);
    writer.sweep(&table, at(9500), Duration::from_secs(1), |_| true);
    assert_eq!(writer.addresses_of(A).collect::<Vec<_>>(), [ip(2)]);
    assert!(table.has_address_of(A));
}
