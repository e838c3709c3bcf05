"""Times in which this host did not run: a process that sleeps for a millisecond, again and again, and notes when it wakes late.

Virtual machines stop for tens of milliseconds, and no counter shows it. A lossy trial in which that happened to the host of a
software traffic generator, or of the device, says nothing of the device.
"""

import multiprocessing
import signal
import time


class Gaps:
    """`with Gaps() as gaps`: watches meanwhile."""

    def __enter__(self):
        # a process: a thread would also wait for this interpreter's lock
        context = multiprocessing.get_context("fork")
        self._longest = context.Value("d", 0.0)
        self._process = context.Process(target=_watch, args=(self._longest,), daemon=True)
        self._process.start()
        return self

    def __exit__(self, *_):
        self._process.kill()  # it has nothing to end, and the caller's handlers for gentler signals
        self._process.join()

    def mark(self):
        """Forgets what was."""
        with self._longest:
            self._longest.value = 0.0

    def longest(self):
        """The longest gap since then, in s."""
        return self._longest.value


class NoGaps:
    """For a traffic generator on another host: what happens to this one does not matter."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def mark(self):
        pass

    def longest(self):
        return 0.0


def _watch(longest, nap=0.001):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: its parent's business
    before = time.monotonic()
    while True:
        time.sleep(nap)
        now = time.monotonic()
        late = now - before - nap
        if late > longest.value:
            longest.value = late
        before = now
