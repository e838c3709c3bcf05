"""What the commands in perf/ share: the host, the devices under test, their input and the results."""


class Failed(Exception):
    """Something could not be measured, and what to do about it."""


class Absent(Failed):
    """Something is not installed or not built: what needs it is skipped, and the text says how to get it."""
