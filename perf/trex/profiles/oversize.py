"""Packets that do not fit the other side's MTU: each shall draw an ICMPv6 Packet Too Big, or ICMPv4 Fragmentation Needed.

Every station sends for a host behind it, in a prefix of its own, as what a bridge's limits count are sources. One stream a
station and family.
"""

from exchange import FCS, Exchange, parser, padded, stream
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6


class Oversize:
    def get_streams(self, tunables, direction, port_id, **_):
        arguments = parser(__doc__)
        arguments.add_argument("--mtu", type=int, default=1500, help="of the side that the packets go to, in bytes of layer 3")
        arguments.add_argument("--over", type=int, default=1, help="bytes by which they exceed it")
        arguments.add_argument("--family", choices=("4", "6", "both"), default="both", help="IPv4 with DF, IPv6")
        arguments.add_argument("--stations", type=int, default=20, help="that send them")
        options = arguments.parse_args(tunables)
        if options.over < 1:
            arguments.error("--over: at least 1, or the packets fit")
        exchange = Exchange(options, direction)
        size = exchange.ip_offset + options.mtu + options.over + FCS
        kinds = {"4": [exchange.udp], "6": [udp6(exchange)], "both": [exchange.udp, udp6(exchange)]}[options.family]
        return [
            stream(frame(number, size), number=1000 * number)
            for number in range(min(options.stations, exchange.count))
            for frame in kinds
        ]


def udp6(exchange):
    """Datagrams over IPv6 from behind a station to behind its peer, in RFC 3849's 2001:db8::/32."""

    def frame(number, size):
        host = lambda side: f"2001:db8:{0xA + side:x}:{number:x}::1:{number + 1:x}"
        packet = IPv6(src=host(exchange.direction), dst=host(1 - exchange.direction)) / UDP(sport=4000, dport=4001)
        return padded(exchange.ether(exchange.here(number).mac, exchange.there(number).mac) / packet, size)

    return frame


def register():
    return Oversize()
