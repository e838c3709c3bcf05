"""What the profiles share: the stations of the two sides, their frames, and streams of them. Not a profile itself.

Side A is what port 0 stands on (mud, direction 0), side B what port 1 stands on (wix, direction 1). Station i of A has the
address --mac-a + i and talks with station i of B, --mac-b + i. All sizes are of frames on the wire, FCS included.
"""

import argparse
import functools
import ipaddress
from collections import namedtuple

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from trex.stl.api import STLPktBuilder, STLStream, STLTXCont

FCS = 4
BROADCAST = "ff:ff:ff:ff:ff:ff"
IMIX = {64: 7, 594: 4, 1518: 1}
MOST = 1 << 16  # stations of a side: the last two bytes of an address count them

Station = namedtuple("Station", "mac ipv4 ipv6")


def parser(what):
    """A profile's arguments: those that every profile takes. Each has a value, as STLProfile.load_py() passes them."""
    arguments = argparse.ArgumentParser(description=what, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = arguments.add_argument
    add("--macs", type=macs, default=100, help="addresses in all, half of them on each side: an even number, at most 131072")
    add("--tags", type=tags, default="10,20", metavar="A,B", help="VLAN of each side, or: none")
    add("--mac-a", type=mac_base, default="02:aa:00:00:00:00", help="first address of side A; its last two bytes count the stations")
    add("--mac-b", type=mac_base, default="02:bb:00:00:00:00", help="first address of side B")
    add("--peering4", type=ipaddress.IPv4Network, default="202.7.0.0/23", help="the exchange's IPv4 prefix")
    add("--peering6", type=ipaddress.IPv6Network, default="2001:7fa:3:ca07::/64", help="the exchange's IPv6 prefix")
    add(
        "--avoid",
        type=addresses,
        default="202.7.0.31,202.7.1.254,2001:7fa:3:ca07::31,2001:7fa:3:ca07::fe",
        help="peering addresses that others have: of members, and the bridge's own",
    )
    return arguments


def macs(text):
    count = int(text)
    if count < 2 or count % 2 or count > 2 * MOST:
        raise argparse.ArgumentTypeError("an even number from 2 to 131072")
    return count


def sizes(text):
    """{bytes on the wire: share}."""
    found = IMIX if text == "imix" else {int(text): 1}
    if min(found) < 64:
        raise argparse.ArgumentTypeError("Ethernet's frames have at least 64 bytes")
    return found


def tags(text):
    if text == "none":
        return None, None
    pair = tuple(int(tag) for tag in text.split(","))
    if len(pair) != 2 or not all(1 <= tag <= 4094 for tag in pair):
        raise argparse.ArgumentTypeError("two VLANs from 1 to 4094, such as 10,20, or: none")
    return pair


def mac_base(text):
    value = int(text.replace(":", ""), 16)
    if len(text) != 17 or value % MOST or value >> 40 & 1:
        raise argparse.ArgumentTypeError("a station's address that ends in 00:00, such as 02:aa:00:00:00:00")
    return value


def addresses(text):
    return {ipaddress.ip_address(one) for one in text.split(",") if one}


class Exchange:
    """Both sides as one port sees them: stations send from `here` to `there`, and frames carry the tag of `here`."""

    def __init__(self, options, direction):
        self.options = options
        self.count = options.macs // 2
        self.direction = direction
        self.tag = options.tags[direction]

    def here(self, number):
        """A station on the side that frames come from."""
        return self._station(self.direction, number)

    def there(self, number):
        """A station on the side that frames go to."""
        return self._station(1 - self.direction, number)

    def _station(self, side, number):
        base = (self.options.mac_a, self.options.mac_b)[side]
        # sides take turns; where stations outnumber the prefix's addresses, only the first have one
        place = 2 * number + side
        ipv4 = self._hosts4[place] if place < len(self._hosts4) else None
        ipv6 = self.options.peering6[((0xA, 0xB)[side] << 16) + number + 1]
        if ipv6 in self.options.avoid:
            raise ValueError(f"{ipv6} is to be avoided, but it is station {number}'s of side {'AB'[side]}")
        return Station((base + number).to_bytes(6, "big").hex(":"), ipv4 and str(ipv4), str(ipv6))

    @functools.cached_property
    def _hosts4(self):
        return [host for host in self.options.peering4.hosts() if host not in self.options.avoid]

    def speakers(self, wanted):
        """Numbers of stations that have a peering address on both sides, at most so many."""
        return range(min(wanted, self.count, len(self._hosts4) // 2))

    def ether(self, source, to):
        """The Ethernet header of a frame as the port sends it: with the side's tag, if it has one."""
        header = Ether(src=source, dst=to)
        return header if self.tag is None else header / Dot1Q(vlan=self.tag)

    @property
    def ip_offset(self):
        """Where the IP header begins."""
        return 14 if self.tag is None else 18

    def udp(self, number, size, source=None, to=None):
        """A datagram between the stations of one number. The addresses are of RFC 2544's 198.18.0.0/15: a peering LAN
        carries what its members route, not packets of its own prefix."""
        low = number.to_bytes(2, "big")
        half = lambda side: f"198.{18 + side}.{low[0]}.{low[1]}"
        packet = IP(src=source or half(self.direction), dst=to or half(1 - self.direction), flags="DF")
        # no UDP checksum, which IPv4 allows: the field engine then has the header's alone to correct
        return padded(self.ether(self.here(number).mac, self.there(number).mac) / packet / UDP(sport=4000, dport=4001, chksum=0), size)

    def arp(self, number, source=None, target=None):
        """A station's broadcast request for its peer's address."""
        here, there = self.here(number), self.there(number)
        request = ARP(op=1, hwsrc=here.mac, psrc=source or here.ipv4, hwdst="00:00:00:00:00:00", pdst=target or there.ipv4)
        return padded(self.ether(here.mac, BROADCAST) / request, 64)

    def solicitation(self, number):
        """A station's multicast neighbour solicitation for its peer's address (RFC 4861, section 4.3)."""
        here, there = self.here(number), self.there(number)
        low = ipaddress.IPv6Address(there.ipv6).packed[-3:]
        group = ipaddress.IPv6Address(ipaddress.IPv6Address("ff02::1:ff00:0").packed[:13] + low)
        packet = IPv6(src=here.ipv6, dst=str(group), hlim=255) / ICMPv6ND_NS(tgt=there.ipv6) / ICMPv6NDOptSrcLLAddr(lladdr=here.mac)
        return self.ether(here.mac, b"\x33\x33\xff".hex(":") + ":" + low.hex(":")) / packet


def padded(packet, size):
    """The frame with as much payload as makes it `size` bytes on the wire; lengths and checksums count it."""
    return packet / bytes(size - FCS - len(packet))


def stream(frame, share=1.0, vm=None, number=0, **more):
    """Frames at a rate in proportion to `share`: the multiplier that a run is started with sets the sum."""
    return STLStream(
        # `number` microseconds apart: not every stream of a port at once
        isg=float(number),
        packet=STLPktBuilder(pkt=frame, vm=vm or []),
        mode=STLTXCont(pps=share),
        mac_src_override_by_pkt=True,
        mac_dst_override_mode=1,
        **more,
    )
