"""SIGHUP while frames pass: a good file takes effect at once and loses nothing, a bad one changes nothing."""

import copy

import pytest

from bench import Bench
from frames import A, A4, B, B4, MEMBERS, arp, changed, rules, strict, tagged, udp
from harness import CORES

BRIDGE = ("bridges", "wix")
A_TO_B, B_TO_A = udp(), udp((B, B4), (A, A4))


@pytest.fixture
def bench(lab):
    return Bench(lab, {"vlan": 10}, {"vlan": 20})


def passes(bench):
    assert bench.through(tagged(A_TO_B, 10)) == [tagged(A_TO_B, 20)]


# ------------------------------------------------------------------------------------------------ good files


def test_a_good_file_takes_effect_and_its_changes_are_logged(bench):
    passes(bench)
    without_b = changed(bench.rules, *BRIDGE, "members", to=MEMBERS[:1])
    bench.sluice.reload(without_b)
    bench.mud.send(tagged(A_TO_B, 10))
    bench.wix.send(tagged(B_TO_A, 20))
    bench.refused({"dst_not_member": 1}, on="mud")
    bench.refused({"src_not_member": 1}, on="wix")
    log = bench.sluice.log()
    assert "changed: bridges.wix: member b removed" in log
    assert "reloaded generation=2 changes=1 frames_lost=0" in log
    bench.sluice.reload(bench.rules)
    passes(bench)
    assert "changed: bridges.wix: member b added on wix" in bench.sluice.log()


def test_a_pin_that_moves_to_the_other_side_counts_from_that_moment(bench):
    """docs/spec F52."""
    passes(bench)
    moved = [{**member, "side": side} for member, side in zip(MEMBERS, ("wix", "mud"))]
    bench.sluice.reload(changed(bench.rules, *BRIDGE, "members", to=moved))
    bench.mud.send(tagged(A_TO_B, 10))
    bench.refused({"mac_wrong_side": 1})
    bench.mud.send(tagged(B_TO_A, 10))
    assert bench.wix.receive() == tagged(B_TO_A, 20)


def test_a_vlan_that_changes_counts_from_that_moment(bench):
    passes(bench)
    bench.sluice.reload(changed(bench.rules, *BRIDGE, "sides", "wix", "vlan", to=21))
    bench.mud.send(tagged(A_TO_B, 10))
    assert bench.wix.receive() == tagged(A_TO_B, 21)


def test_a_bridge_may_come_and_go(bench):
    passes(bench)
    two = copy.deepcopy(bench.rules)
    sides = {"left": {"port": "trunk0", "vlan": 30}, "right": {"port": "trunk1", "vlan": 40}}
    two["bridges"]["ape"] = {**two["bridges"]["wix"], "members": [], "admission": "learned", "sides": sides}
    bench.sluice.reload(two)
    assert bench.through(tagged(arp(), 30)) == [tagged(arp(), 40)]
    bench.sluice.reload(bench.rules)
    assert bench.through(tagged(arp(), 30)) == []
    passes(bench)


def test_learned_addresses_and_counters_survive(lab):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, make=rules)
    assert bench.through(tagged(arp(), 10)) == [tagged(arp(), 20)]
    before = bench.sluice.ask("counters")["sides"]
    # without what it has learned, it would drop everything from here on
    bench.sluice.reload(changed(bench.rules, *BRIDGE, "unknown_unicast", to="drop"))
    assert {mac["mac"]: mac["side"] for mac in bench.sluice.ask("macs")["macs"]} == {A: "mud", B: "wix"}
    assert bench.sluice.ask("counters")["sides"] == before
    passes(bench)


def test_a_file_without_changes_is_a_generation_too(bench):
    bench.sluice.reload(bench.rules)
    bench.sluice.wait_for_log("reloaded generation=2 changes=0 frames_lost=0")
    assert bench.sluice.ask("config")["generation"] == 2


def test_a_signal_during_the_start_is_obeyed_after_it(lab):
    """As when the service manager is asked to reload a bridge whose ports still come up."""
    ports = {"p0": "net_null0,no-rx=1", "p1": "net_null1,no-rx=1"}
    again = {"name": "again", "side": "mud", "mac": A}
    sluice = lab.launch("early", strict(ports, {"port": "p0"}, {"port": "p1"}, members=[*MEMBERS, again]))
    sluice.wait_for_log("warning")  # about the double entry: its first word, before DPDK starts
    sluice.hang_up()
    sluice.wait_for_start().wait_for_generation(2)
    sluice.stop()


# ------------------------------------------------------------------------------------------------ bad files


def is_refused(bench, rules, *reasons):
    """A reload with these rules says all these reasons and changes nothing."""
    before = bench.sluice.ask("config")
    bench.sluice.write(rules) if rules else bench.sluice.file.unlink()
    bench.sluice.hang_up()
    for reason in reasons:
        bench.sluice.wait_for_log(reason)
    after = bench.sluice.ask("config")
    assert (after["generation"], after["text"]) == (before["generation"], before["text"])
    assert bench.sluice.log().count("reloaded generation") == 0
    passes(bench)


def test_every_error_of_a_bad_file_is_logged_with_its_place(bench):
    bad = changed(bench.rules, *BRIDGE, "admission", to="everyone")
    bad = changed(bad, *BRIDGE, "members", to=[*MEMBERS, {"name": "twin", "side": "wix", "mac": A}])
    bad = changed(bad, *BRIDGE, "sides", "wix", "mtu", to=1279)
    bad = changed(bad, "colour", to="blue")
    lines = bench.sluice.write(bad).splitlines()

    def place(text, what):
        line = max(number for number, line in enumerate(lines, 1) if text in line)
        return f"{bench.sluice.file}:{line}:{lines[line - 1].index(what) + 1}: "

    everyone, mtu = place("everyone", '"everyone"'), place("1279", "1279")
    is_refused(bench, bad, everyone, mtu, place(A, f'"{A}"'), place("colour", '"colour"'))


def test_a_file_that_is_no_yaml_is_refused_with_the_place(bench):
    is_refused(bench, "version: 1\nports: {", f"{bench.sluice.file}:")


def test_a_file_that_is_gone_is_refused(bench):
    is_refused(bench, None, "No such file")


FIXED = {
    "workers": (("workers",), CORES[:1] if len(CORES) > 1 else [CORES[0] + 1]),
    "ports.trunk1.device": (("ports", "trunk1", "device"), "net_tap1,iface=another"),
    "ports.trunk1: the MTU of its largest side": ((*BRIDGE, "sides", "wix", "mtu"), 1400),
    "bridges.wix.macs.capacity": ((*BRIDGE, "macs"), {"capacity": 100}),
}


@pytest.mark.parametrize("key", FIXED)
def test_what_only_a_restart_can_change_is_refused_with_that_reason(bench, key):
    path, value = FIXED[key]
    is_refused(bench, changed(bench.rules, *path, to=value), f"{key}: cannot change from ", "restart it to apply that")


def test_another_group_for_the_socket_is_refused_too(bench):
    is_refused(bench, {**bench.rules, "control": {"group": "adm"}}, "control.group: cannot change from none to adm")


def test_a_good_file_after_bad_ones_takes_effect(bench):
    is_refused(bench, changed(bench.rules, "colour", to="blue"), "colour")
    bench.sluice.reload(bench.rules)
    assert bench.sluice.generation() == 2
