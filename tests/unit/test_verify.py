"""What staticpython.verify finds in a program: in a correct one, and in the same with one fault."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path
from typing import Any

import pytest

from staticpython.errors import VerifyError
from staticpython.load import load_facts
from staticpython.verify import binary_faults, emulator_of, flag_faults, module_faults, path_faults
from tests.unit.test_published import plan_of

ARCH = dataclasses.replace(load_facts().arches["x86_64"], thread_stack_mib=8)
RELATIVE, JUMP_SLOT = 8, 7
LOAD, DYNAMIC, INTERP, STACK, RELRO = 1, 2, 3, 0x6474E551, 0x6474E552
AT_DYNAMIC, AT_STRINGS, AT_SYMBOLS, AT_HASH, AT_RELA, AT_RELR, SIZE = range(0x400, 0xB00, 0x100)


def make(path: Path, *, kind: int = 3, relocation: int = RELATIVE, relr: int = 1, **changes: Any) -> Path:
    """A static-PIE that is only headers (ELF gABI), addresses being offsets; `changes`: of segments and DT_FLAGS."""
    whole = (0, 0, 0, SIZE, SIZE, 4096)
    segments = {
        "code": (LOAD, 5, *whole),
        "data": (LOAD, 6, *whole),
        "relro": (RELRO, 4, *whole),
        "stack": (STACK, 6, 0, 0, 0, 0, 8 << 20, 16),
        "dynamic": (DYNAMIC, 6, AT_DYNAMIC, AT_DYNAMIC, AT_DYNAMIC, 0x100, 0x100, 8),
        "interp": None,
    }
    tags = {"flags": (30, 8), "flags_1": (0x6FFFFFFB, 0x08000001), "needed": None, "textrel": None}
    segments |= {k: v for k, v in changes.items() if k in segments}
    tags |= {k: v for k, v in changes.items() if k in tags}
    there = [s for s in segments.values() if s]
    entries = [tag for tag in tags.values() if tag]
    entries += [(4, AT_HASH), (5, AT_STRINGS), (6, AT_SYMBOLS), (10, 0x40), (11, 24)]
    entries += [(7, AT_RELA), (8, 24), (9, 24), *([(36, AT_RELR), (35, 8), (37, 8)] if relr else []), (0, 0)]
    data = bytearray(SIZE)
    data[:7] = b"\x7fELF\x02\x01\x01"
    struct.pack_into("<HHIQQQIHHHHHH", data, 16, kind, 62, 1, 0, 64, 0, 0, 64, 56, len(there), 64, 0, 0)
    for i, segment in enumerate(there):
        struct.pack_into("<IIQQQQQQ", data, 64 + 56 * i, *segment)
    for i, entry in enumerate(entries):
        struct.pack_into("<QQ", data, AT_DYNAMIC + 16 * i, *entry)
    data[AT_STRINGS : AT_STRINGS + 0x40] = b"\0puts\0libc.so.6\0".ljust(0x40, b"\0")
    struct.pack_into("<IBBHQQ", data, AT_SYMBOLS + 24, 1, 0x12, 0, 0, 0, 0)
    struct.pack_into("<5I", data, AT_HASH, 1, 2, 1, 0, 0)
    struct.pack_into("<QQq", data, AT_RELA, 0x600, (1 << 32 if relocation != RELATIVE else 0) | relocation, 0)
    struct.pack_into("<Q", data, AT_RELR, 0x600)
    path.write_bytes(data)
    return path


def test_nothing_is_wrong_with_a_good_one(tmp_path: Path) -> None:
    assert list(binary_faults(make(tmp_path / "a"), ARCH)) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"kind": 2}, "is ET_EXEC, not position independent (ET_DYN)"),
        ({"interp": (INTERP, 4, 0, 0, 0, 8, 8, 1)}, "has PT_INTERP: it asks for a dynamic loader"),
        ({"relro": None}, "has no PT_GNU_RELRO: its relocations stay writable"),
        ({"stack": None}, "has an executable stack"),
        ({"stack": (STACK, 7, 0, 0, 0, 0, 8 << 20, 16)}, "has an executable stack"),
        ({"stack": (STACK, 6, 0, 0, 0, 0, 1 << 20, 16)}, "gives threads 1048576 bytes of stack, not 8 MiB"),
        ({"code": (LOAD, 7, 0, 0, 0, SIZE, SIZE, 4096)}, "has a segment that is writable and executable"),
        ({"dynamic": None}, "has no PT_DYNAMIC: nothing that it loads could find a symbol"),
        ({"needed": (1, 6)}, "needs shared libraries: libc.so.6"),
        ({"textrel": (22, 0)}, "has text relocations"),
        ({"flags": (30, 12)}, "has text relocations"),
        (
            {"flags": (30, 0), "flags_1": (0x6FFFFFFB, 0x08000000)},
            "is not bound at start (-z now): RELRO is not full",
        ),
        ({"flags_1": (0x6FFFFFFB, 1)}, "is not marked as PIE"),
        ({"relocation": JUMP_SLOT}, "has a relocation that nothing makes at start: R_X86_64_JUMP_SLOT puts"),
    ],
)
def test_one_thing_wrong(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    assert list(binary_faults(make(tmp_path / "a", **changes), ARCH)) == [fault]


@pytest.mark.parametrize("changes", [{"flags": None}, {"flags_1": (0x6FFFFFFB, 0x08000000)}])
def test_one_flag_of_two_says_that_it_is_bound_at_start(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert list(binary_faults(make(tmp_path / "a", **changes), ARCH)) == []


@pytest.mark.parametrize(
    ("arch", "fault"),
    [
        ({"elf_machine": "EM_AARCH64"}, "is EM_X86_64 with 64 bits, not EM_AARCH64 with 64"),
        ({"elf_class": 32}, "is EM_X86_64 with 64 bits, not EM_X86_64 with 32"),
        ({"byte_order": "big"}, "is little-endian, not big-endian"),
    ],
)
def test_of_another_arch(tmp_path: Path, arch: dict[str, Any], fault: str) -> None:
    assert list(binary_faults(make(tmp_path / "a"), dataclasses.replace(ARCH, **arch))) == [fault]


def test_at_a_fixed_address_nothing_is_relocated(tmp_path: Path) -> None:
    faults = list(binary_faults(make(tmp_path / "a", flags_1=None), ARCH, pie=False))
    assert faults == [
        "is ET_DYN, not at a fixed address (ET_EXEC)",
        "has a relocation that nothing makes at start: R_X86_64_RELATIVE ",
        "has relative relocations, which nothing makes at start",
    ]


def test_flags_of_the_interpreters_own_build(tmp_path: Path) -> None:
    library = tmp_path / "lib/python3.13"
    (library / "config-3.13-x").mkdir(parents=True)
    (library / "config-3.13-x/Makefile").write_text("CFLAGS= -O3 -fprofile\nLDFLAGS= --lto-O2 -flto=full -flto=full\n")
    (library / "_sysconfigdata__x.py").write_text("'-fprofile-instr-use=x -ffat-lto-objects'\n")
    (library / "other.py").write_text("'-flto'\n")
    assert list(flag_faults(tmp_path)) == [
        "lib/python3.13/_sysconfigdata__x.py: holds the interpreter's own flags -ffat-lto-objects, -fprofile-instr-use",
        "lib/python3.13/config-3.13-x/Makefile: holds the interpreter's own flags --lto-O2, -flto",
    ]


def test_a_path_in_what_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(b"\xff\0/home/builder\0")
    (tmp_path / "a/link").symlink_to("b/c")
    (tmp_path / "good").write_bytes(b"/home")
    assert list(path_faults(tmp_path, ["/none", "/home/builder"])) == ["a/b/c: holds the build's path /home/builder"]


def test_an_interpreter_that_ends_at_once() -> None:
    assert list(module_faults(["sh", "-c", "echo oh >&2; exit 3"], ["sys"])) == ["exits with 3: oh"]


def test_what_runs_the_targets_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = dataclasses.replace(
        plan_of(), native=False, tree="a-tree", arch=dataclasses.replace(ARCH, emulator="qemu-x")
    )
    assert emulator_of(dataclasses.replace(plan, native=True)) == []
    with pytest.raises(VerifyError, match="a-tree does not run on this machine: install qemu-x"):
        emulator_of(plan)
    (tmp_path / "qemu-x").touch(0o755)
    assert emulator_of(plan) == ["qemu-x"]
