"""Two workers, each on a core and a queue of every port: net_tap has queues, and the kernel spreads flows over them. Sides
are untagged, because it does not see the flows of tagged frames that a raw socket sends."""

import pytest

from bench import Bench
from frames import A, A4, B, B4, MEMBERS, arp, changed, rules, udp
from harness import CORES

FLOWS = 256

pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="two workers need two cores")


def flows(source, to):
    """A packet of each of many flows."""
    return [udp(source, to, flow=flow) for flow in range(FLOWS)]


def received_by_workers(sluice):
    return {worker["core"]: worker["received"] for worker in sluice.ask("workers")}


def cross(wire, frames, far):
    """Sends frames that must all come out; two workers may let them overtake each other."""
    for frame in frames:
        wire.send(frame)
    assert sorted(far.receive() or b"" for _ in frames) == sorted(frames)


@pytest.fixture
def bench(lab, request):
    settings = {"members": MEMBERS, "unknown_unicast": "drop", **getattr(request, "param", {})}
    return Bench(lab, {}, {}, make=rules, workers=CORES[:2], **settings)


def test_both_forward_and_together_they_count_every_frame(bench):
    cross(bench.mud, flows((A, A4), (B, B4)), bench.wix)
    cross(bench.wix, flows((B, B4), (A, A4)), bench.mud)
    shares = received_by_workers(bench.sluice)
    assert sorted(shares) == CORES[:2] and all(shares.values()), shares
    assert sum(shares.values()) == 2 * FLOWS
    assert bench.sluice.stop()["outcomes"] == {"forwarded": 2 * FLOWS, "answered": 0}


@pytest.mark.parametrize("bench", [{"members": []}], indirect=True)
def test_what_one_learns_both_know(bench):
    """One frame tells one worker where a is; unknown destinations are dropped, so only a shared table finds a for all flows."""
    cross(bench.mud, [arp()], bench.wix)
    heard_by = [core for core, frames in received_by_workers(bench.sluice).items() if frames]
    assert len(heard_by) == 1
    cross(bench.wix, flows((B, B4), (A, A4)), bench.mud)
    shares = received_by_workers(bench.sluice)
    assert all(shares.values()), shares
    assert {mac["mac"]: mac["side"] for mac in bench.sluice.ask("macs")["macs"]} == {A: "mud", B: "wix"}


def test_new_rules_reach_both(bench):
    without_b = changed(bench.rules, "bridges", "wix", "members", to=MEMBERS[:1])
    bench.sluice.reload(changed(without_b, "bridges", "wix", "admission", to="members"))
    for frame in flows((A, A4), (B, B4)):
        bench.mud.send(frame)
    bench.refused({"dst_not_member": FLOWS})
    assert all(received_by_workers(bench.sluice).values())
