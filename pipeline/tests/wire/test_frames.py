"""A sample of the conformance table on a real wire, bit for bit: what passes, what is refused, and for which reason. Every row
is tested on `io::mem`; here it is shown that ports and drivers change nothing."""

import time

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, LLC, SNAP, Dot3, Ether

import frames
from bench import Bench
from frames import A, A4, B, B4, BROADCAST, MAC_M, tagged, udp, udp6


def ip(dst=B, src=A, to=B4, since=A4, **fields):
    return bytes(Ether(src=src, dst=dst) / IP(src=since, dst=to, **fields) / UDP(sport=1, dport=2) / (b"x" * 22))


PASS = {
    "f1_ipv4_unicast": udp(),
    "f2_ipv6_unicast_with_a_small_hop_limit": udp6(),
    "f17_padding_of_a_short_packet": bytes(Ether(src=A, dst=B) / IP(src=A4, dst=B4) / UDP()).ljust(60, b"\xaa"),
    "f21_bad_ipv4_header_checksum": ip(chksum=0xBAD),
    "f59_host_that_ends_in_255": ip(to="202.7.0.255"),
    "f63_fragmentation_needed_in_transit": bytes(
        Ether(src=A, dst=B) / IP(src=A4, dst="198.51.100.2") / ICMP(type=3, code=4, nexthopmtu=1400) / (b"q" * 28)
    ),
    "f64_transit": ip(since="192.0.2.1", to="198.51.100.2"),
    "f65_arp_request": frames.arp(),
    "f69_arp_probe": frames.arp(source=(A, "0.0.0.0")),
    "f71_arp_announcement": frames.arp(target=A4),
    "f74_unicast_arp_reply": bytes(Ether(src=A, dst=B) / ARP(op=2, hwsrc=A, psrc=A4, hwdst=B, pdst=B4)),
    "f80_arp_with_padding": frames.arp().ljust(60, b"\0"),
    "f90_neighbour_solicitation": frames.solicitation(),
    "an_ipv4_packet_of_the_whole_mtu": udp(size=1514),
    "an_ipv6_packet_of_the_whole_mtu": udp6(size=1514),
}


@pytest.mark.parametrize("frame", PASS.values(), ids=PASS)
def test_passes_bit_for_bit(lab, frame):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20})
    assert bench.through(tagged(frame, 10)) == [tagged(frame, 20)]


def llc(snap):
    inner = LLC() / SNAP(code=0x0800) / IP(src=A4, dst=B4) if snap else LLC(dsap=0x42, ssap=0x42, ctrl=3) / (b"y" * 38)
    return bytes(Dot3(src=A, dst=B) / inner)


def ethertype(value, dst=B, src=A):
    return bytes(Ether(src=src, dst=dst, type=value)) + b"z" * 46


REFUSED = {
    "f4_untagged": (udp(), "vlan_untagged"),
    "f5_priority_tag": (tagged(udp(), 0), "vlan_prio_tag"),
    "f6_reserved_vid": (tagged(udp(), 4095), "vlan_reserved"),
    "f7_unknown_vid": (tagged(udp(), 30), "vlan_unknown"),
    "f8_second_tag": (tagged(tagged(udp(), 20), 10), "inner_tag"),
    "f9_service_tag": (tagged(udp(), 10, tpid=0x88A8), "tpid"),
    "f12_llc": (tagged(llc(snap=False), 10), "llc"),
    "f13_snap": (tagged(llc(snap=True), 10), "llc"),
    "f15_lldp": (tagged(ethertype(0x88CC), 10), "ethertype"),
    "f18_ipv4_longer_than_the_frame": (tagged(ip(len=400), 10), "v4_truncated"),
    "f20_ipv6_under_the_ipv4_type": (tagged(udp6()[:12] + b"\x08\x00" + udp6()[14:], 10), "version_mismatch"),
    "f23_bpdu": (tagged(frames.bpdu(), 10), "l2_reserved_bpdu"),
    "f23_bpdu_untagged": (frames.bpdu(), "l2_reserved_bpdu"),
    "f25_ipv4_to_a_reserved_address": (tagged(ip(dst="01:80:c2:00:00:0e"), 10), "l2_reserved"),
    "f26_cdp": (tagged(ethertype(0x2000, dst="01:00:0c:cc:cc:cc"), 10), "l2_vendor"),
    "f28_loopback": (tagged(ethertype(0x9000, dst=A), 10), "src_eq_dst"),
    "f35_our_own_mac_as_source": (tagged(ip(src=frames.MAC_W), 10), "own_mac"),
    "f37_to_our_mac_but_not_our_address": (tagged(ip(dst=MAC_M, to="198.51.100.2"), 10), "to_us_not_ours"),
    "f41_source_that_is_no_member": (tagged(ip(src="02:cc:00:00:00:03"), 10), "src_not_member"),
    "f42_member_of_the_other_side": (tagged(ip(src=B, dst=A), 10), "mac_wrong_side"),
    "f53_unicast_ipv4_in_a_group_frame": (tagged(ip(dst="01:00:5e:00:00:05"), 10), "l2_multicast"),
    "f55_ospf_in_a_unicast_frame": (tagged(ip(to="224.0.0.5"), 10), "l3_multicast"),
    "f56_ipv4_in_a_broadcast": (tagged(ip(dst=BROADCAST), 10), "l2_broadcast_ip"),
    "f58_directed_broadcast": (tagged(ip(to="202.7.1.255"), 10), "v4_directed_broadcast"),
    "f66_foreign_arp": (tagged(frames.arp(source=(A, "10.1.1.2"), target="10.1.1.1"), 10), "arp_not_wix"),
    "f68_arp_from_a_foreign_address": (tagged(frames.arp(source=(A, "10.0.0.1")), 10), "arp_not_wix"),
    "f133_router_advertisement": (tagged(frames.router_advertisement(), 10), "icmp6_ra"),
}


@pytest.mark.parametrize(("frame", "reason"), REFUSED.values(), ids=REFUSED)
def test_is_refused_with_its_reason(lab, frame, reason):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20})
    assert bench.through(frame) == []
    counters = bench.sluice.ask("counters")
    dropped = {**counters["sides"]["mud"]["dropped"], **counters["ports"]["trunk0"]["dropped"]}
    assert dropped == {reason: 1}


EVENTS = {
    "f23_bpdu": (frames.bpdu(), "bpdu_seen"),
    "f35_loop": (tagged(ip(src=frames.MAC_W), 10), "loop_suspected"),
    "f42_wrong_side": (tagged(ip(src=B, dst=A), 10), "mac_wrong_side"),
    "f133_router_advertisement": (tagged(frames.router_advertisement(), 10), "ra_seen"),
}


@pytest.mark.parametrize(("frame", "event"), EVENTS.values(), ids=EVENTS)
def test_the_operator_is_told_once_who_does_what_nobody_should(lab, frame, event):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20})
    bench.through(*[frame] * 100)
    bench.sluice.wait_for_log(f'event="{event}"')
    (line,) = [line for line in bench.sluice.log().splitlines() if "event=" in line]
    assert f'mac="{Ether(frame).src}"' in line and 'port="trunk0"' in line


def test_a_broadcast_storm_is_held_and_unicast_is_not(lab):
    """docs/spec F191: what one source may send at once, and not much more."""
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, storm={"mac": {"rate": "1/s", "burst": 30}})
    began = time.monotonic()
    crossed = bench.through(*[tagged(frames.arp(), 10)] * 500)
    refilled = time.monotonic() - began + 1
    assert 30 <= len(crossed) <= 30 + refilled
    assert bench.sluice.dropped("mud") == {"mac_limit": 500 - len(crossed)}


def test_f3_priority_and_drop_eligibility_are_kept(lab):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20})
    assert bench.through(tagged(udp(), 10, pcp=5, dei=1)) == [tagged(udp(), 20, pcp=5, dei=1)]


def test_f10_both_vlans_on_one_port(lab):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, ports=["trunk0"])
    # both sides are heard on one wire: each way's frames and fences come out on it in turn
    assert bench.through(tagged(udp(), 10)) == [tagged(udp(), 20)]
    assert bench.through(tagged(udp((B, B4), (A, A4)), 20), on="wix") == [tagged(udp((B, B4), (A, A4)), 10)]
    assert bench.through(tagged(udp(), 30)) == []


def test_ipv4_fragments_are_left_as_they_are(lab):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20})
    parts = frames.fragments()
    lone_last_one = [parts[-1]]
    sent = parts + lone_last_one
    assert bench.through(*(tagged(part, 10) for part in sent)) == [tagged(part, 20) for part in sent]


QINQ = {"outer_vlan": 100, "vlan": 10}


def double(frame, inner, outer, **priority):
    return tagged(tagged(frame, inner, **priority), outer, tpid=0x88A8, **priority)


def test_double_tags_on_both_sides_are_each_rewritten(lab):
    bench = Bench(lab, QINQ, {"outer_vlan": 200, "vlan": 20})
    assert bench.through(double(udp(), 10, 100, pcp=3)) == [double(udp(), 20, 200, pcp=3)]


def test_a_service_tag_is_taken_off_and_put_on(lab):
    bench = Bench(lab, QINQ, {"vlan": 20})
    assert bench.through(double(udp(), 10, 100, pcp=6, dei=1)) == [tagged(udp(), 20, pcp=6, dei=1)]
    answer = udp((B, B4), (A, A4))
    assert bench.through(tagged(answer, 20, pcp=2), on="wix") == [double(answer, 10, 100, pcp=2)]


def test_double_tagged_packets_of_the_whole_mtu_pass(lab):
    bench = Bench(lab, QINQ, {"outer_vlan": 200, "vlan": 20}, device="net_pcap")
    assert bench.through(double(udp(size=1514), 10, 100)) == [double(udp(size=1514), 20, 200)]


def test_a_double_tag_with_a_strange_inner_vlan_is_refused(lab):
    bench = Bench(lab, QINQ, {"vlan": 20})
    assert bench.through(double(udp(), 11, 100), double(udp(), 10, 101)) == []
    assert bench.sluice.ask("counters")["ports"]["trunk0"]["dropped"] == {"vlan_unknown": 2}


def test_a_frame_that_loses_its_tag_is_padded_to_60_bytes(lab):
    bench = Bench(lab, {"vlan": 10}, {})
    short = udp(size=50)
    assert bench.through(tagged(short, 10)) == [short.ljust(60, b"\0")]


def test_a_frame_that_gains_a_tag_is_not_padded(lab):
    bench = Bench(lab, {}, {"vlan": 20})
    assert bench.through(udp(size=50)) == [tagged(udp(size=50), 20)]


@pytest.mark.parametrize("tags", [{"vlan": 10}, QINQ, {}], ids=["tagged", "double", "untagged"])
def test_jumbo_frames_pass_whole_where_the_mtu_is_9000(lab, tags):
    bench = Bench(lab, {**tags, "mtu": 9000}, {"vlan": 20, "mtu": 9000}, device="net_pcap")
    wear = bench.ways["mud"][1]
    assert bench.through(wear(udp(size=9014))) == [tagged(udp(size=9014), 20)]
    answer = udp((B, B4), (A, A4), size=9014)
    assert bench.through(tagged(answer, 20), on="wix") == [wear(answer)]


def test_what_does_not_fit_the_other_side_is_dropped_whole(lab):
    bench = Bench(lab, {"vlan": 10, "mtu": 9000}, {"vlan": 20}, device="net_pcap")
    large = [udp(size=1515, flags="DF"), udp(size=1515), udp6(size=1515)]
    across, told = bench.exchange(*(tagged(frame, 10) for frame in large))
    assert across == []
    assert told == [tagged(frames.fragmentation_needed(large[0], 1500), 10), tagged(frames.packet_too_big(large[2], 1500), 10)]
    assert bench.sluice.dropped("mud") == {"too_big": 2, "too_big_v4_nodf": 1}
