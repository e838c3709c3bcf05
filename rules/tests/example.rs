//! The example that users start from, and the schema that their editors use.

use rules::{Rules, against, changes, load, parse, reference, schema};
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
        "bridges.wix.sides.mud.outer_vlan: none -> 100",
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

#[test]
fn the_committed_page_is_what_is_read() {
    let committed = include_str!("../../docs/YAML.md");
    assert!(
        committed == reference(),
        "docs/YAML.md is stale: run `cargo run --bin sluice -- schema --markdown > docs/YAML.md`"
    );
}

#[test]
fn the_file_that_the_page_shows_is_accepted_without_a_warning() {
    let page = reference();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    assert_eq!(parse(shown, "page").unwrap().warnings, []);
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

/// The example with every key that there is.
fn with_every_key() -> Value {
    let mut whole: Value = serde_yaml::from_str(&uncommented()).expect("YAML");
    whole["metrics"] = serde_json::json!({ "listen": "[::1]:9273" });
    let vrrp = serde_json::json!({ "name": "vrrp", "macs": ["00:00:5e:00:01:01"] });
    whole["bridges"]["wix"]["members"].as_array_mut().expect("a list").push(vrrp);
    whole
}

/// Visits every value that the schema has a place for: its schema, the JSON pointer to it in `file`, and whether it is said
/// to need a restart. Of names the first is visited, of a list of mappings the first that has the key.
fn values(schema: &Value, file: &Value, at: &str, fixed: bool, visit: &mut dyn FnMut(&Value, &str, bool)) {
    let fixed =
        fixed || schema["description"].as_str().is_some_and(|help| help.ends_with("needs a restart."));
    let mapping = [schema, &schema["anyOf"][1]].into_iter().find(|schema| schema["type"] == "object");
    if let Some(mapping) = mapping {
        for (key, schema) in mapping["properties"].as_object().into_iter().flatten() {
            values(schema, &file[key], &format!("{at}/{key}"), fixed, visit);
        }
        if mapping["additionalProperties"].is_object() {
            let (name, file) = file.as_object().and_then(|names| names.iter().next()).expect(at);
            values(&mapping["additionalProperties"], file, &format!("{at}/{name}"), fixed, visit);
        }
    } else if let Some(keys) = schema["items"]["properties"].as_object() {
        for (key, schema) in keys {
            let has = |item: &Value| item.get(key).is_some();
            let index = file.as_array().and_then(|items| items.iter().position(has)).expect(key);
            values(schema, &file[index][key], &format!("{at}/{index}/{key}"), fixed, visit);
        }
    } else {
        assert!(!file.is_null(), "{at} is not in the example");
        visit(schema, at, fixed);
    }
}

/// No key can be read and then forgotten where two files are compared: each in turn gets another value.
#[test]
fn every_key_that_changes_is_named_and_those_that_need_a_restart_are_refused() {
    let others = serde_json::json!([
        11,
        2,
        1300,
        true,
        false,
        "7s",
        "7/s",
        "off",
        "answer",
        "members",
        "pass",
        "drop",
        "pause",
        "host",
        "wix",
        "trunk1",
        "adm",
        "/tmp/socket",
        "net_null7",
        "[::1]:7",
        "02:00:00:00:00:07",
        "202.7.0.7",
        "2001:7fa:3:ca07::7",
        "192.0.2.7",
        "2001:db8::7",
        "202.7.0.0/22",
        "2001:7fa:3:ca00::/56",
        "another",
    ]);
    let whole = with_every_key();
    let read = |file: &Value| parse(&serde_yaml::to_string(file).unwrap(), "a.yaml").map(|file| file.rules);
    let old = read(&whole).unwrap();
    let mut visited = 0;
    values(&schema(), &whole, "", false, &mut |schema, at, fixed| {
        if schema["minimum"].is_number() && schema["minimum"] == schema["maximum"] {
            return; // the version: there is no other
        }
        let list = whole.pointer(at).unwrap().is_array();
        let new = others.as_array().unwrap().iter().find_map(|other| {
            let mut file = whole.clone();
            let place = file.pointer_mut(at).unwrap();
            let other = if list { Value::Array(vec![other.clone()]) } else { other.clone() };
            if std::mem::replace(place, other) == *place { None } else { read(&file).ok() }
        });
        let new = new.unwrap_or_else(|| panic!("{at}: this test knows no other value for it"));
        // The key itself, or one above it, as a member's is said of its bridge.
        let path = at[1..].replace('/', ".");
        let about = |line: &String| {
            line.split_once(": ").is_some_and(|(key, _)| format!("{path}.").starts_with(&format!("{key}.")))
        };
        assert!(changes(&old, &new).iter().any(about), "{path}: {:#?}", changes(&old, &new));
        assert_eq!(against(&old, &new).iter().any(about), fixed, "{path}: {:#?}", against(&old, &new));
        visited += 1;
    });
    assert!(visited >= 60, "{visited}");
}
