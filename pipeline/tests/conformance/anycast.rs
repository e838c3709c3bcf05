//! docs/spec D.4, rows 9 to 13: which sources are anycast, by configuration and prefix length, and how the operator hears of
//! it.

use std::time::Duration;

use pipeline::base::BridgeId;
use pipeline::base::time::Time;
use pipeline::control::effects::{Effects, OperatorEvent};
use pipeline::control::plane::ControlPlane;
use pipeline::path::control_queue::ControlMsg;
use pipeline::plan::anycast::Anycast;

use crate::frames::*;
use crate::harness::*;
use crate::ptb::{draws, draws_none, from6};

/// Cm with another peering prefix.
fn within(prefix: &str) -> Config {
    Config::cm()
        .with("ipv6: [\"2001:7fa:3:ca07::/64\"] }", &format!("ipv6: [\"{prefix}\"] }}"))
        .with(", ipv4: [202.7.0.10], ipv6: [\"2001:7fa:3:ca07::a\"]", "")
        .with(", ipv4: [202.7.0.20], ipv6: [\"2001:7fa:3:ca07::b\"]", "")
        .with("ipv6: \"2001:7fa:3:ca07::fe\" }", "icmp_source6: \"2001:db8:f::fe\" }")
}

/// These sources draw errors, and those none because they are anycast.
#[track_caller]
fn told(config: &Config, told: &[&str], untold: &[&str]) {
    let mut bench = config.bench();
    for src in told {
        draws(&mut bench, &from6(src));
    }
    for src in untold {
        draws_none(&mut bench, &from6(src), "ptb_anycast_src");
    }
    assert_eq!(bench.cause("ptb_anycast_src"), untold.len() as u64);
}

#[test]
fn f153_the_subnet_router_anycast_address_of_a_peering_prefix() {
    told(
        &Config::cm(),
        &["2001:7fa:3:ca07::1", "2001:7fa:3:ca07:8000::", "2001:7fa:3:ca07:0:0:1::"],
        &["2001:7fa:3:ca07::"],
    );
}

#[test]
fn f154_unless_it_is_listed_as_never_anycast() {
    for never in ["2001:7fa:3:ca07::", "2001:7fa:3:ca07::/128", "2001:7fa:3:ca07::/120"] {
        let config = Config::cm().plus(&format!("anycast: {{ never: [\"{never}\"] }}"));
        told(&config, &["2001:7fa:3:ca07::"], &[]);
    }
    let other = Config::cm().plus("anycast: { never: [\"2001:7fa:3:ca07::1\"] }");
    told(&other, &[], &["2001:7fa:3:ca07::"]);
}

#[test]
fn f154_or_such_addresses_are_not_looked_for() {
    told(&Config::cm().plus("anycast: { subnet_router: off }"), &["2001:7fa:3:ca07::"], &[]);
    told(&Config::cm().plus("anycast: { subnet_router: auto }"), &[], &["2001:7fa:3:ca07::"]);
}

#[test]
fn f155_a_zero_identifier_of_an_unknown_prefix_is_a_host() {
    told(&Config::cm(), &["2001:db8:c::", "2001:db8::", "2001:7fa:3:ca08::", "2001:7fa:3::"], &[]);
    // nor is a reserved one
    told(&Config::cm(), &["2001:db8:c::fdff:ffff:ffff:fffe"], &[]);
}

#[test]
fn f156_prefixes_of_112() {
    told(
        &within("2001:db8:a::1:0/112"),
        &["2001:db8:a::1:1", "2001:db8:a::2:0", "2001:db8:a::"],
        &["2001:db8:a::1:0"],
    );
}

#[test]
fn f157_a_127_has_no_anycast_addresses() {
    told(&within("2001:db8:a::/127"), &["2001:db8:a::", "2001:db8:a::1"], &[]);
    told(&within("2001:db8:a::4/127"), &["2001:db8:a::4", "2001:db8:a::5"], &[]);
}

#[test]
fn f158_a_126_and_a_120_have_one() {
    told(
        &within("2001:db8:a::4/126"),
        &["2001:db8:a::5", "2001:db8:a::6", "2001:db8:a::7"],
        &["2001:db8:a::4"],
    );
    told(&within("2001:db8:a::/120"), &["2001:db8:a::1", "2001:db8:a::7f"], &["2001:db8:a::"]);
}

#[test]
fn f159_the_reserved_identifiers_of_a_64() {
    let of = |low: &str| format!("2001:7fa:3:ca07:{low}");
    told(
        &Config::cm(),
        &[&of("fdff:ffff:ffff:ff7f"), &of("fe00::"), &of("fdff:ffff:ffff:0")],
        &[&of("fdff:ffff:ffff:ff80"), &of("fdff:ffff:ffff:fffe"), &of("fdff:ffff:ffff:ffff")],
    );
}

#[test]
fn f160_all_ones_is_not_the_form_of_a_64() {
    told(&Config::cm(), &["2001:7fa:3:ca07:ffff:ffff:ffff:fffe", "2001:7fa:3:ca07:ffff:ffff:ffff:ff80"], &[]);
}

#[test]
fn f161_the_reserved_identifiers_of_longer_prefixes() {
    told(
        &within("2001:db8:a::/112"),
        &["2001:db8:a::ff7f", "2001:db8:a::1:ff80"],
        &["2001:db8:a::ff80", "2001:db8:a::fffe", "2001:db8:a::ffff"],
    );
    told(&within("2001:db8:a::/120"), &["2001:db8:a::7f"], &["2001:db8:a::80", "2001:db8:a::ff"]);
    told(
        &within("2001:db8:a::/65"),
        &["2001:db8:a:0:7fff:ffff:ffff:ff7f", "2001:db8:a:0:7dff:ffff:ffff:ff80"],
        &["2001:db8:a:0:7fff:ffff:ffff:ff80"],
    );
    // no room for 128 of them beyond /120
    told(&within("2001:db8:a::/121"), &["2001:db8:a::7f", "2001:db8:a::40"], &["2001:db8:a::"]);
    told(&within("2001:db8:a::/126"), &["2001:db8:a::3"], &[]);
}

#[test]
fn f162_a_service_s_anycast_addresses_unless_they_want_errors() {
    let src = "2001:db8:53::53";
    let extra =
        |more: &str| Config::cm().plus(&format!("anycast: {{ extra: [\"2001:db8:53::/48\"]{more} }}"));
    told(&extra(""), &["2001:db8:54::53"], &[src, "2001:db8:53:1::9"]);
    told(&extra(", ptb: false"), &[], &[src]);
    told(&extra(", ptb: true"), &[src, "2001:db8:53:1::9"], &["2001:7fa:3:ca07::"]);
}

#[test]
fn f162_what_is_never_anycast_is_not_whatever_else_says_so() {
    let zero = "2001:7fa:3:ca07::";
    let reserved = "2001:7fa:3:ca07:fdff:ffff:ffff:fffe";
    let never = Config::cm().plus(&format!("anycast: {{ never: [\"{zero}/64\"], extra: [\"{zero}5\"] }}"));
    told(&never, &[zero, reserved, "2001:7fa:3:ca07::5"], &[]);
    let some = Config::cm().plus(&format!("anycast: {{ never: [\"{zero}5\"], extra: [\"{zero}/64\"] }}"));
    told(&some, &["2001:7fa:3:ca07::5"], &[zero, reserved, "2001:7fa:3:ca07::6"]);
}

#[test]
fn f153_an_anycast_source_takes_nothing_from_the_limits() {
    let config = Config::cm().plus("mtu_errors: { side: { rate: 1/s, burst: 1 } }");
    let mut bench = config.bench();
    for _ in 0..100 {
        draws_none(&mut bench, &from6("2001:7fa:3:ca07::"), "ptb_anycast_src");
    }
    draws(&mut bench, &from6("2001:db8:1::1"));
}

#[test]
fn f153_the_operator_hears_of_an_address_once_a_minute() {
    let mut bench = Config::cm().bench();
    let plan = bench.bridge().plan();
    let mut plane = ControlPlane::new(0, false);
    let prefix = "2001:7fa:3:ca07::/64".parse().unwrap();
    let mut hear = |seconds: u64, address: &str, why| {
        let now = Time::from_nanos(1_000_000_000).after(Duration::from_secs(seconds));
        let mut effects = Effects::default();
        let message = ControlMsg::Anycast(now, BridgeId::FIRST, address.parse().unwrap(), why);
        plane.take_in(plan, &message, &mut effects);
        assert!(effects.send.is_empty());
        effects.tell
    };
    let zero = "2001:7fa:3:ca07::";
    let why = Anycast::SubnetRouter(prefix);
    let told = vec![OperatorEvent::Anycast { bridge: BridgeId::FIRST, address: zero.parse().unwrap(), why }];
    assert_eq!(hear(0, zero, why), told);
    assert!((0..60).all(|second| hear(second, zero, why).is_empty()));
    // another address is another matter
    assert_eq!(hear(59, "2001:db8::53", Anycast::Service).len(), 1);
    assert_eq!(hear(60, zero, why), told);
    assert!(hear(61, zero, why).is_empty());
    // however many invent themselves, so many are told a minute
    let invented = (0..5000).map(|number| hear(61, &format!("2001:db8::{number:x}"), Anycast::Service).len());
    let sum: usize = invented.sum();
    assert!((1000..=1024).contains(&sum), "{sum}");
    assert_eq!(hear(121, zero, why), told);
}

#[test]
fn f153_the_notice_says_why() {
    let mut bench = Config::cm().plus("anycast: { extra: [\"2001:db8:53::53\"] }").bench();
    let bridge = &bench.bridge().plan().bridges[0];
    let why = |address: &str| bridge.anycast(address.parse().unwrap());
    let prefix = "2001:7fa:3:ca07::/64".parse().unwrap();
    assert_eq!(why("2001:7fa:3:ca07::"), Some(Anycast::SubnetRouter(prefix)));
    assert_eq!(why("2001:7fa:3:ca07:fdff:ffff:ffff:fffe"), Some(Anycast::Reserved(prefix)));
    assert_eq!(why("2001:db8:53::53"), Some(Anycast::Service));
    assert_eq!(why("2001:7fa:3:ca07::a"), None);
}

#[test]
fn c4_duplicate_detection_for_an_anycast_address_passes_and_is_counted() {
    let mut bench = Config::c0().bench();
    let (group, to) = solicited("2001:7fa:3:ca07::");
    let message = ns("2001:7fa:3:ca07::", &[]);
    bench.crosses(M, &ether(to, A, 0x86dd, &icmp6("::", &group, 255, &message)));
    assert_eq!(bench.cause("dad_anycast"), 1);
    // neither who only asks for it, nor who looks for duplicates of its own
    bench.crosses(M, &who_has6(A, IP_A, "2001:7fa:3:ca07::"));
    bench.crosses(M, &dad(A, "2001:7fa:3:ca07::77"));
    assert_eq!(bench.cause("dad_anycast"), 1);
}
