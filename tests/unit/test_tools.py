"""The helpers that make calls: verify, setup_local, stdlib_tests and step.sh."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from staticpython import setup_local, stdlib_tests
from staticpython.config import ROOT, Series
from staticpython.emulate import prefix_of, rule_of
from staticpython.errors import FactsError, UsageError, VerifyError
from staticpython.load import load_facts
from staticpython.report import seconds_by_package
from staticpython.setup_local import check_complete, render_setup_local, source_files
from staticpython.stdlib_tests import (
    Expectation,
    Outcome,
    expected_of,
    failed_cases,
    failed_files,
    files_of,
    judge,
    load_expectations,
    prepare_tree,
    read_junit,
    run_suite,
    settle,
)
from staticpython.verify import binary_faults, module_faults, path_faults
from tests.unit.test_published import plan_of

STEP = ROOT / "staticpython/step.sh"


HEAVY = ("requests", "rich", "bench", "jinja2")
LIGHT = ("assemble", "image", "index", "profile", "provenance", "unpack", "verify")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        *((f"staticpython.{name}", HEAVY) for name in LIGHT),
        ("staticpython.keys", ("bench",)),
        ("staticpython.cli", HEAVY[:3]),
    ],
)
def test_what_a_helper_does_not_use_it_does_not_import(module: str, heavy: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_verify_refuses_a_dynamic_program() -> None:
    arch = load_facts().arches["aarch64"]
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
    arch = load_facts().arches["riscv64"]
    _, name, kind, _, magic, mask, emulator, flags = rule_of(arch, "/usr/bin/emulator").split(":")
    assert (name, kind, emulator, flags) == ("riscv64-linux-musl", "M", "/usr/bin/emulator", "PF")
    heads = [bytes.fromhex(text.replace("\\x", "")) for text in (magic, mask)]

    def fits(file: bytes) -> bool:
        return all(a & m == b & m for a, b, m in zip(file, *heads, strict=False)) and len(file) >= len(heads[0])

    elf = b"\x7fELF\x02\x01\x01\x00" + bytes(8)
    assert fits(elf + b"\x02\x00\xf3\x00") and fits(elf + b"\x03\x00\xf3\x00")
    assert not fits(elf + b"\x03\x00\x3e\x00")
    assert not fits(b"\x7fELF\x01\x01\x01\x00" + bytes(8) + b"\x03\x00\xf3\x00")


@pytest.mark.parametrize("allowed", [True, False])
def test_the_kernel_is_told_only_where_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], allowed: bool
) -> None:
    for name in ("unshare", "qemu-riscv64-static"):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {int(not allowed)}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = dataclasses.replace(plan_of(arches=("riscv64",)), native=False)
    prefix = prefix_of(plan)
    assert bool(prefix) == allowed
    assert not prefix or (prefix[0], prefix[-1]) == (
        "unshare",
        rule_of(plan.arch, f"{tmp_path}/qemu-riscv64-static"),
    )
    assert ("no binfmt_misc in a user namespace: riscv64" in capsys.readouterr().err) == (not allowed)
    assert prefix_of(dataclasses.replace(plan, native=True)) == []


def test_setup_local_has_static_and_disabled() -> None:
    facts = load_facts()
    modules = facts.series[facts.default_series].modules
    text = render_setup_local({"math": modules["math"], "array": modules["array"]}, ("_ssl",), "by a test")
    assert text == "# by a test\n*static*\narray arraymodule.c\nmath mathmodule.c\n\n*disabled*\n_ssl\n"
    text = render_setup_local({"math": modules["math"]}, (), "by a test", {"array": modules["array"]})
    assert text == "# by a test\n*static*\nmath mathmodule.c\n\n*shared*\narray arraymodule.c\n\n*disabled*\n"


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
    assert (ROOT / series.modules_file).is_file(), "messages name it"
    with pytest.raises(FactsError, match=f"^{series.modules_file}: CPython has no such modules: array.* of your own "):
        check_complete(series, table)


def test_a_source_file_of_a_module_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series = load_facts().series["3.13"]
    table = tmp_path / "Setup.stdlib.in"
    table.write_text("\n".join(f"@MODULE_{name.upper()}_TRUE@{name} x.c" for name in series.modules))
    for name in (file for module in series.modules.values() for file in source_files(module)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    arguments = ["check", "3.13", str(table)]
    assert setup_local.main(arguments) == 0, capsys.readouterr().err
    (tmp_path / "_decimal/_decimal.c").rename(tmp_path / "_decimal/_decimall.c")
    assert setup_local.main(arguments) == 3
    words = "setup_local/3.13.yml: modules._decimal.sources: CPython has no Modules/_decimal/_decimal.c, did you mean"
    assert f"{words} '_decimal/_decimall.c'" in capsys.readouterr().err


def test_junit_is_counted(tmp_path: Path) -> None:
    xml = tmp_path / "junit.xml"
    xml.write_text(
        "<testsuites><testsuite><testcase name='test.test_a.T.good'/><testcase name='test.test_a.T.bad'><failure/>"
        "</testcase><testcase name='test.test_a.T.no'><skipped>no display</skipped></testcase></testsuite><testsuite>"
        "<testcase name='test.test_a.T.worse'><error/></testcase>"
        "<testcase name='test.test_a.T.none'><skipped/></testcase>"
        "<testcase name='test.test_a.T.old' result='skipped'/></testsuite></testsuites>"
    )
    outcome = read_junit(xml)
    assert outcome.counts == Counter(passed=1, failed=2, skipped=3)
    assert outcome.failed == {"test.test_a.T.bad", "test.test_a.T.worse"}
    assert outcome.passed == {"test.test_a.T.good"}
    assert outcome.skips == Counter({"no display": 1, "": 2})


def test_crashed_files_are_found() -> None:
    output = "3 tests OK.\n\n2 tests failed:\n    test_a test_b\n\n1 test skipped:\n    test_c\n"
    assert failed_files(output) == {"test_a", "test_b"}
    output = "    no list\n1 test crashed:\n    test_a\n\n    no list either\n"
    assert failed_files(output) == {"test_a"}


SUITE = """\
#!/bin/sh
env >environment; echo "$@" >arguments
echo "FAIL: test_sub (test.test_a.T.test_sub) (i=1)"
printf "2 tests failed:\\n    test_a test_crashed\\n"
[ -e ../ends ] && cat >junit.xml <<END
<testsuites><testsuite>
<testcase name='test.test_a.T.test_sub'/><testcase name='test.test_a.T.good'/>
</testsuite></testsuites>
END
"""


def test_suite_is_run_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JUnit's file has neither failed subtests nor a file that crashed."""
    work, python = tmp_path / "x/stdlib-tests", tmp_path / "tree/bin/python3.13"
    for folder in (work, python.parent):
        folder.mkdir(parents=True)
    python.write_text(SUITE)
    python.chmod(0o755)
    for name in ("PYTHONPATH", "LC_ALL", "SOURCE_DATE_EPOCH"):
        monkeypatch.setenv(name, "foreign")
    plan = dataclasses.replace(plan_of(), series="3.13", native=True)
    with pytest.raises(VerifyError, match="the test suite did not finish"):
        run_suite(python, plan, work, ["test_a"], 2)
    (tmp_path / "x/ends").touch()
    outcome = run_suite(python, plan, work, ["test_a"], 2)
    assert outcome.failed == {"test.test_a.T.test_sub", "test_crashed"} and outcome.passed == {"test.test_a.T.good"}
    assert outcome.counts == Counter(passed=1, failed=2)
    words = (work / "arguments").read_text().split()
    assert words[:3] == ["-m", "test", "-j2"] and words[-3:] == ["--junit-xml", str(work / "junit.xml"), "test_a"]
    environment = (work / "environment").read_text()
    assert "foreign" not in environment and f"HOME={work}\n" in environment
    assert "test_crashed" in (work / "output.txt").read_text()


def test_suite_has_a_tree_of_its_own(tmp_path: Path) -> None:
    config = "lib/python3.13/_sysconfigdata_x.py"
    for name in (
        *(f"tree/{config}", "tree/lib/python3.13/__pycache__/_sysconfigdata_x.pyc", "tree/bin/python3"),
        *("tree/lib/python3.13/lib-dynload/README", "sources/Lib/test/test_a.py", "work/tree/old"),
        *("build/Modules/_test.so", "build/Modules/other.o", "build/Programs/_testembed"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{'TEST_MODULES': 'no'}")
    before = {*(tmp_path / "tree").rglob("*")}
    copy = prepare_tree(tmp_path / "tree", tmp_path / "sources", tmp_path / "build", tmp_path / "work", "3.13")
    found = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    library = {f"lib/python3.13/{name}" for name in ("lib-dynload/README", "lib-dynload/_test.so", "test/test_a.py")}
    assert found == {config, "bin/python3", "bin/Programs/_testembed", *library}
    assert (copy / config).read_text() == "{'TEST_MODULES': 'yes'}"
    assert {*(tmp_path / "tree").rglob("*")} == before


def test_lists_of_tests_have_names() -> None:
    names = stdlib_tests.named(["test_a", "@selection", "@emulated"])
    assert names[0] == "test_a" and {"test_ssl", "test_zlib"} <= set(names)
    assert all(re.fullmatch(r"test_\w+|--ignore=\S+", name) for name in names)
    with pytest.raises(UsageError, match="no list .*tests/stdlib/selektion.txt"):
        stdlib_tests.named(["@selektion"])


def test_every_failure_needs_a_reason() -> None:
    outcome = Outcome(failed={"test.test_a.T.x", "test.test_b.T.y"})
    reason = Expectation(tests=["*test_a.T.x"], reason="because")
    assert judge(outcome, [reason], complete=True) == ["unexpected failure: test.test_b.T.y"]
    assert len(judge(outcome, [], complete=True)) == 2
    stale = judge(Outcome(), [reason], complete=True)
    assert stale == ["expected to fail, but did not: *test_a.T.x (because)"]
    assert judge(Outcome(), [reason], complete=False) == []


def test_expected_failure_that_passes_is_a_fault() -> None:
    """Also if only some tests are run, and for each test that a pattern matches."""
    reason = Expectation(tests=["*test_a.T.x*"], reason="because")
    outcome = Outcome(failed={"test.test_a.T.x1"}, passed={"test.test_a.T.x2", "test.test_a.T.y"})
    faults = judge(outcome, [reason], complete=False)
    assert faults == ["expected to fail, but passed: test.test_a.T.x2 (because)"]
    for complete in (False, True):
        assert judge(outcome, [dataclasses.replace(reason, sometimes=True)], complete=complete) == []
    assert judge(Outcome(), [dataclasses.replace(reason, sometimes=True)], complete=True) == []


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
    assert crowd.counts == Counter(passed=11, failed=1) and crowd.passed == {"test.test_a.T.slow"}
    other = Outcome(failed={"test.test_b.T.x"})
    settle(other, Outcome(), ["test_a"])
    assert other.failed == {"test.test_b.T.x"}, "its file did not run again"


def step(cwd: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(STEP), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **env})


def test_step_logs_and_times(tmp_path: Path) -> None:
    run = step(tmp_path, "x86_64", "zlib", "build", "echo", "a b")
    assert (run.returncode, run.stdout.split()) == (0, ["x86_64", "zlib", "build"])
    log = (tmp_path / "logs/x86_64/zlib.log").read_text()
    assert "#: build\n(cd . && echo 'a b')" in log
    assert log.endswith("\na b\n\n")
    assert re.fullmatch(r"zlib\tbuild\t[0-9]\n", (tmp_path / "build/x86_64/times.tsv").read_text())


@pytest.mark.parametrize("verbose", ["0", "1"])
def test_step_shows_the_end_of_the_log_on_failure(tmp_path: Path, verbose: str) -> None:
    run = step(tmp_path, "x86_64", "zlib", "build", "sh", "-c", "seq 100; echo broken >&2; exit 7", V=verbose)
    assert run.returncode == 7
    assert "exit code 7" in run.stderr
    assert "broken" in run.stderr
    assert f"Whole log: {tmp_path}/logs/x86_64/zlib.log" in run.stderr
    assert "\n60\n" not in run.stderr
    assert ("\n60\n" in run.stdout) == (verbose == "1")


def test_a_log_holds_the_last_run_of_each_step(tmp_path: Path) -> None:
    log = tmp_path / "logs/x86_64/zlib.log"
    step(tmp_path, "x86_64", "zlib", "build", "echo", "of yesterday")
    step(tmp_path, "x86_64", "zlib", "build-all", "echo", "of another step")
    once = log.stat().st_size
    run = step(tmp_path, "x86_64", "zlib", "build", "sh", "-c", "echo 'of today'; exit 7")
    assert "of today" in run.stderr and "of yesterday" not in run.stderr
    assert "of today" in log.read_text() and "of yesterday" not in log.read_text()
    step(tmp_path, "x86_64", "zlib", "build", "echo", "of yesterday")
    assert "of another step" in log.read_text() and log.stat().st_size == once


@pytest.mark.parametrize(
    ("flags", "runs"),
    [("n", False), ("wn -j2", False), ("", True), (" --no-print-directory", True), ("w -- n=n", True)],
)
def test_step_does_nothing_where_make_only_shows(tmp_path: Path, flags: str, runs: bool) -> None:
    assert step(tmp_path, "x86_64", "zlib", "build", "touch", "made", MAKEFLAGS=flags).returncode == 0
    assert (tmp_path / "made").exists() == runs


def test_step_changes_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    step(tmp_path, "-C", "sub", "x86_64", "zlib", "build", "touch", "here")
    assert (tmp_path / "sub/here").exists()


def test_expectations_of_a_build() -> None:
    written = plan_of(arches=("i386",))
    patched = dataclasses.replace(written.packages[0], patches={"1.0": ["patches/a/0001-b.patch"]})
    plan = dataclasses.replace(written, series="3.1", packages=[patched])
    every = Expectation(["*test_a.T.x"], "always")
    mine = [
        every,
        dataclasses.replace(every, series=["3.0", "3.1"]),
        dataclasses.replace(every, arches=["i386"]),
        dataclasses.replace(every, due_to="a/0001"),
    ]
    others = [
        dataclasses.replace(every, series=["3.2"]),
        dataclasses.replace(every, arches=["x86_64"]),
        dataclasses.replace(every, due_to="a/0002"),
        dataclasses.replace(every, series=["3.1"], due_to="b/0001"),
    ]
    inside = dataclasses.replace(every, one_file=True)
    assert expected_of(plan, [*mine, *others, inside]) == mine
    assert expected_of(plan, [*mine, *others, inside], one_file=True) == [*mine, inside]


def test_times_of_the_last_run(tmp_path: Path) -> None:
    (tmp_path / "times.tsv").write_text(
        "zlib\tbegin\t9\nzlib\tbuild\t7\nxz\tbuild\t3\nzlib\tempty\t1\nzlib\tbuild\t2\n"
    )
    assert seconds_by_package(tmp_path / "times.tsv") == {"zlib": {"build": 2}, "xz": {"build": 3}}
