"""Each difference from CPython on glibc is in differences.yml, and each entry there differs; probe.py asks.

CPython on glibc is Debian's, which bench/baselines.py unpacks. docs/differences.md explains the list to users.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from tests.build.conftest import BuiltTarget

# The list is for a build with all modules.
pytestmark = pytest.mark.needs_modules("_codecs_jp", "_curses", "_interpreters", "_uuid", "readline")

PROBE, ALLOWED = (Path(__file__).with_name(name) for name in ("probe.py", "differences.yml"))


@dataclass
class Allowed:
    """Expected differences, with a reason."""

    reason: str
    patterns: list[str]
    while_releases_differ: bool = field(default=False)
    without_module: str = ""
    series: list[str] = field(default_factory=list)


def every_allowed() -> list[Allowed]:
    return [Allowed(**entry) for entry in yaml.safe_load(ALLOWED.read_text())]


@pytest.fixture(scope="module")
def allowed(target: BuiltTarget) -> list[Allowed]:
    """What is of this build."""
    series, modules = target.plan.series, target.plan.modules
    return [e for e in every_allowed() if e.without_module not in modules and series in (e.series or [series])]


def answers(python: Path) -> dict[str, str]:
    """Ask in an environment that is the same for both and independent of this machine."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "TZ": "UTC0"}
    command = [str(python), "-B", str(PROBE)]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=environment, cwd="/", stdin=subprocess.DEVNULL
    )
    assert run.returncode == 0, f"{command}\n{run.stderr}"
    found: dict[str, str] = json.loads(run.stdout)
    return found


@pytest.fixture(scope="module")
def both(target: BuiltTarget, cpython_on_glibc: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The answers of CPython on glibc, and ours."""
    theirs = answers(cpython_on_glibc)
    ours = answers(target.binary)
    assert len(ours) > 5000 and len(theirs) > 5000
    return theirs, ours


@pytest.fixture(scope="module")
def questions(both: tuple[dict[str, str], dict[str, str]]) -> set[str]:
    return both[0].keys() | both[1].keys()


@pytest.fixture(scope="module")
def differences(
    questions: set[str], both: tuple[dict[str, str], dict[str, str]]
) -> dict[str, tuple[str | None, str | None]]:
    """Questions with different answers: glibc's, ours."""
    theirs, ours = both
    return {q: (theirs.get(q), ours.get(q)) for q in sorted(questions) if theirs.get(q) != ours.get(q)}


def test_each_difference_is_listed(
    allowed: list[Allowed], differences: dict[str, tuple[str | None, str | None]]
) -> None:
    patterns = [pattern for entry in allowed for pattern in entry.patterns]
    unlisted = {q: a for q, a in differences.items() if not any(fnmatchcase(q, p) for p in patterns)}
    text = "\n".join(f"{q}: glibc {theirs}, ours {ours}" for q, (theirs, ours) in unlisted.items())
    assert not unlisted, f"mend these, or list them in {ALLOWED.name} with the reason:\n{text}"


def test_what_is_listed_differs(
    allowed: list[Allowed], questions: set[str], differences: dict[str, tuple[str | None, str | None]]
) -> None:
    """A pattern matches differences, and nothing else."""
    faults = []
    for entry in allowed:
        if entry.while_releases_differ:
            continue
        for pattern in entry.patterns:
            same = sorted(q for q in questions - differences.keys() if fnmatchcase(q, pattern))
            if same:
                faults.append(f"{pattern}: make it narrower, as these do not differ: {same[:5]}")
            elif not any(fnmatchcase(q, pattern) for q in differences):
                faults.append(f"{pattern}: nothing that it matches differs: take it out")
    assert not faults, "\n".join([ALLOWED.name, *faults])


def test_each_reason_is_a_sentence() -> None:
    for entry in every_allowed():
        assert entry.patterns and entry.reason[0].isalnum() and entry.reason.endswith("."), entry
