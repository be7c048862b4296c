"""The suites: their jobs, and one run of a job with one interpreter."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.baselines import BenchError, environment, pip_install, venv
from staticpython.benchmarks import Bench, Group, Mode

TIMED = Path(__file__).with_name("timed.py")
LIST_PYPERFORMANCE = """
import json, os
from pyperformance._manifest import load_manifest
for b in load_manifest(None).benchmarks:
    reqs = b.requirements_lockfile if b.requirements_lockfile and os.path.exists(b.requirements_lockfile) else None
    print(json.dumps([b.name, b.runscript, list(b.extra_opts), reqs]))
"""
Times = dict[str, float]  # benchmark -> seconds


@dataclass(frozen=True)
class Interpreter:
    """An interpreter of the comparison."""

    name: str
    python: Path
    work: Path

    @functools.cached_property
    def venv(self) -> Path:
        """The Python of its virtual environment, which is made when needed: not every interpreter can have one."""
        return venv(self.name, self.python, self.work)


@dataclass(frozen=True)
class Job:
    """A unit that runs alternately with each interpreter; it may contain several benchmarks."""

    suite: str
    name: str
    run: Callable[[Interpreter], Times]

    @property
    def key(self) -> str:
        """Its name in the results and for `--only`."""
        return f"{self.suite}/{self.name}"


def call(command: list[str], text: str = "", seconds: float | None = None) -> str:
    """Run a measurement; return its output. Raises BenchError with its last complaint."""
    try:
        run = subprocess.run(
            command, input=text, env=environment(), capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"took longer than {seconds} seconds") from None
    if run.returncode:
        said = [line for line in run.stderr.splitlines() if line.strip()] or [f"exit code {run.returncode}"]
        raise BenchError(next((line for line in said if "Error: " in line), said[-1])[:200])
    return run.stdout


def timed_command(python: Path) -> list[str]:
    """Return the command that runs `timed.py`, without imports from the user's or the current folder."""
    return [str(python), "-s", "-P", str(TIMED)]


def timed_input(group: Group, **more: Any) -> str:
    """Return what `timed.py` reads."""
    return json.dumps({"setup": group.setup, "sizes": group.sizes, "statements": group.statements, **more})


def pyperf_times(result: Path) -> Times:
    """Read pyperf's result: each benchmark's best value, because a disturbance can only add to it."""
    data = json.loads(result.read_text(encoding="utf-8"))
    times = {}
    for benchmark in data["benchmarks"]:
        name = {**data["metadata"], **benchmark.get("metadata", {})}["name"]
        times[name] = min(value for run in benchmark["runs"] for value in run.get("values", []))
    return times


def with_pyperf(command: list[str], arguments: list[str], seconds: float | None = None) -> Times:
    """Run a program that has pyperf's options."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        call([*command, "--quiet", "-o", str(result), *arguments], seconds=seconds)
        return pyperf_times(result)


def start_jobs(bench: Bench, mode: Mode, tools: Path) -> Iterator[Job]:
    """Yield the commands, each timed as a whole process."""
    options = ["-p", "1", "-l", "1", "-w", "1", "-n", str(mode.starts)]
    for name, arguments in bench.start.items():
        command = [str(tools), "-m", "pyperf", "command", "--name", name]

        def run(one: Interpreter, command: list[str] = command, arguments: list[str] = arguments) -> Times:
            return with_pyperf(command, [*options, "--", str(one.python), *arguments])

        yield Job("start", name, run)


def micro_jobs(bench: Bench, mode: Mode) -> Iterator[Job]:
    """Yield the groups of statements."""
    for name, group in bench.micro.items():
        text = timed_input(
            group, clock=group.clock or bench.clock, least=mode.milliseconds / 1000, repeats=mode.repeats
        )

        def run(one: Interpreter, text: str = text) -> Times:
            times: Times = json.loads(call(timed_command(one.python), text))
            return times

        yield Job(name, "all", run)


def pyperformance_jobs(bench: Bench, mode: Mode, first: Interpreter) -> Iterator[Job]:
    """Yield pyperformance's benchmarks; what one needs is installed before its first run."""
    for name in pyperformance_list(first):

        def run(one: Interpreter, name: str = name) -> Times:
            if reason := bench.pyperformance.skip.get(name):
                raise BenchError(reason)
            script, arguments, requirements = pyperformance_list(one)[name]
            install(one, requirements)
            options = [*arguments, "-p", str(mode.processes)]
            return with_pyperf([str(one.venv), script], options, bench.pyperformance.seconds)

        yield Job("pyperformance", name, run)


@functools.cache
def pyperformance_list(one: Interpreter) -> dict[str, tuple[str, list[str], str | None]]:
    """Return pyperformance's benchmarks: name -> script, its arguments, and its requirements file."""
    lines = call([str(one.venv), "-c", LIST_PYPERFORMANCE]).splitlines()
    return {name: tuple(rest) for name, *rest in map(json.loads, lines)}


def install(one: Interpreter, requirements: str | None) -> None:
    """Install a benchmark's requirements, once."""
    if not requirements:
        return
    name = Path(requirements).parent.name
    stamp = one.venv.parents[1] / f"{name}.installed"
    log = one.work / "logs" / f"{one.name}-{name}.log"
    if stamp.exists():
        return
    try:
        pip_install(one.venv, ["-r", requirements], log)
    except BenchError:
        said = [line.strip() for line in log.read_text(encoding="utf-8").splitlines()]
        errors = [line for line in said if re.search(r"error: (?!subprocess-exited|Command)", line)] or said[-1:]
        raise BenchError(f"its dependencies do not install: {errors[0][:150]}") from None
    stamp.touch()
