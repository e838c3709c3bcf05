"""What every wire test stands on: network namespaces, `sluice run` processes, and raw sockets that see frames as they are."""

import contextlib
import ctypes
import errno
import functools
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

CORES = sorted(os.sched_getaffinity(0))
PATIENCE = 30.0
"""Seconds that anything may take on a busy machine before it counts as not happening."""

SETTLE = 0.005
"""Seconds between two looks at something that is about to change."""


def program() -> str:
    """The bridge under test: $SLUICE."""
    return os.path.abspath(os.environ["SLUICE"])


def under():
    """What the bridge is started by: $SLUICE_UNDER, such as `filtered` beside this file, or a tracer."""
    return os.environ.get("SLUICE_UNDER", "").split()


def until(found, what, patience=PATIENCE, settle=SETTLE):
    """Looks until `found` gives something, and gives that."""
    deadline = time.monotonic() + patience
    while True:
        result = found()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience:.0f} s in vain: {what() if callable(what) else what}")
        time.sleep(settle)


# ------------------------------------------------------------------------------------------------ namespaces and hosts


class Namespace:
    """A network namespace. Nothing speaks in it by itself until it is given an address: IPv6 is off."""

    serial = itertools.count()

    def __init__(self, name):
        self.name = f"sluice-wire-{os.getpid()}-{next(self.serial)}-{name}"
        command("ip", "netns", "add", self.name)
        for what in ("all", "default"):
            self.run("sysctl", "-qw", f"net.ipv6.conf.{what}.disable_ipv6=1")
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *arguments, check=True):
        """Runs a command in it."""
        return command("ip", "netns", "exec", self.name, *arguments, check=check)

    def statistic(self, interface, counter):
        """An interface's counter, as the kernel keeps it."""
        (link,) = json.loads(self.run("ip", "-json", "-stats", "link", "show", "dev", interface).stdout)
        direction, name = counter.split("_", 1)
        return link["stats64"][direction][name]

    @contextlib.contextmanager
    def entered(self):
        """What is opened within belongs to the namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        clone_newnet = 0x40000000

        def enter(path):
            with open(path) as namespace:
                if libc.setns(namespace.fileno(), clone_newnet):
                    raise OSError(ctypes.get_errno(), f"setns {path}")

        with open("/proc/thread-self/ns/net") as home:
            enter(f"/run/netns/{self.name}")
            try:
                yield
            finally:
                if libc.setns(home.fileno(), clone_newnet):
                    raise OSError(ctypes.get_errno(), "setns home")

    def cable(self, interface, other, far):
        """A veth cable from here to another namespace, for frames of any size that a rules file may ask for."""
        peer = ("peer", "name", far, "mtu", "9300", "netns", other.name)
        self.run("ip", "link", "add", interface, "mtu", "9300", "type", "veth", *peer)
        self.run("ip", "link", "set", interface, "up")

    def pull(self, other, interface):
        """Takes an interface out of another namespace into this one; it loses its addresses."""
        other.run("ip", "link", "set", interface, "netns", self.name)

    def delete(self):
        command("ip", "netns", "del", self.name, check=False)


class Host(Namespace):
    """A real Linux host with one interface."""

    def take(self, owner, interface, mac, addresses):
        """Takes an interface out of another namespace and makes it this host's, with a MAC and addresses."""
        self.pull(owner, interface)
        self.configure(interface, mac, addresses)

    def configure(self, interface, mac, addresses):
        """Makes an interface in its namespace its own."""
        self.interface, self.mac, self.addresses = interface, mac, addresses
        self.run("sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=0", f"net.ipv6.conf.{interface}.accept_dad=0")
        self.run("ip", "link", "set", interface, "address", mac)
        self.run("ip", "link", "set", interface, "up")
        for address in addresses:
            self.run("ip", "address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))

    def reaches(self, address, *options):
        """Pings until one reply comes: the first frames may be lost while links come up and addresses resolve."""

        def ping():
            result = self.run("ping", "-n", "-c1", "-W1", *options, address, check=False)
            self.last = result.stdout + result.stderr
            return result.returncode == 0

        until(ping, lambda: f"{self.name} pings {address} {options}:\n{self.last}\n{self.neighbours()}")

    def listen(self, address):
        """A TCP socket that waits for one connection."""
        with self.entered():
            listening = socket.create_server((address, 0), family=family(address))
        listening.settimeout(PATIENCE)
        return listening

    def connect(self, address, port):
        """A TCP connection to another host."""
        with self.entered():
            client = socket.socket(family(address))
        client.settimeout(PATIENCE)
        client.connect((address, port))
        return client

    def neighbours(self):
        """MAC by IP address, as the host has resolved them."""
        known = json.loads(self.run("ip", "-json", "neighbour", "show", "dev", self.interface).stdout or "[]")
        return {entry["dst"]: entry.get("lladdr") for entry in known}


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def command(*arguments, check=True):
    result = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if check and result.returncode:
        raise AssertionError(f"{' '.join(arguments)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


# ------------------------------------------------------------------------------------------------ raw frames


class Wire:
    """An interface's frames, bit for bit: those that leave its kernel side, and those that come in."""

    ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING, SO_RCVBUFFORCE = 3, 263, 8, 4, 33
    VLAN_VALID, VLAN_TPID_VALID = 1 << 4, 1 << 6

    def __init__(self, namespace, interface, aside=lambda frame: False):
        """`aside` picks the frames that are not handed over."""
        self.aside = aside
        namespace.run("ip", "link", "set", interface, "up")
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(self.SOL_PACKET, self.PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((interface, self.ETH_P_ALL))
        self.namespace, self.interface = namespace, interface

    def send(self, frame):
        self.socket.send(bytes(frame))

    def receive(self, patience=PATIENCE):
        """The next frame, or None when none comes for so long."""
        deadline = time.monotonic() + patience
        while True:
            self.socket.settimeout(max(deadline - time.monotonic(), 0))
            try:
                frame, control, _, sender = self.socket.recvmsg(65536, 256)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError as error:
                if error.errno == errno.ENETDOWN:
                    continue  # said once when the interface goes; what came before is still there
                raise
            if sender[2] != self.PACKET_OUTGOING:
                frame = self.tag_put_back(frame, control)
                if not self.aside(frame):
                    return frame

    def tag_put_back(self, frame, control):
        """The kernel takes the outer tag out of a frame and hands it over beside it."""
        for level, kind, data in control:
            if (level, kind) == (self.SOL_PACKET, self.PACKET_AUXDATA):
                status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", data[:20])
                if status & self.VLAN_VALID:
                    tpid = tpid if status & self.VLAN_TPID_VALID else 0x8100
                    return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
        return frame

    def until(self, last, patience=PATIENCE):
        """All frames before `last`, which must come."""
        frames = []
        while True:
            frame = self.receive(patience)
            if frame == last:
                return frames
            shown = "\n".join(other.hex() for other in frames)
            assert frame is not None, f"{self.interface}: waited in vain for\n{last.hex()}\nand saw\n{shown}"
            frames.append(frame)

    def close(self):
        self.socket.close()


# ------------------------------------------------------------------------------------------------ the bridge


class Sluice:
    """A `sluice run` process in a namespace of its own, unless it is given one."""

    def __init__(self, folder, name, rules, namespace, before=(), options=("--json",)):
        self.name, self.namespace = name, namespace
        self.file = folder / f"{name}.yaml"
        self.socket = folder / f"{name}.sock"
        self.stdout, self.stderr = folder / f"{name}.out", folder / f"{name}.err"
        self.books = None
        self.write(rules)
        with open(self.stdout, "wb") as out, open(self.stderr, "wb") as err:
            arguments = ["ip", "netns", "exec", namespace.name, *before, *under(), program(), "run", "-c", str(self.file), *options]
            # the tests are pinned to one core; the bridge is not
            loose = functools.partial(os.sched_setaffinity, 0, CORES)
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=loose)

    # ---- rules

    def write(self, rules):
        """Replaces its rules file, all at once. Rules are a tree, written as JSON (which is YAML), or text."""
        if not isinstance(rules, str):
            control = {"socket": str(self.socket), **rules.get("control", {})}
            self.socket = pathlib.Path(control["socket"])
            rules = json.dumps({**rules, "control": control}, indent=1)
        new = self.file.with_suffix(".new")
        new.write_text(rules)
        new.rename(self.file)
        return rules

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def reload(self, rules):
        """Puts new rules in force and waits until they are."""
        before = self.generation()
        self.write(rules)
        self.hang_up()
        self.wait_for_generation(before + 1)

    def generation(self):
        return self.ask("config")["generation"]

    def wait_for_generation(self, generation):
        until(lambda: self.generation() >= generation, lambda: f"generation {generation} of {self}")

    # ---- questions

    def ask(self, question):
        """What `sluice show QUESTION --json` shows, straight from the socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(str(self.socket))
            connection.sendall(question.encode() + b"\n")
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        return json.loads(answer)

    def show(self, *arguments):
        """The program's own `show`."""
        return command(program(), "show", *arguments, "--socket", str(self.socket)).stdout

    def dropped(self, side):
        """Frames dropped on a side, by reason."""
        return self.ask("counters")["sides"][side]["dropped"]

    def log(self):
        return self.stderr.read_text(errors="replace")

    def wait_for_log(self, text, times=1):
        until(lambda: self.log().count(text) >= times, lambda: f"{text!r} x {times} in the log of {self}")

    # ---- beginning and end

    def is_up(self):
        """It answers; an error where it has ended instead."""
        assert self.process.poll() is None, f"ended at its start, exit {self.process.returncode}: {self}"
        with contextlib.suppress(OSError):
            return bool(self.ask("config"))
        return False

    def wait_for_start(self):
        until(self.is_up, lambda: f"the start of {self}")
        return self

    def ends(self):
        """Waits until it has ended, by itself or as it was told; its exit code and what it said."""
        return self.process.wait(PATIENCE), self.log()

    def stop(self, how=signal.SIGTERM):
        """Ends it as an operator would: it must exit 0 and leave books that balance."""
        if self.books is None:
            self.process.send_signal(how)
            code = self.process.wait(PATIENCE)
            assert code == 0, f"exit {code} after {how.name}: {self}"
            self.books = json.loads(self.stdout.read_text())
            balance(self.books)
        return self.books

    def resident(self):
        """KiB of memory in use."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def __str__(self):
        return f"sluice {self.name}\n--- stderr\n{self.log()}\n--- stdout\n{self.stdout.read_text(errors='replace')[-4000:]}"


def balance(books):
    """Every frame has one outcome, by the numbers and not only by the bridge's own word (law 1 of docs/ARCHITECTURE.md)."""
    assert books["unaccounted"] == 0, books
    for name, side in books["sides"].items():
        assert side["received"] == side["forwarded"] + side["answered"] + sum(side["dropped"].values()), (name, side)
    received = sum(port["received"] - sum(port["dropped"].values()) for port in books["ports"].values())
    assert received == sum(side["received"] for side in books["sides"].values()), books
    outgoing = ("forwarded", "replies", "probes", "fragments")
    sent = sum(side[what] for side in books["sides"].values() for what in outgoing)
    assert sent == sum(side["transmitted"] for side in books["sides"].values()), books
    assert sent == sum(port["transmitted"] for port in books["ports"].values()), books
    assert sum(books["outcomes"].values()) == sum(port["received"] for port in books["ports"].values()), books


# ------------------------------------------------------------------------------------------------ a test's world


class Lab:
    """All that one test makes. `close` ends every bridge properly, then takes everything away, whatever happened."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-wire-"))
        self.folder.chmod(0o755)  # so that only the control socket's own rights keep others out
        self.namespaces, self.launched, self.running, self.wires, self.last = [], [], [], [], []

    def namespace(self, name, kind=Namespace):
        made = kind(name)
        self.namespaces.append(made)
        return made

    def host(self, name):
        return self.namespace(name, Host)

    def launch(self, name, rules, namespace=None, **how):
        """Starts a bridge and leaves the rest to the test: it may be one that refuses."""
        sluice = Sluice(self.folder, name, rules, namespace or self.namespace(name), **how)
        self.launched.append(sluice)
        return sluice

    def sluice(self, name, rules, namespace=None, **how):
        """Starts a bridge and waits until it runs. It must end cleanly after the test."""
        sluice = self.launch(name, rules, namespace, **how)
        self.running.append(sluice)
        return sluice.wait_for_start()

    def wire(self, namespace, interface, **how):
        wire = Wire(namespace, interface, **how)
        self.wires.append(wire)
        return wire

    def afterwards(self, action):
        self.last.append(action)

    def close(self):
        with contextlib.ExitStack() as clean:
            clean.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for action in [namespace.delete for namespace in self.namespaces] + self.last:
                clean.callback(action)
            for thing in self.wires:
                clean.callback(thing.close)
            for sluice in self.launched:
                clean.callback(sluice.kill)
            for sluice in self.running:
                sluice.stop()
