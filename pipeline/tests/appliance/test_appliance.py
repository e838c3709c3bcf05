"""What the appliance does, on every driver and as a service."""

import pytest

from appliance import BRIDGES, DRIVERS, MODELS
from frames import B4, B6


@pytest.mark.parametrize("model", MODELS)
def test_it_bridges_after_power_on_with_no_hand_on_it(appliance, model):
    log = appliance.guest.journal("-b -u sluice")
    assert f'port="{model}-0"' in log, log
    print(log)
    print(appliance.forwarding, appliance.bound, appliance.ports)


@pytest.mark.parametrize("address", [B4, B6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("bridge", BRIDGES, ids=lambda bridge: bridge.name)
def test_hosts_on_both_sides_ping_each_other(appliance, bridge, address):
    a, _ = appliance.hosts(bridge)
    a.reaches(address)
