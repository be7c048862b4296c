"""What make rebuilds after a change of a file: make itself is asked, and builds nothing here."""

from __future__ import annotations

import dataclasses
import functools
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from staticpython import plan as plan_module
from staticpython.config import ROOT, Facts, Licence, Package, Part, Release, patches
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan
from staticpython.render import render, write
from staticpython.schema import is_derived

FACTS = load_facts()
DEFAULT = FACTS.default_series
SOURCE, PACKAGE = "build/recipes/", "build/x86_64/recipes/"
PLAN, RUNTIME = "build/x86_64/plan.json", "build/x86_64/facts.py"


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


def write_makefile(folder: Path, project: Path, arch: str) -> None:
    """Complete the copy of the project, and write the Makefile and its recipes."""
    shutil.copytree(ROOT / "staticpython", project / "staticpython", ignore=shutil.ignore_patterns("__pycache__"))
    write(render(make_plan(load_facts(), Options(arches=(arch,))), folder, [f"--arch={arch}"]), folder)


def rebuilt(folder: Path, project: Path, arch: str, changed: str) -> set[str]:
    """Return the names of the stamps and programs that make would rebuild after a change."""
    write_makefile(folder, project, arch)
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
    expected = {"cpython.stamp", "modules", "cpython", "tree"} | build_python
    assert rebuilt(tmp_path_factory.mktemp("out"), project, arch, changed) == expected


@pytest.mark.parametrize(
    "file", ["patches/zlib/*.patch", "configs/packages/gdbm.yml", "configs/riscv64.yml", "setup_local/*.yml"]
)
def test_a_removed_file_makes_a_new_makefile(tmp_path: Path, project: Path, file: str) -> None:
    write_makefile(tmp_path, project, "x86_64")
    made = tmp_path / "build/generated.mk"
    command = ["make", "-C", str(tmp_path), "-n", "--trace", f"PROJECT={project}", "PYTHON=true", "help"]
    made.touch()
    assert "generated.mk" not in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    time.sleep(0.05)  # longer than a tick of the file system's clock
    next(project.glob(file)).unlink()
    assert "update target 'build/generated.mk'" in subprocess.run(command, capture_output=True, text=True).stdout


def test_the_list_of_modules_is_compared_before_anything_is_compiled(tmp_path: Path, project: Path) -> None:
    write_makefile(tmp_path, project, "x86_64")
    done = re.findall(r"update target '([^']+)'", make(tmp_path, project, "x86_64", "-n", "--trace"))
    places = [Path(name).name for name in done if name.startswith("build/x86_64/stamps/")]
    assert places[:2] == ["modules", "toolchain"]


def licence(**changes: Any) -> Licence:
    return dataclasses.replace(FACTS.packages["xz"].licence, **changes)


def releases(**changes: Any) -> list[Release]:
    first, *others = FACTS.packages["xz"].releases
    return [dataclasses.replace(first, **changes), *others]


# A key -> a package, another value, and the files that differ then: a recipe, on which its rule depends, or the tree's.
CHANGES: dict[str, tuple[str, Any, set[str]]] = {
    "licence.spdx": ("xz", licence(spdx="MIT"), {PLAN}),
    "licence.files": ("xz", licence(files=["COPYING"]), {SOURCE + "xz", PLAN}),
    "licence.texts": ("xz", licence(texts=["LICENSE"]), {PLAN}),
    "releases.version": ("xz", releases(version="0.1"), {SOURCE + "xz", PLAN}),
    "releases.file": ("xz", releases(file="xz"), {SOURCE + "xz"}),
    "releases.sha256": ("xz", releases(sha256="0" * 64), {SOURCE + "xz"}),
    "releases.inner": ("xz", releases(inner="src"), {SOURCE + "xz"}),
    "kind": ("bzip2", "configure", {SOURCE + "bzip2", PACKAGE + "bzip2", PLAN}),
    "upstream_name": ("xz", "XZ", {PLAN}),
    "cpe": ("xz", "a:b", {PLAN}),
    "build_only": ("xz", True, {PLAN}),
    "parts": ("xz", {"lz": Part("MIT")}, {PLAN}),
    "source_of": ("compiler-rt", "musl", {SOURCE + "compiler-rt", PACKAGE + "compiler-rt", PLAN}),
    "subset": ("mimalloc", ["Objects/mimalloc"], {SOURCE + "mimalloc"}),
    "trees": ("xz", {"zstd": "zstd"}, {SOURCE + "xz", PACKAGE + "xz"}),
    "needs": ("xz", ["zlib"], {PACKAGE + "xz"}),
    "in_tree": ("xz", True, {PACKAGE + "xz"}),
    "overlay": ("xz", {"LICENSE": "here"}, {SOURCE + "xz"}),
    "autoreconf": ("xz", True, {SOURCE + "xz"}),
    "configure_script": ("xz", "Configure", {SOURCE + "xz", PACKAGE + "xz"}),
    "host_style": ("xz", "none", {PACKAGE + "xz"}),
    "configure": ("xz", ["--a"], {PACKAGE + "xz", PLAN}),
    "configure_env": ("xz", {"A": "b"}, {PACKAGE + "xz"}),
    "cflags": ("xz", ["-O1"], {PACKAGE + "xz", PLAN}),
    "trained": ("ncurses", True, {PACKAGE + "ncurses", PACKAGE + "cpython", PLAN}),
    "link": ("cpython", ["-s"], {PACKAGE + "cpython"}),
    "exported": ("xz", True, {PACKAGE + "cpython"}),
    "make": ("xz", ["all"], {PACKAGE + "xz"}),
    "install": ("xz", ["install-lib"], {PACKAGE + "xz"}),
    "install_files": ("xz", {"a": "lib/a"}, {PACKAGE + "xz", PLAN}),
    "installs": ("xz", ["lib/b"], {PACKAGE + "xz", PLAN}),
    "runtime_fact": ("xz", "XZ_VERSION", {RUNTIME}),
    "runtime_data": ("tzdata", {"a": "b"}, {PLAN}),
    "libraries": ("tzdata", ["a.so"], {PLAN}),
}
REASONS = {
    "summary": "is only shown",
    "homepage": "is only read by `make sbom`, which always runs",
    "default_series": "chooses a series, which is in every recipe of the interpreter",
    "replaced_by": "chooses a package, as `needs` does",
    "only_for_speed": "chooses from `overlay` with --no-speedups",
    "releases.size": "is checked beside the hash",
    "releases.urls": "is a place of the same bytes",
    "releases.debian": "is a place of the same bytes",
    "releases.pypi": "is a place of the same bytes",
    "releases.host": "chooses a release, which is in the recipe",
}


def keys(schema: Any, prefix: str = "") -> set[str]:
    return {prefix + field.name for field in dataclasses.fields(schema) if not is_derived(field)}


def test_each_key_of_a_package_is_known_here() -> None:
    """A new key: either add to CHANGES what says that it has changed, or to REASONS why nothing is built anew."""
    every = keys(Package) - {"licence", "releases"} | keys(Licence, "licence.") | keys(Release, "releases.")
    assert every == {*CHANGES, *REASONS}


def files(facts: Facts) -> dict[Path, str]:
    return render(make_plan(facts, Options(arches=("x86_64",))), ROOT, [])


@functools.cache
def files_before() -> dict[Path, str]:
    return files(FACTS)


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_key_is_built(key: str) -> None:
    name, value, expected = CHANGES[key]
    package = dataclasses.replace(FACTS.packages[name], **{key.partition(".")[0]: value})
    before, after = files_before(), files(dataclasses.replace(FACTS, packages=FACTS.packages | {name: package}))
    assert {str(path) for path in after if after[path] != before.get(path)} - {"Makefile"} == expected
    (tree,) = re.findall(r"^build/x86_64/stamps/tree: .*", after[Path("Makefile")], re.MULTILINE)
    assert {PLAN, RUNTIME} <= {*tree.split()}


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
