"""The helpers that make calls: verify, setup_local, stdlib_tests, archive and step.sh."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from staticpython import stdlib_tests
from staticpython.archive import archive
from staticpython.config import ROOT, Series, load_facts
from staticpython.emulate import rule_of
from staticpython.errors import FactsError, UsageError
from staticpython.setup_local import check_complete, render_setup_local
from staticpython.stdlib_tests import (
    Expectation,
    Outcome,
    failed_cases,
    failed_files,
    files_of,
    in_series,
    judge,
    load_expectations,
    read_junit,
    settle,
)
from staticpython.verify import binary_faults, module_faults, path_faults

STEP = ROOT / "staticpython/step.sh"


def test_verify_refuses_a_dynamic_program() -> None:
    arch = {"elf_machine": "EM_AARCH64", "elf_class": 64, "byte_order": "little", "thread_stack_mib": 8}
    faults = "\n".join(binary_faults(Path(sys.executable).resolve(), arch))
    assert "PT_INTERP" in faults
    assert "needs shared libraries: " in faults
    assert "EM_AARCH64" in faults


def test_verify_names_missing_modules() -> None:
    faults = list(module_faults([sys.executable], ["sys", "no_such_module"]))
    assert faults == ["module no_such_module is not linked in"]


def test_verify_finds_build_paths(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("prefix=/home/builder/x")
    assert list(path_faults(tmp_path, ["/home/builder"])) == ["a: holds the build's path /home/builder"]


def test_kernel_is_told_what_the_emulator_runs() -> None:
    """The rule's bytes against the head of a program that the ELF gABI would have (System V, ET_EXEC or ET_DYN)."""
    arch = dataclasses.asdict(load_facts().arches["riscv64"])
    _, name, kind, _, magic, mask, emulator, flags = rule_of(arch, "/usr/bin/emulator").split(":")
    assert (name, kind, emulator, flags) == ("riscv64-linux-musl", "M", "/usr/bin/emulator", "PF")
    heads = [bytes.fromhex(text.replace("\\x", "")) for text in (magic, mask)]

    def fits(file: bytes) -> bool:
        return all(a & m == b & m for a, b, m in zip(file, *heads, strict=False)) and len(file) >= len(heads[0])

    elf = b"\x7fELF\x02\x01\x01\x00" + bytes(8)
    assert fits(elf + b"\x02\x00\xf3\x00") and fits(elf + b"\x03\x00\xf3\x00")
    assert not fits(elf + b"\x03\x00\x3e\x00")
    assert not fits(b"\x7fELF\x01\x01\x01\x00" + bytes(8) + b"\x03\x00\xf3\x00")


def test_setup_local_has_static_and_disabled() -> None:
    facts = load_facts()
    modules = facts.series[facts.default_series].modules
    text = render_setup_local({"math": modules["math"], "array": modules["array"]}, ("_ssl",), "by a test")
    assert text == "# by a test\n*static*\narray arraymodule.c\nmath mathmodule.c\n\n*disabled*\n_ssl\n"


@pytest.mark.parametrize("series", load_facts().series.values(), ids=lambda s: s.name)
def test_module_table_and_cpython_must_agree(tmp_path: Path, series: Series) -> None:
    table = tmp_path / "Setup.stdlib.in"
    lines = [f"@MODULE_{name.upper()}_TRUE@{name} x.c" for name in series.modules]
    table.write_text("\n".join(lines))
    check_complete(series, table)
    table.write_text("\n".join([*lines, "#@MODULE_NEW_TRUE@new new.c"]))
    with pytest.raises(FactsError, match="CPython has modules that are not listed: new;"):
        check_complete(series, table)
    table.write_text("\n".join(lines[1:]))
    with pytest.raises(FactsError, match="CPython has no such modules: array"):
        check_complete(series, table)


def test_archive_is_reproducible(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        tree = tmp_path / name / "tree"
        (tree / "bin").mkdir(parents=True)
        (tree / "bin/python3").symlink_to("python3.13")
        (tree / "bin/python3.13").write_text("x")
        digests.append(archive(tree).read_bytes())
    assert digests[0] == digests[1]


def test_junit_is_counted(tmp_path: Path) -> None:
    xml = tmp_path / "junit.xml"
    xml.write_text(
        "<testsuites><testsuite><testcase name='test.test_a.T.good'/><testcase name='test.test_a.T.bad'><failure/>"
        "</testcase><testcase name='test.test_a.T.no'><skipped>no display</skipped></testcase></testsuite></testsuites>"
    )
    outcome = read_junit(xml)
    assert outcome.counts == Counter(passed=1, failed=1, skipped=1)
    assert outcome.failed == {"test.test_a.T.bad"}
    assert outcome.skips == Counter({"no display": 1})


def test_crashed_files_are_found() -> None:
    output = "3 tests OK.\n\n2 tests failed:\n    test_a test_b\n\n1 test skipped:\n    test_c\n"
    assert failed_files(output) == {"test_a", "test_b"}


def test_lists_of_tests_have_names() -> None:
    names = stdlib_tests.named(["test_a", "@selection", "@emulated"])
    assert names[0] == "test_a" and {"test_ssl", "test_zlib"} <= set(names)
    assert all(re.fullmatch(r"test_\w+", name) for name in names)
    with pytest.raises(UsageError, match="no list tests/stdlib/selektion.txt"):
        stdlib_tests.named(["@selektion"])


def test_every_failure_needs_a_reason() -> None:
    outcome = Outcome(failed={"test.test_a.T.x", "test.test_b.T.y"})
    reason = Expectation(tests=["*test_a.T.x"], reason="because", arches=["x86_64"])
    assert judge(outcome, [reason], "x86_64", complete=True) == ["unexpected failure: test.test_b.T.y"]
    assert len(judge(outcome, [reason], "i386", complete=True)) == 2
    stale = judge(Outcome(), [reason], "x86_64", complete=True)
    assert stale == ["expected to fail, but did not: *test_a.T.x (because)"]
    assert judge(Outcome(), [reason], "x86_64", complete=False) == []


def test_expected_failure_that_passes_is_a_fault() -> None:
    """Also when only some tests are run, and for each test that a pattern names."""
    reason = Expectation(tests=["*test_a.T.x*"], reason="because")
    outcome = Outcome(failed={"test.test_a.T.x1"}, passed={"test.test_a.T.x2", "test.test_a.T.y"})
    faults = judge(outcome, [reason], "x86_64", complete=False)
    assert faults == ["expected to fail, but passed: test.test_a.T.x2 (because)"]
    assert judge(outcome, [dataclasses.replace(reason, sometimes=True)], "x86_64", complete=False) == []
    assert judge(outcome, [dataclasses.replace(reason, arches=["i386"])], "x86_64", complete=False) != faults


def test_failed_subtests_are_found() -> None:
    output = """
FAIL: test_x (test.test_a.T.test_x) (locale='en_US')
FAIL: test_x (test.test_a.T.test_x) (locale='de_DE')
ERROR: setUpClass (test.test_b.U)
FAIL: nothing of a test's own output (here)
"""
    assert failed_cases(output) == {"test.test_a.T.test_x", "test.test_b.U.setUpClass"}


@pytest.mark.parametrize("pattern", ["test_a", "*", "*test_a*", "*test_a.T", "test.test_a.T"])
def test_whole_files_are_not_expected_to_fail(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "expectations.yml"
    path.write_text(f"failures:\n  - {{tests: ['{pattern}'], reason: because}}\n")
    with pytest.raises(FactsError, match=r"failures\[0\]\.tests: .*: write \*test_file\.Class\.test_name"):
        load_expectations(path)
    assert load_expectations()


def test_second_run_decides() -> None:
    crowd = Outcome(Counter(passed=10, failed=2), {"test.test_a.T.slow", "test.test_a.T.broken"})
    settle(crowd, Outcome(failed={"test.test_a.T.broken"}), files_of(sorted(crowd.failed)))
    assert crowd.failed == {"test.test_a.T.broken"}
    assert crowd.recovered == {"test.test_a.T.slow"}
    assert crowd.counts == Counter(passed=11, failed=1)


def step(cwd: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(STEP), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **env})


def test_step_logs_and_times(tmp_path: Path) -> None:
    run = step(tmp_path, "x86_64", "zlib", "build", "echo", "a b")
    assert (run.returncode, run.stdout.split()) == (0, ["x86_64", "zlib", "build"])
    log = (tmp_path / "logs/x86_64/zlib.log").read_text()
    assert "(cd . && echo 'a b')" in log
    assert log.endswith("\na b\n")
    assert (tmp_path / "build/x86_64/times.tsv").read_text() == "zlib\tbuild\t0\n"


@pytest.mark.parametrize("verbose", ["0", "1"])
def test_step_shows_the_end_of_the_log_on_failure(tmp_path: Path, verbose: str) -> None:
    run = step(tmp_path, "x86_64", "zlib", "build", "sh", "-c", "seq 100; echo broken >&2; exit 7", V=verbose)
    assert run.returncode == 7
    assert "exit code 7" in run.stderr
    assert "broken" in run.stderr
    assert f"Whole log: {tmp_path}/logs/x86_64/zlib.log" in run.stderr
    assert "\n60\n" not in run.stderr
    assert ("\n60\n" in run.stdout) == (verbose == "1")


def test_step_changes_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    step(tmp_path, "-C", "sub", "x86_64", "zlib", "build", "touch", "here")
    assert (tmp_path / "sub/here").exists()


def test_expectations_of_a_series() -> None:
    every = Expectation(["*test_a.T.x"], "always")
    old = Expectation(["*test_a.T.y"], "long ago", series=["3.1"])
    assert in_series("3.1", [every, old]) == [every, old]
    assert in_series("3.2", [every, old]) == [every]
    known = set(load_facts().series)
    assert {name for e in load_expectations() for name in e.series} <= known, "a series that there is not"
