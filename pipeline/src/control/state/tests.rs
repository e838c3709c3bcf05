use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::plan::small;
use crate::table::fdb::Place;

const START: u64 = 7200;
const AGE: u64 = 300;

fn at(ms: u64) -> Time {
    Time::from_nanos(START * 1_000_000_000 + ms * 1_000_000)
}

/// A moment of one run of the machine.
fn moment(ms: u64) -> Moment {
    Moment { unix_ms: 1_700_000_000_000 + ms, boot: "boot".to_owned(), since_boot_ms: 50_000_000 + ms }
}

fn mac(number: u64) -> Mac {
    Mac::from_u64(0x0200_0000_0000 + number)
}

/// A bridge with a pinned member, one on either side, and one's address.
fn plan() -> Plan {
    small(
        "    own: { ipv4: 202.7.1.254 }
    members:
      - { name: pinned, side: a, mac: \"02:aa:00:00:00:01\", ipv4: [202.7.0.10] }
      - { name: roaming, mac: \"02:cc:00:00:00:03\", ipv4: [202.7.0.30] }",
    )
}

const PINNED: Mac = Mac::from_u64(0x02aa_0000_0001);
const ROAMING: Mac = Mac::from_u64(0x02cc_0000_0003);

/// What a start with these bytes brings, so long after a moment.
fn start(bytes: &[u8], ms: u64) -> (Result<Restored, Unusable>, Plan) {
    start_with(plan(), bytes, ms)
}

fn start_with(plan: Plan, bytes: &[u8], ms: u64) -> (Result<Restored, Unusable>, Plan) {
    let mut plane = ControlPlane::new(0, true);
    let restored = restore(bytes, &plan, &mut plane, at(0), &moment(ms));
    (restored, plan)
}

/// A file with these lines behind the bridge's own.
fn file(lines: &[&str]) -> Vec<u8> {
    let mut body = Vec::new();
    push(&mut body, &Line::Bridge(BridgeLine::of(&plan(), &plan().bridges[0])));
    for line in lines {
        body.extend_from_slice(line.as_bytes());
        body.push(b'\n');
    }
    seal(&body, &moment(0))
}

/// One line is refused for a reason that has these words, and nothing is taken in.
#[track_caller]
fn refused(line: &str, why: &str) {
    let (restored, plan) = start(&file(&[line]), 1000);
    let restored = restored.unwrap();
    assert_eq!((restored.macs, restored.neighbours, restored.refused()), (0, 0, 1), "{line}");
    assert!(restored.to_string().contains(why), "{restored}");
    assert_eq!(known(&plan).len() + plan.bridges[0].tables.neighbours.entries().len(), 0);
}

fn known(plan: &Plan) -> Vec<fdb::Entry> {
    let bridge = &plan.bridges[0];
    let rules = &bridge.rules.macs;
    bridge.tables.macs.entries(at(0), rules).chain(bridge.roaming.entries(at(0), rules)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_saved_is_restored_exactly_but_for_what_has_aged_meanwhile(
        stations in btree_map(1..500_u64, (0..250_000_u64, any::<bool>()), 0..60),
        addresses in btree_map(1..200_u8, (1..500_u64, 0..250_000_u64, any::<bool>(), any::<bool>()), 0..30),
        saved in 260_000..270_000_u64,
        down in 0..400_000_u64,
    ) {
        let before = plan();
        let bridge = &before.bridges[0];
        let mut plane = ControlPlane::new(0, true);
        for (number, (heard, second)) in &stations {
            let side = if *second { Side::Second } else { Side::First };
            let learned = bridge.tables.macs.learn(mac(*number), side, at(*heard), &bridge.rules.macs, || true);
            prop_assert!(learned.passes());
        }
        for (last, (number, heard, router, overrides)) in &addresses {
            let address = IpAddr::from([202, 7, 1, *last]);
            let flags = if *router { 0x80 } else { 0 } | if *overrides { 0x20 } else { 0 };
            let source = BindingSource::Advertised(flags);
            plane.restore(&before, BridgeId::FIRST, &Binding { time: at(*heard), address, mac: mac(*number), source });
        }
        let bytes = save(&before, at(saved), &moment(saved));
        let now = at(saved + down);
        let after = plan();
        let mut plane = ControlPlane::new(0, true);
        let restored = restore(&bytes, &after, &mut plane, now, &moment(saved + down));
        let restored = restored.unwrap();
        prop_assert_eq!(restored.age, Duration::from_millis(down));
        let (old, new) = (bridge, &after.bridges[0]);
        let mut macs = 0;
        for (number, (heard, _)) in &stations {
            let (was, is) = (old.place(mac(*number), now), new.place(mac(*number), now));
            // older by up to a tick, never younger
            let idle = saved + down - heard;
            if idle.abs_diff(AGE * 1000) > 1000 {
                prop_assert_eq!(was, is);
            }
            if let Some(sight) = new.tables.macs.sight(mac(*number), now, &new.rules.macs) {
                let late = now.since(sight.heard).as_millis() as u64;
                prop_assert!((idle..=idle + 750).contains(&late), "{} {}", idle, late);
                macs += 1;
            }
        }
        prop_assert_eq!(restored.macs, macs);
        let (was, is) = (old.tables.neighbours.entries(), new.tables.neighbours.entries());
        prop_assert_eq!(restored.neighbours, is.len() as u64);
        for (address, known) in &is {
            let (_, before) = was.iter().find(|(other, _)| other == address).unwrap();
            prop_assert_eq!((known.mac, known.router, known.overrides, known.contested),
                (before.mac, before.router, before.overrides, false));
            prop_assert!(now.since(known.confirmed).as_millis() - now.since(before.confirmed).as_millis() <= 1);
        }
        let young = was.iter().filter(|(_, known)| now.since(known.confirmed) < Duration::from_secs(AGE));
        prop_assert!(down >= AGE * 1000 || young.count() <= is.len());
    }

    #[test]
    fn any_bytes_are_refused_or_harm_nothing(bytes in vec(any::<u8>(), 0..2000)) {
        let _ = start(&bytes, 1000);
        let (restored, after) = start(&seal(&bytes, &moment(0)), 1000);
        prop_assert!(restored.is_ok());
        prop_assert_eq!(known(&after).len(), 0);
    }

    #[test]
    fn a_file_that_was_cut_or_changed_anywhere_is_refused_whole(at in 0..10_000_usize, flip in 1..=255_u8) {
        let whole = sample();
        let at = at % whole.len();
        let (cut, none) = start(&whole[..at], 1000);
        prop_assert!(cut.is_err());
        prop_assert_eq!(known(&none).len(), 0);
        // of the first line the program's version, for people, and the times may say anything
        let end = whole.iter().position(|byte| *byte == b'\n').unwrap();
        let mut changed = whole.clone();
        changed[at] ^= flip;
        if at > end {
            prop_assert_eq!(start(&changed, 1000).0, Err(Unusable::Damaged));
        } else {
            let _ = start(&changed, 1000);
        }
    }
}

/// A file with a station on each side, and an address.
fn sample() -> Vec<u8> {
    file(&[
        r#"{"mac":{"mac":"02:00:00:00:00:01","side":0,"idle_ms":0}}"#,
        r#"{"mac":{"mac":"02:00:00:00:00:02","side":1,"idle_ms":100000}}"#,
        r#"{"mac":{"mac":"02:cc:00:00:00:03","side":1,"listed":true,"idle_ms":900000}}"#,
        r#"{"neighbour":{"address":"202.7.0.77","mac":"02:00:00:00:00:01","router":true,"overrides":false,"idle_ms":5}}"#,
    ])
}

#[test]
fn a_file_of_another_start_is_taken_in_with_the_time_between_added() {
    let (restored, plan) = start(&sample(), 100_000);
    let restored = restored.unwrap();
    assert_eq!((restored.macs, restored.neighbours, restored.refused()), (3, 1, 0), "{restored}");
    assert_eq!(restored.age, Duration::from_secs(100));
    let idle = |wanted| {
        let entry = known(&plan).into_iter().find(|entry| entry.mac == wanted).unwrap();
        let State::Heard { idle } = entry.state else { panic!("{entry:?}") };
        (entry.side, idle.as_secs())
    };
    assert_eq!(idle(mac(1)), (Side::First, 100));
    assert_eq!(idle(mac(2)), (Side::Second, 200));
    assert_eq!(idle(ROAMING), (Side::Second, 1000), "who is listed does not age");
}

#[test]
fn a_station_in_quarantine_is_not_freed_by_a_restart() {
    let line = r#"{"mac":{"mac":"02:00:00:00:00:01","side":0,"quarantine_ms":200000}}"#;
    let (restored, plan) = start(&file(&[line]), 100_000);
    assert_eq!(restored.unwrap().macs, 1);
    let bridge = &plan.bridges[0];
    assert_eq!(bridge.place(mac(1), at(99_000)), Some(Place::Quarantined));
    assert_eq!(bridge.place(mac(1), at(101_000)), None);
    let (saved, _) = start(&save(&plan, at(0), &moment(0)), 0);
    assert_eq!(saved.unwrap().macs, 1);
}

#[test]
fn a_quarantine_lasts_no_longer_than_the_rules_say_and_holds_nobody_who_is_listed() {
    let line = format!(r#"{{"mac":{{"mac":"02:00:00:00:00:01","side":0,"quarantine_ms":{}}}}}"#, u64::MAX);
    let (_, plan) = start(&file(&[&line]), 0);
    assert_eq!(plan.bridges[0].place(mac(1), at(541_000)), None);
    refused(
        r#"{"mac":{"mac":"02:cc:00:00:00:03","side":0,"listed":true,"quarantine_ms":5000}}"#,
        "quarantined, and listed",
    );
    refused(r#"{"mac":{"mac":"02:00:00:00:00:01","side":0,"quarantine_ms":500}}"#, "out of quarantine since");
}

#[test]
fn macs_that_the_rules_contradict_are_refused_one_by_one() {
    let line = |mac: &str, more: &str| format!(r#"{{"mac":{{"mac":"{mac}",{more}}}}}"#);
    refused(&line("02:aa:00:00:00:01", r#""side":1,"idle_ms":0"#), "pinned by the rules");
    refused(&line("02:aa:00:00:00:01", r#""side":0,"listed":true,"idle_ms":0"#), "pinned by the rules");
    refused(&line("02:cc:00:00:00:03", r#""side":0,"idle_ms":0"#), "listed by the rules since");
    refused(&line("01:00:5e:00:00:01", r#""side":0,"idle_ms":0"#), "no station's");
    refused(&line("00:00:00:00:00:00", r#""side":0,"idle_ms":0"#), "no station's");
    refused(&line("ff:ff:ff:ff:ff:ff", r#""side":0,"idle_ms":0"#), "no station's");
    let own = plan().bridges[0].own(Side::Second).to_string();
    refused(&line(&own, r#""side":0,"idle_ms":0"#), "the bridge's own");
    refused(&line("02:00:00:00:00:01", r#""side":0,"idle_ms":299000"#), "older than macs.age");
    refused(
        &line("02:00:00:00:00:01", &format!(r#""side":0,"idle_ms":{}"#, u64::MAX)),
        "older than macs.age",
    );
    for odd in [
        r#""side":2,"idle_ms":0"#,
        r#""side":0"#,
        r#""side":0,"idle_ms":0,"quarantine_ms":9000"#,
        r#""side":0,"idle_ms":-1"#,
    ] {
        refused(&line("02:00:00:00:00:01", odd), "not understood");
    }
}

#[test]
fn addresses_that_the_rules_contradict_are_refused_one_by_one() {
    let line = |address: &str, mac: &str| {
        format!(
            r#"{{"neighbour":{{"address":"{address}","mac":"{mac}","router":true,"overrides":false,"idle_ms":0}}}}"#
        )
    };
    let stranger = "02:00:00:00:00:01";
    refused(&line("202.7.0.10", stranger), "a member's address with another MAC");
    refused(&line("202.7.1.254", stranger), "the bridge's own");
    for outside in [
        "203.0.113.1",
        "202.7.0.0",
        "202.7.1.255",
        "2001:db8::1",
        "ff02::1",
        "0.0.0.0",
        "::",
        "::ffff:202.7.0.9",
    ] {
        refused(&line(outside, stranger), "not an address of a station in the peering prefixes");
    }
    refused(&line("202.7.0.9", "01:00:5e:00:00:01"), "no station's");
    refused(&line("202.7.0.9", &plan().bridges[0].own(Side::First).to_string()), "the bridge's own");
    refused(&line("rubbish", stranger), "not understood");
}

#[test]
fn an_address_has_one_owner_and_a_mac_one_side_the_first() {
    let two = file(&[
        r#"{"mac":{"mac":"02:00:00:00:00:01","side":0,"idle_ms":0}}"#,
        r#"{"mac":{"mac":"02:00:00:00:00:01","side":1,"idle_ms":0}}"#,
        r#"{"neighbour":{"address":"202.7.0.77","mac":"02:00:00:00:00:01","router":true,"overrides":false,"idle_ms":0}}"#,
        r#"{"neighbour":{"address":"202.7.0.77","mac":"02:00:00:00:00:02","router":true,"overrides":false,"idle_ms":0}}"#,
    ]);
    let (restored, plan) = start(&two, 0);
    let restored = restored.unwrap();
    assert_eq!((restored.macs, restored.neighbours, restored.refused()), (1, 1, 2), "{restored}");
    let bridge = &plan.bridges[0];
    assert_eq!(bridge.place(mac(1), at(0)), Some(Place::Side(Side::First)));
    let known = bridge.tables.neighbours.get(IpAddr::from([202, 7, 0, 77])).unwrap();
    assert_eq!((known.mac, known.contested), (mac(1), false));
}

#[test]
fn tables_hold_no_more_than_they_may_and_members_find_room_in_full_ones() {
    let plan = small(
        "    macs: { capacity: 4 }
    neighbours: { capacity: 8, per_mac: 2 }
    members:
      - { name: pinned, side: a, mac: \"02:aa:00:00:00:01\", ipv4: [202.7.0.10] }",
    );
    let mut lines = Vec::new();
    for number in 1..=20 {
        lines.push(format!(r#"{{"mac":{{"mac":"{}","side":0,"idle_ms":0}}}}"#, mac(number)));
        lines.push(format!(
            r#"{{"neighbour":{{"address":"202.7.1.{number}","mac":"{}","router":true,"overrides":false,"idle_ms":0}}}}"#,
            mac(number / 4)
        ));
    }
    lines.push(r#"{"neighbour":{"address":"202.7.0.10","mac":"02:aa:00:00:00:01","router":true,"overrides":false,"idle_ms":0}}"#.to_owned());
    let mut body = Vec::new();
    push(&mut body, &Line::Bridge(BridgeLine::of(&plan, &plan.bridges[0])));
    body.extend_from_slice(lines.join("\n").as_bytes());
    let (restored, plan) = start_with(plan, &seal(&body, &moment(0)), 0);
    let bridge = &plan.bridges[0];
    assert_eq!(restored.unwrap().macs, 4);
    assert_eq!(bridge.tables.macs.count(Side::First), 4);
    let known = bridge.tables.neighbours.entries();
    assert!(known.iter().any(|(_, known)| known.mac == PINNED));
    assert!(known.iter().filter(|(_, known)| known.mac != PINNED).count() <= 8);
    for owner in 1..=5 {
        assert!(known.iter().filter(|(_, known)| known.mac == mac(owner)).count() <= 2);
    }
}

#[test]
fn where_only_members_are_admitted_no_stranger_is() {
    let plan = small(
        "    admission: members
    members:
      - { name: roaming, mac: \"02:cc:00:00:00:03\", ipv4: [202.7.0.30] }",
    );
    let (restored, plan) = start_with(plan, &sample(), 0);
    let restored = restored.unwrap();
    assert_eq!((restored.macs, restored.neighbours, restored.refused()), (1, 0, 3), "{restored}");
    assert_eq!(known(&plan)[0].mac, ROAMING);
}

#[test]
fn a_bridge_with_other_sides_or_another_name_is_refused_alone() {
    let line = |name: &str, vlan: &str| {
        format!(
            r#"{{"bridge":{{"name":"{name}","sides":[{{"name":"a","port":"p","tags":"{vlan}"}},{{"name":"b","port":"p","tags":"{}"}}]}}}}"#,
            plan().bridges[0].rules.side(Side::Second).tags
        )
    };
    let right = plan().bridges[0].rules.side(Side::First).tags.to_string();
    let station = |number: u64| format!(r#"{{"mac":{{"mac":"{}","side":0,"idle_ms":0}}}}"#, mac(number));
    let body = [
        station(9),
        line("y", &right),
        station(1),
        line("x", "VLAN 11"),
        station(2),
        line("x", &right),
        station(3),
    ];
    let (restored, plan) = start(&seal(body.join("\n").as_bytes(), &moment(0)), 0);
    let restored = restored.unwrap();
    assert_eq!((restored.macs, restored.refused()), (1, 3));
    assert_eq!(known(&plan)[0].mac, mac(3));
    for why in
        ["before any bridge", "that the rules do not have", "whose sides have other names, ports or VLANs"]
    {
        assert!(restored.to_string().contains(why), "{restored}");
    }
}

#[test]
fn a_file_older_than_the_longest_silence_is_refused() {
    let (restored, plan) = start(&sample(), AGE * 1000);
    let restored = restored.unwrap();
    assert_eq!((restored.macs, restored.neighbours, restored.refused()), (0, 0, 4));
    assert!(restored.to_string().contains("saved longer ago than its macs.age"), "{restored}");
    assert_eq!(known(&plan).len(), 0);
}

#[test]
fn a_file_of_the_future_or_of_before_the_clock_was_set_is_refused() {
    let later = |unix: i64, since_boot: i64, boot: &str| {
        let unix_ms = moment(0).unix_ms.wrapping_add_signed(unix);
        let since_boot_ms = moment(0).since_boot_ms.wrapping_add_signed(since_boot);
        let mut plane = ControlPlane::new(0, true);
        let now = Moment { unix_ms, boot: boot.to_owned(), since_boot_ms };
        restore(&sample(), &plan(), &mut plane, at(0), &now).map(|restored| restored.age.as_secs())
    };
    assert_eq!(later(-1, 10_000, "boot"), Err(Unusable::Future));
    assert_eq!(later(-1, 10_000, "another"), Err(Unusable::Future));
    assert_eq!(later(100_000, 10_000, "boot"), Err(Unusable::ClockSet(90)));
    assert_eq!(later(10_000, 100_000, "boot"), Err(Unusable::ClockSet(90)));
    assert_eq!(later(10_000, 9_000, "boot"), Ok(10));
    // the machine was booted: only the wall clock can tell
    assert_eq!(later(100_000, -50_000_000, "another"), Ok(100));
}

#[test]
fn what_is_no_state_or_of_another_version_is_refused_with_its_name() {
    for (bytes, why) in [
        (&b""[..], Unusable::Foreign),
        (b"\n", Unusable::Foreign),
        (b"\x7fELF\x02\x01\n\n", Unusable::Foreign),
        (b"{\"sluice_state\":1}\n", Unusable::Foreign),
        (b"{\"sluice_state\":2,\"anything\":[]}\n", Unusable::Version(2)),
    ] {
        assert_eq!(start(bytes, 0).0, Err(why));
    }
    assert_eq!(start(&vec![b'x'; 100_000], 0).0, Err(Unusable::Foreign));
    let large = vec![b'\n'; largest(&plan()) as usize + 1];
    assert!(matches!(start(&large, 0).0, Err(Unusable::TooLarge(_))));
}

#[test]
fn a_full_bridge_fits_into_what_is_read() {
    let before = small("    macs: { capacity: 2000 }\n    neighbours: { capacity: 64 }");
    let bridge = &before.bridges[0];
    for number in 0..4000 {
        let side = Side::from_index(number as usize);
        let _ = bridge.tables.macs.learn(mac(number), side, at(0), &bridge.rules.macs, || true);
    }
    let bytes = save(&before, at(0), &moment(0));
    assert!((bytes.len() as u64) < largest(&before) - (1 << 20));
    let longest = bytes.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
    assert!(longest < LONGEST_HEADER);
    let after = small("    macs: { capacity: 2000 }\n    neighbours: { capacity: 64 }");
    let mut plane = ControlPlane::new(0, true);
    assert_eq!(restore(&bytes, &after, &mut plane, at(0), &moment(5)).unwrap().macs, 4000);
}

#[test]
fn a_step_of_the_wall_clock_while_it_runs_changes_nothing_that_is_saved() {
    let plan = plan();
    let bridge = &plan.bridges[0];
    let _ = bridge.tables.macs.learn(mac(1), Side::First, at(0), &bridge.rules.macs, || true);
    let stepped = |step: i64| {
        let Moment { unix_ms, boot, since_boot_ms } = moment(0);
        Moment { unix_ms: unix_ms.wrapping_add_signed(step), boot, since_boot_ms }
    };
    for step in [-86_400_000, 0, 86_400_000] {
        let moment = stepped(step);
        let bytes = save(&plan, at(10_000), &moment);
        let (fresh, mut plane) = (self::plan(), ControlPlane::new(0, true));
        assert_eq!(restore(&bytes, &fresh, &mut plane, at(0), &moment).unwrap().macs, 1);
        let State::Heard { idle } = known(&fresh)[0].state else { panic!() };
        assert_eq!(idle, Duration::from_secs(10));
    }
}
