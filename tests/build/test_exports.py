"""What loaded libraries find in the interpreter: the C library, the C API and zlib, and nothing else."""

from __future__ import annotations

import struct
from pathlib import Path

from elftools.elf.elffile import ELFFile

from tests.build.conftest import BuiltTarget, visible_symbols

EXPORTED = ("libc.a", "libz.a")


def archive_symbols(archive: Path) -> set[str]:
    """Return the names in the index of an archive, which is its first member (ar(5): `/` or `/SYM64/`)."""
    content = archive.read_bytes()
    assert content[:8] == b"!<arch>\n", f"{archive} is no archive"
    name = content[8:24].strip()
    if not name:
        return set()  # libraries that are part of musl's libc.a have empty archives beside it
    assert name in (b"/", b"/SYM64/"), f"{archive} has no index"
    size = int(content[56:66])
    index, word = content[68 : 68 + size], "Q" if name == b"/SYM64/" else "I"
    (count,) = struct.unpack_from(f">{word}", index)
    names = index[struct.calcsize(word) * (count + 1) :].split(b"\0")[:count]
    return {n.decode() for n in names}


def object_symbols(path: Path) -> set[str]:
    """Return the names that an object file defines for others."""
    with path.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {s.name for s in table.iter_symbols() if s["st_info"]["bind"] != "STB_LOCAL"} if table else set()  # type: ignore[attr-defined]


def hidden_archives(target: BuiltTarget) -> list[Path]:
    """Return the linked archives that are not exported: the sysroot's, and those that CPython makes."""
    found = [*(target.sysroot / "usr/lib").glob("lib*.a"), *(target.build / "cpython").rglob("lib*.a")]
    return sorted(p for p in found if p.name not in EXPORTED)


def test_nothing_else_is_exported(target: BuiltTarget) -> None:
    library = target.sysroot / "usr/lib"
    known = set().union(*(archive_symbols(library / name) for name in EXPORTED))
    known = known.union(*(object_symbols(path) for path in library.glob("*.o")))
    assert {"malloc", "deflate", "__divti3" if target.plan.arch.elf_class == 64 else "__divdi3"} <= known
    others = {s for s in visible_symbols(target.binary) if s and not s.lstrip("_").startswith(("Py", "PY_"))}
    assert others - known == set()


def test_no_function_of_a_hidden_library_is_exported(target: BuiltTarget) -> None:
    visible = visible_symbols(target.binary)
    own = set().union(*(archive_symbols(target.sysroot / "usr/lib" / name) for name in EXPORTED))
    archives = hidden_archives(target)
    assert len(archives) > 5
    for archive in archives:
        assert archive_symbols(archive) & visible - own == set(), archive.name


def test_all_of_what_is_exported_is_there(target: BuiltTarget) -> None:
    """Each function of zlib; tests/build/test_loader.py does the same for the C library."""
    header = (target.sysroot / "usr/include/zlib.h").read_text()
    functions = {s for s in archive_symbols(target.sysroot / "usr/lib/libz.a") if f" {s}(" in header}
    functions -= {s for s in functions if f"#  define {s}(" in header or f"#define {s}(" in header}
    assert {"deflate", "inflate", "crc32"} <= functions
    assert functions - visible_symbols(target.binary) == set()
