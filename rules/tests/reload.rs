//! What two files differ in: what the log says, and what needs a restart.

use rules::{Rules, against, changes, parse};

const BASE: &str = "version: 1
ports:
  trunk0: { device: net_tap0 }
  trunk1: { device: net_tap1 }
bridges:
  wix:
    sides:
      mud: { port: trunk0, vlan: 10 }
      wix: { port: trunk1, vlan: 20 }
    peering: { ipv4: [202.7.0.0/23] }
    members:
      - { name: fx3, side: mud, mac: 00:21:a0:56:2c:19, ipv4: [202.7.0.31] }
      - { name: juniper, side: mud, mac: 00:05:85:ca:d0:c0 }
    # more
";

fn rules(text: &str) -> Rules {
    parse(text, "a.yaml").unwrap_or_else(|errors| panic!("{errors}")).rules
}

/// BASE with edits, each of something that is there.
fn edited(edits: &[(&str, &str)]) -> Rules {
    rules(&edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    }))
}

#[track_caller]
fn changed(edits: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(changes(&rules(BASE), &edited(edits)), expected);
}

#[track_caller]
fn refused(edits: &[(&str, &str)], expected: &[&str]) {
    let said: Vec<String> = against(&rules(BASE), &edited(edits))
        .iter()
        .map(|line| line.replace(" while the bridge runs: restart it to apply that", ""))
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn a_member_that_moves() {
    changed(&[("fx3, side: mud", "fx3, side: wix")], &["bridges.wix: member fx3 moves from mud to wix"]);
    changed(&[("fx3, side: mud,", "fx3,")], &["bridges.wix: member fx3 moves from mud to either side"]);
}

#[test]
fn members_that_come_and_go() {
    changed(
        &[(
            "      - { name: juniper, side: mud, mac: 00:05:85:ca:d0:c0 }\n",
            "      - { name: xtra, mac: 0:d0:97:5:64:0 }\n",
        )],
        &["bridges.wix: member juniper removed", "bridges.wix: member xtra added on either side"],
    );
}

#[test]
fn a_member_with_another_router_and_address() {
    changed(
        &[("00:21:a0:56:2c:19, ipv4: [202.7.0.31]", "b4:14:89:8:12:20, ipv4: [202.7.0.33], role: host")],
        &[
            "bridges.wix: member fx3 is a host now",
            "bridges.wix: member fx3 loses MAC 00:21:a0:56:2c:19",
            "bridges.wix: member fx3 gains MAC b4:14:89:08:12:20",
            "bridges.wix: member fx3 loses address 202.7.0.31",
            "bridges.wix: member fx3 gains address 202.7.0.33",
        ],
    );
}

#[test]
fn a_member_is_known_again_by_its_mac() {
    changed(&[("name: fx3", "name: fx-networks")], &["bridges.wix: member fx-networks was fx3"]);
}

#[test]
fn two_entries_of_one_name_are_told_apart_by_their_macs() {
    let two = "name: fx3, side: wix, mac: b4:14:89:8:12:20 }\n      - { name: juniper";
    let old = edited(&[("name: juniper", two)]);
    let new = edited(&[
        ("      - { name: fx3, side: mud, mac: 00:21:a0:56:2c:19, ipv4: [202.7.0.31] }\n", ""),
        ("name: juniper", two),
    ]);
    assert_eq!(changes(&old, &new), ["bridges.wix: member fx3 removed"]);
}

#[test]
fn settings_in_the_operators_words() {
    changed(
        &[
            (
                "# more",
                "storm: { mac: { rate: 100/s } }\n    macs: { age: 10m }\n    unknown_unicast: drop\n    nd: { mode: answer }\n    loop: { probe: off }",
            ),
            ("vlan: 20", "vlan: 20, mtu: 9000"),
            ("bridges:\n", "idle: sleep\nbridges:\n"),
        ],
        &[
            "ports.trunk1: the MTU of its largest side: 1500 -> 9000",
            "idle: poll -> sleep",
            "bridges.wix.sides.wix.mtu: 1500 -> 9000",
            "bridges.wix.nd.mode: bridge -> answer",
            "bridges.wix.storm.mac: 50/s burst 300 -> 100/s burst 300",
            "bridges.wix.unknown_unicast: 100/s burst 100 -> drop",
            "bridges.wix.macs.age: 300s -> 600s",
            "bridges.wix.loop.probe: 1s -> off",
        ],
    );
}

#[test]
fn bridges_that_come_and_go_may_be_reloaded() {
    let second = "  apex:\n    sides: { a: { port: trunk0, vlan: 11 }, b: { port: trunk1, vlan: 21 } }\n    peering: { ipv4: [192.203.154.0/24] }\n";
    let more = rules(&format!("{BASE}{second}"));
    assert_eq!(changes(&rules(BASE), &more), ["bridges: apex added"]);
    assert_eq!(changes(&more, &rules(BASE)), ["bridges: apex removed"]);
    assert!(against(&rules(BASE), &more).is_empty() && against(&more, &rules(BASE)).is_empty());
}

#[test]
fn what_a_reload_can_apply_is_not_refused() {
    refused(
        &[
            ("fx3, side: mud", "fx3, side: wix"),
            ("vlan: 20", "vlan: 30, mac: 02:00:00:00:00:01"),
            ("# more", "macs: { age: 10s }\n    neighbours: { per_mac: 1 }\n    drain: true"),
            ("bridges:\n", "idle: sleep\nbridges:\n"),
        ],
        &[],
    );
}

#[test]
fn what_needs_a_restart_says_both_values() {
    refused(
        &[
            ("net_tap1", "net_tap7"),
            ("vlan: 10", "vlan: 10, outer_vlan: 100"),
            ("vlan: 20", "vlan: 20, mtu: 9000"),
            ("# more", "macs: { capacity: 100 }\n    neighbours: { capacity: 200 }"),
            (
                "bridges:\n",
                "workers: [1, 2]\ncontrol: { socket: /tmp/s, group: adm }\nmetrics: { listen: '[::1]:9273' }\nbridges:\n",
            ),
        ],
        &[
            "ports.trunk0: the most tags of its sides: cannot change from 1 to 2",
            "ports.trunk1: the MTU of its largest side: cannot change from 1500 to 9000",
            "ports.trunk1.device: cannot change from net_tap1 to net_tap7",
            "workers: cannot change from 1 to 1, 2",
            "control.socket: cannot change from /run/sluice/sluice.sock to /tmp/s",
            "control.group: cannot change from none to adm",
            "metrics: cannot change from off to [::1]:9273",
            "bridges.wix.neighbours.capacity: cannot change from 8192 to 200",
            "bridges.wix.macs.capacity: cannot change from 4096 to 100",
        ],
    );
}

#[test]
fn ports_stay_as_they_are_and_in_their_order() {
    refused(
        &[("bridges:\n", "  trunk2: { device: net_tap2 }\nbridges:\n")],
        &["ports: cannot change from trunk0, trunk1 to trunk0, trunk1, trunk2"],
    );
    refused(
        &[
            ("  trunk0: { device: net_tap0 }\n", ""),
            ("bridges:\n", "  trunk0: { device: net_tap0 }\nbridges:\n"),
        ],
        &["ports: cannot change from trunk0, trunk1 to trunk1, trunk0"],
    );
}

/// What was learned is kept by side: first stays first.
#[test]
fn the_sides_of_a_bridge_do_not_change_places() {
    refused(
        &[
            ("      mud: { port: trunk0, vlan: 10 }\n", ""),
            ("    peering", "      mud: { port: trunk0, vlan: 10 }\n    peering"),
        ],
        &["bridges.wix.sides: their order: cannot change from mud, wix to wix, mud"],
    );
}
