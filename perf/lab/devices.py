"""The devices under test: programs that forward between side A and side B, each with one thread on one core.

A device is started by `with`, and forwards once that is entered. Absent is raised where it is not installed or not built."""

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from . import Absent, Failed, host, rules

NO_PCI = ["--no-pci", "--iova-mode=va", "--no-telemetry"]


@dataclass
class Setup:
    """What all devices of a run share."""

    work: Path  # for sockets, logs and rules; a new directory for each device
    devices: tuple  # DPDK devices of side A and side B
    cores: tuple  # for everything else, for forwarding
    macs: int = 100
    tagged: bool = True
    kept: int = 0  # frames that the devices themselves keep for ever, as net_pcap does with its captures
    sluice: Path = None  # the program
    before: Path = None  # another, to compare it with
    memory: tuple = (True, 8191, 2176)  # huge pages?, buffers, bytes of each: of devices that are told

    @property
    def socket(self):
        return self.work / "memif.sock"


def memif(work):
    """Two memif ports that wait for perf/generator."""
    return tuple(f"net_memif{side},role=server,id={side},socket={work}/memif.sock,socket-abstract=no" for side in (0, 1))


class Device:
    """A program that forwards. `expect`: what perf/generator is to verify; `queues`: rings from the device on each memif port."""

    key = name = expect = None
    queues = 1

    def __init__(self, setup):
        self.setup, self.main, self.core = setup, *setup.cores
        self.log = setup.work / f"{self.key}.log"
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts it and waits until it forwards."""
        raise NotImplementedError

    def launch(self, command, *, cores=None, **more):
        # what is not the forwarding thread runs beside the generator; the EAL takes its cores from where it may run
        both = cores or f"{self.main},{self.core}"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", both, *map(str, command)], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, text=True, **more
            )

    def stop(self):
        """Ends it. A memif device only after the generator has ended: see METHOD.md."""
        end(self.process)

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, what, since=0):
        """Waits for a text in the log behind `since`; the log."""
        for _ in range(6000):
            text = self.text()
            if re.search(what, text[since:]):
                return text
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise Failed(f"{self.name} did not say '{what}':\n{self.text()[-2000:]}")

    def thread(self):
        """The forwarding thread, as its directory in /proc."""
        return host.pinned_thread(self.process.pid, self.core)

    def counters(self):
        """Frames received and sent so far, by the device's own counters."""
        raise NotImplementedError

    def check_books(self, unicast):
        """Frames that it has sent of its own. Fails if its counters contradict each other; `unicast`: it had nothing to drop."""
        return 0


def end(process):
    """Ends a process that we started, if it runs."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Sluice(Device):
    """This tree's bridge, with the WIX example rules."""

    key = name = "sluice"
    expect = "bridge"

    def start(self):
        setup, self.control = self.setup, self.setup.work / "sluice.sock"
        shown = rules.wix(setup.devices, socket=self.control, macs=setup.macs, tagged=setup.tagged, workers=[self.core])
        path = rules.write(setup.work / "rules.yaml", shown)
        self.launch([setup.sluice, "run", *spare_frames(setup), "-c", path])
        text = self.wait_for(r"running generation=")
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() != f"worker-{self.core}":
                os.sched_setaffinity(int(task.name), {self.main})
        found = re.search(r"memory=(\w+) pages frames=(\d+) frame_bytes=(\d+)", text)
        if not found:
            raise Failed(f"sluice does not say what memory it has:\n{text}")
        self.memory = (found[1] == "huge", int(found[2]), int(found[3]))

    def show(self):
        """`show counters` as a value."""
        done = subprocess.run([self.setup.sluice, "show", "counters", "--json", "--socket", self.control], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"sluice show: {done.stderr.strip()}\n{self.text()[-2000:]}")
        return json.loads(done.stdout)

    def counters(self):
        shown = self.show()
        self.balance(shown)
        # what a full queue refused was bridged all the same
        outcomes = shown["outcomes"]
        return sum(port["received"] for port in shown["ports"].values()), outcomes["forwarded"]

    @staticmethod
    def balance(shown):
        if shown["unaccounted"]:
            raise Failed(f"sluice's books do not balance: unaccounted {shown['unaccounted']}, {shown['outcomes']}")

    def check_books(self, unicast):
        shown = self.show()
        self.balance(shown)
        dropped = {name: count for name, count in shown["outcomes"].items() if count and name not in ("forwarded", "tx_full")}
        received = sum(port["received"] for port in shown["ports"].values())
        # the first frame to each address, which may not be known yet, is limited
        if unicast and sum(dropped.values()) > 2 * self.setup.macs + 1000:
            raise Failed(f"sluice dropped of what it must forward: {dropped} of {received}")
        return shown["probes"] + shown["replies"]


def spare_frames(setup):
    """The option for devices that keep frames, or Absent."""
    if setup.kept <= 4000:  # the pool has as many to spare
        return []
    if "--spare-frames" not in host.output(str(setup.sluice), "run", "--help"):
        raise Absent(f"its buffers are too few for captures of {setup.kept:,} frames: this sluice has no `run --spare-frames`")
    return ["--spare-frames", str(setup.kept)]


class Before(Sluice):
    """The same of another build, such as the one before a change."""

    key, name = "before", "sluice before"

    def start(self):
        self.setup.sluice = self.setup.before
        super().start()


class Testpmd(Device):
    """DPDK's own forwarder: decides nothing."""

    mode = None

    def start(self):
        program = host.need("dpdk-testpmd", "dpdk-dev")
        huge, count, room = self.setup.memory
        eal = ["-l", f"{self.main},{self.core}", "--main-lcore", self.main, *NO_PCI]
        eal += ["--in-memory"] if huge else ["--no-shconf", "--no-huge", f"-m{256 + count * (room + 256) // 2**20}"]
        options = "-i --auto-start --disable-link-check --no-lsc-interrupt --no-flush-rx".split()
        options += "--nb-cores=1 --burst=32 --rxd=1024 --txd=1024 --mbcache=256".split()
        options += [f"--forward-mode={self.mode}", f"--total-num-mbufs={count}", f"--mbuf-size={room}"]
        devices = [f"--vdev={device}" for device in self.setup.devices]
        # it ends when its standard input does
        self.launch(["stdbuf", "-oL", program, *eal, *devices, "--", *options])
        self.wait_for(r"testpmd> ")

    def counters(self):
        since = len(self.text())
        self.process.stdin.write("show port stats all\n")
        self.process.stdin.flush()
        text = self.wait_for(r"(?s)NIC statistics for port 1.*Tx-pps", since)[since:]
        total = lambda name: sum(map(int, re.findall(rf"{name}-packets:\s*(\d+)", text)))
        return total("RX"), total("TX")


class Macswap(Testpmd):
    """The yardstick: writes both addresses of each frame."""

    key = mode = expect = "macswap"
    name = "testpmd macswap"


class Io(Testpmd):
    """Does not look at frames: what the ports cost."""

    key = mode = expect = "io"
    name = "testpmd io"


class Capsule(Device):
    """The capsule crate as a forwarder that swaps addresses (perf/capsule)."""

    key = "capsule"
    name = "capsule, swaps addresses"
    expect = "macswap"

    def start(self):
        target = Path(os.environ.get("CARGO_TARGET_DIR", host.ROOT / "perf/capsule/target"))
        program = target / "release/capsule-forwarder"
        if not program.exists():
            raise Absent("not built: (cd perf/capsule && cargo build --release)")
        devices = [word for device in self.setup.devices for word in ("--device", device)]
        self.launch([program, "--swap-macs", "--core", self.core, "--main-core", self.main, "--pool", self.setup.memory[1], *devices])
        self.wait_for(r"(?m)^running")

    def counters(self):
        since = len(self.text())
        self.process.send_signal(signal.SIGHUP)
        text = self.wait_for(r"(?s)(received \d+ sent \d+ refused \d+\n.*){2}", since)[since:]
        total = lambda name: sum(map(int, re.findall(rf"{name} (\d+)", text)))
        return total("received"), total("sent")


class Ovs(Device):
    """OVS-DPDK with what the WIX rules say, in OpenFlow.

    A bridge a side, joined by patch ports, each learning in its own VLAN (NORMAL): so a tag can be rewritten in between. The
    data path has no bridges: a pair of addresses becomes one flow that sets the tag and sends."""

    key = "ovs"
    name = "OVS-DPDK, exchange rules"
    expect = "bridge"
    queues = 2  # it sends on a queue of its forwarding thread's, which is not the first

    def start(self):
        daemon = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
        if not Path(daemon).exists():
            raise Absent("not installed: as root, apt-get install openvswitch-switch-dpdk (Debian)")
        work, self.database = self.setup.work, None
        self.environment = os.environ | {f"OVS_{name}DIR": str(work) for name in ("RUN", "LOG", "DB", "SYSCONF")}
        self.tool("ovsdb-tool", "create", work / "conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
        server = ["ovsdb-server", work / "conf.db", f"--remote=punix:{work}/db.sock", f"--unixctl={work}/db.ctl", "--no-chdir"]
        self.database = subprocess.Popen(list(map(str, server)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.environment)
        self.configure("--no-wait", "--retry", "init")
        eal = " ".join(["--in-memory", *NO_PCI])
        self.configure("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", f"other_config:dpdk-extra={eal}",
                       f"other_config:dpdk-lcore-mask={1 << self.main:#x}", f"other_config:pmd-cpu-mask={1 << self.core:#x}",
                       "other_config:flow-limit=1000000", "other_config:max-idle=600000")
        # the bridges' own ports are tap devices: in a network namespace, nobody sees them
        command = ["unshare", "-n", daemon, f"unix:{work}/db.sock", f"--unixctl={work}/vswitchd.ctl", "--no-chdir"]
        self.launch(command, cores=str(self.main), env=self.environment)
        for side in (0, 1):
            bridge, port, patch = f"side{side}", f"port{side}", f"patch{side}"
            self.configure(
                "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "fail_mode=secure", "protocols=OpenFlow13",
                f"other_config:mac-table-size={max(8192, 2 * self.setup.macs)}", "mcast_snooping_enable=false",
                "--", "add-port", bridge, port, "--", "set", "Interface", port, "type=dpdk", "ofport_request=1",
                f"options:dpdk-devargs={self.setup.devices[side]}", f"options:n_rxq={self.queues}",
                "--", "add-port", bridge, patch, "--", "set", "Interface", patch, "type=patch", "ofport_request=2",
                f"options:peer=patch{1 - side}")
        for side in (0, 1):
            self.openflow(side)

    def openflow(self, side):
        """The rules of one side's bridge: what its port may send, and what comes from the other side's."""
        work = self.setup.work
        control = ["ovs-ofctl", "-O", "OpenFlow13"]
        bridge = f"unix:{work}/side{side}.mgmt"
        self.tool(*control, "add-meter", bridge, "meter=1,pktps,burst,band=type=drop,rate=1000,burst_size=2000")
        own, other = (f"dl_vlan={rules.frames.VLANS[each]}" if self.setup.tagged else "vlan_tci=0" for each in (side, 1 - side))
        rewrite = f"mod_vlan_vid:{rules.frames.VLANS[side]}," if self.setup.tagged else ""
        prefix4, prefix6 = rules.PEERING
        arp, solicitation = f"arp,arp_spa={prefix4},arp_tpa={prefix4}", f"icmp6,icmp_type=135,nd_target={prefix6}"
        group = "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"
        flows = [
            f"priority=40,in_port=1,{own},{arp},{group},actions=meter:1,NORMAL",
            f"priority=30,in_port=1,{own},{arp},actions=NORMAL",
            f"priority=40,in_port=1,{own},{solicitation},{group},actions=meter:1,NORMAL",
            f"priority=30,in_port=1,{own},{group},actions=drop",
            f"priority=20,in_port=1,{own},ip,actions=NORMAL",
            f"priority=20,in_port=1,{own},ipv6,actions=NORMAL",
            f"priority=20,in_port=2,{other},actions={rewrite}NORMAL",
            "priority=0,actions=drop",
        ]
        self.tool(*control, "add-flows", bridge, "-", text="\n".join(flows))

    def configure(self, *words):
        self.tool("ovs-vsctl", f"--db=unix:{self.setup.work}/db.sock", "--timeout=30", *words)

    def tool(self, *words, text=None):
        done = subprocess.run(list(map(str, words)), input=text, capture_output=True, text=True, env=self.environment)
        if done.returncode:
            logged = self.text()[-1500:] if self.log.exists() else ""
            raise Failed(f"{words[0]}: {done.stderr.strip()}\n{logged}")
        return done.stdout

    def stop(self):
        super().stop()
        end(self.database)


EVERY = {device.key: device for device in (Sluice, Before, Macswap, Io, Ovs, Capsule)}
