"""Where the appliance test can run, the machine that all its tests share, and the table that it prints at its end.

scripts/test-appliance
"""

import os
import time

import pytest

from appliance import DRIVERS, Appliance, Bridge

seen = {}
"""The machine, for the table."""


@pytest.fixture(scope="session")
def machine():
    """Set up once and then switched on with no hand on it; the tests are in an order in which one does not spoil the next."""
    machine = seen["machine"] = Appliance(os.environ["IMAGE"])
    try:
        machine.set_up()
        machine.power_on()
        yield machine
    finally:
        machine.close()


@pytest.fixture
def appliance(machine):
    yield machine
    machine.pull_hosts()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure comes with what the bridge and the machine said; every check says on which driver it was."""
    report = (yield).get_result()
    for value in getattr(item, "callspec", None) and item.callspec.params.values() or ():
        value = value.name.removesuffix("-trunk") if isinstance(value, Bridge) else value
        if value in DRIVERS:
            report.driver = value
    if report.failed and report.when == "call":
        guest = seen["machine"].guest
        report.sections += [("guest", str(guest)), ("sluice", guest.journal("-b -u sluice -n 60"))]


def pytest_terminal_summary(terminalreporter):
    machine = seen.get("machine")
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, []) if report.when == "call"]
    if not machine or not reports:
        return
    terminalreporter.section("checks")
    for report in reports:
        terminalreporter.line(f"{report.outcome:7} {report.duration:6.1f} s  {report.nodeid.partition('::')[2]}")
    terminalreporter.section("drivers")
    terminalreporter.line(f"{'card':16}{'driver':16}{'power-on to forwarding':24}{'reboot':12}checks")
    for model, driver in DRIVERS.items():
        of_it = [report.passed for report in reports if getattr(report, "driver", None) == model]
        times = f"{machine.forwarding[model]:5.1f} s                 {machine.rebooted[model]:5.1f} s     "
        terminalreporter.line(f"{model:16}{driver:16}{times}{sum(of_it)} of {len(of_it)}")
    terminalreporter.section("outages")
    for what, seconds in machine.measured.items():
        terminalreporter.line(f"{what:44} {seconds:7.3f} s")
    terminalreporter.section("the machine")
    terminalreporter.line(machine.about)
