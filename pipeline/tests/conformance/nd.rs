//! docs/spec F.4, F90 to F127 as far as they forward or drop, and C.2, C.3, C.5: neighbour discovery is what it must be, or
//! does not cross.

use crate::frames::*;
use crate::harness::*;

/// Nobody's address.
const IP_C: &str = "2001:7fa:3:ca07::c1";
/// Subnet-router anycast.
const IP_ANYCAST: &str = "2001:7fa:3:ca07::";

const ALL_ROUTERS: (&str, [u8; 6]) = ("ff02::2", [0x33, 0x33, 0, 0, 0, 2]);

/// A member without addresses on M.
const C: [u8; 6] = station(3);
/// VRRP's virtual MAC for IPv6, and one for IPv4.
const VRRP6: [u8; 6] = [0, 0, 0x5e, 0, 2, 0x2a];
const VRRP4: [u8; 6] = [0, 0, 0x5e, 0, 1, 0x2a];

fn bench() -> Bench {
    Config::c0().member(M, &mac(C)).bench()
}

fn frame((dst, src): ([u8; 6], [u8; 6]), (from, to): (&str, &str), message: &[u8]) -> Vec<u8> {
    hop((dst, src), (from, to), 255, message)
}

fn hop((dst, src): ([u8; 6], [u8; 6]), (from, to): (&str, &str), limit: u8, message: &[u8]) -> Vec<u8> {
    ether(dst, src, 0x86dd, &icmp6(from, to, limit, message))
}

/// A multicast solicitation for a target, with the source's address option.
fn ask(src: [u8; 6], from: &str, target: &str) -> Vec<u8> {
    with(src, from, target, &lladdr(1, src))
}

/// The same with these options.
fn with(src: [u8; 6], from: &str, target: &str, options: &[u8]) -> Vec<u8> {
    let (group, dst) = solicited(target);
    frame((dst, src), (from, &group), &ns(target, options))
}

/// An unsolicited advertisement to a group.
fn tell(src: [u8; 6], target: &str, flags: u8, (to, dst): (&str, [u8; 6])) -> Vec<u8> {
    frame((dst, src), (target, to), &na(flags, target, &lladdr(2, src)))
}

#[test]
fn f90_solicitation_crosses() {
    let mut bench = bench();
    assert_eq!(ask(A, IP_A, IP_B), golden(1));
    bench.crosses(M, &golden(1));
    assert_eq!(bench.events(), []);
}

#[test]
fn f91_solicited_advertisement_crosses() {
    let mut bench = bench();
    bench.crosses(W, &golden(2));
    for flags in 0..=255 {
        // R, S, O and what is reserved are the owner's
        bench.crosses(W, &frame((A, B), (IP_B, IP_A), &na(flags, IP_B, &lladdr(2, B))));
    }
    bench.crosses(W, &frame((A, B), (IP_B, IP_A), &na(R | S | O, IP_B, &[]))); // the option may be left out
    assert_eq!(bench.events(), []);
}

#[test]
fn f91_advertisement_from_another_address_of_the_owner() {
    bench().crosses(W, &frame((A, B), ("fe80::b", IP_A), &na(S | O, IP_B, &lladdr(2, B))));
}

#[test]
fn f92_unsolicited_advertisement_to_all_nodes() {
    let mut bench = bench();
    bench.crosses(W, &golden(4));
    for flags in [0, R, O, R | O] {
        bench.crosses(W, &tell(B, IP_B, flags, ALL_NODES));
    }
}

#[test]
fn f93_gratuitous_nd_to_all_routers() {
    let mut bench = bench();
    bench.crosses(W, &tell(B, IP_B, R | O, ALL_ROUTERS));
    bench.crosses(W, &tell(B, IP_B, 0, ALL_ROUTERS));
}

#[test]
fn f93_no_other_group_hears_advertisements() {
    let mut bench = bench();
    let (group, dst) = solicited(IP_A);
    bench.drops(W, &tell(B, IP_B, O, (&group, dst)), "na_invalid");
    for (to, last) in [("ff02::3", 3), ("ff01::1", 1), ("ff05::1", 1), ("ff05::2", 2), ("ff02::16", 0x16)] {
        bench.drops(W, &tell(B, IP_B, O, (to, [0x33, 0x33, 0, 0, 0, last])), "na_invalid");
    }
}

#[test]
fn f94_solicited_flag_to_a_group() {
    let mut bench = bench();
    for group in [ALL_NODES, ALL_ROUTERS] {
        for flags in [S, R | S, S | O, R | S | O, 0xff] {
            bench.drops(W, &tell(B, IP_B, flags, group), "na_invalid");
        }
    }
}

#[test]
fn f94_advertisement_from_nobody() {
    let mut bench = bench();
    for (to, dst) in [(IP_A, A), ALL_NODES] {
        let frame = frame((dst, B), ("::", to), &na(O, IP_B, &lladdr(2, B)));
        bench.drops(W, &frame, "v6_martian");
    }
}

#[test]
fn f95_hop_limit() {
    let mut bench = bench();
    let (group, dst) = solicited(IP_B);
    for limit in 0..255 {
        bench.drops(M, &hop((dst, A), (IP_A, &group), limit, &ns(IP_B, &lladdr(1, A))), "nd_hoplimit");
        bench.drops(M, &hop((B, A), (IP_A, IP_B), limit, &ns(IP_B, &[])), "nd_hoplimit");
        bench.drops(W, &hop((A, B), (IP_B, IP_A), limit, &na(S, IP_B, &lladdr(2, B))), "nd_hoplimit");
    }
}

#[test]
fn f96_checksum() {
    let mut bench = bench();
    for (side, record) in [(M, 1), (W, 2), (M, 3), (W, 4)] {
        let good = golden(record);
        for bit in 0..16 {
            let mut bad = good.clone();
            bad[56 + bit / 8] ^= 1 << (bit % 8);
            bench.drops(side, &bad, "nd_checksum");
        }
        for sum in [[0, 0], [0xff, 0xff]] {
            let mut bad = good.clone();
            bad[56..58].copy_from_slice(&sum);
            bench.drops(side, &bad, "nd_checksum");
        }
    }
}

#[test]
fn f96_checksum_covers_reserved_bytes_and_unknown_options() {
    let mut bench = bench();
    let good = with(A, IP_A, IP_B, &[&lladdr(1, A)[..], &[200, 1, 1, 2, 3, 4, 5, 6]].concat());
    for at in [58, 61, 86 + 2, 86 + 7] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        bench.drops(M, &bad, "nd_checksum");
    }
}

#[test]
fn f97_code() {
    let mut bench = bench();
    for code in 1..=255 {
        let mut message = ns(IP_B, &lladdr(1, A));
        message[1] = code;
        let (group, dst) = solicited(IP_B);
        bench.drops(M, &frame((dst, A), (IP_A, &group), &message), "nd_code");
        let mut message = na(S | O, IP_B, &lladdr(2, B));
        message[1] = code;
        bench.drops(W, &frame((A, B), (IP_B, IP_A), &message), "nd_code");
    }
}

#[test]
fn f98_shorter_than_the_fixed_part() {
    let mut bench = bench();
    let (group, dst) = solicited(IP_B);
    for len in 4..24 {
        bench.drops(M, &frame((dst, A), (IP_A, &group), &ns(IP_B, &[])[..len]), "nd_short");
        bench.drops(W, &frame((A, B), (IP_B, IP_A), &na(S, IP_B, &[])[..len]), "nd_short");
    }
    bench.crosses(M, &frame((dst, A), (IP_A, &group), &ns(IP_B, &[])));
}

#[test]
fn f98_padding_of_the_frame_is_not_the_message() {
    let (group, dst) = solicited(IP_B);
    let short = frame((dst, A), (IP_A, &group), &ns(IP_B, &[])[..20]);
    bench().drops(M, &[short, vec![0; 40]].concat(), "nd_short");
    bench().crosses(M, &[golden(1), vec![0xa5; 40]].concat());
}

#[test]
fn f99_target_is_a_group() {
    let mut bench = bench();
    for target in ["ff02::1", "ff02::1:ff00:b", "ff0e::1", "ff00::"] {
        bench.drops(M, &ask(A, IP_A, target), "nd_target");
        bench.drops(M, &dad(A, target), "nd_target");
        bench.drops(W, &frame((A, B), (IP_B, IP_A), &na(S, target, &lladdr(2, B))), "nd_target");
    }
}

#[test]
fn f100_option_of_length_0() {
    let mut bench = bench();
    for kind in [0, 1, 2, 14, 200, 255] {
        let zero = [kind, 0, 0, 0, 0, 0, 0, 0];
        bench.drops(M, &with(A, IP_A, IP_B, &zero), "nd_option");
        bench.drops(M, &with(A, IP_A, IP_B, &[&lladdr(1, A)[..], &zero].concat()), "nd_option");
        bench.drops(M, &with(A, IP_A, IP_B, &[&zero[..], &lladdr(1, A)].concat()), "nd_option");
        bench.drops(W, &frame((A, B), (IP_B, IP_A), &na(S, IP_B, &zero)), "nd_option");
    }
}

#[test]
fn f101_option_past_the_end() {
    let mut bench = bench();
    for kind in [1, 2, 14, 200] {
        for units in [2, 3, 31, 32, 255] {
            let option = [kind, units, 2, 0xaa, 0, 0, 0, 1];
            bench.drops(M, &with(A, IP_A, IP_B, &option), "nd_option");
            bench.drops(W, &frame((A, B), (IP_B, IP_A), &na(S, IP_B, &option)), "nd_option");
        }
    }
    for len in 1..8 {
        // cut inside an option, the last byte of its header too
        bench.drops(M, &with(A, IP_A, IP_B, &lladdr(1, A)[..len]), "nd_option");
        bench.drops(
            M,
            &with(A, IP_A, IP_B, &[&lladdr(1, A)[..], &[200, 1, 0, 0, 0, 0, 0][..len]].concat()),
            "nd_option",
        );
    }
}

#[test]
fn f101_option_ends_in_the_padding() {
    let cut = with(A, IP_A, IP_B, &[200, 2, 0, 0, 0, 0, 0, 0]);
    bench().drops(M, &[cut, vec![0; 32]].concat(), "nd_option");
}

#[test]
fn f102_unknown_options_are_skipped_and_the_address_still_found() {
    let mut bench = bench();
    for units in [1u8, 2, 16] {
        let unknown = [&[200, units][..], &vec![0xee; usize::from(units) * 8 - 2]].concat();
        bench.crosses(M, &with(A, IP_A, IP_B, &[&unknown[..], &lladdr(1, A)].concat()));
        bench.drops(M, &with(A, IP_A, IP_B, &[&unknown[..], &lladdr(1, C)].concat()), "nd_lladdr_mismatch");
        bench.drops(M, &with(A, "::", IP_B, &[&unknown[..], &lladdr(1, A)].concat()), "nd_dad_sllao");
    }
}

#[test]
fn f102_the_longest_option() {
    let unknown = [&[200, 179][..], &[0xee; 179 * 8 - 2]].concat();
    bench().crosses(M, &with(A, IP_A, IP_B, &unknown)); // 1496 bytes of packet
}

#[test]
fn f102_as_many_options_as_fit() {
    let many: Vec<u8> = (0..178).flat_map(|_| [200, 1, 0, 0, 0, 0, 0, 0]).collect();
    bench().crosses(M, &with(A, IP_A, IP_B, &[many.clone(), lladdr(1, A)].concat()));
    bench().drops(M, &with(A, IP_A, IP_B, &[many, lladdr(1, B)].concat()), "nd_lladdr_mismatch");
}

#[test]
fn f103_nonce_stays() {
    let mut bench = bench();
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    bench.crosses(M, &with(A, "::", IP_B, &nonce));
    bench.crosses(M, &with(A, IP_A, IP_B, &[&nonce[..], &lladdr(1, A)].concat()));
}

#[test]
fn f104_duplicate_address_detection_crosses() {
    let mut bench = bench();
    assert_eq!(dad(A, IP_B), golden(3));
    bench.crosses(M, &golden(3)); // for another member's address: it claims nothing yet
    bench.crosses(M, &dad(A, "fe80::a"));
    assert_eq!(bench.events(), [("dad_for_member".to_owned(), mac(A))]); // of B's address (F210)
}

#[test]
fn f105_dad_to_the_target_itself() {
    bench().drops(M, &frame((B, A), ("::", IP_B), &ns(IP_B, &[])), "nd_dad_dst");
}

#[test]
fn f105_dad_to_a_group_that_is_no_solicited_node() {
    let mut bench = bench();
    for (to, dst) in [ALL_NODES, ALL_ROUTERS, ("ff02::1:fe00:b", [0x33, 0x33, 0xfe, 0, 0, 0x0b])] {
        bench.drops(M, &frame((dst, A), ("::", to), &ns(IP_B, &[])), "nd_dad_dst");
    }
    // a solicited-node group, of another target
    let (group, dst) = solicited(IP_A);
    bench.drops(M, &frame((dst, A), ("::", &group), &ns(IP_B, &[])), "nd_mcast_map");
}

#[test]
fn f106_dad_with_an_address_option() {
    let mut bench = bench();
    bench.drops(M, &with(A, "::", IP_B, &lladdr(1, A)), "nd_dad_sllao");
    bench.drops(
        M,
        &with(A, "::", IP_B, &[&[14, 1, 1, 2, 3, 4, 5, 6][..], &lladdr(1, A)].concat()),
        "nd_dad_sllao",
    );
}

#[test]
fn f107_optimistic_dad_crosses() {
    bench().crosses(M, &with(A, IP_A, IP_B, &[]));
}

#[test]
fn f108_address_option_of_another() {
    let mut bench = bench();
    for other in [B, C, MAC_M, [0; 6], BROADCAST, VRRP6, VRRP4] {
        bench.drops(M, &with(A, IP_A, IP_B, &lladdr(1, other)), "nd_lladdr_mismatch");
        bench.drops(
            M,
            &with(A, IP_A, IP_B, &[lladdr(1, A), lladdr(1, other)].concat()),
            "nd_lladdr_mismatch",
        );
        bench.drops(M, &frame((B, A), (IP_A, IP_B), &ns(IP_B, &lladdr(1, other))), "nd_lladdr_mismatch");
    }
    bench.crosses(M, &with(A, IP_A, IP_B, &[lladdr(1, A), lladdr(1, A)].concat()));
    bench.crosses(M, &with(A, IP_A, IP_B, &lladdr(2, B))); // no option of a solicitation: ignored
}

#[test]
fn f108_target_address_option_of_another() {
    let mut bench = bench();
    for other in [A, C, MAC_W, [0; 6], BROADCAST, VRRP4, [0x33, 0x33, 0, 0, 0, 1], [0, 0, 0x5e, 0, 3, 1]] {
        let message = na(S | O, IP_B, &lladdr(2, other));
        bench.drops(W, &frame((A, B), (IP_B, IP_A), &message), "nd_lladdr_mismatch");
    }
    bench.crosses(W, &frame((A, B), (IP_B, IP_A), &na(S, IP_B, &lladdr(1, A)))); // no option of an advertisement
}

#[test]
fn f108_address_option_of_another_length() {
    let mut bench = bench();
    let long = [&[1, 2, 2, 0xaa, 0, 0, 0, 1][..], &[0; 8]].concat();
    bench.drops(M, &with(A, IP_A, IP_B, &long), "nd_option");
    let long = [&[2, 2, 2, 0xbb, 0, 0, 0, 2][..], &[0; 8]].concat();
    bench.drops(W, &frame((A, B), (IP_B, IP_A), &na(S, IP_B, &long)), "nd_option");
}

#[test]
fn c3_virtual_router_mac_in_an_advertisement() {
    let mut bench = bench();
    for group in 0..=255 {
        let message = na(S | O, IP_B, &lladdr(2, [0, 0, 0x5e, 0, 2, group]));
        bench.crosses(W, &frame((A, B), (IP_B, IP_A), &message));
    }
}

/// V, a member of M with a MAC of its own and a virtual one, and its address.
const V: [u8; 6] = station(5);
const IP_V: &str = "2001:7fa:3:ca07::5";

fn with_v() -> Config {
    let entry = format!(
        "- {{ name: V, side: mud, macs: [\"{}\", \"{}\"], ipv6: [\"{IP_V}\"] }}\n      #more",
        mac(V),
        mac(VRRP6)
    );
    Config::ca().member(M, &mac(C)).member(W, &mac(station(4))).with("#more", &entry)
}

#[test]
fn f197_a_member_advertises_its_address_with_any_of_its_macs_outside_and_inside() {
    let mut bench = with_v().bench();
    let (to, dst) = ALL_NODES;
    for (src, inside) in [(V, V), (VRRP6, VRRP6), (V, VRRP6), (VRRP6, V)] {
        bench.crosses(M, &frame((dst, src), (IP_V, to), &na(R | O, IP_V, &lladdr(2, inside))));
        assert_eq!(bench.owner(IP_V), Some(V), "the first of its MACs");
    }
    assert_eq!(bench.cause("nd_spoof_passed"), 0);
}

#[test]
fn f197_a_members_mac_in_a_strangers_frame_does_not_make_it_the_members() {
    let (to, dst) = ALL_NODES;
    for (side, stranger) in [(M, C), (W, station(4))] {
        let mut bench = with_v().bench();
        for inside in [VRRP6, V] {
            let advertised = na(R | O, IP_V, &lladdr(2, inside));
            bench.drops(side, &frame((dst, stranger), (IP_V, to), &advertised), "nd_spoof");
            bench.drops(side, &with(stranger, IP_V, IP_B, &lladdr(1, inside)), "nd_spoof");
        }
        assert_eq!(bench.events(), vec![("nd_spoof".to_owned(), mac(stranger)); 4]);
        assert_eq!(bench.neighbours(), 0);
    }
}

#[test]
fn f197_a_members_mac_in_a_strangers_frame_is_not_believed_where_claims_pass() {
    let mut bench = with_v().plus("conflict: pass").bench();
    let (to, dst) = ALL_NODES;
    bench.crosses(M, &frame((dst, C), (IP_V, to), &na(R | O, IP_V, &lladdr(2, VRRP6))));
    assert_eq!((bench.cause("nd_spoof_passed"), bench.neighbours()), (1, 0));
    bench.drops(M, &with(C, IP_V, IP_B, &lladdr(1, V)), "nd_lladdr_mismatch");
    assert_eq!(bench.events(), [("nd_spoof".to_owned(), mac(C))]);
}

#[test]
fn f210_dad_for_a_members_address_crosses_and_is_told() {
    let mut bench = bench();
    bench.crosses(M, &dad(C, IP_B));
    assert_eq!(bench.events(), [("dad_for_member".to_owned(), mac(C))]);
    let mut bench = with_v().bench();
    bench.passes_and_answers(M, &dad(C, IP_B), &golden(4));
    assert_eq!(bench.events(), [("dad_for_member".to_owned(), mac(C))]);
}

#[test]
fn f210_dad_by_the_owner_or_for_nobodys_address_is_not_told() {
    let mut bench = with_v().bench();
    bench.crosses(M, &dad(V, IP_V));
    bench.crosses(M, &dad(VRRP6, IP_V));
    bench.crosses(M, &dad(C, IP_C));
    bench.crosses(M, &ask(C, IP_C, IP_V));
    assert_eq!(bench.events(), []);
}

#[test]
fn c3_a_second_address_option_does_not_lend_an_address() {
    // stacks differ in which of two options they take
    let entry =
        format!("- {{ name: VR, side: mud, macs: [\"{}\"], ipv6: [\"{IP_C}\"] }}\n      #more", mac(VRRP6));
    let mut bench = Config::c0().member(M, &mac(C)).with("#more", &entry).bench();
    let (to, dst) = ALL_NODES;
    for options in [[lladdr(2, C), lladdr(2, VRRP6)].concat(), [lladdr(2, VRRP6), lladdr(2, C)].concat()] {
        bench.drops(M, &frame((dst, C), (IP_C, to), &na(R | O, IP_C, &options)), "nd_spoof");
    }
}

#[test]
fn f109_group_and_mac_do_not_belong_together() {
    let mut bench = bench();
    let (group, right) = solicited(IP_B);
    let message = ns(IP_B, &lladdr(1, A));
    for dst in [
        [0x33, 0x33, 0xff, 0, 0, 0x0c],
        [0x33, 0x33, 0, 0, 0, 1],
        [0x33, 0x33, 0xff, 0, 1, 0x0b],
        [0x33, 0x33, 0xff, 1, 0, 0x0b],
        [0x33, 0x33, 0xfe, 0, 0, 0x0b],
        [0x01, 0, 0x5e, 0, 0, 0x0b],
        BROADCAST,
        B,
    ] {
        bench.drops(M, &frame((dst, A), (IP_A, &group), &message), "nd_mcast_map");
    }
    bench.crosses(M, &frame((right, A), (IP_A, &group), &message));
}

#[test]
fn f109_group_of_another_target() {
    let mut bench = bench();
    let message = ns(IP_B, &lladdr(1, A));
    for other in [IP_A, "::1:b", "::10b"] {
        let (group, dst) = solicited(other);
        bench.drops(M, &frame((dst, A), (IP_A, &group), &message), "nd_mcast_map");
    }
    for (to, dst) in [ALL_NODES, ALL_ROUTERS, ("ff05::1:ff00:b", [0x33, 0x33, 0xff, 0, 0, 0x0b])] {
        bench.drops(M, &frame((dst, A), (IP_A, to), &message), "nd_mcast_map");
    }
}

#[test]
fn f109_advertisement_to_a_group_with_another_mac() {
    let mut bench = bench();
    for dst in [ALL_ROUTERS.1, BROADCAST, A, [0x33, 0x33, 0xff, 0, 0, 1]] {
        bench.drops(W, &tell(B, IP_B, O, (ALL_NODES.0, dst)), "nd_mcast_map");
    }
}

#[test]
fn f109_unicast_in_a_group_frame() {
    let mut bench = bench();
    let (_, dst) = solicited(IP_B);
    bench.drops(M, &frame((dst, A), (IP_A, IP_B), &ns(IP_B, &lladdr(1, A))), "l2mcast_l3ucast");
    bench.drops(W, &frame((ALL_NODES.1, B), (IP_B, IP_A), &na(S, IP_B, &lladdr(2, B))), "l2mcast_l3ucast");
}

#[test]
fn f110_target_outside() {
    let mut bench = bench();
    for target in [
        "2001:db8:99::1",
        "2001:7fa:3:ca08::b",
        "2001:7fa:3:ca06:ffff:ffff:ffff:ffff",
        "fec0::b",
        "fe7f::b",
        "::1:2:3",
        "fd00::b",
        "::ffff:202.7.0.20",
    ] {
        bench.drops(M, &ask(A, IP_A, target), "nd_not_wix");
        bench.drops(M, &dad(A, target), "nd_not_wix");
        bench.drops(W, &frame((A, B), (IP_B, IP_A), &na(S, target, &lladdr(2, B))), "nd_not_wix");
    }
    bench.crosses(M, &ask(A, IP_A, "2001:7fa:3:ca07:ffff:ffff:ffff:ffff"));
    bench.crosses(M, &ask(A, IP_A, "fe80::b"));
    bench.crosses(M, &ask(A, IP_A, "febf:ffff::b"));
}

#[test]
fn f110_source_outside() {
    let mut bench = bench();
    for from in ["2001:db8:99::1", "2001:7fa:3:ca08::a", "fec0::a"] {
        bench.drops(M, &ask(A, from, IP_B), "nd_not_wix");
        bench.drops(M, &frame((B, A), (from, IP_B), &ns(IP_B, &lladdr(1, A))), "nd_not_wix");
    }
}

#[test]
fn f110_several_prefixes() {
    let config =
        Config::c0().with("\"2001:7fa:3:ca07::/64\"]", "\"2001:7fa:3:ca07::/64\", \"2001:db8:99::/112\"]");
    let mut bench = config.bench();
    bench.crosses(M, &ask(A, "2001:db8:99::2", "2001:db8:99::1"));
    bench.crosses(M, &ask(A, IP_A, "2001:db8:99::ffff"));
    bench.drops(M, &ask(A, IP_A, "2001:db8:99::1:0"), "nd_not_wix");
}

#[test]
fn f111_link_local_crosses() {
    let mut bench = bench();
    bench.crosses(M, &ask(A, "fe80::a", "fe80::b"));
    bench.crosses(M, &frame((B, A), ("fe80::a", "fe80::b"), &ns("fe80::b", &lladdr(1, A))));
    bench.crosses(W, &frame((A, B), ("fe80::b", "fe80::a"), &na(S | O, "fe80::b", &lladdr(2, B))));
    bench.crosses(M, &ask(A, "fe80::a", IP_B));
}

#[test]
fn f112_link_local_of_a_stranger() {
    bench().drops(M, &ask(station(77), "fe80::77", "fe80::b"), "src_not_member");
}

/// A solicitation or another ICMPv6 message behind extension headers: their next-header values are filled in.
fn behind(headers: &[(u8, &[u8])], (from, to): (&str, &str), message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (at, (_, body)) in headers.iter().enumerate() {
        let next = headers.get(at + 1).map_or(58, |(kind, _)| *kind);
        payload.push(next);
        payload.extend(&body[1..]);
    }
    payload.extend(icmp6_sum(from, to, message));
    ipv6(from, to, headers[0].0, 255, &payload)
}

/// Hop-by-hop or Destination Options of 8 bytes: one PadN.
const PAD: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
/// An atomic Fragment header.
const ATOMIC: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 7];
/// The Fragment header of a first fragment.
const FIRST: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 7];

#[test]
fn f113_atomic_fragment() {
    let mut bench = bench();
    let (group, dst) = solicited(IP_B);
    let packet = behind(&[(44, ATOMIC)], (IP_A, &group), &ns(IP_B, &lladdr(1, A)));
    bench.drops(M, &ether(dst, A, 0x86dd, &packet), "nd_fragment");
    let packet = behind(&[(44, ATOMIC)], (IP_A, IP_B), &ns(IP_B, &lladdr(1, A)));
    bench.drops(M, &ether(B, A, 0x86dd, &packet), "nd_fragment");
    let packet = behind(&[(44, ATOMIC)], (IP_B, IP_A), &na(S, IP_B, &lladdr(2, B)));
    bench.drops(W, &ether(A, B, 0x86dd, &packet), "nd_fragment");
    let packet = behind(&[(60, PAD), (44, ATOMIC)], (IP_B, IP_A), &na(S, IP_B, &lladdr(2, B)));
    bench.drops(W, &ether(A, B, 0x86dd, &packet), "nd_fragment");
}

#[test]
fn f114_two_fragments() {
    let mut bench = bench();
    let (group, dst) = solicited(IP_B);
    let message = icmp6_sum(IP_A, &group, &ns(IP_B, &lladdr(1, A)));
    let part = |offset: u16, more: u16, data: &[u8]| {
        let field = (offset << 3 | more).to_be_bytes();
        let header = [58, 0, field[0], field[1], 0, 0, 0, 7];
        ether(dst, A, 0x86dd, &ipv6(IP_A, &group, 44, 255, &[&header[..], data].concat()))
    };
    bench.drops(M, &part(0, 1, &message[..24]), "nd_fragment");
    bench.drops(M, &part(3, 0, &message[24..]), "v6_mcast_fragment");
    bench.drops(M, &part(0, 1, &message[..8]), "nd_fragment");
    bench.drops(M, &part(1, 1, &message[8..16]), "v6_mcast_fragment");
    bench.drops(M, &part(0x1fff, 0, &message[16..]), "v6_mcast_fragment");
}

#[test]
fn f115_behind_an_extension_header() {
    let mut bench = bench();
    let (group, dst) = solicited(IP_B);
    for kind in [0, 43, 60, 135, 139, 140] {
        let packet = behind(&[(kind, PAD)], (IP_A, &group), &ns(IP_B, &lladdr(1, A)));
        bench.drops(M, &ether(dst, A, 0x86dd, &packet), "nd_exthdr");
        let packet = behind(&[(kind, PAD)], (IP_B, IP_A), &na(S, IP_B, &lladdr(2, B)));
        bench.drops(W, &ether(A, B, 0x86dd, &packet), "nd_exthdr");
    }
    let authentication: &[u8] = &[0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    let packet = behind(&[(51, authentication)], (IP_A, &group), &ns(IP_B, &lladdr(1, A)));
    bench.drops(M, &ether(dst, A, 0x86dd, &packet), "nd_exthdr");
}

#[test]
fn f116_advertisement_hidden_behind_headers_and_a_fragment() {
    let mut bench = bench();
    let ra = [134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    for (to, dst) in [ALL_NODES, (IP_B, B)] {
        let packet = behind(&[(0, PAD), (60, PAD), (44, FIRST)], ("fe80::a", to), &ra);
        bench.drops(M, &ether(dst, A, 0x86dd, &packet), "icmp6_ra");
        let packet = behind(&[(0, PAD), (60, PAD)], ("fe80::a", to), &ra);
        bench.drops(M, &ether(dst, A, 0x86dd, &packet), "icmp6_ra");
    }
    assert_eq!(bench.events(), vec![("ra_seen".to_owned(), mac(A)); 4]);
}

#[test]
fn f120_unicast_solicitation_crosses() {
    let mut bench = bench();
    bench.crosses(M, &frame((B, A), (IP_A, IP_B), &ns(IP_B, &lladdr(1, A))));
    bench.crosses(M, &frame((B, A), (IP_A, IP_B), &ns(IP_B, &[])));
    assert_eq!(bench.report().replies, 0);
}

#[test]
fn f120_unicast_solicitation_for_something_else() {
    let mut bench = bench();
    bench.drops(M, &frame((B, A), (IP_A, IP_B), &ns(IP_C, &lladdr(1, A))), "nd_target");
    bench.drops(M, &frame((B, A), (IP_A, "fe80::b"), &ns(IP_B, &lladdr(1, A))), "nd_target");
}

#[test]
fn f124_simultaneous_dad_from_both_sides_crosses() {
    let mut bench = bench();
    bench.crosses(M, &dad(A, IP_C));
    bench.wait(std::time::Duration::from_millis(100));
    bench.crosses(W, &dad(B, IP_C));
    bench.crosses(M, &dad(A, IP_C));
    bench.crosses(W, &dad(B, IP_C));
    assert_eq!(bench.events(), []);
}

#[test]
fn f126_solicitation_for_the_subnet_router_anycast_crosses() {
    let mut bench = bench();
    bench.crosses(M, &ask(A, IP_A, IP_ANYCAST));
    bench.crosses(M, &dad(A, IP_ANYCAST));
    assert_eq!(bench.report().replies, 0);
}

#[test]
fn f127_anycast_advertisements_of_several_routers_cross() {
    let mut bench = bench();
    bench.crosses(M, &frame((B, A), (IP_ANYCAST, IP_B), &na(R | S, IP_ANYCAST, &lladdr(2, A))));
    bench.crosses(W, &frame((A, B), (IP_ANYCAST, IP_A), &na(R | S, IP_ANYCAST, &lladdr(2, B))));
    bench.crosses(M, &tell(A, IP_ANYCAST, R, ALL_NODES));
    bench.crosses(W, &tell(B, IP_ANYCAST, R, ALL_NODES));
    assert_eq!(bench.events(), []);
}

#[test]
fn conflict_drop_refuses_a_claim_of_a_members_address() {
    let mut bench = bench();
    bench.drops(M, &tell(C, IP_A, O, ALL_NODES), "nd_spoof");
    bench.drops(M, &tell(C, IP_B, 0, ALL_ROUTERS), "nd_spoof");
    bench.drops(M, &frame((B, C), (IP_A, IP_B), &na(S | O, IP_A, &lladdr(2, C))), "nd_spoof");
    bench.drops(M, &frame((B, C), (IP_C, IP_B), &na(S | O, IP_A, &[])), "nd_spoof");
    bench.drops(M, &ask(C, IP_A, IP_B), "nd_spoof");
    bench.drops(M, &with(C, IP_A, IP_B, &[]), "nd_spoof");
    bench.drops(M, &frame((B, C), (IP_A, IP_B), &ns(IP_B, &lladdr(1, C))), "nd_spoof");
    // not even for a virtual router
    bench.drops(M, &frame((B, C), (IP_A, IP_B), &na(S | O, IP_A, &lladdr(2, VRRP6))), "nd_spoof");
    assert_eq!(bench.events(), vec![("nd_spoof".to_owned(), mac(C)); 8]);
    bench.crosses(M, &ask(C, IP_C, IP_A));
    bench.crosses(M, &dad(C, IP_A));
    bench.crosses(M, &tell(C, IP_C, O, ALL_NODES));
}

#[test]
fn conflict_pass_forwards_and_reports_a_claim() {
    let mut bench = Config::c0().member(M, &mac(C)).plus("conflict: pass").bench();
    bench.crosses(M, &tell(C, IP_A, O, ALL_NODES));
    bench.crosses(M, &ask(C, IP_A, IP_B));
    assert_eq!(bench.cause("nd_spoof_passed"), 2);
    assert_eq!(bench.events(), vec![("nd_spoof".to_owned(), mac(C)); 2]);
    bench.drops(M, &tell(C, IP_A, S, ALL_NODES), "na_invalid");
}

#[test]
fn conflict_drop_learns_nothing_from_a_claim() {
    let mut bench = Config::c0().with("admission: members", "admission: learned").bench();
    bench.drops(M, &tell(C, IP_A, O, ALL_NODES), "nd_spoof");
    assert_eq!(bench.cause("mac_new"), 0);
    bench.crosses(M, &ask(C, IP_C, IP_A));
    assert_eq!(bench.cause("mac_new"), 1);
}
