"""Compute with the most used binary packages of PyPI, here and on glibc, and write the table docs/wheels.md.

`python -m staticpython.wheel_table TREE --plan build/<target>/plan.json --glibc PYTHON --work DIR > docs/wheels.md`:
each project of tests/build/computations.yml is installed, binary only, into a folder of its own for TREE, and the same
releases for PYTHON, a CPython of the same series on glibc, such as `python -m bench` makes below build/bench/baselines.
Each extension module is imported, a process each, and the program is run. What is written compares the two.

`--rows DIR` keeps each row, so that an interrupted run continues; `--only PROJECT` makes these anew.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from staticpython.config import ROOT
from staticpython.errors import StaticPythonError, UsageError, nearest, run_main
from staticpython.schema import key, load
from staticpython.target_plan import read_plan
from staticpython.verify import emulator_of

WHEELS = ROOT / "tests/build/wheels.yml"
COMPUTATIONS = ROOT / "tests/build/computations.yml"
SWITCH = "STATICPYTHON_GLIBC"
# Seconds that one program, or one installation, may take.
LIMIT = 600
# Old names of manylinux tags, and the last minor version of glibc of their new names (PEP 600).
MANYLINUX = ("manylinux2014", "manylinux2010", "manylinux1", *(f"manylinux_2_{minor}" for minor in range(40, 4, -1)))
PLATFORMS = {"musllinux": ("musllinux_1_2", "musllinux_1_1"), "manylinux": MANYLINUX}
HEAD = """# Binary packages on {tree}

Made by `python -m staticpython.wheel_table` from the programs in `tests/build/computations.yml`, the most downloaded
package first. Each package was installed from unmodified wheels, with its dependencies, by

    {install} PACKAGE

and the same releases into CPython {control}, from the wheels that pip takes
there. In both, on the same machine, every extension module was imported, each in a process of its own, and the program
was run.

- *Wheels* of this release, for each CPU. One with only **manylinux** needs `STATICPYTHON_GLIBC=1`
  ([loader.md](loader.md)). Without the variable, pip takes an older release that has another, or the source.
- *Modules*: the package's extension modules, or how many of them import here. Some import *on neither*, such as those
  for Tk. Those that import on glibc only are named.
- *Computed*: *same* means that both printed the same lines.

{summary}

| package | release | wheels, x86_64 | wheels, aarch64 | modules | computed |
|---|---|---|---|---|---|"""
BINARY = ["--only-binary", ":all:"]
INSTALL = " ".join([f"{SWITCH}=1 pip install", *BINARY])
IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1])"


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


@dataclass(frozen=True)
class Computation:
    """A program with results."""

    program: str = key("Python that uses the package and prints what it computed, the same each time.")
    beside: list[str] = key("Other PyPI projects that it uses, where the package does not depend on them.", default=[])
    remark: str = key("What docs/wheels.md says besides.", default="")


@dataclass(frozen=True)
class Computations:
    """`tests/build/computations.yml`."""

    projects: dict[str, Computation] = key("PyPI project -> what is computed with it.")


class InstallError(StaticPythonError):
    """Packages that pip did not install."""

    exit_code = 8


@dataclass(frozen=True)
class Wheel:
    """What pip installed of one project."""

    version: str
    file: str

    @property
    def kind(self) -> str:
        """What it is for: musllinux, manylinux, or any system."""
        return kind_of(self.file)


@dataclass(frozen=True)
class Outcome:
    """What a program printed, and why it failed, if it did."""

    code: int
    output: str
    error: str


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    project: str
    version: str = ""
    kinds: str = ""
    elsewhere: str = ""
    modules: str = ""
    computed: str = ""


@dataclass(frozen=True)
class Kept:
    """Where rows are kept, where packages are installed, which rows are made anew, and the series."""

    rows: Path
    work: Path
    only: list[str]
    series: str


@dataclass(frozen=True)
class Side:
    """An interpreter, the pip that installs for it, and variables for it."""

    command: list[str]
    pip: Path
    cache: Path
    variables: dict[str, str] = field(default_factory=dict)

    def install(self, folder: Path, projects: list[str], *options: str) -> dict[str, Wheel]:
        """Install projects into a folder; return what was installed by its normalized name."""
        report = folder.with_name(f"{folder.name}.json")
        environment = {**os.environ, "PIP_CACHE_DIR": str(self.cache), **self.variables}
        common = ["install", "-q", "--no-compile", "--disable-pip-version-check", *BINARY, "--report", str(report)]
        command = [*self.command, str(self.pip), *common, *options, "--target", str(folder), *projects]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT, check=False)
        if done.returncode:
            raise InstallError(reason_of(done.stderr))
        return read_report(report.read_text(encoding="utf-8"))

    def run(self, folder: Path, *arguments: str, variables: dict[str, str] | None = None) -> Outcome:
        """Run the interpreter with a folder's packages, and with nothing else of this environment."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "PYTHONPATH": str(folder)}
        environment |= {"PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore", **(variables or {})}
        try:
            done = subprocess.run([*self.command, *arguments], capture_output=True, text=True, env=environment,
                                  cwd=folder.parent, timeout=LIMIT, check=False)  # fmt: skip
        except subprocess.TimeoutExpired:
            return Outcome(-1, "", f"not done after {LIMIT} s")
        return Outcome(done.returncode, done.stdout, reason_of(done.stderr) if done.returncode else "")


def normalized(project: str) -> str:
    """Return a project's name as wheels spell it."""
    return re.sub(r"[-_.]+", "-", project).lower()


def kind_of(file: str) -> str:
    """Tell what a wheel's platform tag says that it is for."""
    return next((kind for kind in ("musllinux", "manylinux") if kind in file.rpartition("-")[2]), "pure Python")


def reason_of(errors: str) -> str:
    """Return the last line of standard error that says something."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("ERROR:")] or lines
    return told[-1][:200] if told else "no message"


def read_report(text: str) -> dict[str, Wheel]:
    """Read what `pip install --report` wrote."""
    return {
        normalized(entry["metadata"]["name"]): Wheel(
            entry["metadata"]["version"], entry["download_info"]["url"].rpartition("/")[2]
        )
        for entry in json.loads(text)["install"]
    }


def there_is(side: Side, folder: Path, project: str, arch: str, platforms: tuple[str, ...], series: str) -> str:
    """Return what pip would install of a release on another system, or an empty text."""
    options = ["--dry-run", "--no-deps", "--implementation", "cp", "--python-version", series]
    options += [f"--abi={abi}" for abi in (f"cp{series.replace('.', '')}", "abi3", "none")]
    options += [f"--platform={platform}_{arch}" for platform in platforms]
    try:
        return next(iter(side.install(folder, [project], *options).values())).kind
    except InstallError:
        return ""


def modules_of(folder: Path, project: str) -> list[str]:
    """Return the extension modules that a project installed."""
    records = [record for record in folder.glob("*.dist-info/RECORD")
               if normalized(record.parent.name.split("-")[0]) == normalized(project)]  # fmt: skip
    lines = [line.split(",")[0] for record in records for line in record.read_text(encoding="utf-8").splitlines()]
    extensions = [Path(line) for line in lines if re.search(r"(\.cpython-[^/]*|\.abi3)\.so$", line)]
    return sorted(".".join([*path.parts[:-1], path.name.split(".")[0]]) for path in extensions)


def import_all(side: Side, folder: Path, modules: list[str], variables: dict[str, str]) -> dict[str, str]:
    """Import each module, in a process of its own; return the reasons of those that failed."""

    def attempt(module: str) -> str:
        done = side.run(folder, "-c", IMPORT, module, variables=variables)
        return "" if not done.code else f"{done.error} (exit code {done.code})"

    with ThreadPoolExecutor(2) as pool:
        return {module: reason for module, reason in zip(modules, pool.map(attempt, modules), strict=True) if reason}


def compare_modules(count: int, here: dict[str, str], there: dict[str, str]) -> str:
    """Return the table's text for the imports."""
    if not count:
        return "none"
    ours = {module: reason for module, reason in here.items() if module not in there}
    shown = "; ".join(f"`{module}`: {reason}" for module, reason in list(ours.items())[:3])
    neither = f"; {len(here) - len(ours)} on neither" if len(here) > len(ours) else ""
    works = count - len(here)
    return (f"{works} of {count}" if here else str(count)) + neither + (f"; {shown}" if ours else "")


def compare_outputs(here: Outcome, there: Outcome) -> str:
    """Return the table's text for the computations."""
    if there.code:
        return f"fails on glibc: {there.error}" + ("" if here.code else "; works here")
    if here.code:
        return f"**fails here**: {here.error} (exit code {here.code})"
    ours, theirs = here.output.splitlines(), there.output.splitlines()
    if not theirs:
        return "**prints nothing**"
    if ours == theirs:
        return f"same, {len(ours)} line{'s' * (len(ours) > 1)}"
    number = next((n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), -1)
    if number < 0:
        return f"**differs**: {len(ours)} lines here, {len(theirs)} on glibc"
    return f"**differs**: `{ours[number][:150]}`, on glibc `{theirs[number][:150]}`"


def examine(project: str, computation: Computation, ours: Side, control: Side, work: Path, series: str) -> Row:
    """Install a project twice, import, compute and compare."""
    here, there = work / "musl", work / "glibc"
    try:
        installed = ours.install(here, [project, *computation.beside])
    except InstallError as error:
        return Row(project, computed=f"not installed: {error}")
    wheel = installed[normalized(project)]
    same = [f"{name}=={each.version}" for name, each in installed.items()]
    pinned = f"{project}=={wheel.version}"

    def offered(arch: str, *kinds: str) -> str:
        found = [there_is(ours, work / "none", pinned, arch, PLATFORMS[kind], series) for kind in kinds]
        return ", ".join(dict.fromkeys(filter(None, found))) or "none"

    # Of programs pip may choose the wheel for glibc though there is one for musl.
    kinds = offered("x86_64", *PLATFORMS) if wheel.kind == "manylinux" else wheel.kind
    row = Row(project, wheel.version, kinds, offered("aarch64", *PLATFORMS))
    try:
        control.install(there, same, "--no-deps")
    except InstallError as error:
        return Row(**{**asdict(row), "computed": f"not installed on glibc: {error}"})
    switch = {SWITCH: "1"} if any(each.kind == "manylinux" for each in installed.values()) else {}
    modules = modules_of(here, project)
    imports = import_all(ours, here, modules, switch), import_all(control, there, modules, {})
    results = [side.run(at, "-c", computation.program, variables=v) for side, at, v in
               ((ours, here, switch), (control, there, {}))]  # fmt: skip
    for name, result in zip(("musl", "glibc"), results, strict=True):
        (work / f"{name}.txt").write_text(result.output + result.error, encoding="utf-8")
    told = {"modules": compare_modules(len(modules), *imports), "computed": compare_outputs(*results)}
    return Row(**{**asdict(row), **{name: text.replace(str(work), "") for name, text in told.items()}})


def kept(project: str, computation: Computation, ours: Side, control: Side, options: Kept) -> Row:
    """Return a project's row, from an earlier run if there is one, and remove what was installed for it."""
    path, work = options.rows / f"{project}.json", options.work / project
    if path.exists() and project not in options.only:
        return Row(**json.loads(path.read_text(encoding="utf-8")))
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    row = examine(project, computation, ours, control, work, options.series)
    for folder in ("musl", "glibc"):
        shutil.rmtree(work / folder, ignore_errors=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(row)), encoding="utf-8")
    print(line(row, computation), file=sys.stderr, flush=True)
    return row


def line(row: Row, computation: Computation) -> str:
    """Return a row as Markdown."""
    text = row.computed.replace("|", "\\|") + (f" (*{computation.remark}*)" if computation.remark else "")
    kinds = f"**{row.kinds}**" if row.kinds == "manylinux" else row.kinds
    return f"| {row.project} | {row.version} | {kinds} | {row.elsewhere} | {row.modules} | {text} |"


def summary(rows: list[Row]) -> str:
    """Return what the table says as a whole."""
    kinds = [row.kinds for row in rows]
    musl = sum("musllinux" in each for each in kinds)
    same = sum(row.computed.startswith("same") for row in rows)
    only = sum(each == "manylinux" for each in kinds)
    have = f"{musl} have a musllinux wheel, and {only} only a manylinux wheel"
    return f"Of {len(rows)} packages {have}. {same} computed the same."


def head(tree: str, control: str, rows: list[Row]) -> str:
    """Return what is above the table's rows."""
    return HEAD.format(tree=tree, control=control, install=INSTALL, summary=summary(rows))


def render(tree: str, control: str, rows: list[Row], computations: Computations) -> str:
    """Return the page."""
    lines = [line(row, computations.projects[row.project]) for row in rows]
    return "\n".join([head(tree, control, rows), *lines, ""])


def describe(python: Path) -> str:
    """Return the release of an interpreter and its C library: '3.14.7 on glibc 2.43'."""
    program = "import os, platform; print(platform.python_version(), 'on', os.confstr('CS_GNU_LIBC_VERSION'))"
    done = subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=False)
    if done.returncode or "glibc" not in done.stdout:
        raise UsageError(f"--glibc {python}: is no CPython on glibc")
    return done.stdout.strip()


def main(arguments: list[str] | None = None) -> int:
    """Print the page; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="staticpython.wheel_table", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tree", type=Path)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--glibc", type=Path, required=True, metavar="PYTHON", help="a CPython on glibc")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is installed")
    parser.add_argument("--rows", type=Path, help="folder that keeps the rows (WORK/rows)")
    parser.add_argument("--only", action="append", default=[], metavar="PROJECT", help="make this row anew")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="packages at a time (2)")
    options = parser.parse_args(arguments)
    plan, computations, work = read_plan(options.plan), load(COMPUTATIONS, Computations), options.work.resolve()
    for project in options.only:
        if project not in computations.projects:
            raise UsageError(f"--only {project}: not in {COMPUTATIONS.name}{nearest(project, computations.projects)}")
    tree, control = options.tree.resolve(), describe(options.glibc)
    pip = tree / f"lib/python{plan.series}/site-packages/pip"
    ours = Side([*emulator_of(plan), str(tree / "bin/python3")], pip, work / "cache", {SWITCH: "1"})
    theirs = Side([str(options.glibc.absolute())], pip, work / "cache")
    places = Kept(options.rows or work / "rows", work, options.only, plan.series)
    with ThreadPoolExecutor(options.jobs) as pool:
        projects = computations.projects
        rows = list(pool.map(lambda name: kept(name, projects[name], ours, theirs, places), projects))
    print(render(plan.tree, control, rows, computations), end="")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
