"""ctypes.util.find_library in a static interpreter."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

import pytest

from tests.unit.test_runtime_support import load

libraries = load("libraries")

# Libraries for which musl's loader itself answers (ldso/dynlink.c, load_library), and z, which ours adds.
RESERVED = ("libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet.", "libz.")


def write_library(
    path: Path, machine: int = 62, kind: int = 3, tail: bytes = b"", head: bytes = b"\x7fELF\x02\x01\x01"
) -> None:
    path.write_bytes(head + bytes(9) + struct.pack("<HH", kind, machine) + bytes(44) + tail)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder the loader searches."""
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(libraries, "_DEFAULT_PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "name",
    ["c", "m", "pthread", "dl", "rt", "util", "xnet", "crypt", "resolv", "z", "python3", libraries._PYTHON],
)
def test_own_libraries_have_a_name_that_the_loader_answers(name: str) -> None:
    assert libraries.find_library(name).startswith(RESERVED)


def test_link_name_first_then_the_highest_version(folder: Path) -> None:
    for name in ("libx.so.9", "libx.so.10", "libx.so.10.1", "libx-2.so", "liby.so.11"):
        write_library(folder / name)
    assert libraries.find_library("x") == "libx.so.10.1"
    write_library(folder / "libx.so")
    assert libraries.find_library("x") == "libx.so"


def test_only_our_own_kind(folder: Path) -> None:
    (folder / "libx.so").write_text("INPUT(-lx)", encoding="ascii")  # a linker script
    write_library(folder / "libx.so.3", machine=3)
    write_library(folder / "libx.so.2", kind=2)
    write_library(folder / "libx.so.4", head=b"\x7fELF\x01\x01\x01")
    write_library(folder / "libx.so.5", head=b"\x7fELF\x02\x02\x01")
    write_library(folder / "libx.so.6", head=b"\x7fOLD\x02\x01\x01")
    (folder / "libx.so.7").write_bytes(b"\x7fELF\x02\x01\x01")
    assert libraries.find_library("x") is None
    write_library(folder / "libx.so.1")
    assert libraries.find_library("x") == "libx.so.1"


def test_glibc_library_only_by_ld_library_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_library(folder / "libx.so", tail=b"\0libc.so.6\0")
    assert libraries.find_library("x") is None
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nonexistent:{folder}")
    assert libraries.find_library("x") == "libx.so"


def test_the_loaders_file_of_folders_comes_first(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    write_library(folder / "libx.so.9")
    write_library(other / "libx.so.1")
    (other / "path").write_text(f"/nonexistent\n{other}\n", encoding="utf-8")
    real = {"/etc/ld-musl-x86_64.path": other / "path"}

    def open_(name: str, *arguments: str, **options: str) -> IO[Any]:
        return real.get(name, Path(name)).open(*arguments, **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(libraries, "open", open_, raising=False)
    assert libraries.find_library("x") == "libx.so.1"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["libc", "nothing", ""])
def test_not_found(name: str) -> None:
    assert libraries.find_library(name) is None
