"""The libraries in the running interpreter are the releases that the manifest and the facts name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from staticpython.config import patches, without_speedups
from staticpython.load import load_facts
from tests.build.conftest import BuiltTarget

# Packages that tell their version at run time: package -> module that must be linked, and an expression.
ASKED = {
    "cpython": ("sys", "platform.python_version()"),
    "musl": ("sys", "platform.libc_ver()[1]"),
    "openssl": ("_ssl", "ssl.OPENSSL_VERSION.split()[1]"),
    "sqlite": ("_sqlite3", "sqlite3.sqlite_version"),
    "ncurses": ("_curses", "'{0.major}.{0.minor}-{0.patch}'.format(curses.ncurses_version)"),
    "zstd": ("_zstd", "compression.zstd.zstd_version"),
    "gdbm": ("_gdbm", "'.'.join(map(str, _gdbm._GDBM_VERSION[:2 if _gdbm._GDBM_VERSION[2] == 0 else 3]))"),
    "readline": ("readline", "'%d.%d' % divmod(readline._READLINE_RUNTIME_VERSION, 256)"),
}
# Packages with their version in a text that is linked in.
HELD = {
    "bzip2": rb"(\d+\.\d+\.\d+), \d\d?-[A-Z][a-z]{2}-\d{4}",
    "zlib": rb"zlib-ng (\d+\.\d+\.\d+)",
}
# Packages with their version only in an installed file.
INSTALLED = {
    "libffi": ("include/ffi.h", r'FFI_VERSION_STRING "([^"]+)"'),
    "libuuid": ("lib/pkgconfig/uuid.pc", r"^Version: (\S+)"),
    "xz": ("lib/pkgconfig/liblzma.pc", r"^Version: (\S+)"),
}
# libedit's own version number is from 1997; compiler-rt and the headers are from the compiler's release, one file.
SILENT = {"libedit", "compiler-rt", "linux-headers", "mimalloc", "gcc-runtime", "tzdata", "certifi"}


def inputs(target: BuiltTarget) -> dict[str, Any]:
    return {i["name"]: i for i in json.loads((target.tree / "manifest.json").read_text())["inputs"]}


def linked(target: BuiltTarget) -> set[str]:
    return {p.name for p in target.plan.packages if p.kind != "cross-tool"}


def test_every_library_is_asked(target: BuiltTarget) -> None:
    known = set(ASKED) | set(HELD) | set(INSTALLED) | SILENT
    assert linked(target) - known == set(), "say here how its version is found"


@pytest.mark.parametrize("package", sorted(ASKED))
def test_version_at_run_time(target: BuiltTarget, package: str) -> None:
    module, expression = ASKED[package]
    if package not in linked(target):
        assert package in ("gdbm", "readline", "zstd") or module not in target.plan.modules
        return
    names = sorted(set(re.findall(r"\b(platform|ssl|sqlite3|curses|compression\.zstd|_gdbm|readline)\.", expression)))
    assert (
        target.run("-I", "-c", f"import {', '.join(names)}; print({expression})") == inputs(target)[package]["version"]
    )


@pytest.mark.parametrize("package", sorted(HELD))
def test_version_in_the_binary(target: BuiltTarget, package: str) -> None:
    if package in linked(target):
        found = {v.decode() for v in re.findall(HELD[package], target.binary.read_bytes())}
        assert inputs(target)[package]["version"] in found


@pytest.mark.parametrize("package", sorted(INSTALLED))
def test_version_in_what_is_installed(target: BuiltTarget, package: str) -> None:
    if package in linked(target):
        file, pattern = INSTALLED[package]
        found = re.search(pattern, (target.sysroot / "usr" / file).read_text(), re.MULTILINE)
        assert found and found.group(1) == inputs(target)[package]["version"]


def test_data_is_of_its_release(target: BuiltTarget) -> None:
    for package in ("certifi", "tzdata"):
        folder = target.build.parent / "sources" / package
        (metadata,) = Path(folder).glob("*.dist-info")
        assert metadata.name == f"{package}-{inputs(target)[package]['version']}.dist-info"


def test_manifest_is_of_a_release_in_the_facts(target: BuiltTarget) -> None:
    """Version, file and hash belong to one release, and the patches are those that apply to it."""
    facts = load_facts()
    for name, entry in inputs(target).items():
        package = facts.in_series(facts.packages[name], target.plan.series)
        package = package if target.plan.speedups else without_speedups(package)
        releases = facts.packages[package.source_of].releases if package.source_of else package.releases
        assert (entry["version"], entry["file"], entry["sha256"]) in [(r.version, r.file, r.sha256) for r in releases]
        applied = patches(package, "" if package.source_of else entry["version"])
        # The manifest sorts patches by their paths, which mixes two folders differently.
        assert sorted(f"patches/{p.parent.name}/{p.name}" for p in applied) == list(entry["patches"])
