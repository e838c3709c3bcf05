"""The search for the highest load that a device carries: after MLRsearch (draft-ietf-bmwg-mlrsearch) and RFC 2544, section 26.1.

Several loss ratios share their trials. Trials are short while the interval is wide, and grow: what a device's buffers hide
from a short trial, a longer one shows. Knows no traffic generator: a function measures one trial.
"""

import math
from dataclasses import dataclass, field

SHORT = 0.01  # what a source may offer less than it was asked for, before its own load counts
LATE = 0.05  # what it may offer less than it has offered before: more is this host's doing, not the source's limit


@dataclass(frozen=True)
class Trial:
    """One trial. Loads are in frames/s, in all directions together."""

    load: float  # asked for
    duration: float  # asked for, in s
    sent: int
    received: int
    seconds: float  # that sending took: more than `duration` where the source was overloaded
    gap: float = 0.0  # longest time that this host did not run meanwhile, in s

    @property
    def loss(self):
        """Frames lost, of those sent."""
        return max(0, self.sent - self.received) / self.sent if self.sent else 1.0

    @property
    def offered(self):
        """The load that there was: an overloaded source sends as many frames, but in more time."""
        real = self.sent / max(self.seconds, self.duration)
        return real if self.short else self.load

    @property
    def short(self):
        """Whether the source sent more slowly than it was asked to."""
        return self.sent / max(self.seconds, self.duration) < self.load * (1 - SHORT)


@dataclass(frozen=True)
class Goal:
    """What is searched for: the highest load with no more loss than this."""

    name: str
    loss: float  # ratio


NDR = Goal("NDR", 0.0)
PDR = Goal("PDR", 0.005)


@dataclass(frozen=True)
class Plan:
    """How to search."""

    low: float  # least and most load, in frames/s
    high: float
    durations: tuple = (1.0, 3.0, 10.0)  # of trials, in s: one after the other, the last is what the result stands on
    width: float = 0.005  # of the final interval, of its upper end
    tries: int = 1  # a load passes when most of so many trials do (1: RFC 2544; 3: half of them may exceed, as in CSIT)
    gap: float = 0.010  # s; a lossy or late trial in which this host did not run so long says nothing of the device: repeated
    repeats: int = 10  # but not more often than this
    most: int = 200  # trials in all

    def __post_init__(self):
        if not 0 < self.low < self.high:
            raise ValueError("the lowest load must be above 0 and below the highest")
        if not 0 < self.width < 0.5 or self.tries < 1 or not self.durations or list(self.durations) != sorted(self.durations):
            raise ValueError("the width must be a small ratio, tries at least 1, and durations must grow")


@dataclass
class Load:
    """The trials at one load and duration."""

    rate: float
    duration: float
    trials: list = field(default_factory=list)

    def passes(self, goal, tries):
        """True or False once enough trials agree, else None."""
        need = tries // 2 + 1
        good = sum(trial.loss <= goal.loss for trial in self.trials)
        return True if good >= need else False if len(self.trials) - good >= need else None


@dataclass(frozen=True)
class Found:
    """The result for a goal: the load lies between `lower`, that it carried, and `upper`, that it did not."""

    goal: Goal
    lower: float | None  # frames/s; None: even the lowest load is lost
    upper: float | None  # None: nothing higher could be tried
    limit: str  # "device", or what ended the search first: "source", "maximum", "minimum", "trials"
    disturbed: int  # trials that say something only of this host, and were not repeated any more


class Search:
    """A search over one device. `measure(load, duration)` runs a trial and gives a Trial; `say(text)` hears of each."""

    def __init__(self, measure, plan, say=lambda text: None):
        self.measure, self.plan, self.say = measure, plan, say
        self.loads, self.trials, self.disturbed = [], 0, 0
        self.high, self.limit = plan.high, "maximum"
        self.offered = 0.0  # the most that the source has offered

    def find(self, goal):
        """Narrows the interval for a goal with each duration in turn. What is known from goals before is used."""
        disturbed, hint = self.disturbed, None
        for place, duration in enumerate(self.plan.durations):
            # what the next duration checks again need not be found to a hair
            width = self.plan.width * 2 ** (len(self.plan.durations) - 1 - place)
            lower, upper, limit = self._narrow(goal, duration, width, hint)
            hint = lower or self.plan.low
        return Found(goal, lower, upper, limit, self.disturbed - disturbed)

    def _narrow(self, goal, duration, width, hint):
        step = width
        while True:
            lower, upper = self.bounds(goal, duration)
            if lower is not None and lower >= self.high:
                return lower, None, self.limit
            if upper is not None and upper <= self.plan.low:
                return None, upper, "minimum"
            if lower is not None and upper is not None and upper * (1 - width) <= lower:
                return lower, upper, "device"
            if self.trials >= self.plan.most:
                return lower, upper, "trials"
            if lower is not None and upper is not None:
                rate = math.sqrt(lower * upper)
            elif lower is not None:
                rate, step = lower * (1 + step), step * 2
            elif upper is not None:
                rate, step = upper * (1 - min(step, 0.5)), step * 2
            else:
                rate = hint or self._overload(goal, duration)
            self._try(goal, min(max(rate, self.plan.low), self.high), duration)

    def _overload(self, goal, duration):
        """What a device forwards of the highest load: near what it can carry without loss."""
        trial = self._try(goal, self.high, duration).trials[-1]
        return max(self.plan.low, trial.received / max(trial.seconds, trial.duration))

    def bounds(self, goal, duration):
        """The lowest load that failed, and the highest below it that passed, in trials at least this long."""
        known = [(load, load.passes(goal, self.plan.tries)) for load in self.loads if load.duration >= duration]
        upper = min((load.rate for load, passes in known if passes is False), default=None)
        lower = max((load.rate for load, passes in known if passes and (upper is None or load.rate < upper)), default=None)
        return lower, upper

    def _try(self, goal, rate, duration):
        """Trials at a load until it passes or fails."""
        load = next((known for known in self.loads if (known.rate, known.duration) == (rate, duration)), None)
        if load is None:
            load = Load(rate, duration)
            self.loads.append(load)
        while load.passes(goal, self.plan.tries) is None:
            trial = self._undisturbed(goal, rate, duration)
            load.trials.append(trial)
            if trial.short:
                # it stands for what was offered; there is no more to be had from this source
                load.rate = self.high = min(self.high, trial.offered)
                self.limit = "source"
        return load

    def _undisturbed(self, goal, rate, duration):
        for left in reversed(range(self.plan.repeats + 1)):
            trial = self.measure(rate, duration)
            self.trials += 1
            gap = f", this host stood still for {trial.gap * 1e3:.0f} ms" if trial.gap > self.plan.gap else ""
            short = f", only {trial.offered / 1e6:.3f} offered" if trial.short else ""
            self.say(f"  {goal.name}: {rate / 1e6:8.3f} Mpps for {duration:g} s: {trial.loss:.4%} lost{short}{gap}")
            late = trial.offered < min(rate, self.offered) * (1 - LATE)
            self.offered = max(self.offered, trial.offered)
            if not (late or trial.gap > self.plan.gap and (trial.short or trial.loss > goal.loss)):
                return trial
            if not left:
                self.disturbed += 1
                self.offered = trial.offered  # if it is so often so, that is how it is now
                return trial
