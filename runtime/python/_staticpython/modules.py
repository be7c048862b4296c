"""The code of an application's modules in ready form: the file python/modules of a bundle.

runtime/library/library.h defines its format; library.c finds a module in it, and code.c reads it.
"""

from __future__ import annotations

import _imp
import hashlib
import opcode
import struct
import sysconfig
import types
from collections.abc import Callable
from itertools import accumulate, chain
from typing import NamedTuple

from _staticpython.cache import Kept
from _staticpython.freeze import Module, Strings, numbers

PLACE = "python/modules"
PACKAGE, SITE, SCRIPT = 1, 2, 4

_MAGIC = b"PYMODS\0\1"
_HEAD = struct.Struct("<8s2I8Q")
_MODULE = struct.Struct("<I2H2I2Q")


def is_known() -> bool:
    """Return whether this interpreter can use such a file; one without a GIL cannot."""
    return hasattr(_imp, "library_data") and not sysconfig.get_config_var("Py_GIL_DISABLED")


class Frozen(NamedTuple):
    """A module's code, before its strings have their places among those of all modules."""

    objects: int
    # The parts between the strings; one more than there are strings.
    parts: list[bytes]
    strings: list[tuple[bytes, bool]]


def _nameless(code: types.CodeType) -> types.CodeType:
    """Code without its file's name, which is set when the code is used."""
    inner = (_nameless(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.replace(co_filename="", co_consts=tuple(inner))


def freeze(code: types.CodeType) -> Frozen:
    """Return a module's code in the form of those in the executable; it depends only on the source."""
    strings = Strings()
    caches = {opcode.opmap[name]: count for name, count in opcode._inline_cache_entries.items()}  # type: ignore[attr-defined]
    made = Module(_nameless(code), strings, caches)
    # Each string is an object, once, in the order of their places.
    parts: list[list[bytes]] = [[]]
    for what in made.objects:
        if what[:1] == b"u":
            parts.append([])
        else:
            parts[-1].append(what)
    return Frozen(made.count, [b"".join(part) for part in parts], list(strings))


class Entry(NamedTuple):
    """A module to add: its name, its place, and the SHA-256 of its source."""

    name: str
    # PACKAGE and SITE, or SCRIPT for a file whose name is its path.
    place: int
    digest: bytes


class _Group(NamedTuple):
    """Modules that were added together, and the strings that no earlier module has; as it is in the cache."""

    # Name, place, number of objects, and the objects.
    modules: list[tuple[bytes, int, int, bytes]]
    text: bytes
    # Each string's start in the text, times four, plus LIBRARY_...: uint32_t[].
    starts: bytes
    # SHA-256 of all strings so far, which decide the places of later ones.
    state: bytes


def _references(first: int, end: int) -> list[bytes]:
    """References to strings with these places: as numbers() returns them, for many at once."""

    def places(at: int, until: int) -> range:
        return range(max(first, at), min(end, until))

    one = [b"u%c" % n for n in places(0, 1 << 7)]
    two = [b"u%c%c" % (n & 0x7F | 0x80, n >> 7) for n in places(1 << 7, 1 << 14)]
    three = [b"u%c%c%c" % (n & 0x7F | 0x80, n >> 7 & 0x7F | 0x80, n >> 14) for n in places(1 << 14, 1 << 21)]
    return [*one, *two, *three, *(b"u" + numbers(n) for n in places(1 << 21, end))]


class Modules:
    """Modules' code, by their names.

    A bundle may have 200,000 strings, and 400,000 references to them. So the result for a group of modules is cached.
    It depends on these modules, and on the strings of earlier ones.
    """

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        # The places of the strings of so many groups.
        self._known = 0
        self._places: dict[tuple[bytes, bool], bytes] = {}

    def add(self, entries: list[Entry], kept: Kept, frozen: Callable[[Entry], Frozen | None]) -> set[bytes]:
        """Add modules; `frozen` returns a module's code, None if it is invalid. Return the names of those added."""
        digest = hashlib.sha256(self._groups[-1].state if self._groups else b"")
        for entry in entries:
            digest.update(b"%d %d %s %s" % (entry.place, len(entry.name.encode()), entry.name.encode(), entry.digest))
        group = kept.get("numbered", digest.digest(), lambda: tuple(self._numbered(entries, frozen)))
        self._groups.append(_Group(*group))
        return {name for name, *_ in self._groups[-1].modules}

    def _numbered(self, entries: list[Entry], frozen: Callable[[Entry], Frozen | None]) -> _Group:
        """Give strings their places. No line of Python runs once per reference."""
        self._learn()
        codes = [(entry, code) for entry in entries if (code := frozen(entry))]
        every = dict.fromkeys(chain.from_iterable(code.strings for _, code in codes))
        new = [string for string in every if string not in self._places]
        self._number(new)
        made = []
        for entry, code in codes:
            first, *rest = code.parts
            references = map(self._places.__getitem__, code.strings)
            objects = first + b"".join(chain.from_iterable(zip(references, rest, strict=True)))
            made.append((entry.name.encode(), entry.place, code.objects, objects))
        ends = accumulate((len(text) for text, _ in new), initial=0)
        starts = [end << 2 | (not text.isascii()) << 1 | flag for end, (text, flag) in zip(ends, new, strict=False)]
        text = b"".join(text for text, _ in new)
        packed = struct.pack(f"<{len(starts)}I", *starts)
        before = self._groups[-1].state if self._groups else b""
        return _Group(made, text, packed, hashlib.sha256(before + packed + text).digest())

    def _number(self, strings: list[tuple[bytes, bool]]) -> None:
        count = len(self._places)
        self._places.update(zip(strings, _references(count, count + len(strings)), strict=True))

    def _learn(self) -> None:
        """Add the strings of groups that came from the cache."""
        for group in self._groups[self._known :]:
            starts = [start for (start,) in struct.iter_unpack("<I", group.starts)]
            ends = [*(start >> 2 for start in starts[1:]), len(group.text)]
            texts = [group.text[start >> 2 : end] for start, end in zip(starts, ends, strict=False)]
            self._number(list(zip(texts, [bool(start & 1) for start in starts], strict=True)))
        self._known = len(self._groups) + 1

    def file(self) -> bytes:
        """Return the content of the file."""
        text = b"".join(group.text for group in self._groups)
        if len(text) >= 1 << 30:
            raise ValueError(f"{len(text) >> 20} MiB of strings in the modules' code: at most 1,024 can be carried")
        starts: list[int] = []
        at = 0
        for group in self._groups:
            starts += [start + (at << 2) for (start,) in struct.iter_unpack("<I", group.starts)]
            at += len(group.text)
        names, table, objects = bytearray(), bytearray(), []
        size = 0
        # If two modules have one name, that of the last group is used.
        modules = sorted({module[0]: module for group in self._groups for module in group.modules}.values())
        for name, place, count, code in modules:
            digest = int.from_bytes(_imp.source_hash(count, code), "little")
            table += _MODULE.pack(len(names), len(name), place, count, len(code), size, digest)
            names += name
            objects.append(code)
            size += len(code)
        parts: list[bytes | bytearray] = [
            table, struct.pack(f"<{len(starts) + 1}I", *starts, at << 2), names, text, b"".join(objects),
        ]  # fmt: skip
        places = [_HEAD.size]
        for part in parts:
            places.append(places[-1] + len(part))
        head = _HEAD.pack(
            _MAGIC, len(modules), len(starts), places[0], places[2], len(names), places[1], places[3], len(text),
            places[4], size,
        )  # fmt: skip
        return b"".join([head, *parts])
