//! The report: what is in it, under which names.

use super::report::{About, Asked, PortReport};
use super::{Check, Report, Verdict};
use crate::io::machine::{HugePages, Id};

fn report() -> Report {
    let mut load = Check::new("load_64", "full load").saw("A to B: sent 1 Mpps");
    load.measure("sent", "A to B", 1.234_56, "Mpps");
    let failed = Check::new("fragments", "fragments arrive").fails_by(vec!["one lost".to_owned()], "look");
    let port = PortReport {
        name: "A".to_owned(),
        device: "0000:03:00.0".to_owned(),
        pci: Some("0000:03:00.0".to_owned()),
        vendor: Some(Id { id: "8086".to_owned(), name: Some("Intel | Corporation".to_owned()) }),
        model: Some(Id { id: "10fb".to_owned(), name: None }),
        driver: "net_ixgbe".to_owned(),
        firmware: None,
        mac: "3c:fd:fe:00:00:01".to_owned(),
        numa_node: Some(0),
        link_up: true,
        speed_mbps: Some(10_000),
        most_queues: 64,
        descriptors: 1024,
    };
    Report {
        sluice: "0.1.0".to_owned(),
        time: "2026-01-02T03:04:05.000000Z".to_owned(),
        dpdk: "DPDK 22.11.11".to_owned(),
        machine: About {
            kernel: "6.1.0".to_owned(),
            processor: None,
            cores: vec![0, 1],
            memory_kib: Some(1 << 20),
            dpdk_memory: "huge pages".to_owned(),
            huge_pages: vec![HugePages { size_kib: 2048, total: 64, free: 60 }],
        },
        settings: Asked { mtu: 1500, vlan: None, seconds: 60, workers: vec![1] },
        ports: vec![port],
        checks: vec![load, failed, Check::new("link_down", "").impossible("no")],
        passed: false,
    }
}

/// The names of all fields, by where they are.
fn keys(value: &serde_json::Value, at: &str, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let at = format!("{at}.{name}");
            into.push(at.clone());
            keys(value, &at, into);
        }),
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, at, into)),
        _ => {}
    }
}

#[test]
fn the_json_has_these_fields_and_these_verdicts() {
    let json = serde_json::to_value(report()).unwrap();
    let mut found = Vec::new();
    keys(&json, "", &mut found);
    found.sort();
    found.dedup();
    let expected = "\
.checks .checks.advice .checks.check .checks.evidence .checks.measured .checks.measured.of .checks.measured.unit \
.checks.measured.value .checks.measured.what .checks.title .checks.verdict .dpdk .machine .machine.cores \
.machine.dpdk_memory .machine.huge_pages .machine.huge_pages.free .machine.huge_pages.size_kib \
.machine.huge_pages.total .machine.kernel .machine.memory_kib .machine.processor .passed .ports .ports.descriptors \
.ports.device .ports.driver .ports.firmware .ports.link_up .ports.mac .ports.model .ports.model.id .ports.model.name \
.ports.most_queues .ports.name .ports.numa_node .ports.pci .ports.speed_mbps .ports.vendor .ports.vendor.id \
.ports.vendor.name .settings .settings.mtu .settings.seconds .settings.vlan .settings.workers .sluice .time";
    assert_eq!(found.join(" "), expected);
    let verdicts: Vec<_> = json["checks"].as_array().unwrap().iter().map(|check| &check["verdict"]).collect();
    assert_eq!(verdicts, ["ok", "failed", "not_possible"]);
    assert_eq!(json["checks"][0]["measured"][0]["value"], 1.235);
}

#[test]
fn the_markdown_begins_with_the_outcome_and_says_all_that_the_json_says() {
    let report = report();
    let text = report.to_string();
    assert!(
        text.starts_with("# sluice selftest: FAILED\n\n1 checks ok, 1 failed, 1 not possible here.\n"),
        "{text}"
    );
    for said in [
        "| port A | 0000:03:00.0, Intel \\| Corporation [8086], unknown [10fb], driver net_ixgbe, firmware not told",
        "| fragments | FAILED | fragments arrive |",
        "## fragments: FAILED\n\nfragments arrive.\n\n- one lost\n\nWhat to do: look.\n",
        "| sent | A to B | 1.235 | Mpps |",
        "| huge pages before | 64 of 2048 KiB, 60 free |",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}

#[test]
fn a_check_fails_only_by_a_fault() {
    let check = Check::new("sizes", "").saw("all came").fails_by(Vec::new(), "never said");
    assert_eq!((check.verdict, check.advice), (Verdict::Ok, None));
}
