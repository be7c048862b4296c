"""Wheels that hold programs: their order of tags, and what is said of those that cannot start."""

from __future__ import annotations

import importlib
import logging
import struct
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.test_runtime_support import load

programs = load("programs")

TAGS = [
    "musllinux_1_2_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux1_x86_64",
    "linux_x86_64",
]


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("manylinux_2_28_x86_64", (2, 28)),
        ("manylinux2014_x86_64", (2, 17)),
        ("manylinux2010_i686", (2, 12)),
        ("manylinux1_x86_64", (2, 5)),
        ("musllinux_1_2_x86_64", None),
        ("linux_x86_64", None),
        ("manylinux3000_x86_64", None),
    ],
)
def test_glibc_of_tag(tag: str, version: tuple[int, int] | None) -> None:
    assert programs.glibc_of_tag(tag) == version


def test_version_of_glibc(tmp_path: Path) -> None:
    named, told, other = (tmp_path / name for name in ("ld-2.31.so", "ld-linux-x86-64.so.2", "stub"))
    named.write_bytes(b"\x7fELF")
    link = tmp_path / "link"
    link.symlink_to(named)
    told.write_bytes(b"\x7fELF\0ld.so (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\nCopyright\0")
    other.write_bytes(b"\x7fELF\0")
    assert programs.glibc_of_system(str(named)) == programs.glibc_of_system(str(link)) == (2, 31)
    assert programs.glibc_of_system(str(told)) == (2, 36)
    assert programs.glibc_of_system(str(other)) is None
    assert programs.glibc_of_system(str(tmp_path / "none")) is None


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system's folder, without any C library."""
    monkeypatch.setattr(programs, "MUSL_LOADER", str(tmp_path / "ld-musl"))
    monkeypatch.setattr(programs, "GLIBC_LOADER", str(tmp_path / "ld-linux"))
    return tmp_path


def with_glibc(system: Path, version: str) -> None:
    (system / "ld-linux").write_text(f"ld.so (GNU libc) stable release version {version}.", encoding="utf-8")


def test_system_without_glibc_changes_nothing(system: Path) -> None:
    assert programs.in_order_of_system(TAGS) == TAGS
    (system / "ld-musl").touch()
    assert programs.in_order_of_system(TAGS) == TAGS


def test_what_starts_comes_first(system: Path) -> None:
    with_glibc(system, "2.36")
    assert programs.in_order_of_system(iter(TAGS)) == [*TAGS[1:5], TAGS[0], TAGS[5]]


def test_what_an_older_glibc_does_not_start_comes_last(system: Path) -> None:
    with_glibc(system, "2.17")
    assert programs.in_order_of_system(TAGS) == [*TAGS[2:5], TAGS[0], TAGS[1], TAGS[5]]


def test_musl_beside_glibc_starts_what_is_for_musl(system: Path) -> None:
    with_glibc(system, "2.36")
    (system / "ld-musl").touch()
    assert programs.in_order_of_system(TAGS) == TAGS


def switch(monkeypatch: pytest.MonkeyPatch, variables: dict[bytes, bytes]) -> None:
    posix = importlib.import_module("_staticpython.musllinux").posix
    monkeypatch.setattr(posix, "environ", variables)


@pytest.fixture
def tags(system: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The real packaging.tags, with the platforms of a system with glibc where both kinds load; it may be patched."""
    module = pytest.importorskip("packaging.tags")
    switch(monkeypatch, {b"STATICPYTHON_GLIBC": b"1"})
    with_glibc(system, "2.36")
    for name in ("compatible_tags", "cpython_tags"):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(module, "platform_tags", lambda: iter(TAGS))
    return module


def test_tags_of_the_real_packaging(tags: Any) -> None:
    """Only tags without an ABI get the system's order, and those asked for by name stay as they are."""
    programs.patch_tags(tags)
    shown = [str(tag) for tag in tags.sys_tags()]
    extension = f"cp{sys.version_info[0]}{sys.version_info[1]}-cp{sys.version_info[0]}{sys.version_info[1]}"
    assert [t.split("-")[2] for t in shown if t.startswith(f"{extension}-")] == TAGS
    assert [t.split("-")[2] for t in shown if t.startswith("py3-none-")] == [*TAGS[1:5], TAGS[0], TAGS[5], "any"]
    asked = [t.platform for t in tags.compatible_tags((3, 14), "cp314", TAGS) if t.interpreter == "py3"]
    assert asked == [*TAGS, "any"]


def test_every_extension_for_musl_comes_before_those_for_glibc(tags: Any) -> None:
    """Cython 3.3.1 has cp314 for glibc, and abi3 for musl."""
    before = [str(tag) for tag in tags.cpython_tags((3, 14), warn=True)]
    programs.patch_tags(tags)
    after = [str(tag) for tag in tags.cpython_tags((3, 14), warn=True)]
    assert sorted(after) == sorted(before)
    assert before.index(f"cp314-abi3-{TAGS[0]}") > before.index(f"cp314-cp314-{TAGS[1]}")
    kinds = ["musllinux" not in tag for tag in after]
    assert kinds == sorted(kinds) and after[0] == f"cp314-cp314-{TAGS[0]}"
    asked = [str(tag) for tag in tags.cpython_tags((3, 14), platforms=TAGS[1::-1])]
    assert asked[:2] == [f"cp314-cp314-{TAGS[1]}", f"cp314-cp314-{TAGS[0]}"]


def test_tags_stay_where_nothing_for_glibc_loads(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library for ctypes is tagged as a program is."""
    switch(monkeypatch, {})
    with_glibc(system, "2.36")
    original = object()
    module = SimpleNamespace(compatible_tags=original, cpython_tags=original, platform_tags=lambda: TAGS)
    programs.patch_tags(module)
    assert module.compatible_tags is module.cpython_tags is original


def elf(interpreter: str, bits: int = 64) -> bytes:
    """A file that is a program as far as is looked; its table is at the end, as patchelf has it."""
    text = interpreter.encode() + b"\0"
    size, form, entry = (64, "<16sHHIQQQIHHHHHH", 56) if bits == 64 else (52, "<16sHHIIIIIHHHHHH", 32)
    kind = bytes((0x7F, *b"ELF", bits // 32, 1))
    head = struct.pack(form, kind, 3, 62, 1, 0, size + len(text), 0, 0, size, entry, 2, 0, 0, 0)
    place = (size, size, size, len(text), len(text))
    tables = [
        struct.pack("<IIQQQQQQ", n, 4, *place, 1) if bits == 64 else struct.pack("<8I", n, *place, 4, 1) for n in (1, 3)
    ]
    return head + text + b"".join(tables)


@pytest.mark.parametrize("bits", [32, 64])
def test_interpreter(tmp_path: Path, bits: int) -> None:
    file = tmp_path / "program"
    whole = elf("/lib/ld-musl-x86_64.so.1", bits)
    for content, wanted in [(whole, "/lib/ld-musl-x86_64.so.1"), (b"#!/bin/sh\n" * 9, None), (b"", None)]:
        file.write_bytes(content)
        with file.open("rb") as opened:
            assert programs.interpreter_of(opened) == wanted
    for length in range(len(whole)):  # damaged, but no error
        file.write_bytes(whole[:length])
        with file.open("rb") as opened:
            programs.interpreter_of(opened)


def wheel(folder: Path, name: str, member: str, content: bytes, mode: int) -> Path:
    path = folder / f"{name}-1-py3-none-musllinux_1_2_x86_64.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        info = zipfile.ZipInfo(member)
        info.external_attr = mode << 16
        file.writestr(info, content)
    return path


@pytest.mark.parametrize(("member", "mode"), [("n-1.data/scripts/n", 0o644), ("n/data/bin/n", 0o755)])
def test_program_that_cannot_start(system: Path, member: str, mode: int) -> None:
    missing = f"{system}/ld-musl"
    path = wheel(system, "n", member, elf(missing), mode)
    assert programs.cannot_start(str(path)) == (member, missing)
    (system / "ld-musl").touch()
    assert programs.cannot_start(str(path)) is None


def test_pip_warns(system: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    calls = []
    module = SimpleNamespace(
        install_wheel=lambda *given, **named: calls.append((given, named)), logger=logging.getLogger("pip")
    )
    programs.patch_pip(module)
    path = wheel(system, "n", "n-1.data/scripts/n", elf(f"{system}/ld-musl"), 0o644)
    switch(monkeypatch, {})
    module.install_wheel("n", str(path), "scheme", pycompile=False)
    assert calls == [(("n", str(path), "scheme"), {"pycompile": False})]
    missing = f"The program n of n cannot start on this system, which does not have its {system}/ld-musl."
    assert caplog.messages == [missing]
    caplog.clear()
    with_glibc(system, "2.36")
    module.install_wheel("n", str(path), "scheme")
    assert caplog.messages[0].startswith(missing)
    assert caplog.messages[0].endswith("STATICPYTHON_GLIBC=1 pip install --force-reinstall --no-deps n")
    caplog.clear()
    extension = path.rename(system / "n-1-cp314-cp314-musllinux_1_2_x86_64.whl")
    module.install_wheel("n", str(extension), "scheme")
    assert caplog.messages == []
