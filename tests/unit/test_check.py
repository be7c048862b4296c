"""What --check finds in facts that a build does not read."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from staticpython import check, cli, keys, matrix, patch_headers, stdlib_tests, wheel_table
from staticpython.config import ROOT, Licence
from staticpython.errors import FactsError
from staticpython.load import load_facts
from staticpython.plan import make_plan

FACTS = load_facts()


def planned(given: list[str]) -> None:
    make_plan(FACTS, cli._plan_options(cli._parsed(given), FACTS))


@pytest.fixture
def tests(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the facts of tests and measurements that a test may break."""
    for folder in ("tests", "bench"):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("*.py", "golden", "unit"))
    monkeypatch.setattr(check, "ROOT", project)
    for module, name in ((matrix, "VARIANTS"), (stdlib_tests, "EXPECTATIONS"), (wheel_table, "WHEELS")):
        monkeypatch.setattr(module, name, project / getattr(module, name).relative_to(ROOT))
    return project


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (
            "tests/matrix.yml",
            "    stdlib:",
            "    stdlb:",
            "variants.no-speedups.stdlb: unknown key, did you mean 'stdlib'",
        ),
        ("tests/matrix.yml", "--no-speedups]", "--no-speedup]", "variants.no-speedups.generate: unknown option"),
        ("tests/matrix.yml", "--flavour, small", "--flavour, smal", "variants.small.generate: unknown flavour 'smal'"),
        (
            "tests/matrix.yml",
            "--flavour, small",
            "--flavour",
            "variants.small.generate: argument --flavour: expected one",
        ),
        ("tests/matrix.yml", "@selection", "@selction", "variants.no-speedups.stdlib: @selction: no list"),
        ("tests/build/wheels.yml", "lacking:", "lackng:", "lackng: unknown key, did you mean 'lacking'"),
        ("tests/build/wheels.yml", "projects: [numpy", "projects: [nunpy", "lacking[0].projects: no project in `use`"),
        ("tests/build/wheels.yml", "[i386]", "[i368]", "lacking[0].arches: no arch 'i368', did you mean 'i386'"),
        ("tests/stdlib/expectations.yml", "reason:", "reson:", "failures[0].reson: unknown key"),
        ("tests/stdlib/expectations.yml", "[i386]", "[i368]", "arches: no arch 'i368', did you mean 'i386'"),
        ("tests/stdlib/expectations.yml", '["3.13"]', '["3.31"]', "series: no series '3.31', did you mean"),
        (
            "tests/stdlib/expectations.yml",
            "libedit/0005",
            "libedit/9",
            "failures[0].due_to: no patch is 'libedit/9...'",
        ),
        ("bench/bench.yml", "clock:", "clok:", "clok: unknown key, did you mean 'clock'"),
    ],
)
def test_mistakes_in_facts_of_tests_are_named(tests: Path, file: str, old: str, new: str, words: str) -> None:
    text = (tests / file).read_text()
    assert old in text
    (tests / file).write_text(text.replace(old, new, 1))
    with pytest.raises(FactsError) as error:
        check._check_facts_of_tests(FACTS, planned)
    assert str(error.value).startswith(f"{tests / file}: ") and words in str(error.value)


def test_a_misspelt_licence_is_suggested() -> None:
    package = dataclasses.replace(FACTS.packages["xz"], licence=Licence("MTI", []))
    with pytest.raises(FactsError, match=r"xz\.yml: licence\.spdx: .*MTI, did you mean 'MIT'\?"):
        check._check_licences(dataclasses.replace(FACTS, packages={"xz": package}))


@pytest.mark.parametrize(("days", "right"), [(30, True), (32, False)])
def test_a_release_is_not_of_the_future(days: int, right: bool) -> None:
    last = max([FACTS.release.date, *(series.date for series in FACTS.series.values())])
    today = datetime.date.fromisoformat(last) - datetime.timedelta(days)
    with nullcontext() if right else pytest.raises(FactsError, match=rf"date: {last} is in the future: today is"):
        check._check_dates(FACTS, today)


def test_choices_are_listed_whatever_patches_say(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "load_facts", partial(load_facts, project))
    next((project / "patches/cpython").glob("*.patch")).write_text("no header")
    assert cli.main(["--list"]) == 0
    assert cli.main(["--dry-run"]) == 3
    assert "CONTRIBUTING.md has the form of a header" in capsys.readouterr().err


@pytest.mark.parametrize("module", [keys, patch_headers])
def test_what_takes_no_arguments_refuses_them(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        module.main(["x"])
    assert "unrecognized arguments: x" in capsys.readouterr().err
