"""As much of trex.stl.api as the profiles use, for where TRex is not installed: streams that compile to the same JSON as TRex's.

Tests compare what comes of it with the real thing where TREX names one.
"""

import base64
import importlib
import os
import sys
import time


class TRexError(Exception):
    """As TRex's."""


class STLTXCont:
    """Frames for ever, at a rate."""

    def __init__(self, pps):
        self.rate = {"type": "pps", "value": pps}


class STLFlowStats:
    """Counted by packet group."""

    rule_type = "stats"

    def __init__(self, pg_id):
        self.pg_id = pg_id


class STLFlowLatencyStats(STLFlowStats):
    """Counted by packet group, and stamped."""

    rule_type = "latency"


class STLVmFlowVar:
    """A variable of the field engine."""

    def __init__(self, name, min_value, max_value, size, op):
        if min_value >= max_value or max_value >= 1 << 8 * size:
            raise TRexError(f"{name}: a variable of {size} bytes from {min_value} to {max_value}")
        self.instruction = {
            "type": "flow_var", "name": name, "size": size, "op": op, "init_value": min_value,
            "min_value": min_value, "max_value": max_value, "step": 1,
        }  # fmt: skip


class STLVmWrFlowVar:
    """Writes a variable into the frame."""

    def __init__(self, fv_name, pkt_offset):
        self.instruction = {"type": "write_flow_var", "name": fv_name, "pkt_offset": pkt_offset, "add_value": 0, "is_big_endian": True}


class STLVmFixIpv4:
    """Corrects the checksum of the IPv4 header at an offset."""

    def __init__(self, offset):
        self.instruction = {"type": "fix_checksum_ipv4", "pkt_offset": offset}


class STLScVmRaw:
    """A program of the field engine."""

    def __init__(self, commands):
        self.instructions = [command.instruction for command in commands]


class STLPktBuilder:
    """A frame, and the program that changes it."""

    def __init__(self, pkt, vm=()):
        self.frame, self.instructions = bytes(pkt), vm.instructions if vm else []


class STLStream:
    """A frame, its program and its rate."""

    def __init__(self, packet, mode, isg=0.0, flow_stats=None, mac_src_override_by_pkt=False, mac_dst_override_mode=0):
        self.fields = {
            "isg": isg,
            "flags": int(mac_src_override_by_pkt) | mac_dst_override_mode << 1,
            "mode": {"type": "continuous", "rate": mode.rate},
            "packet": {"binary": base64.b64encode(packet.frame).decode()},
            "vm": {"instructions": packet.instructions},
            "flow_stats": {"enabled": False},
        }
        if flow_stats:
            self.fields["flow_stats"] = {"enabled": True, "stream_id": flow_stats.pg_id, "rule_type": flow_stats.rule_type}

    def to_json(self):
        """As TRex's: what its server is sent."""
        return self.fields


class STLProfile:
    """Streams, from a Python file."""

    def __init__(self, streams):
        self.streams = streams

    def get_streams(self):
        """All of them."""
        return self.streams

    @staticmethod
    def load_py(file, direction=0, port_id=0, **tunables):
        """As TRex's: tunables become the arguments of a command line; None where they do not parse."""
        words = [word for name, value in tunables.items() for word in (f"--{name}", str(value))]
        sys.path.insert(0, os.path.dirname(file))
        try:
            module = importlib.import_module(os.path.basename(file).removesuffix(".py"))
            return STLProfile(module.register().get_streams(direction=direction, port_id=port_id, tunables=words))
        except SystemExit:
            return None
        finally:
            sys.path.pop(0)


class STLClient:
    """A server in which all is simulated: a device that carries 2 million frames/s, and stamps that all took 35 us."""

    CAPACITY = 2e6
    LASTS = 0.01  # s, however long a run is said to be

    def __init__(self, server, verbose_level):
        self.server, self.profiles, self.ends, self.sent, self.received = server, {}, 0.0, {}, 0

    def connect(self):
        if self.server != "127.0.0.1":
            raise TRexError("failed to get a response")

    def disconnect(self, stop_traffic, release_ports):
        pass

    def reset(self, ports):
        if max(ports) > 1:
            raise TRexError("there are two ports")

    def get_server_version(self):
        return {"version": "v3.0-simulated"}

    def get_port_attr(self, port):
        return {"speed": 10.0, "prom_supported": "yes"}

    def set_port_attr(self, ports, promiscuous):
        pass

    def remove_all_streams(self, ports):
        for port in ports:
            self.profiles.pop(port, None)

    def add_streams(self, streams, ports):
        for port in ports:
            self.profiles.setdefault(port, []).extend(stream.to_json() for stream in streams)

    def clear_stats(self, ports):
        self.sent, self.received = {}, 0

    def start(self, ports, mult, force, duration=None):
        for port in ports:
            if duration is not None:
                self.sent[port] = round(float(mult.removesuffix("pps")) * duration)
                self.ends = time.monotonic() + self.LASTS
            assert self.profiles[port], f"no streams on {port}"
        if duration is not None:
            self.received = min(sum(self.sent.values()), round(self.CAPACITY * duration))

    def stop(self, ports):
        assert set(ports) <= set(self.profiles)

    def get_profiles_with_state(self, state):
        assert state == "active"
        return list(self.sent) if time.monotonic() < self.ends else []

    def get_stats(self, ports):
        sent = {int(port.partition(".")[0]): count for port, count in self.sent.items()}
        return {port: {"opackets": sent[port], "ipackets": self.received if port == min(ports) else 0} for port in ports}

    def get_pgid_stats(self, groups):
        load = [stream["flow_stats"]["stream_id"] for profile in ("0.load", "1.load") for stream in self.profiles[profile][:1]
                if stream["flow_stats"]["enabled"]]  # fmt: skip
        counts = list(self.sent.values())
        flows = {group: {"tx_pkts": {"total": counts[place]}, "rx_pkts": {"total": self.received // 2}} for place, group in enumerate(load)}
        times = {"histogram": {30: 100}, "total_max": 35}
        return {"flow_stats": flows, "latency": {group: {"err_cntrs": {"dropped": 0}, "latency": times} for group in groups}}
