"""Run CPython's own test suite on a built tree: `python -m staticpython.stdlib_tests TREE --plan ... [TEST...]`.

`tests/stdlib/expectations.yml` must list every failure, with a reason. A listed failure that does not happen is
reported as well, so that the file stays correct.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from staticpython.config import ROOT
from staticpython.errors import FactsError, UsageError, VerifyError, run_main
from staticpython.schema import key, load
from staticpython.target_plan import TargetPlan, built, read_plan
from staticpython.verify import emulator_of

EXPECTATIONS = ROOT / "tests/stdlib/expectations.yml"
# No network except the loopback, no display, no sound, nothing that fills the disk.
RESOURCES = "all,-network,-urlfetch,-gui,-audio,-largefile,-walltime"


@dataclass(frozen=True)
class Expectation:
    """A failure that is expected."""

    tests: list[str] = key(
        "Single tests, `*test_file.Class.test_name`: * matches anything. No whole files: they hide others."
    )
    reason: str = key("Why they fail, and whose fault it is.")
    arches: list[str] = key("Arches that it happens on; all if missing.", default=[])
    series: list[str] = key("Series of CPython that it happens with; all if missing.", default=[])
    due_to: str = key(
        "A patch without which they pass, by the beginning of its path: `libedit/0005`. They fail where it is applied.",
        default="",
    )
    one_file: bool = key("Happens only when the suite and the interpreter are one file (--one-file).", default=False)
    sometimes: bool = key("Does not always happen: depends on the machine or on timing.", default=False)


@dataclass(frozen=True)
class Expectations:
    """`tests/stdlib/expectations.yml`."""

    failures: list[Expectation] = key("Failures that are expected.")


@dataclass
class Outcome:
    """The results of a run of the suite."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    skips: Counter[str] = field(default_factory=Counter)
    recovered: set[str] = field(default_factory=set)


def prepare_tree(tree: Path, sources: Path, build: Path, work: Path, series: str) -> Path:
    """Make a copy of the tree with the `test` package and its extensions; the released tree stays as it is."""
    copy = work / "tree"
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(tree, copy, symlinks=True)
    shutil.copytree(sources / "Lib/test", copy / f"lib/python{series}/test", symlinks=True)
    library = copy / f"lib/python{series}"
    for extension in (build / "Modules").glob("*.so"):
        shutil.copy(extension, library / "lib-dynload")
    (copy / "bin/Programs").mkdir()
    shutil.copy(build / "Programs/_testembed", copy / "bin/Programs")
    (data,) = library.glob("_sysconfigdata*.py")
    data.write_text(data.read_text().replace("'TEST_MODULES': 'no'", "'TEST_MODULES': 'yes'"))
    for stale in library.glob("__pycache__/_sysconfigdata*"):
        stale.unlink()
    return copy


def pack_tree(tree: Path, plan: TargetPlan, tests: Path, result: Path) -> Path:
    """Pack a tree into one file, as `make onefile` does, with the `test` package in a folder; return the file."""
    library = Path(f"lib/python{plan.series}")
    command: list[str | Path] = [*emulator_of(plan), built(tree, plan), "-m", "_staticpython", "bundle", "--python"]
    command += ["-o", result, "--cache", "", "--site-packages", tree / library / "site-packages"]
    command += ["--add", f"{tests}:{library / 'test'}"]
    if subprocess.run(command, check=False).returncode:
        raise VerifyError("the tree could not be packed into one file")
    return result


def read_junit(path: Path) -> Outcome:
    """Read regrtest's JUnit XML: how many tests ran, passed, were skipped, and which failed."""
    outcome = Outcome()
    for case in ElementTree.parse(path).iter("testcase"):
        name = case.get("name", "")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed.add(name)
            outcome.counts["failed"] += 1
        elif (skipped := case.find("skipped")) is not None or case.get("result") == "skipped":
            outcome.counts["skipped"] += 1
            outcome.skips[(skipped.text or "").strip() if skipped is not None else ""] += 1
        else:
            outcome.counts["passed"] += 1
            outcome.passed.add(name)
    return outcome


def failed_cases(output: str) -> set[str]:
    """Return the ids of the tests that unittest reports in detail: the JUnit file does not say that subtests failed."""
    found = re.findall(r"^(?:FAIL|ERROR): (\S+) \((test[\w.]+)\)", output, re.MULTILINE)
    return {where if where.endswith(f".{name}") else f"{where}.{name}" for name, where in found}


def failed_files(output: str) -> set[str]:
    """Return the test files that regrtest's summary names as failed, crashed or timed out."""
    found: set[str] = set()
    listing = False
    for line in output.splitlines():
        if heading := re.match(r"\d+ tests? (.*):$", line):
            listing = heading.group(1).startswith(("failed", "crashed", "worker", "timed out"))
        elif listing and line.startswith("    "):
            found.update(line.split())
        else:
            listing = False
    return found


def expected_of(plan: TargetPlan, expectations: list[Expectation], *, one_file: bool = False) -> list[Expectation]:
    """Return the expectations that hold for a build: for its series, its arch, the patches in it and its form."""
    patches = [path for package in plan.packages for paths in package.patches.values() for path in paths]
    return [
        e
        for e in expectations
        if (not e.series or plan.series in e.series)
        and (one_file or not e.one_file)
        and (not e.arches or plan.arch.name in e.arches)
        and (not e.due_to or any(path.startswith(f"patches/{e.due_to}") for path in patches))
    ]


def unexpected(outcome: Outcome, expectations: list[Expectation]) -> list[str]:
    """Return the failures that no expectation names."""
    patterns = [p for e in expectations for p in e.tests]
    return [name for name in sorted(outcome.failed) if not _matches(name, patterns)]


def files_of(names: list[str]) -> list[str]:
    """Return the files of test ids: test_json of test.test_json.test_scanstring.TestCScanstring.test_surrogates."""
    return sorted({name.removeprefix("test.").split(".")[0] for name in names})


def settle(outcome: Outcome, again: Outcome, files: list[str]) -> None:
    """Use a second run's results for its files: tests that time out among many others pass alone."""
    first = {name for name in outcome.failed if files_of([name])[0] in files}
    outcome.recovered = first - again.failed
    outcome.failed -= outcome.recovered
    outcome.passed |= outcome.recovered
    outcome.counts["failed"] -= len(outcome.recovered)
    outcome.counts["passed"] += len(outcome.recovered)


def judge(outcome: Outcome, expectations: list[Expectation], *, complete: bool) -> list[str]:
    """Return what is unexpected: failures that are not listed, and listed tests that pass.

    After a complete run, listed failures that match no test are unexpected as well.
    """
    faults = [f"unexpected failure: {n}" for n in unexpected(outcome, expectations)]
    always = [e for e in expectations if not e.sometimes]
    for expectation in always:
        passed = [name for name in sorted(outcome.passed) if _matches(name, expectation.tests)]
        faults += [f"expected to fail, but passed: {name} ({expectation.reason})" for name in passed]
    if complete:
        for expectation in always:
            for pattern in expectation.tests:
                if not any(_matches(name, [pattern]) for name in outcome.failed):
                    faults.append(f"expected to fail, but did not: {pattern} ({expectation.reason})")
    return faults


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)


def run_suite(interpreter: Path, plan: TargetPlan, work: Path, tests: list[str], jobs: int) -> Outcome:
    """Run regrtest, which the interpreter contains; its output goes to the terminal and to work/output.txt."""
    junit = work.resolve() / "junit.xml"
    command = [*emulator_of(plan), str(interpreter.resolve()), "-m", "test", f"-j{jobs}", "--timeout=1200", "-W"]
    command += ["-u", RESOURCES, "--junit-xml", str(junit), *tests]
    # Without the user's settings, and without the Makefile's for reproducible builds.
    foreign = ("PYTHON", "SSL_", "PIP_", "LC_", "LANG", "TZ", "SOURCE_DATE_EPOCH")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    # test_cext and test_cppext compile as a user would: with a Zig in the PATH.
    zig = work.resolve().parents[1] / "sources/ziglang/ziglang"
    environment |= {"TERM": "xterm", "HOME": str(work.resolve()), "PATH": f"{zig}:{os.environ['PATH']}"}
    lines = []
    with subprocess.Popen(
        command,
        cwd=work,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    output = "".join(lines)
    (work / "output.txt").write_text(output, encoding="utf-8")
    if not junit.exists():
        raise VerifyError(f"the test suite did not finish (exit code {process.returncode})")
    outcome = read_junit(junit)
    new = failed_cases(output) - outcome.failed
    outcome.counts["passed"] -= len(new & outcome.passed)
    outcome.counts["failed"] += len(new)
    outcome.passed -= new
    outcome.failed |= new
    # A crashed worker reports no test cases: its file is reported instead.
    for name in failed_files(output):
        short = name.removeprefix("test.")
        if not any(f".{short}." in f".{case}" for case in outcome.failed):
            outcome.failed.add(name)
            outcome.counts["failed"] += 1
    return outcome


def starts_programs(python: Path) -> bool:
    """Return whether the kernel starts this interpreter, itself or through binfmt_misc (staticpython.emulate)."""
    try:
        return subprocess.run([python, "-S", "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def load_expectations(path: Path = EXPECTATIONS) -> list[Expectation]:
    """Read the expected failures; raises FactsError for one that names no test."""
    failures = load(path, Expectations).failures
    for number, expectation in enumerate(failures):
        for pattern in expectation.tests:
            if not re.fullmatch(r"\*?(?:test\.)?test_\w+(?:\.[\w*]+){2,}", pattern):
                raise FactsError(f"{path}: failures[{number}].tests: '{pattern}': write *test_file.Class.test_name")
    return failures


def named(words: list[str]) -> list[str]:
    """Return tests' names: `@selection` stands for those in tests/stdlib/selection.txt, and regrtest's options there.

    Raises UsageError for a list that does not exist.
    """
    names = []
    for word in words:
        path = EXPECTATIONS.with_name(f"{word[1:]}.txt")
        if word.startswith("@") and not path.is_file():
            raise UsageError(f"{word}: no list {path}")
        lines = path.read_text(encoding="utf-8").splitlines() if word.startswith("@") else [word]
        names += [name for line in lines if not line.startswith("#") for name in line.split()]
    return names


def main(arguments: list[str] | None = None) -> int:
    """Run the suite and check the results; return the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.stdlib_tests", description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--plan", type=Path, required=True)
    jobs = 2 * (os.cpu_count() or 1)  # they wait for half of their time
    parser.add_argument("--jobs", type=int, default=jobs, help="test files at a time (default: two on each CPU)")
    parser.add_argument("tests", nargs="*", help="names such as test_json, or @LIST; all when none is given")
    parser.add_argument("--one-file", action="store_true", help="pack interpreter and suite into one file first")
    parser.add_argument("--if-possible", action="store_true", help="only where the kernel starts the target's programs")
    options = parser.parse_intermixed_args(arguments)

    def body() -> int:
        plan = read_plan(options.plan)
        binary = built(options.tree, plan)
        expectations = expected_of(plan, load_expectations(), one_file=options.one_file)
        if options.if_possible and not starts_programs(binary):
            print("CPython's tests are left out: they start programs, and the kernel does not start the target's here")
            return 0
        work = options.plan.parent / "stdlib-tests"
        target = options.plan.parent
        sources, build = target.parent / "sources/cpython", target / "cpython-tests"
        tree = prepare_tree(options.tree, sources, build, work, plan.series)
        tests, interpreter = tree / f"lib/python{plan.series}/test", built(tree, plan)
        if options.one_file:
            interpreter = pack_tree(tree, plan, tests, work / "python")
        outcome = run_suite(interpreter, plan, work, named(options.tests), options.jobs)
        if files := files_of(unexpected(outcome, expectations)):
            print(f"\nonce more, alone: {' '.join(files)}")
            settle(outcome, run_suite(interpreter, plan, work, files, jobs=1), files)
        faults = judge(outcome, expectations, complete=not options.tests)
        counts = outcome.counts
        where = f"{plan.tree}{' in one file' if options.one_file else ''}"
        print(f"\n{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped on {where}")
        for reason, count in outcome.skips.most_common(15):
            print(f"  skipped {count:5}  {reason[:110]}")
        for name in sorted(outcome.recovered):
            print(f"  failed, but passed when run alone: {name}")
        if faults:
            raise VerifyError("\n  ".join(["CPython's tests do not go as expected:", *faults]))
        print(f"every failure ({counts['failed']}) has its reason in {EXPECTATIONS.relative_to(ROOT)}")
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
