"""Read the YAML files: `load_facts`."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterator
from pathlib import Path

from staticpython import rules
from staticpython.config import (
    ROOT,
    Answers,
    Arch,
    Facts,
    Family,
    Flavour,
    Launcher,
    Modules,
    OwnRelease,
    Package,
    Series,
    Supported,
    Toolchain,
    check_known,
)
from staticpython.errors import FactsError, nearest
from staticpython.schema import load, read_text

_FOLDERS = ("common", "families", "flavours", "launchers", "packages", "series", "toolchains")


def load_facts(root: Path = ROOT, *, with_patches: bool = True) -> Facts:
    """Read and check all YAML files below `root`, and the patches' places; raises FactsError with file, key, remedy."""
    _check_files(root)
    configs = root / "configs"
    answers = load(configs / "common/answers.yml", Answers).configure_answers
    families = {p.stem: load(p, Family) for p in sorted((configs / "families").glob("*.yml"))}
    facts = Facts(
        arches={p.stem: _load_arch(p, answers) for p in sorted(configs.glob("*.yml"))},
        packages={p.stem: load(p, Package, name=p.stem) for p in sorted((configs / "packages").glob("*.yml"))},
        toolchains={p.stem: _load_toolchain(p, families) for p in sorted((configs / "toolchains").glob("*.yml"))},
        launchers={p.stem: load(p, Launcher, name=p.stem) for p in sorted((configs / "launchers").glob("*.yml"))},
        flavours={p.stem: load(p, Flavour, name=p.stem) for p in sorted((configs / "flavours").glob("*.yml"))},
        series=_load_every_series(root),
        release=_load_release(configs / "common/release.yml"),
        supported=[],
    )
    rules.check_series(facts, root)
    facts.packages[facts.cpython.name] = _with_releases(facts)
    facts.supported.extend(_load_supported(root / "supported.txt", facts))
    rules.check_facts(facts, root)
    if with_patches:
        rules.check_patches(facts, root)
    return facts


def _load_arch(path: Path, answers: dict[str, str]) -> Arch:
    arch = load(path, Arch, name=path.stem)
    rules.check_arch(path, arch)
    return dataclasses.replace(arch, configure_answers=answers | arch.configure_answers)


def _load_every_series(root: Path) -> dict[str, Series]:
    found: dict[str, Series] = {}
    # A variant's name comes after that of its series.
    for path in sorted((root / "configs/series").glob("*.yml"), key=lambda p: p.stem):
        series = load(path, Series, name=path.stem, modules={})
        found[path.stem] = _load_variant(path, series, found) if series.variant_of else _load_series(path, series, root)
    return found


def _load_variant(path: Path, own: Series, others: dict[str, Series]) -> Series:
    assert own.variant_of
    check_known(path, "variant_of", "series", own.variant_of, [s.name for s in others.values() if not s.variant_of])
    base = others[own.variant_of]
    if not own.name.startswith(base.name):
        raise FactsError(f"{path}: variant_of: name the file {base.name}<ABI flags>.yml")
    for name in ("releases", "date"):
        if getattr(own, name):
            raise FactsError(f"{path}: {name}: {own.name} has that of {base.name}")
    return dataclasses.replace(
        own,
        modules=base.modules,
        releases=base.releases,
        date=base.date,
        overlay=base.overlay | own.overlay,
        only_for_speed=[*base.only_for_speed, *own.only_for_speed],
        configure=[*base.configure, *own.configure],
        tail_calls=[*base.tail_calls, *own.tail_calls],
        configure_env=base.configure_env | own.configure_env,
        link=[*base.link, *own.link],
        lacking=base.lacking | own.lacking,
    )


def _load_series(path: Path, series: Series, root: Path) -> Series:
    modules = root / "setup_local" / path.name
    if not re.fullmatch(r"[0-9]+\.[0-9]+", path.stem):
        raise FactsError(f"{path}: is named by no series, as 3.16.yml is; another build of one says variant_of")
    if not modules.is_file():
        raise FactsError(
            f"{path}: no {modules}, which lists its extension modules: copy that of the nearest series, then adapt it"
            " to what Modules/Setup.stdlib.in of its source lists"
        )
    series = dataclasses.replace(series, modules=load(modules, Modules).modules)
    _check_date(path, series.date)
    if not series.releases:
        raise FactsError(f"{path}: releases: give one at least")
    for i, release in enumerate(series.releases):
        if not release.version.startswith(f"{series.name}."):
            raise FactsError(f"{path}: releases[{i}].version: {release.version} is of another series")
    return series


def _load_release(path: Path) -> OwnRelease:
    release = load(path, OwnRelease)
    _check_date(path, release.date)
    return release


def _check_date(path: Path, date: str) -> None:
    """Raise FactsError if the text is not a day in the form year-month-day."""
    try:
        exact = datetime.date.fromisoformat(date).isoformat() == date  # newer Pythons accept other forms, too
    except ValueError:
        exact = False
    if not exact:
        raise FactsError(f"{path}: date: '{date}' is no day: write it as 2026-08-05")


def _with_releases(facts: Facts) -> Package:
    """Return the interpreter's package with the releases of all series, the default one's first."""
    ordered = sorted(facts.series.values(), key=lambda s: s.name != facts.default_series)
    return dataclasses.replace(facts.cpython, releases=[r for s in ordered if not s.variant_of for r in s.releases])


def _check_files(root: Path) -> None:
    """Raise FactsError for files that nothing would read."""
    for folder in ("configs", *(f"configs/{name}" for name in _FOLDERS), "setup_local"):
        for path in sorted((root / folder).glob("*")):
            wanted = path.suffix == ".yml" or (folder == "configs" and path.name in (*_FOLDERS, "licences"))
            if path.name.startswith(".") or path.name.endswith("~"):
                continue  # an editor's
            if not wanted:
                raise FactsError(f"{path}: is not read: names of files here end with .yml")
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", path.stem):
                raise FactsError(f"{path}: the name must be of letters, digits and _ . + -")
    if (root / "configs/all.yml").exists():
        raise FactsError(f"{root}/configs/all.yml: --arch all means every arch: choose another name")


def _load_toolchain(path: Path, families: dict[str, Family]) -> Toolchain:
    toolchain = load(path, Toolchain, name=path.stem)
    check_known(path, "family", "family", toolchain.family, families)
    family = families[toolchain.family]
    return dataclasses.replace(
        toolchain,
        cflags=[*family.cflags, *toolchain.cflags],
        ldflags=[*family.ldflags, *toolchain.ldflags],
        preserve_none=family.preserve_none,
        optimisation=family.optimisation,
    )


def _load_supported(path: Path, facts: Facts) -> Iterator[Supported]:
    arches = {a.triple: a.name for a in facts.arches.values()}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.startswith("#"):
            continue
        triple, toolchain, tested_by = (*line.split(None, 2), "", "", "")[:3]
        for what, word, known, origin in (
            ("triple", triple, list(arches), "`triple` in configs/<arch>.yml"),
            ("toolchain", toolchain, list(facts.toolchains), "the name of its file in configs/toolchains"),
        ):
            if word not in known:
                raise FactsError(
                    f"{path}:{number}: unknown {what} '{word}'{nearest(word, known)}; correct this line, or {origin}"
                )
        if not tested_by:
            raise FactsError(f"{path}:{number}: say what the pair is tested by")
        yield Supported(arches[triple], toolchain, tested_by)
