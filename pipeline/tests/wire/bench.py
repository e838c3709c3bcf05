"""A bridge between two raw wires: what goes in, and exactly what comes out. Only the bridge's own probes are set aside: they
come when their time has come, whatever goes in."""

from frames import A, A4, B, B4, MAC_M, MAC_W, fence, is_probe, strict, tagged
from harness import until


class Bench:
    """Crafted frames through a bridge on two ports, or on one that carries both sides. The ports are net_tap devices, or
    net_pcap on veth cables, which also take frames larger than net_tap does."""

    def __init__(self, lab, mud, wix, ports=("trunk0", "trunk1"), device="net_tap", make=strict, before=(), **bridge):
        self.lab = lab
        self.namespace = outside = lab.namespace("bridge")
        ends = ports
        if device == "net_pcap":
            outside, ends = lab.namespace("outside"), [f"{port}-far" for port in ports]
            for port, end in zip(ports, ends):
                self.namespace.cable(port, outside, end)
        devices = {port: f"{device}{index},iface={port}" for index, port in enumerate(ports)}
        mud, wix = {"port": ports[0], "mac": MAC_M, **mud}, {"port": ports[-1], "mac": MAC_W, **wix}
        self.rules = make(devices, mud, wix, **bridge)
        self.sluice = lab.sluice("bridge", self.rules, self.namespace, before=before)
        wires = {port: lab.wire(outside, end, aside=is_probe) for port, end in zip(ports, ends)}
        self.mud, self.wix = wires[ports[0]], wires[ports[-1]]
        on_mud, on_wix = vlan(mud), vlan(wix)
        fences = ((A, A4), (B, B4)), ((B, B4), (A, A4))
        self.ways = {
            "mud": (self.mud, on_mud, self.wix, on_wix, *fences),
            "wix": (self.wix, on_wix, self.mud, on_mud, *reversed(fences)),
        }

    def through(self, *frames, on="mud"):
        """Sends frames on a side; what comes out on the other. Nothing may come back."""
        across, returned = self.exchange(*frames, on=on)
        assert returned == [], f"came back on {on}: {[frame.hex() for frame in returned]}"
        return across

    def exchange(self, *frames, on="mud"):
        """Sends frames on a side; what comes out on the other, and what comes back.

        A frame that must pass follows on each side: when it is there, nothing else is on its way.
        """
        near, near_tag, far, far_tag, there, back = self.ways[on]
        for frame in frames:
            near.send(frame)
        last = fence(*there)
        near.send(near_tag(last))
        across = far.until(far_tag(last))
        last = fence(*back)
        far.send(far_tag(last))
        return across, near.until(near_tag(last))

    def refused(self, reasons, on="mud"):
        """Waits until exactly these frames have been dropped on a side. Where no fence can follow them, this is the end of
        them: each has its outcome."""
        until(lambda: self.sluice.dropped(on) == reasons, lambda: f"dropped on {on}: {self.sluice.dropped(on)}, not {reasons}")


def vlan(side):
    """How frames look on the wire of a side of the rules."""

    def wear(frame):
        if "vlan" in side:
            frame = tagged(frame, side["vlan"])
        return tagged(frame, side["outer_vlan"], tpid=0x88A8) if "outer_vlan" in side else frame

    return wear
