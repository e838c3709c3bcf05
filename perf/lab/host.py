"""The machine that a measurement runs on: its cores, memory, versions, and who else was using them."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import Absent, Failed

ROOT = Path(__file__).resolve().parents[2]


def say(text):
    """Progress and warnings go to stderr: stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def output(*command):
    """What a command prints, or an empty text."""
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    except OSError:
        return ""


def need(command, package):
    """The path of a command, or Absent with the Debian package that has it."""
    found = shutil.which(command, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not found:
        raise Absent(f"{command} is not installed: as root, apt-get install {package} (Debian)")
    return found


def commit():
    """The commit of this tree, abbreviated, with -dirty where files differ from it."""
    return output("git", "describe", "--always", "--dirty", "--exclude=*") or "unknown"


def tsc_ghz():
    """The rate of the time-stamp counter, or None where it is not constant: cycles mean nothing there."""
    info = Path("/proc/cpuinfo").read_text()
    # the kernel derives bogomips from the TSC: twice its rate
    rate = re.search(r"^bogomips\s*:\s*([\d.]+)", info, re.M)
    return float(rate[1]) / 2e3 if rate and "constant_tsc" in info else None


def machine():
    """What the numbers were got on."""
    model = re.search(r"^model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(), re.M)
    return {"cpu": model[1] if model else os.uname().machine, "cores": os.cpu_count(), "tsc_ghz": tsc_ghz(), "kernel": os.uname().release}


def versions():
    """Versions of the programs that may be measured, where they are installed."""
    found = {
        "DPDK": output("pkg-config", "--modversion", "libdpdk"),
        "Open vSwitch": output("ovs-vswitchd", "--version").partition("\n")[0].rpartition(" ")[2],
        "nftables": output("/usr/sbin/nft", "--version").removeprefix("nftables v").partition(" ")[0],
    }
    return {name: version for name, version in found.items() if version}


def two_cores(text):
    """The cores of an option `SOURCE,DEVICE`."""
    cores = tuple(int(core) for core in text.split(",") if core.isdecimal())
    if len(set(cores)) != 2 or not set(cores) <= os.sched_getaffinity(0):
        raise argparse.ArgumentTypeError(f"two of the cores {sorted(os.sched_getaffinity(0))} are needed, not '{text}'")
    return cores


def pinned_thread(pid, core):
    """The thread of a process that may run on `core` alone, as its directory in /proc."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if re.search(rf"^Cpus_allowed_list:\s*{core}$", (task / "status").read_text(), re.M):
            return task
    raise Failed(f"no thread of process {pid} is pinned to core {core}")


def scheduled(task):
    """Seconds that a thread ran, and that it waited for its core."""
    ran, waited = (task / "schedstat").read_text().split()[:2]
    return int(ran) / 1e9, int(waited) / 1e9


def program(package, name):
    """Builds a program of this tree for release, and its path."""
    say(f"building {name}")
    if subprocess.run(["cargo", "build", "--release", "--quiet", "-p", package, "--bin", name], cwd=ROOT).returncode:
        raise Failed(f"{name} does not build")
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release" / name
