"""What a package's rule does with folders: staticpython/folders.sh."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from staticpython.config import ROOT


def folders(cwd: Path, *arguments: str) -> str:
    """Run it, with paths that are relative, as in the Makefile; return what it says."""
    command = ["sh", str(ROOT / "staticpython/folders.sh"), *arguments]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert bool(run.returncode) == bool(run.stderr)
    return run.stderr


def installed_in(sysroot: Path) -> set[str]:
    return {str(p.relative_to(sysroot)) for p in sysroot.rglob("*") if not p.is_dir()}


def test_what_is_installed_no_more_leaves_the_sysroot(tmp_path: Path) -> None:
    builds = {"a": ["lib/liba.a", "include/a.h", "include/a b.h"]}, {"b": ["include/b.h"]}, {"a": ["lib/liba.a"]}
    for build in builds:
        for name, files in build.items():
            folders(tmp_path, "remove", f"installed/{name}", "sysroot")
            for file in files:
                path = tmp_path / f"installed/{name}/usr/{file}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(file)
            assert folders(tmp_path, "add", name, f"installed/{name}", "sysroot", *files) == ""
    assert installed_in(tmp_path / "sysroot") == {"usr/lib/liba.a", "usr/include/b.h"}


def test_an_interrupted_installation_leaves_nothing(tmp_path: Path) -> None:
    """Killed while files are removed or copied, the package's own folder still has all of them."""
    for path in ("installed/a/usr/x", "installed/a/usr/y", "sysroot/usr/y"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "installed/a/usr/link").symlink_to("nowhere")
    (tmp_path / "sysroot/usr/link").symlink_to("nowhere")
    folders(tmp_path, "remove", "installed/a", "sysroot")
    assert installed_in(tmp_path / "sysroot") == installed_in(tmp_path / "installed") == set()


def test_files_of_the_facts_that_the_build_does_not_make(tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    (tmp_path / "built/empty").touch()
    said = folders(tmp_path, "put", "zlib", "built/bz.h", "installed/zlib/usr/include/bz.h")
    assert said == "configs/packages/zlib.yml: install_files: bz.h: the build made no built/bz.h\n"
    assert folders(tmp_path, "put", "zlib", "built/empty", "installed/zlib/usr/lib/empty") == ""
    said = folders(tmp_path, "add", "zlib", "installed/zlib", "sysroot", "lib/empty")
    assert said == "configs/packages/zlib.yml: installs: lib/empty: not installed as usr/lib/empty\n"
    assert not (tmp_path / "sysroot").exists()


@pytest.mark.parametrize("copy", [[], ["copy"]])
def test_a_build_begins_in_a_new_folder(tmp_path: Path, copy: list[str]) -> None:
    said = folders(tmp_path, "begin", "sources/zlib", "zlib", *copy)
    assert said.startswith("sources/zlib: no such folder, though it was unpacked: rm sources/zlib.stamp, and run make")
    (tmp_path / "sources/zlib").mkdir(parents=True)
    (tmp_path / "sources/zlib/a.c").touch()
    for _ in range(2):
        folders(tmp_path, "begin", "sources/zlib", "zlib", *copy)
        assert [p.name for p in (tmp_path / "zlib").iterdir()] == (["a.c"] if copy else [])
        (tmp_path / "zlib/half").touch()
