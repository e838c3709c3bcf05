"""What a quiet exchange says all day: ARP requests and neighbour solicitations for the peers' addresses, from many stations.

One stream a station and kind: at such rates the field engine would save nothing.
"""

from exchange import Exchange, parser, stream


class Background:
    def get_streams(self, tunables, direction, port_id, **_):
        arguments = parser(__doc__)
        arguments.add_argument("--stations", type=int, default=50, help="that speak, on each side")
        arguments.add_argument("--arp", type=float, default=1, help="share of ARP")
        arguments.add_argument("--nd", type=float, default=1, help="share of neighbour discovery")
        options = arguments.parse_args(tunables)
        exchange = Exchange(options, direction)
        numbers = exchange.speakers(options.stations)
        kinds = {exchange.arp: options.arp, exchange.solicitation: options.nd}
        return [
            stream(frame(number), share / len(numbers), number=1000 * number)
            for number in numbers
            for frame, share in kinds.items()
            if share
        ]


def register():
    return Background()
