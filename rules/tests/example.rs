//! The example that users start from, and the schema that their editors use.

use rules::{Rules, against, changes, load, parse, schema};
use serde_json::Value;

const EXAMPLE: &str = include_str!("../examples/wix.yaml");

/// What the README promises to be enough.
const LEAST: &str = "
version: 1
ports: { trunk: { device: net_tap0 } }
bridges:
  wix:
    sides: { mud: { port: trunk, vlan: 10 }, wix: { port: trunk, vlan: 20 } }
    peering: { ipv4: [202.7.0.0/23], ipv6: ['2001:7fa:3:ca07::/64'] }
";

fn rules(text: &str) -> Rules {
    parse(text, "test.yaml").unwrap_or_else(|errors| panic!("{errors}")).rules
}

/// The example with the keys that it shows as comments.
fn uncommented() -> String {
    EXAMPLE
        .lines()
        .map(|line| {
            let rest = line.trim_start();
            let indent = &line[..line.len() - rest.len()];
            let key = rest.strip_prefix("# ").filter(|rest| {
                let word = rest.trim_start().split(':').next().unwrap_or_default();
                rest.contains(':')
                    && !word.is_empty()
                    && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
            });
            format!("{indent}{}\n", key.unwrap_or(rest))
        })
        .collect()
}

#[test]
fn the_example_has_no_errors_and_warns_of_the_two_names_of_one_mac() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/wix.yaml");
    let checked = load(path).unwrap();
    let warnings: Vec<String> = checked.warnings.iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(warnings, ["00:08:20:4c:1c:1a is tsc8lh's too: joined as tsc8lh / tsb1lh"]);
    let bridge = &checked.rules.bridges[0];
    assert_eq!(bridge.members.len(), 17);
    assert!(bridge.members.iter().any(|member| member.name == "tsc8lh / tsb1lh" && member.macs.len() == 1));
}

#[test]
fn the_values_that_the_example_shows_are_the_defaults() {
    let only_what_has_no_default = [
        "control.group: none -> sluice",
        "bridges.wix.sides.mud.vlan: VLAN 10 -> VLAN 10 in service VLAN 100",
        "bridges.wix.own.icmp_source4: none -> 192.0.2.1",
        "bridges.wix.own.icmp_source6: none -> 2001:db8::1",
    ];
    assert_eq!(changes(&rules(EXAMPLE), &rules(&uncommented())), only_what_has_no_default);
}

#[test]
fn ports_sides_and_prefixes_alone_are_a_safe_bridge() {
    let rules = rules(LEAST);
    let bridge = &rules.bridges[0];
    assert_eq!((rules.workers.as_slice(), rules.metrics), ([1].as_slice(), None));
    assert_eq!((rules.ports[0].mtu, rules.ports[0].tags), (1500, 1));
    assert_eq!(bridge.unknown_unicast.map(|rate| rate.per_second), Some(100));
    assert!(bridge.loops.probe.is_some() && bridge.anycast.subnet_router && !bridge.mld && !bridge.drain);
    assert!(against(&rules, &rules).is_empty() && changes(&rules, &rules).is_empty());
}

#[test]
fn the_schema_is_valid_and_accepts_the_example() {
    let schema = schema();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for text in [EXAMPLE, LEAST, &uncommented()] {
        let value: Value = serde_yaml::from_str(text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

#[test]
fn every_key_of_the_schema_is_shown_in_the_example_and_described() {
    fn walk(schema: &Value, path: &str, text: &str) {
        let within = [&schema["items"], &schema["additionalProperties"], &schema["anyOf"][1]];
        within.into_iter().filter(|schema| schema.is_object()).for_each(|schema| walk(schema, path, text));
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            assert!(text.contains(&format!("{key}:")), "{path}.{key} is not in the example");
            assert!(value["description"].as_str().is_some_and(|help| !help.is_empty()), "{path}.{key}");
            walk(value, &format!("{path}.{key}"), text);
        }
    }
    walk(&schema(), "", EXAMPLE);
}

/// Every mapping of the schema refuses a key that it does not have, as the parser does; and a value of no form at
/// all is refused by both for every key.
#[test]
fn schema_and_parser_refuse_alike() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let whole: Value = serde_yaml::from_str(&uncommented()).unwrap();
    let mut pointers = Vec::new();
    fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
        pointers.push(at.clone());
        match value {
            Value::Object(entries) => {
                entries.iter().for_each(|(key, value)| collect(value, format!("{at}/{key}"), pointers));
            }
            Value::Array(items) => {
                items.iter().take(1).for_each(|value| collect(value, format!("{at}/0"), pointers));
            }
            _ => {}
        }
    }
    collect(&whole, String::new(), &mut pointers);
    assert!(pointers.len() >= 100, "{}", pointers.len());
    for pointer in pointers {
        for replacement in
            [None, Some(Value::Null), Some(serde_json::json!(1.5)), Some(serde_json::json!([[1]]))]
        {
            let mut changed = whole.clone();
            let place = changed.pointer_mut(&pointer).unwrap();
            match replacement {
                Some(value) => *place = value,
                None => match place.as_object_mut() {
                    // A key under a mapping of names is a name, whose value is then no mapping.
                    Some(entries) => drop(entries.insert("no_such_key".into(), Value::Null)),
                    None => continue,
                },
            }
            if pointer.ends_with("/name") && changed.pointer(&pointer) == Some(&serde_json::json!(1.5)) {
                continue; // a name as it was written
            }
            let text = serde_yaml::to_string(&changed).unwrap();
            assert!(parse(&text, "test.yaml").is_err(), "the parser accepts {pointer}\n{text}");
            assert!(!validator.is_valid(&changed), "the schema accepts {pointer}\n{text}");
        }
    }
}
