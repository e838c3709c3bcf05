"""VLANs with real hosts. Linux here may have no VLAN devices, so other sluices put the hosts' tags on: each is a bridge from an
access port to a tagged trunk, joined to the bridge under test by a memif cable."""

from frames import A4, A6, B4, B6, rules, strict
from test_hosts import TAPS, plug, routers


class Memif:
    """A cable between two processes. The bridge under test serves it, so it starts first."""

    def __init__(self, lab, name):
        self.socket = lab.folder / f"{name}.memif"

    def end(self, role):
        return f"net_memif_{self.socket.stem},role={role},id=0,socket={self.socket},socket-abstract=no"


def both_ways(a, b):
    a.reaches(B4)
    a.reaches(B6, "-s", str(1500 - 40 - 8))
    b.reaches(A4, "-s", str(1500 - 20 - 8), "-M", "do")
    b.reaches(A6)


def test_hosts_reach_each_other_from_vlan_10_to_vlan_20(lab):
    a, b = routers(lab)
    mud, wix = Memif(lab, "mud"), Memif(lab, "wix")
    middle = strict(
        {"trunk0": mud.end("server"), "trunk1": wix.end("server")},
        {"port": "trunk0", "vlan": 10},
        {"port": "trunk1", "vlan": 20},
    )
    middle = lab.sluice("middle", middle)
    ends = []
    for port, memif, vlan in (("access0", mud, 10), ("access1", wix, 20)):
        devices = {port: TAPS[port], "trunk": memif.end("client")}
        ends.append(lab.sluice(port, rules(devices, {"port": port}, {"port": "trunk", "vlan": vlan})))
    plug(lab, a, b, ends[0].namespace, ends[1].namespace)
    both_ways(a, b)
    assert middle.ask("counters")["sides"]["mud"]["forwarded"] > 0


def test_hosts_reach_each_other_through_both_vlans_of_one_trunk(lab):
    """The bridge on a stick: what comes in by VLAN 10 leaves by VLAN 20 of the same port (docs/spec F10)."""
    a, b = routers(lab)
    trunk = Memif(lab, "trunk")
    on_a_stick = strict({"trunk0": trunk.end("server")}, {"port": "trunk0", "vlan": 10}, {"port": "trunk0", "vlan": 20})
    on_a_stick = lab.sluice("stick", on_a_stick)
    # one process tags for both hosts: a bridge for each, on the same trunk
    tagging = rules({**TAPS, "trunk": trunk.end("client")}, {"port": "access0"}, {"port": "trunk", "vlan": 10})
    other_sides = {"host": {"port": "access1"}, "trunk": {"port": "trunk", "vlan": 20}}
    tagging["bridges"]["other"] = {**tagging["bridges"]["wix"], "sides": other_sides}
    tagging = lab.sluice("tagging", tagging)
    plug(lab, a, b, tagging.namespace, tagging.namespace)
    both_ways(a, b)
    forwarded = on_a_stick.ask("counters")["ports"]["trunk0"]
    assert forwarded["transmitted"] > 0


def test_hosts_reach_each_other_through_a_double_tagged_service(lab):
    a, b = routers(lab)
    service = Memif(lab, "service")
    provider = {"outer_vlan": 100, "vlan": 10}
    near = lab.sluice(
        "near", strict({**only("access0"), "trunk": service.end("server")}, {"port": "access0"}, {"port": "trunk", **provider})
    )
    far = lab.sluice(
        "far", strict({**only("access1"), "trunk": service.end("client")}, {"port": "trunk", **provider}, {"port": "access1"})
    )
    plug(lab, a, b, near.namespace, far.namespace)
    both_ways(a, b)


def only(port):
    return {port: TAPS[port]}
