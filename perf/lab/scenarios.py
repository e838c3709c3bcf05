"""What perf/reload, perf/storm and perf/latency share: sluice on memif ports, perf/generator at their other ends, the books of both."""

import argparse
import functools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from . import Failed, devices, frames, generator, host, results

WARM_UP = 1.0  # seconds
DISTURBED = 0.03  # of the time: what a run may wait for its core, or stand still
AGAIN = 2  # times that a disturbed run is repeated


class Bridge(devices.Sluice):
    """sluice with other values for some keys of its rules: idle="sleep", workers=[0, 1]."""

    def __init__(self, setup, **keys):
        super().__init__(setup)
        self.keys, self.rules = keys, setup.work / "rules.yaml"

    def launch(self, command, **more):
        # the rules are written by now and not yet read
        self.write(json.loads(self.rules.read_text()) | self.keys)
        super().launch(command, **more)

    def write(self, rules):
        """Puts rules in the place of those that it was started with, all at once, for the next SIGHUP."""
        new = self.rules.with_suffix(".new")
        new.write_text(json.dumps(rules))
        new.replace(self.rules)

    def change(self, **keys):
        """Reloads with other values for some keys, and waits until they are in force."""
        before = self.ask("config")["generation"]
        self.write(json.loads(self.rules.read_text()) | keys)
        self.process.send_signal(signal.SIGHUP)
        for _ in range(5000):
            if self.ask("config")["generation"] > before:
                return
            time.sleep(0.001)
        raise Failed(f"it does not reload:\n{self.text()[-1500:]}")

    def ask(self, question):
        """What `sluice show QUESTION` asks, without a new process: that would take time from the source on its core."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(str(self.control))
            stream.sendall(f"{question}\n".encode())
            return json.load(stream.makefile())

    def books(self):
        """Its outcomes so far, once it is clear that they balance, and what its devices lost."""
        shown = self.ask("counters")
        self.balance(shown)
        lost = sum(sum(device["lost"].values()) for device in shown["devices"])
        return shown["outcomes"] | ({"lost by devices": lost} if lost else {})

    def workers(self):
        """Each worker's meter, with the seconds of CPU time that its thread has had."""
        found = self.ask("workers")
        return [worker | {"ran": host.scheduled(host.pinned_thread(self.process.pid, worker["core"]))[0]} for worker in found]


def grown(after, before):
    """What was counted in between, without what was not."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count > before.get(name, 0)}


class Bench:
    """What all trials of a command share."""

    def __init__(self, options, work):
        self.options, self.work = options, work
        self.source, self.core = options.cores
        # the control thread, and this program: with the source, where there is no third core
        self.control = min(os.sched_getaffinity(0) - set(options.cores), default=self.source)
        os.sched_setaffinity(0, {self.control})
        self.sluice = options.sluice or host.program("pipeline", "sluice")
        self.memory = None

    @functools.cached_property
    def generator(self):
        return self.options.generator or host.program("memif-load", "memif-load")

    @contextmanager
    def bridge(self, macs, **keys):
        """A bridge on memif ports that has just started."""
        with tempfile.TemporaryDirectory(dir=self.work) as work:
            work = Path(work)
            setup = devices.Setup(work, devices.memif(work), (self.control, self.core), macs=macs, sluice=self.sluice)
            with Bridge(setup, **keys) as bridge:
                self.memory = "huge pages" if bridge.memory[0] else "ordinary pages"
                yield bridge

    def load(self, bridge, **options):
        """perf/generator at its ports: an iterator over what it reports of each run. It stays until the end of `with`."""
        return generator.start(
            self.generator, bridge.setup.socket, core=self.source, device=(bridge.process.pid, bridge.core), macs=bridge.setup.macs,
            tags=",".join(map(str, frames.VLANS)), warm_up=WARM_UP, hold=True, **options,
        )

    def undisturbed(self, name, trial):
        """A trial, repeated while something disturbs it: `trial` gives a value whose "why" says what did."""
        for left in reversed(range(AGAIN + 1)):
            found = trial()
            if not found["why"]:
                break
            host.say(f"  {name}: {found['why']}: " + ("again" if left else "kept, and marked"))
        return found


def warmed_up(bridge, runs):
    """Waits until every station has spoken, twice, and the load runs."""
    for _ in range(2000):
        if sum(port["received"] for port in bridge.ask("counters")["ports"].values()) > 2 * bridge.setup.macs + 100:
            return
        time.sleep(0.01)
    next(runs)  # which says why, if it does
    raise Failed(f"no load reaches the bridge:\n{bridge.text()[-1500:]}")


def disturbances(found, alone=True):
    """What disturbed a run that the generator reports. `alone`: nothing of ours shared the generator's core."""
    waited, gaps, seconds = found["waited"], found["gaps"], found["seconds"]
    shares = {"the device waited": waited["device"] / seconds, "all stood still": gaps["longest_us"] / 1e6 / seconds}
    if alone:
        shares["the generator waited"] = waited["generator"] / seconds
    return ", ".join(f"{what} {share:.0%} of the time" for what, share in shares.items() if share > DISTURBED)


def verified(found):
    """What arrived was as it must be."""
    if found["bad"]:
        raise Failed(f"{found['bad']:,} frames arrived that were not as they must be")


def capacity(bench, macs, **keys):
    """Frames a second that one worker forwards with both directions at full load, and its cycles for one of them."""
    with bench.bridge(macs, **keys) as bridge, bench.load(bridge, seconds=min(2, bench.options.seconds)) as runs:
        warmed_up(bridge, runs)
        before = bridge.workers()
        found = next(runs)
        after = bridge.workers()
        verified(found)
        bridge.books()
        return {"pps": took(found), "cycles": cycles(before, after), "why": disturbances(found)}


def took(found):
    """Frames a second that arrived, of the time that the generator had its core."""
    return sum(found["received"].values()) / (found["seconds"] - found["waited"]["generator"])


def cycles(before, after):
    """TSC cycles of the first worker for a frame at full load: what it ran and found frames; None where its clock is another."""
    grew = lambda name: (after[0][name] or 0) - (before[0][name] or 0)
    hz, received = after[0]["tsc_hz"], grew("received")
    return (grew("busy_ns") - grew("waited_ns")) * hz / 1e9 / received if hz and received else None


def parser(description, *, seconds, rounds=7, sends=True):
    """The options that all have. `seconds`: of a trial; `sends`: with perf/generator."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--rounds", type=int, default=rounds, help=f"default: {rounds}")
    found.add_argument("--seconds", type=float, default=seconds, help=f"of each trial (default: {seconds:g})")
    found.add_argument("--cores", type=host.two_cores, default=(0, 1), metavar="SOURCE,DEVICE", help="default: 0,1")
    found.add_argument("--sluice", type=Path, metavar="FILE", help="measure this program (default: build this tree)")
    if sends:
        found.add_argument("--generator", type=Path, metavar="FILE", help="send with this program (default: build this tree)")
    results.options(found)
    return found


def main(options, measure):
    """Runs a command: `measure` takes the bench and gives the rows."""
    name = Path(sys.argv[0]).name
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # not without ending what runs
    if options.rounds < 1 or options.seconds <= 0:
        sys.exit(f"{name}: at least one round of more than 0 seconds")
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-perf-") as work:
            bench = Bench(options, Path(work))
            rows = measure(bench)
        results.publish(results.document(rows, [], memory=bench.memory), options)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def median(values):
    """Of those that there are."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
