"""python3-config, found and called as by users."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.build.conftest import clean_environment


def link(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


def relative(path: Path, target: Path) -> Path:
    return link(path, Path("..") / target.relative_to(path.parent.parent))


WAYS: dict[str, Callable[[Path, Path], Path]] = {
    "a link in another folder": link,
    "a link to a link": lambda path, script: link(path, link(path.with_name("first"), script)),
    "a relative link": relative,
}


@pytest.mark.parametrize("way", WAYS)
def test_python_config_finds_its_tree(moved: Path, tmp_path: Path, way: str) -> None:
    """The path of the moved tree has a space."""
    folder = tmp_path / "links"
    folder.mkdir()
    command = WAYS[way](folder / "linked-config", moved / "bin/python3-config")
    run = subprocess.run([command, "--prefix"], capture_output=True, text=True, env=clean_environment())
    assert (run.returncode, run.stdout.strip()) == (0, str(moved)), run.stderr
    run = subprocess.run([command, "--includes"], capture_output=True, text=True, env=clean_environment())
    assert f"{moved}/include" in run.stdout
