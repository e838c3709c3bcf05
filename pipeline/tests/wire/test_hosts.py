"""Real Linux hosts, one on each side, that know nothing of the bridge between them."""

import os
import socket
import subprocess
import threading
import time

import pytest

from frames import A, A4, A6, B, B4, B6, MEMBERS, OWN, rules, strict
from harness import PATIENCE, until

UNTAGGED = [{"port": "access0"}, {"port": "access1"}]
TAPS = {"access0": "net_tap0,iface=access0", "access1": "net_tap1,iface=access1"}


def routers(lab):
    return lab.host("a"), lab.host("b")


def plug(lab, a, b, near, far, interfaces=("access0", "access1")):
    """Gives each host the interface that leads to its side, out of the namespaces where they are."""
    a.take(near, interfaces[0], A, [f"{A4}/23", f"{A6}/64"])
    b.take(far, interfaces[1], B, [f"{B4}/23", f"{B6}/64"])


def on_taps(lab, make=strict, **bridge):
    """Two hosts and a bridge that makes their interfaces."""
    a, b = routers(lab)
    sluice = lab.sluice("bridge", make(TAPS, *UNTAGGED, **bridge))
    plug(lab, a, b, sluice.namespace, sluice.namespace)
    return a, b, sluice


def on_cables(lab, make=strict, **bridge):
    """Two hosts on veth cables that a bridge reads and writes through libpcap."""
    a, b = routers(lab)
    bridge_namespace, outside = lab.namespace("bridge"), lab.namespace("outside")
    for port in ("access0", "access1"):
        bridge_namespace.cable(port, outside, f"{port}-far")
    devices = {port: f"net_pcap{index},iface={port}" for index, port in enumerate(TAPS)}
    sluice = lab.sluice("bridge", make(devices, *UNTAGGED, **bridge), bridge_namespace)
    plug(lab, a, b, outside, outside, ("access0-far", "access1-far"))
    return a, b, sluice


ATTACHED = pytest.mark.parametrize("attached", [on_taps, on_cables], ids=["net_tap", "net_pcap"])
ADMITTED = pytest.mark.parametrize(
    "admitted",
    [{"make": strict}, {"make": rules}, {"make": rules, "members": MEMBERS}],
    ids=["members_only", "learned", "learned_and_pinned"],
)


@ATTACHED
@ADMITTED
def test_hosts_reach_each_other_over_ipv4_and_ipv6(lab, attached, admitted):
    a, b, _ = attached(lab, **admitted)
    a.reaches(B4)
    a.reaches(B6)
    b.reaches(A4)
    b.reaches(A6)


@ATTACHED
def test_arp_and_neighbour_discovery_resolve_to_the_owner_and_not_to_the_bridge(lab, attached):
    a, b, _ = attached(lab)
    a.reaches(B4)
    a.reaches(B6)
    known_to_a, known_to_b = a.neighbours(), b.neighbours()
    assert (known_to_a[B4], known_to_a[B6]) == (B, B)
    assert (known_to_b[A4], known_to_b[A6]) == (A, A)


def test_packets_of_exactly_the_mtu_pass(lab):
    a, _, sluice = on_taps(lab)
    a.reaches(B4, "-s", str(1500 - 20 - 8), "-M", "do")
    a.reaches(B6, "-s", str(1500 - 40 - 8), "-M", "do")
    assert not {"too_big", "frame_too_long"} & sluice.dropped("mud").keys()


def test_large_datagrams_pass_in_fragments(lab):
    a, _, _ = on_taps(lab)
    a.reaches(B4, "-s", "8000")
    a.reaches(B6, "-s", "8000")


@pytest.mark.parametrize("address", [B4, B6], ids=["ipv4", "ipv6"])
def test_a_tcp_stream_arrives_whole(lab, address):
    a, b, _ = on_taps(lab)
    a.reaches(address)
    sent = bytes(range(256)) * 8192
    with b.listen(address) as listening, a.connect(address, listening.getsockname()[1]) as client:
        server, _ = listening.accept()
        server.settimeout(PATIENCE)
        sender = threading.Thread(target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR)))
        with server:
            sender.start()
            received = b"".join(iter(lambda: server.recv(1 << 16), b""))
            sender.join()
    assert received == sent


def test_what_hosts_say_unasked_is_refused(lab):
    """Linux tells routers of its groups and looks for routers: none of that is the exchange's business (docs/spec E)."""
    a, _, sluice = on_taps(lab)
    a.reaches(B6)
    until(lambda: all("icmp6_mld" in sluice.dropped(side) for side in ("mud", "wix")), lambda: sluice.ask("counters"))


def test_hosts_that_change_sides_are_found_again(lab):
    """The migration that the bridge is for: routers re-homed from one VLAN to the other (docs/spec F44, F45)."""
    a, b, sluice = on_taps(lab, make=rules, macs={"move_guard": "100ms"})
    a.reaches(B4)
    both = [(a, "access0", "access1", A, [f"{A4}/23", f"{A6}/64"]), (b, "access1", "access0", B, [f"{B4}/23", f"{B6}/64"])]
    for host, old, *_ in both:
        sluice.namespace.pull(host, old)
    for host, _, new, mac, addresses in both:
        host.take(sluice.namespace, new, mac, addresses)
    a.reaches(B4)
    b.reaches(A6)
    known = {mac["mac"]: (mac["side"], mac["moves"]) for mac in sluice.ask("macs")["macs"]}
    assert known == {A: ("wix", 1), B: ("mud", 1)}


# moves of the host in the test below; one in CI. SLUICE_MOVES=20 makes it twenty
MOVES = int(os.environ.get("SLUICE_MOVES", "1"))
C, C4, C6 = "02:cc:00:00:00:03", "202.7.0.30", "2001:7fa:3:ca07::c"
ANYWHERE = [{key: value for key, value in MEMBERS[0].items() if key != "side"}]


def reached_after(host, since, address):
    """Seconds since a moment until a ping comes back."""
    while time.monotonic() < since + PATIENCE:
        if host.run("ping", "-n", "-c1", "-W0.1", address, check=False).returncode == 0:
            return time.monotonic() - since
    raise AssertionError(f"{host.name} does not reach {address}")


@pytest.mark.parametrize("members", [[], ANYWHERE], ids=["learned", "listed_without_a_side"])
def test_f199_a_host_that_is_patched_to_the_other_side_is_reached_within_two_seconds(lab, members):
    sluice = lab.sluice("bridge", rules(TAPS, *UNTAGGED, own=OWN, members=members))
    middle = sluice.namespace
    for switch in range(2):  # a switch on each side, as hosts move and stay there
        middle.run("ip", "link", "add", f"sw{switch}", "type", "bridge", "mcast_snooping", "0")
        for interface in (f"sw{switch}", f"access{switch}"):
            middle.run("ip", "link", "set", interface, "up")
        middle.run("ip", "link", "set", f"access{switch}", "master", f"sw{switch}")
    hosts = {}
    stations = [("a", 0, A, [f"{A4}/23", f"{A6}/64"]), ("b", 1, B, [f"{B4}/23", f"{B6}/64"]), ("c", 0, C, [f"{C4}/23", f"{C6}/64"])]
    for name, switch, mac, addresses in stations:
        hosts[name] = lab.host(name)
        middle.cable(f"to-{name}", middle, f"from-{name}")
        middle.run("ip", "link", "set", f"to-{name}", "master", f"sw{switch}", "up")
        hosts[name].take(middle, f"from-{name}", mac, addresses)
    a, b, c = hosts.values()
    for address in (B4, B6, C4, C6):
        a.reaches(address)
    until(lambda: {A4, A6} <= {known["address"] for known in sluice.ask("neighbours")["neighbours"]}, lambda: sluice.ask("neighbours"))
    for move in range(1, MOVES + 1):
        time.sleep(2)  # nothing to wait for: it has been on this side for longer than `move_guard`
        side = move % 2
        middle.run("ip", "link", "set", "to-a", "master", f"sw{side}")
        far, (far4, far6) = (c, (C4, C6)) if side else (b, (B4, B6))
        since = time.monotonic()
        # one frame a second of each family, as a router with little to say
        with a.entered():
            pings = [["ping", "-n", "-q", "-i1", "-c5", address] for address in (far4, far6)]
            speaking = [subprocess.Popen(ping, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for ping in pings]
        reached = [reached_after(far, since, address) for address in (A4, A6)]
        assert max(reached) < 2, (move, reached, sluice.ask("counters")["moves"])
        for ping in speaking:
            ping.wait(PATIENCE)
    counts = sluice.ask("counters")["moves"]["wix"]
    assert (counts["moved"], counts["refused"]) == (MOVES, 0), counts
