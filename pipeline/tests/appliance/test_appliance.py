"""What the appliance does, on every driver and as a service. In this order: the last ones take it apart."""

import json
import time

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
    (lost,) = (device["lost"] for device in devices if device["port"] == bridge.mud[0])
    return lost["missed"] + lost["errors"] + lost["no_buffer"]


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


SERVED = across("virtio-net-pci")
"""The bridge on which outages are looked at."""


@pytest.fixture
def two_ports(appliance):
    """As most machines are: how long a start takes grows with the cards."""
    appliance.restart(appliance.rules([SERVED]))
    yield
    appliance.restart()


@pytest.fixture
def quiet_station(appliance):
    """A station that is known, saved, and then silent: only what is kept knows it after a restart."""
    bridge = SERVED
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


def test_a_restart_keeps_what_was_learned(appliance, two_ports, quiet_station):
    with appliance.outage("restart"):
        appliance.guest.run("systemctl restart sluice", BOOT)
    assert "the books balance" in appliance.guest.journal("-b -u sluice")
    assert quiet_station()


def test_it_recovers_from_kill_9_with_what_was_learned(appliance, two_ports, quiet_station):
    guest = appliance.guest
    saved(appliance)
    before = appliance.starts()
    with appliance.outage("kill -9"):
        guest.run("systemctl kill --signal KILL --kill-whom main sluice")
    assert appliance.starts() == before + 1
    assert quiet_station()


def test_an_upgrade_restarts_once_and_keeps_what_is_not_the_packages(appliance, two_ports, quiet_station):
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
            until(lambda: len(appliance.guest.show("macs")["macs"]) == 2, "both stations: to one that is not known few frames pass")
            assert all(mud.send(flow, PATIENCE) for flow in flows)
            until(lambda: set(flows) <= set(out), lambda: f"every flow: {len(set(out))}")
        assert appliance.guest.journal("-b -u sluice").count("queues=2") == 2
        received = [worker["received"] for worker in appliance.guest.show("workers")]
        assert min(received) > len(flows) / 10, received
    finally:
        appliance.restart()


# ------------------------------------------------------------------------------------------------ what it may, and what it survives


def test_it_has_no_privilege_and_its_workers_less(appliance):
    guest = appliance.guest
    pid = guest.run("systemctl show -P MainPID sluice")
    process = status(guest.run(f"cat /proc/{pid}/status"))
    assert guest.run(f"stat -c %U /proc/{pid}") == "sluice"
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(process[capabilities], 16) == 0, process
    assert (process["NoNewPrivs"], process["Seccomp"]) == ("1", "2")
    (worker,) = guest.run(f"grep -l ^worker- /proc/{pid}/task/*/comm | xargs dirname").split()
    worker = status(guest.run(f"cat {worker}/status"))
    assert int(worker["Seccomp_filters"]) == int(process["Seccomp_filters"]) + 1
    # in its own view of the files
    for path in ("/etc/sluice/mine", "/usr/mine", "/run/mine"):
        assert guest.attempt(f"nsenter -t {pid} -m -- setpriv --reuid sluice --regid sluice --clear-groups touch {path}")[0], path


def status(text):
    """/proc/PID/status."""
    return dict(map(str.strip, line.split(":", 1)) for line in text.splitlines())


def test_a_config_file_that_vanished_fails_the_reload_and_changes_nothing(appliance):
    guest, before = appliance.guest, guest_state(appliance)
    with appliance.outage("reload without a file"):
        guest.run("mv /etc/sluice/sluice.yaml /root/")
        try:
            assert guest.attempt("systemctl reload sluice")[0]
        finally:
            guest.run("mv /root/sluice.yaml /etc/sluice/")
    assert guest_state(appliance) == before


def saved(appliance):
    """Waits for a state that is saved from now on."""
    guest = appliance.guest
    guest.run("touch /tmp/mark && sleep 1.1")
    until(lambda: speak(appliance) and guest.attempt("test /var/lib/sluice/state -nt /tmp/mark")[0] == 0, "a saved state", settle=1)


def speak(appliance):
    """There is something to save."""
    bridge = SERVED
    return appliance.cables[bridge.mud[0]].send(tagged(udp((A, A4), (B, B4)), bridge.mud[1]), PATIENCE)


def test_a_clock_that_is_set_interrupts_nothing_and_costs_no_saved_state(appliance):
    guest, before = appliance.guest, guest_state(appliance)
    with appliance.outage("the clock set a day back and forth"):
        guest.run("date -s '-1 day'")
        guest.run("sleep 1; date -s '+1 day'")
    saved(appliance)
    assert guest_state(appliance) == before


def test_a_full_disk_costs_the_saved_state_alone_and_is_told_once(appliance):
    guest, told = appliance.guest, "the state is not saved"
    before = guest.journal("-b -u sluice").count(told)
    inside = f"nsenter --mount -t {guest.run('systemctl show -P MainPID sluice')}"
    with appliance.outage("a full disk"):
        guest.run(f"{inside} mount -t tmpfs -o size=64k,mode=777 full /var/lib/sluice")
        guest.run(f"{inside} dd if=/dev/zero of=/var/lib/sluice/fill bs=64k count=1 status=none")
        until(lambda: speak(appliance) and guest.journal("-b -u sluice").count(told) > before, f"{told!r} in the log", settle=1)
        guest.run(f"{inside} rm /var/lib/sluice/fill")
        until(lambda: speak(appliance) and guest.attempt(f"{inside} test -s /var/lib/sluice/state")[0] == 0, "a saved state", settle=1)
        guest.run(f"{inside} umount /var/lib/sluice")
    saved(appliance)
    assert guest.show("counters")["state_save_failures"] > 0
    assert guest.journal("-b -u sluice").count(told) == before + 1


def test_a_machine_that_is_suspended_goes_on_where_it_was(appliance):
    guest, before = appliance.guest, guest_state(appliance)
    with appliance.outage("suspended for 5 s"):
        guest.manage("stop")
        time.sleep(5)
        guest.manage("cont")
    assert guest_state(appliance) == before


def test_one_that_stands_still_is_ended_by_the_watchdog_and_starts_again(appliance):
    guest, before = appliance.guest, appliance.starts()
    guest.write("/run/systemd/system/sluice.service.d/soon.conf", "[Service]\nWatchdogSec=10\nTimeoutStopSec=3\n")
    guest.run("systemctl daemon-reload")
    appliance.restart()
    try:
        with appliance.outage("stands still, with a watchdog of 10 s"):
            guest.run("systemctl kill --signal STOP --kill-whom main sluice")
        assert "Watchdog timeout" in guest.journal("-b -u sluice")
        assert appliance.starts() == before + 2
    finally:
        guest.run("rm -r /run/systemd/system/sluice.service.d && systemctl daemon-reload")
        appliance.restart()


@pytest.mark.parametrize("model", ["igb", "virtio-net-pci", "e1000e"])
def test_a_worker_that_waits_for_interrupts_forwards_and_lets_its_core_be(appliance, model):
    bridge, guest = across(model), appliance.guest
    try:
        appliance.restart(appliance.rules([bridge]) | {"idle": "interrupt"})
        with appliance.outage(f"idle: interrupt, {model}", bridge):
            pass
        a, _ = appliance.hosts(bridge)
        a.reaches(B4)
        if model == "e1000e":
            # DPDK 22.11 does not set up the interrupts of the 82574: this is noticed, and the worker sleeps instead
            until(lambda: "receive interrupts do not come" in guest.journal("-b -u sluice"), "the fallback")
        else:
            before = cpu_ticks(guest)
            guest.run("sleep 5")
            share = (cpu_ticks(guest) - before) / 500
            appliance.measured[f"core of an idle worker, share of it, {model}"] = share
            assert share < 0.5
    finally:
        appliance.restart()


def cpu_ticks(guest):
    """Hundredths of a second that the worker has run."""
    (worker,) = guest.run("grep -l ^worker- /proc/$(systemctl show -P MainPID sluice)/task/*/comm | xargs dirname").split()
    fields = guest.run(f"cat {worker}/stat").rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@pytest.fixture
def no_bridge(appliance):
    """A card can be tested while no bridge has it."""
    appliance.guest.run("systemctl stop sluice", BOOT)
    yield
    appliance.restart()


@each_driver
def test_selftest_finds_what_a_card_does_to_frames(appliance, no_bridge, model):
    guest, cards = appliance.guest, [f"{model}-0", f"{model}-1"]
    devices = " ".join(appliance.addresses[card] for card in cards)
    with appliance.cables.patched(*cards):
        status, said = guest.attempt(f"sluice selftest {devices} --workers 1 --seconds 3 --json /tmp/card.json", BOOT)
    report = json.loads(guest.run("cat /tmp/card.json"))
    verdicts = {check["check"]: check["verdict"] for check in report["checks"]}
    assert [port["driver"] for port in report["ports"]] == [DRIVERS[model]] * 2
    # every frame that was compared arrived as it was sent; how many an emulated card loses at full load is its machine's affair
    failed = {check for check, verdict in verdicts.items() if verdict == "failed"}
    assert verdicts["cable"] == verdicts["sizes"] == verdicts["checksums"] == verdicts["fragments"] == "ok", (said, verdicts)
    assert not {check for check in failed if not check.startswith(("load", "link", "latency"))}, (said, verdicts)
    assert (status == 0) == (not failed)


# ------------------------------------------------------------------------------------------------ cards come and go


@each_driver
def test_a_card_that_is_pulled_out_is_let_go_and_the_others_work_on(appliance, model):
    card = f"{model}-1"
    with appliance.outage(f"{card} pulled out, the other card", on_a_trunk(model)):
        appliance.guest.pull_out(card)
    assert "link GONE" in appliance.guest.run(f"sluice show counters | grep 'port {card}:'")
    assert appliance.guest.journal("-b -u sluice").count(f'event="port_gone" port="{card}"') == 1


def test_cards_that_are_back_are_used_after_a_restart(appliance):
    guest = appliance.guest
    back = [f"{model}-1" for model in MODELS]
    for card in back:
        guest.put_in(card)
        device = f"/sys/bus/pci/devices/{appliance.addresses[card]}"
        until(lambda: guest.attempt(f"test -e {device}")[0] == 0, device)
    # driverctl binds a card once in a boot: its service has run
    guest.run(f"sluice-bind {' '.join(appliance.addresses[card] for card in back)}", BOOT)
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
