"""Start-up: work that is postponed gives the same answers as before; and how many system calls are left."""

from __future__ import annotations

import collections
import re
import shutil
import signal
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment
from tests.build.test_bundle import takes_code

# Started with some signals ignored; the expected answers are those of a CPython that asks at its start.
SIGNALS = """
import faulthandler, os, signal, sys, threading
from _signal import SIG_DFL, SIG_IGN, default_int_handler, getsignal
ignored = {signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGSEGV}
expected = dict.fromkeys(range(1, 32), SIG_DFL) | dict.fromkeys(ignored, SIG_IGN)
expected |= {signal.SIGPIPE: SIG_IGN, signal.SIGXFSZ: SIG_IGN, signal.SIGINT: default_int_handler}
expected |= dict.fromkeys((32, 33, 34), None)

def check():
    found = {number: getsignal(number) for number in expected}
    assert found == expected, {n: (found[n], expected[n]) for n in found if found[n] != expected[n]}

if "now" in sys.argv:
    check()
# C code takes signals over: what is known of them stays.
faulthandler.enable()
faulthandler.register(signal.SIGUSR2)
check()
assert signal.signal(signal.SIGSEGV, SIG_DFL) == SIG_IGN and getsignal(signal.SIGSEGV) == SIG_DFL
expected[signal.SIGSEGV] = SIG_DFL
# What is replaced is what was there.
handler = lambda *args: None
assert signal.signal(signal.SIGUSR1, handler) == SIG_IGN and getsignal(signal.SIGUSR1) is handler
assert signal.signal(signal.SIGCHLD, handler) == SIG_DFL
expected |= {signal.SIGUSR1: handler, signal.SIGCHLD: handler}
check()
thread = threading.Thread(target=check)
thread.start()
thread.join()
child = os.fork()
if child == 0:
    status = 1
    try:
        check()
        status = 0
    finally:
        os._exit(status)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
# A child that is given other dispositions has them for itself.
arguments = [sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGHUP) == 0)"]
child = os.posix_spawn(sys.executable, arguments, os.environ, setsigdef=[signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT])
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
check()
# The module that is made anew asks anew: of what was changed.
del sys.modules["_signal"]
import _signal
expected |= dict.fromkeys((signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGINT), None)
expected |= dict.fromkeys((signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT), None)
found = {number: _signal.getsignal(number) for number in expected}
assert found == expected, found
print("well")
"""


def as_in_the_foreground() -> None:
    """A shell makes background programs ignore these signals, and the tests may be such a program."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("when", ["now", "later"])
def test_signals_that_are_asked_late(target: BuiltTarget, when: str) -> None:
    """The answer is what was true at the start, whatever has changed it since."""
    python = [*target.emulator, str(target.binary)]
    ignore = "trap '' HUP USR1 USR2 TERM SEGV; exec \"$@\""
    run = subprocess.run(
        ["/bin/sh", "-c", ignore, "sh", *python, "-c", SIGNALS, when],
        capture_output=True, text=True, env=clean_environment(), timeout=60, preexec_fn=as_in_the_foreground,
    )  # fmt: skip
    assert (run.stdout, run.returncode) == ("True\nwell\n", 0), run.stderr


def test_signals_that_were_taken_before(target: BuiltTarget) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGSEGV), int(signal.getsignal(signal.SIGUSR1)))"
    assert target.run("-X", "faulthandler", "-c", code) == "None 0"


def system_calls(log: Path, *command: str | Path) -> collections.Counter[str]:
    """How often a program makes each system call."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    run = [strace, "-o", str(log), *map(str, command)]
    assert subprocess.run(run, env={}, capture_output=True, text=True).stdout == "hello\n"
    return collections.Counter(re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE))


@pytest.mark.native_only("strace would show the emulator's system calls")
def test_system_calls_of_a_bundle(target: BuiltTarget, tmp_path: Path) -> None:
    """Only calls for what the kernel alone knows. A lost gain shows up here first."""
    takes_code(target)
    target.needs_patch("0062-signals-asked-late")
    if target.plan.malloc != "mimalloc":
        pytest.skip("built with musl's malloc: each large block is a mapping of its own")
    (tmp_path / "hello.py").write_text("print('hello')\n")
    target.run("-m", "_staticpython", "bundle", tmp_path / "hello.py", "-o", tmp_path / "hello")
    calls = system_calls(tmp_path / "log", tmp_path / "hello")
    # Seven of them look for the user's folder, since there is no HOME. A build with a profile puts the program's data
    # on a huge page (docs/interpreter.md).
    for_huge_page = 5 if calls["mremap"] else 0
    # Where pointers have 32 bits, CPython takes memory in pieces of 256 KiB instead of 1 MiB.
    for_pieces = 9 if target.plan.arch.elf_class == 32 else 0
    assert calls.total() <= 61 + for_huge_page + for_pieces, textwrap.fill(str(calls))


@pytest.mark.native_only("strace would show the emulator's system calls")
def test_system_calls_of_a_python(target: BuiltTarget, tmp_path: Path) -> None:
    target.needs_patch("0062-signals-asked-late")
    calls = system_calls(tmp_path / "log", target.binary, "-c", "print('hello')")
    assert calls["rt_sigaction"] <= 10, calls
