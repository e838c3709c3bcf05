"""The runner from end to end against a simulated server, and what it says where something is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from compiled import STANDIN
from server import quantiles

RUN = Path(__file__).resolve().parents[1] / "run"


def run(*options, trex=STANDIN):
    # a busy host's gaps change no result here, where all is simulated
    common = ["--software", "--seconds", "0.25", "--gap", "1e6", "--json"]
    command = [sys.executable, "-B", str(RUN), "--trex", str(trex), *common, *options]
    return subprocess.run(command, capture_output=True, text=True)


def rows(done):
    assert not done.returncode, done.stderr
    shown = json.loads(done.stdout)
    assert shown["schema"] == 1 and shown["versions"]["TRex"] == "v3.0-simulated" and not shown["skipped"]
    return {row["case"]: row for row in shown["rows"]}


def test_finds_what_the_device_carries(tmp_path):
    found = rows(run("--sizes", "64", "imix", "--reload-command", "true", "--reload-every", "1", "--out", str(tmp_path)))
    for size in ("64 B", "IMIX"):
        ndr, pdr = (found[f"{size}, 100 MACs, tagged, {goal}"] for goal in ("NDR", "PDR"))
        assert ndr["median"] == pytest.approx(2.0, rel=0.0051) and ndr["unit"] == "Mpps" and ndr["harness"] == "trex"
        assert ndr["median"] <= pdr["median"] == pytest.approx(2.01, rel=0.0051)
        for share in ("10%", "50%", "90%"):
            assert found[f"{size} latency, p50 at {share} of NDR"]["median"] == 35
        assert found[f"{size} blocked, with reloads"]["runs"] == [0] * 5 == found[f"{size} blocked, without"]["runs"]
        assert found[f"{size} blocked, with reloads"]["notes"]
    assert "| sluice |" in (tmp_path / "results.md").read_text()
    assert json.loads((tmp_path / "results.json").read_text())["rows"]


def test_counts_the_load_apart_from_what_is_to_be_dropped():
    found = rows(run("--sizes", "64", "--no-latency", "--with", "storm=1000", "--with", "background=100"))
    assert found["64 B, 100 MACs, tagged, storm 1000/s, background 100/s, NDR"]["median"] == pytest.approx(2.0, rel=0.0051)


def test_says_when_the_source_or_the_plan_was_the_limit():
    found = rows(run("--sizes", "64", "--no-latency", "--max-mpps", "1.5"))
    assert any("at least this" in note for note in found["64 B, 100 MACs, tagged, NDR"]["notes"])


@pytest.mark.parametrize(
    "options, message",
    [
        (["--server", "192.0.2.1"], "no TRex server at 192.0.2.1"),
        (["--ports", "0", "7"], "ports 0 and 7"),
        (["--ports", "1", "1"], "two different ports"),
        (["--set", "mac-a=nonsense"], "does not take"),
        (["--profile", "nowhere.py"], "nowhere.py"),
        (["--sizes", "64", "--no-latency", "--reload-command", "echo no such process >&2; exit 1"], "no such process"),
    ],
)
def test_says_what_is_wrong(options, message):
    done = run(*options)
    assert done.returncode and message in done.stderr and "Traceback" not in done.stderr


def test_a_reload_that_fails_under_load_ends_it(tmp_path):
    once = tmp_path / "once"
    command = f"test ! -e {once} && touch {once} || {{ echo gone >&2; exit 1; }}"
    done = run("--sizes", "64", "--no-latency", "--reload-every", "1", "--reload-command", command)
    assert done.returncode and "gone" in done.stderr and "Traceback" not in done.stderr


def test_says_that_there_is_no_trex(tmp_path):
    done = run(trex=tmp_path)
    assert done.returncode and f"no TRex in {tmp_path}" in done.stderr


def test_quantiles_are_the_upper_ends_of_trex_steps():
    # 30 stands for 30 to 40, 900 for 900 to 1000, 0 for what is below 10
    assert quantiles({30: 98, 900: 2}) == {0.5: 40, 0.99: 1000}
    assert quantiles({0: 1}) == {0.5: 10, 0.99: 10}
