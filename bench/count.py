"""Counts instructions: on a busy machine they are more exact than times."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.baselines import BenchError, say
from bench.results import OURS, Results
from bench.suites import Interpreter, timed_command, timed_input
from staticpython.benchmarks import Bench
from staticpython.errors import UsageError

SECONDS = 0.003  # the instructions of a statement in this time are counted


def instructions(command: list[str], text: str = "") -> int:
    """Return how many user-space instructions a command takes: counted by perf, or by valgrind if perf cannot."""
    with tempfile.NamedTemporaryFile("r") as out:
        if perf_counts():
            run = ["perf", "stat", "-x,", "-e", "instructions:u", "-o", out.name, *command]
            pattern = r"^(\d+),,instructions"
        elif shutil.which("valgrind"):
            run = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={out.name}", *command]
            pattern = r"Collected : (\d+)"
        else:
            raise UsageError("counting needs valgrind, or perf on a machine with counters")
        subprocess.run(run, input=text, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, check=False)
        found = re.search(pattern, Path(out.name).read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise BenchError(f"{run[0]} counted nothing")
    return int(found[1])


def perf_counts() -> bool:
    """Whether the machine counts instructions for perf; a virtual one may not."""
    if not shutil.which("perf"):
        return False
    run = ["perf", "stat", "-x,", "-e", "instructions:u", "true"]
    return bool(re.search(r"^\d+,", subprocess.run(run, capture_output=True, text=True, check=False).stderr, re.M))


def countable(results: Results, patterns: list[str] | None) -> Iterator[tuple[str, str]]:
    """Yield suite and benchmark: those that a pattern names, or else those that are slower than another's."""
    for suite, benchmarks in results.seconds.items():
        for name in benchmarks if suite != "pyperformance" else ():
            found = [results.ratios(suite, other).get(name) for other in results.others]
            slower = any(ratio and ratio.least < 1 for ratio in found)
            if any(fnmatch.fnmatch(f"{suite}/{name}", p) for p in patterns) if patterns else slower:
                yield suite, name


def count(
    bench: Bench, interpreters: list[Interpreter], patterns: list[str] | None, results: Results
) -> Iterator[None]:
    """Count measured benchmarks, and yield after each: a command as a whole, a statement without its preparation."""
    chosen = list(countable(results, patterns))
    empty: dict[tuple[str, str], int] = {}
    for number, (suite, name) in enumerate(chosen, 1):
        say(f"[{number}/{len(chosen)}] {suite}/{name}")
        counted = results.instructions.setdefault(suite, {}).setdefault(name, {})
        loops = max(1, round(SECONDS / min(results.seconds[suite][name][OURS])))
        for one in interpreters:
            if suite == "start":
                counted[one.name] = instructions([str(one.python), *bench.start[name]])
                continue
            command, group = timed_command(one.python), bench.micro[suite]
            if (suite, one.name) not in empty:
                empty[suite, one.name] = instructions(command, timed_input(group, loops={}))
            total = instructions(command, timed_input(group, loops={name: loops}))
            counted[one.name] = (total - empty[suite, one.name]) // loops
        yield
