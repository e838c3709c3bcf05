//! docs/spec F.3, F65 to F80 (forward only), and C.6: ARP of the exchange, each station for itself.

use crate::frames::*;
use crate::harness::*;

/// VRRP's virtual MAC for IPv4, and one for IPv6.
const VRRP4: [u8; 6] = [0, 0, 0x5e, 0, 1, 0x2a];
const VRRP6: [u8; 6] = [0, 0, 0x5e, 0, 2, 0x2a];
/// A member without addresses on M.
const C: [u8; 6] = station(3);

const REQUEST: u16 = 1;
const REPLY: u16 = 2;

fn bench() -> Bench {
    Config::c0().member(M, &mac(C)).bench()
}

fn frame(dst: [u8; 6], src: [u8; 6], packet: &[u8]) -> Vec<u8> {
    ether(dst, src, 0x0806, packet)
}

/// C's broadcast, with itself as the sender.
fn c(op: u16, spa: &str, tpa: &str) -> Vec<u8> {
    frame(BROADCAST, C, &arp(op, C, spa, [0; 6], tpa))
}

#[test]
fn f65_request_crosses() {
    let mut bench = bench();
    assert_eq!(arp_request(A, "202.7.0.10", "202.7.0.20"), golden(5));
    bench.crosses(M, &golden(5));
    let report = bench.report();
    assert_eq!(report.events, []);
    assert_eq!((report.replies, report.probes), (0, 0));
}

#[test]
fn f65_the_mac_is_learned() {
    let mut bench = Config::cd().bench();
    bench.crosses(M, &golden(5));
    assert_eq!(bench.cause("mac_new"), 1);
    bench.crosses(W, &unicast(A, B));
    assert_eq!(bench.cause("unknown_flooded"), 0);
}

#[test]
fn f66_request_of_another_network() {
    let mut bench = bench();
    bench.drops(M, &c(REQUEST, "10.1.1.2", "10.1.1.1"), "arp_not_wix");
    assert_eq!(bench.events(), []);
}

#[test]
fn f67_target_outside() {
    let mut bench = bench();
    for tpa in ["202.7.2.1", "202.7.2.0", "202.6.255.255", "10.0.0.1", "0.0.0.0", "255.255.255.255"] {
        bench.drops(M, &c(REQUEST, "202.7.0.30", tpa), "arp_not_wix");
    }
    bench.crosses(M, &c(REQUEST, "202.7.0.30", "202.7.0.1"));
    bench.crosses(M, &c(REQUEST, "202.7.0.30", "202.7.1.253"));
}

#[test]
fn f68_sender_outside() {
    let mut bench = bench();
    for spa in ["10.0.0.1", "202.7.2.0", "202.6.255.255", "255.255.255.255", "127.0.0.1", "0.0.0.1"] {
        bench.drops(M, &c(REQUEST, spa, "202.7.0.20"), "arp_not_wix");
        bench.drops(M, &c(REPLY, spa, "202.7.0.20"), "arp_not_wix");
    }
}

#[test]
fn f68_nothing_is_learned_from_a_refused_one() {
    let mut bench = Config::cd().bench();
    bench.drops(M, &arp_request(A, "10.0.0.1", "202.7.0.20"), "arp_not_wix");
    assert_eq!(bench.cause("mac_new"), 0);
}

#[test]
fn f69_probe_crosses() {
    let mut bench = bench();
    bench.crosses(M, &arp_request(A, "0.0.0.0", "202.7.0.20"));
    bench.crosses(M, &arp_request(A, "0.0.0.0", "202.7.0.10"));
    assert_eq!(bench.events(), [("dad_for_member".to_owned(), mac(A))]); // of B's address; it claims nothing yet (F210)
}

#[test]
fn f70_probe_for_an_address_outside() {
    let mut bench = bench();
    bench.drops(M, &c(REQUEST, "0.0.0.0", "202.7.2.1"), "arp_not_wix");
    bench.drops(M, &c(REQUEST, "0.0.0.0", "0.0.0.0"), "arp_not_wix");
}

#[test]
fn f71_announcement_crosses() {
    let mut bench = bench();
    bench.crosses(M, &arp_request(A, "202.7.0.10", "202.7.0.10"));
    assert_eq!(bench.report().replies, 0);
}

#[test]
fn f72_gratuitous_reply_crosses() {
    let mut bench = bench();
    bench.crosses(M, &frame(BROADCAST, A, &arp(REPLY, A, "202.7.0.10", A, "202.7.0.10")));
    bench.crosses(M, &frame(BROADCAST, A, &arp(REPLY, A, "202.7.0.10", BROADCAST, "202.7.0.10")));
}

#[test]
fn f73_unicast_request_crosses() {
    bench().crosses(M, &frame(B, A, &arp(REQUEST, A, "202.7.0.10", [0; 6], "202.7.0.20")));
}

#[test]
fn f74_unicast_reply_crosses() {
    // G6: what B itself would say
    bench().crosses(W, &frame(A, B, &arp(REPLY, B, "202.7.0.20", A, "202.7.0.10")));
}

#[test]
fn f75_reply_to_a_probe_or_for_a_known_target_crosses_once() {
    let mut bench = bench();
    bench.crosses(W, &frame(A, B, &arp(REPLY, B, "202.7.0.20", A, "0.0.0.0"))); // G7
    bench.crosses(M, &frame(BROADCAST, A, &arp(REPLY, A, "202.7.0.10", B, "202.7.0.20")));
    assert_eq!(bench.report().replies, 0);
}

#[test]
fn f75_reply_without_a_sender_address() {
    bench().drops(M, &c(REPLY, "0.0.0.0", "202.7.0.20"), "arp_not_wix");
}

#[test]
fn f76_network_and_broadcast_addresses() {
    let mut bench = bench();
    let edges = ["202.7.0.0", "202.7.1.255"];
    for edge in edges {
        bench.drops(M, &c(REQUEST, "202.7.0.30", edge), "arp_net_bcast");
        bench.drops(M, &c(REQUEST, edge, "202.7.0.20"), "arp_net_bcast");
        bench.drops(M, &c(REQUEST, "0.0.0.0", edge), "arp_net_bcast");
        bench.drops(M, &c(REPLY, edge, "202.7.0.20"), "arp_net_bcast");
        bench.drops(M, &c(REPLY, "202.7.0.30", edge), "arp_net_bcast");
    }
    assert_eq!(bench.events(), vec![("arp_net_bcast".to_owned(), mac(C)); 10]);
    for inside in ["202.7.0.1", "202.7.0.255", "202.7.1.0"] {
        bench.crosses(M, &c(REQUEST, "202.7.0.30", inside));
    }
}

#[test]
fn f76_a_31_has_neither() {
    let mut bench =
        Config::c0().member(M, &mac(C)).with("[202.7.0.0/23]", "[202.7.0.0/23, 198.51.100.64/31]").bench();
    bench.crosses(M, &c(REQUEST, "198.51.100.64", "198.51.100.65"));
    bench.crosses(M, &c(REQUEST, "198.51.100.65", "198.51.100.64"));
    bench.drops(M, &c(REQUEST, "198.51.100.64", "198.51.100.66"), "arp_not_wix");
    bench.drops(M, &c(REQUEST, "198.51.100.64", "198.51.100.63"), "arp_not_wix");
}

#[test]
fn f76_edges_of_each_of_several_prefixes() {
    let mut bench =
        Config::c0().member(M, &mac(C)).with("[202.7.0.0/23]", "[202.7.0.0/23, 198.51.100.64/26]").bench();
    bench.crosses(M, &c(REQUEST, "198.51.100.65", "198.51.100.126"));
    bench.crosses(M, &c(REQUEST, "202.7.0.30", "202.7.0.20"));
    for edge in ["198.51.100.64", "198.51.100.127", "202.7.0.0", "202.7.1.255"] {
        bench.drops(M, &c(REQUEST, "198.51.100.65", edge), "arp_net_bcast");
    }
    bench.drops(M, &c(REQUEST, "198.51.100.65", "198.51.100.128"), "arp_not_wix");
}

#[test]
fn f77_arp_sha_mismatch() {
    let mut bench = bench();
    for sha in [B, C, [0x02, 0xaa, 0, 0, 0, 0], [0x02, 0xaa, 0, 0, 0, 3], MAC_M, VRRP6] {
        for op in [REQUEST, REPLY] {
            let packet = arp(op, sha, "202.7.0.10", [0; 6], "202.7.0.20");
            bench.drops(M, &frame(BROADCAST, A, &packet), "arp_sha_mismatch");
            bench.drops(M, &frame(B, A, &packet), "arp_sha_mismatch");
        }
    }
    assert_eq!(bench.events(), []);
}

#[test]
fn f78_virtual_router_mac_inside() {
    let mut bench = bench();
    for group in 0..=255 {
        let sha = [0, 0, 0x5e, 0, 1, group];
        bench.crosses(M, &frame(B, C, &arp(REPLY, sha, "202.7.0.30", B, "202.7.0.20")));
    }
    bench.crosses(M, &frame(BROADCAST, C, &arp(REQUEST, VRRP4, "202.7.0.30", [0; 6], "202.7.0.30")));
}

#[test]
fn f78_what_only_looks_like_a_virtual_router() {
    let mut bench = bench();
    for sha in [[0, 0, 0x5e, 0, 0, 1], [0, 0, 0x5e, 0, 2, 1], [0, 0, 0x5e, 1, 1, 1], [2, 0, 0x5e, 0, 1, 1]] {
        bench.drops(M, &frame(B, C, &arp(REPLY, sha, "202.7.0.30", B, "202.7.0.20")), "arp_sha_mismatch");
    }
}

#[test]
fn f78_the_virtual_mac_is_not_learned_from_inside() {
    let mut bench = Config::cd().bench();
    bench.crosses(M, &frame(BROADCAST, A, &arp(REPLY, VRRP4, "202.7.0.30", B, "202.7.0.20")));
    assert_eq!(bench.cause("mac_new"), 1);
    bench.crosses(W, &unicast(VRRP4, B));
    assert_eq!(bench.cause("unknown_flooded"), 1);
}

/// V, a member of M with a MAC of its own and a virtual one, and its address.
const V: [u8; 6] = station(5);
const IP4_V: &str = "202.7.0.30";

fn with_v() -> Config {
    let entry = format!(
        "- {{ name: V, side: mud, macs: [\"{}\", \"{}\"], ipv4: [{IP4_V}] }}\n      #more",
        mac(V),
        mac(VRRP4)
    );
    Config::ca().member(M, &mac(C)).member(W, &mac(station(4))).with("#more", &entry)
}

#[test]
fn f78_f197_a_member_speaks_for_its_address_with_any_of_its_macs_outside_and_inside() {
    let mut bench = with_v().bench();
    for (src, sha) in [(V, V), (VRRP4, VRRP4), (V, VRRP4), (VRRP4, V)] {
        bench.crosses(M, &frame(BROADCAST, src, &arp(REQUEST, sha, IP4_V, [0; 6], IP4_V)));
        bench.crosses(M, &frame(B, src, &arp(REPLY, sha, IP4_V, B, IP4_B)));
        assert_eq!(bench.owner(IP4_V), Some(V), "the first of its MACs");
    }
    assert_eq!(bench.cause("arp_spoof_passed"), 0);
}

#[test]
fn f197_a_members_mac_in_a_strangers_frame_does_not_make_it_the_members() {
    for (side, stranger) in [(M, C), (W, station(4))] {
        let mut bench = with_v().bench();
        for sha in [VRRP4, V] {
            for claim in [
                frame(BROADCAST, stranger, &arp(REQUEST, sha, IP4_V, [0; 6], IP4_V)),
                frame(BROADCAST, stranger, &arp(REPLY, sha, IP4_V, sha, IP4_V)),
                frame(if side == M { B } else { A }, stranger, &arp(REPLY, sha, IP4_V, B, IP4_B)),
            ] {
                bench.drops(side, &claim, "arp_spoof");
            }
        }
        assert_eq!(bench.events(), vec![("arp_spoof".to_owned(), mac(stranger)); 6]);
        assert_eq!(bench.neighbours(), 0);
    }
}

#[test]
fn f197_a_members_mac_in_a_strangers_frame_is_not_believed_where_claims_pass() {
    let mut bench = with_v().plus("conflict: pass").bench();
    bench.crosses(M, &frame(BROADCAST, C, &arp(REQUEST, VRRP4, IP4_V, [0; 6], IP4_V)));
    assert_eq!((bench.cause("arp_spoof_passed"), bench.neighbours()), (1, 0));
    assert_eq!(bench.events(), [("arp_spoof".to_owned(), mac(C))]);
    bench.drops(M, &frame(BROADCAST, C, &arp(REQUEST, V, IP4_V, [0; 6], IP4_V)), "arp_sha_mismatch");
}

#[test]
fn f210_a_probe_for_a_members_address_crosses_and_is_told() {
    let probe = c(REQUEST, "0.0.0.0", IP4_B);
    let mut bench = bench();
    bench.crosses(M, &probe);
    assert_eq!(bench.events(), [("dad_for_member".to_owned(), mac(C))]);
    let mut bench = with_v().bench();
    let answer = arp_frame((C, B), &arp(REPLY, B, IP4_B, C, "0.0.0.0"));
    bench.passes_and_answers(M, &probe, &answer);
    assert_eq!(bench.events(), [("dad_for_member".to_owned(), mac(C))]);
}

#[test]
fn f210_a_probe_by_the_owner_or_for_nobodys_address_is_not_told() {
    let mut bench = with_v().bench();
    for (src, sha) in [(V, V), (VRRP4, VRRP4), (V, VRRP4)] {
        bench.crosses(M, &frame(BROADCAST, src, &arp(REQUEST, sha, "0.0.0.0", [0; 6], IP4_V)));
    }
    bench.crosses(M, &c(REQUEST, "0.0.0.0", "202.7.0.77"));
    bench.crosses(M, &c(REQUEST, "202.7.0.77", IP4_V));
    assert_eq!(bench.events(), []);
}

#[test]
fn f79_sender_mac_that_is_no_station() {
    let mut bench = bench();
    for sha in
        [[0; 6], BROADCAST, [0x01, 0, 0x5e, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1], [0x03, 0xaa, 0, 0, 0, 1]]
    {
        let packet = arp(REQUEST, sha, "202.7.0.10", [0; 6], "202.7.0.20");
        bench.drops(M, &frame(BROADCAST, A, &packet), "arp_malformed");
    }
}

#[test]
fn f79_other_hardware_or_protocol() {
    let mut bench = bench();
    let good = arp(REQUEST, A, "202.7.0.10", [0; 6], "202.7.0.20");
    let changed = |at: usize, to: &[u8]| {
        let mut packet = good.clone();
        packet[at..at + to.len()].copy_from_slice(to);
        frame(BROADCAST, A, &[packet, vec![0; 40]].concat())
    };
    for htype in [0u16, 2, 6, 0x0100, 0x0101, 0xffff] {
        bench.drops(M, &changed(0, &htype.to_be_bytes()), "arp_malformed");
    }
    for ptype in [0u16, 0x0806, 0x86dd, 0x0008, 0x0801, 0x0900] {
        bench.drops(M, &changed(2, &ptype.to_be_bytes()), "arp_malformed");
    }
    for hlen in (0..=255).filter(|len| *len != 6) {
        bench.drops(M, &changed(4, &[hlen]), "arp_malformed");
    }
    for plen in (0..=255).filter(|len| *len != 4) {
        bench.drops(M, &changed(5, &[plen]), "arp_malformed");
    }
}

#[test]
fn f79_other_operations() {
    let mut bench = bench();
    for op in (3..=64).chain([0, 0x0100, 0x0200, 0x0101, 0xffff]) {
        bench.drops(M, &frame(BROADCAST, A, &arp(op, A, "202.7.0.10", [0; 6], "202.7.0.20")), "arp_op");
    }
}

#[test]
fn f80_with_and_without_padding() {
    let packet = arp(REQUEST, A, "202.7.0.10", [0; 6], "202.7.0.20");
    for padding in [0, 1, 14, 18, 22, 100, 1472] {
        bench().crosses(M, &frame(BROADCAST, A, &[packet.clone(), vec![0xa5; padding]].concat()));
    }
}

#[test]
fn f80_arp_cut_short() {
    let packet = arp(REQUEST, A, "202.7.0.10", [0; 6], "202.7.0.20");
    let mut bench = bench();
    for len in 0..28 {
        bench.drops(M, &frame(BROADCAST, A, &packet[..len]), "arp_truncated");
    }
}

#[test]
fn f65_arp_to_a_group_other_than_all_stations() {
    let mut bench = bench();
    let packet = arp(REQUEST, A, "202.7.0.10", [0; 6], "202.7.0.20");
    for dst in [[0x01, 0, 0x5e, 0, 0, 1], [0x33, 0x33, 0, 0, 0, 1], [0xff, 0xff, 0xff, 0xff, 0xff, 0xfd]] {
        bench.drops(M, &frame(dst, A, &packet), "l2_multicast");
    }
}

#[test]
fn conflict_drop_refuses_a_claim_of_a_members_address() {
    let mut bench = bench();
    let claims = [
        c(REQUEST, "202.7.0.10", "202.7.0.20"),
        c(REQUEST, "202.7.0.20", "202.7.0.20"),
        c(REPLY, "202.7.0.20", "202.7.0.10"),
    ];
    for claim in &claims {
        bench.drops(M, claim, "arp_spoof");
    }
    bench.drops(M, &frame(B, C, &arp(REPLY, C, "202.7.0.10", B, "202.7.0.20")), "arp_spoof");
    assert_eq!(bench.events(), vec![("arp_spoof".to_owned(), mac(C)); 4]);
    assert_eq!(bench.cause("arp_spoof_passed"), 0);
    // another's address with the virtual router's MAC inside is still another's
    bench.drops(M, &frame(BROADCAST, C, &arp(REPLY, VRRP4, "202.7.0.10", B, "202.7.0.20")), "arp_spoof");
    bench.crosses(M, &c(REQUEST, "0.0.0.0", "202.7.0.10")); // a probe claims nothing
    bench.crosses(M, &c(REQUEST, "202.7.0.30", "202.7.0.10"));
}

#[test]
fn conflict_drop_learns_nothing_from_a_claim() {
    let config = Config::c0().with("admission: members", "admission: learned");
    let mut bench = config.bench();
    bench.drops(M, &c(REQUEST, "202.7.0.10", "202.7.0.20"), "arp_spoof");
    assert_eq!(bench.cause("mac_new"), 0);
}

#[test]
fn conflict_pass_forwards_and_reports_a_claim() {
    let mut bench = Config::c0().member(M, &mac(C)).plus("conflict: pass").bench();
    bench.crosses(M, &c(REQUEST, "202.7.0.10", "202.7.0.20"));
    bench.crosses(M, &c(REPLY, "202.7.0.20", "202.7.0.10"));
    assert_eq!(bench.cause("arp_spoof_passed"), 2);
    assert_eq!(bench.events(), vec![("arp_spoof".to_owned(), mac(C)); 2]);
    // what is wrong otherwise stays wrong
    bench.drops(M, &c(REQUEST, "10.0.0.1", "202.7.0.20"), "arp_not_wix");
    bench.drops(M, &frame(BROADCAST, C, &arp(REPLY, A, "202.7.0.10", B, "202.7.0.20")), "arp_sha_mismatch");
}

#[test]
fn conflict_any_mac_of_the_member_is_the_member() {
    let entry = format!(
        "- {{ name: R, side: mud, macs: [\"{}\", \"{}\"], ipv4: [202.7.0.30] }}\n      #more",
        mac(C),
        mac(VRRP4)
    );
    let mut bench = Config::c0().with("#more", &entry).bench();
    for src in [C, VRRP4] {
        bench.crosses(M, &arp_request(src, "202.7.0.30", "202.7.0.20"));
    }
    bench.crosses(M, &frame(BROADCAST, C, &arp(REQUEST, VRRP4, "202.7.0.30", [0; 6], "202.7.0.20")));
    bench.drops(M, &arp_request(A, "202.7.0.30", "202.7.0.20"), "arp_spoof");
}

#[test]
fn conflict_is_by_address_not_by_side() {
    // the address's owner on the wrong side is refused for its MAC, not for its claim
    let mut bench = bench();
    bench.drops(W, &golden(5), "mac_wrong_side");
    assert_eq!(bench.events(), [("mac_wrong_side".to_owned(), mac(A))]);
}

#[test]
fn conflict_follows_a_reload() {
    let config = Config::c0().member(M, &mac(C));
    let mut bench = config.bench();
    let claim = c(REQUEST, "202.7.0.10", "202.7.0.20");
    bench.drops(M, &claim, "arp_spoof");
    bench.reload(&config.clone().plus("conflict: pass"));
    bench.crosses(M, &claim);
    bench.reload(&config);
    bench.drops(M, &claim, "arp_spoof");
}
