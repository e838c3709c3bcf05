"""Address resolution through the bridge and by it, duplicate address detection across it, and its own addresses: what real
Linux hosts and their tools make of it (docs/spec C, F34 to F36, F65 to F141)."""

import json
import os
import subprocess
import time

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

import frames
from bench import Bench
from frames import A, A4, A6, B, B4, B6, LINK_LOCAL, MAC_M, MAC_W, OWN, rules, strict, tagged, udp, udp6
from harness import until
from test_hosts import TAPS, UNTAGGED, on_taps

OTHER4, OTHER6 = "202.7.0.99", "2001:7fa:3:ca07::99"
"""Nobody's."""
MODES = pytest.mark.parametrize("mode", ["bridge", "answer"])


def resolution(mode):
    return {"arp": {"mode": mode}, "nd": {"mode": mode}}


def learned(*arguments, **bridge):
    """Nothing pinned."""
    return rules(*arguments, own=OWN, loop={"probe": "off"}, **bridge)


MAKE = pytest.mark.parametrize("make", [strict, learned], ids=["pinned", "learned"])


def outcomes(sluice):
    return sluice.ask("counters")["outcomes"]


# ------------------------------------------------------------------------------------------------ resolution


@MODES
@MAKE
def test_addresses_resolve_to_their_owners(lab, mode, make):
    a, b, sluice = on_taps(lab, make=make, **resolution(mode))
    for _ in range(2):  # where nothing is pinned, the first time somebody must speak for itself
        for host, others in ((a, {B4: B, B6: B}), (b, {A4: A, A6: A})):
            host.run("ip", "neighbour", "flush", "dev", host.interface)
            for address, mac in others.items():
                host.reaches(address)
                assert host.neighbours()[address] == mac
        # what was said reaches the table through the control thread, a moment later
        known = lambda: {neighbour["address"] for neighbour in sluice.ask("neighbours")["neighbours"]}
        until(lambda: {A4, A6, B4, B6} <= known(), "both hosts in the neighbour table")
    assert bool(outcomes(sluice)["answered"]) == (mode == "answer")


def test_a_host_that_is_answered_for_is_not_asked(lab):
    """The saving that `answer` is for: b's side does not hear a's requests."""
    a, b, sluice = on_taps(lab, **resolution("answer"))
    a.reaches(B4)
    a.reaches(B6)
    a.run("ip", "neighbour", "flush", "dev", a.interface)
    before = sluice.ask("counters")["sides"]["mud"]
    wire = lab.wire(b, b.interface)
    a.reaches(B4)
    a.reaches(B6)
    assert sluice.ask("counters")["sides"]["mud"]["answered"] >= before["answered"] + 2
    heard = iter(lambda: wire.receive(patience=0), None)
    assert [frame.hex() for frame in heard if frame[0] & 1 and frame[6:12] == frames.octets(A)] == []


# ------------------------------------------------------------------------------------------------ duplicates


def detects(host, address):
    """Whether Linux finds that an address is somebody else's."""
    host.run("sysctl", "-qw", f"net.ipv6.conf.{host.interface}.accept_dad=1")
    host.run("ip", "address", "add", f"{address}/64", "dev", host.interface)

    def result():
        (interface,) = json.loads(host.run("ip", "-json", "-6", "address", "show", "dev", host.interface).stdout)
        (found,) = [info for info in interface["addr_info"] if info.get("local") == address]
        return found if found.get("dadfailed") or not found.get("tentative") else None

    return bool(until(result, f"the end of duplicate address detection for {address}").get("dadfailed"))


def detects4(host, address):
    """As `detects`, for IPv4: the kernel does not look, arping does."""
    result = host.run("arping", "-D", "-c2", "-w3", "-I", host.interface, address, check=False)
    assert result.returncode in (0, 1), result
    return result.returncode == 1


@MODES
@MAKE
def test_a_duplicate_is_found_across_the_bridge_and_a_free_address_is_free(lab, mode, make):
    a, b, _ = on_taps(lab, make=make, **resolution(mode))
    b.reaches(A4)
    b.reaches(A6)
    assert detects4(b, A4)
    assert not detects4(b, OTHER4)
    assert detects(b, A6)
    assert not detects(b, OTHER6)


# ------------------------------------------------------------------------------------------------ a host that moves


class Station:
    """A host on a side where others are too: its interface is one of several on the side's cable."""

    def __init__(self, lab, name, mac, addresses):
        self.host, self.mac, self.addresses = lab.host(name), mac, addresses

    def attach(self, namespace, parent):
        """Where it was before, it is no more."""
        self.host.run("ip", "link", "delete", "eth0", check=False)
        namespace.run("ip", "link", "set", parent, "up")
        namespace.run("ip", "link", "add", "link", parent, "name", "eth0", "type", "macvlan", "mode", "bridge")
        self.host.take(namespace, "eth0", self.mac, self.addresses)
        return self.host


C, C4, C6 = "02:cc:00:00:00:03", "202.7.0.30", "2001:7fa:3:ca07::c"


@MODES
def test_a_host_that_moves_to_the_other_side_is_reached_there(lab, mode):
    """As a router does that is re-homed from mud to wix: nothing is pinned, and it speaks where it is."""
    sluice = lab.sluice("bridge", learned(TAPS, *UNTAGGED, **resolution(mode)))
    moves, stays = Station(lab, "moves", A, [f"{A4}/23", f"{A6}/64"]), Station(lab, "stays", C, [f"{C4}/23", f"{C6}/64"])
    a, c = (station.attach(sluice.namespace, "access0") for station in (moves, stays))
    b = Station(lab, "b", B, [f"{B4}/23", f"{B6}/64"]).attach(sluice.namespace, "access1")
    for host in (b, c):
        host.reaches(A4)
        host.reaches(A6)
    moves.attach(sluice.namespace, "access1")
    # a router whose cable was moved still knows its neighbours, and goes on
    a.run("ip", "neighbour", "replace", C6, "lladdr", C, "dev", "eth0")
    began = time.monotonic()
    with a.entered():
        speaks = subprocess.Popen(["ping", "-n", "-q", "-i", "0.2", C6], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        c.reaches(A4, "-W", "0.1")
        print(f"reached after {time.monotonic() - began:.2f} s")
        c.reaches(A6)
        b.reaches(A4)
        b.reaches(A6)
    finally:
        speaks.kill()
        speaks.wait()
    assert {(mac["side"], mac["moves"]) for mac in sluice.ask("macs")["macs"] if mac["mac"] == A} == {("wix", 1)}
    # nobody has its address but itself (openwrt#14309)
    a.run("ip", "address", "delete", f"{A6}/64", "dev", "eth0")
    assert not detects(a, A6)


# ------------------------------------------------------------------------------------------------ the bridge as a host


@pytest.fixture
def world(lab):
    """Two hosts and a bridge whose addresses are its own: it has looked for duplicates."""
    a, b, sluice = on_taps(lab)
    a.reaches(OWN["ipv4"])
    a.reaches(OWN["ipv6"])
    return a, b, sluice


def test_linux_tools_find_the_bridge_as_they_find_a_host(world):
    a, b, _ = world
    bridge = (OWN["ipv4"], OWN["ipv6"])
    for host, found in ((a, [(MAC_M, *bridge), (B, B4, B6)]), (b, [(MAC_W, *bridge), (A, A4, A6)])):
        for mac, ipv4, ipv6 in found:
            assert host.run("ndisc6", "-1", "-q", ipv6, host.interface).stdout.strip().lower() == mac
            said = host.run("arping", "-c1", "-I", host.interface, ipv4).stdout
            assert said.lower().count(f"unicast reply from {ipv4} [{mac}]") == 1, said
            assert "Received 1 response(s)" in said
            host.reaches(ipv4, "-s", "1400")
            host.reaches(ipv6, "-s", "1400")
            assert host.neighbours()[ipv4] == host.neighbours()[ipv6] == mac


def test_each_side_has_a_link_local_address_of_its_own(world):
    a, b, _ = world
    for host, mac, others in ((a, MAC_M, MAC_W), (b, MAC_W, MAC_M)):
        host.reaches(f"{LINK_LOCAL[mac]}%{host.interface}")
        assert host.neighbours()[LINK_LOCAL[mac]] == mac
        missing = host.run("ndisc6", "-1", "-q", "-r1", "-w500", LINK_LOCAL[others], host.interface, check=False)
        assert (missing.returncode, missing.stdout) == (2, "")


def test_it_is_no_router(world):
    a, _, sluice = world
    asked = a.run("rdisc6", "-1", "-q", "-r1", "-w500", a.interface, check=False)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert sluice.dropped("mud")["icmp6_rs"] >= 1


def test_its_addresses_are_defended(world):
    a, b, _ = world
    for host in (a, b):
        assert detects4(host, OWN["ipv4"])
        assert detects(host, OWN["ipv6"])


# ------------------------------------------------------------------------------------------------ replies, decoded

CHECK = [option for name in ("ip", "tcp", "udp") for option in ("-o", f"{name}.check_checksum:TRUE")]


def tshark(capture, *arguments):
    environment = {**os.environ, "HOME": str(capture.parent)}
    said = subprocess.run(
        ["tshark", "-n", "-r", str(capture), *CHECK, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return said.stdout.splitlines()


def outer(capture, *fields):
    """Fields of each packet itself, not of what it quotes: that is cut off, and its checksums do not fit it."""
    chosen = [option for field in fields for option in ("-e", field)]
    return tshark(capture, "-T", "fields", "-E", "occurrence=f", "-E", "separator=,", *chosen)


def test_another_decoder_finds_the_replies_well_formed(lab):
    """Of all kinds, as they are on the wire: tagged, and of odd and even lengths."""
    tags = {"vlan": 10, "mtu": 9000}, {"vlan": 20}
    bench = Bench(lab, *tags, device="net_pcap", arp={"mode": "answer"}, nd={"mode": "answer"})
    request = {"src": A, "dst": MAC_M}
    echo4, echo6 = IP(src=A4, dst=OWN["ipv4"]) / ICMP(), IPv6(src=A6, dst=OWN["ipv6"]) / ICMPv6EchoRequest()
    ours = [frames.arp(target=OWN["ipv4"]), frames.solicitation(target=OWN["ipv6"])]
    ours += [bytes(Ether(**request) / echo / bytes(size)) for echo in (echo4, echo6) for size in (0, 1, 1431)]
    theirs = [frames.arp(), frames.arp(source=(A, "0.0.0.0")), frames.solicitation()]
    large = [udp(size=1515, flags="DF"), udp(size=3001, flags="DF"), udp6(size=1515), udp6(size=3001)]

    for frame in ours[:2]:  # not so often that a asks too much
        until(lambda: bench.exchange(tagged(frame, 10))[1], "the end of its look for duplicates", settle=0.1)
    _, replies = bench.exchange(*(tagged(frame, 10) for frame in ours + theirs + large))
    capture = lab.folder / "replies.pcap"
    wrpcap(str(capture), [Ether(frame) for frame in replies])

    kinds = outer(capture, "arp.opcode", "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code")
    arp, echo4, echo6, needed, big, advertised = "2,,,,", ",0,0,,", ",,,129,0", ",3,4,,", ",,,2,0", ",,,136,0"
    mine, other = [arp, advertised] + [echo4] * 3 + [echo6] * 3, [arp, arp, advertised]
    assert kinds == mine + other + [needed] * 2 + [big] * 2
    status = outer(capture, "icmp.checksum.status", "icmpv6.checksum.status", "ip.checksum.status")
    good4, good6 = "1,,1", ",1,"
    assert status == [{"2": ",,"}.get(kind[:1], good6 if kind.startswith(",,,") else good4) for kind in kinds]
    assert tshark(capture, "-Y", "_ws.malformed || vlan.id != 10 || _ws.expert.severity == error") == []
