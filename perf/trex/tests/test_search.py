"""The search against simulated devices: what is found is what the device can carry, in few trials."""

import random
from itertools import count

import pytest

from search import NDR, PDR, Goal, Plan, Search, Trial

PLAN = Plan(low=1e3, high=30e6)


class Device:
    """Carries `capacity` frames/s and queues `buffer` frames more. `noise`: chance that a trial loses a few frames for no reason
    of the device's; `gaps`: whether the host then says that it stood still. The source cannot send more than `source` frames/s."""

    def __init__(self, capacity, buffer=0, noise=0.0, gaps=True, source=float("inf"), seed=1):
        self.capacity, self.buffer, self.noise, self.gaps, self.source = capacity, buffer, noise, gaps, source
        self.chance, self.trials = random.Random(seed), []

    def measure(self, load, duration):
        sent = round(load * duration)
        seconds = max(duration, sent / self.source)
        received = min(sent, round(self.capacity * seconds) + self.buffer)
        hit = self.chance.random() < self.noise
        if hit:
            received = min(received, round(sent * 0.98))
        trial = Trial(load, duration, sent, received, seconds, gap=0.03 if hit and self.gaps else 0.0)
        self.trials.append(trial)
        return trial


def find(device, goal=NDR, **plan):
    return Search(device.measure, Plan(**{"low": PLAN.low, "high": PLAN.high, **plan})).find(goal)


@pytest.mark.parametrize("capacity", [1.5e3, 999_999, 3.9e6, 14.88e6, 29.9e6])
def test_finds_the_capacity_within_the_width(capacity):
    device = Device(capacity)
    found = find(device)
    assert found.limit == "device"
    assert found.lower <= capacity * 1.000001 < found.upper * 1.000002
    assert found.upper * (1 - PLAN.width) <= found.lower
    assert len(device.trials) < 40


@pytest.mark.parametrize("seed", range(20))
def test_any_capacity_in_few_trials(seed):
    chance = random.Random(seed)
    capacity = 10 ** chance.uniform(3.1, 7.4)
    device = Device(capacity)
    found = find(device)
    assert found.lower == pytest.approx(capacity, rel=0.0051)
    assert len(device.trials) < 40


def test_partial_drop_rate_allows_its_loss_and_reuses_trials():
    device = Device(4e6)
    search = Search(device.measure, PLAN)
    ndr = search.find(NDR)
    before = len(device.trials)
    pdr = search.find(PDR)
    assert pdr.lower > ndr.lower
    assert pdr.lower <= 4e6 / (1 - PDR.loss) < pdr.upper
    assert len(device.trials) - before < before, "a second goal starts from what is known"


def test_trials_grow_and_the_result_stands_on_the_longest():
    device = Device(4e6)
    found = find(device)
    durations = [trial.duration for trial in device.trials]
    assert durations == sorted(durations) and set(durations) == set(PLAN.durations)
    longest = [trial for trial in device.trials if trial.duration == 10]
    assert found.lower in [trial.load for trial in longest if trial.loss == 0]
    assert found.upper in [trial.load for trial in longest if trial.loss > 0]
    assert len(longest) <= 8, "most of the work is done in short trials"


def test_a_long_trial_corrects_what_buffers_hid():
    # short trials see 4e6 + 2e6/1 s
    found = find(Device(4e6, buffer=2_000_000))
    assert found.lower <= 4.2e6 < found.upper * 1.000001


def test_a_lossy_trial_with_a_gap_is_repeated():
    device = Device(4e6, noise=0.3)
    found = find(device)
    assert found.lower == pytest.approx(4e6, rel=0.0051) and not found.disturbed


def test_a_gap_without_loss_is_nothing():
    device = Device(4e6)
    quiet = device.measure
    found = Search(lambda *at: Trial(**{**vars(quiet(*at)), "gap": 0.5}), Plan(low=1e3, high=3e6)).find(NDR)
    assert found.limit == "maximum" and not found.disturbed and len(device.trials) == 3


def test_a_host_that_always_stands_still_is_reported():
    device = Device(4e6, noise=1.0)
    found = find(device, repeats=2, most=60)
    assert found.disturbed > 0


def test_most_of_five_tries_forgive_noise_that_no_gap_explains():
    strict = [find(Device(4e6, noise=0.3, gaps=False, seed=seed)).lower for seed in range(12)]
    lenient = [find(Device(4e6, noise=0.3, gaps=False, seed=seed), tries=5).lower for seed in range(12)]
    close = lambda rates: sum(rate == pytest.approx(4e6, rel=0.0051) for rate in rates)
    assert close(lenient) > close(strict)


def test_a_source_that_finishes_late_sets_the_limit():
    device = Device(8e6, source=5e6)
    found = find(device)
    assert found.limit == "source" and found.upper is None
    assert found.lower == pytest.approx(5e6, rel=0.011)
    assert len(device.trials) < 10


def test_a_source_that_is_late_for_this_hosts_sake_is_no_limit():
    device = Device(4e6)
    late = lambda load, duration, trial: Trial(**{**vars(trial), "seconds": duration * 1.2, "gap": 0.05})
    measure = lambda load, duration: (
        late(load, duration, device.measure(load, duration)) if len(device.trials) % 3 == 1 else device.measure(load, duration)
    )
    found = Search(measure, PLAN).find(NDR)
    assert found.limit == "device" and found.lower == pytest.approx(4e6, rel=0.0051)


def test_a_source_that_could_do_more_before_is_held_up():
    device, chance = Device(3e6, source=6e6), random.Random(3)

    def measure(load, duration):
        trial = device.measure(load, duration)
        return Trial(**{**vars(trial), "seconds": trial.seconds * 1.5}) if chance.random() < 0.3 else trial

    search = Search(measure, PLAN)
    assert [search.find(goal).limit for goal in (NDR, PDR)] == ["device", "device"]
    assert search.find(NDR).lower == pytest.approx(3e6, rel=0.0051)


def test_a_source_that_gets_slower_and_slower_ends_the_search():
    device = Device(20e6, source=6e6)

    def measure(load, duration):
        device.source *= 0.97
        return device.measure(load, duration)

    search = Search(measure, PLAN)
    assert [search.find(goal).limit for goal in (NDR, PDR)] == ["source", "source"]
    assert len(device.trials) < 60


def test_an_overloaded_source_does_not_hide_the_device():
    found = find(Device(3e6, source=5e6))
    assert found.limit == "device" and found.lower == pytest.approx(3e6, rel=0.0051)


def test_a_device_that_carries_all_there_is():
    found = find(Device(1e9))
    assert (found.lower, found.upper, found.limit) == (PLAN.high, None, "maximum")


def test_a_device_that_carries_nothing():
    found = find(Device(0))
    assert found.lower is None and found.limit == "minimum"


def test_a_source_that_sends_nothing_is_all_loss():
    assert Trial(1e6, 1, 0, 0, 1).loss == 1.0


def test_frames_that_the_device_adds_are_no_negative_loss():
    assert Trial(1e6, 1, 1000, 1010, 1).loss == 0


def test_it_ends_whatever_the_device_does():
    chance, trials = random.Random(7), count()

    def measure(load, duration):
        next(trials)
        sent = round(load * duration)
        return Trial(load, duration, sent, chance.choice((sent, sent - 1, 0)), duration)

    found = Search(measure, Plan(low=1e3, high=30e6, tries=3)).find(NDR)
    assert found.limit in ("device", "minimum", "maximum", "trials")
    assert next(trials) < PLAN.most + 3 * (PLAN.repeats + 1)


def test_goals_by_any_ratio():
    found = find(Device(4e6), goal=Goal("1 %", 0.01))
    assert found.lower <= 4e6 / 0.99 < found.upper


@pytest.mark.parametrize("wrong", [{"low": 0}, {"low": 40e6}, {"width": 0}, {"tries": 0}, {"durations": (10, 1)}, {"durations": ()}])
def test_plans_that_cannot_be(wrong):
    with pytest.raises(ValueError):
        Plan(**{"low": 1e3, "high": 30e6, **wrong})
