"""Several bridges in one process: they share cores and ports, and nothing else."""

from bench import Bench
from frames import A, A4, B, B4, MAC_M, MAC_W, MEMBERS, PEERING, arp, strict, tagged, udp
from harness import until


def two_bridges(devices, first, second, **bridge):
    """`wix` as always, and `ape` on two more VLANs of the same trunks, where the same routers stand the other way round."""
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
        for bridge in tree["bridges"].values():
            bridge.update(admission="learned", members=[])
        return tree

    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, make=learning)
    bench.mud.send(tagged(arp(), 10))
    bench.wix.send(tagged(arp(), 40))

    def known():
        return {(mac["side"], mac["mac"]) for mac in bench.sluice.ask("macs")["macs"]}

    until(lambda: known() == {("wix/mud", A), ("ape/right", A)}, known)
