"""What `generate.py --check` looks at besides the facts of a build: patches' headers, licences, the facts of tests."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from staticpython.config import ROOT, Facts, check_known
from staticpython.errors import FactsError, UsageError, nearest
from staticpython.patch_headers import Header, read_header
from staticpython.rules import references
from staticpython.schema import load

# What takes the sources themselves.
SEEN_ELSEWHERE = (
    "not checked here: whether patches apply, and whether CPython has the source files of modules; for that run"
    " `make fetch`, then `.venv/bin/python -m pytest tests/unit/test_patches.py`"
)


def check(facts: Facts, plan: Callable[[list[str]], object]) -> str:
    """Return how many patches there are, print warnings; raises FactsError. `plan` makes a plan of options."""
    _check_licences(facts)
    _check_dates(facts, datetime.date.today())
    _check_facts_of_tests(facts, plan)
    headers = [_checked_header(patch) for patch in sorted((ROOT / "patches").glob("*/*.patch"))]
    for said in _doubts(facts):
        print(f"warning: {said}", file=sys.stderr)
    return f"{len(headers)} patches"


def _doubts(facts: Facts) -> Iterator[str]:
    for name in _unneeded(facts):
        yield f"configs/packages/{name}.yml: nothing needs it, so it is not built"
    for arch in sorted(set(facts.arches) - {pair.arch for pair in facts.supported}):
        yield f"configs/{arch}.yml: no line in supported.txt names its tests"
    yield from _doubtful_features(facts)


def _unneeded(facts: Facts) -> list[str]:
    """Return the packages that nothing names, but for those that every build has."""
    named = {name for _, _, names in references(facts) for name in names}
    every = {p.name for p in facts.packages.values() if p.kind not in ("cpython", "data")}
    return sorted(every - named)


def _doubtful_features(facts: Facts) -> Iterator[str]:
    """Yield a warning for each feature of one module only that has nearly the name of another feature."""
    users: dict[str, set[str]] = {}
    for series in facts.series.values():
        for name, module in series.modules.items():
            if module.feature:
                users.setdefault(module.feature, set()).add(name)
    for series in facts.series.values():
        for name, module in series.modules.items():
            if series.variant_of or not module.feature or len(users[module.feature]) > 1:
                continue
            if like := nearest(module.feature, users.keys() - {module.feature}):
                where = f"{series.modules_file}: modules.{name}.feature"
                yield f"{where}: no other module is of '{module.feature}'{like}"


def _check_licences(facts: Facts) -> None:
    """Raise FactsError for a licence that SPDX does not list: whether it is the GPL cannot be told from it."""
    import license_expression  # it reads a long list, which only --check needs

    known = license_expression.get_spdx_licensing()
    for package in facts.packages.values():
        parts = {f"parts.{name}": part.spdx for name, part in package.parts.items()}
        for key, spdx in {"licence": package.licence.spdx, **parts}.items():
            found = known.validate(spdx, strict=True)
            like = "".join(nearest(symbol, known.known_symbols) for symbol in found.invalid_symbols[:1])
            for error in found.errors:
                raise FactsError(f"{ROOT}/configs/packages/{package.name}.yml: {key}.spdx: {error}{like}")


def _check_dates(facts: Facts, today: datetime.date) -> None:
    """Raise FactsError for a release's day that is more than a month ahead: files would get times of the future."""
    dates = {f"series/{series.name}": series.date for series in facts.series.values()}
    for file, date in {**dates, "common/release": facts.release.date}.items():
        if datetime.date.fromisoformat(date) > today + datetime.timedelta(days=31):
            raise FactsError(f"{ROOT}/configs/{file}.yml: date: {date} is in the future: today is {today}")


def _check_facts_of_tests(facts: Facts, plan: Callable[[list[str]], object]) -> None:
    """Raise FactsError for a mistake in a YAML file that only tests and measurements read."""
    # Builds and their Makefile do without these modules.
    from staticpython import keys, matrix, stdlib_tests, wheel_table

    for file, (_, _, schema) in keys.FILES.items():
        if not file.startswith(("configs/", "setup_local/")):
            load(ROOT / file, schema)
    for name, variant in matrix.load_matrix(matrix.VARIANTS).variants.items():
        _as_fact(f"{matrix.VARIANTS}: variants.{name}.generate", plan, variant.generate)
        _as_fact(f"{matrix.VARIANTS}: variants.{name}.stdlib", stdlib_tests.named, variant.stdlib)
    wheels = load(wheel_table.WHEELS, wheel_table.Wheels)
    for i, lacking in enumerate(wheels.lacking):
        _check_named(wheel_table.WHEELS, f"lacking[{i}].projects", "project in `use`", lacking.projects, wheels.use)
        _check_named(wheel_table.WHEELS, f"lacking[{i}].arches", "arch", lacking.arches, facts.arches)
    patches = sorted(str(p.relative_to(ROOT / "patches")) for p in (ROOT / "patches").glob("*/*.patch"))
    for i, expected in enumerate(stdlib_tests.load_expectations(stdlib_tests.EXPECTATIONS)):
        where = stdlib_tests.EXPECTATIONS
        _check_named(where, f"failures[{i}].arches", "arch", expected.arches, facts.arches)
        _check_named(where, f"failures[{i}].series", "series", expected.series, facts.series)
        if not any(patch.startswith(expected.due_to) for patch in patches):
            raise FactsError(f"{where}: failures[{i}].due_to: no patch is '{expected.due_to}...'")


def _check_named(where: Path, where_key: str, what: str, names: list[str], known: Collection[str]) -> None:
    for name in names:
        check_known(where, where_key, what, name, known)


def _as_fact(where: str, ask: Callable[[list[str]], object], words: list[str]) -> None:
    """Ask for what words of a YAML file name; raises FactsError for what is not there."""
    try:
        ask(words)
    except UsageError as error:
        raise FactsError(f"{where}: {error}") from None


def _checked_header(patch: Path) -> Header:
    """Return a patch's header; raises FactsError if it is wrong or names a test file that does not exist."""
    header = read_header(patch)
    for file in header.test_files:
        if not (ROOT / file).is_file():
            raise FactsError(f"{patch}: Tested: no file {file}")
    return header
