"""Path MTU discovery through the bridge: only its wix side is smaller, and real Linux hosts learn so from what it tells them
(docs/spec D)."""

import contextlib
import itertools
import json
import multiprocessing
import socket
import threading
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from frames import A, A4, A6, B, B4, B6, MEMBERS, changed, strict
from harness import PATIENCE, until
from test_hosts import UNTAGGED, routers

SMALL = 1400
"""The MTU of the wix side."""
SUBNET_ROUTER = "2001:7fa:3:ca07::"
"""What looks like the subnet-router anycast address of the exchange, and is a's (RFC 4291 2.6.1)."""
SIZE = 50_000_000
"""Bytes of a transfer."""


def hosts(lab, mtu, address6=A6, **bridge):
    """Two hosts with an MTU, and a bridge whose wix side has a smaller one. Offloads are off: the bridge sees frames as they
    would be on a real wire, none larger than the MTU, all with their checksums."""
    a, b = routers(lab)
    namespace, outside = lab.namespace("bridge"), lab.namespace("outside")
    ports = ("access0", "access1")
    for port in ports:
        namespace.cable(port, outside, f"{port}-far")
    for space, ends in ((namespace, ports), (outside, [f"{port}-far" for port in ports])):
        for end in ends:
            space.run("ethtool", "-K", end, *(word for what in ("tso", "gso", "gro", "tx", "rx") for word in (what, "off")))
    devices = {port: f"net_pcap{index},iface={port}" for index, port in enumerate(ports)}
    mud, wix = ({**side, "mtu": size} for side, size in zip(UNTAGGED, (mtu, SMALL)))
    sluice = lab.sluice("bridge", strict(devices, mud, wix, **bridge), namespace)
    a.take(outside, "access0-far", A, [f"{A4}/23", f"{address6}/64"])
    b.take(outside, "access1-far", B, [f"{B4}/23", f"{B6}/64"])
    for host in (a, b):
        host.run("ip", "link", "set", host.interface, "mtu", str(mtu))
    return a, b, sluice


def path_mtu(host, address):
    """What a host has learned, or None."""
    (route,) = json.loads(host.run("ip", "-json", "route", "get", address).stdout)
    return next((metric["mtu"] for metric in route.get("metrics", []) if "mtu" in metric), None)


@pytest.mark.parametrize("address", [B4, B6], ids=["ipv4", "ipv6"])
def test_ping_learns_the_path_mtu(lab, address):
    a, b, sluice = hosts(lab, 9000)
    a.reaches(address)
    assert path_mtu(a, address) is None
    refused = a.run("ping", "-n", "-c3", "-i0.2", "-W1", "-s3000", "-M", "do", address, check=False)
    assert refused.returncode == 1, refused
    assert path_mtu(a, address) == SMALL
    headers = 48 if ":" in address else 28
    a.reaches(address, "-M", "do", "-s", str(SMALL - headers))
    # b is told nothing: from its side all fits
    assert path_mtu(b, address.replace(B4, A4).replace(B6, A6)) is None
    assert sluice.ask("counters")["sides"]["mud"]["replies"] >= 1


# ------------------------------------------------------------------------------------------------ TCP


def transfer(a, b, address, size=SIZE):
    """Sends so many bytes from a to b and waits until all are there; the seconds it took."""
    received = []
    with b.listen(address) as listening, a.connect(address, listening.getsockname()[1]) as client:
        server, _ = listening.accept()
        server.settimeout(PATIENCE)

        def receive():
            with server:
                room = memoryview(bytearray(1 << 20))
                received.append(sum(iter(lambda: server.recv_into(room), 0)))

        receiver, began = threading.Thread(target=receive), time.monotonic()
        receiver.start()
        client.sendall(bytes(size))
        client.shutdown(socket.SHUT_WR)
        receiver.join()
    assert received == [size]
    return time.monotonic() - began


def told_all(sluice):
    """Each frame that did not fit has been told of."""
    counters = sluice.ask("counters")
    assert counters["causes"] == {"ptb_sent": counters["outcomes"]["too_big"]}, counters


SENDERS = {"ipv4": (A4, B4, {}), "ipv6": (A6, B6, {}), "prefix::0": (SUBNET_ROUTER, B6, {"anycast": {"never": [SUBNET_ROUTER]}})}


@pytest.mark.parametrize(("source", "address", "bridge"), SENDERS.values(), ids=SENDERS)
def test_a_tcp_stream_crosses_from_1500_to_1400(lab, source, address, bridge):
    member, other = MEMBERS
    address6 = source if ":" in source else A6
    members = [{**member, "ipv6": [address6]}, other]
    a, b, sluice = hosts(lab, 1500, address6=address6, members=members, **bridge)
    a.reaches(address)
    print(f"{transfer(a, b, address):.2f} s")
    assert path_mtu(a, address) == SMALL
    told_all(sluice)


def test_a_source_that_looks_like_anycast_is_told_nothing_unless_the_rules_say_who_it_is(lab):
    """The war story: and the log says what to do."""
    a, b, sluice = hosts(lab, 1500, address6=SUBNET_ROUTER, members=[{**MEMBERS[0], "ipv6": [SUBNET_ROUTER]}, MEMBERS[1]])
    a.reaches(B6)
    a.run("ping", "-n", "-c2", "-i0.2", "-W1", "-s1452", "-M", "do", B6, check=False)
    assert path_mtu(a, B6) is None
    assert sluice.ask("counters")["causes"] == {"ptb_anycast_src": 2}, sluice.ask("counters")
    sluice.wait_for_log("anycast.never")
    told = changed(json.loads(sluice.file.read_text()), "bridges", "wix", "anycast", to={"never": [SUBNET_ROUTER]})
    sluice.reload(told)
    a.run("ping", "-n", "-c2", "-i0.2", "-W1", "-s1452", "-M", "do", B6, check=False)
    assert path_mtu(a, B6) == SMALL


# ------------------------------------------------------------------------------------------------ others at the same time

SOURCES = 500


def too_large(version):
    """A frame that does not fit from each of many sources, behind another router of a's side."""
    for number in range(SOURCES):
        link = Ether(src="02:ee:00:00:00:0e", dst=B)
        source4, source6 = f"202.7.{number >> 8}.{number & 0xFF or 1}", f"2001:7fa:3:ca07::1:{number:x}"
        packet = IP(src=source4, dst=B4, flags="DF") if version == 4 else IPv6(src=source6, dst=B6)
        yield bytes(link / packet / UDP(sport=1, dport=9) / bytes(1500 - 40 - 8))


class Others:
    """They send as fast as they can, from a process of their own, out of a host's interface."""

    def __init__(self, lab, host, frames):
        wire = lab.wire(host, host.interface)
        context = multiprocessing.get_context("fork")
        self.sent = context.Value("Q", 0, lock=False)
        self.process = context.Process(target=self.run, args=(wire.socket, frames), daemon=True)
        lab.afterwards(self.stop)
        self.process.start()
        until(lambda: self.sent.value > 10 * SOURCES, "others that send")

    def run(self, out, frames):
        for frame in itertools.cycle(frames):
            with contextlib.suppress(BlockingIOError, OSError):
                out.send(frame)
                self.sent.value += 1

    def stop(self):
        self.process.kill()
        self.process.join()


@pytest.mark.parametrize(("version", "address"), [(4, B4), (6, B6)], ids=["ipv4", "ipv6"])
def test_many_others_that_exceed_the_mtu_starve_nobody(lab, version, address):
    a, b, sluice = hosts(lab, 1500, admission="learned", members=[])
    a.reaches(address)
    others = Others(lab, a, list(too_large(version)))
    limited = lambda: sluice.ask("counters")["causes"].get("ptb_ratelimited_mac", 0)
    until(lambda: limited() > SOURCES, lambda: f"a flood: {sluice.ask('counters')['outcomes']}")
    print(f"{transfer(a, b, address):.2f} s")
    others.stop()
    print(f"{others.sent.value} frames from others; {sluice.ask('counters')['causes']}")
    assert path_mtu(a, address) == SMALL
