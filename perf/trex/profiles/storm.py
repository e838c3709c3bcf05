"""A broadcast storm: requests that an exchange lets through, ARP for its own addresses, far more than there may be.

One stream a station: a flood is not measured by its variety. Start it at the rate that the storm shall have.
"""

from exchange import Exchange, parser, stream


class Storm:
    def get_streams(self, tunables, direction, port_id, **_):
        arguments = parser(__doc__)
        arguments.add_argument("--stations", type=int, default=50, help="that take part; 1 makes it one station's")
        options = arguments.parse_args(tunables)
        exchange = Exchange(options, direction)
        return [stream(exchange.arp(number), number=number) for number in exchange.speakers(options.stations)]


def register():
    return Storm()
