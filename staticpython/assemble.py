"""Turn what `make install` left into the finished tree: `python -m staticpython.assemble TARGET ...`.

Adds our runtime, data, pip, licences and the manifest; makes the tree relocatable and compiles it. The tree appears in
dist/ under its name only when it is complete.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from staticpython.config import ROOT
from staticpython.errors import StaticPythonError, run_main
from staticpython.fetched import read_record, sha256_of
from staticpython.target_plan import TargetPlan, read_plan

LIBRARIES = "lib/built-for-glibc"  # as runtime/musl/glibc/loader.h has it
PLACEHOLDER = "/python"  # the --prefix of configs/packages/cpython.yml


def stdlib_of(tree: Path, series: str) -> Path:
    """Return the folder of the standard library in a tree."""
    return tree / f"lib/python{series}"


def add_runtime(stage: Path, plan: TargetPlan, build: Path) -> None:
    """Copy runtime/python/_staticpython with the facts and data of this target."""
    package = stdlib_of(stage, plan.series) / "_staticpython"
    shutil.copytree(
        ROOT / "runtime/python/_staticpython", package, ignore=shutil.ignore_patterns("*.pyi", "__pycache__")
    )
    shutil.copyfile(build / plan.arch.name / "facts.py", package / "facts.py")
    for source in plan.packages:
        for item, place in source.runtime_data.items():
            _copy(build / "sources" / source.name / item, package / place)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    else:
        shutil.copyfile(source, target)


def add_pip(stage: Path, plan: TargetPlan) -> None:
    """Unpack the pip that CPython bundles; relocate.py writes its commands. A wheel is a zip archive (PEP 427)."""
    (wheel,) = (stdlib_of(stage, plan.series) / "ensurepip/_bundled").glob("pip-*.whl")
    site_packages = stdlib_of(stage, plan.series) / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site_packages)
    (metadata,) = site_packages.glob("pip-*.dist-info")
    (metadata / "INSTALLER").write_text("pip\n")


def add_libraries(stage: Path, plan: TargetPlan, build: Path) -> None:
    """Copy the shared libraries that the loader gives to libraries built for glibc, each under its soname."""
    for package in plan.packages:
        for file in package.libraries:
            _copy(build / "sources" / package.name / file, stage / LIBRARIES / Path(file).name)


def add_licences(stage: Path, plan: TargetPlan, build: Path) -> None:
    """Copy the licence texts of everything that is linked in or shipped."""
    for package in plan.packages:
        texts = [build / "sources" / package.source_tree / file for file in package.licence.files]
        for text in [*texts, *(ROOT / file for file in package.licence.texts)]:
            _copy(text, stage / "licences" / package.name / text.name)


def cpe_name(product: str, version: str) -> str:
    """Return the CPE 2.3 name (NIST IR 7695) of a version of `vendor:product`; after its numbers comes its update."""
    numbers = re.match(r"[\d.]*", version)
    assert numbers
    update = re.sub(r"([^\w.-])", r"\\\1", version[numbers.end() :].strip("-"))
    return f"cpe:2.3:a:{product}:{numbers[0] or '*'}:{update or '*'}:*:*:*:*:*:*"


def manifest(plan: TargetPlan, build: Path) -> dict[str, Any]:
    """Return what the tree was made from: each input with version, source, SHA-256, patches and flags."""
    inputs = []
    for package in plan.packages:
        # What is trained is compiled with the interpreter's flags as well.
        known = dataclasses.asdict(package)
        kept = ("name", "upstream_name", "cflags", "trained", "configure", "source_of", "build_only")
        entry = {k: known[k] for k in kept if known[k]}
        entry["licence"] = package.licence.spdx
        fetched = read_record(build / "fetched" / f"{package.source_of or package.name}.json")
        release = dataclasses.asdict(fetched.release)
        entry |= {k: release[k] for k in ("version", "file", "sha256", "urls") if release[k]}
        if package.cpe:
            entry["cpe"] = cpe_name(package.cpe, fetched.release.version)
        applied = package.patches["" if package.source_of else fetched.release.version]
        entry["patches"] = {p: sha256_of(ROOT / p) for p in applied}
        inputs.append(entry)
    return {
        "python": plan.version,
        "triple": plan.arch.triple,
        "arch_cflags": plan.cflags,
        "toolchain": plan.toolchain,
        "interpreter_cflags": plan.cflags_core,
        "interpreter_ldflags": plan.ldflags_core,
        "profile": {plan.profile: sha256_of(ROOT / plan.profile)} if plan.profile else {},
        "modules": plan.modules,
        "inputs": inputs,
    }


def run(command: Sequence[str | Path], what: str) -> None:
    """Run a command; raises StaticPythonError with its output when it fails."""
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        raise StaticPythonError(f"{what} failed:\n{result.stdout[-2000:]}{result.stderr[-2000:]}")


def compile_tree(stage: Path, plan: TargetPlan, interpreter: list[str]) -> None:
    """Compile the standard library, one file after the other: marshal's output depends on what was compiled before.

    A copy of the tree may give files another time, so a .pyc holds its source's hash; it is compared when the source
    has another time than all files of a tree have (set_times; Lib/importlib/_bootstrap_external.py).
    """
    library = stdlib_of(stage, plan.series)
    options = ["-q", "-f", "-j1", "--invalidation-mode=checked-hash", "-s", str(stage), "-p", PLACEHOLDER]
    excluded = r"bad_coding|badsyntax|lib2to3/tests/data"
    run([*interpreter, "-E", "-s", "-m", "compileall", *options, "-x", excluded, str(library)], "compiling the library")


def set_times(stage: Path) -> None:
    """Give every file SOURCE_DATE_EPOCH as its time: one that has it is what was built."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in stage.rglob("*"):
        os.utime(path, (epoch, epoch), follow_symlinks=False)


def assemble(stage: Path, tree: Path, plan: TargetPlan, build: Path, interpreter: list[str]) -> None:
    """Do all of it; `interpreter` runs Python of the same release on this machine."""
    add_runtime(stage, plan, build)
    add_pip(stage, plan)
    add_libraries(stage, plan, build)
    add_licences(stage, plan, build)
    in_venv = sys.prefix != sys.base_prefix  # else the prefix is /usr, a part of many an innocent path
    scrubbed = [build.resolve().parent, *([Path(sys.prefix)] if in_venv else [])]
    relocate = [sys.executable, str(ROOT / "runtime/install/relocate.py"), str(stage), "--placeholder", PLACEHOLDER]
    run([*relocate, *(word for path in scrubbed for word in ("--scrub", str(path)))], "making the tree relocatable")
    compile_tree(stage, plan, interpreter)
    text = json.dumps(manifest(plan, build), indent=1, sort_keys=True) + "\n"
    (stage / "manifest.json").write_text(text, encoding="utf-8")
    set_times(stage)
    tree.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(tree, ignore_errors=True)
    stage.rename(tree)


def tree_digest(tree: Path) -> str:
    """Return one SHA-256 over every file's path, mode and bytes: equal for trees with the same content."""
    digest = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else sha256_of(path) if path.is_file() else ""
        digest.update(f"{path.relative_to(tree)} {path.lstat().st_mode:o} {content}\n".encode())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Assemble one target's tree; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.assemble", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--stage", type=Path, required=True)
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--interpreter", help="Python of the same release that runs here (default: the one built)")
    options = parser.parse_args(arguments)

    def body() -> int:
        plan = read_plan(options.plan)
        interpreter = [str(Path(options.interpreter or options.stage / plan.program).resolve())]
        assemble(options.stage, options.tree, plan, options.plan.parent.parent, interpreter)
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
