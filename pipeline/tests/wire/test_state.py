"""What is learned, kept over a restart: a restart floods nothing, and no state file harms a start."""

import json
import os
import signal
import stat
import subprocess

import pytest

from frames import A, A4, B, B4, arp, changed, is_probe, rules, tagged, udp
from harness import command, program, until
from test_control import idle_rules

QUIET = {"unknown_unicast": "drop"}
"""What is not known is dropped: only what was learned, or restored, passes."""


class World:
    """A bridge that learns, between two taps in one namespace, as often as it is started, always with the same file."""

    def __init__(self, lab):
        self.lab, self.namespace = lab, lab.namespace("bridge")
        self.state = lab.folder / "kept" / "state"
        self.state.parent.mkdir()
        devices = {port: f"net_tap{index},iface={port}" for index, port in enumerate(("trunk0", "trunk1"))}
        mud = {"port": "trunk0", "vlan": 10, "mac": "02:51:00:00:00:0a"}
        wix = {"port": "trunk1", "vlan": 20, "mac": "02:51:00:00:00:14"}
        self.rules = rules(devices, mud, wix, loop={"probe": "off"}, **QUIET)
        self.starts = 0

    def start(self, options=None, before=(), with_rules=None):
        self.starts += 1
        options = ("--json", "--state", str(self.state)) if options is None else options
        sluice = self.lab.sluice(
            f"start{self.starts}", with_rules or self.rules, self.namespace, options=options, before=before
        )
        ports = ("trunk0", "trunk1")
        self.mud, self.wix = (self.lab.wire(self.namespace, port, aside=is_probe) for port in ports)
        self.sluice = sluice
        return sluice

    def learn(self):
        """a speaks on mud, and says which address it has."""
        self.mud.send(tagged(arp(), 10))
        assert self.wix.receive() == tagged(arp(), 20)
        until(lambda: self.sluice.ask("neighbours")["neighbours"], "the neighbour")

    def passes_at_once(self):
        """The first frame of all is for a: it crosses."""
        self.wix.send(tagged(udp((B, B4), (A, A4)), 20))
        return self.mud.receive() == tagged(udp((B, B4), (A, A4)), 10)


@pytest.fixture
def world(lab):
    return World(lab)


def macs(sluice):
    return {mac["mac"]: mac["side"] for mac in sluice.ask("macs")["macs"]}


def test_after_a_restart_a_learned_station_gets_the_first_frame(world):
    first = world.start()
    world.learn()
    neighbours = [(it["address"], it["mac"], it["flags"]) for it in first.ask("neighbours")["neighbours"]]
    assert neighbours == [(A4, A, "R")]
    first.stop()
    second = world.start()
    assert world.passes_at_once()
    assert "state restored macs=1 neighbours=1 saved_s=" in second.log()
    assert macs(second)[A] == "mud"
    assert [(it["address"], it["mac"], it["flags"]) for it in second.ask("neighbours")["neighbours"]] == neighbours


def test_a_bridge_that_was_killed_knows_what_it_knew_seconds_before(world):
    first = world.start()
    world.learn()
    until(lambda: world.state.exists() and A in world.state.read_text(), "a state file while it runs")
    world.lab.running.remove(first)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    world.start()
    assert world.passes_at_once()


def test_the_folder_that_systemd_gives_is_used(world):
    world.start(options=("--json",), before=("env", f"STATE_DIRECTORY={world.state.parent}")).stop()
    assert json.loads(world.state.read_text().splitlines()[0])["sluice_state"] == 1
    assert [file.name for file in world.state.parent.iterdir()] == ["state"]


def test_without_a_folder_nothing_is_kept(world):
    first = world.start(options=("--json",))
    world.learn()
    first.stop()
    assert list(world.state.parent.iterdir()) == []


def damaged(text):
    return text.replace('"side":0', '"side":1', 1)


BAD = {
    "cut": (lambda text: text[:-20], "it was cut, or written to"),
    "damaged": (damaged, "it is damaged: its checksum is wrong"),
    "empty": (lambda text: "", "it is no state file of sluice"),
    "foreign": (lambda text: "root:x:0:0::/root:/bin/sh\n" * 9, "it is no state file of sluice"),
    "of another version": (lambda text: text.replace('"sluice_state":1', '"sluice_state":7'), "it is of version 7"),
    "huge": (lambda text: text + "x" * (16 << 20), "it is larger than all that the tables of these rules can hold"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_file_is_refused_with_its_reason_and_the_bridge_starts_without(world, how):
    first = world.start()
    world.learn()
    first.stop()
    spoil, reason = BAD[how]
    world.state.write_text(spoil(world.state.read_text()))
    second = world.start()
    assert f"no state restored, all is learned anew: {reason}" in second.log()
    assert macs(second) == {}
    world.learn()
    assert world.state.with_suffix(".refused").exists()


def test_a_device_that_is_named_as_the_state_stays_one_and_nothing_is_kept(world):
    os.mknod(world.state, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    first = world.start()
    world.learn()
    first.stop()
    assert "the state is not saved, and a restart would learn all anew: it is no file" in first.log()
    assert stat.S_ISCHR(world.state.stat().st_mode) and len(list(world.state.parent.iterdir())) == 1


def test_a_state_that_others_can_write_is_not_believed(world):
    first = world.start()
    world.learn()
    first.stop()
    os.chown(world.state, 65534, -1)
    second = world.start()
    assert "no state restored, all is learned anew: others can write it" in second.log()
    assert macs(second) == {}


def test_a_bridge_whose_sides_changed_starts_without_and_says_so(world):
    first = world.start()
    world.learn()
    first.stop()
    second = world.start(with_rules=changed(world.rules, "bridges", "wix", "sides", "mud", "vlan", to=11))
    assert "state restored; refused: 2 of bridge wix, whose sides have other names, ports or VLANs now" in second.log()
    assert macs(second) == {}


def test_a_station_that_was_pinned_elsewhere_since_is_where_the_rules_say(world):
    first = world.start()
    world.learn()
    first.stop()
    member = {"name": "a", "side": "wix", "mac": A, "ipv4": ["202.7.0.99"]}
    second = world.start(with_rules=changed(world.rules, "bridges", "wix", "members", to=[member]))
    assert "1 pinned by the rules" in second.log()
    assert second.ask("members")[0]["side"] == "wix"


def test_a_full_disk_is_told_once_counted_and_over_when_there_is_room_again(world):
    folder = world.state.parent
    command("mount", "-t", "tmpfs", "-o", "size=64k", "sluice-wire", str(folder))
    world.lab.afterwards(lambda: command("umount", str(folder), check=False))
    filler = folder / "filler"
    with pytest.raises(OSError), open(filler, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    sluice = world.start()
    world.learn()
    sluice.wait_for_log("the state is not saved, and a restart would learn all anew: No space left on device")
    failures = sluice.ask("counters")["state_save_failures"]
    until(lambda: sluice.ask("counters")["state_save_failures"] > failures, "another try")
    assert sluice.log().count("the state is not saved") == 1 and "the state was not saved" in sluice.show("counters")
    assert world.passes_at_once() and sorted(file.name for file in folder.iterdir()) == ["filler"]
    filler.unlink()
    sluice.wait_for_log("the state is saved again")
    assert A in world.state.read_text()


def test_a_folder_that_is_not_there_harms_nothing(world):
    sluice = world.start(options=("--json", "--state", "/nonexistent/sluice/state"))
    world.learn()
    sluice.stop()
    assert "the state is not saved" in sluice.log()


def test_a_replay_keeps_nothing(lab):
    folder = lab.folder / "kept"
    folder.mkdir()
    file, capture = lab.folder / "rules.yaml", lab.folder / "in.pcap"
    file.write_text(json.dumps(idle_rules()))
    capture.write_bytes(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
    arguments = [program(), "replay", "-c", str(file), "--in", f"mud={capture}"]
    result = subprocess.run(arguments, env={"STATE_DIRECTORY": str(folder)}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert list(folder.iterdir()) == []
