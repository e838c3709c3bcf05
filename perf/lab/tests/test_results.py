"""Results: medians, spread, ratios, Markdown."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab import results

MACHINE = {"cpu": "Example CPU", "cores": 2, "tsc_ghz": 2.5, "kernel": "6.1", "memory": "huge pages"}


def shown(rows, skipped=()):
    return {"schema": 1, "command": ["compare", "--quick"], "commit": "abc1234", "date": "2026-01-02T03:04:05+00:00", "machine": MACHINE,
            "versions": {"DPDK": "22.11.11"}, "rows": rows, "skipped": list(skipped)}


def pair(case="64 B, 1,000 MACs", **more):
    theirs = [20.0, 10.0, 18.0]  # the second round was slow for both
    yardstick = results.row("memif", "testpmd macswap", case, theirs, tsc_ghz=2.5)
    return [yardstick, results.row("memif", "sluice", case, [16.0, 8.0, 12.0], tsc_ghz=2.5, against=("macswap", theirs), **more)]


def test_median_and_spread():
    assert results.summary([3, 1, 2]) == {"runs": [3, 1, 2], "median": 2, "spread": 1.0}
    assert results.summary([1, 2])["median"] == 1.5


def test_spread_where_the_median_is_zero():
    assert results.summary([0, 0, 0])["spread"] == 0.0
    assert results.summary([0, 0, 5])["spread"] is None


def test_a_ratio_is_that_of_its_round():
    found = pair()[1]["ratio"]
    assert found["to"] == "macswap"
    assert found["runs"] == pytest.approx([0.8, 0.8, 2 / 3])
    assert found["median"] == pytest.approx(0.8)


def test_a_ratio_needs_the_same_rounds():
    with pytest.raises(ValueError):
        results.row("memif", "sluice", "64 B", [1.0], against=("macswap", [1.0, 2.0]))


def test_cycles_are_those_of_the_median_and_of_rates_only():
    assert pair()[0]["cycles"] == pytest.approx(2500 / 18)
    assert "cycles" not in results.row("memif", "sluice", "idle", [7.0], unit="us", tsc_ghz=2.5)


def test_markdown_is_a_table_a_harness_and_size():
    rows = pair() + pair("64 B, 100,000 MACs") + pair("1518 B, 1,000 MACs")
    rows += [results.row("net_pcap", "sluice", "64 B, 100 members", [30.0])]
    text = results.markdown(shown(rows))
    assert text.count("### ") == 3
    assert "| | 1,000 MACs | 100,000 MACs |" in text
    assert "| sluice | **12**, 208 cycles, 80.0% (66.7%) |" in text
    assert text.startswith("Example CPU, 2 cores, TSC 2.50 GHz, Linux 6.1, huge pages, DPDK 22.11.11, sluice abc1234; 2026-01-02")


def test_markdown_leaves_no_doubt():
    rows = pair(disturbed=2, notes=["the source was the bottleneck"])
    text = results.markdown(shown(rows, [{"dut": "ovs", "why": "not installed: apt-get install openvswitch-switch-dpdk"}]))
    assert "(66.7%)* |" in text and "\\* some of its runs were disturbed" in text
    assert "- memif, sluice, 64 B, 1,000 MACs: the source was the bottleneck" in text
    assert "- skipped: ovs: not installed: apt-get install openvswitch-switch-dpdk" in text


def test_a_case_without_a_size_and_another_unit():
    rows = [results.row("memif", "sluice", "half loaded", [4.0, 5.0, 6.0], unit="us p99"), results.row("memif", "sluice", "64 B", [9.0])]
    assert list(results.tables(rows)) == [("memif", "", "us p99"), ("memif", "", "Mpps")]
    assert "us p99: median of 3 (spread)" in results.markdown(shown(rows))


def test_a_plot_is_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    results.plot(shown(pair() + pair("1518 B, 1,000 MACs")), tmp_path / "results.png")
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
