"""A TRex server, driven by the Python client of the TRex that the user installed."""

import sys
import threading
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from lab import Failed
from search import Trial

PROFILES = Path(__file__).resolve().parent / "profiles"
SLACK = 0.02  # s: what TRex takes to say that a run is over
DRAIN = 0.1  # s until the last frame is back
LOAD = "load"  # the profile whose frames are counted; others run beside it


def api(folder):
    """The module trex.stl.api of a TRex tree: the folder of t-rex-64, of a source tree, or of the `trex` package itself."""
    for place in ("automation/trex_control_plane/interactive", "scripts/automation/trex_control_plane/interactive", "."):
        if (folder / place / "trex/stl/api.py").is_file():
            sys.path.insert(0, str(folder / place))
            break
    else:
        raise Failed(f"no TRex in {folder}: give the folder that holds t-rex-64 (TRex v3.x, https://trex-tgn.cisco.com)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that TRex brings: nothing that its user can change
        try:
            import trex.stl.api as found
        except Exception as error:  # its loader raises bare ones
            raise Failed(f"the Python client of the TRex in {folder} does not load: {error}") from error
    return found


@dataclass(frozen=True)
class Latency:
    """Of stamped frames of both directions, in us. TRex counts in steps of one significant digit: quantiles are their upper ends."""

    count: int
    lost: int
    quantiles: dict  # {0.5: us, ...}
    longest: float


def quantiles(steps, wanted=(0.5, 0.99)):
    """Quantiles of a histogram as TRex gives it: {lower end of a step in us: count}. A step reaches to the next digit."""
    total, seen, found = sum(steps.values()), 0, {}
    for low in sorted(steps):
        seen += steps[low]
        end = low + 10 ** (len(str(low)) - 1) if low >= 10 else 10
        found |= {part: end for part in wanted if part not in found and seen >= part * total}
    return found


class Server:
    """A connected server with two ports of ours: the first is on side A (direction 0), the second on side B."""

    def __init__(self, folder, host, ports, gaps):
        self.api, self.ports, self.gaps = api(folder), ports, gaps
        self.apart, self.beside = None, {}
        self.client = self.api.STLClient(server=host, verbose_level="error")
        try:
            self.client.connect()
        except self.api.TRexError as error:
            raise Failed(f"no TRex server at {host}: start one there (./t-rex-64 -i --stl): {error}") from error
        try:
            self.client.reset(ports=list(ports))
            # frames come for the stations behind a port, not for the port
            if self.client.get_port_attr(ports[0])["prom_supported"] == "yes":
                self.client.set_port_attr(list(ports), promiscuous=True)
        except self.api.TRexError as error:
            self.close()
            raise Failed(f"ports {ports[0]} and {ports[1]} of the TRex at {host} cannot be had: {error}") from error

    def close(self):
        self.client.disconnect(stop_traffic=True, release_ports=True)

    def version(self):
        return self.client.get_server_version()["version"]

    def line_rate(self, size):
        """Frames/s of both ports together, of so many bytes (12 of gap, 8 of preamble)."""
        return sum(self.client.get_port_attr(port)["speed"] for port in self.ports) * 1e9 / 8 / (size + 20)

    def load(self, name, profile, tunables, rate=None):
        """Gives both ports the streams of a profile (a name of ours, or a file), under a name in place of what had it.

        `rate`: frames/s of each port at which it runs beside the load; None: at the profile's own."""
        file = PROFILES / f"{profile}.py"
        file = file if file.is_file() else Path(profile)
        self.client.remove_all_streams(self._named(name))
        for direction, port in enumerate(self.ports):
            if not file.is_file():
                raise Failed(f"{file}: no such profile: a file, or one of {', '.join(sorted(one.stem for one in PROFILES.glob('*.py')))}")
            try:
                found = self.api.STLProfile.load_py(str(file), direction=direction, port_id=port, **tunables)
            except self.api.TRexError as error:
                raise Failed(f"{file} does not load: {error}") from error
            if found is None:  # argparse has said why
                raise Failed(f"{file} does not take {tunables}")
            self.client.add_streams(found.get_streams(), ports=[f"{port}.{name}"])
        if name != LOAD:
            self.beside[name] = "1" if rate is None else f"{rate:.0f}pps"

    def unload(self, name):
        """Takes the streams of a name away."""
        self.client.remove_all_streams(self._named(name))
        self.beside.pop(name, None)

    def _named(self, name):
        return [f"{port}.{name}" for port in self.ports]

    def trial(self, load, duration, meanwhile=None):
        """Sends the load (frames/s, both ports together) for `duration` s. `meanwhile(over)`: runs beside it, until over.is_set()."""
        client = self.client
        client.clear_stats(list(self.ports))
        self.gaps.mark()
        for name, rate in self.beside.items():
            client.start(self._named(name), mult=rate, force=True)
        over = threading.Event()
        helper = threading.Thread(target=meanwhile or over.wait, args=(over,) if meanwhile else ())
        client.start(self._named(LOAD), mult=f"{load / len(self.ports):.3f}pps", duration=duration, force=True)
        began = time.monotonic()
        helper.start()
        try:
            self._wait(began + 10 * duration + 30)
            seconds = time.monotonic() - began
        finally:
            over.set()
            helper.join()
            # the load is over already, but TRex must let go of its packet groups, or it does not count them in the next run
            client.stop([port for name in (*self.beside, LOAD) for port in self._named(name)])
        gap = self.gaps.longest()
        time.sleep(DRAIN)
        sent, received = self._counts()
        if not sent:
            raise Failed("TRex sends nothing any more. On memif ports, frames in segments do that: restart it, and use --flows streams")
        return Trial(load, duration, sent, received, duration if seconds < duration + SLACK else seconds, gap)

    def _wait(self, deadline):
        """Until the load is sent. Overloaded, TRex sends all of it, but late."""
        mine = set(self._named(LOAD))
        while mine & {str(profile) for profile in self.client.get_profiles_with_state("active")}:
            if time.monotonic() > deadline:
                raise Failed("TRex does not end a run: see its own screen, and README (segments) if its ports are memif")
            time.sleep(0.002)

    def _counts(self):
        """Frames sent and received since the start: by the ports, or by packet group where `apart` is set."""
        if self.apart is None:
            stats = self.client.get_stats(list(self.ports))
            return tuple(sum(stats[port][counter] for port in self.ports) for counter in ("opackets", "ipackets"))
        groups = [self.apart + port for port in self.ports]
        stats = self.client.get_pgid_stats(groups)["flow_stats"]
        return tuple(sum(stats[group][counter]["total"] for group in groups) for counter in ("tx_pkts", "rx_pkts"))

    def latency(self, group):
        """What the last trial's stamped frames say: those of the profile `latency` with this --group."""
        groups = [group + port for port in self.ports]
        found = [self.client.get_pgid_stats(groups)["latency"][one] for one in groups]
        steps = {}
        for each in found:
            for low, count in each["latency"]["histogram"].items():
                steps[low] = steps.get(low, 0) + count
        if not steps:
            raise Failed("no stamped frame came back: does the device pass IPv4 between the first stations of both sides?")
        lost = sum(each["err_cntrs"]["dropped"] for each in found)
        longest = max(each["latency"]["total_max"] for each in found)
        return Latency(sum(steps.values()), lost, {part: min(end, longest) for part, end in quantiles(steps).items()}, longest)
