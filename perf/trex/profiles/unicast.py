"""Unicast between the stations of the two sides, UDP over IPv4, every frame of another flow than the one before."""

from exchange import Exchange, parser, sizes, stream
from trex.stl.api import STLFlowStats, STLScVmRaw, STLVmFixIpv4, STLVmFlowVar, STLVmWrFlowVar


class Unicast:
    def get_streams(self, tunables, direction, port_id, **_):
        arguments = parser(__doc__)
        arguments.add_argument("--size", type=sizes, default="64", help="bytes on the wire with FCS, or: imix (64:594:1518 as 7:4:1)")
        arguments.add_argument(
            "--flows",
            choices=("field", "streams"),
            default="field",
            help="how the addresses vary. field: one stream a size, the field engine counts. streams: one stream a flow and size, for "
            "ports that cannot send frames in segments (TRex v3.08 on memif: frames over 64 bytes)",
        )
        arguments.add_argument("--group", type=int, default=0, help="count these frames apart from all others, in packet group PORT + this")
        options = arguments.parse_args(tunables)
        exchange = Exchange(options, direction)
        more = {"flow_stats": STLFlowStats(pg_id=options.group + port_id)} if options.group else {}
        if options.flows == "field":
            return [stream(exchange.udp(0, size), share, counting(exchange), **more) for size, share in options.size.items()]
        return [
            stream(exchange.udp(number, size), share / exchange.count, number=number, **more)
            for number in range(exchange.count)
            for size, share in options.size.items()
        ]


def counting(exchange):
    """The field engine's program: the flow's number in the last two bytes of each address."""
    if exchange.count == 1:
        return None
    ip = exchange.ip_offset
    places = {"destination MAC": 4, "source MAC": 10, "source": ip + 14, "destination": ip + 18}
    return STLScVmRaw(
        [STLVmFlowVar(name="flow", min_value=0, max_value=exchange.count - 1, size=2, op="inc")]
        + [STLVmWrFlowVar(fv_name="flow", pkt_offset=offset) for offset in places.values()]
        + [STLVmFixIpv4(offset=ip)]
    )


def register():
    return Unicast()
