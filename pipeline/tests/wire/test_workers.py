"""Two workers, each on a core and a queue of every port: net_tap has queues, and the kernel spreads flows over them. Sides
are untagged, because it does not see the flows of tagged frames that a raw socket sends."""

import collections
import json
import time

import pytest

from bench import Bench
from frames import A, A4, B, B4, MEMBERS, arp, changed, rules, udp
from harness import CORES, until

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


# ------------------------------------------------------------------------------------------------ limits


RATE, BURST = 200, 400
STORM, PAUSE = 2000, 0.002
"""Frames to each queue, and how often one comes: to each more than all may have."""


@pytest.fixture
def striped(lab):
    """A bridge whose ports take each queue from a cable of its own: net_tap would put all ARP on one queue, which has no ports to
    spread it by. Gives it, and the cables of side mud."""
    inside, outside = lab.namespace("bridge"), lab.namespace("outside")

    def port(index, side):
        cables = [f"{side}{queue}" for queue in range(2)]
        for cable in cables:
            inside.cable(cable, outside, f"{cable}-far")
        return f"net_pcap{index}," + ",".join(f"rx_iface_in={cable},tx_iface={cable}" for cable in cables)

    devices = {f"trunk{index}": port(index, side) for index, side in enumerate(("mud", "wix"))}
    bridge = {"loop": {"probe": "off"}, "storm": {"mac": {"rate": f"{RATE}/s", "burst": BURST}}}
    tree = rules(devices, {"port": "trunk0"}, {"port": "trunk1"}, workers=CORES[:2], **bridge)
    sluice = lab.sluice("bridge", tree, inside)
    return sluice, [lab.wire(outside, f"mud{queue}-far") for queue in range(2)]


def test_f217_a_station_s_storm_over_the_queues_of_two_workers_is_held_to_the_limit_of_one(striped):
    sluice, cables = striped
    began, frame, sent = time.monotonic(), arp(), 2 * STORM
    for number in range(STORM):
        for wire in cables:
            wire.send(frame)
        time.sleep(max(began + number * PAUSE - time.monotonic(), 0))

    def come():
        """All frames that came, with those that net_pcap, whose buffers are short, did not take while the machine was busy."""
        counters = sluice.ask("counters")
        missed = sum(device["lost"]["missed"] for device in counters["devices"])
        return counters["ports"]["trunk0"]["received"] + missed

    until(lambda: come() == sent, lambda: f"{sent} frames, not {come()}")
    lasted = time.monotonic() - began
    side, limit = sluice.ask("counters")["sides"]["mud"], BURST + RATE * lasted
    shares = received_by_workers(sluice)
    assert min(shares.values()) > 0.6 * limit, f"limits of their own would not let more pass: {shares}"
    assert 0.9 * limit <= side["forwarded"] <= 1.1 * limit, (lasted, side)
    assert set(side["dropped"]) == {"mac_limit"}


# ------------------------------------------------------------------------------------------------ the meter


def grown(sluice, what):
    """Waits until a meter of every worker has grown, and gives all meters as they are then."""
    before = sluice.ask("workers")

    def now():
        workers = sluice.ask("workers")
        return workers if all(new[what] > old[what] for old, new in zip(before, workers)) else None

    return until(now, lambda: f"more {what} than {before}")


def test_the_meter_has_every_frame_in_a_burst_and_every_look_at_a_port(bench):
    cross(bench.mud, flows((A, A4), (B, B4)), bench.wix)
    for worker in bench.sluice.ask("workers"):
        sizes = worker["burst_sizes"]
        assert sum(size * looks for size, looks in enumerate(sizes)) == worker["received"] > 0
        assert sum(sizes) == worker["polls"] and sum(sizes[1:]) == worker["bursts"] > 0
        assert worker["busy_ns"] > 0


def test_a_sleeping_worker_sleeps_while_nothing_comes_and_wakes_for_what_does(bench):
    for _ in range(3):
        grown(bench.sluice, "asleep_ns")
        cross(bench.mud, flows((A, A4), (B, B4)), bench.wix)


@pytest.mark.parametrize("idle", ["poll", "pause"])
def test_a_reload_changes_what_idle_workers_do(bench, idle):
    bench.sluice.reload({**bench.rules, "idle": idle})
    awake = grown(bench.sluice, "idle_ns")
    still = grown(bench.sluice, "idle_ns")
    assert [worker["asleep_ns"] for worker in still] == [worker["asleep_ns"] for worker in awake]
    cross(bench.mud, flows((A, A4), (B, B4)), bench.wix)
    bench.sluice.reload({**bench.rules, "idle": "sleep"})
    grown(bench.sluice, "asleep_ns")


def waiting(*ports_and_sides, **bridge):
    return {**rules(*ports_and_sides, **bridge), "idle": "interrupt"}


def test_with_receive_interrupts_workers_hardly_look_in_silence_and_wake_for_what_comes(lab):
    bench = Bench(lab, {}, {}, make=waiting, workers=CORES[:2], members=MEMBERS, unknown_unicast="drop")
    for _ in range(3):
        cross(bench.mud, flows((A, A4), (B, B4)), bench.wix)
        before, second = bench.sluice.ask("workers"), 10**9

        def slept():
            pairs = list(zip(before, bench.sluice.ask("workers")))
            return pairs if all(new["asleep_ns"] - old["asleep_ns"] > second for old, new in pairs) else None

        for old, new in until(slept, lambda: "a second of sleep"):
            # a look at each of two ports before each wait and after it, of 10 ms; a worker that naps looks ten times as often
            looks, seconds = new["polls"] - old["polls"], (new["asleep_ns"] - old["asleep_ns"]) / second
            assert looks / seconds < 2000, (looks, seconds)
    assert "no receive interrupts" not in bench.sluice.log()


def test_without_receive_interrupts_workers_sleep_and_the_log_says_so(lab):
    null = {"p0": "net_null0,no-rx=1", "p1": "net_null1,no-rx=1"}
    sluice = lab.sluice("bridge", waiting(null, {"port": "p0"}, {"port": "p1"}))
    grown(sluice, "asleep_ns")
    assert sluice.log().count("no receive interrupts: workers go by `idle: sleep`") == 2


def test_show_workers_tells_the_last_second(bench):
    text, shown = bench.sluice.show("workers"), json.loads(bench.sluice.show("workers", "--json"))
    for worker in shown:
        rates = worker["rates"]
        assert rates["seconds"] > 0 and rates["polls_per_s"] > 0
        assert 0 <= rates["asleep_percent"] <= rates["headroom_percent"] <= 100
        assert len(rates["bursts"]) == len(worker["burst_sizes"]) - 1
    assert "headroom" in text and "cycles/frame" in text


# ------------------------------------------------------------------------------------------------ stage by stage


def stages(sluice):
    """Frames by stage, of all workers together, since somebody asked for a profile."""
    total = collections.Counter()
    for worker in sluice.ask("stages"):
        total.update({cost["stage"]: cost["frames"] for cost in worker["stages"]})
    return total


def test_every_frame_that_came_while_stages_were_timed_is_in_one(bench):
    cross(bench.mud, flows((A, A4), (B, B4)), bench.wix)
    before = sum(received_by_workers(bench.sluice).values())
    bench.sluice.ask("profile")
    cross(bench.mud, flows((A, A4), (B, B4)), bench.wix)
    cross(bench.wix, [arp((B, B4), A4)], bench.mud)
    frames = stages(bench.sluice)
    came = sum(received_by_workers(bench.sluice).values()) - before
    assert came == FLOWS + 1 == frames["receive"] == frames["transmit"] == frames["shortcut"] + frames["admit"]
    assert frames["shortcut"] == FLOWS and frames["filter"] == frames["fit"] == 1


def test_stages_that_nobody_had_timed_are_none(bench):
    bench.sluice.ask("profile")
    stages(bench.sluice)
    assert [worker["stages"] for worker in bench.sluice.ask("stages")] == [None, None]


def test_show_workers_tells_the_stages_where_they_are_asked_for(bench):
    text, shown = bench.sluice.show("workers", "--stages"), json.loads(bench.sluice.show("workers", "--stages", "--json"))
    for worker in shown:
        assert worker["rates"]["seconds"] > 0
        assert [cost["stage"] for cost in worker["stages"]][:3] == ["receive", "shortcut", "admit"]
        assert all((cost["frames"], cost["cycles_per_frame"]) == (0, None) for cost in worker["stages"])
    assert "shortcut" in text and "shortcut" not in bench.sluice.show("workers")
