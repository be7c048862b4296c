"""staticpython.size: the maps of LLD and of GNU ld."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from staticpython.size import input_sections, report, sizes
from tests.unit.test_published import plan_of

LLD = """\
             VMA              LMA     Size Align Out     In      Symbol
             2a8              2a8       24     4 .note.gnu.build-id
             2a8              2a8       24     4         <internal>:(.note.gnu.build-id)
           10000            10000     1100    16 .text
           10000            10000     1000    16         python.lto.o:(.text.main)
           10000            10000       20     1                 main
           11000            11000      100    16         ../sysroot/usr/lib/libssl.a(ssl_lib.o):(.text)
           20000            20000       80    16 .bss
           20000            20000       80    16         ../sysroot/usr/lib/libc.a(stdin.o):(.bss)
               0                0       50     1 .comment
               0                0       50     1         <internal>:(.comment)
"""

GNU = """\
Archive member included to satisfy reference by file (symbol)

Discarded input sections

 .text          0x0000000000000000       0x40 Python/unused.o

Memory Configuration

Linker script and memory map

.note.gnu.build-id
                0x00000000000002a8       0x24
 *(.note.gnu.build-id)
 .note.gnu.build-id
                0x00000000000002a8       0x24 ../sysroot/usr/lib/rcrt1.o

.text           0x0000000000010000     0x1100
 *(.text .stub .text.*)
 .text          0x0000000000010000     0x1000 Programs/python.o
                0x0000000000010000                main
 *fill*         0x0000000000011000        0x8
 .text.unlikely
                0x0000000000011008      0x100 ../sysroot/usr/lib/libssl.a(ssl_lib.o)

.bss            0x0000000000020000       0x80
 .bss           0x0000000000020000       0x70 ../sysroot/usr/lib/libc.a(stdin.o)
 COMMON         0x0000000000020070       0x10 ../sysroot/usr/lib/libc.a(stdin.o)

.comment        0x0000000000000000       0x50
 .comment       0x0000000000000000       0x50 Programs/python.o
"""

INSTALLS = {"openssl": ["lib/libssl.a", "include/openssl/ssl.h"], "musl": ["lib/libc.a", "lib/rcrt1.o"], "cpython": []}
WRITTEN = plan_of()
PLAN = dataclasses.replace(
    WRITTEN,
    packages=[dataclasses.replace(WRITTEN.packages[0], name=n, installs=files) for n, files in INSTALLS.items()],
)


def test_lld() -> None:
    assert list(input_sections(LLD)) == [
        (".note.gnu.build-id", "<internal>", 0x24),
        (".text", "python.lto.o", 0x1000),
        (".text", "../sysroot/usr/lib/libssl.a(ssl_lib.o)", 0x100),
        (".bss", "../sysroot/usr/lib/libc.a(stdin.o)", 0x80),
    ]


def test_gnu_ld() -> None:
    assert list(input_sections(GNU)) == [
        (".note.gnu.build-id", "../sysroot/usr/lib/rcrt1.o", 0x24),
        (".text", "Programs/python.o", 0x1000),
        (".text", "../sysroot/usr/lib/libssl.a(ssl_lib.o)", 0x100),
        (".bss", "../sysroot/usr/lib/libc.a(stdin.o)", 0x70),
        (".bss", "../sysroot/usr/lib/libc.a(stdin.o)", 0x10),
    ]


def test_packages() -> None:
    assert sizes(LLD, PLAN) == {
        "the linker's tables, merged strings": {"constants": 0x24},
        "cpython": {"code": 0x1000},
        "openssl": {"code": 0x100},
        "musl": {"zero": 0x80},
    }
    assert sizes(GNU, PLAN) == {
        "cpython": {"code": 0x1000},
        "openssl": {"code": 0x100},
        "musl": {"constants": 0x24, "zero": 0x80},
    }


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = tmp_path / "tree"
    for name, size in (("bin/python3.13", 5000), ("lib/a/b", 3000), ("lib/a/c", 4000)):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(bytes(size))
    (tree / "bin/python3").symlink_to("python3.13")
    report(sizes(LLD.replace("     100    16", "    5000    16"), PLAN), tree)
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    for row in ("tree, KiB code constants data zero in the file", "openssl 20 0 0 0 20", "cpython 4 0 0 0 4",
                "musl 0 0 0 0 0", "together 24 0 0 0 24", "python3.13: 5, padding and headers included",
                "bin 5", "lib 7"):  # fmt: skip
        assert row.split() in said, row
