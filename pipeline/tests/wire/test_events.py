"""What the log tells of events while somebody floods it with them (docs/spec F.8)."""

from bench import Bench
from frames import A, A4, B4, OWN, arp, bpdu, tagged, udp
from harness import until

FLOOD = 1100
STRANGERS = 8
"""Stations whose events of one kind at one place are told one by one."""
PROMPT = 5.0
"""Seconds within which an event must be in the log: one, and what a busy machine takes."""


def lines(sluice, event):
    """What the log tells of one kind of event."""
    return [line for line in sluice.log().splitlines() if f'event="{event}"' in line]


def test_f205_a_flood_of_bpdus_from_invented_macs_is_told_a_few_times_and_hides_no_other_event(lab):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20})
    # the tap must take them all at once
    bench.mud.namespace.run("ip", "link", "set", bench.mud.interface, "txqueuelen", str(2 * FLOOD))
    flood = [tagged(bpdu(f"02:cc:00:00:{number >> 8:02x}:{number & 0xFF:02x}"), 10) for number in range(FLOOD)]
    for frame in flood:
        bench.mud.send(frame)
    bench.mud.send(tagged(arp((A, OWN["ipv4"]), B4), 10))
    bench.mud.send(tagged(arp((A, B4), A4), 10))
    bench.wix.send(tagged(udp(), 20))
    others = ("ip_conflict_own", "arp_spoof", "mac_wrong_side")

    def told():
        return {event: len(lines(bench.sluice, event)) for event in others}

    until(lambda: told() == dict.fromkeys(others, 1), lambda: f"each told once, and not {told()}", patience=PROMPT)
    bench.refused({"l2_reserved_bpdu": FLOOD, "ip_conflict_own": 1, "arp_spoof": 1})
    outcomes = bench.sluice.ask("counters")["outcomes"]
    assert outcomes["l2_reserved_bpdu"] == FLOOD and outcomes["mac_wrong_side"] == 1
    summed_up = [line for line in lines(bench.sluice, "bpdu_seen") if "from more stations than are told one by one" in line]
    assert len(summed_up) == 1
    assert len(lines(bench.sluice, "bpdu_seen")) - len(summed_up) <= STRANGERS
