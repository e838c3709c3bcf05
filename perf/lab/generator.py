"""perf/generator: the source and sink on the memif ports of a device under test."""

import contextlib
import json
import os
import subprocess

from . import Failed


@contextlib.contextmanager
def start(program, socket, *, core, device=None, **options):
    """Starts it, for an iterator over its runs as it prints them, and ends it. `device`: (pid, core) to watch; `options`: its own,
    as macs=1000, untagged=True. While it runs, the device has its peer: some do not survive that it leaves."""
    words = [str(program), "--socket", str(socket), "--core", str(core)]
    if device:
        words += ["--watch", "{}:{}".format(*device)]
    for name, value in options.items():
        if value not in (None, False):
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    quiet = os.environ | {"RUST_BACKTRACE": "0"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet) as process:
        try:
            yield each_run(process)
        finally:
            process.terminate()


def each_run(process):
    for line in process.stdout:
        yield json.loads(line)
    if process.wait():
        raise Failed(f"the generator: {process.stderr.read().strip()[:2000]}")


def run(program, socket, **options):
    """All its runs, as it prints them, when it has ended."""
    with start(program, socket, **options) as runs:
        return list(runs)
