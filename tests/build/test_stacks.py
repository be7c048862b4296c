"""The C stack: how much of it recursion may use, in threads and in the first one, until it ends in an error."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from staticpython.load import load_facts
from tests.build.conftest import BuiltTarget, clean_environment

# Each recurses until the stack is used up, and prints how deep it came.
RECURSION = """
import functools, json, pickle, sys, threading

sys.setrecursionlimit(10**9)

class Attributes:
    def __getattr__(self, name):
        return getattr(self, name)

class Ordered:
    def __lt__(self, other):
        return sorted([self, other])

def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value

def used(function):
    try:
        function()
    except RecursionError as error:
        return str(error).partition("(used ")[2].partition(" kB")[0]
    return "all"

def deep(depth):
    value, other = nested(depth), nested(depth)
    functions = (
        lambda: json.dumps(value), lambda: pickle.dumps(value), lambda: value == other,
        lambda: Attributes().x, lambda: sorted([Ordered(), Ordered()]),
    )
    print(*map(used, functions), flush=True)
    print(*map(used, functions), flush=True)
    for one in (value, other):  # not by recursion either
        while one:
            one[:], one = [], one[0]
"""
# The least number of stack bytes for one nested list.
FRAME = 64
KINDS = 5
# Nothing recurses into the last 32 KiB of a 64-bit stack (_PyOS_STACK_MARGIN), or the last 16 KiB of a 32-bit one.
MARGIN = 48


@pytest.fixture(autouse=True)
def _knows_the_bounds(target: BuiltTarget) -> None:
    if reason := load_facts().series[target.plan.series].lacking.get("0045-stack-bounds"):
        pytest.skip(reason)


def numbers(shown: str) -> Iterator[int]:
    lines = shown.splitlines()
    assert len(lines) == 2 and all(len(line.split()) == KINDS for line in lines), shown
    yield from (int(word) for line in lines for word in line.split())


def test_pickle_has_room_for_many_levels(target: BuiltTarget) -> None:
    """On x86_64 at least half as many as on glibc (0065-pickle-depth); on aarch64 with a larger frame 11,600."""
    levels = 20000 if target.arch == "x86_64" else 10000
    program = f"""
def run():
    value = nested({levels})
    print(len(pickle.dumps(value)) > {levels})
    while value:
        value[:], value = [], value[0]

threading.stack_size(8 << 20)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""
    assert target.run("-c", RECURSION + program) == "True"


@pytest.mark.parametrize("size", [64, 128, 256, 512, 1024, 4096, 16384, 65536])
def test_threads(target: BuiltTarget, size: int) -> None:
    """From the smallest stack that threading.stack_size() accepts to more than upstream would use."""
    program = (
        f"threading.stack_size({size} << 10)\nthread = threading.Thread(target=deep, args=({(size << 10) // FRAME},))"
    )
    for used in numbers(target.run("-c", f"{RECURSION}\n{program}\nthread.start()\nthread.join()")):
        assert size - MARGIN <= used <= size


def test_threads_of_the_usual_size(target: BuiltTarget) -> None:
    size = target.plan.arch.thread_stack_mib << 10
    program = f"thread = threading.Thread(target=deep, args=({(size << 10) // FRAME},))\nthread.start()\nthread.join()"
    for used in numbers(target.run("-c", f"{RECURSION}\n{program}")):
        assert size - MARGIN <= used <= size


def first_thread(target: BuiltTarget, limit: str, depth: int, **environment: str) -> Iterator[int]:
    """Run with a limit on the stack, which a shell sets before the program starts."""
    command = shlex.join([*target.emulator, str(target.binary), "-c", f"{RECURSION}\ndeep({depth})"])
    done = subprocess.run(
        ["sh", "-c", f"ulimit -S -s {limit} && exec {command}"],
        capture_output=True,
        text=True,
        env=clean_environment(**environment),
        timeout=600,
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return numbers(done.stdout)


@pytest.mark.parametrize("size", [128, 256, 1024, 2048, 8192, 65536])
def test_first_thread(target: BuiltTarget, size: int) -> None:
    if target.emulator and size < 8192:
        pytest.skip("the emulator needs a stack too, and gives its program 8 MiB at least")
    for used in first_thread(target, str(size), (size << 10) // FRAME):
        assert size - MARGIN <= used <= size


def test_first_thread_without_a_limit(target: BuiltTarget) -> None:
    for used in first_thread(target, "unlimited", (8192 << 10) // FRAME):
        assert 8192 - MARGIN <= used <= 8192


def test_a_large_environment_is_on_the_stack_too(target: BuiltTarget) -> None:
    environment = {f"LARGE_{i}": "x" * 100_000 for i in range(10)}
    for used in first_thread(target, "8192", (8192 << 10) // FRAME, **environment):
        assert 8192 - MARGIN <= used <= 8192


@pytest.mark.needs_modules("_interpreters")
def test_the_only_thread_of_a_child_is_where_it_was(target: BuiltTarget) -> None:
    """After fork() in a thread, the child's only thread is on that thread's stack, whatever its number."""
    program = """
import os
from concurrent import interpreters

def forked():
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        return
    interpreters.create().exec(text + "\\ndeep(1 << 14)")
    os._exit(0)

threading.stack_size(256 << 10)
thread = threading.Thread(target=forked)
thread.start()
thread.join()
"""
    shown = target.run("-W", "ignore", "-c", f"{RECURSION}\ntext = {RECURSION!r}\n{program}")
    for used in numbers(shown):
        assert 256 - MARGIN <= used <= 256


def test_a_thread_of_another_program(target: BuiltTarget) -> None:
    """A callback on a thread that Python did not make: its stack is found at its first call."""
    program = """
import ctypes

libc = ctypes.CDLL(None)
attributes, number = ctypes.create_string_buffer(256), ctypes.c_void_p()
assert libc.pthread_attr_init(attributes) == 0
assert libc.pthread_attr_setstacksize(attributes, ctypes.c_size_t(512 << 10)) == 0
start = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: deep(1 << 15))
assert libc.pthread_create(ctypes.byref(number), attributes, start, None) == 0
assert libc.pthread_join(number, None) == 0
"""
    for used in numbers(target.run("-c", f"{RECURSION}\n{program}")):
        assert 512 - MARGIN <= used <= 512


def test_the_bounds_are_the_kernels(target: BuiltTarget) -> None:
    """The end that is computed from the program's name is that in /proc/self/maps."""
    if target.emulator:
        pytest.skip("the maps that an emulator shows are its own")
    program = f"{RECURSION}\ndeep(1 << 18)\nprint(*[x for x in open('/proc/self/maps') if '[stack]' in x], sep='')"
    *shown, stack = target.run("-c", program).splitlines()
    found = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", stack)
    assert found
    mapped = (int(found[2], 16) - int(found[1], 16)) >> 10
    # The used part is mapped, to the page, and memory below it is not.
    for used in numbers("\n".join(shown)):
        assert used <= mapped <= used + MARGIN
