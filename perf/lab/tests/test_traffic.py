"""What a case offers, and the rules for it: they must speak of the same stations as perf/generator."""

import struct
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab import frames, rules


def frames_of(path):
    data, at = path.read_bytes(), 24
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16 : at + 16 + length]
        at += 16 + length


@pytest.mark.parametrize("size, lengths", [("64", {60}), ("1518", {1514}), ("imix", {60, 590, 1514})])
def test_a_capture_has_every_address_of_its_side(tmp_path, size, lengths):
    frames.write_capture(tmp_path / "b.pcap", 1, macs=1000, size=size, tagged=True)
    found = list(frames_of(tmp_path / "b.pcap"))
    assert len(found) == frames.how_many(1000) and {len(frame) for frame in found} == lengths
    assert {frame[6:12] for frame in found} == {frames.mac(1, flow) for flow in range(500)}
    assert {frame[:3] for frame in found} == {b"\x02\xaa\x00"}
    assert {frame[12:18] for frame in found} == {b"\x81\x00\x00\x14\x08\x00"}


@pytest.mark.parametrize("tagged", [True, False])
def test_checksums_are_right(tmp_path, tagged):
    frames.write_capture(tmp_path / "a.pcap", 0, macs=100, size="imix", tagged=tagged)
    for frame in frames_of(tmp_path / "a.pcap"):
        ip = frame[18 if tagged else 14 :]
        pseudo = ip[12:20] + struct.pack(">HH", 17, len(ip) - 20)
        assert frames.checksum(ip[:20]) == 0
        assert frames.checksum(pseudo + ip[20:] + bytes(len(ip) % 2)) == 0


def test_rules_for_members_and_for_many():
    few = rules.wix(("A", "B"), socket="/s")["bridges"]["wix"]
    many = rules.wix(("A", "B"), socket="/s", macs=100_000, tagged=False)["bridges"]["wix"]
    assert few["admission"] == "members" and len(few["members"]) == 100 and few["sides"]["wix"]["vlan"] == 20
    assert many["admission"] == "learned" and len(many["members"]) == 100 and "vlan" not in many["sides"]["mud"]
    assert many["macs"]["capacity"] >= 50_000
    assert few["members"][51] == {"name": "wix1", "side": "wix", "mac": "02:bb:00:00:00:01", "ipv4": ["202.7.1.2"],
                                  "ipv6": ["2001:7fa:3:ca07:0:bb:0:1"]}


def test_rules_for_strangers_and_one_station_that_is_listed():
    alone = rules.extra_alone(100)["bridges"]["wix"]
    assert alone["admission"] == "learned"
    assert alone["members"] == [{"name": "mud50", "side": "mud", "mac": "02:aa:00:00:00:32", "ipv4": ["202.7.0.51"],
                                 "ipv6": ["2001:7fa:3:ca07:0:aa:0:32"]}]


def test_a_station_has_addresses_whatever_its_number():
    assert rules.member(1, 70_000)["ipv4"] == ["202.7.1.1"] and rules.member(1, 70_000)["ipv6"] == ["2001:7fa:3:ca07:0:bb:1:1170"]
