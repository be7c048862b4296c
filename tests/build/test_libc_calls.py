"""Calls of the C library that musl leaves out or answers in another way (patches/musl/0032, 0033, 0035, 0049, 0052)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

SCHEDULING = """
import os
assert os.sched_getscheduler(0) == os.SCHED_OTHER, os.sched_getscheduler(0)
assert os.sched_getparam(0) == os.sched_param(0)
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
assert os.sched_getscheduler(0) == os.sched_getscheduler(os.getpid()) == os.SCHED_BATCH
os.sched_setparam(0, os.sched_param(0))
for call in (
    lambda: os.sched_setparam(0, os.sched_param(7)),
    lambda: os.sched_setscheduler(0, 4711, os.sched_param(0)),
):
    try:
        call()
    except OSError as error:
        assert error.errno == 22, error
    else:
        raise AssertionError("accepted")
try:
    os.sched_getscheduler(2**22 + 1)  # more than any kernel's pid_max
except ProcessLookupError:
    print("ok")
"""

SPAWN = """
import os, sys
code = "import os, sys; sys.exit(os.sched_getscheduler(0))"
def spawned(**options):
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ, **options)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert spawned() == os.SCHED_OTHER
assert spawned(scheduler=(os.SCHED_BATCH, os.sched_param(0))) == os.SCHED_BATCH
assert spawned(scheduler=(None, os.sched_param(0))) == os.SCHED_OTHER
try:
    spawned(scheduler=(4711, os.sched_param(0)))
except OSError as error:
    assert error.errno == 22, error
    print("ok")
"""

LOGIN = """
import os, pwd
login = int(open("/proc/self/loginuid").read()) if os.path.exists("/proc/self/loginuid") else 2**32 - 1
try:
    expected = pwd.getpwuid(login).pw_name
except (KeyError, OverflowError):
    expected = os.environ.get("LOGNAME")
try:
    name = os.getlogin()
except OSError as error:
    assert expected is None and error.errno == 6, (expected, error)
else:
    assert name == expected, (name, expected)
print("ok")
"""

# The kernel's answer.
NAMES = {
    "socket.AF_BLUETOOTH": 31,
    "socket.BTPROTO_HCI": 1,
    "socket.BTPROTO_L2CAP": 0,
    "socket.BTPROTO_RFCOMM": 3,
    "socket.BTPROTO_SCO": 2,
    "socket.HCI_FILTER": 2,
    "socket.NI_IDN": 32,
    "signal.SIGCLD": 17,
    "resource.RLIMIT_OFILE": 7,
    "fcntl.F_EXLCK": 4,
    "fcntl.F_SHLCK": 8,
    "fcntl.LOCK_MAND": 32,
    "os.PIDFD_NONBLOCK": 2048,
    "termios.NCC": 8,
}

BLUETOOTH = """
import errno, socket
families = ((socket.SOCK_STREAM, socket.BTPROTO_RFCOMM, ("00:11:22:33:44:55", 3)),
            (socket.SOCK_SEQPACKET, socket.BTPROTO_L2CAP, ("00:11:22:33:44:55", 4097)),
            (socket.SOCK_RAW, socket.BTPROTO_HCI, (0,)),
            (socket.SOCK_SEQPACKET, socket.BTPROTO_SCO, "00:11:22:33:44:55"))
for kind, protocol, address in families:
    # The address is packed before the kernel is asked: any descriptor will do.
    with socket.socket() as s, socket.socket(socket.AF_BLUETOOTH, kind, protocol, fileno=s.detach()) as b:
        try:
            b.connect(address)
        except OSError as error:
            assert error.errno and "wrong format" not in str(error), error
        try:
            b.connect("no address")
        except OSError as error:
            assert not error.errno, error
        else:
            raise AssertionError("accepted")
print("ok")
"""

PATHCONF = """
import errno, os
for path in ("/", "/proc", "/dev"):
    assert os.pathconf(path, "PC_NAME_MAX") == os.statvfs(path).f_namemax, path
    descriptor = os.open(path, os.O_RDONLY)
    assert os.fpathconf(descriptor, "PC_NAME_MAX") == os.statvfs(path).f_namemax, path
    os.close(descriptor)
for ask, about, error in ((os.pathconf, "/no/such/file", errno.ENOENT), (os.fpathconf, descriptor, errno.EBADF)):
    try:
        ask(about, "PC_NAME_MAX")
    except OSError as e:
        assert e.errno == error, e
    else:
        raise AssertionError(about)
assert os.major(-1) == os.minor(-1) == os.makedev(-1, -1) == -1
print("ok")
"""

DEEP = """
import os, sys
name = "a folder with a name, \u00e9" * 7
os.chdir(sys.argv[1])
path = os.getcwd()
for _ in range(50):
    os.mkdir(name)
    os.chdir(name)
    path += "/" + name
    assert os.getcwd() == path
assert len(os.fsencode(path)) > 8192 and os.getcwdb() == os.fsencode(path)
for _ in range(50):
    os.chdir("..")
    os.rmdir(name)
import colorsys # what is imported from the current folder
print("ok")
"""


def test_scheduling(target: BuiltTarget) -> None:
    assert target.run("-c", SCHEDULING) == "ok"


@pytest.mark.usefixtures("programs")
@pytest.mark.native_only("posix_spawn of an emulated program cannot tell its child's error: qemu-user's vfork is fork")
def test_spawn_with_a_policy(target: BuiltTarget) -> None:
    assert target.run("-c", SPAWN) == "ok"


@pytest.mark.parametrize("logname", [None, "somebody"])
def test_getlogin(target: BuiltTarget, logname: str | None) -> None:
    environment = clean_environment(LOGNAME=logname) if logname else clean_environment()
    assert target.run("-c", LOGIN, env=environment) == "ok"


def test_names_of_headers(target: BuiltTarget) -> None:
    modules = ", ".join(sorted({name.partition(".")[0] for name in NAMES}))
    values = "; ".join(f"print(int({name}))" for name in NAMES)
    got = target.run("-c", f"import {modules}; {values}").split()
    assert dict(zip(NAMES, map(int, got), strict=True)) == NAMES


def test_characters_of_terminals(target: BuiltTarget) -> None:
    names = ("CEOF", "CINTR", "CKILL", "CERASE", "CSUSP", "CSTART", "CSTOP", "CRPRNT", "CFLUSH")
    code = f"import termios; print(*(getattr(termios, n) for n in {names}))"
    assert [int(v) for v in target.run("-c", code).split()] == [4, 3, 21, 127, 26, 17, 19, 18, 15]


def test_bluetooth_addresses(target: BuiltTarget) -> None:
    assert target.run("-c", BLUETOOTH) == "ok"


def test_pathconf(target: BuiltTarget) -> None:
    assert target.run("-c", PATHCONF) == "ok"


def test_getcwd_beyond_path_max(target: BuiltTarget, tmp_path: Path) -> None:
    assert target.run("-c", DEEP, str(tmp_path)) == "ok"
