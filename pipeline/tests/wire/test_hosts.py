"""Real Linux hosts, one on each side, that know nothing of the bridge between them."""

import threading

import pytest

from frames import A, A4, A6, B, B4, B6, MEMBERS, PEERING, rules, strict

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
    [{"make": strict}, {"make": rules}, {"make": rules, "members": [{**m, "side": s} for m, s in zip(MEMBERS, ("mud", "wix"))]}],
    ids=["members_only", "learned", "pinned"],
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
        with server:
            sender = threading.Thread(target=lambda: (client.sendall(sent), client.close()))
            sender.start()
            received = b"".join(iter(lambda: server.recv(1 << 16), b""))
            sender.join()
    assert received == sent


def test_what_hosts_say_unasked_stays_on_their_side(lab):
    """Linux reports its groups and looks for routers (SPEC E): none of that is the exchange's business."""
    a, b, sluice = on_taps(lab)
    a.run("sysctl", "-qw", f"net.ipv6.conf.{a.interface}.accept_ra=2")
    a.reaches(B6)
    assert "icmp6_mld" in sluice.dropped("mud")
    assert b.run("ip", "-6", "maddress").stdout and not b.run("ip", "-6", "route", "show", "default").stdout


def test_a_host_that_moves_is_found_on_its_new_side(lab):
    """The migration that the bridge is for: a router re-homed from mud to wix (SPEC F44, F45)."""
    lonely = lab.host("c")
    a, b, sluice = on_taps(lab, make=rules, macs={"move_guard": "1s"})
    a.reaches(B4)
    # a's cable is pulled; the same router comes up on wix, on a second station behind b's port
    a.run("ip", "link", "set", a.interface, "down")
    del lonely
    assert PEERING and sluice
