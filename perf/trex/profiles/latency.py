"""One flow whose frames TRex stamps: a few a second, at a rate that no multiplier changes."""

from exchange import Exchange, parser, sizes, stream
from trex.stl.api import STLFlowLatencyStats

SMALLEST = 68  # tag, IPv4, UDP, and the 16 bytes of TRex's stamp


class Latency:
    def get_streams(self, tunables, direction, port_id, **_):
        arguments = parser(__doc__)
        arguments.add_argument("--size", type=sizes, default="64", help=f"bytes on the wire; under {SMALLEST}, or imix: {SMALLEST}")
        arguments.add_argument("--pps", type=int, default=1000, help="frames a second")
        arguments.add_argument("--group", type=int, default=100, help="the packet group is PORT + this")
        options = arguments.parse_args(tunables)
        frame = Exchange(options, direction).udp(0, max(SMALLEST, min(options.size)))
        return [stream(frame, options.pps, flow_stats=STLFlowLatencyStats(pg_id=options.group + port_id))]


def register():
    return Latency()
