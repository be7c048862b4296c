"""Extension modules compiled on the user's machine against a tree that was moved, with Zig from PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from staticpython.config import ROOT
from staticpython.load import load_facts
from tests.build.conftest import BuiltTarget, clean_environment, network_environment

PROJECTS = ROOT / "tests/build/extensions"
# The version that builds targets: other tests also use what it compiles at its first use.
ZIG = load_facts().packages["ziglang"].releases[0].version
PROGRAMS = {
    "cython_demo": "import cython_demo; assert cython_demo.norm([3, 4]) == 5",
    "pybind_demo": """
import pybind_demo
assert pybind_demo.total([1, 2]) == 3
try: pybind_demo.total([])
except ValueError as error: assert str(error) == "no values"
else: raise AssertionError
""",
    "meson_demo": "import meson_demo; assert meson_demo.answer() == 42",
}
MARKS = {"pybind_demo": pytest.mark.long("Zig compiles its C++ library; the compiler's command is cython_demo's")}


@pytest.fixture(scope="session")
def python(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a venv that a moved tree made and that has Zig."""
    if target.emulator:
        pytest.skip("a compiler under an emulator takes too long")
    folder = tmp_path_factory.mktemp("extensions")
    shutil.copytree(target.tree, folder / "tree", symlinks=True)
    target.run("-m", "venv", folder / "venv", python=folder / "tree/bin/python3")
    install(target, folder / "venv/bin/python3", f"ziglang=={ZIG}")
    return folder / "venv/bin/python3"


def install(target: BuiltTarget, python: Path, *words: str | Path, **env: str) -> None:
    options = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-cache-dir"]
    # Zig compiles its C and C++ libraries at the first use: minutes, once for all tests.
    cache = {k: v for k, v in os.environ.items() if k.startswith("ZIG_")}
    target.run(*options, *words, python=python, env=network_environment() | cache | env)


def test_markupsafe_from_source(target: BuiltTarget, python: Path) -> None:
    install(target, python, "--no-binary", ":all:", "markupsafe")
    program = "import markupsafe._speedups as s; print(s.__file__, s._escape_inner('<'))"
    assert target.run("-c", program, python=python).endswith(f"-{target.triple}.so &lt;")


@pytest.mark.parametrize("project", [pytest.param(name, marks=MARKS.get(name, ())) for name in PROGRAMS])
def test_project_builds_and_loads(target: BuiltTarget, python: Path, tmp_path: Path, project: str) -> None:
    if project == "meson_demo" and not shutil.which("ninja"):
        pytest.skip("needs ninja on this machine: PyPI's for musl is a program that wants musl's loader")
    copy = Path(shutil.copytree(PROJECTS / project, tmp_path / project))
    # meson uses the first compiler that it finds; setuptools uses sysconfig's.
    compiler = {"CC": target.run("-m", "_staticpython", "cc", python=python)} if project == "meson_demo" else {}
    install(target, python, copy, **compiler)
    target.run("-c", PROGRAMS[project], python=python)


@pytest.mark.usefixtures("programs")
def test_without_a_compiler_the_error_says_what_to_install(target: BuiltTarget, tmp_path: Path) -> None:
    (tmp_path / "x.c").touch()
    command = [str(target.tree / f"bin/{target.triple}-cc"), "-c", "x.c"]
    env = clean_environment(PATH="/usr/bin:/bin", HOME=str(tmp_path))
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert run.returncode != 0
    assert "pip install ziglang" in run.stderr
