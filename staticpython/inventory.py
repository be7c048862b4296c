"""Report what libraries built for glibc need, and what a built interpreter lacks of it (docs/loader.md).

`python -m staticpython.inventory --program TREE/bin/python3 FILE...`: wheels, shared libraries, or folders of these.
The answer is the same as the loader's (runtime/musl/glibc/loader.h), without loading anything. Exit code 1 if something
is missing. Any file may be damaged: each read is checked, and faults are reported.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any

from staticpython.config import ROOT
from staticpython.errors import FactsError, StaticPythonError, UsageError, run_main
from staticpython.schema import key, load

FACTS = ROOT / "configs/common/glibc.yml"
EXPECTED = ROOT / "tests/build/glibc.yml"
ALIASES, LOADER = ROOT / "runtime/musl/glibc/aliases.h", ROOT / "runtime/musl/glibc/loader.h"

# Libraries that the program replaces, by the start of the name (runtime/musl/loader.c); glibc's own are in loader.h.
OF_PROGRAM = ("libz.", "libpython3.")

# man 5 elf, and the ABIs of the CPUs.
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_TLS = 1, 2, 7
DT_NEEDED, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_STRSZ, DT_SONAME = 1, 5, 6, 7, 8, 10, 14
DT_PLTRELSZ, DT_JMPREL, DT_FLAGS, DT_HASH = 2, 23, 30, 4
DT_GNU_HASH, DT_VERSYM, DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF
DF_STATIC_TLS = 0x10
STB_LOCAL, STB_WEAK = 0, 2
STT_NOTYPE, STT_FUNC, STT_TLS, STT_GNU_IFUNC = 0, 2, 6, 10


@dataclass(frozen=True)
class Glibc:
    """`configs/common/glibc.yml`."""

    lfs64: list[str] = key("musl's functions that also have glibc's names for large files, with 64 at their end.")
    libraries_of_gcc: list[str] = key("Sonames of GCC's run-time libraries, which wheels expect in the system.")
    tls_room: int = key("Bytes that a process has for initial-exec TLS of libraries built for glibc.")


@dataclass(frozen=True)
class Inventory:
    """What a project's manylinux wheels need."""

    libraries_of_gcc: list[str] = key("Sonames of GCC's libraries that they need but do not contain.", default=[])
    outside: list[str] = key("Other libraries that they need but do not contain.", default=[])
    initial_exec: list[str] = key("Objects with initial-exec TLS, by the start of the name.", default=[])
    ifuncs: list[str] = key("Objects with IFUNCs, by the start of the name.", default=[])
    uncovered: dict[str, str] = key("Names that the program lacks -> why that does no harm.", default={})


@dataclass(frozen=True)
class Expected:
    """`tests/build/glibc.yml`."""

    wheels: dict[str, Inventory] = key("PyPI project -> what its manylinux wheel needs.")


@dataclass(frozen=True)
class Machine:
    """A CPU's numbers of relocations."""

    name: str
    plt: int
    initial_exec: int
    irelative: int


MACHINES = {
    62: Machine("x86_64", plt=7, initial_exec=18, irelative=37),
    183: Machine("aarch64", plt=1026, initial_exec=1030, irelative=1032),
    243: Machine("riscv64", plt=5, initial_exec=11, irelative=58),
}

HEADER = struct.Struct("<16sHHIQQQIHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SYMBOL = struct.Struct("<IBBHQQ")
PAIR, QUAD, WORD, HALF = struct.Struct("<QQ"), struct.Struct("<IIII"), struct.Struct("<I"), struct.Struct("<H")
NEED, NEEDED_VERSION = struct.Struct("<HHIII"), struct.Struct("<IHHII")


class FormatError(StaticPythonError):
    """A file that is not what its name says, or is damaged."""

    exit_code = 9


@dataclass(frozen=True)
class Undefined:
    """A name that an object needs from others."""

    name: str
    version: str = ""
    file: str = ""  # the library that defines the version
    weak: bool = False
    function: bool = True  # it is only called; otherwise something reads its address
    type: int = STT_NOTYPE

    @property
    def of_glibc(self) -> bool:
        """Whether the version is one of glibc's."""
        return is_of_glibc(self.file)


@dataclass(frozen=True)
class Needs:
    """What one object needs, and what it defines."""

    name: str
    machine: str
    soname: str
    libraries: tuple[str, ...]
    undefined: tuple[Undefined, ...]
    defined: frozenset[str]
    ifuncs: int
    irelative: int
    initial_exec: int
    static_tls: bool
    tls: int

    @property
    def for_glibc(self) -> bool:
        """Whether the loader considers it built for glibc."""
        return any(map(is_of_glibc, self.libraries)) or any(u.of_glibc for u in self.undefined)


@functools.cache
def facts() -> Glibc:
    """Return the facts about glibc."""
    return load(FACTS, Glibc)


@functools.cache
def own_libraries() -> frozenset[str]:
    """Return the names of glibc's own libraries, which the program replaces, from the loader's source."""
    found = re.search(r"is_of_glibc.*?names\[\] =(.*?);", LOADER.read_text(encoding="utf-8"), re.DOTALL)
    if not found:
        raise FactsError(f"{LOADER}: is_of_glibc() has no names[] any more, which staticpython/inventory.py reads")
    return frozenset("".join(re.findall(r'"(.*?)"', found[1])).split("\\0")) - {""}


def is_of_glibc(file: str) -> bool:
    """Whether a library is one of glibc's own."""
    return file in own_libraries() or file.startswith("ld-linux")


class Image:
    """An ELF file's bytes by offset and by address. Reading outside the file raises FormatError."""

    def __init__(self, name: str, data: bytes, *, is_program: bool = False) -> None:
        """Read the header and the segments; only a program may have fixed addresses (--no-pie)."""
        self.name, self.data = name, data
        if not data.startswith(b"\x7fELF"):
            raise self.fault("is no ELF file")
        ident, kind, machine, _, _, at, _, _, _, size, count = self.read(HEADER, 0)
        if ident[4:6] != b"\2\1":
            raise self.fault("is not of 64 bits and little-endian, as all are that load")
        if machine not in MACHINES:
            raise self.fault(f"is for a machine without glibc's libraries here (e_machine {machine})")
        if kind != ET_DYN and not (is_program and kind == ET_EXEC):
            raise self.fault("is no shared library (ET_DYN)")
        self.machine = MACHINES[machine]
        if size != SEGMENT.size:
            raise self.fault(f"has program headers of {size} bytes")
        segments = [self.read(SEGMENT, at + i * size) for i in range(count)]
        self.loads = [(s[3], s[2], s[5]) for s in segments if s[0] == PT_LOAD]
        self.tls = max((s[6] for s in segments if s[0] == PT_TLS), default=0)
        self.dynamic: dict[int, list[int]] = {}
        for s in segments:
            if s[0] == PT_DYNAMIC:
                self._read_dynamic(s[2], s[5])
        self.strings = self.offset(self.one(DT_STRTAB)) if DT_STRTAB in self.dynamic else 0
        self.strings_end = min(self.strings + self.one(DT_STRSZ), len(data))

    def fault(self, text: str) -> FormatError:
        """Return an error that names the file."""
        return FormatError(f"{self.name}: {text}")

    def _read_dynamic(self, at: int, size: int) -> None:
        for i in range(min(size, len(self.data)) // PAIR.size):
            tag, value = self.read(PAIR, at + i * PAIR.size)
            if not tag:
                return
            self.dynamic.setdefault(tag, []).append(value)

    def one(self, tag: int) -> int:
        """Return an entry of the dynamic section, or 0."""
        return self.dynamic.get(tag, [0])[-1]

    def read(self, layout: struct.Struct, at: int) -> tuple[Any, ...]:
        """Read a struct at an offset."""
        if at < 0 or at + layout.size > len(self.data):
            raise self.fault(f"is damaged: a table leads to offset {at:#x}, outside of the file")
        return layout.unpack_from(self.data, at)

    def offset(self, address: int) -> int:
        """Return an address's offset in the file."""
        for start, offset, size in self.loads:
            if start <= address < start + size:
                return int(address - start + offset)
        raise self.fault(f"is damaged: the address {address:#x} is in none of its segments")

    def table(self, address: int, size: int) -> memoryview:
        """Return the bytes at an address."""
        at = self.offset(address)
        if at + size > len(self.data):
            raise self.fault(f"is damaged: a table of {size} bytes at {address:#x} is longer than the file")
        return memoryview(self.data)[at : at + size]

    def text(self, at: int) -> str:
        """Return a text of the string table."""
        start = self.strings + at
        end = self.data.find(b"\0", start, self.strings_end) if start < self.strings_end else -1
        if end < 0:
            raise self.fault(f"is damaged: a name at {at:#x} is not in the string table")
        return self.data[start:end].decode("utf-8", "backslashreplace")


def count_symbols(image: Image) -> int:
    """Return the length of the symbol table, which only the hash tables give."""
    if DT_HASH in image.dynamic:
        return int(image.read(PAIR, image.offset(image.one(DT_HASH)))[0] >> 32)
    if DT_GNU_HASH not in image.dynamic:
        return 0
    at = image.offset(image.one(DT_GNU_HASH))
    buckets, first, filters, _ = image.read(QUAD, at)
    start = at + QUAD.size + 8 * filters
    if start + 4 * buckets > len(image.data):
        raise image.fault("is damaged: its hash table is longer than the file")
    last: int = max(struct.unpack_from(f"<{buckets}I", image.data, start), default=0)
    if last < first:
        return int(first)
    chain = start + 4 * buckets
    while not image.read(WORD, chain + 4 * (last - first))[0] & 1:
        last += 1
    return last + 1


def read_versions(image: Image) -> dict[int, tuple[str, str]]:
    """Return the needed versions by their numbers: name and library."""
    found: dict[int, tuple[str, str]] = {}
    if DT_VERNEED not in image.dynamic:
        return found
    at, left = image.offset(image.one(DT_VERNEED)), len(image.data) // NEEDED_VERSION.size
    for _ in range(min(image.one(DT_VERNEEDNUM), left)):
        _, count, file, first, following = image.read(NEED, at)
        library, entry = image.text(file), at + first
        for _ in range(count):
            left -= 1
            if left < 0:
                raise image.fault("is damaged: its table of needed versions has no end")
            _, _, number, name, step = image.read(NEEDED_VERSION, entry)
            found[number & 0x7FFF] = (image.text(name), library)
            entry += step
            if not step:
                break
        at += following
        if not following:
            break
    return found


def relocations(image: Image, address: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield symbol and type of each relocation of a table."""
    if not image.dynamic.get(address) or not image.one(size):
        return
    table = image.table(image.one(address), image.one(size) // 24 * 24)
    for (info,) in struct.iter_unpack("<8xQ8x", table):
        yield info >> 32, info & 0xFFFFFFFF


def read_needs(name: str, data: bytes, *, is_program: bool = False) -> Needs:
    """Read what an object needs. Raises FormatError for anything but a valid shared library, or the program."""
    image = Image(name, data, is_program=is_program)
    machine, initial_exec, irelative = image.machine, 0, 0
    called, read = set[int](), set[int]()
    for address, size in ((DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)):
        for symbol, kind in relocations(image, address, size):
            (called if kind == machine.plt else read).add(symbol)
            initial_exec += kind == machine.initial_exec
            irelative += kind == machine.irelative
    count, versions = count_symbols(image), read_versions(image)
    symbols = image.table(image.one(DT_SYMTAB), count * SYMBOL.size) if count else memoryview(b"")
    numbers = image.table(image.one(DT_VERSYM), count * HALF.size) if count and DT_VERSYM in image.dynamic else None
    undefined, defined, ifuncs = [], set(), 0
    for i, (at, info, _, section, _, _) in enumerate(SYMBOL.iter_unpack(symbols)):
        if not i or info >> 4 == STB_LOCAL:
            continue
        text, type_ = image.text(at), info & 15
        if section:
            defined.add(text)
            ifuncs += type_ == STT_GNU_IFUNC
            continue
        version, file = versions.get(HALF.unpack_from(numbers, 2 * i)[0] & 0x7FFF, ("", "")) if numbers else ("", "")
        function = type_ == STT_FUNC or (type_ == STT_NOTYPE and i in called and i not in read)
        undefined.append(Undefined(text, version, file, info >> 4 == STB_WEAK, function, type_))
    return Needs(
        name=name,
        machine=machine.name,
        soname=image.text(image.one(DT_SONAME)) if DT_SONAME in image.dynamic else "",
        libraries=tuple(image.text(at) for at in image.dynamic.get(DT_NEEDED, [])),
        undefined=tuple(undefined),
        defined=frozenset(defined),
        ifuncs=ifuncs,
        irelative=irelative,
        initial_exec=initial_exec,
        static_tls=bool(image.one(DT_FLAGS) & DF_STATIC_TLS),
        tls=image.tls,
    )


def aliases(text: str) -> list[tuple[str, str]]:
    """Return the pairs of aliases.h: glibc's name, and musl's name for the same thing."""
    pairs = re.findall(r"^ALIAS\((\w+), (\w+)\)$", text, re.MULTILINE)
    for name in re.findall(r"FINITE\((\w+)\)", text.split("#define FINITE")[1].split("\n", 1)[1]):
        pairs += [(f"__{name}{suffix}_finite", name + suffix) for suffix in ("", "f", "l")]
    return pairs


@dataclass(frozen=True)
class Program:
    """The names that a built interpreter offers to the libraries that it loads."""

    names: frozenset[str]

    def has(self, name: str) -> bool:
        """Whether a library built for glibc finds a name, as find_for_glibc() in loader.h would."""
        if f"__glibc_{name}" in self.names or name in self.names:
            return True
        same = _aliases().get(name)
        if same is None and name.endswith("64") and name[:-2] in facts().lfs64:
            same = name[:-2]
        elif name == "readdir64_r":
            same = "readdir_r"
        return same is not None and (f"__glibc_{same}" in self.names or same in self.names)


@functools.cache
def _aliases() -> dict[str, str]:
    return dict(aliases(ALIASES.read_text(encoding="utf-8")))


def read_program(path: Path) -> Program:
    """Read the names from an interpreter."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; --program is an interpreter that was built") from None
    return Program(read_needs(str(path), data, is_program=True).defined)


@dataclass
class Report:
    """What all objects of a wheel, folder or file need together."""

    objects: int = 0
    for_glibc: int = 0
    newest: str = ""
    names: int = 0  # of glibc
    initial_exec: list[str] = field(default_factory=list)
    tls: int = 0  # bytes at a fixed distance from the thread pointer
    ifuncs: list[str] = field(default_factory=list)
    libraries_of_gcc: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)  # libraries that none of the objects contains
    uncovered: dict[str, str] = field(default_factory=dict)  # a name, or a fault -> what happens


def report_on(objects: list[Needs], program: Program) -> Report:
    """Compare what all objects need with what the program has."""
    known = {PurePath(o.name).name for o in objects} | {o.soname for o in objects}
    defined = frozenset().union(*(o.defined for o in objects))
    report, versions, names = Report(len(objects)), set[tuple[int, int]](), set[str]()
    compiler, outside, of_gcc = set[str](), set[str](), frozenset(facts().libraries_of_gcc)
    for needs in objects:
        if not needs.for_glibc:
            continue
        report.for_glibc += 1
        missing = {x for x in needs.libraries if x not in known and not is_of_glibc(x) and not x.startswith(OF_PROGRAM)}
        compiler |= {x for x in missing if x in of_gcc}
        outside |= {x for x in missing if x not in of_gcc}
        for wanted in needs.undefined:
            if wanted.of_glibc:
                names.add(wanted.name)
                if found := re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", wanted.version):
                    versions.add((int(found[1]), int(found[2])))
            elif wanted.version or missing:
                continue  # another library's, or it may be
            if not wanted.weak and not program.has(wanted.name) and wanted.name not in defined:
                report.uncovered[wanted.name] = _fate(wanted)
        short = PurePath(needs.name).name
        if needs.static_tls and needs.tls:
            report.initial_exec.append(short)
            report.tls += needs.tls
        elif needs.initial_exec and not needs.static_tls:
            report.uncovered[short] = "initial-exec TLS, and no DF_STATIC_TLS that says so: refused"
        if needs.ifuncs or needs.irelative:
            report.ifuncs.append(short)
    if report.tls > facts().tls_room:
        report.uncovered["initial-exec TLS"] = f"{report.tls} bytes, and there is room for {facts().tls_room}: refused"
    report.newest = ".".join(map(str, max(versions))) if versions else ""
    report.names, report.libraries_of_gcc, report.outside = len(names), sorted(compiler), sorted(outside)
    report.uncovered = dict(sorted(report.uncovered.items()))
    return report


def _fate(wanted: Undefined) -> str:
    if not wanted.of_glibc:
        return "no library exports it: refused"
    return "missing function: aborts when called" if wanted.function else "missing data: refused"


def objects_of(path: Path) -> Iterator[Needs]:
    """Read the objects of a wheel or a folder, or one file. Other files in wheels and folders are skipped."""
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink()):
            with file.open("rb") as opened:
                if opened.read(4) == b"\x7fELF" and _is_library(file.name):
                    opened.seek(0)
                    yield read_needs(str(file), opened.read())
    elif path.suffix == ".whl":
        yield from _objects_of_wheel(path)
    else:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; name wheels, shared libraries or folders of these") from None
        yield read_needs(str(path), data)


def _is_library(name: str) -> bool:
    return ".so" in PurePath(name).suffixes  # libcrypto-5409cd36.so.1.1.1k


def _objects_of_wheel(path: Path) -> Iterator[Needs]:
    try:
        with zipfile.ZipFile(path) as wheel:
            for member in wheel.infolist():
                if _is_library(member.filename):
                    data = wheel.read(member)
                    if data.startswith(b"\x7fELF"):
                        yield read_needs(f"{path.name}/{member.filename}", data)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError) as e:
        raise FormatError(f"{path}: is damaged: {e}; download it again") from None


def describe(name: str, report: Report) -> str:
    """Return a report as text."""
    newest = f", up to {report.newest}" if report.newest else ""
    lines = [f"{name}: {report.objects} objects, {report.for_glibc} for glibc; {report.names} names of it{newest}"]
    for title, texts in (
        (f"initial-exec TLS, {report.tls} bytes", report.initial_exec),
        ("IFUNCs", report.ifuncs),
        ("libraries of GCC, from the system", report.libraries_of_gcc),
        ("other libraries, which the wheel does not bring", report.outside),
    ):
        if texts:
            lines.append(f"  {title}: {', '.join(texts)}")
    return "\n".join([*lines, *(f"  not covered: {what} ({fate})" for what, fate in report.uncovered.items())])


def main(arguments: list[str] | None = None) -> int:
    """Print the reports; return 1 if something is missing."""
    parser = argparse.ArgumentParser(prog="staticpython.inventory", description=__doc__)
    parser.add_argument("--program", type=Path, required=True, help="the interpreter that is to load them")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="wheels, shared libraries, folders")
    options = parser.parse_args(arguments)
    program = read_program(options.program)
    reports = {str(path): report_on(list(objects_of(path)), program) for path in options.files}
    if options.json:
        print(json.dumps({name: asdict(report) for name, report in reports.items()}, indent=2))
    else:
        print("\n".join(describe(name, report) for name, report in reports.items()))
    return 1 if any(report.uncovered for report in reports.values()) else 0


if __name__ == "__main__":
    sys.exit(run_main(main))
