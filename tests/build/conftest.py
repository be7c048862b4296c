"""Tests on what was built: `make test`, or `pytest tests/build --target build/<target>/plan.json`.

Without --target every target built in build/ is tested; if there is none, all of these tests are skipped.
"""

from __future__ import annotations

import fcntl
import os
import platform
import random
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from bench.baselines import BenchError, Wanted, debian
from staticpython.benchmarks import load_bench
from staticpython.config import ROOT
from staticpython.errors import StaticPythonError
from staticpython.load import load_facts
from staticpython.stdlib_tests import starts_programs
from staticpython.target_plan import TargetPlan, read_plan
from staticpython.verify import emulator_of

# C programs of checks of the C library, each with a table of its checks.
LIBC_CHECKS = Path(__file__).with_name("libc")

# Python programs that a built interpreter runs.
PROGRAMS = Path(__file__).with_name("programs")


@dataclass(frozen=True)
class BuiltTarget:
    """A target that was built: its tree, its compiler and the way its programs run here."""

    plan: TargetPlan
    build: Path

    @property
    def arch(self) -> str:
        return self.plan.arch.name

    @property
    def triple(self) -> str:
        return self.plan.arch.triple

    @property
    def tree(self) -> Path:
        return self.build.parent.parent / "dist" / self.plan.tree

    @property
    def binary(self) -> Path:
        return self.tree / self.plan.program

    @property
    def stdlib(self) -> Path:
        return self.tree / f"lib/python{self.plan.series}"

    @property
    def tag(self) -> str:
        """`cpython-` and the series without its dots, as in the names of compiled files."""
        return f"cpython-{self.plan.series.replace('.', '')}"

    def needs_patch(self, name: str) -> None:
        """Skip a test of behaviour that needs a speed patch, if the build lacks it."""
        assert [*(ROOT / "patches").glob(f"cpython*/{name}.patch")], f"no series has {name}"
        (cpython,) = (p for p in self.plan.packages if p.kind == "cpython")
        if name not in {Path(file).stem for files in cpython.patches.values() for file in files}:
            pytest.skip(f"CPython {self.plan.series} is built without {name}")

    def needs_pie(self) -> None:
        """Skip a test that loads libraries between the segments of a program: `--no-pie` fixes its addresses."""
        if not self.plan.pie:
            pytest.skip("libraries are mapped far from a program that has fixed addresses")

    @property
    def cc(self) -> Path:
        return self.build / f"toolchain/bin/{self.triple}-cc"

    @property
    def sysroot(self) -> Path:
        return self.build / "sysroot"

    @property
    def emulator(self) -> list[str]:
        return emulator_of(self.plan)

    @property
    def starts_programs(self) -> bool:
        """Whether the kernel starts the target's programs, directly or by binfmt_misc (which `make test` sets up)."""
        return starts_programs(self.binary)

    def run(self, *arguments: str | Path, python: Path | None = None, **options: Any) -> str:
        """Run the interpreter; return its standard output; a failure shows its standard error."""
        command = [*self.emulator, str(python or self.binary), *map(str, arguments)]
        options.setdefault("env", clean_environment())
        run = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
        assert run.returncode == 0, f"{command}: exit code {run.returncode}\n{run.stdout}\n{run.stderr}"
        return str(run.stdout).strip()


def compile_program(target: BuiltTarget, source: Path, output: Path, *flags: str) -> Path:
    """Compile a C program as users do, with the target's wrapper, and exactly as written: no call is replaced."""
    command = [str(target.cc), "-O1", "-fno-builtin", str(source), "-o", str(output), *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return output


def visible_symbols(program: Path) -> set[str]:
    """Return the names that a program offers to the libraries that it loads."""
    with program.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".dynsym")
        assert isinstance(table, SymbolTableSection)
        return {s.name for s in table.iter_symbols()}


def run_program(
    target: BuiltTarget, program: Path, *args: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program of the target, natively or under the emulator."""
    command = [*target.emulator, str(program), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=env)


def clean_environment(**more: str) -> dict[str, str]:
    """Return an environment without variables about Python, certificates or terminals except the given ones."""
    kept = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
    return kept | more


def network_environment() -> dict[str, str]:
    """Return an environment with the user's own settings for package indexes and certificates."""
    kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_CERT", "REQUESTS_CA", "UV_"))}
    return clean_environment(**kept)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", action="append", type=Path, default=[], help="plan.json of a target; more than once")
    parser.addoption("--all", action="store_true", help="run what takes long, and by an emulator what no CPU changes")
    parser.addoption("--applications", action="store_true", help="bundle and run all of tests/build/bundles.yml")
    parser.addoption("--seed", type=int, help="what random input is made from (a test that fails names it)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "any_cpu(reason): what it tests is the same on all CPUs; not run by an emulator")
    config.addinivalue_line("markers", "long(reason): takes minutes, and what it tests seldom changes")
    config.addinivalue_line("markers", "native_only(reason): an emulator's kernel, memory or CPU would be tested")
    config.addinivalue_line("markers", "needs_modules(name...): skipped where one of them is not built in")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is not run by default (`--all` runs it), what an emulator cannot show, and what lacks a module."""
    target = getattr(item, "callspec", None) and item.callspec.params.get("target")  # type: ignore[attr-defined]
    run_all, emulated = item.config.getoption("--all"), bool(target and target.emulator)
    if (marker := item.get_closest_marker("long")) and not run_all:
        pytest.skip(f"takes long: {marker.args[0]} (--all runs it)")
    if (marker := item.get_closest_marker("any_cpu")) and emulated and not run_all:
        pytest.skip(f"the same on all CPUs: {marker.args[0]} (--all runs it)")
    if (marker := item.get_closest_marker("native_only")) and emulated:
        pytest.skip(f"not by an emulator: {marker.args[0]}")
    needs = item.get_closest_marker("needs_modules")
    missing = set(needs.args) - set(target.plan.modules) if needs and target else set()
    if missing:
        known = {name for series in load_facts().series.values() for name in series.modules}
        assert missing <= known, f"{item.nodeid}: no series has {', '.join(sorted(missing - known))}"
        pytest.skip(f"this interpreter has no {', '.join(sorted(missing))}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" not in metafunc.fixturenames:
        return
    plans = metafunc.config.getoption("--target") or sorted((ROOT / "build").glob("*/plan.json"))
    built = [BuiltTarget(read_plan(p), p.resolve().parent) for p in plans]
    built = [t for t in built if t.binary.exists()]
    if built:
        metafunc.parametrize("target", built, ids=lambda t: t.arch, scope="session")
    else:
        reason = "nothing was built: run make first"
        metafunc.parametrize("target", [pytest.param(None, marks=pytest.mark.skip(reason=reason))], ids=["none"])


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed for random input: `--seed`, or another number each time. A failing test shows it."""
    seed = request.config.getoption("--seed") or random.randrange(1, 1 << 31)
    print(f"random input of --seed {seed}")
    return int(seed)


@pytest.fixture(scope="session")
def cpython_on_glibc(target: BuiltTarget) -> Path:
    """Debian's CPython of the series, with its own glibc; `make bench` compares with the same."""
    if target.emulator or target.arch != platform.machine():
        pytest.skip("CPython on glibc is run for this machine only, and compared with a native target")
    facts, wanted = load_bench().baselines, Wanted(target.plan.series, target.arch)
    named = facts.debian.series.get(wanted.series)
    if named is None or wanted.arch not in named.arches:
        pytest.skip(f"no packages of Debian's are named for {wanted} (bench/bench.yml)")
    work = ROOT / "build/bench"
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:  # other tests run at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return debian(facts, wanted, work)
        except (BenchError, StaticPythonError) as error:
            pytest.skip(f"Debian's packages cannot be downloaded: {error}")


@pytest.fixture
def programs(target: BuiltTarget) -> None:
    """Skip a test whose program starts others, if the kernel cannot start them."""
    if not target.starts_programs:
        pytest.skip("the emulated program starts others: needs `make test` and binfmt_misc in a user namespace")


@pytest.fixture
def moved(target: BuiltTarget, tmp_path: Path) -> Path:
    """A copy of the tree in a folder with a space in its name."""
    copy = tmp_path / "another place" / "tree"
    shutil.copytree(target.tree, copy, symlinks=True)
    return copy


def enter_chroot() -> list[str]:
    """Return the command that enters a root folder, or skip the test if this machine does not allow it."""
    chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin") or "chroot"
    enter = [chroot] if os.geteuid() == 0 else [shutil.which("unshare") or "unshare", "--map-root-user", chroot]
    if subprocess.run([*enter, "/", "/bin/true"], capture_output=True).returncode:
        pytest.skip("neither root nor unprivileged user namespaces: no chroot can be entered here")
    return enter


@pytest.fixture
def chroot(target: BuiltTarget, tmp_path: Path) -> Callable[..., str]:
    """Run the interpreter in a root folder that contains only the tree, in /python."""
    root = tmp_path / "root"
    shutil.copytree(target.tree, root / "python", symlinks=True)
    if target.emulator:
        emulator = shutil.which(target.emulator[0])
        assert emulator
        shutil.copy(emulator, root / "emulator")
    enter = enter_chroot()

    def run(*arguments: str, program: str = "/python/bin/python3", **variables: str) -> str:
        command = [*enter, str(root), *(["/emulator"] if target.emulator else []), program, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, timeout=600, env=variables)
        assert run.returncode == 0, f"{command}: exit code {run.returncode}\n{run.stdout}\n{run.stderr}"
        return run.stdout.strip()

    return run
