"""A thousand reloads during traffic: not one frame lost, no memory kept (law 4 of docs/ARCHITECTURE.md)."""

import pytest

from bench import Bench
from frames import MEMBERS, changed
from harness import CORES, until
from traffic import Traffic

RELOADS = 1000
WARM = 100
"""Reloads after which all that is allocated once has been."""
SLACK = 256
"""KiB that the allocator may be untidy by: rules that stay after a reload would be many times that."""


# untagged where the kernel must see the flows, to spread them over the workers
@pytest.mark.parametrize(
    ("workers", "mud", "wix"), [(1, {"vlan": 10}, {"vlan": 20}), (2, {}, {})], ids=["one_worker", "two_workers"]
)
def test_a_thousand_reloads_during_traffic_lose_no_frame_and_keep_no_memory(lab, workers, mud, wix):
    if len(CORES) < workers:
        pytest.skip("two workers need two cores")
    bench = Bench(lab, mud, wix, workers=CORES[-workers:])
    more = {"name": "c", "side": "mud", "mac": "02:cc:00:00:00:0c", "ipv4": ["202.7.0.30"]}
    without, with_c = bench.rules, changed(bench.rules, "bridges", "wix", "members", to=[*MEMBERS, more])

    # the rate is one at which this machine loses nothing by itself
    traffic = Traffic(bench)
    until(lambda: traffic.sent.value > 10_000, "10,000 frames sent")
    quiet = traffic.stop()
    assert (quiet.lost, quiet.twice, quiet.received) == (0, 0, quiet.sent), quiet

    traffic = Traffic(bench)
    for reload in range(1, RELOADS + 1):
        bench.sluice.reload(with_c if reload % 2 else without)
        if reload == WARM:
            warm = bench.sluice.resident()
    grown = bench.sluice.resident() - warm
    busy = traffic.stop()

    print(f"{RELOADS} reloads during {busy.sent} frames; {grown} KiB more in use than after {WARM}")
    assert (busy.lost, busy.twice, busy.received) == (0, 0, busy.sent), busy
    assert bench.sluice.log().count("frames_lost=0") == bench.sluice.log().count("reloaded generation=") == RELOADS
    counters = bench.sluice.ask("counters")
    assert counters["generation"] == 1 + RELOADS
    assert counters["outcomes"] == {"forwarded": quiet.sent + busy.sent, "answered": 0}
    assert all(worker["received"] for worker in bench.sluice.ask("workers"))
    assert grown <= SLACK
