"""Modules that were left out of an application (--only-traced): to import one says so. A .pth file starts this.

It is asked before all others, as what else is in a package's folder is carried, and would make a package without code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder

LIST = "python/left-out"


class _Missing:
    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        # Not ModuleNotFoundError, which means that nobody has it, and makes programs do without.
        raise ImportError(
            f"{spec.name} was left out of this application: it was bundled with --only-traced, and no run that was"
            " traced imported it: trace one that does, or bundle without --only-traced",
            name=spec.name,
        )

    @staticmethod
    def exec_module(_: object) -> None:
        raise AssertionError


class _Finder:
    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(self, name: str, path: Sequence[str] | None = None, *_: object) -> ModuleSpec | None:
        if name not in self._names:
            return None
        # Somebody may have another one, in a folder of plugins.
        found = PathFinder.find_spec(name, path)
        return found if found and found.origin else ModuleSpec(name, _Missing)  # type: ignore[arg-type]


def start() -> None:
    """Find what was left out."""
    with open(sys.base_prefix.removesuffix("python") + LIST, encoding="utf-8") as file:
        sys.meta_path.insert(0, _Finder(frozenset(file.read().split("\n"))))
