"""docs/wheels.md is what staticpython.wheel_table prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from staticpython.config import ROOT
from staticpython.schema import load
from staticpython.wheel_table import WHEELS, Verdict, Wheels, head, judge, row

PAGE = (ROOT / "docs/wheels.md").read_text(encoding="utf-8").splitlines()


def test_the_page_says_how_each_was_installed() -> None:
    top = head(PAGE[0].split()[-1]).splitlines()
    assert PAGE[: len(top)] == top
    assert "    pip install --only-binary :all: PACKAGE" in top


def test_every_row_has_what_is_known_of_its_package() -> None:
    wheels = load(WHEELS, Wheels)
    rows = {line.split("|")[1].strip(): line for line in PAGE if line.startswith("| ")}
    assert set(rows) - {"package"} == set(wheels.table)
    for project, remark in wheels.only_binary.items():
        assert remark in rows[project]


def test_row() -> None:
    wheels = Wheels(use={}, lacking=[], table=[], explained={"a": "why"}, only_binary={"a": "how", "b": "how"})
    assert row(Verdict("a", "1", 2, "1 of 2 import"), wheels) == "| a | 1 | 2 | 1 of 2 import (*why; how*) |"
    assert row(Verdict("a", "1", 2, "works"), wheels) == "| a | 1 | 2 | works (*how*) |"
    assert row(Verdict("c", "1", 2, "works"), wheels) == "| c | 1 | 2 | works |"


PYTHON = """#!/bin/sh
case $2 in
pip)
    [ "$PROJECT" != none ] || { echo "ERROR: No matching distribution" >&2; exit 1; }
    cd "$9" && mkdir My_Project-1.5.dist-info other-2.dist-info ;;
*) printf "$MODULES" ;;
esac
"""


@pytest.mark.parametrize(
    ("project", "modules", "expected"),
    [
        ("none", "", ("", 0, "no musllinux wheel for it")),
        ("my-project", "", ("1.5", 0, "no extension module in its wheel")),
        ("my-project", "a\t0\t\nb.c\t0\t\n", ("1.5", 2, "works")),
        ("my-project", "a\t0\t\nb\t1\tno\nc\t-11\t\n", ("1.5", 3, "1 of 3 import; `b`: no; `c`: exit code -11")),
    ],
)
def test_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: str, modules: str, expected: tuple[str, int, str]
) -> None:
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setenv("PROJECT", project)
    monkeypatch.setenv("MODULES", modules)
    assert judge(project, [str(tmp_path / "python")], tmp_path / "work") == Verdict(project, *expected)
