"""What packaging._musllinux learns about this interpreter."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.test_runtime_support import load

musllinux = load("musllinux")

REAL = """
import functools, typing
class _MuslVersion(typing.NamedTuple):
    major: int
    minor: int
@functools.lru_cache
def _get_musl_version(executable):
    return None
"""
PLAIN = "def _get_musl_version(executable): return None\n"


@pytest.fixture
def import_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], ModuleType]]:
    """Return a function that imports a copy of packaging._musllinux from under some package."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def import_it(package: str, source: str) -> ModuleType:
        folder = tmp_path
        for part in package.split("."):
            folder /= part
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").touch()
        (folder / "_musllinux.py").write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        module = importlib.import_module(f"{package}._musllinux")
        musllinux.patch(module)
        return module

    yield import_it
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    "package",
    ["xpip._vendor.packaging", "xsetuptools._vendor.packaging", "xwheel.vendored.packaging", "xuv.packaging"],
)
def test_every_copy_is_patched(import_copy: Callable[[str, str], ModuleType], package: str) -> None:
    module = import_copy(package, REAL)
    version = module._get_musl_version(sys.executable)
    assert version == (1, 2)
    assert (version.major, version.minor) == (1, 2)
    module._get_musl_version.cache_clear()


def test_another_executable_is_looked_at(import_copy: Callable[[str, str], ModuleType]) -> None:
    assert import_copy("a.packaging", REAL)._get_musl_version("/bin/sh") is None


def test_module_without_named_tuple(import_copy: Callable[[str, str], ModuleType]) -> None:
    assert import_copy("b.packaging", PLAIN)._get_musl_version(sys.executable) == (1, 2)


def test_module_without_the_function(import_copy: Callable[[str, str], ModuleType]) -> None:
    assert not hasattr(import_copy("c.packaging", "x = 1\n"), "_get_musl_version")


MUSLLINUX = ["musllinux_1_2_x86_64", "musllinux_1_1_x86_64", "musllinux_1_0_x86_64"]


@pytest.mark.parametrize("value", [None, b"", b"0", b"1"])
def test_tags_of_the_real_packaging(monkeypatch: pytest.MonkeyPatch, value: bytes | None) -> None:
    packaging = pytest.importorskip("packaging._musllinux")
    manylinux = pytest.importorskip("packaging._manylinux")
    monkeypatch.setattr(packaging, "_get_musl_version", packaging._get_musl_version)
    monkeypatch.setattr(packaging, "platform_tags", packaging.platform_tags)
    monkeypatch.setattr(musllinux.posix, "environ", {} if value is None else {b"STATICPYTHON_GLIBC": value})
    musllinux.patch(packaging)
    # packaging's own tags on glibc 2.28.
    monkeypatch.setattr(manylinux, "_get_glibc_version", lambda: (2, 28))
    monkeypatch.setattr(manylinux, "_is_compatible", lambda *_: True)
    monkeypatch.setattr(manylinux, "_have_compatible_abi", lambda *_: True)
    behind = list(manylinux.platform_tags(["x86_64"])) if value == b"1" else []
    assert list(packaging.platform_tags(["x86_64"])) == MUSLLINUX + behind
    assert len(behind) == (27 if behind else 0)
