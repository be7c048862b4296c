"""Build and test other interpreters than the default one: `python -m staticpython.matrix [NAME...]`, or `make matrix`.

`tests/matrix.yml` names them. Each has a folder of its own, where `make` and `make test` go on after an interruption.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from staticpython import forms
from staticpython.assemble import tree_digest
from staticpython.config import ROOT, pick
from staticpython.errors import FactsError, VerifyError, run_main
from staticpython.load import load_facts
from staticpython.plan import host_arch
from staticpython.schema import key, load

VARIANTS = ROOT / "tests/matrix.yml"


@dataclass(frozen=True)
class Variant:
    """A build other than the default one."""

    generate: list[str] = key("Options of generate.py, besides --plain.")
    folder: str | None = key(
        "Its folder below that of all variants; its name when missing.", default=None, form=forms.INSIDE
    )
    stdlib: list[str] = key(
        "CPython's tests that are run besides `make test`: names, or lists such as @selection.", default=[]
    )
    only: str = key("Which tests `make test` runs, in the syntax of pytest's -k; all when missing.", default="")
    same_as: str | None = key("A variant, built before, whose tree must have the same bytes.", default=None)


@dataclass(frozen=True)
class Matrix:
    """`tests/matrix.yml`."""

    variants: dict[str, Variant] = key("Name -> the build.")


def load_matrix(path: Path = VARIANTS) -> Matrix:
    """Read and check the variants; raises FactsError."""
    matrix = load(path, Matrix)
    names = list(matrix.variants)
    for name, variant in matrix.variants.items():
        if variant.same_as and variant.same_as not in names[: names.index(name)]:
            raise FactsError(f"{path}: variants.{name}.same_as: no variant '{variant.same_as}' before it")
    return matrix


def commands(variant: Variant, folder: Path, arch: str, jobs: int, *, plain: bool) -> list[list[str]]:
    """Return the commands that build and test a variant in its folder."""
    generate = [sys.executable, str(ROOT / "generate.py"), f"--arch={arch}", f"--output={folder}", "--quiet"]
    generate += ["--plain"] if plain else []
    generate += [f"--mirror={ROOT / 'downloads'}"] if (ROOT / "downloads").is_dir() else []
    make = ["make", "-C", str(folder)]
    test = [*make, "test", *([f"TESTS=-k '{variant.only}'"] if variant.only else [])]
    steps = [[*generate, *variant.generate], [*make, f"-j{jobs}"], test]
    return [*steps, [*make, "test-stdlib", f"TESTS={' '.join(variant.stdlib)}"]] if variant.stdlib else steps


def tree_of(folder: Path) -> Path:
    """Return the one tree that was built in a folder, where `make dist` may have put files beside it."""
    (tree,) = (path for path in (folder / "dist").iterdir() if path.is_dir())
    return tree


def environment() -> dict[str, str]:
    """Return the environment without what a make that started this tells its own commands."""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}


def build(matrix: Matrix, name: str, into: Path, options: argparse.Namespace) -> str:
    """Build and test a variant; return what went wrong, or nothing."""
    variant = matrix.variants[name]
    folder = (into / (variant.folder or name)).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for command in commands(variant, folder, options.arch, options.jobs, plain=not options.optimised):
        print(f"\n=== {name}: {' '.join(command)}", flush=True)
        code = subprocess.run(command, env=environment(), check=False).returncode
        if code:
            return f"{' '.join(command)}: exit code {code}"
    if variant.same_as:
        other = (into / (matrix.variants[variant.same_as].folder or variant.same_as)).resolve()
        if tree_digest(tree_of(folder)) != tree_digest(tree_of(other)):
            return f"{tree_of(folder)} and {tree_of(other)} differ"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Build and test variants; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.matrix", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="variants of tests/matrix.yml; all when none is given")
    parser.add_argument("--arch", default="", help="CPU to build for (default: this machine's)")
    parser.add_argument("--into", type=Path, default=Path("build/matrix"), help="folder of all variants' folders")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--optimised", action="store_true", help="with profile and link-time optimisation")
    options = parser.parse_args(arguments)

    def body() -> int:
        matrix = load_matrix()
        options.arch = options.arch or host_arch(load_facts())
        for name in options.names:
            pick("variant", name, list(matrix.variants))
        faults, lines = [], []
        for name in options.names or matrix.variants:
            begin = time.monotonic()
            fault = build(matrix, name, options.into, options)
            lines.append(f"{name:16} {(time.monotonic() - begin) / 60:5.1f} min  {fault or 'built and tested'}")
            faults += [name] if fault else []
        print("\n" + "\n".join(lines))
        if faults:
            raise VerifyError(f"of the variants in {VARIANTS.relative_to(ROOT)} these failed: {', '.join(faults)}")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
