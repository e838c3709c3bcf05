//! The reference page of the YAML, in Markdown: a table for each mapping, in the order in which its keys are read.

use std::ops::RangeInclusive;

use serde_json::Value as Json;

use crate::form::{Form, NAME};
use crate::key::{Content, Described};

const HEAD: &str = r#"# The YAML

<!-- Made from the code that reads the file by `sluice schema --markdown`; a test compares. -->

Every key of a rules file. `sluice check FILE` says everything that is wrong with one, each error with its line and column;
`sluice schema` prints a JSON Schema, for editors.

```yaml
version: 1
ports:
  trunk0: { device: "0000:03:00.0" }
  trunk1: { device: "0000:03:00.1" }
bridges:
  wix:
    sides:
      mud: { port: trunk0, vlan: 10 }
      wix: { port: trunk1, vlan: 20, mtu: 9000 }
    peering: { ipv4: [202.7.0.0/23], ipv6: ["2001:7fa:3:ca07::/64"] }
    own: { icmp_source4: 192.0.2.1, icmp_source6: "2001:db8::1" }
    members:
      - { name: fx3, side: mud, mac: "00:21:a0:56:2c:19", ipv4: [202.7.0.31] }
      - { name: fx4, macs: ["b4:14:89:08:12:20", "00:00:5e:00:01:01"] }
    nd: { mode: answer }
    storm: { mac: { burst: 500 } }
    unknown_unicast: drop
```

Only `version`, `ports`, and the `sides` and `peering` of a bridge must be given. A longer file, with comments:
[wix.yaml](../rules/examples/wix.yaml).

A reload (SIGHUP) applies a file whole, or not at all. A file that changes a value marked *restart* is refused while the bridge
runs; `sluice check FILE --against RUNNING` says so before.
"#;

/// The page of a file with these keys.
pub(crate) fn page(keys: &[Described]) -> String {
    let mut page = HEAD.to_owned();
    section(&mut page, "", "The keys at the top of the file.", keys, false);
    page
}

/// The section of a mapping, and after it those of the mappings in it.
fn section(page: &mut String, path: &str, help: &str, keys: &[Described], fixed: bool) {
    let heading = if path.is_empty() { "Top level".to_owned() } else { format!("`{path}`") };
    *page += &format!("\n## {heading}\n\n{help}\n\n");
    *page += "| key | meaning | expected | default | reload |\n|---|---|---|---|---|\n";
    rows(page, path, "", keys, fixed);
    for described in keys {
        if let Some((path, keys)) = mapping_of(path, described) {
            let name = match described.content {
                Content::Named { .. } => format!(" `NAME` is {}.", NAME.expected()),
                _ => String::new(),
            };
            let help = format!("{}{name}", described.help);
            section(page, &path, &help, keys, fixed || described.key.fixed);
        }
    }
}

/// The mapping under a key that has a section of its own: what it is called there, and its keys.
fn mapping_of<'d>(path: &str, described: &'d Described) -> Option<(String, &'d [Described])> {
    let dot = if path.is_empty() { "" } else { "." };
    let path = format!("{path}{dot}{}", described.key.name);
    match &described.content {
        Content::Section(keys) => Some((path, keys)),
        Content::Named { keys, .. } => Some((format!("{path}.NAME"), keys)),
        Content::List(keys) => Some((format!("{path}[]"), keys)),
        Content::Value { .. } | Content::Whole { .. } => None,
    }
}

/// A row for each key. What is spoken of as one value has its keys in rows below, under `prefix`.
fn rows(page: &mut String, path: &str, prefix: &str, keys: &[Described], fixed: bool) {
    for described in keys {
        let fixed = fixed || described.key.fixed;
        let key = format!("{prefix}{}", described.key.name);
        let link = |text: &str| {
            let path = mapping_of(path, described).map(|(path, _)| path).unwrap_or_default();
            // as GitHub and others make an anchor of the heading
            let anchor = path.to_lowercase().replace(['.', '[', ']'], "");
            format!("[{text}](#{anchor})")
        };
        let expected = match &described.content {
            Content::Value { expected, .. } => expected.clone(),
            Content::Section(_) => link("a mapping"),
            Content::Whole { word: None, .. } => "a mapping".into(),
            Content::Whole { word: Some(word), .. } => format!("a mapping, or {word}"),
            Content::Named { count, .. } => format!("{}, by name", link(&mappings(count))),
            Content::List(_) => link("a list of mappings"),
        };
        let default = match (&described.schema()["default"], &described.absent) {
            (_, None) => "must be given".into(),
            (Json::Null, Some(absent)) => absent.clone(),
            (Json::String(default), _) => format!("`{default}`"),
            (default, _) => format!("`{default}`"),
        };
        let (help, reload) = (&described.help, if fixed { "restart" } else { "yes" });
        *page += &format!("| `{key}` | {help} | {expected} | {default} | {reload} |\n");
        if let Content::Whole { keys, .. } = &described.content {
            rows(page, path, &format!("{key}."), keys, fixed);
        }
    }
}

fn mappings(count: &RangeInclusive<usize>) -> String {
    match (count.start(), count.end()) {
        (least, most) if least == most => format!("{least} mappings"),
        (least, most) => format!("{least} to {most} mappings"),
    }
}
