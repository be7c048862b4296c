"""Virtual environments that are made through links to the interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

SHOW = "import json, os, sys; print(os.__file__, sys.prefix, sys.base_prefix, os.path.realpath(sys._base_executable))"

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.any_cpu("Python code and links")]


def library_of(tree: Path) -> str:
    """The name of the library's folder: that of the series."""
    return next((tree / "lib").glob("python3.*")).name


def link_beside(tree: Path, folder: Path) -> Path:
    """A link with another name than Python's."""
    (folder / "l3").symlink_to(tree / "bin/python3")
    return folder / "l3"


def link_in_home(tree: Path, folder: Path) -> Path:
    """As ~/.local/bin/python3, beside a lib folder without a standard library."""
    (folder / "home/.local/bin").mkdir(parents=True)
    (folder / "home/.local/lib" / library_of(tree) / "site-packages").mkdir(parents=True)
    (folder / "home/.local/bin/python3").symlink_to(tree / "bin/python3")
    return folder / "home/.local/bin/python3"


def chain_of_links(tree: Path, folder: Path) -> Path:
    for name in ("one", "two", "three"):
        (folder / name).mkdir()
    (folder / "one/python3.x").symlink_to(os.path.relpath(tree / "bin/python3", (folder / "one").resolve()))
    (folder / "two/python").symlink_to("../one/python3.x")
    (folder / "three/py").symlink_to(folder / "two/python")
    return folder / "three/py"


def relative_link_in_linked_folder(tree: Path, folder: Path) -> Path:
    """Its `..` counts from the folder's real place."""
    real = folder / "a/b/c/d"
    real.mkdir(parents=True)
    (real / "python3").symlink_to(os.path.relpath(tree / "bin/python3", real.resolve()))
    (folder / "short").symlink_to(real)
    return folder / "short/python3"


def link_below_another_library(tree: Path, folder: Path) -> Path:
    """As /usr/local/bin/python3 on a distribution with its own library."""
    other = folder / "usr/lib" / library_of(tree)
    other.mkdir(parents=True)
    (other / "os.py").write_text("raise SystemExit('the wrong library')\n")
    (folder / "usr/local/bin").mkdir(parents=True)
    (folder / "usr/local/bin/python3").symlink_to(tree / "bin/python3")
    return folder / "usr/local/bin/python3"


FORMS = [link_beside, link_in_home, chain_of_links, relative_link_in_linked_folder, link_below_another_library]


def check(target: BuiltTarget, environment: Path, folder: Path) -> None:
    """Does the environment's Python, by its path and by a relative path, use the tree's library?"""
    python = environment / "bin/python"
    for command in (str(python), os.path.relpath(python, folder)):
        shown = subprocess.run(
            [command, "-c", SHOW], capture_output=True, text=True, env=clean_environment(), cwd=folder
        )
        assert shown.returncode == 0, shown.stderr
        library, prefix, base, executable = shown.stdout.split()
        assert Path(library).samefile(target.stdlib / "os.py")
        assert Path(prefix) == environment
        assert Path(base).samefile(target.tree)
        assert Path(executable).samefile(target.binary)


@pytest.mark.parametrize("copies", [False, True], ids=["links", "copies"])
@pytest.mark.parametrize("form", FORMS)
def test_environment_made_through_a_link(target: BuiltTarget, tmp_path: Path, form: object, copies: bool) -> None:
    assert callable(form)
    link = form(target.tree, tmp_path)
    option = ["--copies"] if copies else []
    target.run("-m", "venv", "--without-pip", *option, tmp_path / "env", python=link, cwd=tmp_path)
    check(target, tmp_path / "env", tmp_path)
    # An environment that is made from within the first one.
    inner = tmp_path / "inner"
    target.run("-m", "venv", "--without-pip", *option, inner, python=tmp_path / "env/bin/python", cwd=tmp_path)
    check(target, inner, tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_the_link_itself_starts(target: BuiltTarget, tmp_path: Path, form: object) -> None:
    assert callable(form)
    link = form(target.tree, tmp_path)
    library, prefix, *_ = target.run("-c", SHOW, python=link, cwd=tmp_path).split()
    assert Path(library).samefile(target.stdlib / "os.py")
    assert Path(prefix).samefile(target.tree)


def test_a_folder_that_is_a_link_keeps_its_name(target: BuiltTarget, tmp_path: Path) -> None:
    """A link `current` to a release: an environment that was made through it follows it to the next release."""
    shutil.copytree(target.tree, tmp_path / "first", symlinks=True)
    (tmp_path / "current").symlink_to("first")
    target.run("-m", "venv", "--without-pip", tmp_path / "env", python=tmp_path / "current/bin/python3")
    (tmp_path / "first").rename(tmp_path / "second")
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("second")
    shown = target.run("-c", "import sys; print(sys.base_prefix)", python=tmp_path / "env/bin/python")
    assert shown == str(tmp_path / "current")


@pytest.mark.parametrize("tool", ["virtualenv", "uv"])
def test_other_tools(target: BuiltTarget, tmp_path: Path, tool: str) -> None:
    """The lines that other tools write: uv no `executable`, virtualenv `base-executable`."""
    link = link_beside(target.tree, tmp_path)
    (tmp_path / "env/bin").mkdir(parents=True)
    if tool == "uv":
        (tmp_path / "env/bin/python").symlink_to(link)
        recorded = ""
    else:
        shutil.copy(target.binary, tmp_path / "env/bin/python")
        recorded = f"base-executable = {target.binary}\n"
    (tmp_path / "env/pyvenv.cfg").write_text(f"home = {tmp_path}\n{recorded}version_info = {target.plan.series}\n")
    check(target, tmp_path / "env", tmp_path)
