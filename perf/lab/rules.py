"""The rules of a case: the WIX example with other ports and stations. Written as JSON, which is YAML."""

import json

from . import Absent, frames, host

PEERING = ("202.7.0.0/23", "2001:7fa:3:ca07::/64")
MEMBERS = tuple((side, flow) for side in (0, 1) for flow in range(50))
SIDES = ("mud", "wix")


def member(side, flow):
    """The station of a flow with the addresses that perf/generator gives it."""
    return {
        "name": f"{SIDES[side]}{flow}",
        "side": SIDES[side],
        "mac": frames.mac(side, flow).hex(":"),
        "ipv4": [f"202.7.{side}.{flow % 250 + 1}"],
        "ipv6": [f"2001:7fa:3:ca07:0:{(0xAA, 0xBB)[side]:x}:{flow >> 16:x}:{flow & 0xFFFF:x}"],
    }


def wix(devices, *, socket, macs=len(MEMBERS), tagged=True, workers=(1,), idle="poll", members=MEMBERS):
    """The rules as a value, for a caller to change: ARP, ND, storm and both-sides guards as in the example, and members.

    devices: of side A and side B, as DPDK names them. socket: the control socket. macs: addresses that will speak; only
    members (side and flow of each) may where there are no more than these, otherwise the rest is learned."""
    try:
        import yaml
    except ImportError:
        raise Absent("Python cannot read YAML: as root, apt-get install python3-yaml (Debian)") from None
    found = yaml.safe_load((host.ROOT / "rules/examples/wix.yaml").read_text())
    found["ports"] = {f"trunk{side}": {"device": device} for side, device in enumerate(devices)}
    found |= {"workers": list(workers), "idle": idle, "control": {"socket": str(socket)}}
    bridge = found["bridges"]["wix"]
    for side, name in enumerate(SIDES):
        ends = bridge["sides"][name]
        ends.pop("vlan", None)
        if tagged:
            ends["vlan"] = frames.VLANS[side]
    bridge["members"] = [member(side, flow) for side, flow in members]
    bridge["admission"] = "members" if macs <= len(members) else "learned"
    if macs > len(members):
        # all may be new at once: learning is what is measured here, not its limit
        bridge["macs"] = {"capacity": max(4096, macs // 2), "new": {"rate": "1000000/s", "burst": macs}}
    return found


def extra_alone(macs):
    """Keys of rules in which one station is listed, that of perf/generator's --extra beside so many others. All these are learned."""
    return {"bridges": wix((), socket="", macs=macs, members=[(0, macs // 2)])["bridges"]}


def write(path, rules):
    """Writes rules to a file."""
    path.write_text(json.dumps(rules, indent=1) + "\n")
    return path
