"""docs/wheels.md is what staticpython.wheel_table prints."""

from __future__ import annotations

from staticpython.config import ROOT
from staticpython.schema import load
from staticpython.wheel_table import WHEELS, Verdict, Wheels, head, row

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
