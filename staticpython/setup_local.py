"""CPython's Modules/Setup.local from `setup_local/<series>.yml`, and the check that CPython has the same modules.

`python -m staticpython.setup_local check SERIES Setup.stdlib.in`. The format is explained in CPython's Modules/Setup.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from staticpython.config import Module, Series, pick
from staticpython.errors import FactsError, nearest, run_main
from staticpython.load import load_facts
from staticpython.schema import read_text


def render_setup_local(
    modules: dict[str, Module], disabled: Iterable[str], generated: str, shared: dict[str, Module] | None = None
) -> str:
    """Return the text of Setup.local: the modules linked in, those built as shared objects and those left out."""

    def lines(chosen: dict[str, Module]) -> list[str]:
        return [" ".join([name, *chosen[name].sources]) for name in sorted(chosen)]

    sections = ["*static*", *lines(modules), ""]
    if shared:
        sections += ["*shared*", *lines(shared), ""]
    return "\n".join([f"# {generated}", *sections, "*disabled*", *sorted(disabled), ""])


def modules_known_to_cpython(setup_stdlib: str) -> set[str]:
    """Return the names of the modules in the text of Modules/Setup.stdlib.in."""
    return set(re.findall(r"^#?@MODULE_\w+_TRUE@(\w+)", setup_stdlib, re.MULTILINE))


def check_complete(series: Series, setup_stdlib: Path) -> None:
    """Raise FactsError unless `series` and CPython know the same modules."""
    known = modules_known_to_cpython(read_text(setup_stdlib))
    missing, surplus = sorted(known - set(series.modules)), sorted(set(series.modules) - known)
    where = series.modules_file
    if missing:
        raise FactsError(f"{where}: CPython has modules that are not listed: {', '.join(missing)}; add each")
    if surplus:
        hints = ", ".join(f"{name}{nearest(name, known)}" for name in surplus)
        raise FactsError(
            f"{where}: CPython has no such modules: {hints}; remove each. A module of your own is not"
            " listed here: it goes into a wheel, or into a bundle with your application (docs/bundle.md)"
        )


def source_files(module: Module) -> list[str]:
    """Return the files, below CPython's Modules, that a module is compiled from."""
    return [word for word in module.sources if re.search(r"\.(c|cc|cpp|S)$", word) and "$" not in word]


def check_sources(series: Series, files: Collection[str]) -> None:
    """Raise FactsError for a module's source file that is not among `files`, those below CPython's Modules."""
    for name, module in series.modules.items():
        for file in source_files(module):
            if file not in files:
                where = f"{series.modules_file}: modules.{name}.sources"
                raise FactsError(f"{where}: CPython has no Modules/{file}{nearest(file, files)}")


def main(arguments: list[str] | None = None) -> int:
    """Check a series against CPython's own table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="staticpython.setup_local", description=__doc__)
    parser.add_argument("action", choices=["check"])
    parser.add_argument("series")
    parser.add_argument("setup_stdlib", type=Path)
    options = parser.parse_args(arguments)

    def body() -> int:
        facts = load_facts()
        pick("Python series", options.series, list(facts.series))
        check_complete(facts.series[options.series], options.setup_stdlib)
        folder = options.setup_stdlib.parent
        check_sources(facts.series[options.series], {str(p.relative_to(folder)) for p in folder.rglob("*.*")})
        return 0

    return run_main(body)


if __name__ == "__main__":
    sys.exit(main())
