"""No GPL code is linked unless it is requested."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from staticpython import plan as plan_module
from staticpython.errors import FactsError
from staticpython.licences import is_gpl
from staticpython.load import load_facts
from staticpython.plan import Options, make_plan


@pytest.fixture(autouse=True)
def x86_64_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "host_machine", lambda: "x86_64")


@pytest.mark.parametrize(
    ("expression", "gpl"),
    [
        ("MIT", False),
        ("GPL-2.0-only", True),
        ("LGPL-2.1-or-later", True),
        ("AGPL-3.0-only", True),
        ("GPLv3+", True),
        ("MIT OR GPL-2.0-or-later", False),
        ("LGPL-3.0-or-later OR GPL-2.0-or-later", True),
        ("MIT AND LGPL-2.1-only", True),
        ("MIT AND (BSD-3-Clause OR GPL-2.0-only)", False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("GPL-2.0-only WITH Linux-syscall-note", False),
        ("GPL-3.0-or-later WITH Autoconf-exception-3.0", True),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("LGPL-2.1-only AND MIT", True),
        ("GPL-3.0-or-later WITH GCC-exception-3.1 AND GPL-3.0-only", True),
    ],
)
def test_expressions(expression: str, gpl: bool) -> None:
    assert is_gpl(expression) == gpl


@pytest.mark.parametrize(
    "expression", ["", "MIT OR", "(MIT", "MIT BSD-2-Clause", "AND MIT", "MIT WITH", "MIT WITH (", "MIT OR AND", "MIT)"]
)
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(ValueError, match="no SPDX expression"):
        is_gpl(expression)


def relicense(project: Path, package: str, spdx: str) -> None:
    path = project / f"configs/packages/{package}.yml"
    before = load_facts(project).packages[package].licence.spdx
    text = path.read_text()
    assert f"spdx: {before}," in text
    path.write_text(text.replace(f"spdx: {before},", f"spdx: {spdx},"))


LINKED = sorted({(s.name, n) for s in load_facts().series.values() for m in s.modules.values() for n in m.needs})


@pytest.mark.parametrize(("series", "package"), LINKED)
def test_any_library_under_the_gpl_is_refused(project: Path, series: str, package: str) -> None:
    """For each package that a module links: were its licence the GPL, a build without --with-gpl would be refused."""
    relicense(project, package, "GPL-3.0-or-later")
    options = Options(arches=("x86_64",), python=series)
    linked = {p.name for p in make_plan(load_facts(), options).targets[0].packages}
    if package not in linked:  # left out already: its modules say `gpl: true`
        assert package == "gdbm"
        return
    with pytest.raises(
        FactsError, match=rf"{package}.yml: licence.spdx: GPL-3.0-or-later: linked only with --with-gpl"
    ):
        make_plan(load_facts(project), options)
    make_plan(load_facts(project), dataclasses.replace(options, with_gpl=True))


@pytest.mark.parametrize("package", ["musl", "compiler-rt", "mimalloc", "certifi", "tzdata", "cpython"])
def test_so_is_what_no_module_names(project: Path, package: str) -> None:
    relicense(project, package, "LGPL-2.1-or-later")
    with pytest.raises(FactsError, match=f"{package}.yml: licence.spdx"):
        make_plan(load_facts(project), Options(arches=("x86_64",)))


def test_a_module_without_its_mark_is_refused(project: Path) -> None:
    path = project / f"setup_local/{load_facts().default_series}.yml"
    text = path.read_text()
    assert text.count("feature: dbm, gpl: true") == 2
    path.write_text(text.replace("feature: dbm, gpl: true", "feature: dbm", 1))
    with pytest.raises(FactsError, match="but _dbm needs it"):
        make_plan(load_facts(project), Options(arches=("x86_64",)))


def test_a_mark_without_a_reason_is_refused(project: Path) -> None:
    relicense(project, "gdbm", "MIT")
    with pytest.raises(FactsError, match="modules._dbm.gpl: nothing that it needs is under the GPL"):
        make_plan(load_facts(project), Options(arches=("x86_64",)))


def test_a_replacement_is_under_the_gpl(project: Path) -> None:
    relicense(project, "readline", "MIT")
    with pytest.raises(FactsError, match="libedit.yml: replaced_by: readline is not under the GPL"):
        load_facts(project)


@pytest.mark.parametrize("toolchain", sorted(load_facts().toolchains))
def test_every_toolchain_keeps_the_promise(toolchain: str) -> None:
    """GCC and binutils are tools; its runtime has the exception, the kernel's headers have theirs."""
    prefix = "/opt/cross" if load_facts().toolchains[toolchain].from_prefix else ""
    (target,) = make_plan(
        load_facts(), Options(arches=("x86_64",), toolchain=toolchain, toolchain_prefix=prefix)
    ).targets
    linked = [p for p in target.packages if p.kind != "cross-tool"]
    assert [p.name for p in linked if p.licence.gpl] == []


PARTS = "expat: {spdx: MIT, folder: Modules/expat, text: COPYING}"


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("{spdx: MIT OR}", r"parts.expat.spdx: 'MIT OR' is no SPDX expression"),
        ("{spdx: LGPL-2.1-only}", r"parts.expat.spdx: LGPL-2.1-only: would be in every build"),
        ("{spdx: MIT, folder: Modules/expat}", r"parts.expat: give text and one of folder and files"),
        ("{spdx: MIT, files: [Python/x.c]}", r"parts.expat: give text and one of folder and files"),
        ("{spdx: MIT, folder: Modules/expat, text: COPYIN}", r"parts.expat.text: .*'COPYIN', did you mean 'COPYING'"),
    ],
)
def test_part_of_a_source(project: Path, part: str, says: str) -> None:
    path = project / "configs/packages/cpython.yml"
    assert PARTS in path.read_text()
    path.write_text(path.read_text().replace(PARTS, f"expat: {part}"))
    with pytest.raises(FactsError, match=says):
        load_facts(project)


def test_malformed_licence(project: Path) -> None:
    relicense(project, "xz", "0BSD OR")
    with pytest.raises(FactsError, match=r"xz.yml: licence.spdx: '0BSD OR' is no SPDX expression"):
        load_facts(project)
