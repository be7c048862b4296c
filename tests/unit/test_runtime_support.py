"""Shared code of the tests of runtime/: the package _staticpython as in a tree, with its facts."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "runtime" / "python" / "_staticpython"
INSTALL = ROOT / "runtime" / "install"

FACTS = {
    "MUSL_VERSION": "1.2.6",
    "TRIPLE": "x86_64-linux-musl",
    "ELF_MACHINE": 62,
    "WHEEL_ARCH": "x86_64",
    "ZIG_TARGET": "x86_64-linux-musl",
    "GLIBC_LOADER": "/lib64/ld-linux-x86-64.so.2",
    "GLIBC_VERSION": "2.28",
    "TIME": 1788220800,
}


def load(name: str) -> ModuleType:
    """Import a module of _staticpython; the build's facts.py is replaced by FACTS."""
    if "_staticpython.facts" not in sys.modules:
        facts = ModuleType("_staticpython.facts")
        vars(facts).update(FACTS)
        sys.modules[facts.__name__] = facts
    return importlib.import_module(f"_staticpython.{name}")


def test_facts_are_those_of_the_stub() -> None:
    stub = ast.parse((PACKAGE / "facts.pyi").read_text(encoding="utf-8"))
    names = {
        node.target.id for node in stub.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    assert names == set(FACTS)


def test_importing_the_package_loads_nothing_else() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert [type(node) for node in tree.body] == [ast.Expr]  # the docstring
