"""What the appliance does, on every driver and as a service. In this order: the last ones take it apart."""

import json

import pytest
from scapy.layers.l2 import ARP, Ether

from appliance import BRIDGES, DRIVERS, MODELS, MTU, across, on_a_trunk
from frames import A, A4, A6, B, B4, B6, BROADCAST, arp, fence, fragmentation_needed, packet_too_big, tagged, udp, udp6
from guest import BOOT
from harness import PATIENCE, command, until

QUIET, QUIET4 = "02:cc:00:00:00:03", "202.7.0.30"
"""A station that speaks once."""
LOUD, LOUD4 = "02:dd:00:00:00:04", "202.7.0.40"
"""A station that does not stop."""

each_driver = pytest.mark.parametrize("model", MODELS)


def through(appliance, bridge, frame):
    """Sends a frame from the mud side and then one that passes; what left on either side until that had passed."""
    mud, wix = (appliance.cables[card] for card, _ in (bridge.mud, bridge.wix))
    last = fence((A, A4), (B, B4))
    with mud.heard() as back, wix.heard() as out:
        assert mud.send(tagged(frame, bridge.mud[1]), PATIENCE)
        assert mud.send(tagged(last, bridge.mud[1]), PATIENCE)
        until(lambda: tagged(last, bridge.wix[1]) in out, lambda: f"the fence, beside {out}")
    return back, out


# ------------------------------------------------------------------------------------------------ as it was set up


def test_sluice_ports_says_which_command_binds_them(appliance):
    ports = {port["pci"]: port for port in appliance.ports_before["ports"]}
    for address in appliance.addresses.values():
        assert f"sluice-bind {address}" in json.dumps(ports[address]), ports[address]


@each_driver
def test_it_bridges_after_power_on_with_no_hand_on_it(appliance, model):
    assert appliance.forwarding[model] and appliance.forwarding[f"{model}-trunk"]
    log = appliance.guest.journal("-b -u sluice")
    for card in (f"{model}-0", f"{model}-1"):
        assert f'port="{card}" device="{appliance.addresses[card]}" driver="{DRIVERS[model]}"' in log, log


def test_the_first_start_succeeds(appliance):
    assert appliance.guest.run("systemctl show -P NRestarts sluice") == "0", appliance.guest.journal("-b -u sluice")


def test_cards_are_the_bridges_and_not_its_groups(appliance):
    assert set(appliance.guest.run("stat -c '%U %a' /dev/vfio/[0-9]*").splitlines()) == {"sluice 600"}


# ------------------------------------------------------------------------------------------------ every driver


@pytest.mark.parametrize("address", [B4, B6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("bridge", BRIDGES, ids=lambda bridge: bridge.name)
def test_hosts_on_both_sides_ping_each_other(appliance, bridge, address):
    a, b = appliance.hosts(bridge)
    a.reaches(address)
    b.reaches(address.replace(B4, A4).replace(B6, A6))
    a.reaches(address, "-M", "do", "-s", str(MTU["wix"] - (48 if ":" in address else 28)))


@each_driver
def test_foreign_arp_is_refused_and_counted(appliance, model):
    bridge = across(model)
    before = appliance.count(f"{model}/mud", "arp_not_wix")
    foreign = arp((A, "10.1.1.2"), "10.1.1.1")
    _, out = through(appliance, bridge, foreign)
    assert tagged(foreign, bridge.wix[1]) not in out
    assert appliance.count(f"{model}/mud", "arp_not_wix") == before + 1
    assert "arp_not_wix" in appliance.guest.run("sluice show counters")


@each_driver
@pytest.mark.parametrize("error", [fragmentation_needed, packet_too_big], ids=["ipv4", "ipv6"])
def test_what_is_too_big_draws_an_error_from_its_own_address(appliance, model, error):
    bridge = across(model)
    frame = udp(size=MTU["mud"], flags="DF") if error is fragmentation_needed else udp6(size=MTU["mud"])
    back, out = through(appliance, bridge, frame)
    expected = tagged(error(frame, MTU["wix"]), bridge.mud[1])
    until(lambda: expected in back, lambda: f"{expected.hex()} in {[other.hex() for other in back]}")
    assert not any(len(other) > MTU["wix"] + 18 for other in out)


@each_driver
def test_a_storm_is_held(appliance, model):
    bridge, side = across(model), f"{model}/mud"
    # the station's bucket is rules' default: 300 at once, then 50 a second
    storm = [bytes(Ether(src=LOUD, dst=BROADCAST) / ARP(hwsrc=LOUD, psrc=LOUD4, pdst=B4) / f"{n:08}".encode()) for n in range(1000)]
    mud, wix = (appliance.cables[card] for card, _ in (bridge.mud, bridge.wix))
    before = appliance.count(side, "mac_limit")
    with wix.heard() as out:
        assert all(mud.send(tagged(frame, bridge.mud[1]), PATIENCE) for frame in storm)
        until(lambda: appliance.count(side, "mac_limit") - before + came(out) >= len(storm) - missed(appliance, bridge), "the storm's end")
    assert came(out) < len(storm) / 2


def came(frames):
    return sum(frame[6:12] == bytes.fromhex(LOUD.replace(":", "")) for frame in frames)


def missed(appliance, bridge):
    """Frames that the card lost, for the bridge was too slow."""
    devices = appliance.guest.show("counters")["devices"]
    return sum(sum(device["lost"].values()) for device in devices if device["port"] == bridge.mud[0])


@each_driver
def test_a_link_goes_down_and_comes_up(appliance, model):
    guest, card = appliance.guest, f"{model}-1"
    guest.manage("set_link", name=card, up=False)
    try:
        until(lambda: not appliance.link(card), f"{card} without a link")
        # the trunk's bridge is on the other card
        with appliance.outage(f"link of {card} down, the other card", on_a_trunk(model)):
            pass
    finally:
        guest.manage("set_link", name=card, up=True)
    until(lambda: appliance.link(card), f"{card} with a link")
    with appliance.outage(f"link of {card} up again", across(model)):
        pass


def test_the_books_balance(appliance):
    assert appliance.guest.show("counters")["unaccounted"] == 0


# ------------------------------------------------------------------------------------------------ as a service


@pytest.fixture
def quiet_station(appliance):
    """A station that is known, saved, and then silent: only what is kept knows it after a restart."""
    bridge = BRIDGES[0]
    appliance.cables[bridge.wix[0]].send(tagged(udp((QUIET, QUIET4), (A, A4)), bridge.wix[1]), PATIENCE)

    def is_known():
        return QUIET in [mac["mac"] for mac in appliance.guest.show("macs")["macs"]]

    until(is_known, "the quiet station")
    return is_known


def test_a_reload_interrupts_nothing(appliance):
    guest, before = appliance.guest, appliance.starts()
    generation = guest.show("config")["generation"]
    with appliance.outage("reload"):
        appliance.write_rules(appliance.rules(conflict="pass"))
        guest.run("systemctl reload sluice")
        assert guest.show("config")["generation"] == generation + 1
    assert appliance.starts() == before


def test_a_bad_file_fails_the_reload_and_changes_nothing(appliance):
    guest, before = appliance.guest, guest_state(appliance)
    with appliance.outage("reload of a bad file"):
        guest.run("sed -i s/peering/peerage/ /etc/sluice/sluice.yaml")
        status, said = guest.attempt("systemctl reload sluice")
        assert status, said
    assert guest_state(appliance) == before
    assert "peerage" in guest.journal("-b -u sluice -n 30")


def guest_state(appliance):
    """What a restart or a reload would change."""
    return appliance.guest.run("systemctl show -P MainPID sluice"), appliance.guest.show("config")["generation"]


def test_what_only_a_restart_can_change_fails_the_reload(appliance):
    guest, before = appliance.guest, guest_state(appliance)
    appliance.write_rules(appliance.rules(macs={"capacity": 512}))
    status, said = guest.attempt("systemctl reload sluice")
    assert status, said
    assert guest_state(appliance) == before


def test_a_restart_keeps_what_was_learned(appliance, quiet_station):
    with appliance.outage("restart"):
        appliance.restart()
    assert "the books balance" in appliance.guest.journal("-b -u sluice")
    assert quiet_station()


def test_it_recovers_from_kill_9_with_what_was_learned(appliance, quiet_station):
    guest = appliance.guest
    learned = guest.run("date +%s")
    until(lambda: guest.attempt(f"test $(stat -c %Y /var/lib/sluice/state) -gt {learned}")[0] == 0, "a saved state", settle=1)
    before = appliance.starts()
    with appliance.outage("kill -9"):
        guest.run("systemctl kill --signal KILL --kill-whom main sluice")
    assert appliance.starts() == before + 1
    assert quiet_station()


def test_an_upgrade_restarts_once_and_keeps_what_is_not_the_packages(appliance, quiet_station):
    guest, before = appliance.guest, appliance.starts()
    guest.run("echo '# mine' >>/etc/default/sluice")
    kept = guest.run("sha256sum /etc/default/sluice /etc/sluice/sluice.yaml")
    with appliance.outage("upgrade"):
        guest.run("DEBIAN_FRONTEND=noninteractive apt-get -q -y install /root/later.deb", BOOT)
    assert guest.run("dpkg-query -Wf '${Version}' sluice").endswith("+later")
    assert appliance.starts() == before + 1
    assert guest.run("sha256sum /etc/default/sluice /etc/sluice/sluice.yaml") == kept
    assert quiet_station()


def test_two_workers_have_a_queue_each_of_igb(appliance):
    rules = appliance.rules([across("igb")], workers=(0, 1))
    for side in rules["bridges"]["igb"]["sides"].values():
        del side["vlan"]  # the model spreads only untagged frames over its queues
    try:
        appliance.restart(rules)
        mud, wix = appliance.cables["igb-0"], appliance.cables["igb-1"]
        flows = [udp(flow=flow) for flow in range(200)]
        with wix.heard() as out:
            until(lambda: wix.send(udp((B, B4), (A, A4))) and mud.send(flows[0]) and flows[0] in out, "forwarding", settle=0.1)
            assert all(mud.send(flow, PATIENCE) for flow in flows)
            until(lambda: set(flows) <= set(out), lambda: f"every flow: {len(set(out))}")
        assert appliance.guest.journal("-b -u sluice").count("queues=2") == 2
        received = [worker["received"] for worker in appliance.guest.show("workers")]
        assert min(received) > len(flows) / 10, received
    finally:
        appliance.restart()


@each_driver
def test_a_card_that_is_pulled_out_is_let_go_and_the_others_work_on(appliance, model):
    card = f"{model}-1"
    with appliance.outage(f"{card} pulled out, the other card", on_a_trunk(model)):
        appliance.guest.pull_out(card)
    assert "gone" in appliance.guest.run(f"sluice show counters | grep 'port {card}:'")
    assert appliance.guest.journal("-b -u sluice").count(f'event="port_gone" port="{card}"') == 1


def test_cards_that_are_back_are_used_after_a_restart(appliance):
    guest = appliance.guest
    for model in MODELS:
        guest.put_in(f"{model}-1")
        bound = f"/sys/bus/pci/drivers/vfio-pci/{appliance.addresses[f'{model}-1']}"
        until(lambda: guest.attempt(f"test -e {bound}")[0] == 0, f"{bound}, by driverctl")
    appliance.restart()
    for model in MODELS:
        with appliance.outage(f"{model}-1 back", across(model)):
            pass


def test_it_bridges_after_a_reboot(appliance):
    appliance.rebooted = appliance.watch(appliance.guest.reboot)
    appliance.guest.wait_for_shell()
    assert appliance.starts() == 1


def test_it_powers_off_and_leaves_its_disk_clean(appliance):
    appliance.guest.power_off()
    assert command("e2fsck", "-n", str(appliance.guest.disk), check=False).returncode == 0
