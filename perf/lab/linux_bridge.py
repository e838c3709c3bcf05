"""The Linux bridge with three nftables rules, measured in a network namespace of its own: `unshare -n python3 -m lab.linux_bridge`.

No virtual device of DPDK reaches the kernel without costing more than the bridge does. So the kernel is its own source: an XDP
program writes the addresses of each frame and hands it to the stack as received by a port (BPF_PROG_TEST_RUN with live frames,
Linux 5.18), on the core that bridges. The sink is a tap device that nobody reads: it drops what its full queue does not take.
Neither costs as much as a network card's driver, which favours the bridge. The ABI of the kernel is in linux/bpf.h and linux/if_tun.h."""

import argparse
import ctypes
import fcntl
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from . import Failed, frames, host

BPF_PROG_LOAD, BPF_PROG_TEST_RUN, BPF_PROG_TYPE_XDP, XDP_PASS = 5, 10, 6, 2
BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x2, 0x1000
BATCH, REPEAT = 64, 131072  # frames handed to the stack at once; in one call, whose set-up takes a while
PORTS = ("mud", "wix")

RULES = """
table bridge exchange {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ether type ip accept
        ether type ip6 accept
        ether type arp arp saddr ip 202.7.0.0/23 arp daddr ip 202.7.0.0/23 limit rate 1000/second accept
    }
}
"""


def bpf(command, attributes):
    """The bpf(2) system call."""
    buffer = ctypes.create_string_buffer(attributes, max(len(attributes), 144))
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(BPF_SYSCALL[os.uname().machine], command, buffer, len(buffer))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf({command}): {os.strerror(error)}")
    return result


def instruction(code, to=0, source=0, offset=0, value=0):
    return struct.pack("<BBhi", code, to | source << 4, offset, value)


def wide(to, value):
    """A register is set to 64 bits."""
    low, high = struct.unpack("<ii", struct.pack("<Q", value))
    return instruction(0x18, to, value=low) + instruction(0, value=high)


def addresses(side, flows):
    """An XDP program that gives each frame the two addresses of a flow, at random, and passes it to the stack."""
    start = frames.mac(1 - side, 0)[:3] + bytes(3) + frames.mac(side, 0)[:2]
    end = frames.mac(side, 0)[2:3] + bytes(5)
    return b"".join([
        instruction(0xBF, 6, 1),  # r6 = context
        instruction(0x85, value=7),  # r0 = bpf_get_prandom_u32()
        instruction(0x94, 0, value=flows),  # w0 %= flows
        instruction(0x61, 2, 6, 0),  # r2 = data
        instruction(0x61, 3, 6, 4),  # r3 = data_end
        instruction(0xBF, 4, 2), instruction(0x07, 4, value=16),  # r4 = data + 16
        instruction(0x2D, 4, 3, 11),  # if r4 > data_end goto out
        instruction(0xBF, 5, 0), instruction(0x67, 5, value=24),  # r5 = flow, behind the first three bytes
        wide(7, int.from_bytes(start, "little")), instruction(0x4F, 5, 7),
        instruction(0x7B, 2, 5, 0),  # 8 bytes: destination, 2 of the source
        instruction(0x67, 0, value=8), instruction(0x47, 0, value=end[0]),
        instruction(0x63, 2, 0, 8),  # 4 bytes: the rest of the source
        instruction(0xB7, 0, value=XDP_PASS), instruction(0x95),
        instruction(0xB7, 0, value=1), instruction(0x95),  # out: dropped
    ])


def load(program):
    """A program in the kernel: its descriptor."""
    code, licence, log = (ctypes.create_string_buffer(text, len(text) + 1) for text in (program, b"GPL", bytes(65536)))
    texts = ctypes.addressof(code), ctypes.addressof(licence)
    try:
        return bpf(BPF_PROG_LOAD, struct.pack(
            "<IIQQIIQ", BPF_PROG_TYPE_XDP, len(program) // 8, *texts, 1, len(log) - 1, ctypes.addressof(log)))
    except OSError as error:
        raise Failed(f"the kernel does not take the source: {error}: {log.value.decode()[-400:]}") from error


def run(program, port, data):
    """`REPEAT` frames enter the stack by a port."""
    frame = ctypes.create_string_buffer(data, len(data))
    context = ctypes.create_string_buffer(struct.pack("<IIIIII", 0, len(data), 0, socket.if_nametoindex(port), 0, 0))
    bpf(BPF_PROG_TEST_RUN, struct.pack(
        "<IIIIQQIIIIQQIII", program, 0, len(data), 0, ctypes.addressof(frame), 0, REPEAT, 0, len(context) - 1, 0,
        ctypes.addressof(context), 0, BPF_F_TEST_XDP_LIVE_FRAMES, 0, BATCH))


def command(*words, text=None):
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")


def build(filtered):
    """The bridge and its two ports; the descriptors that keep the ports alive."""
    for switch in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
        switch.write_text("0")
    command("ip", "link", "add", "name", "exchange", "type", "bridge", "mcast_snooping", "0", "ageing_time", "3000000")
    taps = []
    for port in PORTS:
        taps.append(os.open("/dev/net/tun", os.O_RDWR))
        fcntl.ioctl(taps[-1], TUNSETIFF, struct.pack("16sH22x", port.encode(), IFF_TAP | IFF_NO_PI))
        Path(f"/proc/sys/net/ipv6/conf/{port}/disable_ipv6").write_text("1")
        command("ip", "link", "set", port, "txqueuelen", "10")
        command("ip", "link", "set", port, "master", "exchange", "up")
        command("tc", "qdisc", "replace", "dev", port, "root", "noqueue")
    command("ip", "link", "set", "exchange", "up")
    if filtered:
        command("nft", "-f", "-", text=RULES)
    return taps


def crossed():
    """Frames that reached the other port: the tap counts those that its queue took, and those that it did not."""
    lines = dict(line.split(":") for line in Path("/proc/self/net/dev").read_text().splitlines() if ":" in line)
    columns = {name.strip(): list(map(int, values.split())) for name, values in lines.items()}
    return sum(columns[port][8] + columns[port][11] for port in PORTS)  # transmitted, and dropped instead


def measure(macs, size, seconds):
    """Frames, and the CPU and waiting time of this thread meanwhile."""
    chance = random.Random(0)
    programs = [load(addresses(side, macs // 2)) for side in (0, 1)]
    data = [frames.datagram(side, 0, int(size), False, chance) for side in (0, 1)]
    both = lambda: [run(program, port, each) for program, port, each in zip(programs, PORTS, data)]
    end = time.monotonic() + 1 + macs / 50_000  # warm-up: each address has spoken
    while time.monotonic() < end:
        both()
    before, (ran, waited), offered = crossed(), host.scheduled(Path("/proc/self")), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        both()
        offered += 2 * REPEAT
    ran, waited = (last - first for last, first in zip(host.scheduled(Path("/proc/self")), (ran, waited)))
    return {"offered": offered, "crossed": crossed() - before, "ran": ran, "waited": waited}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--core", type=int, required=True)
    parser.add_argument("--macs", type=int, required=True)
    parser.add_argument("--size", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--unfiltered", action="store_true", help="without the nftables rules")
    options = parser.parse_args()
    build(not options.unfiltered)
    os.sched_setaffinity(0, {options.core})
    print(json.dumps(measure(options.macs, options.size, options.seconds)))


if __name__ == "__main__":
    try:
        main()
    except (Failed, OSError) as error:
        sys.exit(str(error))
