"""Try the most used binary packages of PyPI on a built tree and write the table docs/wheels.md.

`python -m staticpython.wheel_table TREE --plan build/<target>/plan.json --work DIR > docs/wheels.md`: each package is
installed, binary only, into a folder of its own; every extension module in it is imported, a process each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from staticpython.config import ROOT
from staticpython.schema import key, load
from staticpython.target_plan import read_plan
from staticpython.verify import emulator_of

WHEELS = ROOT / "tests/build/wheels.yml"
HEAD = """# Binary packages on {tree}

Made by `python -m staticpython.wheel_table`: each installed from unmodified musllinux wheels, with its dependencies, by

    {install} PACKAGE

and every extension module imported in a process of its own. Without the option, pip prefers the source of a newer
release to the wheel of an older one, and builds it, which takes a compiler and may fail. Where it is known to, the
table says so; the others were not tried without it.

| package | version | extension modules | result |
|---|---|---|---|"""
BINARY = ["--only-binary", ":all:"]
IMPORT_ALL = r"""
import importlib, pathlib, subprocess, sys, sysconfig
folder, child = pathlib.Path(sys.argv[1]), sys.argv[2:]
sys.path.insert(0, str(folder))
if child:
    importlib.import_module(child[0]); sys.exit()
suffixes = (sysconfig.get_config_var("EXT_SUFFIX"), ".abi3.so")
for path in sorted(p for p in folder.rglob("*.so") if p.name.endswith(suffixes)):
    name = ".".join([*path.relative_to(folder).parts[:-1], path.name.split(".")[0]])
    run = subprocess.run([sys.executable, sys.argv[0], sys.argv[1], name], capture_output=True, text=True)
    last = (run.stderr.strip().splitlines() or [""])[-1]
    print(name, run.returncode, last, sep="\t")
"""


@dataclass(frozen=True)
class Lacking:
    """Wheels that there are not."""

    projects: list[str] = key("PyPI projects, of those in `use`.")
    arches: list[str] = key("Arches for which PyPI has no musllinux wheel of them.")
    reason: str = key("Why, and what then.")


@dataclass(frozen=True)
class Wheels:
    """`tests/build/wheels.yml`."""

    use: dict[str, str] = key("PyPI project -> program that uses it.")
    lacking: list[Lacking] = key("What is not installed where; that there is still none is tested.")
    table: list[str] = key("PyPI projects that docs/wheels.md reports on.")
    explained: dict[str, str] = key("PyPI project -> why not all of it imports.", default={})
    only_binary: dict[str, str] = key(
        "PyPI project -> what `pip install` does without `--only-binary`, where that is known to fail.", default={}
    )


@dataclass(frozen=True)
class Verdict:
    """What happened to one package."""

    project: str
    version: str
    modules: int
    text: str


def judge(project: str, interpreter: list[str], work: Path) -> Verdict:
    """Install a project and import all its extension modules."""
    folder = work / project
    folder.mkdir(parents=True, exist_ok=True)
    options = ["-q", "--disable-pip-version-check", *BINARY, "--target", str(folder)]
    install = subprocess.run(
        [*interpreter, "-m", "pip", "install", *options, project], capture_output=True, text=True, check=False
    )
    if install.returncode:
        reason = "no musllinux wheel for it" if "No matching distribution" in install.stderr else install.stderr[-200:]
        return Verdict(project, "", 0, reason.replace("\n", " "))
    normalized = project.replace("-", "_").lower()
    versions = [p.name.split("-")[1].removesuffix(".dist") for p in folder.glob("*.dist-info")
                if p.name.split("-")[0].lower() == normalized]  # fmt: skip
    script = work / "import_all.py"
    script.write_text(IMPORT_ALL)
    run = subprocess.run([*interpreter, str(script), str(folder)], capture_output=True, text=True, check=False)
    results = [line.split("\t") for line in run.stdout.splitlines()]
    bad = [
        f"`{name}`: {reason.replace(str(folder), '') or f'exit code {code}'}"
        for name, code, reason in results
        if code != "0"
    ]
    text = "works" if not bad else f"{len(results) - len(bad)} of {len(results)} import; " + "; ".join(bad[:4])
    if not results:
        text = "no extension module in its wheel" if not run.returncode else run.stderr[-200:]
    return Verdict(project, (versions or [""])[0], len(results), text)


def head(tree: str) -> str:
    """Return what is above the table's rows."""
    return HEAD.format(tree=tree, install=" ".join(["pip install", *BINARY]))


def row(verdict: Verdict, wheels: Wheels) -> str:
    """Return a package's row of the table."""
    explanation = wheels.explained.get(verdict.project, "") if verdict.text != "works" else ""
    remarks = [text for text in (explanation, wheels.only_binary.get(verdict.project, "")) if text]
    text = f"{verdict.text} (*{'; '.join(remarks)}*)" if remarks else verdict.text
    return f"| {verdict.project} | {verdict.version} | {verdict.modules} | {text} |"


def main(arguments: list[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.wheel_table", description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args(arguments)
    plan = read_plan(options.plan)
    interpreter = [*emulator_of(plan), str(options.tree.resolve() / "bin/python3")]
    print(head(plan.tree))
    wheels = load(WHEELS, Wheels)
    for project in wheels.table:
        print(row(judge(project, interpreter, options.work.resolve()), wheels), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
