"""Unmodified musllinux wheels from PyPI, installed with the built pip into one venv, and used."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from staticpython.schema import load
from staticpython.wheel_table import WHEELS, Wheels
from tests.build.conftest import BuiltTarget, clean_environment, network_environment

FACTS = load(WHEELS, Wheels)
LACKING = {
    (arch, project): entry.reason for entry in FACTS.lacking for arch in entry.arches for project in entry.projects
}
PIP = ["-m", "pip", "-q", "--disable-pip-version-check"]
# Options that make another machine's pip choose this interpreter's wheels.
OPTIONS = """
import pathlib, sys
from _staticpython.inputs import Target
print(*Target(pathlib.Path(sys.base_prefix)).pip_options(), sep="\\n")
"""


def emulated_install(target: BuiltTarget, folder: Path, projects: list[str]) -> None:
    """Install with this machine's pip what the target's would: under an emulator that takes minutes.

    test_artifact checks that the target's pip accepts only musllinux wheels.
    """
    options = target.run("-c", OPTIONS).splitlines()
    command = [sys.executable, *PIP, "install", *options, "--target", str(folder), *projects]
    done = subprocess.run(command, capture_output=True, text=True, env=network_environment())
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def venv(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with all of the wheels; binary only, so that a refused wheel is an error."""
    if not target.starts_programs:
        pytest.skip("venv and pip start programs: needs `make test` and binfmt_misc in a user namespace")
    folder = tmp_path_factory.mktemp("wheels") / "venv"
    projects = [p for p in FACTS.use if (target.arch, p) not in LACKING]
    if target.emulator:
        target.run("-m", "venv", "--without-pip", folder)
        emulated_install(target, folder / f"lib/python{target.plan.series}/site-packages", projects)
    else:
        target.run("-m", "venv", folder)
        install = [*PIP, "install", "--only-binary", ":all:", *projects]
        target.run(*install, python=folder / "bin/python3", env=network_environment())
    return folder


@pytest.mark.parametrize("project", FACTS.use)
def test_wheel_is_used(target: BuiltTarget, venv: Path, project: str) -> None:
    if reason := LACKING.get((target.arch, project)):
        pytest.skip(reason)
    program = f"{FACTS.use[project]}\nprint('well')"
    env = clean_environment(HOME=str(venv.parent))
    assert target.run("-c", program, python=venv / "bin/python3", env=env) == "well"


def test_lacking_wheels_are_still_lacking(target: BuiltTarget, tmp_path: Path) -> None:
    projects = [p for p in FACTS.use if (target.arch, p) in LACKING]
    if not projects:
        pytest.skip("PyPI has every wheel for this arch")
    there = []
    for project in projects:
        download = [*PIP, "download", "--only-binary", ":all:", "-d", str(tmp_path), project]
        command = [*target.emulator, str(target.binary), *download]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=network_environment())
        if done.returncode == 0:
            there.append(project)
        else:
            # ResolutionImpossible: a dependency has no wheel.
            assert re.search("No matching distribution|ResolutionImpossible", done.stderr), done.stderr
    assert there == []
