//! Every order in which the writer's steps and a worker's look can fall.

use std::net::Ipv4Addr;

use loom::sync::Arc;
use loom::thread;

use super::*;

const RULES: Neighbours = Neighbours { capacity: 1, per_mac: 1 };
const X: IpAddr = IpAddr::V4(Ipv4Addr::new(202, 7, 0, 10));
const Y: IpAddr = IpAddr::V4(Ipv4Addr::new(202, 7, 0, 20));
const A: Mac = Mac::from_u64(0x02aa_0000_0001);
const B: Mac = Mac::from_u64(0x02bb_0000_0002);

fn heard(address: IpAddr, mac: Mac, time: u64) -> Binding {
    Binding { time: Time::from_nanos(time), address, mac, source: BindingSource::Plain }
}

/// The writer gives the slot of X, which is A's, to an address of B's, and a worker looks for that address meanwhile: what
/// it sees of (MAC, router, override, confirmed) must be one of these.
fn look(address: IpAddr, may_see: &'static [Option<(Mac, bool, bool, u64)>]) {
    loom::model(move || {
        let table = Arc::new(NeighbourTable::new(&RULES, 1));
        assert_eq!(Writer::default().learn(&table, &RULES, &heard(X, A, 1), false), Change::None);
        let (slot, known) = table.find(number(X)).unwrap();
        let reader = thread::spawn({
            let table = Arc::clone(&table);
            move || table.get(address)
        });
        let confirmed = Time::from_nanos(2);
        let new = Neighbour { mac: B, router: false, overrides: true, confirmed, ..known };
        table.entries[slot].write(number(address), &new);
        let seen = reader.join().unwrap();
        let seen = seen.map(|known| (known.mac, known.router, known.overrides, known.confirmed.as_nanos()));
        assert!(may_see.contains(&seen), "{seen:?}");
    });
}

const BEFORE: (Mac, bool, bool, u64) = (A, true, false, 1);
const AFTER: (Mac, bool, bool, u64) = (B, false, true, 2);

#[test]
fn a_look_during_a_change_of_owner_sees_one_of_them_whole_or_none() {
    look(X, &[None, Some(BEFORE), Some(AFTER)]);
}

#[test]
fn a_look_while_a_slot_gets_another_address_never_mixes_the_two() {
    look(Y, &[None, Some(AFTER)]);
}

#[test]
fn a_search_for_an_address_is_not_taken_for_one_of_the_next_in_its_slot() {
    loom::model(|| {
        let table = Arc::new(NeighbourTable::new(&RULES, 1));
        assert_eq!(Writer::default().learn(&table, &RULES, &heard(X, A, 1), false), Change::None);
        let (slot, known) = table.find(number(X)).unwrap();
        let worker = thread::spawn({
            let table = Arc::clone(&table);
            move || table.searches(X, Time::from_nanos(2_000_000_000))
        });
        table.entries[slot].write(number(Y), &Neighbour { mac: B, ..known });
        assert!(worker.join().unwrap(), "X was never searched before");
        assert!(
            table.searches(Y, Time::from_nanos(30_000_000_000)),
            "nor was Y, whatever became of the search for X"
        );
    });
}
