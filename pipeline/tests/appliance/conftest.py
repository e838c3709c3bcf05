"""Where the appliance test can run, the machine that all its tests share, and the table that it prints at its end.

scripts/test-appliance
"""

import os

import pytest

from appliance import DRIVERS, Appliance


@pytest.fixture(scope="session")
def machine():
    """Set up once and then switched on with no hand on it; the tests are in an order in which one does not spoil the next."""
    machine = Appliance(os.environ["IMAGE"])
    try:
        machine.set_up()
        machine.power_on()
        yield machine
    finally:
        machine.close()


@pytest.fixture
def appliance(machine):
    yield machine
    machine.pull_hosts()
