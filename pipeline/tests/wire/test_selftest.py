"""`sluice selftest`: it passes what passes frames untouched, and finds what does not."""

import functools
import json
import os
import subprocess

from harness import CORES, command, program, until

SECONDS = 180
"""A whole test may take that long on a busy machine."""


class Selftest:
    """A `sluice selftest` in a namespace, and what it found."""

    def __init__(self, lab, namespace, a, b, *options):
        self.json, self.markdown = lab.folder / "report.json", lab.folder / "report.md"
        files = ("--seconds", "1", "--json", str(self.json), "--report", str(self.markdown))
        arguments = ["ip", "netns", "exec", namespace.name, program(), "selftest", a, b, *files, *options]
        # the tests are pinned to one core; the tester is not
        loose = functools.partial(os.sched_setaffinity, 0, CORES)
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.process = subprocess.Popen(arguments, preexec_fn=loose, **pipes)
        lab.afterwards(self.kill)

    def kill(self):
        with self.process:
            self.process.kill()

    def ends(self):
        """Its exit code; then `said` and `report` are there."""
        self.said, _ = self.process.communicate(timeout=SECONDS)
        self.report = json.loads(self.json.read_text()) if self.json.exists() else None
        return self.process.returncode

    def check(self, name):
        return next(check for check in self.report["checks"] if check["check"] == name)

    def verdicts(self):
        return {check["check"]: check["verdict"] for check in self.report["checks"]}

    def evidence(self, name):
        return "\n".join(self.check(name)["evidence"])


def memif(lab):
    """Both ends of a wire of shared memory, in one process. The server comes first: a client needs its socket."""
    end = f"socket={lab.folder}/cable.memif,socket-abstract=no"
    return f"net_memif0,role=server,{end}", f"net_memif1,role=client,{end}"


def test_a_cable_that_changes_nothing_passes_and_the_report_says_what_was_seen(lab):
    tester = Selftest(lab, lab.namespace("tester"), *memif(lab))
    assert tester.ends() == 0, tester.said
    verdicts = tester.verdicts()
    assert tester.report["passed"] and set(verdicts.values()) == {"ok", "not_possible"}
    assert {name for name, verdict in verdicts.items() if verdict == "not_possible"} <= {"rss_spread", "link_down", "link_bounce"}
    assert [port["driver"] for port in tester.report["ports"]] == ["net_memif"] * 2
    sizes = 2 * sum(14 + tags + 1500 - 59 for tags in (0, 4, 8))
    assert f"{sizes} of {sizes} frames came" in tester.check("sizes")["evidence"]
    for load in ("load_64", "load_imix", "load_mtu"):
        numbers = {(number["what"], number["of"]): number["value"] for number in tester.check(load)["measured"]}
        for way in ("A to B", "B to A"):
            assert numbers["frames sent", way] > 0 and numbers["frames lost", way] == 0
    text = tester.markdown.read_text()
    assert text.startswith("# sluice selftest: passed\n") and all(f"| {name} | " in text for name in verdicts)
    assert "sizes: ok" in tester.said, "progress is told while it runs"


def test_in_a_vlan_all_but_service_tags_can_be_tried(lab):
    tester = Selftest(lab, lab.namespace("tester"), *memif(lab), "--vlan", "77", "--workers", "1")
    assert tester.ends() == 0, tester.said
    assert tester.report["settings"]["vlan"] == 77
    assert tester.check("vlan_8021ad")["verdict"] == "not_possible"
    assert tester.check("qinq")["verdict"] == tester.check("sizes")["verdict"] == "ok"


def test_a_device_that_rewrites_tags_and_joins_fragments_is_found_out(lab):
    """net_af_packet does both, by way of the kernel."""
    namespace = lab.namespace("tester")
    namespace.run("ip", "link", "add", "one", "mtu", "9300", "type", "veth", "peer", "name", "two", "mtu", "9300")
    for interface in ("one", "two"):
        namespace.run("ip", "link", "set", interface, "up")
    tester = Selftest(lab, namespace, "net_af_packet0,iface=one", "net_af_packet1,iface=two")
    assert tester.ends() == 1, tester.said
    assert not tester.report["passed"]
    verdicts = tester.verdicts()
    assert [verdicts[name] for name in ("vlan_8021ad", "qinq", "fragments")] == ["failed"] * 3
    assert "sent 88a80064" in tester.evidence("vlan_8021ad") and "came 81000064" in tester.evidence("vlan_8021ad")
    assert "A to B, last IPv4 fragment: 1 of 1 lost" in tester.evidence("fragments")
    for name in ("cable", "vlan_8021q", "priority_tag", "ethertypes", "short_frames", "checksums", "delivery"):
        assert verdicts[name] == "ok", tester.evidence(name)
    # and it has room for one tag on top of the MTU
    assert "A to B, two tags: 4 of 1463 lost (1519 to 1522 bytes)" in tester.evidence("sizes")
    assert tester.check("fragments")["advice"]
    assert "| fragments | FAILED |" in tester.markdown.read_text()


def test_a_switch_that_keeps_frames_is_found_out_and_links_come_back(lab):
    """A Linux bridge between two taps takes what is for its ports' own addresses for itself."""
    namespace = lab.namespace("tester")
    namespace.run("ip", "link", "add", "patch", "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
    namespace.run("ip", "link", "set", "dev", "patch", "up", "mtu", "9000")
    tester = Selftest(lab, namespace, "net_tap0,iface=tap0", "net_tap1,iface=tap1", "--workers", "1")
    for tap in ("tap0", "tap1"):
        until(lambda: namespace.run("ip", "link", "set", tap, "master", "patch", check=False).returncode == 0, tap)
        namespace.run("ip", "link", "set", tap, "up")
    assert tester.ends() == 1, tester.said
    assert "the card's own address: 1 of 1 lost" in tester.evidence("delivery")
    verdicts = tester.verdicts()
    for name in ("vlan_8021q", "vlan_8021ad", "qinq", "sizes", "fragments", "flow_order", "link_down", "link_bounce"):
        assert verdicts[name] == "ok", tester.evidence(name)


def test_without_a_cable_nothing_but_probes_is_sent(lab):
    namespace, outside = lab.namespace("tester"), lab.namespace("outside")
    wires = []
    for name in ("one", "two"):
        namespace.cable(name, outside, f"{name}-far")
        wires.append(lab.wire(outside, f"{name}-far"))
    tester = Selftest(lab, namespace, "net_pcap0,iface=one", "net_pcap1,iface=two")
    assert tester.ends() == 1, tester.said
    assert list(tester.verdicts().items()) == [("cable", "failed")]
    assert "no probe from A was seen on B in 10 s" in tester.evidence("cable")
    assert tester.check("cable")["advice"].startswith("no cable between A and B, or a switch between")
    frames = list(iter(lambda: wires[0].receive(patience=0.1), None))
    assert frames and all(len(frame) == 60 and frame[12:14] == b"\x88\xb5" for frame in frames)
    assert wires[1].receive(patience=0.1) is None


def test_one_device_is_not_two_ports(lab):
    done = command(program(), "selftest", "net_null0", "net_null0,size=64", check=False)
    assert done.returncode == 1 and "the same device, net_null0: a test needs two ports" in done.stderr


def test_a_device_that_is_not_there_is_named_as_run_does(lab):
    done = command(program(), "selftest", "net_null0", "0000:ff:1f.7", check=False)
    assert done.returncode == 1 and "port B: device 0000:ff:1f.7 is not usable by DPDK: there is no such PCI" in done.stderr
