"""Compare interpreters: `python -m bench run ours=PYTHON debian`; `make bench` does it with what was built.

An interpreter is NAME=PATH of its program, or the NAME of a baseline, which is then made: `debian` (Debian's packages),
`book` (CPython's own build), `clang` (the same, with all of upstream's options for speed), `plain` (this project's,
without its speedups), `peer` (plain without patches).
All others' times are divided by those of `ours`. Interrupt it at any moment: the same command continues.
"""

from __future__ import annotations

import argparse
import fcntl
import fnmatch
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.baselines import Wanted, interpreter, venv
from bench.count import count
from bench.report import write_report
from bench.results import OURS, Results, describe_machine, load_results, measure
from bench.suites import Interpreter, Job, call, micro_jobs, pyperformance_jobs, start_jobs
from staticpython.benchmarks import load_bench
from staticpython.config import ROOT
from staticpython.errors import UsageError, nearest, run_main
from staticpython.load import load_facts
from staticpython.plan import host_arch

IDENTITY = "import platform, sys; print(platform.python_version(), platform.python_compiler(), sep=', ')"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "count", "report", "baseline"], help="count: instructions, not time")
    parser.add_argument("interpreters", nargs="*", metavar="NAME[=PATH]")
    parser.add_argument("--arch", help="arch of the baselines (default: this machine's)")
    parser.add_argument("--python", metavar="SERIES", help="series of the baselines (default: the one that is built)")
    parser.add_argument("--mode", default="full", help="how long is measured: full, or fast")
    parser.add_argument("--only", action="append", metavar="SUITE/NAME", help="pattern; may be given more than once")
    parser.add_argument("--work", type=Path, default=Path("build/bench"), help="default: %(default)s")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the report")
    parser.add_argument("--results", type=Path, help="default: bench/<arch>.json in the report's folder")
    parser.add_argument("--fresh", action="store_true", help="forget the results there are")
    return parser.parse_intermixed_args(arguments)


def prepare(options: argparse.Namespace) -> list[Interpreter]:
    """Return all interpreters, ours first."""
    named = dict(interpreter(text, options.wanted, options.work) for text in options.interpreters)
    if OURS not in named or len(named) < 2:
        raise UsageError(f"name {OURS}=PATH and another interpreter")
    order = sorted(named, key=lambda name: name != OURS)
    return [Interpreter(name, named[name], options.work) for name in order]


@contextmanager
def alone(results: Path) -> Iterator[None]:
    """Let only one process at a time work on a file of results."""
    results.parent.mkdir(parents=True, exist_ok=True)
    with results.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another process is at work on {results}") from None
        yield


def choose(jobs: list[Job], patterns: list[str] | None) -> list[Job]:
    """Return the jobs that a pattern names; all without one."""
    if not patterns:
        return jobs
    names = [job.key for job in jobs]
    for pattern in patterns:
        if not fnmatch.filter([*names, *(job.suite for job in jobs)], pattern):
            raise UsageError(f"no benchmark '{pattern}'{nearest(pattern, names)}")
    return [job for job in jobs if any(fnmatch.fnmatch(job.key, p) or job.suite == p for p in patterns)]


def run(options: argparse.Namespace, results: Results) -> None:
    """Measure, continuing where an earlier call stopped."""
    bench = load_bench()
    if options.mode not in bench.modes:
        raise UsageError(f"no mode '{options.mode}'{nearest(options.mode, bench.modes)} ({', '.join(bench.modes)})")
    mode = bench.modes[options.mode]
    interpreters = prepare(options)
    identities = {one.name: call([str(one.python), "-I", "-c", IDENTITY]).strip() for one in interpreters}
    if results.interpreters and results.interpreters != identities:
        raise UsageError(f"{options.results} compares others than {', '.join(identities)}; --fresh forgets them")
    results.machine, results.interpreters = describe_machine(), identities
    tools = venv("tools", Path(sys.executable), options.work)
    jobs = [*start_jobs(bench, mode, tools), *micro_jobs(bench, mode)]
    jobs += pyperformance_jobs(bench, mode, interpreters[0])
    measure(choose(jobs, options.only), interpreters, mode.rounds, results, options.results)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit code."""
    options = parse(arguments)

    def body() -> int:
        facts = load_facts()
        options.arch = options.arch or host_arch(facts)
        options.wanted = Wanted(options.python or facts.default_series, options.arch)
        options.work = options.work.absolute()
        options.results = options.results or options.docs / "bench" / f"{options.arch}.json"
        if options.action == "baseline":
            for text in options.interpreters:
                print(interpreter(text, options.wanted, options.work)[1])
            return 0
        with alone(options.results):
            results = Results() if options.fresh else load_results(options.results)
            if options.action == "run":
                run(options, results)
            if options.action == "count":
                for _ in count(load_bench(), prepare(options), options.only, results):
                    results.save(options.results)
        for path in write_report(results, options.docs):
            print(path)
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
