"""The frames of a case as captures, for ports that read them (net_pcap). The addresses are those of perf/generator."""

import random
import struct

VLANS = (10, 20)  # of side A and side B
IMIX = (64,) * 7 + (594,) * 4 + (1518,)


def mac(side, flow):
    """The station of a flow on side 0 (A) or 1 (B)."""
    return bytes((2, (0xAA, 0xBB)[side], 0)) + flow.to_bytes(3, "big")


def checksum(data):
    """The Internet checksum of an even number of bytes (RFC 1071)."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def datagram(side, flow, size, tagged, chance):
    """UDP over IPv4 between the two stations of a flow, as that side's port receives it: `size` bytes with tag and FCS."""
    tag = struct.pack(">HH", 0x8100, VLANS[side]) if tagged else b""
    length = size - 4 - 14 - len(tag)
    addresses = struct.pack(">II", *(0xC612_0000 | chance.getrandbits(17) for _ in range(2)))  # RFC 2544's 198.18.0.0/15
    udp = struct.pack(">HHHH", chance.randrange(1024, 65536), chance.randrange(1024, 65536), length - 20, 0)
    data = chance.randbytes(length - 28)
    summed = addresses + struct.pack(">HH", 17, length - 20) + udp + data
    # a sum of 0 is sent as ffff (RFC 768)
    udp = udp[:6] + struct.pack(">H", checksum(summed + bytes(len(summed) % 2)) or 0xFFFF)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, length, chance.getrandbits(16), 0x4000, 64, 17, 0) + addresses
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return mac(1 - side, flow) + mac(side, flow) + tag + b"\x08\x00" + ip + udp + data


def how_many(macs):
    """Frames in each of the two captures: each address speaks as often as the others."""
    flows = macs // 2
    return flows * max(1, 2000 // flows)


def write_capture(path, side, *, macs, size, tagged):
    """What one side's port receives: the flows in a random order, the same each time."""
    chance = random.Random(side)
    sizes = IMIX if size == "imix" else (int(size),)
    count = how_many(macs)
    flows = [number % (macs // 2) for number in range(count)]
    chance.shuffle(flows)
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for flow in flows:
            data = datagram(side, flow, chance.choice(sizes), tagged, chance)
            file.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)
