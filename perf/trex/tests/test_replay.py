"""What the bridge itself makes of the profiles' frames, with the rules of the example: `sluice replay` over captures of them."""

import json
import os
import struct
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("scapy", reason="install python3-scapy")

from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6PacketTooBig
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader

from compiled import STANDIN, compiled, frames, trex

pytestmark = pytest.mark.skipif("SLUICE" not in os.environ, reason="set SLUICE to the program")
RULES = Path(__file__).resolve().parents[3] / "rules/examples/wix.yaml"
SIDES = ("mud", "wix")


class Bench:
    """Ports' frames in time, and the books after them."""

    def __init__(self, api, folder):
        self.api, self.folder = api, folder
        self.sent = {side: [] for side in SIDES}
        self.now = 0.0

    def send(self, profile, seconds, rate, directions=(0, 1), **tunables):
        """A profile at frames/s of each port, after what was sent before."""
        for direction in directions:
            found = frames(compiled(self.api, profile, direction, **tunables), round(seconds * rate))
            self.sent[SIDES[direction]] += [(self.now + place / rate, data) for place, data in enumerate(found)]
        self.now += seconds

    def books(self):
        """What became of all of it, and what left on each side: (books, {side: frames})."""
        command = [os.path.abspath(os.environ["SLUICE"]), "replay", "-c", RULES, "--json"]
        for side, sent in self.sent.items():
            write_capture(self.folder / f"{side}.in", sent)
            command += ["--in", f"{side}={self.folder / side}.in", "--out", f"{side}={self.folder / side}.out"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert not done.returncode, done.stderr
        books = json.loads(done.stdout)
        assert books["unaccounted"] == 0
        outcomes = {name: count for name, count in books["outcomes"].items() if count}
        assert sum(outcomes.values()) == sum(map(len, self.sent.values()))
        left = {side: [bytes(frame) for frame in PcapReader(str(self.folder / f"{side}.out"))] for side in SIDES}
        return outcomes, {name: count for name, count in books["causes"].items() if count}, left


def write_capture(path, sent):
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for when, data in sent:
            whole, part = divmod(round(when * 1e6), 1_000_000)
            file.write(struct.pack("<IIII", whole, part, len(data), len(data)) + data)


@pytest.fixture(params=["stand-in", "trex"])
def bench(request, tmp_path):
    if request.param == "trex" and "TREX" not in os.environ:
        pytest.skip("set TREX to the folder of a TRex v3.x")
    return Bench(STANDIN if request.param == "stand-in" else trex(), tmp_path)


@pytest.mark.parametrize("size", ["64", "imix", "1518"])
@pytest.mark.parametrize("flows", ["field", "streams"])
def test_unicast_is_forwarded(bench, size, flows):
    bench.send("unicast", 0.5, 2000, size=size, flows=flows)
    outcomes, causes, out = bench.books()
    assert outcomes == {"forwarded": 2000}
    assert set(causes) <= {"mac_new", "unknown_flooded"} and causes["mac_new"] == 100
    # with nothing but the tag changed
    retagged = lambda data, vlan: data[:14] + vlan.to_bytes(2, "big") + data[16:]
    assert sorted(out["wix"]) == sorted(retagged(data, 20) for _, data in bench.sent["mud"])
    assert sorted(out["mud"]) == sorted(retagged(data, 10) for _, data in bench.sent["wix"])


def test_latency_frames_are_forwarded(bench):
    bench.send("latency", 0.5, 1000)
    assert bench.books()[0] == {"forwarded": 1000}


def test_the_background_crosses(bench):
    bench.send("background", 4, 200)
    outcomes, causes, _ = bench.books()
    assert outcomes == {"forwarded": 1600} and set(causes) == {"mac_new"}


def test_foreign_arp_is_dropped_as_such(bench):
    bench.send("unicast", 0.1, 1000)
    bench.send("foreign_arp", 1, 20_000, directions=[1])
    outcomes, _, out = bench.books()
    assert outcomes == {"forwarded": 200, "arp_not_wix": 20_000}
    assert len(out["mud"]) == 100


@pytest.mark.parametrize("stations, limit", [(50, "bcast_limit"), (1, "mac_limit")])
def test_a_storm_is_limited_and_unicast_is_not(bench, stations, limit):
    bench.send("unicast", 0.1, 1000)
    began = bench.now
    bench.send("storm", 1, 20_000, directions=[0], stations=stations)
    bench.now = began
    bench.send("unicast", 1, 1000, directions=[1])
    outcomes, _, out = bench.books()
    assert set(outcomes) == {"forwarded", limit}
    # a second of 1000/s and a bucket of 2000 for the side; 50/s and 300 for one station
    passed = {"bcast_limit": 3000, "mac_limit": 350}[limit]
    assert outcomes["forwarded"] == pytest.approx(200 + 1000 + passed, abs=3)
    assert len(out["mud"]) == 100 + 1000


def test_oversize_draws_packet_too_big(bench):
    bench.send("unicast", 0.1, 1000)
    bench.send("oversize", 1, 40, directions=[0])
    outcomes, causes, out = bench.books()
    assert outcomes == {"forwarded": 200, "too_big": 40} and causes["ptb_sent"] == 40
    errors = [Ether(data) for data in out["mud"] if len(data) > 60]
    assert len(errors) == 40
    # to the station that sent it, with the MTU
    assert {error.dst for error in errors} == {f"02:aa:00:00:00:{number:02x}" for number in range(20)}
    v6 = [error[ICMPv6PacketTooBig].mtu for error in errors if error.haslayer(ICMPv6PacketTooBig)]
    v4 = [(error[ICMP].type, error[ICMP].code, error[ICMP].nexthopmtu) for error in errors if error.haslayer(ICMP)]
    assert v6 == [1500] * 20 and v4 == [(3, 4, 1500)] * 20


def test_what_just_fits_draws_nothing(bench):
    bench.send("unicast", 0.1, 1000)
    bench.send("oversize", 1, 40, directions=[0], mtu=1499)
    assert bench.books()[0] == {"forwarded": 240}
