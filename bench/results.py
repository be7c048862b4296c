"""The results: measured alternately and kept as JSON, and their ratios."""

from __future__ import annotations

import json
import math
import os
import platform
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.baselines import BenchError, say
from bench.suites import Interpreter, Job
from staticpython.errors import UsageError

OURS = "ours"


@dataclass
class Results:
    """Everything measured; one file of `docs/bench`."""

    machine: str = ""
    interpreters: dict[str, str] = field(default_factory=dict)  # name -> its own description
    rounds: dict[str, int] = field(default_factory=dict)  # suite/job -> rounds done
    failures: dict[str, dict[str, str]] = field(default_factory=dict)  # suite/job -> interpreter -> reason
    # suite -> benchmark -> interpreter -> seconds in each round
    seconds: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    # suite -> benchmark -> interpreter -> instructions
    instructions: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the file; an interruption leaves the old one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        text = json.dumps(asdict(self), indent=1)
        text = re.sub(r"\[\s+([^\[\]]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)  # one line per list
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.rename(path)

    @property
    def others(self) -> list[str]:
        """The names of the interpreters that ours is compared with."""
        return [name for name in self.interpreters if name != OURS]

    def ratios(self, suite: str, other: str) -> dict[str, Ratio]:
        """Return a suite's benchmarks that both have run."""
        both = {
            name: (by[OURS], by[other])
            for name, by in self.seconds.get(suite, {}).items()
            if OURS in by and other in by
        }
        return {name: Ratio.of(ours, others) for name, (ours, others) in both.items()}


def load_results(path: Path) -> Results:
    """Read a file of results; without a file there are none."""
    if not path.exists():
        return Results()
    try:
        return Results(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: no results of this program ({error}); remove it") from None


@dataclass(frozen=True)
class Ratio:
    """Another's time divided by ours: above 1 if ours is faster."""

    rounds: tuple[float, ...]  # of each round: measured one right after the other
    least: float  # of all rounds' least times: other work of the machine can only add to a time
    seconds: float  # our least

    @classmethod
    def of(cls, ours: list[float], other: list[float]) -> Ratio:
        """Compare the times of the rounds that both have."""
        both = min(len(ours), len(other))
        ours, other = ours[:both], other[:both]
        return cls(tuple(b / a for a, b in zip(ours, other, strict=True)), min(other) / min(ours), min(ours))


def geomean(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def geomean_of(ratios: Iterable[Ratio]) -> Ratio:
    """Return benchmarks' geometric means: of their lowest and highest rounds, and of their least times."""
    values = [(min(ratio.rounds), max(ratio.rounds), ratio.least) for ratio in ratios]
    lowest, highest, least = (geomean(column) for column in zip(*values, strict=True))
    return Ratio((lowest, highest), least, 0.0)


def describe_machine() -> str:
    """Return the processor and the number of its cores."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return f"{platform.machine()}, {os.cpu_count()} cores, {names[0] if names else 'unknown processor'}"


def measure(jobs: list[Job], interpreters: list[Interpreter], rounds: int, results: Results, path: Path) -> None:
    """Run all jobs, round by round, each with one interpreter right after the other. Continue where a call stopped."""
    forget_what_ours_failed(results, jobs)
    for number in range(rounds):
        for done, job in enumerate(jobs, 1):
            failed = results.failures.get(job.key, {})
            able = [one for one in interpreters if one.name not in failed]
            if results.rounds.get(job.key, 0) > number or OURS in failed or len(able) < 2:
                continue
            say(f"[round {number + 1} of {rounds}: {done}/{len(jobs)}] {job.key}")
            add_round(results, job, able)
            results.rounds[job.key] = number + 1
            results.save(path)


def forget_what_ours_failed(results: Results, jobs: list[Job]) -> None:
    """Forget these jobs' failures, so that they are tried again."""
    for job in jobs:
        if OURS in results.failures.get(job.key, {}):
            del results.failures[job.key]
            results.rounds.pop(job.key, None)


def add_round(results: Results, job: Job, interpreters: list[Interpreter]) -> None:
    """Run a job once with each interpreter, and keep the times, or the reason why there are none."""
    times, failed = {}, {}
    for one in interpreters:
        try:
            times[one.name] = job.run(one)
        except BenchError as error:
            say(f"    {one.name}: {error}")
            failed[one.name] = str(error).splitlines()[0]
    if failed:
        results.failures.setdefault(job.key, {}).update(failed)
    for interpreter in times if OURS in times else ():
        for name, seconds in times[interpreter].items():
            by = results.seconds.setdefault(job.suite, {}).setdefault(name, {})
            by.setdefault(interpreter, []).append(float(f"{seconds:.5g}"))
