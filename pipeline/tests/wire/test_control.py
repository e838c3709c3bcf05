"""The control socket, the signals that end a bridge, and what is left behind."""

import contextlib
import ctypes
import grp
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys

import pytest

from bench import Bench
from frames import A, A4, A6, B, MEMBERS, WORKER, arp, changed, rules, strict, tagged, udp

KNOCK = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


def idle_rules():
    """For a bridge that nobody talks through."""
    ports = {f"p{index}": f"net_null{index},no-rx=1" for index in range(2)}
    return strict(ports, {"port": "p0"}, {"port": "p1"})


def idle(lab, **control):
    return lab.sluice("idle", {**idle_rules(), "control": control})


def may_open(path, **who):
    """Another user's process can open the socket."""
    knock = subprocess.run([sys.executable, "-c", KNOCK, str(path)], capture_output=True, text=True, **who, check=False)
    assert knock.returncode == 0 or "PermissionError" in knock.stderr, knock.stderr
    return knock.returncode == 0


NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


def test_only_root_may_open_the_socket(lab):
    sluice = idle(lab)
    assert stat.S_IMODE(sluice.socket.stat().st_mode) == 0o600
    assert not may_open(sluice.socket, **NOBODY)
    assert may_open(sluice.socket)


def test_a_group_may_open_the_socket_where_the_rules_name_one(lab):
    group = grp.getgrnam("adm")
    sluice = idle(lab, group=group.gr_name)
    assert stat.S_IMODE(sluice.socket.stat().st_mode) == 0o660
    assert sluice.socket.stat().st_gid == group.gr_gid
    assert not may_open(sluice.socket, **NOBODY)
    assert may_open(sluice.socket, **{**NOBODY, "extra_groups": [group.gr_gid]})


def test_the_socket_is_gone_after_the_end(lab):
    sluice = idle(lab)
    sluice.stop()
    assert not sluice.socket.exists()


def test_a_socket_left_by_a_bridge_that_was_killed_is_replaced(lab):
    first = lab.launch("first", idle_rules())
    first.wait_for_start().kill()
    assert first.socket.exists()
    lab.sluice("second", {**idle_rules(), "control": {"socket": str(first.socket)}})


def test_a_second_bridge_on_the_same_socket_is_refused(lab):
    first = lab.sluice("first", idle_rules())
    second = lab.launch("second", {**idle_rules(), "control": {"socket": str(first.socket)}})
    code, said = second.ends()
    assert code == 1
    assert f"control.socket {first.socket}: another sluice answers there" in said
    assert first.generation() == 1


def test_a_second_bridge_on_the_same_device_is_refused_by_it(lab):
    where = f"socket={lab.folder}/memif,socket-abstract=no"
    ports = {f"p{index}": f"net_memif{index},role=server,id={index},{where}" for index in range(2)}
    memifs = strict(ports, {"port": "p0"}, {"port": "p1"})
    first = lab.sluice("first", memifs)
    code, said = lab.launch("second", memifs).ends()
    assert code == 1 and "port p0" in said and "is not usable by DPDK" in said
    assert first.generation() == 1


def test_two_bridges_run_at_once(lab):
    both = [lab.sluice(name, idle_rules()) for name in ("first", "second")]
    assert [sluice.generation() for sluice in both] == [1, 1]


def test_nonsense_on_the_socket_is_answered_with_an_error_and_harms_nothing(lab):
    sluice = idle(lab)
    for question in ("", "nonsense", "config counters", "\0"):
        assert "error" in sluice.ask(question)
    with contextlib.suppress(ConnectionResetError):
        assert "error" in sluice.ask("config" * 10_000)
    assert sluice.generation() == 1


# ------------------------------------------------------------------------------------------------ who stands still


@contextlib.contextmanager
def held(sluice, name):
    """One thread of the bridge stopped, as a debugger does: ptrace(2), SEIZE, INTERRUPT and DETACH."""
    threads = pathlib.Path(f"/proc/{sluice.process.pid}/task")
    tid = next(int(task.name) for task in threads.iterdir() if (task / "comm").read_text().strip() == name)
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    for request in (0x4206, 0x4207):
        assert ptrace(request, tid, None, None) == 0, os.strerror(ctypes.get_errno())
    os.waitpid(tid, 0x40000000)  # __WALL
    try:
        yield
    finally:
        assert ptrace(17, tid, None, None) == 0


def test_a_worker_that_stands_still_ends_nothing_and_refuses_a_reload(lab):
    sluice = idle(lab)
    with held(sluice, f"worker-{WORKER}"):
        sluice.wait_for_log("worker_stuck")
        assert sluice.ask("counters")["silent_workers"] == [WORKER]
        assert "DOES NOT RESPOND" in sluice.show("counters")
        sluice.hang_up()
        sluice.wait_for_log("not reloaded, the rules stay as they were: no response from the worker on core")
        assert sluice.generation() == 1
    sluice.wait_for_log("worker_back")
    sluice.hang_up()
    sluice.wait_for_generation(2)
    assert sluice.ask("counters")["silent_workers"] == []


# ------------------------------------------------------------------------------------------------ show


@pytest.fixture
def bench(lab):
    """A bridge that has learned a, pinned b, forwarded two frames, and dropped one."""
    members = [changed(MEMBERS[0], "side", to=None), MEMBERS[1]]
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20}, make=rules, members=members)
    bench.mud.send(tagged(udp(), 30))
    bench.through(tagged(arp(), 10))
    return bench


def test_show_counters(bench):
    text, shown = bench.sluice.show("counters"), json.loads(bench.sluice.show("counters", "--json"))
    assert shown["sides"]["mud"]["received"] == shown["sides"]["mud"]["forwarded"] == 2
    probes = shown["sides"]["mud"]["probes"]
    assert shown["ports"]["trunk0"] == {"received": 3, "transmitted": 1 + probes, "dropped": {"vlan_unknown": 1}}
    assert shown["outcomes"] == {"forwarded": 3, "answered": 0, "vlan_unknown": 1}
    assert shown["unaccounted"] == 0
    assert [(device["port"], device["link"]) for device in shown["devices"]] == [("trunk0", True), ("trunk1", True)]
    assert "vlan_unknown" in text and "unaccounted 0: the books balance" in text and "port trunk0: link up" in text


def test_show_macs(bench):
    text, shown = bench.sluice.show("macs"), json.loads(bench.sluice.show("macs", "--json"))
    (learned,) = shown["macs"]
    assert (learned["side"], learned["mac"], learned["member"], learned["moves"]) == ("mud", A, "a", 0)
    assert learned["quarantine_s"] is None and learned["idle_s"] >= 0
    assert shown["tables"] == [
        {"side": "mud", "learned": 0, "capacity": 4096, "listed": 1},  # listed ones need none of the room (F195)
        {"side": "wix", "learned": 0, "capacity": 4096, "listed": 0},
    ]
    assert A in text and "mud: 0 of 4096 addresses, and 1 listed ones without a side" in text


def test_show_members(bench):
    text, shown = bench.sluice.show("members"), json.loads(bench.sluice.show("members", "--json"))
    a, b = shown
    assert (a["name"], a["pinned"], a["side"], a["macs"], a["addresses"]) == ("a", None, "mud", [A], [A4, A6])
    assert (b["name"], b["pinned"], b["side"], b["macs"]) == ("b", "wix", "wix", [B])
    assert "wix (pinned)" in text


def test_show_workers(bench):
    probes = [bench.sluice.ask("counters")["probes"]]
    text, shown = bench.sluice.show("workers"), json.loads(bench.sluice.show("workers", "--json"))
    probes.append(bench.sluice.ask("counters")["probes"])
    (worker,) = shown
    assert (worker["core"], worker["received"], worker["unaccounted"]) == (WORKER, 4, 0)
    assert probes[0] <= worker["transmitted"] - 3 <= probes[1]
    assert "frames/burst" in text


def test_show_config(bench):
    text, shown = bench.sluice.show("config"), json.loads(bench.sluice.show("config", "--json"))
    assert shown["generation"] == 1 and shown["file"] == str(bench.sluice.file)
    assert shown["text"] == bench.sluice.file.read_text()
    assert text.startswith("# generation 1, read from ") and text.endswith(shown["text"])


# ------------------------------------------------------------------------------------------------ the end


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_signal_ends_it_with_all_that_it_took_sent(lab, how):
    bench = Bench(lab, {"vlan": 10}, {"vlan": 20})
    for _ in range(500):
        bench.mud.send(tagged(udp(), 10))
    books = bench.sluice.stop(how)
    sent = books["ports"]["trunk1"]["transmitted"] - books["sides"]["wix"]["probes"]
    assert [bench.wix.receive() for _ in range(sent)] == [tagged(udp(), 20)] * sent
    assert bench.wix.receive(patience=0) is None
    assert f'stopping signal="{how.name}"' in bench.sluice.log()


def test_the_books_are_printed_for_people_too(lab):
    sluice = lab.launch("bridge", idle_rules(), options=())
    sluice.wait_for_start().process.send_signal(signal.SIGTERM)
    code, _ = sluice.ends()
    assert code == 0
    printed = sluice.stdout.read_text()
    assert "side mud" in printed and "forwarded" in printed and "unaccounted 0: the books balance" in printed
