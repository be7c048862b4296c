"""One interpreter inspects another: asyncio ps and pstree, sys.remote_exec(), pdb -p. All sections are in one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from staticpython.load import load_facts
from tests.build.conftest import BuiltTarget

pytestmark = pytest.mark.any_cpu("an emulator's process has the emulator's memory")

# The parent inspects its child; no other process may.
PARENT = """
import contextlib, io, os, subprocess, sys, time

child = subprocess.Popen([sys.argv[1], "-c", sys.argv[2]], stdout=subprocess.PIPE, text=True)
try:
    assert child.stdout.readline() == "ready\\n"
    exec(sys.argv[3])
finally:
    child.kill()
    child.wait()
"""
TASKS = """
import asyncio

async def waits_for_an_hour():
    print("ready", flush=True)
    await asyncio.sleep(3600)

async def main():
    async with asyncio.TaskGroup() as group:
        group.create_task(waits_for_an_hour(), name="the task of this test")

asyncio.run(main())
"""
LOOP = """
import sys, time
value = "the value of this test"
print("ready", flush=True)
while True:
    for _ in range(1000):
        pass
    time.sleep(0.01)
"""


@pytest.fixture(autouse=True)
def _looks_into_others(target: BuiltTarget) -> None:
    if reason := load_facts().series[target.plan.series].lacking.get("0046-remote-debugging"):
        pytest.skip(reason)
    if target.emulator:
        pytest.skip("an emulator's process has the emulator's memory")


@pytest.fixture(params=["python", "application"])
def program(target: BuiltTarget, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The interpreter, and a copy of it under an unrelated name."""
    if request.param == "python":
        return target.binary
    target.run("-m", "venv", "--copies", "--without-pip", tmp_path / "env")
    return (tmp_path / "env/bin/python3").rename(tmp_path / "env/bin/application")


@pytest.mark.parametrize(("tool", "shown"), [("table", "waits_for_an_hour"), ("tree", "(T) the task of this test")])
def test_tasks(target: BuiltTarget, program: Path, tool: str, shown: str) -> None:
    look = f"time.sleep(0.3); import asyncio.tools; asyncio.tools.display_awaited_by_tasks_{tool}(child.pid)"
    found = target.run("-c", PARENT, program, TASKS, look)
    assert "the task of this test" in found and shown in found


def test_stack_of_another_process(target: BuiltTarget, program: Path) -> None:
    look = """if 1:
        import _remote_debugging
        time.sleep(0.3)
        print(_remote_debugging.RemoteUnwinder(child.pid, all_threads=True).get_stack_trace())
    """
    in_a_loop = target.run("-c", PARENT, program, LOOP, look)
    assert "<module>" in in_a_loop and "run_until_complete" not in in_a_loop
    assert "run_until_complete" in target.run("-c", PARENT, program, TASKS, look)


def test_code_is_sent(target: BuiltTarget, program: Path, tmp_path: Path) -> None:
    # Like a signal handler, the code may run during a write (PyErr_CheckSignals), here that of "ready". There every
    # CPython refuses print() ("reentrant call").
    (tmp_path / "sent.py").write_text("import __main__, os\nos.write(1, f'sent: {__main__.value}\\n'.encode())\n")
    look = f"sys.remote_exec(child.pid, {str(tmp_path / 'sent.py')!r}); print(child.stdout.readline())"
    assert target.run("-c", PARENT, program, LOOP, look) == "sent: the value of this test"


def test_code_is_sent_while_it_writes(target: BuiltTarget, program: Path, tmp_path: Path) -> None:
    """The other process waits for a reader of its full pipe: the code runs once when it continues."""
    (tmp_path / "sent.py").write_text("import os\nos.write(2, b'sent\\n')\n")
    look = f"""if 1:
        other = subprocess.Popen(
            [sys.argv[1], "-c", "print('y' * 1_000_000, flush=True); print('end', flush=True); input()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        while other.stdout.read(1) != "y":
            pass
        sys.remote_exec(other.pid, {str(tmp_path / "sent.py")!r})
        lines = [other.stdout.readline(), other.stdout.readline()]
        print([len(line) for line in lines], other.communicate("\\n")[1].split())
    """
    assert target.run("-c", PARENT, program, LOOP, look) == "[1000000, 4] ['sent']"


def test_debugger_attaches(target: BuiltTarget, program: Path) -> None:
    look = """if 1:
        import pdb
        sys.stdin = io.StringIO("p value.upper()\\nq\\n")
        pdb.attach(child.pid)
    """
    assert "'THE VALUE OF THIS TEST'" in target.run("-c", PARENT, program, LOOP, look)
