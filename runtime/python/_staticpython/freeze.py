"""Modules' code as lists of objects; the standard library's into a C header: `freeze_library.py MODULES LIB HEADER`.

MODULES is a file with the modules' names, each followed by its file's name if that differs; LIB is the folder with
their source. Neighbours in MODULES are neighbours in memory, so modules that start-up imports come first. CPython's
Makefile runs this with the Python that freezes its other modules, which may lack every C extension (so no struct, no
opcode). Python/frozen.c includes the header (patch 0014). modules.py does the same for an application in one file.

A module's code becomes a list of objects, each of which refers only to those before it; the last is the code itself.
code.c reads it with two fifths of marshal's instructions. Numbers are LEB128. A string is a number too: its place in
the list of all modules' strings.
"""

import _imp
import marshal
import os
import sys
import types
from collections.abc import Iterable, Iterator

import _opcode_metadata  # type: ignore[import-not-found]

# The first objects of every module, by marshal's tags: read_module_code() in code.c begins with the same.
CONSTANTS = "NFT."
# The start of an adaptive instruction's counter (pycore_code.h, pycore_backoff.h), as _PyCode_Quicken() sets it.
COUNTER, BRANCH = 1 << 4 | 1, 0x5555
JUMP = 16 << 4 | 4 if sys.version_info < (3, 14) else 4095 << 4 | 12
COUNTERS = {_opcode_metadata.opmap["JUMP_BACKWARD"]: JUMP} | {
    _opcode_metadata.opmap[f"POP_JUMP_IF_{condition}"]: BRANCH for condition in ("FALSE", "TRUE", "NONE", "NOT_NONE")
}
MARSHAL_REF = 0x80


def source(lib: str, name: str) -> tuple[bytes, bool]:
    """Return the source of a module, and whether it is a package."""
    base = lib + "/" + name.replace(".", "/")
    try:
        with open(base + "/__init__.py", "rb") as file:
            return file.read(), True
    except OSError:
        with open(base + ".py", "rb") as file:
            return file.read(), False


def literal(data: bytes) -> str:
    """Return data as a C string: printable characters as they are, except special ones; the rest in octal."""
    text = [chr(c) if 0x20 <= c < 0x7F and c not in b'"\\?' else f"\\{c:03o}" for c in data]
    return "\n".join('"' + "".join(text[i : i + 60]) + '"' for i in range(0, len(text), 60)) or '""'


def numbers(*values: int) -> bytes:
    """Return numbers, which must not be negative, as LEB128."""
    out = bytearray()
    for value in values:
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


def cache_entries(lib: str) -> dict[int, int]:
    """Return how many cache entries follow each opcode, from the table that CPython's own C code uses."""
    with open(lib + "/../Include/internal/pycore_opcode_metadata.h") as file:
        table = file.read().rpartition("_PyOpcode_Caches[256] = {")[2].partition("}")[0]
    entries = (line.strip(" [,").split("] = ") for line in table.split("\n") if "] = " in line)
    return {_opcode_metadata.opmap[name]: int(count) for name, count in entries}


def quicken(code: bytes, caches: dict[int, int]) -> bytes:
    """Return bytecode with its counters set, as the interpreter sets them in code from a compiler or a file."""
    out = bytearray(code)
    i = 0
    while i < len(out):
        count = caches.get(out[i], 0)
        if count:
            out[i + 2 : i + 4] = COUNTERS.get(out[i], COUNTER).to_bytes(2, "little")
        i += 2 + 2 * count
    return bytes(out)


class Strings:
    """The strings of all modules, each once."""

    def __init__(self, strings: Iterable[tuple[bytes, bool]] = ()) -> None:
        """Begin with some strings, all different."""
        self._places = {string: place for place, string in enumerate(strings)}

    def place(self, text: bytes, interned: bool) -> int:
        """Return a string's place; text is UTF-8."""
        return self._places.setdefault((text, interned), len(self._places))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)

    def __iter__(self) -> Iterator[tuple[bytes, bool]]:
        """Yield the strings in the order of their places: the text, and whether it is interned."""
        return iter(self._places)

    def text(self) -> bytes:
        """Return all of them, one after the other."""
        return b"".join(text for text, _ in self._places)

    def starts(self) -> list[int]:
        """Return each string's start in the text, times four, plus LIBRARY_...; and the end of the last one."""
        starts, size = [], 0
        for text, interned in self._places:
            starts.append(size << 2 | (not text.isascii()) << 1 | interned)
            size += len(text)
        return [*starts, size << 2]

    def header(self) -> str:
        """Return C code: the text, the start of each string in it, room for the objects."""
        return (
            f"static const char library_text[] =\n{literal(self.text())};\n\n"
            "static const uint32_t library_strings[] = {\n" + ",\n".join(map(str, self.starts())) + "};\n\n"
            f"static PyObject *library_interned[{len(self._places)}];\n\n"
        )


class Module:
    """A module's code: `objects` as code.c reads them, made from marshal's output (its format: Python/marshal.c)."""

    def __init__(self, code: types.CodeType, strings: Strings, caches: dict[int, int]) -> None:
        """Convert code; its strings are added to those of all modules."""
        self._caches = caches
        self.objects: list[bytes] = []
        self._data, self._at = marshal.dumps(code), 0
        self._strings = strings
        self._refs: list[int] = []
        self._places: dict[bytes, int] = {}
        self._read()

    @property
    def count(self) -> int:
        """How many objects there are, constants included."""
        return len(CONSTANTS) + len(self.objects)

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _byte(self) -> int:
        return self._take(1)[0]

    def _long(self) -> int:
        return int.from_bytes(self._take(4), "little", signed=True)

    def _add(self, what: bytes) -> int:
        """Append an object, and return its place."""
        self.objects.append(what)
        return self.count - 1

    def _once(self, what: bytes) -> int:
        """Return the place of an object; add it if there is no equal one."""
        if what not in self._places:
            self._places[what] = self._add(what)
        return self._places[what]

    def _read(self) -> int:
        """Read an object, and return its place."""
        byte = self._byte()
        tag = chr(byte & ~MARSHAL_REF)
        if tag == "r":
            return self._refs[self._long()]
        ref = len(self._refs)
        if byte & MARSHAL_REF:
            self._refs.append(-1)  # numbered before its contents
        place = CONSTANTS.index(tag) if tag in CONSTANTS else self._read_as(tag)
        if byte & MARSHAL_REF:
            self._refs[ref] = place
        return place

    def _read_as(self, tag: str) -> int:
        """Read what follows a tag."""
        if tag in "zZaAut":
            text = self._take(self._byte() if tag in "zZ" else self._long())
            return self._once(b"u" + numbers(self._strings.place(text, tag in "ZAt")))
        if tag == "s":
            size = self._long()
            return self._once(b"b" + numbers(size) + self._take(size))
        if tag in "()":
            return self._tuple(self._byte() if tag == ")" else self._long())
        if tag == ">":
            return self._once(b"s" + numbers(self._tuple(self._long())))
        if tag == ":":  # a slice, since 3.14
            return self._once(b":" + numbers(*[self._read() for _ in range(3)]))
        if tag == "g":
            return self._once(b"f" + self._take(8))
        if tag == "y":
            return self._once(b"c" + self._take(16))
        if tag == "i":
            return self._integer(self._long())
        if tag == "l":
            size = self._long()
            digits = [int.from_bytes(self._take(2), "little") for _ in range(abs(size))]
            value = sum(digit << 15 * i for i, digit in enumerate(digits))
            return self._integer(value if size > 0 else -value)
        if tag == "c":
            return self._code()
        raise SystemExit(f"freeze_library.py: marshal's type {tag!r} is unknown to it and to code.c")

    def _integer(self, value: int) -> int:
        return self._once(b"n" + numbers(value) if 0 <= value < 1 << 28 else b"i%x\0" % value)

    def _tuple(self, size: int) -> int:
        return self._once(b"t" + numbers(size, *[self._read() for _ in range(size)]))

    def _code(self) -> int:
        counts = [self._long() for _ in range(5)]  # arguments, positional and by keyword only, stack, flags
        bytecode = quicken(self._bytecode(), self._caches)
        consts, names, variables, kinds, _filename, name, qualname = [self._read() for _ in range(7)]
        line = self._long()
        tables = self._read(), self._read()  # lines, exceptions
        fields = numbers(len(bytecode) // 2, *counts, consts, names, variables, kinds, name, qualname, line, *tables)
        return self._add(b"o" + fields + bytecode)

    def _bytecode(self) -> bytes:
        """Read bytes to which nothing else refers."""
        if self._byte() & MARSHAL_REF:
            self._refs.append(-1)
        return self._take(self._long())


def main(modules: str, lib: str, header: str) -> None:
    """Write the header."""
    strings, caches = Strings(), cache_entries(lib)
    objects, entries = b"", []
    with open(modules) as file:
        for line in file.read().splitlines():
            name, _, origin = line.partition(" ")
            text, is_package = source(lib, origin or name)
            code = compile(text, f"<library {name}>", "exec", optimize=0, dont_inherit=True)
            module = Module(code, strings, caches)
            source_hash = int.from_bytes(_imp.source_hash(0, text), "little")
            fields = f'"{name}", "{origin or name}", {int(is_package)}, {module.count}, {len(objects)}'
            entries.append(f"{{{fields}, {source_hash}u, {len(text)}}},\n")
            objects += b"".join(module.objects)
    with open(header, "w") as out:
        out.write('/* Generated by freeze_library.py. */\n\n#include "pycore_library.h"\n\n')
        out.write(strings.header())
        out.write("static const struct _library_module library_modules[] = {\n" + "".join(sorted(entries)) + "};\n\n")
        out.write(f"static const unsigned char library_objects[] =\n{literal(objects)};\n\n")
        out.write(f"static unsigned char library_usable[{len(entries)}];\n\n")
        out.write(f"const struct _library _PyLibrary = {{{len(entries)}, library_modules, library_objects,\n")
        out.write(f"library_text, library_strings, {len(strings)}, sizeof(library_text) - 1,\n")
        out.write("library_interned, sizeof(library_interned),\n")
        out.write(f"{os.environ.get('SOURCE_DATE_EPOCH', '-1')}, library_usable}};\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
