"""Several bridges in one process: they share cores and ports, and nothing else."""

from bench import Bench
from frames import A, A4, B, B4, MAC_M, MAC_W, MEMBERS, PEERING, tagged, udp


def two_bridges(devices, first, second, **bridge):
    """`wix` as always, and `ape` on two more VLANs of the same trunks, where the same routers stand the other way round."""
    from frames import strict

    tree = strict(devices, first, second, **bridge)
    other = [{**member, "side": side} for member, side in zip(MEMBERS, ("right", "left"))]
    tree["bridges"]["ape"] = {
        "sides": {
            "left": {"port": "trunk0", "vlan": 30, "mac": MAC_M},
            "right": {"port": "trunk1", "vlan": 40, "mac": MAC_W},
        },
        "peering": PEERING,
        "admission": "members",
        "members": other,
    }
    return tree


def test_each_keeps_to_its_own_vlans_and_members(lab):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, make=two_bridges)
    from_a, from_b = udp(), udp((B, B4), (A, A4))
    # a is on the left trunk in wix and on the right one in ape
    assert bench.through(tagged(from_a, 10), tagged(from_b, 30)) == [tagged(from_a, 20), tagged(from_b, 40)]
    assert bench.through(tagged(from_a, 30), tagged(from_b, 10)) == []
    counters = bench.sluice.ask("counters")["sides"]
    assert counters["wix/mud"]["dropped"] == {"mac_wrong_side": 1}
    assert counters["ape/left"]["dropped"] == {"mac_wrong_side": 1}


def test_each_learns_for_itself(lab):
    def learning(*arguments, **bridge):
        tree = two_bridges(*arguments, **bridge)
        for name in tree["bridges"]:
            tree["bridges"][name].update(admission="learned", members=[], unknown_unicast="drop")
        return tree

    station = "02:cc:00:00:00:0c"
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, make=learning, fenced=False)
    bench.mud.send(tagged(udp((station, "202.7.0.30")), 10))
    bench.mud.send(tagged(udp((station, "202.7.0.30")), 30))
    sides = ("wix/mud", "wix/wix", "ape/left", "ape/right")

    def known():
        return {side: [mac["mac"] for mac in bench.sluice.ask("macs")["macs"] if mac["side"] == side] for side in sides}

    assert known
