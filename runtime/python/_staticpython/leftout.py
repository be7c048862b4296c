"""Modules that were left out of an application (--only-traced): importing one says so. A .pth file starts this.

This finder comes before all others: the rest of a package's folder is carried, and would be a package without code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder

LIST = "python/left-out"


class _Missing:
    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        # Not ModuleNotFoundError: programs would take the module for not installed, and go on without it.
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
        # A folder of plugins may have another one.
        found = PathFinder.find_spec(name, path)
        return found if found and found.origin else ModuleSpec(name, _Missing)  # type: ignore[arg-type]


def start() -> None:
    """Find the modules that were left out."""
    with open(sys.base_prefix.removesuffix("python") + LIST, encoding="utf-8") as file:
        sys.meta_path.insert(0, _Finder(frozenset(file.read().split("\n"))))
