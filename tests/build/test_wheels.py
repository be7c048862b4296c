"""Unmodified musllinux wheels from PyPI, installed with the built pip into one venv, and used."""

from __future__ import annotations

from pathlib import Path

import pytest

from staticpython.schema import load
from staticpython.wheel_table import WHEELS, Wheels
from tests.build.conftest import BuiltTarget, clean_environment, network_environment

PROGRAMS = load(WHEELS, Wheels).use


@pytest.fixture(scope="session")
def venv(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with all of the wheels; binary only, so that a wheel that pip does not take is an error."""
    folder = tmp_path_factory.mktemp("wheels") / "venv"
    target.run("-m", "venv", folder)
    install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", *PROGRAMS]
    target.run(*install, python=folder / "bin/python3", env=network_environment())
    return folder


@pytest.mark.parametrize("project", PROGRAMS)
def test_wheel_is_used(target: BuiltTarget, venv: Path, project: str) -> None:
    program = f"{PROGRAMS[project]}\nprint('well')"
    env = clean_environment(HOME=str(venv.parent))
    assert target.run("-c", program, python=venv / "bin/python3", env=env) == "well"
