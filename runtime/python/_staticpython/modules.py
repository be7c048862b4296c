"""The code of what an application in one file carries, ready to be taken: the file python/modules.

runtime/library/library.h has its format, library.c finds and code.c reads what is in it.
"""

from __future__ import annotations

import _imp
import opcode
import struct
import sysconfig
import types
from typing import NamedTuple

from _staticpython.freeze import Module, Strings, numbers

PLACE = "python/modules"
PACKAGE, SITE, SCRIPT = 1, 2, 4

_MAGIC = b"PYMODS\0\1"
_HEAD = struct.Struct("<8s2I8Q")
_MODULE = struct.Struct("<I2H2I2Q")


def is_known() -> bool:
    """Return whether this interpreter can take code from there; one without a GIL cannot."""
    return hasattr(_imp, "library_data") and not sysconfig.get_config_var("Py_GIL_DISABLED")


class Frozen(NamedTuple):
    """A module's code, before its strings have their places among all modules'."""

    objects: int
    # What stands between the strings; one more than there are of them.
    parts: list[bytes]
    strings: list[tuple[bytes, bool]]


def _nameless(code: types.CodeType) -> types.CodeType:
    """Code without its file's name, which it is given when it is taken."""
    inner = (_nameless(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.replace(co_filename="", co_consts=tuple(inner))


def freeze(code: types.CodeType) -> Frozen:
    """Return a module's code in the form of the executable's own; it depends on the source only."""
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


class Modules:
    """Modules' code, by their names."""

    def __init__(self) -> None:
        # All strings, and what refers to each, which names its place.
        self._references: dict[tuple[bytes, bool], bytes] = {}
        self._modules: dict[bytes, tuple[int, int, bytes]] = {}

    def add(self, name: str, code: Frozen, place: int) -> None:
        """Add a module; `place` is of PACKAGE and SITE, or SCRIPT for a file that its path names."""
        objects = [code.parts[0]]
        for string, part in zip(code.strings, code.parts[1:], strict=True):
            objects += (self._references.get(string) or self._refer(string), part)
        self._modules[name.encode()] = place, code.objects, b"".join(objects)

    def _refer(self, string: tuple[bytes, bool]) -> bytes:
        reference = self._references[string] = b"u" + numbers(len(self._references))
        return reference

    def __contains__(self, name: str) -> bool:
        return name.encode() in self._modules

    def file(self) -> bytes:
        """Return what is read."""
        strings = Strings(self._references)
        text, starts = strings.text(), strings.starts()
        if len(text) >= 1 << 30:
            raise ValueError(f"{len(text) >> 20} MiB of strings in the modules' code: at most 1,024 can be carried")
        names, table, objects = bytearray(), bytearray(), bytearray()
        for name, (place, count, code) in sorted(self._modules.items()):
            digest = int.from_bytes(_imp.source_hash(count, code), "little")
            table += _MODULE.pack(len(names), len(name), place, count, len(code), len(objects), digest)
            names += name
            objects += code
        parts: list[bytes | bytearray] = [table, struct.pack(f"<{len(starts)}I", *starts), names, text, objects]
        at = [_HEAD.size]
        for part in parts:
            at.append(at[-1] + len(part))
        head = _HEAD.pack(
            _MAGIC, len(self._modules), len(strings), at[0], at[2], len(names), at[1], at[3], len(text),
            at[4], len(objects),
        )  # fmt: skip
        return b"".join([head, *parts])
