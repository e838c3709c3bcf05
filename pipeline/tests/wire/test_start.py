"""What a bridge needs of its machine, and what it says when it does not get it."""

import pathlib

import pytest

from bench import Bench
from frames import changed, rules, tagged, udp
from harness import CORES

UNTAGGED = [{"port": "p0"}, {"port": "p1"}]
NULLS = {"p0": "net_null0,no-rx=1", "p1": "net_null1,no-rx=1"}


def refuses(lab, rules, *words, namespace=None):
    """It does not start, exits 1, and says all this in one line, the last."""
    code, said = lab.launch("bridge", rules, namespace).ends()
    assert code == 1, said
    last = said.strip().splitlines()[-1]
    assert all(word in last for word in words), said


@pytest.mark.parametrize("device", ["net_nosuch0", "0000:ff:1f.7", "net_pcap0,iface=nosuch", "net_null1,nosuch=1"])
def test_a_device_that_is_not_there_is_named_with_its_port(lab, device):
    refuses(lab, rules({**NULLS, "p1": device}, *UNTAGGED), "port p1", f"device {device}")


def test_an_mtu_that_the_device_cannot_carry_is_refused_with_what_it_can(lab):
    large = [{**side, "mtu": 9000} for side in UNTAGGED]
    taps = {port: f"net_tap{index},iface={port}" for index, port in enumerate(NULLS)}
    refuses(lab, rules(taps, *large), "port p0", "cannot carry an MTU of 9000", "it can do 1504")


@pytest.mark.skipif(len(CORES) < 2, reason="two workers need two cores")
def test_more_workers_than_queues_are_refused_with_their_numbers(lab):
    namespace, outside = lab.namespace("bridge"), lab.namespace("outside")
    namespace.cable("one", outside, "far")
    single = {**NULLS, "p1": "net_pcap0,iface=one"}
    refuses(lab, rules(single, *UNTAGGED, workers=CORES[:2]), "port p1", "1 queues", "2 workers", namespace=namespace)


def test_a_worker_on_a_core_that_is_not_there_is_refused_by_its_number(lab):
    refuses(lab, rules(NULLS, *UNTAGGED, workers=[CORES[-1] + 1]), f"core {CORES[-1] + 1}")


def test_rules_with_errors_are_refused_before_any_device_is_touched(lab):
    bad = changed(rules(NULLS, *UNTAGGED), "bridges", "wix", "peering", to={"ipv4": ["202.7.0.1/23"], "ipv7": []})
    sluice = lab.launch("bridge", bad)
    code, said = sluice.ends()
    assert code == 1 and "DPDK" not in said
    lines = sluice.file.read_text().splitlines()
    for wrong in ("202.7.0.1/23", "ipv7"):
        line = next(number for number, text in enumerate(lines, 1) if wrong in text)
        column = lines[line - 1].index('"') + 1
        assert f"{sluice.file}:{line}:{column}: " in said, said


def test_an_unknown_group_for_the_socket_is_refused_by_its_name(lab):
    refuses(lab, {**rules(NULLS, *UNTAGGED), "control": {"group": "nosuchgroup"}}, "control.group", "nosuchgroup")


# ------------------------------------------------------------------------------------------------ memory

HUGE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
PAGES = 64
"""Of 2 MiB: more than a bridge with two small ports takes."""


def works(lab, **how):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, **how)
    assert bench.through(tagged(udp(), 10)) == [tagged(udp(), 20)]
    return bench.sluice


def test_it_runs_on_huge_pages_where_enough_are_free(lab):
    # mounted, as systemd does: DPDK then locks the folder too
    mount = 'mount -t hugetlbfs none /mnt && exec "$@"'
    reserved = HUGE / "nr_hugepages"
    if not reserved.exists():
        pytest.skip("this kernel has no 2 MiB pages")
    before, free = int(reserved.read_text()), int((HUGE / "free_hugepages").read_text())
    if free < PAGES:
        lab.afterwards(lambda: reserved.write_text(str(before)))
        reserved.write_text(str(before + PAGES - free))
        if int((HUGE / "free_hugepages").read_text()) < PAGES:
            pytest.skip(f"no {PAGES} huge pages to be had")
    assert "memory=huge pages" in works(lab, before=("sh", "-c", mount, "sh")).log()


NONE = ("sh", "-c", 'mount -t tmpfs none /sys/kernel/mm/hugepages && exec "$@"', "sh")
"""Before a command that is to find no huge pages."""


def test_it_runs_on_ordinary_pages_where_no_huge_ones_are_free(lab):
    assert "memory=ordinary pages" in works(lab, before=NONE).log()


def test_many_queues_have_frames_on_ordinary_pages_too(lab):
    ports = {f"p{index}": f"net_null{index},no-rx=1" for index in range(8)}
    sluice = lab.sluice("many", rules(ports, *UNTAGGED, workers=CORES[:2]), before=NONE)
    assert sluice.generation() == 1 and "memory=ordinary pages" in sluice.log()
