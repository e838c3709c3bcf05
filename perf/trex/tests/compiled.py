"""Profiles compiled to streams, by TRex's API or the stand-in's, and run: the frames that a port would send."""

import atexit
import base64
import functools
import heapq
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROFILES = HERE.parent / "profiles"
STANDIN = HERE / "standin"

# a process for each API: both go by one name, and TRex brings its own scapy. It answers requests, a line each.
COMPILE = """
import contextlib, io, json, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from trex.stl.api import STLProfile
for line in sys.stdin:
    file, direction, tunables = json.loads(line)
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            profile = STLProfile.load_py(file, direction=direction, port_id=direction, **tunables)
        except Exception as error:
            profile = print(error, file=sys.stderr)
    print(json.dumps(profile and [stream.to_json() for stream in profile.get_streams()] or said.getvalue()), flush=True)
"""


class Refused(Exception):
    """The profile does not take these tunables."""


def trex():
    """Where the Python API of the TRex in $TREX is."""
    folder = Path(os.environ["TREX"])
    for place in ("automation", "scripts/automation"):
        found = folder / place / "trex_control_plane/interactive"
        if found.is_dir():
            return found
    raise AssertionError(f"TREX={folder}: no TRex there")


@functools.cache
def compiler(api):
    """The process that compiles with an API."""
    command = [sys.executable, "-B", "-c", COMPILE, str(api)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    atexit.register(process.terminate)
    return process


def compiled(api, profile, direction=0, **tunables):
    """A profile's streams, as the server is sent them."""
    process = compiler(api)
    tunables = {name.replace("_", "-"): value for name, value in tunables.items()}
    print(json.dumps([str(PROFILES / f"{profile}.py"), direction, tunables]), file=process.stdin, flush=True)
    answer = json.loads(process.stdout.readline())
    if isinstance(answer, str):
        raise Refused(answer)
    return answer


def frames(streams, count):
    """The first frames of a port: every stream's, at its rate."""
    running = [(0.0, place, running_stream(stream), 1 / stream["mode"]["rate"]["value"]) for place, stream in enumerate(streams)]
    heapq.heapify(running)
    found = []
    for _ in range(count):
        due, place, source, period = running[0]
        found.append(next(source))
        heapq.heapreplace(running, (due + period, place, source, period))
    return found


def running_stream(stream):
    """One stream's frames: its packet, changed by its program each time."""
    packet = base64.b64decode(stream["packet"]["binary"])
    variables, number = {}, 0
    while True:
        frame = bytearray(packet)
        for step in stream["vm"]["instructions"]:
            if step["type"] == "flow_var":
                assert (step["op"], step["step"]) == ("inc", 1)
                span = step["max_value"] - step["min_value"] + 1
                offset = step["init_value"] - step["min_value"]
                variables[step["name"]] = step["size"], step["min_value"] + (number + offset) % span
            elif step["type"] == "write_flow_var":
                size, value = variables[step["name"]]
                assert step["is_big_endian"]
                at = step["pkt_offset"]
                frame[at : at + size] = (value + step["add_value"]).to_bytes(size, "big")
            elif step["type"] == "fix_checksum_ipv4":
                at = step["pkt_offset"]
                header = frame[at : at + 4 * (frame[at] & 15)]
                header[10:12] = b"\0\0"
                frame[at + 10 : at + 12] = checksum(header).to_bytes(2, "big")
            else:
                raise AssertionError(f"an instruction that no profile had: {step}")
        yield bytes(frame)
        number += 1


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
