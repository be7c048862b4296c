"""The schema of `bench/bench.yml`."""

from __future__ import annotations

from dataclasses import dataclass

from staticpython.config import ROOT
from staticpython.schema import key, load

FACTS = ROOT / "bench/bench.yml"


@dataclass(frozen=True)
class Mode:
    """How long to measure."""

    rounds: int = key("Rounds; in each, all interpreters do a benchmark one right after the other.")
    milliseconds: int = key("A statement is repeated until it has taken this long.")
    repeats: int = key("How often that is done in one process; the best counts.")
    processes: int = key("Processes of a pyperformance benchmark, three values each, in one round.")
    starts: int = key("How often a command is started in one round.")


@dataclass(frozen=True)
class DebianSeries:
    """Debian's packages with a series of CPython."""

    suite: str = key("Debian's release.")
    python: str = key("The interpreter among what they hold.")
    arches: dict[str, str] = key("Arch -> Debian's name of it.")
    packages: list[str] = key("Binary packages of the interpreter.", default=[])
    pool: dict[str, str] = key(
        "Those that the release's lists do not name: path below `pool/main/p` -> SHA-256.", default={}
    )


@dataclass(frozen=True)
class Debian:
    """Debian's packages."""

    libraries: list[str] = key("Binary packages that the interpreter needs.")
    series: dict[str, DebianSeries] = key("Series -> Debian's packages with it.")


@dataclass(frozen=True)
class Configured:
    """CPython's own build."""

    configure: list[str] = key("Arguments of CPython's configure.")


@dataclass(frozen=True)
class Plain:
    """This project's build without its speedups."""

    generate: list[str] = key("Arguments of generate.py.")


@dataclass(frozen=True)
class Peer:
    """`plain` without patches."""

    unpatched: list[str] = key("Packages that are taken as they are released.")


@dataclass(frozen=True)
class Baselines:
    """Interpreters to compare this project's with."""

    debian: Debian = key("Debian's packages.")
    book: Configured = key("CPython's own build by the host's compiler.")
    clang: Configured = key("CPython's own build with all options for speed, by Clang.")
    plain: Plain = key("This project's build without what makes it fast.")
    peer: Peer = key("`plain` without patches: a static build as others make it.")


@dataclass(frozen=True)
class Group:
    """Statements that share their preparation."""

    statements: dict[str, str] = key("Name -> Python statement, timed inside the interpreter.")
    setup: str = key("Python code that runs before, once for each size.", default="")
    sizes: list[int] = key("What `n` is in `setup` and in the statements.", default=[])
    clock: str = key("Instead of the file's `clock`.", default="", choices=("cpu", "wall"))


@dataclass(frozen=True)
class Pyperformance:
    """The pyperformance suite."""

    seconds: int = key("Seconds after which one benchmark is given up.")
    skip: dict[str, str] = key("Benchmark -> why it is not run.")


@dataclass(frozen=True)
class Bench:
    """`bench/bench.yml`."""

    clock: str = key("What is measured: CPU time, or the time that passes.", choices=("cpu", "wall"))
    modes: dict[str, Mode] = key("How long is measured: `full`, or `fast`.")
    baselines: Baselines = key("Interpreters that this project's is compared with.")
    start: dict[str, list[str]] = key("Name -> arguments of the interpreter; the whole process is timed, by pyperf.")
    micro: dict[str, Group] = key("Name -> statements timed inside the interpreter.")
    pyperformance: Pyperformance = key("The pyperformance suite.")


def load_bench() -> Bench:
    """Read and check `bench.yml`."""
    return load(FACTS, Bench)
