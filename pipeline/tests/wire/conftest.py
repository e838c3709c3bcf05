"""Where the wire tests can run, and what each is given.

SLUICE=target/release/sluice python3 -m pytest pipeline/tests/wire
"""

import os
import shutil

import pytest

from harness import CORES, Lab

TOOLS = {
    "ip": "iproute2",
    "ping": "iputils-ping",
    "arping": "iputils-arping",
    "ndisc6": "ndisc6",
    "rdisc6": "ndisc6",
    "sysctl": "procps",
    "ethtool": "ethtool",
    "tshark": "tshark",
}


def missing():
    """Why these tests cannot run here, if they cannot."""
    if "SLUICE" not in os.environ:
        return "set SLUICE to the program"
    if os.geteuid():
        return "network namespaces and taps need root"
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun: load the kernel module tun"
    lacking = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    return f"install {' '.join(sorted(lacking))}" if lacking else None


def pytest_collection_modifyitems(items):
    reason = missing()
    if reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=reason))
        return
    # on two cores, frames would overtake each other between the kernel's per-core queues
    os.sched_setaffinity(0, CORES[:1])


@pytest.fixture
def lab(request):
    """A world for one test. Its end is part of the test: each bridge must stop cleanly, with books that balance."""
    lab = Lab()
    request.node.lab = lab
    yield lab
    lab.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure comes with what each bridge said."""
    report = (yield).get_result()
    if report.failed and report.when == "call" and hasattr(item, "lab"):
        report.sections.extend((f"sluice {sluice.name}", str(sluice)) for sluice in item.lab.launched)
