"""The system call filter of the service, under which all of these tests run where $SLUICE_UNDER says so."""

import errno
import pathlib
import signal
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
FILTERED = (HERE / "filtered", HERE.parents[2] / "packaging/sluice.service")


def test_a_call_that_the_unit_refuses_ends_the_program():
    result = subprocess.run([*FILTERED, "/usr/sbin/chroot", "/", "/bin/true"], check=False)
    assert result.returncode == -signal.SIGSYS


def test_a_call_that_the_unit_answers_with_an_error_fails_with_it():
    iopl = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); libc.iopl(3); print(ctypes.get_errno())"
    result = subprocess.run([*FILTERED, "/usr/bin/python3", "-c", iopl], capture_output=True, text=True, check=True)
    assert result.stdout == f"{errno.ENOSYS}\n"
