"""Everything at once for as long as is asked for: full load over memif, and in the same process a bridge on cables that flap, with
storms, mutated frames, reloads good and bad, and hostile clients on the control socket. `scripts/soak` runs it for long."""

import contextlib
import itertools
import json
import os
import random
import re
import socket
import subprocess
import time

from frames import A, A4, B, B4, B6, MEMBERS, arp, bpdu, changed, fence, fragments, router_advertisement, rules
from frames import solicitation, strict, tagged, udp, udp6
from harness import CORES, balance, command, program, until
from test_generator import QUICK, generator

SECONDS = float(os.environ.get("SOAK_SECONDS", 25))
SEED = int(os.environ.get("SOAK_SEED", random.SystemRandom().randrange(1 << 32)))
WARM = 0.25
"""The share of the time after which everything has happened once and all memory was touched."""
FLAT = 1.01
"""By which the memory in use may have grown since then: one per cent."""
MIX = "ip4=60,ip6=30,arp=2,nd=2,broadcast=3,foreign-arp=3"

SOURCES = {"icmp_source4": "192.0.2.1", "icmp_source6": "2001:db8::1"}

EXPLAINED = re.compile(
    "not reloaded, the rules stay as they were: .*soak.yaml"  # the bad ones
    '|link is down: nothing passes this port port="m[01]"'  # before the generator is there
    '|no response from the worker on core|event="worker_(stuck|back)"'  # the machine has other work: `waited` says how much
    "|more events than could be told one by one"  # invented MACs
    # what mutated frames and storms show, told of its ports
    '|event="(mac_wrong_side|bpdu_seen|arp_net_bcast|arp_spoof|nd_spoof|ra_seen|redirect_seen|dad_for_member|ip_conflict|ip_conflict_own'
    '|own_duplicate)" (bridge="wires" side="\\w+" )?port="w[01]"'
)


class World:
    """One process with two bridges: `load` on memif, with a generator on it, and `wires` on two veth cables."""

    def __init__(self, lab, chance):
        self.lab, self.chance, self.done = lab, chance, {}
        self.memif = lab.folder / "generator.memif"
        self.namespace, self.outside = lab.namespace("bridge"), lab.namespace("outside")
        for port in ("w0", "w1"):
            self.namespace.cable(port, self.outside, f"{port}-far")
        end = f"role=server,socket={self.memif},socket-abstract=no,rsize=10"
        load = {f"m{id}": f"net_memif{id},id={id},{end}" for id in (0, 1)}
        more = {"macs": {"new": QUICK}, "unknown_unicast": QUICK, "loop": {"probe": "off"}, "own": SOURCES}
        tree = rules(load, {"port": "m0", "vlan": 10}, {"port": "m1", "vlan": 20}, **more)
        wires = strict({f"w{id}": f"net_pcap{id},iface=w{id}" for id in (0, 1)}, {"port": "w0", "vlan": 10}, {"port": "w1", "vlan": 20})
        tree["ports"] |= wires["ports"]
        tree["bridges"] = {"load": tree["bridges"]["wix"], "wires": wires["bridges"]["wix"]}
        self.with_c = changed(tree, "bridges", "wires", "members", to=[*MEMBERS, {"name": "c", "mac": "02:cc:00:00:00:0c"}])
        self.tree, self.forms = tree, itertools.cycle([self.with_c, tree])
        self.sluice = lab.sluice("soak", tree, self.namespace)
        self.near, self.far = (lab.wire(self.outside, f"w{id}-far") for id in (0, 1))
        self.generator = self.start_generator()
        self.held, self.generation = [], 1

    def start_generator(self):
        """It holds on until the bridge has ended, for DPDK's memif driver may crash when its peer leaves."""
        core = ("--core", str(CORES[0]), "--socket", str(self.memif), "--hold")
        command = [generator(), *core, "--macs", "100", "--seconds", str(round(SECONDS)), "--mix", MIX]
        with open(self.lab.folder / "generator.err", "w") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.lab.afterwards(process.kill)
        return process

    def once(self):
        """Something that happens."""
        what = self.chance.choice(
            [self.flaps, self.storm, self.mutated, self.mutated, self.reloads, self.reloads, self.reloads_badly, self.nonsense,
             self.half_open, self.crowd, self.asks, self.asks, self.crosses]
        )
        what()
        self.done[what.__name__] = self.done.get(what.__name__, 0) + 1

    # ---- on the wires

    def send(self, wire, frame):
        with contextlib.suppress(OSError):  # a cable is down, or its queue is full
            wire.send(frame)

    def flaps(self):
        """A cable is pulled and put back."""
        port = self.chance.choice(["w0-far", "w1-far"])
        self.outside.run("ip", "link", "set", port, "down")
        time.sleep(self.chance.uniform(0, 0.3))
        self.send(self.near, tagged(udp(), 10))
        self.outside.run("ip", "link", "set", port, "up")

    def storm(self):
        """Broadcasts of a member and of invented stations."""
        for _ in range(500):
            source = A if self.chance.random() < 0.3 else f"02:ee:{self.chance.randrange(256):02x}:00:00:{self.chance.randrange(256):02x}"
            self.send(self.near, tagged(bytes.fromhex("ff" * 6 + source.replace(":", "")) + bytes(arp())[12:], 10))

    def mutated(self):
        """Frames of every kind with some bits changed, cut, or with bytes put in."""
        wire, vid = self.chance.choice([(self.near, 10), (self.far, 20)])
        kinds = [udp(), udp6(), arp(), solicitation(target=B6), router_advertisement(), bpdu(), *fragments()]
        for _ in range(100):
            frame = bytearray(tagged(self.chance.choice(kinds), vid))
            for _ in range(self.chance.randrange(1, 6)):
                at = self.chance.randrange(12, len(frame))
                change = self.chance.randrange(4)
                if change == 0:
                    frame[at] ^= 1 << self.chance.randrange(8)
                elif change == 1:
                    frame[at] = self.chance.choice([0, 1, 0x7F, 0x80, 0xFF])
                elif change == 2:
                    frame[at:at] = self.chance.randbytes(self.chance.randrange(1, 20))
                else:
                    del frame[max(at, 20) :]
            self.send(wire, bytes(frame))

    def crosses(self):
        """A member's frame arrives, whatever else goes on."""
        last = fence((A, A4), (B, B4))

        def arrives():
            self.send(self.near, tagged(last, 10))
            while frame := self.far.receive(patience=0.05):
                if frame == tagged(last, 20):
                    return True
            return False

        until(arrives, "a member's frame on the other side")

    # ---- reloads

    def reloads(self):
        """Where the machine gave the worker no core for a second, it is refused, and tried again."""
        self.sluice.write(next(self.forms))
        until(lambda: command(program(), "reload", "--socket", str(self.sluice.socket), check=False).returncode == 0, "a reload")
        self.generation += 1
        assert self.sluice.generation() == self.generation

    def reloads_badly(self):
        """Rules that are wrong, or no rules at all: nothing changes."""
        bad = changed(self.tree, "bridges", "wires", "sides", "mud", "port", to="nowhere")
        self.sluice.write(self.chance.choice([bad, "version: [", ""]))
        before = self.sluice.log().count("not reloaded")
        self.sluice.hang_up()
        until(lambda: self.sluice.log().count("not reloaded") > before, "a refusal")
        assert self.sluice.generation() == self.generation

    # ---- at the control socket

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(str(self.sluice.socket))
        return client

    def nonsense(self):
        for line in (b"\0" * 300, b"counters\0\n", self.chance.randbytes(1000), b"macs " * 100 + b"\n", b"\n"):
            with contextlib.suppress(OSError), self.connect() as client:
                client.sendall(line)
                client.recv(1 << 16)

    def half_open(self):
        """Clients that say nothing, or half a word, and stay; some of them leave later."""
        with contextlib.suppress(OSError):
            client = self.connect()
            client.sendall(self.chance.choice([b"", b"cou"]))
            self.held.append(client)
        while len(self.held) > 4:
            self.held.pop(0).close()

    def crowd(self):
        """Many at once that ask and do not stay for the answer."""
        for _ in range(50):
            with contextlib.suppress(OSError), self.connect() as client:
                client.sendall(self.chance.choice([b"counters\n", b"macs\n", b"workers\n"]))

    def asks(self):
        """An honest question is answered."""
        balance(self.sluice.ask("counters"))


def test_everything_at_once_leaves_true_books_flat_memory_and_no_warning_unexplained(lab):
    print(f"{SECONDS:.0f} s, seed {SEED}")
    world = World(lab, random.Random(SEED))
    began, warm, most = time.monotonic(), None, 0
    while (elapsed := time.monotonic() - began) < SECONDS:
        world.once()
        if elapsed >= WARM * SECONDS:
            warm = warm or world.sluice.resident()
            most = max(most, world.sluice.resident())
    for client in world.held:
        client.close()
    report = json.loads(world.generator.stdout.readline())
    counters = world.sluice.ask("counters")
    print(f"{world.done}\ngeneration {counters['generation']}, {sum(counters['outcomes'].values())} frames: {counters['outcomes']}")
    print(f"generator: {report['sent']} sent, {report['received']} received, bad {report['bad']}; memory {warm} to {most} KiB")

    assert report["bad"] == 0, (lab.folder / "generator.err").read_text()
    assert report["received"]["a"] > 0 and report["received"]["b"] > 0
    assert counters["generation"] == world.generation
    assert most <= warm * FLAT, f"memory in use grew from {warm} to {most} KiB"
    world.sluice.stop()  # with books that balance
    told = [line for line in world.sluice.log().splitlines() if re.search(r"\b(WARN|ERROR)\b", line) or "INFO" not in line]
    unexplained = [line for line in told if not EXPLAINED.search(line)]
    assert not unexplained, "\n".join(unexplained[:20])
