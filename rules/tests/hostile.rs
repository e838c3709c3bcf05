//! No text makes the parser panic, hang or hold more than its limits.

use proptest::prelude::*;
use rules::{MAX_BYTES, changes, parse};

const EXAMPLE: &str = include_str!("../examples/wix.yaml");

/// Whatever comes out is in order and displays.
fn survives(text: &str) {
    match parse(text, "a.yaml") {
        Ok(checked) => assert!(changes(&checked.rules, &checked.rules).is_empty()),
        Err(errors) => {
            assert!(!errors.0.is_empty() && !errors.to_string().is_empty());
            assert!(errors.0.is_sorted_by_key(|error| (error.line, error.column)), "{errors}");
            assert!(errors.0.iter().all(|error| error.line > 0 && error.column > 0), "{errors}");
        }
    }
}

/// Words of YAML and of the contract, so that random texts get past the first byte.
fn yamlish() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "version", "ports", "bridges", "sides", "members", "mac", "vlan", ": ", ":", "\n", "\n  ", "\n    ",
        "- ", "{", "}", "[", "]", ", ", "'", "\"", "? ", "| ", "> ", "& ", "*", "!", "%", "---\n", "...\n",
        "~", "null", "off", "true", "1", "-1", "1e9", "0x1f", "\t", "#", "\u{feff}", "\u{85}", "\0", "é",
        "<<",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_sequence_of_yaml_words_is_survived(text in yamlish()) {
        survives(&text);
        survives(&format!("version: 1\nports:\n  a: {{ device: net_null0 }}\n{text}"));
    }

    #[test]
    fn any_mutation_of_the_example_is_survived(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..20, yamlish()), 1..4)
    ) {
        let mut chars: Vec<char> = EXAMPLE.chars().collect();
        for (at, removed, put) in edits {
            let at = at.index(chars.len());
            let end = chars.len().min(at + removed);
            chars.splice(at..end, put.chars());
        }
        survives(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn any_truncation_of_the_example_is_survived(at in any::<prop::sample::Index>()) {
        survives(&EXAMPLE.chars().take(at.index(EXAMPLE.len())).collect::<String>());
    }

    #[test]
    fn any_swap_of_two_lines_of_the_example_is_survived(a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let mut lines: Vec<&str> = EXAMPLE.lines().collect();
        let (a, b) = (a.index(lines.len()), b.index(lines.len()));
        lines.swap(a, b);
        survives(&lines.join("\n"));
    }
}

#[test]
fn large_files_of_each_shape_are_survived() {
    let shapes = [
        "[", "{", "- ", "? ", "a: ", "a,", "[a,", "{a: ", "'", "\"", "|\n", "&a ", "*a ", "!a ", "#", "%a\n",
        "---\n", "\n", "a\n", ":", "\\", "\t",
    ];
    for shape in shapes {
        survives(&shape.repeat(200_000 / shape.len()));
        survives(&format!("a: [{}", shape.repeat(200_000 / shape.len())));
    }
    survives(&"x".repeat(MAX_BYTES + 1));
}

#[test]
fn twenty_thousand_entries_of_one_mac_are_joined() {
    let members: String =
        (0..20_000).map(|n| format!("      - {{ name: m{n}, mac: 0:0:0:0:0:1 }}\n")).collect();
    let text = format!(
        "version: 1\nports: {{ p: {{ device: net_null0 }} }}\nbridges:\n  b:\n    sides: {{ x: {{ port: p, vlan: 1 }}, y: {{ port: p, vlan: 2 }} }}\n    peering: {{ ipv4: [192.0.2.0/24] }}\n    members:\n{members}"
    );
    let checked = parse(&text, "a.yaml").unwrap();
    assert_eq!((checked.rules.bridges[0].members.len(), checked.warnings.len()), (1, 1000));
}
