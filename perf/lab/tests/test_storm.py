"""perf/storm: what its rows and verdicts say of runs."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

PERF = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PERF))

# a program without a suffix
loader = importlib.machinery.SourceFileLoader("storm", str(PERF / "storm"))
storm = importlib.util.module_from_spec(importlib.util.spec_from_loader("storm", loader))
sys.modules["storm"] = storm
loader.exec_module(storm)


def run(**more):
    return {"arrived": 0.99, "offered": 5e6, "why": "", "storm": 7e6, "outcomes": {"forwarded": 10, "bcast_limit": 20}, "capacity": 1e7,
            "each": 190.0, "listed": None} | more


def row(rows, what):
    return next((row for row in rows if row["dut"] == what), None)


LISTED = "of a listed station's broadcast arrived"


def test_the_listed_station_s_part_is_a_row_with_a_verdict():
    found = row(storm.rows([run(listed=listed) for listed in (0.94, 0.96, 1.0)], "case"), LISTED)
    assert (found["unit"], found["median"], found["notes"]) == ("%", 96, ["at least 95% must arrive: yes"])


def test_under_95_percent_the_verdict_is_no():
    found = row(storm.rows([run(listed=listed) for listed in (0.94, 0.94, 1.0)], "case"), LISTED)
    assert found["notes"] == ["at least 95% must arrive: NO"]


def test_a_storm_without_a_listed_station_has_no_such_row():
    rows = list(storm.rows([run()], "case"))
    assert row(rows, LISTED) is None
    assert row(rows, "of side B's unicast arrived")["notes"] == [
        "at least 90% must arrive: yes; the books balance: bcast_limit 20, forwarded 10"]


def test_what_the_generator_reports_of_the_listed_station():
    assert storm.of_listed({"extra": {"sent": 32, "received": 24}}) == 0.75
    assert storm.of_listed({"extra": {"sent": 0, "received": 0}}) is None


def test_the_storm_of_strangers_and_its_rules_speak_of_the_same_stations():
    members, strangers = storm.storms(100)
    assert members.extra is None and not members.keys
    (listed,) = strangers.keys["bridges"]["wix"]["members"]
    assert listed["mac"] == storm.rules.frames.mac(0, 50).hex(":") and strangers.extra == 16
