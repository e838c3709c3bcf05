"""The appliance under test: what cards it has, which bridges run over them, how it is set up, and what is on its cables."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import tempfile

from cables import Cables, Stream, TaggedHost
from frames import A, A4, A6, B, B4, B6, MAC_M, MAC_W, OWN, PEERING
from guest import BOOT, Guest
from harness import until

DRIVERS = {"e1000e": "net_e1000_em", "igb": "net_e1000_igb", "virtio-net-pci": "net_virtio", "vmxnet3": "net_vmxnet3"}
"""DPDK's driver of each model: two cards of each."""
MODELS = list(DRIVERS)
MTU = {"mud": 9000, "wix": 1500}
HUGE_PAGES = 128


@dataclasses.dataclass(frozen=True)
class Bridge:
    """A bridge of the appliance: where its sides are."""

    name: str
    mud: tuple[str, int]
    wix: tuple[str, int]

    def rules(self):
        sides = {"mud": {"mac": MAC_M}, "wix": {"mac": MAC_W}}
        for side, (card, vlan) in zip(sides, (self.mud, self.wix)):
            sides[side] |= {"port": card, "vlan": vlan, "mtu": MTU[side]}
        return {"sides": sides, "peering": PEERING, "own": OWN}


def across(model):
    """The bridge between two cards of a model."""
    return Bridge(model, (f"{model}-0", 10), (f"{model}-1", 20))


def on_a_trunk(model):
    """The bridge between two VLANs on one card of a model."""
    return Bridge(f"{model}-trunk", (f"{model}-0", 30), (f"{model}-0", 40))


BRIDGES = [make(model) for model in MODELS for make in (across, on_a_trunk)]


class Appliance:
    """A machine with two cards of each model, set up as an operator would, then switched on again and left alone."""

    def __init__(self, image):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-appliance-"))
        models = {f"{model}-{index}": model for model in MODELS for index in range(2)}
        self.cables = Cables(self.folder, models)
        self.guest = Guest(pathlib.Path(image), self.folder, self.cables, models)
        self.plugged = []
        self.forwarding, self.rebooted = dict.fromkeys(MODELS, 0.0), dict.fromkeys(MODELS, 0.0)
        self.about, self.measured = "", {}
        """Seconds by what took so long, for the table at the end."""

    def set_up(self):
        """From the installed package to a bridge that runs, by the operator's commands."""
        guest = self.guest
        guest.power_on()
        guest.wait_for_shell()
        self.addresses = {card: guest.address(card) for card in guest.models}
        self.ports_before = json.loads(guest.run("sluice ports --json"))
        self.bound = guest.run(f"sluice-bind --huge {HUGE_PAGES} {' '.join(self.addresses.values())}", BOOT)
        self.ports = guest.run("sluice ports")
        # as in the wire tests, a system call that the service may not make ends it, and is not just refused
        guest.write("/etc/systemd/system/sluice.service.d/loud.conf", "[Service]\nSystemCallErrorNumber=kill\n")
        guest.run("systemctl daemon-reload")
        self.write_rules(self.rules())
        guest.run("sluice check /etc/sluice/sluice.yaml")
        guest.run("systemctl start sluice", BOOT)
        guest.power_off()

    def power_on(self):
        """Boots it, and notes after how many seconds frames passed both ways through each bridge."""
        self.forwarding = self.watch(self.guest.power_on)
        self.guest.wait_for_shell()
        asked = "sluice ports", "systemd-analyze security --no-pager sluice | tail -n 1", "systemd-analyze | head -n 1"
        self.about = "\n\n".join(self.guest.attempt(question, 60)[1] for question in asked)

    def watch(self, begin):
        """Seconds after it began until frames passed both ways, by bridge."""
        began = begin()
        streams = {bridge.name: Stream(self.cables, bridge, every=0.1) for bridge in BRIDGES}
        try:
            until(lambda: all(stream.first() for stream in streams.values()), lambda: f"bridging\n{self.guest}", BOOT)
            return {name: stream.first() - began for name, stream in streams.items()}
        finally:
            for stream in streams.values():
                stream.stop()

    @contextlib.contextmanager
    def outage(self, what, bridge=across("virtio-net-pci")):
        """Measures how long nothing passes, until frames pass again after what is done meanwhile."""
        stream = Stream(self.cables, bridge)
        try:
            stream.wait()
            yield stream
            stream.wait()
            self.measured[what] = stream.outage()
        finally:
            stream.stop()

    def rules(self, bridges=BRIDGES, workers=(1,), **changed):
        cards = dict.fromkeys(card for bridge in bridges for card, _ in (bridge.mud, bridge.wix))
        return {
            "version": 1,
            "ports": {card: {"device": self.addresses[card]} for card in cards},
            "workers": list(workers),
            "idle": "sleep",
            "control": {"group": "sluice"},
            "bridges": {bridge.name: bridge.rules() | changed for bridge in bridges},
        }

    def restart(self, rules=None):
        """With the rules that it was set up with, or others."""
        self.write_rules(rules or self.rules())
        self.guest.run("systemctl restart sluice", BOOT)

    def starts(self):
        """How often systemd has started the service since the machine was."""
        return int(self.guest.run("journalctl -b -u sluice -o cat | grep -c ^Started"))

    def count(self, side, reason):
        """Frames of a side dropped for a reason."""
        return self.guest.show("counters")["sides"][side]["dropped"].get(reason, 0)

    def link(self, card):
        return next(device["link"] for device in self.guest.show("counters")["devices"] if device["port"] == card)

    def write_rules(self, rules):
        """As the file that the service reads: JSON is YAML."""
        self.guest.write("/etc/sluice/sluice.yaml", json.dumps(rules, indent=1))

    def hosts(self, bridge):
        """Two real hosts, one on each side."""
        hosts = []
        for name, (card, vid), mac, addresses, mtu in (
            ("a", bridge.mud, A, [f"{A4}/23", f"{A6}/64"], MTU["mud"]),
            ("b", bridge.wix, B, [f"{B4}/23", f"{B6}/64"], MTU["wix"]),
        ):
            host = TaggedHost(name)
            self.plugged.append(host)
            host.plug_in(self.cables, self.cables[card], vid, mac, addresses, mtu)
            hosts.append(host)
        return hosts

    def pull_hosts(self):
        for host in self.plugged:
            host.pull_out()
            host.delete()
        self.plugged.clear()

    def close(self):
        self.pull_hosts()
        self.guest.close()
        shutil.rmtree(self.folder, ignore_errors=True)
