"""The generator of perf/ next to a bridge on memif: what it says it sent, and what the bridge did with it, must agree."""

import functools
import json
import os
import pathlib
import subprocess

from frames import rules
from harness import CORES, PATIENCE

ROOT = pathlib.Path(__file__).resolve().parents[3]
QUICK = {"rate": "1000000/s", "burst": 100_000}
RATE = 10_000


@functools.cache
def generator():
    """$MEMIF_LOAD, or what this tree builds."""
    if "MEMIF_LOAD" not in os.environ:
        subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "-p", "memif-load"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return os.path.abspath(os.environ.get("MEMIF_LOAD", target / "release" / "memif-load"))


class Pair:
    """A bridge from VLAN 10 of one memif interface to VLAN 20 of another, and a generator on both."""

    def __init__(self, lab, **bridge):
        self.lab, self.log = lab, lab.folder / "generator.err"
        self.socket = lab.folder / "generator.memif"
        end = f"role=server,socket={self.socket},socket-abstract=no,rsize=10"
        devices = {f"trunk{id}": f"net_memif{id},id={id},{end}" for id in (0, 1)}
        mud, wix = {"port": "trunk0", "vlan": 10}, {"port": "trunk1", "vlan": 20}
        bridge = {"macs": {"new": QUICK}, "unknown_unicast": QUICK, "loop": {"probe": "off"}, **bridge}
        self.sluice = lab.sluice("bridge", rules(devices, mud, wix, **bridge))

    def run(self, *arguments, rate=RATE):
        """One run of a second on a core of its own; what it says. DPDK's memif driver may crash when its peer leaves, so the
        generator holds on until the bridge has ended."""
        rates = ("--rate-a", str(rate), "--rate-b", str(rate))
        core = ("--core", str(CORES[0]), "--socket", str(self.socket), "--hold")
        command = [generator(), *core, "--macs", "100", "--seconds", "1", "--warm-up", "0", *rates, *arguments]
        with open(self.log, "w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.lab.afterwards(lambda: self.ends(process))
        line = process.stdout.readline()
        assert line, self.log.read_text()
        report = json.loads(line)
        assert report["bad"] == 0, self.log.read_text()
        return report

    def ends(self, process):
        """It does so by itself once the bridge has."""
        with process:
            try:
                code = process.wait(PATIENCE)
            finally:
                process.kill()
        assert code == 0, self.log.read_text()


def total(sides):
    return sides["a"] + sides["b"]


def test_all_that_is_sent_at_a_modest_rate_arrives(lab):
    report = Pair(lab).run("--latency")
    assert report["sent"]["a"] > 0 and report["sent"]["b"] > 0
    assert report["refused"] == {"a": 0, "b": 0}
    assert (report["received"]["b"], report["received"]["a"]) == (report["sent"]["a"], report["sent"]["b"])
    assert report["received_by_kind"] == report["sent_by_kind"]
    assert report["received_bytes"] == 64 * total(report["received"])
    assert 0 < report["latency_us"]["count"] < total(report["received"]) / 32


def test_the_bridge_forwards_what_the_generator_received(lab):
    pair = Pair(lab)
    report = pair.run("--no-learn", "--size", "imix")
    sides = pair.sluice.stop()["sides"]
    assert (sides["mud"]["received"], sides["wix"]["received"]) == (report["sent"]["a"], report["sent"]["b"])
    assert (sides["mud"]["forwarded"], sides["wix"]["forwarded"]) == (report["received"]["b"], report["received"]["a"])


def test_every_kind_that_may_pass_arrives_whole(lab):
    wide = {"rate": "1000000/s", "burst": 1_000_000}
    storm = {"side": {"broadcast": wide, "multicast": wide}, "mac": wide}
    report = Pair(lab, storm=storm).run("--mix", "ip4=4,ip6=4,arp=1,nd=1", "--size", "594")
    assert set(report["received_by_kind"]) == {"ip4", "ip6", "arp", "nd"}
    assert report["received_by_kind"] == report["sent_by_kind"]


def test_arp_from_outside_of_the_peering_prefix_never_arrives(lab):
    report = Pair(lab).run("--mix", "ip4=9,foreign-arp=1")
    assert report["sent_by_kind"]["foreign-arp"] > 0
    assert report["received_by_kind"] == {"ip4": report["sent_by_kind"]["ip4"]}


def test_broadcasts_beyond_the_storm_limit_are_dropped(lab):
    narrow = {"rate": "10/s", "burst": 10}
    pair = Pair(lab, storm={"side": {"broadcast": narrow, "multicast": narrow}, "mac": narrow})
    report = pair.run("--mix", "ip4=9,arp=1")
    assert report["received_by_kind"]["ip4"] == report["sent_by_kind"]["ip4"]
    assert 0 < report["received_by_kind"]["arp"] < report["sent_by_kind"]["arp"]
    dropped = sum(sum(pair.sluice.dropped(side).values()) for side in ("mud", "wix"))
    assert dropped == total(report["sent"]) - total(report["received"])


def test_the_extra_station_s_requests_are_counted_among_all_and_apart(lab):
    report = Pair(lab).run("--extra", "100")
    for what in ("sent", "received"):
        kinds = report[f"{what}_by_kind"]
        assert report["extra"][what] == kinds["arp"] + kinds["nd"] > 0


def test_what_a_limit_takes_of_the_extra_station_is_missing(lab):
    narrow = {"rate": "1/s", "burst": 10}
    pair = Pair(lab, storm={"mac": narrow})
    report = pair.run("--extra", "100")
    refused = pair.sluice.dropped("mud")["mac_limit"]
    assert 0 < report["extra"]["received"] <= report["extra"]["sent"] - refused


def test_a_generator_without_a_bridge_says_what_to_do(lab):
    done = subprocess.run([generator(), "--socket", lab.folder / "none"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "start the device under test first: no memif server at" in done.stderr
