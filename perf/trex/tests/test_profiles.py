"""The profiles load, and their frames are what they say, byte by byte as a dissector of another origin sees them."""

import ipaddress
import os
from collections import Counter

import pytest

pytest.importorskip("scapy", reason="install python3-scapy")

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from compiled import STANDIN, Refused, checksum, compiled, frames, trex

PEERING4, PEERING6 = ipaddress.ip_network("202.7.0.0/23"), ipaddress.ip_network("2001:7fa:3:ca07::/64")
TAKEN = {"202.7.0.31", "202.7.1.254", "2001:7fa:3:ca07::31", "2001:7fa:3:ca07::fe"}
PREFIX = ("02:aa:00:00:", "02:bb:00:00:")
PROFILES = ("unicast", "latency", "background", "storm", "foreign_arp", "oversize")


@pytest.fixture(params=["stand-in", "trex"])
def api(request):
    if request.param == "stand-in":
        return STANDIN
    if "TREX" not in os.environ:
        pytest.skip("set TREX to the folder of a TRex v3.x")
    return trex()


def dissected(data, direction=0, tags=(10, 20)):
    """A frame behind its Ethernet header and tag, which must be right. Nothing may be left that scapy would build otherwise."""
    frame = Ether(data)
    assert frame.src.startswith(PREFIX[direction])
    if tags:
        assert frame[Dot1Q].vlan == tags[direction] and frame[Dot1Q].prio == 0
    packet = frame.payload.payload if tags else frame.payload
    assert not packet.haslayer(Dot1Q)
    return frame, packet


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("profile", PROFILES)
def test_loads_and_keeps_its_own_addresses(api, profile, direction):
    streams = compiled(api, profile, direction)
    assert streams
    for stream in streams:
        # both MACs of the frame, not the port's
        assert stream["flags"] & 1 and stream["flags"] >> 1 & 3 == 1
        assert stream["mode"]["type"] == "continuous"
    for data in frames(streams, 100):
        dissected(data, direction)


@pytest.mark.parametrize("profile", PROFILES)
def test_untagged(api, profile):
    for data in frames(compiled(api, profile, tags="none"), 50):
        frame, _ = dissected(data, tags=None)
        assert frame.type in (0x0800, 0x0806, 0x86DD)


@pytest.mark.skipif("TREX" not in os.environ, reason="set TREX to the folder of a TRex v3.x")
@pytest.mark.parametrize("profile", PROFILES)
def test_the_stand_in_compiles_as_trex_does(profile):
    for tunables in ({}, {"tags": "none", "macs": 10}):
        assert frames(compiled(STANDIN, profile, 1, **tunables), 200) == frames(compiled(trex(), profile, 1, **tunables), 200)


@pytest.mark.parametrize("flows", ["field", "streams"])
@pytest.mark.parametrize("direction", [0, 1])
def test_unicast_covers_every_flow_once_a_round(api, flows, direction):
    found = frames(compiled(api, "unicast", direction, macs=100, flows=flows), 100)
    pairs = Counter()
    for data in found:
        assert len(data) == 60
        frame, packet = dissected(data, direction)
        here, there = frame.src[-5:], frame.dst[-5:]
        assert here == there and frame.dst.startswith(PREFIX[1 - direction])
        assert packet.src.startswith(f"198.{18 + direction}.") and packet.dst.startswith(f"198.{19 - direction}.")
        assert checksum(data[18:38]) == 0 and packet.len == 42 and packet[UDP].len == 22 and packet.flags == "DF"
        pairs[frame.src, frame.dst, packet.src, packet.dst] += 1
    assert len(pairs) == 50 and set(pairs.values()) == {2}


def test_field_engine_and_streams_send_the_same_frames(api):
    for size in ("64", "imix", "1518"):
        field, streams = (frames(compiled(api, "unicast", size=size, macs=20, flows=flows), 1200) for flows in ("field", "streams"))
        assert set(field) == set(streams)


@pytest.mark.parametrize("flows", ["field", "streams"])
def test_imix_is_seven_four_one(api, flows):
    sizes = Counter(len(data) + 4 for data in frames(compiled(api, "unicast", size="imix", macs=20, flows=flows), 1200))
    assert set(sizes) == {64, 594, 1518}
    for size, share in ((64, 7), (594, 4), (1518, 1)):
        assert sizes[size] == pytest.approx(100 * share, abs=30)


@pytest.mark.parametrize("size", [64, 65, 128, 1518, 9000])
def test_sizes_count_the_fcs(api, size):
    (data,) = frames(compiled(api, "unicast", size=size), 1)
    _, packet = dissected(data)
    assert len(data) == size - 4 and packet.len == size - 22 and packet[UDP].len == size - 42


def test_a_hundred_thousand_macs(api):
    streams = compiled(api, "unicast", macs=100_000)
    (step,) = (step for step in streams[0]["vm"]["instructions"] if step["type"] == "flow_var")
    assert (step["min_value"], step["max_value"], step["size"]) == (0, 49_999, 2)
    assert len({data[:12] for data in frames(streams, 50_000)}) == 50_000


def test_two_macs_need_no_field_engine(api):
    assert len(set(frames(compiled(api, "unicast", macs=2), 10))) == 1


def test_addresses_by_argument(api):
    tunables = {"mac_a": "06:01:02:03:00:00", "mac_b": "06:01:02:04:00:00", "peering4": "192.0.2.0/24", "tags": "7,8"}
    frame = Ether(frames(compiled(api, "unicast", **tunables), 1)[0])
    assert (frame.src, frame.dst, frame.vlan) == ("06:01:02:03:00:00", "06:01:02:04:00:00", 7)
    arp = Ether(frames(compiled(api, "storm", **tunables), 1)[0])[ARP]
    assert arp.psrc.startswith("192.0.2.") and arp.pdst.startswith("192.0.2.")


@pytest.mark.parametrize(
    "profile, wrong, message",
    [
        ("unicast", {"macs": 3}, "even number"),
        ("unicast", {"macs": 200_000}, "131072"),
        ("unicast", {"tags": "10"}, "two VLANs"),
        ("unicast", {"tags": "10,4095"}, "1 to 4094"),
        ("unicast", {"mac_a": "02:aa:00:00:00:01"}, "ends in 00:00"),
        ("unicast", {"mac_a": "03:aa:00:00:00:00"}, "station"),
        ("unicast", {"size": 63}, "at least 64 bytes"),
        ("latency", {"size": "tiny"}, "tiny"),
        ("foreign_arp", {"foreign": "202.7.0.0/24"}, "overlaps"),
        ("oversize", {"over": 0}, "packets fit"),
        ("background", {"peering4": "202.7.0.1/23"}, "peering4"),
    ],
)
def test_says_what_it_does_not_take(api, profile, wrong, message):
    with pytest.raises(Refused, match=message):
        compiled(api, profile, **wrong)


def test_latency_frames_have_room_for_the_stamp(api):
    for size, expected in (("64", 64), ("imix", 64), ("1518", 1514)):
        (stream,) = compiled(api, "latency", size=size)
        assert stream["flow_stats"]["rule_type"] == "latency" and stream["flow_stats"]["stream_id"] == 100
        (data,) = frames([stream], 1)
        _, packet = dissected(data)
        assert len(data) == expected and len(packet[UDP].payload) >= 16


def test_groups_are_one_a_port(api):
    groups = [{stream["flow_stats"]["stream_id"] for stream in compiled(api, "unicast", port, group=10)} for port in (0, 1)]
    assert groups == [{10}, {11}]


@pytest.mark.parametrize("direction", [0, 1])
def test_background_is_valid_arp_and_nd_of_many_stations(api, direction):
    speakers, kinds = Counter(), Counter()
    for data in frames(compiled(api, "background", direction), 400):
        frame, packet = dissected(data, direction)
        kinds[type(packet)] += 1
        speakers[frame.src] += 1
        if isinstance(packet, ARP):
            check_arp(frame, packet)
            assert PEERING4.overlaps(ipaddress.ip_network(packet.psrc)) and packet.psrc not in TAKEN
        else:
            check_solicitation(frame, packet)
    assert kinds == {ARP: 200, IPv6: 200} and len(speakers) == 50 and set(speakers.values()) == {8}


def check_arp(frame, packet):
    assert len(frame) == 60 and frame.dst == "ff:ff:ff:ff:ff:ff"
    assert (packet.op, packet.hwtype, packet.ptype, packet.hwlen, packet.plen) == (1, 1, 0x0800, 6, 4)
    assert packet.hwsrc == frame.src and packet.psrc != packet.pdst


def check_solicitation(frame, packet):
    target = ipaddress.ip_address(packet[ICMPv6ND_NS].tgt)
    assert {ipaddress.ip_address(packet.src), target} <= set_of(PEERING6) and not {packet.src, str(target)} & TAKEN
    group = ipaddress.ip_address(packet.dst).packed
    assert group[:13] == ipaddress.ip_address("ff02::1:ff00:0").packed[:13] and group[13:] == target.packed[13:]
    assert bytes.fromhex(frame.dst.replace(":", "")) == b"\x33\x33" + group[12:]
    assert packet.hlim == 255 and packet[ICMPv6NDOptSrcLLAddr].lladdr == frame.src
    check_sum6(packet, 58)


class set_of:  # noqa: N801
    """A network as the set of its addresses."""

    def __init__(self, network):
        self.network = network

    def __ge__(self, addresses):
        return all(address in self.network for address in addresses)


def check_sum6(packet, protocol):
    """The checksum over an IPv6 pseudo header (RFC 8200, section 8.1)."""
    data = bytes(packet.payload)
    pseudo = ipaddress.ip_address(packet.src).packed + ipaddress.ip_address(packet.dst).packed
    pseudo += len(data).to_bytes(4, "big") + protocol.to_bytes(4, "big")
    assert packet.plen == len(data) and checksum(pseudo + data + b"\0" * (len(data) % 2)) == 0


def test_background_without_a_kind(api):
    assert {type(dissected(data)[1]) for data in frames(compiled(api, "background", arp=0), 20)} == {IPv6}


def test_storm_is_the_exchanges_own_arp(api):
    found = frames(compiled(api, "storm"), 100)
    for data in found:
        frame, packet = dissected(data)
        check_arp(frame, packet)
        assert all(ipaddress.ip_address(one) in PEERING4 and one not in TAKEN for one in (packet.psrc, packet.pdst))
    assert len(set(found)) == 50


def test_foreign_arp_is_outside_the_prefixes(api):
    prefixes = set()
    for data in frames(compiled(api, "foreign_arp"), 60):
        frame, packet = dissected(data)
        check_arp(frame, packet)
        assert not any(ipaddress.ip_address(one) in PEERING4 for one in (packet.psrc, packet.pdst))
        prefixes.add(packet.psrc.split(".")[0])
    assert prefixes == {"192", "10", "169"}


@pytest.mark.parametrize("mtu, over", [(1500, 1), (1280, 120), (9000, 16)])
def test_oversize_exceeds_the_mtu(api, mtu, over):
    sources = Counter()
    for data in frames(compiled(api, "oversize", mtu=mtu, over=over), 40):
        _, packet = dissected(data)
        assert len(packet) == mtu + over == len(data) - 18
        if isinstance(packet, IPv6):
            assert ipaddress.ip_address(packet.src) not in PEERING6
            check_sum6(packet, 17)
        else:
            assert packet.flags == "DF" and checksum(data[18:38]) == 0 and packet.len == mtu + over
        sources[type(packet), packet.src] += 1
    assert len(sources) == 40 and {kind for kind, _ in sources} == {IP, IPv6}
