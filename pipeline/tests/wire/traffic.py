"""Numbered frames at a steady rate both ways through a bridge, each of them counted."""

import dataclasses
import itertools
import multiprocessing
import struct
import time

from frames import A, A4, B, B4, udp

RATE = 10_000
"""Frames a second, both ways together: a fraction of what these tests can send and receive, so that only a bridge that stops
loses any."""
BATCH = 8
"""Of them at once."""
FLOWS = 64
ROOM = 20_000
"""Frames that a tap's queue holds: seconds of them, for a machine on which the bridge may have to wait for its core."""
LAST_ONES = 5.0
"""Seconds without a frame after which what has not come is lost."""


@dataclasses.dataclass
class Tally:
    """What became of the frames."""

    sent: int = 0
    received: int = 0
    lost: int = 0
    twice: int = 0


class Traffic:
    """Runs in a process of its own from its start until `stop`."""

    def __init__(self, bench):
        for wire in (bench.mud, bench.wix):
            wire.namespace.run("ip", "link", "set", wire.interface, "txqueuelen", str(ROOM))
        self.bench = bench
        self.dropped_before = self.dropped_by_taps()
        context = multiprocessing.get_context("fork")
        self.done, self.sent, (self.result, child) = context.Event(), context.Value("Q", 0), context.Pipe(duplex=False)
        self.process = context.Process(target=self.run, args=(child,), daemon=True)
        bench.lab.afterwards(self.process.kill)
        self.process.start()
        child.close()

    def dropped_by_taps(self):
        """Frames that never reached the bridge."""
        return sum(wire.namespace.statistic(wire.interface, "tx_dropped") for wire in (self.bench.mud, self.bench.wix))

    def stop(self):
        """Ends it and counts."""
        self.done.set()
        tally = self.result.recv()
        self.process.join()
        not_ours = self.dropped_by_taps() - self.dropped_before
        assert not_ours == 0, f"the kernel dropped {not_ours} frames on the way to the bridge: it got no time for seconds"
        return tally

    def run(self, result):
        # many flows each way, so that they meet all workers
        mud, on_mud, wix, on_wix, *_ = self.bench.ways["mud"]
        there = [on_mud(udp((A, A4), (B, B4), flow=flow))[:-8] for flow in range(FLOWS)]
        back = [on_wix(udp((B, B4), (A, A4), flow=flow))[:-8] for flow in range(FLOWS)]
        ways = itertools.cycle(((mud, frame), (wix, other)) for frame, other in zip(there, back))
        counts = bytearray()
        tally, due, quiet_since = Tally(), time.monotonic(), None
        while quiet_since is None or time.monotonic() - quiet_since < LAST_ONES and tally.received < tally.sent:
            if not self.done.is_set():
                for wire, frame in itertools.chain.from_iterable(itertools.islice(ways, BATCH // 2)):
                    wire.send(frame + struct.pack("!Q", tally.sent))
                    counts.append(0)
                    tally.sent += 1
                self.sent.value = tally.sent
                # steady: time lost is not made up for by a burst
                due = max(due + BATCH / RATE, time.monotonic())
            elif quiet_since is None:
                quiet_since = time.monotonic()
            for wire in (mud, wix):
                while frame := wire.receive(patience=0):
                    counts[struct.unpack("!Q", frame[-8:])[0]] += 1
                    tally.received += 1
                    quiet_since = quiet_since and time.monotonic()
            time.sleep(max(due - time.monotonic(), 0))
        tally.lost, tally.twice = counts.count(0), sum(count > 1 for count in counts)
        result.send(tally)
