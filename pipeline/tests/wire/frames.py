"""Frames and rules in the notation of the conformance table (docs/spec F): sides M (`mud`, VID 10) and W (`wix`, VID 20),
routers A on M and B on W."""

import copy
import ipaddress
import itertools
import struct

import pytest

pytest.importorskip("scapy", reason="install python3-scapy")

from scapy.layers.inet import ICMP, IP, UDP, fragment
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import ARP, LLC, STP, Dot3, Ether

from harness import CORES

MAC_M, MAC_W = "02:51:00:00:00:0a", "02:51:00:00:00:14"
A, A4, A6 = "02:aa:00:00:00:01", "202.7.0.10", "2001:7fa:3:ca07::a"
B, B4, B6 = "02:bb:00:00:00:02", "202.7.0.20", "2001:7fa:3:ca07::b"
BROADCAST = "ff:ff:ff:ff:ff:ff"
PEERING = {"ipv4": ["202.7.0.0/23"], "ipv6": ["2001:7fa:3:ca07::/64"]}
OWN = {"ipv4": "202.7.1.254", "ipv6": "2001:7fa:3:ca07::fe"}
MEMBERS = [
    {"name": "a", "side": "mud", "mac": A, "ipv4": [A4], "ipv6": [A6]},
    {"name": "b", "side": "wix", "mac": B, "ipv4": [B4], "ipv6": [B6]},
]
WORKER = CORES[-1]


def rules(ports, mud, wix, workers=(WORKER,), **bridge):
    """A file with one bridge, `wix`. Ports are devices by name; the sides are as in the YAML."""
    return {
        "version": 1,
        "ports": {name: {"device": device} for name, device in ports.items()},
        "workers": list(workers),
        "idle": "sleep",
        "bridges": {"wix": {"sides": {"mud": mud, "wix": wix}, "peering": PEERING, **bridge}},
    }


def strict(ports, mud, wix, **bridge):
    """C0 of the conformance table, for whatever ports and tags."""
    bridge = {"admission": "members", "members": MEMBERS, "own": OWN, "loop": {"probe": "off"}, **bridge}
    return rules(ports, {"mac": MAC_M, **mud}, {"mac": MAC_W, **wix}, **bridge)


def changed(tree, *path, to):
    """A copy of rules with one value replaced (or, `to` None, removed)."""
    tree = copy.deepcopy(tree)
    at = tree
    for key in path[:-1]:
        at = at[key]
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return tree


def tagged(frame, vid, pcp=0, dei=0, tpid=0x8100):
    """A frame with another tag outside all that it has."""
    frame = bytes(frame)
    return frame[:12] + struct.pack("!HH", tpid, pcp << 13 | dei << 12 | vid) + frame[12:]


def udp(source=(A, A4), to=(B, B4), size=64, flow=0, **ip):
    """A UDP packet of exactly `size` bytes, Ethernet header included."""
    packet = Ether(src=source[0], dst=to[0]) / IP(src=source[1], dst=to[1], **ip) / UDP(sport=4000 + flow, dport=5000)
    return bytes(packet / bytes(i & 0xFF for i in range(size - len(packet))))


def udp6(source=(A, A6), to=(B, B6), size=80):
    """As `udp`, over IPv6."""
    packet = Ether(src=source[0], dst=to[0]) / IPv6(src=source[1], dst=to[1], hlim=3) / UDP(sport=4000, dport=5000)
    return bytes(packet / bytes(i & 0xFF for i in range(size - len(packet))))


def arp(source=(A, A4), target=B4, dst=BROADCAST):
    """A request."""
    asked = {"hwdst": "00:00:00:00:00:00", "pdst": target}
    return bytes(Ether(src=source[0], dst=dst) / ARP(op=1, hwsrc=source[0], psrc=source[1], **asked))


def solicitation(source=(A, A6), target=B6):
    """A neighbour solicitation to the solicited-node group."""
    low = bytes.fromhex("".join(target.rsplit(":", 1)[1].rjust(6, "0")))
    group, mac = f"ff02::1:ff{low[0]:02x}:{low[1]:02x}{low[2]:02x}", "33:33:ff:" + low.hex(":")
    packet = Ether(src=source[0], dst=mac) / IPv6(src=source[1], dst=group, hlim=255)
    return bytes(packet / ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=source[0]))


def router_advertisement():
    return bytes(Ether(src=A, dst="33:33:00:00:00:01") / IPv6(src="fe80::a", dst="ff02::1", hlim=255) / ICMPv6ND_RA())


def bpdu(source=A):
    return bytes(Dot3(src=source, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP())


def fragments():
    """The fragments of one IPv4 packet."""
    packet = IP(src=A4, dst=B4, id=77) / UDP(sport=1, dport=2) / (b"x" * 2000)
    return [bytes(Ether(src=A, dst=B) / part) for part in fragment(packet, fragsize=800)]


LINK_LOCAL = {MAC_M: "fe80::51:ff:fe00:a", MAC_W: "fe80::51:ff:fe00:14"}
"""The bridge's own, on the side of each MAC."""


def is_probe(frame):
    """What the bridge sends unasked, and nothing else: its look for duplicates of its own addresses at the start (three times,
    a second apart), and its loop probes."""
    if frame[6:12] not in OWN_MACS:
        return False
    frame = without_tags(frame)
    mac = frame[6:12]
    if frame[12:14] == b"\x08\x06":
        return frame[:6] == b"\xff" * 6 and any(frame[14:].startswith(ARP_REQUEST + mac + asked) for asked in OWN_ARP)
    solicits = frame[12:14] == b"\x86\xdd" and frame[18:38] == FROM_NOBODY and frame[54:56] == b"\x87\0"
    return solicits and len(frame) == 86 and frame[62:78] in OWN_ND[mac]


def without_tags(frame):
    while frame[12:14] in (b"\x81\0", b"\x88\xa8"):
        frame = frame[:12] + frame[16:]
    return frame


def octets(mac):
    return bytes.fromhex(mac.replace(":", ""))


def packed(address):
    return ipaddress.ip_address(address).packed


OWN_MACS = {octets(mac) for mac in LINK_LOCAL}
ARP_REQUEST = bytes.fromhex("0001 0800 06 04 0001")
OWN_ARP = [packed(source) + bytes(6) + packed(OWN["ipv4"]) for source in ("0.0.0.0", OWN["ipv4"])]
"""After the sender's MAC: a probe and an announcement (RFC 5227)."""
FROM_NOBODY = bytes.fromhex("0020 3a ff") + bytes(16)
"""Length, ICMPv6, hop limit 255, from nobody (RFC 4862)."""
OWN_ND = {octets(mac): [packed(OWN["ipv6"]), packed(address)] for mac, address in LINK_LOCAL.items()}


def fragmentation_needed(frame, mtu):
    """What the bridge tells a, on its side M, about a packet that is larger than the MTU of side W (docs/spec D.3)."""
    error = IP(src=OWN["ipv4"], dst=A4, tos=0xC0, id=0, ttl=64) / ICMP(type=3, code=4, nexthopmtu=mtu)
    return bytes(Ether(src=MAC_M, dst=A) / error / frame[14 : 14 + 548])


def packet_too_big(frame, mtu):
    """As `fragmentation_needed`, over IPv6 (docs/spec D.2)."""
    error = IPv6(src=OWN["ipv6"], dst=A6, hlim=64) / ICMPv6PacketTooBig(mtu=mtu)
    return bytes(Ether(src=MAC_M, dst=A) / error / frame[14 : 14 + 1232])


fence_serial = itertools.count()


def fence(source, to):
    """A frame like no other, that a bridge must let through, and too long to be padded."""
    packet = Ether(src=source[0], dst=to[0]) / IP(src=source[1], dst=to[1]) / UDP(sport=9, dport=9)
    return bytes(packet / (b"fence %08d" % next(fence_serial)).ljust(32))
