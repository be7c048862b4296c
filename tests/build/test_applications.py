"""Applications from PyPI in one file each (tests/build/bundles.yml), run in an empty root.

`pytest tests/build/test_applications.py --applications` tests all of them, which takes a quarter of an hour of CPU.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from staticpython.bundles import BUNDLES, Application, Bundles
from staticpython.schema import load
from tests.build.conftest import BuiltTarget, network_environment
from tests.build.test_bundle import enter_empty_root

APPLICATIONS = load(BUNDLES, Bundles).applications

# Start of each program that a bundle runs as a Python: how to start its application, and a port to listen at.
BEFORE = """\
import socket, sys
app = [sys.executable, sys.executable]
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all of these tests; the second bundle of an application is made without it."""
    return tmp_path_factory.mktemp("cache")


def made(target: BuiltTarget, application: Application, folder: Path, output: Path, cache: Path | str) -> bytes:
    """Bundle it in a folder of its own; return the program's bytes."""
    folder.mkdir()
    if application.prepare:
        target.run("-c", application.prepare, cwd=folder)
    words = ["-m", "_staticpython", "bundle", *application.bundle, "-o", str(output), "--cache", str(cache)]
    target.run(*words, cwd=folder, env=network_environment())
    return output.read_bytes()


def beside_the_system(target: BuiltTarget, folder: Path, program: Path) -> Callable[..., tuple[int, str, str]]:
    """As enter_empty_root, but in a folder of the machine's own file system."""
    folder.mkdir()

    def run(_: str, *words: str, text: str = "", timeout: float = 120, **variables: str) -> tuple[int, str, str]:
        env = {"PATH": os.defpath, "HOME": str(folder)} | variables
        command = [*target.emulator, str(program), *words]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout, env=env, cwd=folder)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("name", APPLICATIONS)
@pytest.mark.usefixtures("programs")
def test_application(
    target: BuiltTarget, tmp_path: Path, cache: Path, request: pytest.FixtureRequest, name: str
) -> None:
    """It does the same as where it is installed, and a second bundle of it has the same bytes."""
    application = APPLICATIONS[name]
    all_of_it = request.config.getoption("--applications")
    if not application.always and not all_of_it:
        pytest.skip("run by --applications only")
    if application.wheels and target.arch not in {"x86_64", "aarch64"}:
        pytest.skip("PyPI has no musllinux wheels of what it needs for this CPU")
    if target.emulator and not application.wheels and not request.config.getoption("--all"):
        pytest.skip("Python code, the same on all CPUs (--all runs it)")
    root = tmp_path / "root"
    for place in ("", *application.writable):
        (root / place).mkdir(parents=True)
    first = made(target, application, tmp_path / "first", root / "app", cache)
    if all_of_it:
        assert made(target, application, tmp_path / "second", tmp_path / "again", "") == first
    if application.system:
        inside = beside_the_system(target, tmp_path / "work", root / "app")
    else:
        inside = enter_empty_root(target, root, application.writable)
    for number, step in enumerate(application.steps, 1):
        words, variables = step.words, step.env
        if step.python:
            words, variables = ["-c", BEFORE + step.python], step.env | {"STATICPYTHON": "python"}
        code, output, errors = inside("/app", *words, text=step.text, timeout=600, **variables)
        said = f"{application.difficulty}: step {number}: code {code}\n{output}\n{errors}"
        assert code == step.code, said
        assert re.search(step.output, output + errors, re.MULTILINE), said
    if not application.system:
        # The folders that it may write to are gone with its mounts.
        assert {path.name for path in root.rglob("*") if not path.is_dir()} <= {"app", "emulator"}
