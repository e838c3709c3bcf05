"""A flood of ARP that is not the exchange's: broadcast requests within other prefixes, as a wrong cable or an ISP's own LAN sends.

One stream a station and prefix.
"""

import ipaddress

from exchange import Exchange, parser, stream


class ForeignArp:
    def get_streams(self, tunables, direction, port_id, **_):
        arguments = parser(__doc__)
        arguments.add_argument("--stations", type=int, default=20, help="that take part")
        prefixes = "192.168.88.0/24,10.0.0.0/8,169.254.0.0/16"
        arguments.add_argument("--foreign", default=prefixes, help="prefixes, none within the exchange's")
        options = arguments.parse_args(tunables)
        prefixes = [ipaddress.IPv4Network(prefix) for prefix in options.foreign.split(",")]
        for prefix in prefixes:
            if prefix.overlaps(options.peering4):
                arguments.error(f"--foreign {prefix} overlaps the exchange's {options.peering4}")
        exchange = Exchange(options, direction)
        return [
            # a request for the neighbour's address, as every LAN is full of
            stream(exchange.arp(number, str(prefix[number % 100 + 1]), str(prefix[number % 100 + 101])), number=number)
            for number in range(min(options.stations, exchange.count))
            for prefix in prefixes
        ]


def register():
    return ForeignArp()
