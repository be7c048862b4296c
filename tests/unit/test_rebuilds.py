"""What make rebuilds after a change of a file: make itself is asked, and builds nothing here."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from staticpython import plan as plan_module
from staticpython.config import ROOT, load_facts, patches
from staticpython.plan import Options, make_plan
from staticpython.render import render, write

DEFAULT = load_facts().default_series


@pytest.fixture(autouse=True)
def x86_64_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "host_machine", lambda: "x86_64")


def make(folder: Path, project: Path, arch: str, *options: str) -> str:
    """Run make without the steps, because -n and -t still run steps that call make again."""
    silent = [f"PROJECT={project}", "STEP=:", "TOOL=:", "PYTHON=true"]
    command = ["make", "-C", str(folder), *options, *silent, f"build/{arch}/stamps/tree"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return str(run.stdout)


def rebuilt(folder: Path, project: Path, arch: str, changed: str) -> set[str]:
    """Return the names of the stamps and programs that make would rebuild after a change."""
    shutil.copytree(ROOT / "staticpython", project / "staticpython", ignore=shutil.ignore_patterns("__pycache__"))
    files = render(make_plan(load_facts(), Options(arches=(arch,))), folder, [f"--arch={arch}"])
    write(files, folder)
    (folder / "build/build-python/bin").mkdir(parents=True)
    for name in ("fetched", "sources", "profiles", f"{arch}/stamps"):
        (folder / "build" / name).mkdir(parents=True)
    make(folder, project, arch, "-t")
    assert "update target" not in make(folder, project, arch, "-n", "--trace"), "there is nothing to do before a change"
    time.sleep(0.05)  # longer than a tick of the file system's clock
    (project / changed).touch()
    text = make(folder, project, arch, "-n", "--trace")
    return {Path(name).name for name in re.findall(r"update target '([^']+)'", text)} - {"generated.mk"}


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "changed",
    [
        "patches/cpython/0001-modules-of-packagers.patch",
        f"runtime/library/modules-{DEFAULT}.txt",
        "runtime/library/code.c",
    ],
)
def test_what_is_patched_into_the_interpreter_rebuilds_the_interpreter_only(
    project: Path, tmp_path_factory: pytest.TempPathFactory, arch: str, changed: str
) -> None:
    build_python = {"python3"} if arch == "aarch64" else set()
    expected = {"cpython.stamp", "cpython", "tree"} | build_python
    assert rebuilt(tmp_path_factory.mktemp("out"), project, arch, changed) == expected


def test_malloc_rebuilds_the_c_library(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    changed = rebuilt(
        tmp_path_factory.mktemp("out"), project, "x86_64", "patches/mimalloc/0001-never-used-is-zero.patch"
    )
    assert {"mimalloc.stamp", "musl", "zlib", "cpython"} <= changed
    assert "cpython.stamp" not in changed


def test_malloc_is_of_one_release_whichever_python_is_built() -> None:
    """mimalloc has its own release: no patch or other release of the interpreter is a prerequisite of the C library."""
    package = load_facts().packages["mimalloc"]
    (release,) = package.releases
    assert package.source_of is None and release.sha256 and package.subset
    assert {p.parent.name for p in patches(package, release.version)} == {"mimalloc"}
