//! The YAML: any text, or a good file with edits.

use std::sync::LazyLock;

use pipeline::plan::Plan;
use rules::Severity;

use crate::bytes::Choices;
use crate::config::Geometry;

/// The most table entries that a plan is made for: a file may ask for more memory than a test should take.
const MOST: u64 = 1 << 14;

pub(crate) fn run(bytes: &[u8]) {
    match bytes.split_first() {
        // an input that is no text is a list of edits
        Some((0, edits)) => check(&edited(&mut Choices::new(edits))),
        _ => {
            if let Ok(text) = std::str::from_utf8(bytes) {
                check(text);
            }
        }
    }
}

fn check(text: &str) {
    let checked = match rules::parse(text, "fuzz.yaml") {
        Ok(checked) => checked,
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused for no reason");
            // YAML's line breaks, and the Unicode ones that it once had; the end of the file is told as a line of its own
            let lines = text.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 2;
            for error in &errors.0 {
                assert!(error.severity == Severity::Error && !error.message.is_empty(), "{error:?}");
                assert!(error.line <= lines, "beyond the file: {error}");
                assert!(error.to_string().starts_with("fuzz.yaml"));
            }
            return;
        }
    };
    assert_eq!(checked.text, text.strip_prefix('\u{feff}').map_or(text, |_| text));
    assert!(checked.warnings.iter().all(|warning| warning.severity == Severity::Warning));
    let rules = checked.rules;
    let (changes, refused) = (rules::changes(&rules, &rules), rules::against(&rules, &rules));
    assert!(changes.is_empty() && refused.is_empty(), "the same rules, and {changes:?} {refused:?}");
    let tables =
        |bridge: &rules::Bridge| u64::from(bridge.macs.capacity) + u64::from(bridge.neighbours.capacity);
    if rules.bridges.iter().map(tables).sum::<u64>() > MOST {
        return;
    }
    let macs: Vec<rules::Mac> = (0..rules.ports.len()).map(pipeline::worker::placeholder_mac).collect();
    let bridges = rules.bridges.len();
    let first = Plan::new(rules.clone(), None, &macs, 0).expect("few bridges");
    let second = Plan::new(rules, Some(&first), &macs, 0).expect("few bridges");
    assert_eq!(
        (first.bridges.len(), second.bridges.len()),
        (bridges, bridges),
        "a reload of the same bridges"
    );
}

/// Small files that say much: the whole schema is within an edit.
static FILES: LazyLock<[String; 3]> = LazyLock::new(|| {
    let choose = |bytes: &[u8]| {
        let mut choices = Choices::new(bytes);
        let geometry = Geometry::choose(&mut choices);
        geometry.yaml(&mut choices)
    };
    let more = "idle: poll\ncontrol: { socket: /run/sluice/sluice.sock, group: sluice }\nmetrics: { listen: \"127.0.0.1:9273\" }\n";
    [
        choose(&[]),
        choose(&[3, 1, 0x20, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff]) + more,
        include_str!("../../rules/examples/wix.yaml").to_owned(),
    ]
});

const VALUES: [&str; 32] = [
    "",
    "~",
    "null",
    "true",
    "off",
    "0",
    "1",
    "-1",
    "65535",
    "65536",
    "1e9",
    "0x10",
    "18446744073709551616",
    "\"\"",
    "[]",
    "{}",
    "[[]]",
    "1/s",
    "4294967296/s",
    "0s",
    "1ms",
    "999999999999h",
    "\"02:51:00:00:00:0a\"",
    "10.0.0.0/8",
    "::/0",
    "fe80::1",
    "*a",
    "&a x",
    "!!str x",
    "|",
    "? x",
    "- x",
];

const KEYS: [&str; 16] = [
    "version", "ports", "bridges", "sides", "port", "vlan", "mtu", "mac", "members", "macs", "ipv4", "rate",
    "burst", "capacity", "<<", "x",
];

fn edited(choices: &mut Choices<'_>) -> String {
    let file = &FILES[choices.below(FILES.len())];
    let mut tokens: Vec<String> = tokens(file);
    for _ in 0..16 {
        if choices.is_empty() {
            break;
        }
        let (kind, at) = (choices.byte(), usize::from(choices.word()) % tokens.len().max(1));
        match kind % 8 {
            0 => tokens[at] = choices.pick(&VALUES).to_owned(),
            1 => tokens[at] = choices.pick(&KEYS).to_owned(),
            2 => tokens[at] = choices.word().to_string(),
            3 => {
                let count = choices.below(24);
                tokens[at] = String::from_utf8_lossy(choices.take(count)).into_owned();
            }
            4 => tokens[at].clear(),
            5 => {
                let other = tokens[usize::from(choices.word()) % tokens.len()].clone();
                tokens[at] = other;
            }
            6 => {
                // some lines once more, or deeper
                let end = (at + 1 + choices.below(32)).min(tokens.len());
                let again = tokens[at..end].to_vec();
                tokens.splice(at..at, again);
            }
            _ => tokens.truncate(tokens.len() - choices.below(64).min(tokens.len() - 1)),
        }
    }
    tokens.concat()
}

/// Words, and everything else character by character.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut open = false;
    for character in text.chars() {
        let word = character.is_alphanumeric() || "._:/\"-".contains(character);
        match tokens.last_mut() {
            Some(last) if word && open => last.push(character),
            _ => tokens.push(character.into()),
        }
        open = word;
    }
    tokens
}
