"""docs/wheels.md is what staticpython.wheel_table prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from staticpython import wheel_table
from staticpython.config import ROOT
from staticpython.errors import UsageError
from staticpython.schema import load
from staticpython.wheel_table import COMPUTATIONS, Computation, Computations, Outcome, Row, Side, Wheel, main

PAGE = (ROOT / "docs/wheels.md").read_text(encoding="utf-8")
FACTS = load(COMPUTATIONS, Computations)


def test_the_page_has_the_head_and_every_project() -> None:
    tree = PAGE.splitlines()[0].split()[-1]
    assert PAGE.startswith(wheel_table.HEAD.partition("{control}")[0].format(tree=tree, install=wheel_table.INSTALL))
    rows = [line.split("|")[1].strip() for line in PAGE.splitlines() if line.startswith("| ")]
    assert rows == ["package", *FACTS.projects]


@pytest.mark.parametrize("project", FACTS.projects)
def test_programs_print_results(project: str) -> None:
    """The same text on both sides says nothing where there is none."""
    program = FACTS.projects[project].program
    compile(program, project, "exec")
    assert "print" in program


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("a-1-cp314-cp314-musllinux_1_2_x86_64.whl", "musllinux"),
        ("a-1-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "manylinux"),
        ("manylinux-1-py3-none-any.whl", "pure Python"),
    ],
)
def test_kind_of_wheel(file: str, kind: str) -> None:
    assert Wheel("1", file).kind == kind


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ("", "no message"),
        ("Traceback\n  line\nValueError: no\n\n", "ValueError: no"),
        ("ERROR: No matching distribution\n\n[notice] a new pip\n", "ERROR: No matching distribution"),
    ],
)
def test_reason(errors: str, reason: str) -> None:
    assert wheel_table.reason_of(errors) == reason


@pytest.mark.parametrize(
    ("here", "there", "text"),
    [
        ({}, {}, "4"),
        ({"a": "x"}, {"a": "y"}, "3 of 4; 1 on neither"),
        ({"a": "x", "b": "z"}, {"a": "y"}, "2 of 4; 1 on neither; `b`: z"),
        ({"b": "z"}, {}, "3 of 4; `b`: z"),
        ({}, {"b": "z"}, "4"),
    ],
)
def test_modules_are_compared(here: dict[str, str], there: dict[str, str], text: str) -> None:
    assert wheel_table.compare_modules(4, here, there) == text


@pytest.mark.parametrize(
    ("here", "there", "text"),
    [
        (Outcome(0, "a\nb\n", ""), Outcome(0, "a\nb\n", ""), "same, 2 lines"),
        (Outcome(0, "a\n", ""), Outcome(0, "a\n", ""), "same, 1 line"),
        (Outcome(0, "", ""), Outcome(0, "", ""), "**prints nothing**"),
        (Outcome(0, "a\nb\n", ""), Outcome(0, "a\nc\n", ""), "**differs**: `b`, on glibc `c`"),
        (Outcome(0, "a\n", ""), Outcome(0, "a\nc\n", ""), "**differs**: 1 lines here, 2 on glibc"),
        (Outcome(1, "a\n", "E: x"), Outcome(0, "a\n", ""), "**fails here**: E: x (exit code 1)"),
        (Outcome(1, "a\n", "E"), Outcome(1, "a\n", "E: y"), "fails on glibc: E: y"),
        (Outcome(0, "a\n", ""), Outcome(1, "a\n", "E: y"), "fails on glibc: E: y; works here"),
    ],
)
def test_outputs_are_compared(here: Outcome, there: Outcome, text: str) -> None:
    assert wheel_table.compare_outputs(here, there) == text


def test_line_and_summary() -> None:
    rows = [Row("a", "1", "musllinux", "none", "2", "same, 1 line"), Row("b", "2", "manylinux", "none", "1", "x | y")]
    assert wheel_table.line(rows[0], Computation("")) == "| a | 1 | musllinux | none | 2 | same, 1 line |"
    assert wheel_table.line(rows[1], Computation("", remark="why")) == (
        "| b | 2 | **manylinux** | none | 1 | x \\| y (*why*) |"
    )
    assert wheel_table.summary(rows) == (
        "Of 2 packages 1 have a musllinux wheel, and 1 only a manylinux wheel. 1 computed the same."
    )


# A pip that installs a package with one module, whose text it takes from a variable.
PIP = """
import json, os, pathlib, sys
words = sys.argv[1:]
report, target = (words[words.index(name) + 1] for name in ("--report", "--target"))
name, _, version = words[-1].partition("==")
if name == os.environ.get("REFUSED") or any(w.startswith("--platform=musl") for w in words):
    sys.exit("ERROR: No matching distribution found for " + name)
kind = "manylinux_2_28_x86_64" if os.environ.get("STATICPYTHON_GLIBC") else "musllinux_1_2_x86_64"
url = f"https://example.org/{name.replace('-', '_')}-1.5-cp314-cp314-{kind}.whl"
pathlib.Path(report).write_text(json.dumps(
    {"install": [{"metadata": {"name": name.replace("-", "_"), "version": "1.5"}, "download_info": {"url": url}}]}))
if "--dry-run" not in words:
    folder = pathlib.Path(target)
    (folder / "my_project-1.5.dist-info").mkdir(parents=True)
    (folder / "my_project-1.5.dist-info/RECORD").write_text(
        "mine/good.abi3.so,,\\nmine/bad.cpython-314-x86_64-linux-musl.so,,\\nmine/libx.so,,\\n")
    (folder / "mine").mkdir()
    (folder / "mine/good.py").write_text("")
    (folder / "mine/bad.py").write_text("raise ImportError('not here')")
"""


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Side, Side]:
    (tmp_path / "pip.py").write_text(PIP)
    command, pip = [sys.executable], tmp_path / "pip.py"
    return Side(command, pip, tmp_path, {wheel_table.SWITCH: "1"}), Side(command, pip, tmp_path)


def test_examine(tmp_path: Path, sides: tuple[Side, Side]) -> None:
    """The variable is set where a wheel for glibc was installed, for our interpreter only."""
    program = "import os, mine.good; print('a'); print(os.environ.get('STATICPYTHON_GLIBC'))"
    row = wheel_table.examine("my-project", Computation(program), *sides, tmp_path, "3.14")
    assert row == Row(
        "my-project", "1.5", "manylinux", "manylinux", "1 of 2; 1 on neither", "**differs**: `1`, on glibc `None`"
    )


def test_what_pip_refuses(tmp_path: Path, sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSED", "my-project")
    row = wheel_table.examine("my-project", Computation("print()"), *sides, tmp_path, "3.14")
    assert row.computed == "not installed: ERROR: No matching distribution found for my-project"
    assert not row.version


def test_a_program_that_hangs(tmp_path: Path, sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_table, "LIMIT", 1)
    assert sides[0].run(tmp_path, "-c", "while True: pass") == Outcome(-1, "", "not done after 1 s")


def test_rows_are_kept(tmp_path: Path, sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted run continues; what is asked for is made anew."""
    made: list[str] = []

    def examine(project: str, *_: object) -> Row:
        made.append(project)
        return Row(project, str(len(made)))

    monkeypatch.setattr(wheel_table, "examine", examine)
    for only, version in ([], "1"), ([], "1"), (["a"], "2"):
        options = wheel_table.Kept(tmp_path / "rows", tmp_path / "work", only, "3.14")
        assert wheel_table.kept("a", Computation(""), *sides, options).version == version
    assert json.loads((tmp_path / "rows/a.json").read_text())["version"] == "2"


def test_a_mistyped_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_table, "read_plan", lambda path: path)
    with pytest.raises(UsageError, match="numpi: not in computations.yml"):
        main(["tree", "--plan", "p", "--glibc", "g", "--work", str(tmp_path), "--only", "numpi"])


def test_a_control_without_glibc(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 3.14.7 on None\n")
    script.chmod(0o755)
    with pytest.raises(UsageError, match="is no CPython on glibc"):
        wheel_table.describe(script)
    script.write_text("#!/bin/sh\necho 3.14.7 on glibc 2.43\n")
    assert wheel_table.describe(script) == "3.14.7 on glibc 2.43"
