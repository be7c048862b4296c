"""Freed memory goes back to the system while a program waits, and its waits work as before.

Resident memory is read from outside, so that the program does nothing for it.
"""

from __future__ import annotations

import re
import resource
import struct
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.build.conftest import LIBC_CHECKS, BuiltTarget, clean_environment, compile_program, run_program

# The checks of waits in libc/waits.c.
WAITS = ("timeouts", "signals", "restarts", "events", "cancellation", "handlers", "children", "read_timeouts",
         "reads", "locks", "pauses")  # fmt: skip

FREED = "b = [bytes(1000) for i in range(200000)]\ndel b\n"
SAY = "print('now', flush=True)\n"
# The child ends with its parent.
CHILD = (
    "import os, threading, time\nr, w = os.pipe()\nchild = os.fork()\nif not child:\n"
    "    threading.Thread(target=lambda: os.read(0, 1) or os._exit(0)).start()\n"
)
# Each program frees 200 MB or so, reports that and waits; it may keep so many MB.
PROGRAMS = {
    "sleep": (SAY + FREED + "import time; time.sleep(60)", 12),
    "short sleeps": ("import time\n" + SAY + FREED + "while True: time.sleep(0.1)", 12),
    "bytearray": (
        "import time\nb = bytearray(200_000_000)\nb[::4096] = b'x' * 48829\n" + SAY + "del b\ntime.sleep(60)",
        12,
    ),
    "dictionary": (
        "import time\nd = {i: str(i) for i in range(1_000_000)}\n" + SAY + "del d\ntime.sleep(60)",
        12,
    ),
    "select": ("import select, os\nr, w = os.pipe()\n" + SAY + FREED + "select.select([r], [], [])", 12),
    "epoll": ("import asyncio\nasync def f():\n exec(F)\n await asyncio.sleep(60)\n" + SAY + "asyncio.run(f())", 20),
    "lock": ("import threading\nk = threading.Lock()\nk.acquire()\n" + SAY + FREED + "k.acquire()", 12),
    "pipe": ("import os\nr, w = os.pipe()\n" + SAY + FREED + "os.read(r, 1)", 12),
    "pause": ("import signal\n" + SAY + FREED + "signal.pause()", 12),
    "sigwait": ("import signal\n" + SAY + FREED + "signal.sigwait([signal.SIGUSR1])", 12),
    "readv": ("import os\nr, w = os.pipe()\n" + SAY + FREED + "os.readv(r, [bytearray(1)])", 12),
    "recvmsg": ("import socket\npair = socket.socketpair()\n" + SAY + FREED + "pair[0].recvmsg(1)", 12),
    "waitid": (CHILD + "    time.sleep(60)\n" + SAY + FREED + "os.waitid(os.P_PID, child, os.WEXITED)", 12),
    **{
        kind: (
            "import fcntl, os, tempfile\nname = tempfile.mkstemp()[1]\n"
            "files = [open(name, 'w'), open(name, 'w')]\nos.unlink(name)\n"
            + CHILD + f"    fcntl.{kind}(files[0], fcntl.LOCK_EX)\n    os.write(w, b'x')\n    time.sleep(60)\n"
            + "os.read(r, 1)\n" + SAY + FREED + f"fcntl.{kind}(files[1], fcntl.LOCK_EX)",
            12,
        )
        for kind in ("flock", "lockf")
    },
    "readers": (  # the memory that is freed last belongs to a wait that comes too early
        "import os, threading, time\nr, w = os.pipe()\n"
        "def f():\n b = [bytes(5000) for i in range(4000)]\n del b\n os.read(r, 1)\n"
        + SAY + "for i in range(20): threading.Thread(target=f, daemon=True).start()\ntime.sleep(60)",
        20,
    ),
    "burst": (
        "import time\n" + SAY + "for k in range(60):\n b = [bytes(1000) for i in range(30000)]\n time.sleep(.002)\n"
        " del b\n time.sleep(.001)\ntime.sleep(60)",
        12,
    ),
    "rounds": (  # segments that come back from the arena with their old memory
        "import time\n" + SAY + "for k in range(10):\n b = [bytes(1000) for i in range(60000)]\n time.sleep(.002)\n"
        " del b\n time.sleep(.001)\ntime.sleep(60)",
        12,
    ),
    "pool": (
        "import time\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "def f(i):\n b = [bytes(1000) for i in range(50000)]\n time.sleep(.05)\n return len(b)\n"
        + SAY + "with ThreadPoolExecutor(4) as ex:\n list(ex.map(f, range(16)))\n time.sleep(60)",
        26,
    ),
    "thread's end": (
        "import time, threading\nkeep = []\n"
        "def f():\n b = [bytes(1000) for i in range(100000)]\n keep.extend(b[::2000])\n"
        + SAY + "for i in range(3):\n t = threading.Thread(target=f)\n t.start()\n t.join()\ntime.sleep(60)",
        20,
    ),
}  # fmt: skip


def resident(pid: int) -> int:
    """Return a process's resident memory that is not from files, in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.split("\nAnonymous:")[1].split()[0]) // 1000


def would_come_back(pid: int) -> int:
    """Return how much memory the kernel may make resident by itself, in MB.

    Where huge pages were asked for, its khugepaged fills each 2 MiB of which one page is there, 16 MiB in ten seconds.
    """
    huge, page = 2 << 20, resource.getpagesize()
    blocks: Counter[int] = Counter()
    with Path(f"/proc/{pid}/pagemap").open("rb", buffering=0) as pages:
        for mapping in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{pid}/smaps").read_text()):
            begin, end = (int(x, 16) for x in mapping.split(maxsplit=1)[0].split("-"))
            if " hg" not in mapping.split("VmFlags:")[1]:
                continue
            first, last = -(-begin // huge) * huge, end // huge * huge
            pages.seek(first // page * 8)
            present = [entry >> 63 for (entry,) in struct.iter_unpack("=Q", pages.read((last - first) // page * 8))]
            blocks.update((first + number * page) // huge for number, is_there in enumerate(present) if is_there)
    return sum(huge - there * page for there in blocks.values()) // 1_000_000


def needs_mimalloc(target: BuiltTarget) -> None:
    if target.plan.malloc != "mimalloc":
        pytest.skip("built with musl's malloc: it keeps and maps memory by other rules")


@pytest.mark.parametrize("name", PROGRAMS)
def test_goes_back_while_it_waits(target: BuiltTarget, name: str) -> None:
    if target.emulator:
        pytest.skip("an emulator's own memory is in the figures: needs a native target")
    needs_mimalloc(target)
    program, most = PROGRAMS[name]
    command = [str(target.binary), "-c", f"F = {FREED!r}\n{program}"]
    # A pipe as standard input, in case it is read.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, env=clean_environment()) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"now\n"
            values = []
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                time.sleep(0.5)
                values.append(resident(process.pid))
                if len(values) > 4 and values[-1] <= most:
                    break
            assert values[-1] <= most, values
            assert values[-1] + would_come_back(process.pid) <= most + 4
        finally:
            process.kill()


def test_growth_leaves_no_mappings(target: BuiltTarget) -> None:
    needs_mimalloc(target)
    grown = (
        "import sys\nls = [[] for _ in range(400)]\nfor k in range(40):\n for l in ls: l.extend([None] * 2500)\n"
        "b = bytearray()\nfor i in range(1500): b += b'x' * 65536\n"
        "assert b.count(b'x') == len(b) and all(len(l) == 100000 for l in ls)\n"
        "print(len(open('/proc/self/maps').readlines()))"
    )
    assert int(target.run("-c", grown)) < 200


def test_zeros_after_growth(target: BuiltTarget) -> None:
    """Memory of a block that grew in place is not zero after free, although it was not marked at the start."""
    program = (
        "for i in range(3):\n l = []\n for i in range(400_000): l.append(i)\n del l\n"
        " k = [bytes(n) for n in (250_000, 500_000, 1_000_000)] + [bytearray(n) for n in (150_000, 700_000)]\n"
        " print(sum(len(b) - b.count(0) for b in k))\n del k"
    )
    assert target.run("-c", program).split() == ["0", "0", "0"]


def test_starts_in_little_address_space(target: BuiltTarget) -> None:
    if target.emulator:
        pytest.skip("the emulator's address space is limited too: needs a native target")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (40_000 << 10, 40_000 << 10))

    program = "import json, re; print(len(bytes(1_000_000)))"
    assert target.run("-c", program, preexec_fn=limit) == "1000000"


@pytest.fixture(scope="module")
def waits(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(target, LIBC_CHECKS / "waits.c", tmp_path_factory.mktemp("libc") / "waits")


def test_all_waits_are_run(target: BuiltTarget, waits: Path) -> None:
    assert run_program(target, waits).stdout.split() == list(WAITS)


@pytest.mark.parametrize("check", WAITS)
def test_waits(target: BuiltTarget, waits: Path, check: str) -> None:
    done = run_program(target, waits, check)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stdout + done.stderr


def test_signals_reach_python(target: BuiltTarget) -> None:
    """Also signals that come while memory is given back. One just before a wait is lost in any CPython, so the timer
    goes on until it was handled; waits.c tests libc's part."""
    program = (
        "import signal, threading, time\nhits = 0\n"
        "class Hit(Exception): pass\n"
        "def on(*a):\n signal.setitimer(signal.ITIMER_REAL, 0)\n raise Hit\n"
        "signal.signal(signal.SIGALRM, on)\nlock = threading.Lock()\nlock.acquire()\n"
        "for i in range(60):\n"
        " b = [bytes(1000) for k in range(20000)]\n"
        " try:\n"
        "  signal.setitimer(signal.ITIMER_REAL, .003 + i * .0001, .1)\n"
        "  del b\n"
        "  lock.acquire(timeout=10) if i % 2 else time.sleep(10)\n"
        " except Hit:\n  hits += 1\n"
        "print(hits)"
    )
    start = time.monotonic()
    assert target.run("-c", program) == "60"
    assert time.monotonic() - start < (60 if target.emulator else 20)
