"""What differs from CPython on glibc is listed (differences.yml), and what is listed differs; probe.py asks.

CPython on glibc is Debian's, which bench/baselines.py unpacks. docs/differences.md explains the list to users.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from bench.baselines import BenchError, debian
from bench.facts import load_bench
from staticpython.config import ROOT
from staticpython.errors import StaticPythonError
from tests.build.conftest import BuiltTarget

PROBE, ALLOWED = (Path(__file__).with_name(name) for name in ("probe.py", "differences.yml"))


@dataclass
class Allowed:
    """Differences that stay, and why."""

    reason: str
    patterns: list[str]
    while_releases_differ: bool = field(default=False)


def allowed() -> list[Allowed]:
    return [Allowed(**entry) for entry in yaml.safe_load(ALLOWED.read_text())]


def answers(python: Path) -> dict[str, str]:
    """Ask in an environment that is the same for both, and says nothing about this machine."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "TZ": "UTC0"}
    command = [str(python), "-B", str(PROBE)]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=environment, cwd="/", stdin=subprocess.DEVNULL
    )
    assert run.returncode == 0, f"{command}\n{run.stderr}"
    found: dict[str, str] = json.loads(run.stdout)
    return found


@pytest.fixture(scope="module")
def differences(target: BuiltTarget) -> dict[str, tuple[str | None, str | None]]:
    """Questions with other answers: glibc's, ours."""
    if target.emulator or target.arch != platform.machine():
        pytest.skip("CPython on glibc is run for this machine only, and compared with a native target")
    facts = load_bench().baselines
    if target.plan["series"] not in facts.debian.python:
        pytest.skip(f"Debian {facts.debian.suite} has no CPython {target.plan['series']}")
    try:
        theirs = answers(debian(facts, target.arch, ROOT / "build/bench"))
    except (BenchError, StaticPythonError) as error:
        pytest.skip(f"Debian's packages cannot be had: {error}")
    ours = answers(target.binary)
    assert len(ours) > 5000 and len(theirs) > 5000
    return {q: (theirs.get(q), ours.get(q)) for q in sorted({*ours, *theirs}) if theirs.get(q) != ours.get(q)}


def test_each_difference_is_listed(differences: dict[str, tuple[str | None, str | None]]) -> None:
    patterns = [pattern for entry in allowed() for pattern in entry.patterns]
    unlisted = {q: a for q, a in differences.items() if not any(fnmatchcase(q, p) for p in patterns)}
    text = "\n".join(f"{q}: glibc {theirs}, ours {ours}" for q, (theirs, ours) in unlisted.items())
    assert not unlisted, f"mend these, or list them in {ALLOWED.name} with the reason:\n{text}"


def test_what_is_listed_differs(differences: dict[str, tuple[str | None, str | None]]) -> None:
    gone = [
        pattern
        for entry in allowed()
        for pattern in entry.patterns
        if not (entry.while_releases_differ or any(fnmatchcase(q, pattern) for q in differences))
    ]
    assert not gone, f"these differ no longer; take them out of {ALLOWED.name}: {gone}"


def test_each_reason_is_a_sentence() -> None:
    for entry in allowed():
        assert entry.patterns and entry.reason[0].isalnum() and entry.reason.endswith("."), entry
