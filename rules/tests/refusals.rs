//! Every kind of error, each with its exact place and words.
//!
//! `§` marks where an error is expected: the mark is taken out before the text is read.

use rules::parse;

const BASE: &str = r#"version: 1
ports:
  trunk0: { device: "0000:03:00.0" }
  trunk1: { device: "net_tap1,iface=swB" }
bridges:
  wix:
    sides:
      mud: { port: trunk0, vlan: 10, mac: "02:51:00:00:00:0a" }
      wix: { port: trunk1, vlan: 20, mac: "02:51:00:00:00:14" }
    peering: { ipv4: [202.7.0.0/23], ipv6: ["2001:7fa:3:ca07::/64"] }
    own: { ipv4: 202.7.1.254, ipv6: "2001:7fa:3:ca07::fe" }
    members:
      - { name: fx3, side: mud, mac: "00:21:a0:56:2c:19", ipv4: [202.7.0.31], ipv6: ["2001:7fa:3:ca07::31"] }
      - { name: juniper, side: wix, mac: "0:5:85:ca:d0:c0", ipv4: [202.7.0.32] }
    # more
"#;

/// The text without its marks, and the place of each.
fn places(marked: &str) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut places, mut line, mut column) = (String::new(), Vec::new(), 1, 1);
    for c in marked.chars() {
        match c {
            '§' => places.push((line, column)),
            '\n' => (line, column) = (line + 1, 1),
            _ => column += 1,
        }
        text.extend(Some(c).filter(|c| *c != '§'));
    }
    (text, places)
}

#[track_caller]
fn errors_of_text(marked: &str, expected: &[&str]) {
    let (text, places) = places(marked);
    let found = parse(&text, "a.yaml").err().map(|errors| errors.to_string()).unwrap_or_default();
    assert_eq!(places.len(), expected.len(), "as many marks as errors; found\n{found}");
    let expected: Vec<String> = places
        .iter()
        .zip(expected)
        .map(|((line, column), what)| format!("a.yaml:{line}:{column}: {what}"))
        .collect();
    assert_eq!(found, expected.join("\n"), "in\n{}", &text[..text.len().min(2000)]);
}

#[track_caller]
fn edited(from: &str, to: &str) -> String {
    assert_eq!(BASE.matches(from).count(), 1, "{from} is in the text once");
    BASE.replace(from, to)
}

#[track_caller]
fn accepted(from: &str, to: &str) -> rules::Checked {
    parse(&edited(from, to), "a.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// A test for each: `name: what is in BASE => what is put there, the errors`.
macro_rules! refused {
    ($($name:ident: $from:expr => $to:expr, [$($what:expr),* $(,)?];)*) => {
        $(#[test] fn $name() { errors_of_text(&edited($from, $to), &[$($what),*]); })*
    };
}

/// The same for a bridge's key put where BASE has none.
macro_rules! refused_key {
    ($($name:ident: $to:expr, [$($what:expr),* $(,)?];)*) => {
        $(#[test] fn $name() { errors_of_text(&edited("# more", $to), &[$($what),*]); })*
    };
}

const MAC: &str =
    "expected a MAC address such as 00:21:a0:56:2c:19, 0:21:a0:56:2c:19, 00-21-a0-56-2c-19 or 0021.a056.2c19";

#[test]
fn the_base_of_these_tests_has_neither_error_nor_warning() {
    assert_eq!(parse(BASE, "a.yaml").unwrap().warnings, []);
}

mod yaml {
    use super::*;

    #[test]
    fn an_empty_file() {
        errors_of_text("§", &["the file is empty (expected at least version, ports and bridges)"]);
        errors_of_text("§# nothing\n", &["the file is empty (expected at least version, ports and bridges)"]);
    }

    #[test]
    fn a_syntax_error_ends_reading_at_its_place() {
        errors_of_text("a: b§: c\n", &["not YAML: mapping values are not allowed in this context"]);
        errors_of_text("a: §@x\n", &["not YAML: unexpected character: `@'"]);
        errors_of_text("version: 1\nports:\n  a: §]\n", &["not YAML: misplaced bracket"]);
    }

    #[test]
    fn a_tab_as_indentation_is_pointed_at_on_any_line_and_in_any_column_of_it() {
        let said = ["not YAML: a tab in the indentation (expected spaces)"];
        let lines: Vec<&str> = BASE.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        for number in 0..lines.len() {
            let content = lines[number].trim_start();
            for spaces in 0..=lines[number].len() - content.len() {
                let mut lines = lines.clone();
                let line = format!("{}§\t{content}", " ".repeat(spaces));
                lines[number] = &line;
                errors_of_text(&format!("{}\n", lines.join("\n")), &said);
                errors_of_text(&format!("{}\r\n", lines.join("\r\n")), &said);
            }
        }
    }

    #[test]
    fn a_tab_is_pointed_at_whatever_it_interrupts() {
        for text in [
            "a: 1\n\n\n§\tb: 2\n",
            "a: 1\n§\t# comment\n\tb: 2\n",
            "a: two\n  lines\n§\tb: 2\n",
            "a: |\n§\tx\n",
            "a: |\n  x\n§\ty\n",
            "a: \"x\n§\ty\"\n",
            "a: {\n§\tb: 1 }\n",
            "a:\n  - 1\n§\t- 2\n",
            "a:\n  §\tb: 1\n  c: 1\n",
            "a:\n§\tb:\n\t\tc: 1\n",
            "§\ta: 1\n",
            "# x\n§\ta: 1\n\tb: 2\n",
        ] {
            errors_of_text(text, &["not YAML: a tab in the indentation (expected spaces)"]);
        }
    }

    #[test]
    fn a_tab_that_yaml_allows_takes_no_blame() {
        errors_of_text(
            "a: [1,\n\t2]\nb: 1§: 2\n",
            &["not YAML: mapping values are not allowed in this context"],
        );
        accepted("202.7.0.0/23]", "202.7.0.0/23\n          \t]");
    }

    #[test]
    fn a_list_at_the_top() {
        errors_of_text("§- 1\n", &["found a list (expected a mapping)"]);
    }

    #[test]
    fn anchors_aliases_tags_and_second_documents() {
        errors_of_text(
            "a: §&x 1\nb: *x\n",
            &["an anchor (&name) is not allowed (write the value out where it is used)"],
        );
        errors_of_text("a: §!!str 1\n", &["a tag (!name) is not allowed (write the value alone)"]);
        errors_of_text(
            "a: 1\n§---\nb: 1\n",
            &["a second document begins here (expected one document a file)"],
        );
    }

    #[test]
    fn an_alias_bomb_is_refused_at_its_first_anchor() {
        errors_of_text(
            "a: §&a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
            &["an anchor (&name) is not allowed (write the value out where it is used)"],
        );
    }

    #[test]
    fn nesting_without_end() {
        errors_of_text(&format!("{}§{}", "[".repeat(24), "[".repeat(100)), &["nested deeper than 24 levels"]);
        errors_of_text(&format!("{}§- x", "- ".repeat(24)), &["nested deeper than 24 levels"]);
        assert_eq!(parse(&"[".repeat(1_000_000), "a.yaml").unwrap_err().0.len(), 1);
    }

    #[test]
    fn a_file_of_more_than_sixteen_mebibytes() {
        let text = format!("§{}", "#".repeat(rules::MAX_BYTES + 1));
        errors_of_text(&text, &["the file is too large (expected at most 16 MiB)"]);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let errors = rules::load("/nonexistent/a.yaml").unwrap_err();
        assert!(errors.to_string().starts_with("/nonexistent/a.yaml: cannot be read: "), "{errors}");
    }

    #[test]
    fn a_file_that_is_not_utf8_says_where() {
        let path = std::env::temp_dir().join(format!("sluice-rules-{}.yaml", std::process::id()));
        std::fs::write(&path, b"version: 1\nna\xff").unwrap();
        let errors = rules::load(&path).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((errors.0[0].line, errors.0[0].column), (2, 3), "{errors}");
    }

    refused! {
        a_key_given_twice: "vlan: 10," => "vlan: 10, §vlan: 11,",
            ["bridges.wix.sides.mud.vlan: given twice (expected each key once)"];
        a_name_given_twice: "bridges:\n" => "  §trunk0: { device: net_null0 }\nbridges:\n",
            ["ports.trunk0: given twice (expected each key once)"];
        a_key_that_is_no_text: "vlan: 10," => "vlan: 10, §[a]: 1,",
            ["bridges.wix.sides.mud.?: found a list (expected a key)"];
        an_unknown_key_near_a_known_one: "vlan: 10" => "vlan: 10, §mtv: 1500",
            ["bridges.wix.sides.mud.mtv: unknown key (did you mean mtu?)"];
        an_unknown_key_like_no_other: "    own: {" => "    own: { §colour: blue,",
            ["bridges.wix.own.colour: unknown key (expected one of: ipv4, ipv6, icmp_source4, icmp_source6)"];
        an_unknown_key_at_the_top: "ports:\n" => "§brides: {}\nports:\n", ["brides: unknown key (did you mean bridges?)"];
        a_terminal_escape_in_a_key: "vlan: 10" => "vlan: 10, §\"\\e[2J\": 1",
            ["bridges.wix.sides.mud.\\u{1b}[2J: unknown key (expected one of: port, vlan, outer_vlan, mtu, mac, fragment)"];
    }
}

mod top {
    use super::*;

    refused! {
        another_version: "version: 1" => "version: §2", ["version: 2 is out of range (expected 1)"];
        a_version_in_quotes: "version: 1" => "version: §'1'", ["version: found \"1\" (expected a whole number, 1)"];
        no_version: "version: 1\nports:" => "§ports:", ["version: missing (expected a key version here)"];
        no_device: "trunk1: { device: \"net_tap1,iface=swB\" }" => "trunk1: §{}",
            ["ports.trunk1.device: missing (expected a key device here)"];
        a_port_without_anything: "trunk1: { device: \"net_tap1,iface=swB\" }" => "trunk1§:",
            ["ports.trunk1: found nothing (expected a mapping)"];
        a_device_that_is_none: "\"0000:03:00.0\"" => "§\"0000:03:00\"",
            ["ports.trunk0.device: found \"0000:03:00\" (expected a PCI address such as 0000:03:00.0, or a DPDK virtual device such as net_tap0,iface=swA)"];
        a_device_like_an_option: "\"0000:03:00.0\"" => "§--no-huge",
            ["ports.trunk0.device: found \"--no-huge\" (expected a PCI address such as 0000:03:00.0, or a DPDK virtual device such as net_tap0,iface=swA)"];
        one_device_on_two_ports: "\"net_tap1,iface=swB\"" => "§\"03:00.0\"",
            ["ports.trunk1.device: is the device of port trunk0 already (expected another device for each port; both sides of a bridge may share one port)"];
        a_name_with_a_slash: "ports:\n" => "ports:\n  §a/b: { device: net_null0 }\n",
            ["ports.a/b: \"a/b\" is no name (expected a name of letters, digits, _ and -, at most 32, not beginning with -)"];
        a_terminal_escape_in_a_name: "ports:\n" => "ports:\n  §\"\\e[2J\": { device: net_null0 }\n",
            ["ports.\\u{1b}[2J: \"\\u{1b}[2J\" is no name (expected a name of letters, digits, _ and -, at most 32, not beginning with -)"];
        no_worker: "ports:\n" => "workers: §[]\nports:\n", ["workers: names no core (expected at least one, such as [1])"];
        one_worker_twice: "ports:\n" => "workers: [1, 2, §1]\nports:\n", ["workers[2]: core 1 is listed twice (expected each core once)"];
        a_core_that_is_none: "ports:\n" => "workers: [§-1, §1024, §one]\nports:\n", [
            "workers[0]: -1 is out of range (expected 0 to 1023)",
            "workers[1]: 1024 is out of range (expected 0 to 1023)",
            "workers[2]: found \"one\" (expected a whole number, 0 to 1023)",
        ];
        workers_that_are_no_list: "ports:\n" => "workers: §1\nports:\n", ["workers: found 1 (expected a list, [] if there is none)"];
        an_idle_that_is_none: "ports:\n" => "idle: §spin\nports:\n", ["idle: found \"spin\" (expected poll or pause or sleep or interrupt)"];
        a_relative_socket: "ports:\n" => "control: { socket: §sluice.sock }\nports:\n",
            ["control.socket: found \"sluice.sock\" (expected the absolute path of a socket, at most 107 bytes)"];
        a_group_that_is_none: "ports:\n" => "control: { group: §a b }\nports:\n",
            ["control.group: found \"a b\" (expected the name of a group)"];
        metrics_without_a_port: "ports:\n" => "metrics: { listen: §127.0.0.1 }\nports:\n",
            ["metrics.listen: found \"127.0.0.1\" (expected an address and a port such as 127.0.0.1:9273 or [::1]:9273)"];
        metrics_that_are_on: "ports:\n" => "metrics: §on\nports:\n", ["metrics: found \"on\" (expected a mapping, or off)"];
        metrics_that_listen_nowhere: "ports:\n" => "metrics: §{}\nports:\n", ["metrics.listen: missing (expected a key listen here)"];
    }

    #[test]
    fn no_ports_and_no_bridges() {
        errors_of_text(
            "version: 1\nports: §{}\nbridges: §{}\n",
            &["ports: 0 given (expected 1 to 32)", "bridges: 0 given (expected 1 to 128)"],
        );
    }

    #[test]
    fn off_is_read_as_a_word_and_as_a_boolean() {
        for off in ["off", "false", "'off'"] {
            let text = BASE.replace("ports:\n", &format!("metrics: {off}\nports:\n"));
            let text = text.replace(
                "# more",
                &format!("loop: {{ probe: {off} }}\n    anycast: {{ subnet_router: {off} }}"),
            );
            let rules = parse(&text, "a.yaml").unwrap().rules;
            let bridge = &rules.bridges[0];
            assert_eq!(
                (rules.metrics, bridge.loops.probe, bridge.anycast.subnet_router),
                (None, None, false),
                "{off}"
            );
        }
    }

    #[test]
    fn a_port_without_a_side_is_a_warning() {
        let checked = accepted("ports:\n", "ports:\n  spare: { device: net_null0 }\n");
        let said: Vec<String> = checked.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["a.yaml:3:3: warning: ports: port spare has no side (remove it, or give a side this port)"]
        );
    }
}

mod sides {
    use super::*;

    refused! {
        three_sides: "      mud: {" => "      §tap: { port: trunk0, vlan: 30 }\n      mud: {", [
            "bridges.wix.sides: 3 given (expected exactly 2)",
        ];
        a_port_that_is_not_there: "port: trunk1" => "port: §trunk9", ["bridges.wix.sides.wix.port: there is no port trunk9 (did you mean trunk0?)"];
        a_side_without_port: "wix: { port: trunk1, " => "wix: §{ ", ["bridges.wix.sides.wix.port: missing (expected a key port here)"];
        vlans_that_cannot_be: "vlan: 10," => "vlan: §0, outer_vlan: §4095,", [
            "bridges.wix.sides.mud.vlan: 0 is out of range (expected 1 to 4094)",
            "bridges.wix.sides.mud.outer_vlan: 4095 is out of range (expected 1 to 4094)",
        ];
        a_vlan_in_quotes: "vlan: 10," => "vlan: §\"10\",", ["bridges.wix.sides.mud.vlan: found \"10\" (expected a whole number, 1 to 4094)"];
        a_service_tag_alone: "vlan: 10," => "outer_vlan: §10,", [
            "bridges.wix.sides.mud.outer_vlan: a service tag without a VLAN in it (expected a key vlan beside it)",
        ];
        f179_an_mtu_under_that_of_ipv6: "vlan: 20," => "vlan: 20, mtu: §1279,", ["bridges.wix.sides.wix.mtu: 1279 is out of range (expected 1280 to 9216)"];
        an_mtu_over_jumbo: "vlan: 20," => "vlan: 20, mtu: §9217,", ["bridges.wix.sides.wix.mtu: 9217 is out of range (expected 1280 to 9216)"];
        a_side_mac_that_is_a_group: "\"02:51:00:00:00:14\"" => "§\"03:51:00:00:00:14\"", [
            "bridges.wix.sides.wix.mac: 03:51:00:00:00:14 is a group address (expected the address of one station)",
        ];
        a_side_mac_that_is_zero: "\"02:51:00:00:00:14\"" => "§0:0:0:0:0:0", [
            "bridges.wix.sides.wix.mac: 00:00:00:00:00:00 is the zero address (expected the address of one station)",
        ];
        one_mac_for_both_sides: "sides:\n      mud: { port: trunk0, vlan: 10, mac: \"02:51:00:00:00:0a\"" => "sides:\n      §mud: { port: trunk0, vlan: 10, mac: \"2:51:0:0:0:14\"", [
            "bridges.wix.sides: both sides have the MAC 02:51:00:00:00:14 (expected a MAC of its own for each side: one MAC on both VLANs upsets the switches around)",
        ];
        one_vlan_on_one_port_twice: "port: trunk1, vlan: 20" => "port: trunk0, vlan: §10", [
            "bridges.wix.sides.wix.vlan: VLAN 10 on port trunk0 is bridges.wix.sides.mud already (expected tags that no other side of the port has)",
        ];
        tagged_and_untagged_on_one_port: "port: trunk1, vlan: 20," => "port: §trunk0,", [
            "bridges.wix.sides.wix.port: an untagged side on port trunk0, whose side bridges.wix.sides.mud is tagged (expected all sides of a port tagged, or one untagged side alone)",
        ];
        a_fragment_that_is_no_boolean: "vlan: 20," => "vlan: 20, fragment: §on,", ["bridges.wix.sides.wix.fragment: found \"on\" (expected true or false)"];
    }

    #[test]
    fn one_side() {
        let text = edited("      mud: { port: trunk0, vlan: 10, mac: \"02:51:00:00:00:0a\" }\n", "");
        errors_of_text(
            &text.replace("wix: { port", "§wix: { port").replace("side: mud", "side: §mud"),
            &[
                "bridges.wix.sides: 1 given (expected exactly 2)",
                "bridges.wix.members[0].side: there is no side mud (expected one of: wix)",
            ],
        );
    }

    #[test]
    fn both_sides_untagged_on_one_port() {
        let text = edited("port: trunk0, vlan: 10,", "port: trunk0,")
            .replace("port: trunk1, vlan: 20,", "port: §trunk0,");
        errors_of_text(
            &text,
            &[
                "bridges.wix.sides.wix.port: untagged on port trunk0 is bridges.wix.sides.mud already (expected tags that no other side of the port has)",
            ],
        );
    }

    #[test]
    fn one_vlan_twice_is_seen_across_bridges() {
        let second = "  apex:\n    sides: { a: { port: trunk0, vlan: §10 }, b: { port: trunk1, vlan: 30 } }\n    \
                      peering: { ipv4: [192.203.154.0/24] }\n    own: { ipv4: 192.203.154.1 }\n";
        errors_of_text(
            &format!("{BASE}{second}"),
            &[
                "bridges.apex.sides.a.vlan: VLAN 10 on port trunk0 is bridges.wix.sides.mud already (expected tags that no other side of the port has)",
            ],
        );
    }

    #[test]
    fn one_vlan_within_different_service_tags_is_two() {
        let rules =
            accepted("port: trunk1, vlan: 20,", "port: trunk0, vlan: 10, outer_vlan: 10, mtu: 9000,").rules;
        assert_eq!((rules.ports[0].tags, rules.ports[0].mtu), (2, 9000));
    }
}

mod prefixes_and_own_addresses {
    use super::*;

    const OWN: &str = "    own: { ipv4: 202.7.1.254, ipv6: \"2001:7fa:3:ca07::fe\" }";

    refused! {
        no_prefix: "{ ipv4: [202.7.0.0/23], ipv6: [\"2001:7fa:3:ca07::/64\"] }" => "§{}",
            ["bridges.wix.peering: there is no peering prefix (expected at least one under ipv4 or ipv6)"];
        host_bits: "[202.7.0.0/23], ipv6: [\"2001:7fa:3:ca07::/64\"]" => "[§202.7.1.0/23], ipv6: [§\"2001:7fa:3:ca07::1/64\"]", [
            "bridges.wix.peering.ipv4[0]: 202.7.1.0/23 has host bits set (expected 202.7.0.0/23)",
            "bridges.wix.peering.ipv6[0]: 2001:7fa:3:ca07::1/64 has host bits set (expected 2001:7fa:3:ca07::/64)",
        ];
        a_prefix_without_length: "[202.7.0.0/23]" => "[§202.7.0.0]",
            ["bridges.wix.peering.ipv4[0]: found \"202.7.0.0\" (expected an IPv4 prefix such as 202.7.0.0/23)"];
        a_prefix_of_the_other_version: "[202.7.0.0/23]" => "[202.7.0.0/23, §\"2001:db8::/32\"]",
            ["bridges.wix.peering.ipv4[1]: found \"2001:db8::/32\" (expected an IPv4 prefix such as 202.7.0.0/23)"];
        the_whole_internet: "[202.7.0.0/23]" => "[§0.0.0.0/0]",
            ["bridges.wix.peering.ipv4[0]: 0.0.0.0/0 is no peering prefix (expected a length of 8 to 31)"];
        a_prefix_of_multicast: "[\"2001:7fa:3:ca07::/64\"]" => "[\"2001:7fa:3:ca07::/64\", §\"ff02::/16\", §\"fe80::/64\"]", [
            "bridges.wix.peering.ipv6[1]: ff02::/16 is a multicast address (expected a prefix of unicast addresses)",
            "bridges.wix.peering.ipv6[2]: fe80::/64 is a link-local address (expected a prefix of unicast addresses)",
        ];
        overlapping_prefixes: "[202.7.0.0/23]" => "[202.7.0.0/23, §202.7.1.0/24]",
            ["bridges.wix.peering.ipv4[1]: 202.7.1.0/24 overlaps 202.7.0.0/23 (expected prefixes apart from one another)"];
        own_addresses_outside: OWN => "    own: { ipv4: §202.7.2.1, ipv6: §2001:db8::1 }", [
            "bridges.wix.own.ipv4: 202.7.2.1 is outside the peering prefixes (expected one in 202.7.0.0/23)",
            "bridges.wix.own.ipv6: 2001:db8::1 is outside the peering prefixes (expected one in 2001:7fa:3:ca07::/64)",
        ];
        own_address_is_the_network: OWN => "    own: { ipv4: §202.7.0.0, ipv6: §\"2001:7fa:3:ca07::\" }", [
            "bridges.wix.own.ipv4: 202.7.0.0 is the network address of 202.7.0.0/23 (expected a host's address)",
            "bridges.wix.own.ipv6: is the subnet-router anycast address of 2001:7fa:3:ca07::/64 (expected a unicast address)",
        ];
        own_address_is_the_broadcast: "ipv4: 202.7.1.254" => "ipv4: §202.7.1.255",
            ["bridges.wix.own.ipv4: 202.7.1.255 is the broadcast address of 202.7.0.0/23 (expected a host's address)"];
        icmp_sources_that_no_node_has: OWN => "    own: { icmp_source4: §127.0.0.1, icmp_source6: §\"fe80::1\" }", [
            "bridges.wix.own.icmp_source4: 127.0.0.1 is a loopback address (expected the address of one node)",
            "bridges.wix.own.icmp_source6: fe80::1 is a link-local address (expected the address of one node)",
        ];
        an_address_that_is_none: "ipv4: 202.7.1.254" => "ipv4: §202.7.1.256",
            ["bridges.wix.own.ipv4: found \"202.7.1.256\" (expected an IPv4 address)"];
    }

    #[test]
    fn f212_an_icmp_source_is_no_edge_of_a_peering_prefix() {
        for (address, edge) in [("202.7.0.0", "network"), ("202.7.1.255", "broadcast")] {
            errors_of_text(
                &edited(OWN, &format!("    own: {{ icmp_source4: §{address} }}")),
                &[&format!(
                    "bridges.wix.own.icmp_source4: {address} is the {edge} address of 202.7.0.0/23 (expected a host's address)"
                )],
            );
        }
        for host in ["202.7.0.255", "192.0.2.255"] {
            accepted(OWN, &format!("    own: {{ icmp_source4: {host} }}"));
        }
    }

    #[test]
    fn f212_an_own_address_is_no_anycast_address_of_a_peering_prefix() {
        for (address, kind) in [
            ("2001:7fa:3:ca07::", "the subnet-router anycast address of 2001:7fa:3:ca07::/64"),
            (
                "2001:7fa:3:ca07:fdff:ffff:ffff:ff80",
                "a reserved anycast address of 2001:7fa:3:ca07::/64 (RFC 2526)",
            ),
            (
                "2001:7fa:3:ca07:fdff:ffff:ffff:ffff",
                "a reserved anycast address of 2001:7fa:3:ca07::/64 (RFC 2526)",
            ),
        ] {
            let said = |key| format!("bridges.wix.own.{key}: is {kind} (expected a unicast address)");
            errors_of_text(
                &edited(OWN, &format!("    own: {{ ipv6: §\"{address}\", icmp_source6: §\"{address}\" }}")),
                &[&said("ipv6"), &said("icmp_source6")],
            );
        }
        for host in ["2001:7fa:3:ca07:fdff:ffff:ffff:ff7f", "2001:7fa:3:ca07:fe00::"] {
            accepted(OWN, &format!("    own: {{ ipv6: \"{host}\", icmp_source6: \"{host}\" }}"));
        }
        accepted(OWN, "    own: { icmp_source6: \"2001:db8::fdff:ffff:ffff:ff80\" }"); // of no peering prefix
    }

    #[test]
    fn f212_the_length_of_a_prefix_has_no_leading_zero() {
        for (from, octal, form) in [
            ("202.7.0.0/23", "202.7.0.0/023", "an IPv4 prefix such as 202.7.0.0/23"),
            ("202.7.0.0/23", "202.7.0.0/00", "an IPv4 prefix such as 202.7.0.0/23"),
            ("202.7.0.0/23", "202.007.0.0/23", "an IPv4 prefix such as 202.7.0.0/23"),
            ("\"2001:7fa:3:ca07::/64\"", "2001:db8::/064", "an IPv6 prefix such as 2001:7fa:3:ca07::/64"),
        ] {
            let key = if octal.contains(':') { "ipv6" } else { "ipv4" };
            errors_of_text(
                &edited(from, &format!("§\"{octal}\"")),
                &[&format!("bridges.wix.peering.{key}[0]: found \"{octal}\" (expected {form})")],
            );
        }
        errors_of_text(
            &edited("# more", "anycast: { extra: [§'2001:db8::/064', '::/0'] }"),
            &["bridges.wix.anycast.extra[0]: found \"2001:db8::/064\" (expected an IPv6 address or prefix)"],
        );
    }

    #[test]
    fn no_peering() {
        let text = edited("    peering: { ipv4: [202.7.0.0/23], ipv6: [\"2001:7fa:3:ca07::/64\"] }\n", "");
        errors_of_text(
            &text.replace("    sides:", "    §sides:"),
            &["bridges.wix.peering: missing (expected a key peering here)"],
        );
    }

    #[test]
    fn f178_no_source_for_path_mtu_errors_is_a_warning() {
        let said: Vec<String> =
            accepted(OWN, "    own: {}").warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "a.yaml:11:10: warning: bridges.wix.own: neither icmp_source4 nor ipv4: IPv4 packets that do not fit are dropped without an error to their sender (give own.icmp_source4 a routed address)",
                "a.yaml:11:10: warning: bridges.wix.own: neither icmp_source6 nor ipv6: IPv6 packets that do not fit are dropped without an error to their sender (give own.icmp_source6 a routed address)",
            ]
        );
        assert!(
            accepted(OWN, "    own: { icmp_source4: 192.0.2.1, icmp_source6: '2001:db8::1' }")
                .warnings
                .is_empty()
        );
    }
}

mod members {
    use super::*;

    const FX3: &str = "{ name: fx3, side: mud, mac: \"00:21:a0:56:2c:19\", ipv4: [202.7.0.31], ipv6: [\"2001:7fa:3:ca07::31\"] }";
    const JUNIPER: &str = "{ name: juniper, side: wix, mac: \"0:5:85:ca:d0:c0\", ipv4: [202.7.0.32] }";

    refused! {
        no_name: JUNIPER => "§{ mac: 0:5:85:ca:d0:c0 }", ["bridges.wix.members[1].name: missing (expected a key name here)"];
        no_mac: JUNIPER => "§{ name: juniper }", ["bridges.wix.members[1]: has no MAC (expected a key mac, or macs)"];
        an_empty_list_of_macs: JUNIPER => "{ name: juniper, macs: §[] }", ["bridges.wix.members[1].macs: names no MAC (expected at least one)"];
        mac_and_macs: JUNIPER => "{ name: juniper, mac: 0:5:85:ca:d0:c0, macs: §[0:5:85:ca:d0:c1] }",
            ["bridges.wix.members[1].macs: both mac and macs (expected one of them)"];
        a_mac_that_is_none: JUNIPER => "{ name: juniper, macs: [§\"0:5:85:ca:d0\", §33:33:0:0:0:1, §ff:ff:ff:ff:ff:ff] }", [
            &format!("bridges.wix.members[1].macs[0]: found \"0:5:85:ca:d0\" ({MAC})"),
            "bridges.wix.members[1].macs[1]: 33:33:00:00:00:01 is a group address (expected the address of one station)",
            "bridges.wix.members[1].macs[2]: ff:ff:ff:ff:ff:ff is a group address (expected the address of one station)",
        ];
        a_side_that_is_not_there: "side: wix" => "side: §wxi", ["bridges.wix.members[1].side: there is no side wxi (did you mean wix?)"];
        a_role_that_is_none: JUNIPER => "{ name: juniper, mac: 0:5:85:ca:d0:c0, role: §switch }",
            ["bridges.wix.members[1].role: found \"switch\" (expected router or host)"];
        one_mac_on_two_sides: "\"0:5:85:ca:d0:c0\"" => "§\"0021.a056.2c19\"",
            ["bridges.wix.members[1].mac: 00:21:a0:56:2c:19 is fx3's too, on side mud (expected a MAC on one side only)"];
        one_mac_pinned_and_not: "side: wix, mac: \"0:5:85:ca:d0:c0\"" => "mac: §\"0021.a056.2c19\"",
            ["bridges.wix.members[1].mac: 00:21:a0:56:2c:19 is fx3's too, on side mud (expected a MAC on one side only)"];
        one_mac_in_two_roles: JUNIPER => "{ name: juniper, side: mud, mac: §00:21:a0:56:2c:19, role: host }",
            ["bridges.wix.members[1].mac: 00:21:a0:56:2c:19 is fx3's too, in another role (expected one role of a MAC)"];
        the_bridges_own_mac: "\"0:5:85:ca:d0:c0\"" => "§02:51:00:00:00:0a",
            ["bridges.wix.members[1].mac: 02:51:00:00:00:0a is the bridge's own MAC on side mud (expected a member's)"];
        one_address_of_two_members: "[202.7.0.32]" => "[202.7.0.32, §202.7.0.31]",
            ["bridges.wix.members[1].ipv4[1]: 202.7.0.31 is fx3's already (expected an address of one member only)"];
        the_bridges_own_address: "[202.7.0.32]" => "[§202.7.1.254]",
            ["bridges.wix.members[1].ipv4[0]: 202.7.1.254 is the bridge's own (own.ipv4) (expected a member's)"];
        addresses_outside_the_prefixes: "[202.7.0.32]" => "[§10.0.0.1], ipv6: [§\"2001:db8::1\", §\"fe80::1\"]", [
            "bridges.wix.members[1].ipv4[0]: 10.0.0.1 is outside the peering prefixes (expected one in 202.7.0.0/23)",
            "bridges.wix.members[1].ipv6[0]: 2001:db8::1 is outside the peering prefixes (expected one in 2001:7fa:3:ca07::/64)",
            "bridges.wix.members[1].ipv6[1]: fe80::1 is a link-local address (expected the address of one node)",
        ];
        network_and_broadcast_addresses: "[202.7.0.32]" => "[§202.7.0.0, 202.7.0.255, §202.7.1.255]", [
            "bridges.wix.members[1].ipv4[0]: 202.7.0.0 is the network address of 202.7.0.0/23 (expected a host's address)",
            "bridges.wix.members[1].ipv4[2]: 202.7.1.255 is the broadcast address of 202.7.0.0/23 (expected a host's address)",
        ];
        an_address_in_place_of_a_list: "[202.7.0.32]" => "§202.7.0.32",
            ["bridges.wix.members[1].ipv4: found \"202.7.0.32\" (expected a list, [] if there is none)"];
        more_addresses_than_the_table_has: "    members:\n" => "    neighbours: { capacity: 2, per_mac: 1 }\n    members:\n      §- { name: a, mac: 0:0:0:0:0:1 }\n",
            ["bridges.wix.members: the members' 3 addresses do not fit neighbours.capacity, 2 (expected a larger capacity, or fewer addresses)"];
    }

    #[test]
    fn f212_a_member_has_no_mac_of_another_bridge() {
        let apex = "  apex:\n    sides:\n      a: { port: trunk0, vlan: 30, mac: \"02:51:00:00:00:1e\" }\n      \
                    b: { port: trunk1, vlan: 40 }\n    peering: { ipv4: [192.203.154.0/24] }\n    \
                    own: { ipv4: 192.203.154.1 }\n    \
                    members: [{ name: x, macs: [0:0:0:0:0:1, §\"02:51:00:00:00:14\"] }]\n";
        // of a bridge that comes later in the file, and of one that came before
        errors_of_text(
            &format!("{}{apex}", edited("\"0:5:85:ca:d0:c0\"", "§02:51:00:00:00:1e")),
            &[
                "bridges.wix.members[1].mac: 02:51:00:00:00:1e is bridge apex's own MAC on side a (expected a member's)",
                "bridges.apex.members[0].macs[1]: 02:51:00:00:00:14 is bridge wix's own MAC on side wix (expected a member's)",
            ],
        );
    }

    #[test]
    fn f212_a_member_has_no_reserved_mac() {
        let group = |mac| format!("{mac} is a group address");
        let extreme =
            |mac| format!("{mac} is reserved for Extreme's protocols, and frames to it never cross");
        for said in [
            group("01:80:c2:00:00:00"),
            group("01:80:c2:00:00:3f"),
            group("01:00:0c:cc:cc:cc"),
            extreme("00:e0:2b:00:00:00"),
            extreme("00:e0:2b:00:00:04"),
            extreme("00:e0:2b:00:00:06"),
            extreme("00:e0:2b:00:00:ff"),
        ] {
            errors_of_text(
                &edited("\"0:5:85:ca:d0:c0\"", &format!("§\"{}\"", &said[..17])),
                &[&format!("bridges.wix.members[1].mac: {said} (expected the address of one station)")],
            );
        }
        accepted("\"0:5:85:ca:d0:c0\"", "00:e0:2b:00:01:00"); // a switch of Extreme's
    }

    #[test]
    fn entries_of_one_side_that_share_a_mac_are_joined_with_a_warning() {
        let checked = accepted(
            JUNIPER,
            "{ name: tsb1lh, side: mud, mac: 0:21:a0:56:2c:19, ipv4: [202.7.0.31, 202.7.0.33] }",
        );
        let said: Vec<String> = checked.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "a.yaml:14:41: warning: bridges.wix.members[1].mac: 00:21:a0:56:2c:19 is fx3's too: joined as fx3 / tsb1lh (write one entry if they are one)",
            ]
        );
        let [member] = checked.rules.bridges[0].members.as_slice() else { panic!("one member") };
        assert_eq!((member.name.as_str(), member.macs.len(), member.addresses.len()), ("fx3 / tsb1lh", 1, 3));
    }

    #[test]
    fn three_entries_that_share_macs_are_refused() {
        let third = format!("{JUNIPER}\n      - {{ name: x, macs: [0:0:0:0:0:1, §0:0:0:0:0:2] }}");
        let text = edited(JUNIPER, &third)
            .replace(FX3, "{ name: a, mac: 0:0:0:0:0:1 }")
            .replace(JUNIPER, "{ name: b, mac: 0:0:0:0:0:2 }");
        errors_of_text(
            &text,
            &[
                "bridges.wix.members[2].macs[1]: 00:00:00:00:00:02 is b's too: three entries share MACs (expected the MACs of one member in one entry)",
            ],
        );
    }

    #[test]
    fn one_address_of_several_macs_of_one_member_is_legal() {
        let checked = accepted("mac: \"0:5:85:ca:d0:c0\"", "macs: [0:5:85:ca:d0:c0, 00:00:5e:00:01:2a]");
        assert_eq!((checked.rules.bridges[0].members[1].macs.len(), checked.warnings.len()), (2, 0));
    }

    #[test]
    fn every_notation_of_a_mac_may_stand_without_quotes() {
        let want: rules::Mac = "10:21:90:56:20:19".parse().unwrap();
        for text in ["10:21:90:56:20:19", "1021.9056.2019", "10-21-90-56-20-19", "102190562019"] {
            let rules = accepted("\"0:5:85:ca:d0:c0\"", text).rules;
            assert_eq!(rules.bridges[0].members[1].macs, [want], "{text}");
        }
        let rules = accepted("\"0:5:85:ca:d0:c0\"", "0012345e0019").rules;
        assert_eq!(
            rules.bridges[0].members[1].macs[0].to_string(),
            "00:12:34:5e:00:19",
            "no floating-point number"
        );
    }

    #[test]
    fn a_name_may_be_a_number() {
        assert_eq!(accepted("name: juniper", "name: 9439").rules.bridges[0].members[1].name, "9439");
    }

    #[test]
    fn a_subnet_router_anycast_address_is_a_warning_unless_listed_as_a_routers() {
        let (from, to) = ("[202.7.0.32]", "[202.7.0.32], ipv6: [\"2001:7fa:3:ca07::\"]");
        let checked = accepted(from, to);
        assert_eq!((checked.warnings.len(), checked.warnings[0].line), (1, 14));
        let text = edited(from, to).replace("# more", "anycast: { never: [\"2001:7fa:3:ca07::\"] }");
        assert!(parse(&text, "a.yaml").unwrap().warnings.is_empty());
    }

    #[test]
    fn members_only_without_members_is_a_warning() {
        let text = edited("    # more\n", "    admission: members\n")
            .replace("    members:\n", "")
            .replace(&format!("      - {FX3}\n      - {JUNIPER}\n"), "");
        let checked = parse(&text, "a.yaml").unwrap();
        assert_eq!(checked.warnings[0].message, "there are no members: nothing will pass");
    }
}

mod limits {
    use super::*;

    refused_key! {
        words_that_are_none: "admission: §all\n    conflict: §allow\n    arp: { mode: §proxy }\n    nd: { mode: §off }\n    mld: §yes\n    drain: §maybe", [
            "bridges.wix.admission: found \"all\" (expected learned or members)",
            "bridges.wix.conflict: found \"allow\" (expected drop or pass)",
            "bridges.wix.arp.mode: found \"proxy\" (expected bridge or answer)",
            "bridges.wix.nd.mode: found \"off\" (expected bridge or answer)",
            "bridges.wix.mld: found \"yes\" (expected drop or pass)",
            "bridges.wix.drain: found \"maybe\" (expected true or false)",
        ];
        a_mode_in_place_of_its_mapping: "arp: §answer", ["bridges.wix.arp: found \"answer\" (expected a mapping)"];
        rates_that_are_none: "storm:\n      mac: { rate: §50, burst: §0 }\n      side: { broadcast: { rate: §60/m }, multicast: { rate: §0/s, burst: §1/s } }", [
            "bridges.wix.storm.mac.rate: found 50 (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.storm.mac.burst: 0 is out of range (expected 1 to 1000000000)",
            "bridges.wix.storm.side.broadcast.rate: found \"60/m\" (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.storm.side.multicast.rate: found \"0/s\" (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.storm.side.multicast.burst: found \"1/s\" (expected a whole number, 1 to 1000000000)",
        ];
        rates_of_every_limit: "answers: { rate: §x }\n    mtu_errors: { source: { rate: §x }, mac: { rate: §x }, side: { rate: §x } }\n    unknown_unicast: { rate: §x }\n    macs: { new: { rate: §x } }", [
            "bridges.wix.answers.rate: found \"x\" (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.mtu_errors.source.rate: found \"x\" (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.mtu_errors.mac.rate: found \"x\" (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.mtu_errors.side.rate: found \"x\" (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.unknown_unicast.rate: found \"x\" (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.macs.new.rate: found \"x\" (expected a rate such as 1000/s, 1/s to 1000000000/s)",
        ];
        unknown_unicast_in_another_word: "unknown_unicast: §flood", ["bridges.wix.unknown_unicast: found \"flood\" (expected a mapping, or drop)"];
        capacities_out_of_range: "macs: { capacity: §0 }\n    neighbours: { capacity: §1048577, per_mac: §0 }", [
            "bridges.wix.macs.capacity: 0 is out of range (expected 1 to 1048576)",
            "bridges.wix.neighbours.capacity: 1048577 is out of range (expected 1 to 1048576)",
            "bridges.wix.neighbours.per_mac: 0 is out of range (expected 1 to 1048576)",
        ];
        more_addresses_of_a_mac_than_in_all: "neighbours: { capacity: 10, per_mac: §11 }", [
            "bridges.wix.neighbours.per_mac: 11 is more than the capacity (expected 1 to 10)",
        ];
        times_without_a_unit: "macs: { age: §300, move_guard: §'1', flap: { within: §3d, hold: §-1s } }", [
            "bridges.wix.macs.age: found 300 (expected a time with its unit (ms, s, m, h), 1s to 3600s)",
            "bridges.wix.macs.move_guard: found \"1\" (expected a time with its unit (ms, s, m, h), 100ms to 60s)",
            "bridges.wix.macs.flap.within: found \"3d\" (expected a time with its unit (ms, s, m, h), 1s to 3600s)",
            "bridges.wix.macs.flap.hold: found \"-1s\" (expected a time with its unit (ms, s, m, h), 1s to 86400s)",
        ];
        times_out_of_range: "macs: { age: §2h, move_guard: §99ms, flap: { moves: §17, within: §0s, hold: §25h } }\n    loop: { probe: §1ms, hold: §16m }", [
            "bridges.wix.macs.age: 7200s is out of range (expected 1s to 3600s)",
            "bridges.wix.macs.move_guard: 99ms is out of range (expected 100ms to 60s)",
            "bridges.wix.macs.flap.moves: 17 is out of range (expected 1 to 16)",
            "bridges.wix.macs.flap.within: 0s is out of range (expected 1s to 3600s)",
            "bridges.wix.macs.flap.hold: 90000s is out of range (expected 1s to 86400s)",
            "bridges.wix.loop.probe: 1ms is out of range (expected 100ms to 60s, or off)",
            "bridges.wix.loop.hold: 960s is out of range (expected 1s to 900s)",
        ];
        a_guard_longer_than_the_age: "macs: { age: 10s, move_guard: §11s }", [
            "bridges.wix.macs.move_guard: an address would be forgotten while it is guarded (expected a move_guard no longer than age)",
        ];
        anycast_that_is_none: "anycast: { subnet_router: §yes, never: [§202.7.0.1, §'2001:db8::1/64'], ptb: §1 }", [
            "bridges.wix.anycast.subnet_router: found \"yes\" (expected auto or off)",
            "bridges.wix.anycast.never[0]: found \"202.7.0.1\" (expected an IPv6 address or prefix)",
            "bridges.wix.anycast.never[1]: 2001:db8::1/64 has host bits set (expected 2001:db8::/64)",
            "bridges.wix.anycast.ptb: found 1 (expected true or false)",
        ];
    }

    #[test]
    fn times_are_read_in_every_unit() {
        use std::time::Duration;
        for (text, seconds) in [("300s", 300), ("5m", 300), ("1h", 3600), ("60000ms", 60)] {
            let rules = accepted("# more", &format!("macs: {{ age: {text} }}")).rules;
            assert_eq!(rules.bridges[0].macs.age, Duration::from_secs(seconds));
        }
    }

    #[test]
    fn unknown_unicast_may_be_dropped() {
        assert_eq!(accepted("# more", "unknown_unicast: drop").rules.bridges[0].unknown_unicast, None);
    }

    #[test]
    fn anycast_takes_addresses_and_prefixes() {
        let rules =
            accepted("# more", "anycast: { never: ['2001:db8::1'], extra: ['2001:db8:1::/48'] }").rules;
        assert_eq!(rules.bridges[0].anycast.never[0].to_string(), "2001:db8::1/128");
        assert_eq!(rules.bridges[0].anycast.extra[0].to_string(), "2001:db8:1::/48");
    }
}

#[test]
fn all_errors_at_once_in_the_order_of_the_file() {
    errors_of_text(
        "version: §3
ports:
  trunk0: { device: §7 }
  trunk1: §[]
workers: [1, §1]
idle: §fast
bridges:
  wix:
    sides:
      mud: { port: §trunk, vlan: §5000, mtu: §100 }
      wix: { port: trunk1, vlan: 20, §wlan: 3 }
    peering: { ipv4: [§202.7.0.9/23] }
    storm: { mac: { rate: §50 } }
    members:
      - { name: fx3, side: §mudd, mac: §nonsense }
      - §{ name: fx4 }
",
        &[
            "version: 3 is out of range (expected 1)",
            "ports.trunk0.device: found 7 (expected a PCI address such as 0000:03:00.0, or a DPDK virtual device such as net_tap0,iface=swA)",
            "ports.trunk1: found a list (expected a mapping)",
            "workers[1]: core 1 is listed twice (expected each core once)",
            "idle: found \"fast\" (expected poll or pause or sleep or interrupt)",
            "bridges.wix.sides.mud.port: there is no port trunk (did you mean trunk0?)",
            "bridges.wix.sides.mud.vlan: 5000 is out of range (expected 1 to 4094)",
            "bridges.wix.sides.mud.mtu: 100 is out of range (expected 1280 to 9216)",
            "bridges.wix.sides.wix.wlan: unknown key (did you mean vlan?)",
            "bridges.wix.peering.ipv4[0]: 202.7.0.9/23 has host bits set (expected 202.7.0.0/23)",
            "bridges.wix.storm.mac.rate: found 50 (expected a rate such as 1000/s, 1/s to 1000000000/s)",
            "bridges.wix.members[0].side: there is no side mudd (did you mean mud?)",
            &format!("bridges.wix.members[0].mac: found \"nonsense\" ({MAC})"),
            "bridges.wix.members[1]: has no MAC (expected a key mac, or macs)",
        ],
    );
}

#[test]
fn of_very_many_errors_the_first_thousand_are_said() {
    let keys: String = (0..5000).map(|number| format!("k{number}: 1\n")).collect();
    let errors = parse(&format!("{BASE}{keys}"), "a.yaml").unwrap_err();
    assert_eq!((errors.0.len(), errors.0[1000].message.as_str()), (1001, "and 4000 more errors"));
}

#[test]
fn columns_count_characters() {
    errors_of_text(
        &edited("name: juniper, side: wix", "name: tēpapa, side: §wiki"),
        &["bridges.wix.members[1].side: there is no side wiki (expected one of: mud, wix)"],
    );
}
