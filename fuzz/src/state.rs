//! A state file of any bytes: what it brings is never more than the rules allow.

use std::net::IpAddr;

use pipeline::base::time::Time;
use pipeline::control::plane::ControlPlane;
use pipeline::control::state::{Moment, restore, save, seal};
use pipeline::plan::Plan;
use pipeline::table::static_fdb::StaticEntry;
use rules::{Mac, Side};

const RULES: &str = "version: 1
ports: { p: { device: net_null0 } }
workers: [0]
bridges:
  x:
    sides: { a: { port: p, vlan: 10 }, b: { port: p, vlan: 20 } }
    peering: { ipv4: [202.7.0.0/23], ipv6: [\"2001:7fa:3:ca07::/64\"] }
    own: { ipv4: 202.7.1.254 }
    macs: { capacity: 4 }
    neighbours: { capacity: 8, per_mac: 2 }
    members:
      - { name: pinned, side: a, mac: \"02:aa:00:00:00:01\", ipv4: [202.7.0.10] }
      - { name: roaming, mac: \"02:cc:00:00:00:03\", ipv4: [202.7.0.30] }
";

const PINNED: Mac = Mac::from_u64(0x02aa_0000_0001);

pub(crate) fn run(bytes: &[u8]) {
    let saved = Moment { unix_ms: 1_700_000_000_000, boot: "boot".to_owned(), since_boot_ms: 5_000_000 };
    let now = Moment { unix_ms: saved.unix_ms + 2000, boot: saved.boot.clone(), since_boot_ms: 5_002_000 };
    start(bytes, &now);
    // and with a first line that is right
    start(&seal(bytes, &saved), &now);
}

fn plan() -> Plan {
    let checked = rules::parse(RULES, "test.yaml").expect("these rules are right");
    Plan::new(checked.rules, None, &[], 0).expect("room for a bridge")
}

fn start(bytes: &[u8], moment: &Moment) {
    let (plan, mut plane, now) = (plan(), ControlPlane::new(0, true), Time::from_nanos(7_200_000_000_000));
    let Ok(restored) = restore(bytes, &plan, &mut plane, now, moment) else { return };
    let bridge = &plan.bridges[0];
    let rules = &bridge.rules.macs;
    let strangers: Vec<_> = bridge.tables.macs.entries(now, rules).collect();
    let listed: Vec<_> = bridge.roaming.entries(now, rules).collect();
    assert_eq!(restored.macs, (strangers.len() + listed.len()) as u64);
    assert!(
        strangers.iter().all(|entry| entry.mac.is_station() && bridge.static_fdb.get(entry.mac).is_none())
    );
    assert!(listed.iter().all(|entry| bridge.static_fdb.get(entry.mac) == Some(StaticEntry::Roaming)));
    for side in Side::BOTH {
        let here = strangers.iter().filter(|entry| entry.side == side).count();
        assert!(here <= 4 && here == bridge.tables.macs.count(side) as usize);
    }
    assert_eq!(bridge.side_of(PINNED, now), Some(Side::First), "a pin stays");
    let known = bridge.tables.neighbours.entries();
    for (address, neighbour) in &known {
        let inside = match address {
            IpAddr::V4(address) => bridge.is_peering4(*address),
            IpAddr::V6(address) => bridge.is_peering6(*address) || address.is_unicast_link_local(),
        };
        assert!(inside && neighbour.mac.is_station() && !neighbour.contested && neighbour.confirmed <= now);
        assert!(!bridge.is_own(*address) && !bridge.owners.is_foreign(*address, neighbour.mac));
    }
    // what it brought can be saved and brought again
    let again = save(&plan, now, moment);
    let (plan, mut plane) = (self::plan(), ControlPlane::new(0, true));
    let twice = restore(&again, &plan, &mut plane, now, moment).expect("a file of our own");
    assert_eq!((twice.macs, twice.neighbours), (restored.macs, known.len() as u64));
}
