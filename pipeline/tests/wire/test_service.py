"""The bridge as a service: what it tells the service manager (sd_notify(3)), and `sluice reload`."""

import concurrent.futures
import grp
import pathlib
import re
import select
import socket
import subprocess
import sys
import time

import pytest

from bench import Bench
from frames import MEMBERS, WORKER, changed, tagged, udp
from harness import program, until
from test_control import NOBODY, held, idle, idle_rules


class Manager:
    """The service manager's end of the notify socket: each message with the time at which it came."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []

    def environment(self, **more):
        """What runs a program so that it is told where to speak."""
        return ("env", f"NOTIFY_SOCKET={self.path}", *(f"{name}={value}" for name, value in more.items()))

    def look(self):
        """Takes in what has come."""
        while select.select([self.socket], [], [], 0)[0]:
            self.messages.append((time.monotonic(), self.socket.recv(4096).decode().splitlines()))

    def said(self, pattern):
        """The lines so far that match."""
        self.look()
        return [line for _, lines in self.messages for line in lines if re.fullmatch(pattern, line)]

    def wait_for(self, pattern, times=1):
        until(lambda: len(self.said(pattern)) >= times, lambda: f"{pattern} x {times} in {self.messages}")

    def order(self, *words):
        """These words in the order in which they were said."""
        self.look()
        return [line for _, lines in self.messages for line in lines if line in words]


@pytest.fixture
def manager(lab):
    manager = Manager(lab.folder)
    lab.afterwards(manager.socket.close)
    return manager


def launch(lab, manager, rules=None, **environment):
    return lab.launch("service", rules or idle_rules(), before=manager.environment(**environment))


def test_it_is_ready_when_frames_pass_and_not_before(lab, manager):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, before=manager.environment())
    manager.wait_for("READY=1")
    bench.mud.send(tagged(udp(), 10))
    assert bench.wix.receive() == tagged(udp(), 20)
    (first, *_), (started,) = manager.messages, manager.said("STATUS=starting.*")
    assert started in first[1] and "EXTEND_TIMEOUT_USEC=120000000" in first[1]
    manager.wait_for("STATUS=generation 1; trunk0 up; trunk1 up.*")
    bench.sluice.stop()
    assert manager.order("READY=1", "STOPPING=1") == ["READY=1", "STOPPING=1"]
    assert manager.said("EXTEND_TIMEOUT_USEC=30000000")


def test_a_start_that_fails_is_never_ready(lab, manager):
    code, said = launch(lab, manager, changed(idle_rules(), "ports", "p1", "device", to="net_nosuch0")).ends()
    assert code == 1, said
    assert manager.said("READY=1") == []


def test_its_status_has_rates_and_is_told_again_and_again(lab, manager):
    launch(lab, manager).wait_for_start()
    rate = r"STATUS=generation 1; p0 up; p1 up; \d+ frames/s in, \d+ out, \d+ dropped"
    manager.wait_for(rate, times=2)


def test_a_reload_is_told_with_its_time_and_followed_by_ready_also_where_it_is_refused(lab, manager):
    sluice = launch(lab, manager).wait_for_start()
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    sluice.hang_up()
    manager.wait_for("READY=1", times=2)
    sluice.write({**idle_rules(), "colour": "blue"})
    sluice.hang_up()
    manager.wait_for("READY=1", times=3)
    words = "READY=1", "RELOADING=1"
    assert manager.order(*words) == ["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1"]
    told = [lines for _, lines in manager.messages if "RELOADING=1" in lines]
    for lines in told:
        (usec,) = [int(line.split("=")[1]) for line in lines if line.startswith("MONOTONIC_USEC=")]
        assert before <= usec <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_the_watchdog_is_fed_while_every_worker_responds_and_not_while_one_does_not(lab, manager):
    sluice = launch(lab, manager, WATCHDOG_USEC=1_000_000).wait_for_start()
    manager.wait_for("WATCHDOG=1", times=3)
    with held(sluice, f"worker-{WORKER}"):
        sluice.wait_for_log("worker_stuck")
        manager.wait_for(f"STATUS=.*no response from the worker on core {WORKER}")
        fed = len(manager.said("WATCHDOG=1"))
        manager.wait_for("STATUS=.*", times=len(manager.said("STATUS=.*")) + 1)  # five seconds
        assert len(manager.said("WATCHDOG=1")) == fed
    manager.wait_for("WATCHDOG=1", times=fed + 2)


def test_the_watchdog_is_not_fed_while_the_control_thread_stands_still(lab, manager):
    sluice = launch(lab, manager, WATCHDOG_USEC=1_000_000).wait_for_start()
    manager.wait_for("WATCHDOG=1", times=2)
    with held(sluice, pathlib.Path(program()).name[:15]):
        manager.look()
        fed = len(manager.messages)
        time.sleep(2)  # of which a live one would use a quarter of a second
        manager.look()
        assert len(manager.messages) == fed
    manager.wait_for("WATCHDOG=1", times=len(manager.said("WATCHDOG=1")) + 2)


def test_a_service_manager_that_does_not_read_keeps_nobody_waiting(lab, manager):
    sluice = launch(lab, manager, WATCHDOG_USEC=100_000).wait_for_start()
    time.sleep(3)  # more lines than its socket holds
    for generation in (2, 3):
        sluice.hang_up()
        sluice.wait_for_generation(generation)
    assert sluice.ask("counters")["unaccounted"] == 0
    assert sluice.stop()


# ------------------------------------------------------------------------------------------------ sluice reload


def reload(sluice, **who):
    """`sluice reload`: its exit code, and what it said on standard output and error."""
    command = [program(), "reload", "--socket", str(sluice.socket)]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **who)
    return result.returncode, result.stdout, result.stderr


def test_reload_says_what_came_of_it_and_exits_0(lab):
    sluice = idle(lab)
    sluice.write(changed(idle_rules(), "bridges", "wix", "members", to=MEMBERS[:1]))
    code, said, wrong = reload(sluice)
    assert (code, wrong) == (0, "") and re.fullmatch(r"reloaded: generation 2, \d+ changes, 0 frames lost, .*\n", said), said
    assert sluice.generation() == 2
    outcome = sluice.ask("reload")
    assert {"generation": 3, "changes": 0, "frames_lost": 0}.items() <= outcome.items() and outcome["swap_us"] >= 0


def test_a_refused_reload_says_every_reason_on_standard_error_and_exits_1(lab):
    sluice = idle(lab)
    bad = changed(idle_rules(), "bridges", "wix", "admission", to="everyone")
    lines = sluice.write({**bad, "colour": "blue"}).splitlines()
    code, said, wrong = reload(sluice)
    assert (code, said) == (1, "")
    reasons = wrong.splitlines()
    for word in ("everyone", "colour"):
        line = next(number for number, text in enumerate(lines, 1) if f'"{word}"' in text)
        column = lines[line - 1].index(f'"{word}"') + 1
        assert sum(reason.startswith(f"{sluice.file}:{line}:{column}: ") for reason in reasons) == 1, wrong
    assert len(reasons) == 2 and sluice.generation() == 1
    assert sluice.ask("reload")["refused"] == reasons
    assert sluice.log().count("not reloaded, the rules stay as they were") == 4


def test_a_reload_of_what_only_a_restart_can_change_or_of_no_file_is_refused(lab):
    sluice = idle(lab)
    sluice.write(changed(idle_rules(), "ports", "p1", "device", to="net_null9,no-rx=1"))
    code, _, wrong = reload(sluice)
    assert code == 1 and "ports.p1.device: cannot change from" in wrong
    sluice.file.unlink()
    code, _, wrong = reload(sluice)
    assert code == 1 and "No such file" in wrong and sluice.generation() == 1


def test_without_a_bridge_reload_exits_1(lab):
    sluice = idle(lab)
    sluice.stop()
    code, _, wrong = reload(sluice)
    assert code == 1 and "is the bridge running" in wrong


def test_many_reloads_at_once_are_done_one_after_the_other(lab):
    sluice = idle(lab)
    with concurrent.futures.ThreadPoolExecutor(20) as clients:
        outcomes = [client.result() for client in [clients.submit(reload, sluice) for _ in range(20)]]
    generations = {int(re.match(r"reloaded: generation (\d+),", said)[1]) for _, said, _ in outcomes}
    assert generations == set(range(2, 22)) and sluice.generation() == 21


def test_while_a_worker_stands_still_or_it_ends_a_reload_fails_with_that_reason(lab):
    sluice = lab.launch("service", idle_rules()).wait_for_start()
    with held(sluice, f"worker-{WORKER}"):
        sluice.wait_for_log("worker_stuck")
        code, _, wrong = reload(sluice)
        assert code == 1 and f"no response from the worker on core {WORKER}" in wrong
        sluice.process.terminate()
        sluice.wait_for_log("stopping")
        code, _, wrong = reload(sluice)
        assert code == 1 and "the bridge is stopping" in wrong


def test_the_group_may_ask_and_not_reload(lab):
    group = grp.getgrnam("adm")
    sluice = idle(lab, group=group.gr_name)
    member = {**NOBODY, "extra_groups": [group.gr_gid]}
    client = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode() + b'\\n'); print(s.makefile().read())"

    def said(word, *as_who):
        arguments = [*as_who, sys.executable, "-c", client, str(sluice.socket), word]
        return subprocess.run(arguments, capture_output=True, text=True, check=True, **member).stdout

    assert '"generation":1' in said("config")
    assert "only root and the user that the bridge runs as" in said("reload")
    # who calls itself root in a user namespace of its own is still who it is
    assert "only root and the user that the bridge runs as" in said("reload", "unshare", "--user", "--map-root-user")
    assert sluice.generation() == 1 and "reload" not in sluice.log()
