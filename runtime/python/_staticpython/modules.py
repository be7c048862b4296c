"""The code of what an application in one file carries, ready to be taken: the file python/modules.

runtime/library/library.h has its format, library.c finds and code.c reads what is in it.
"""

from __future__ import annotations

import _imp
import opcode
import struct
import sysconfig
import types

from _staticpython.freeze import Module, Strings

PLACE = "python/modules"
PACKAGE, SITE = 1, 2

_MAGIC = b"PYMODS\0\1"
_HEAD = struct.Struct("<8s2I8Q")
_MODULE = struct.Struct("<I2H2I2Q")


def is_known() -> bool:
    """Return whether this interpreter can take code from there; one without a GIL cannot."""
    return hasattr(_imp, "library_data") and not sysconfig.get_config_var("Py_GIL_DISABLED")


class Modules:
    """Modules' code, by their names."""

    def __init__(self) -> None:
        self._strings = Strings()
        self._caches = {opcode.opmap[name]: count for name, count in opcode._inline_cache_entries.items()}  # type: ignore[attr-defined]
        self._modules: dict[bytes, tuple[int, int, bytes]] = {}

    def add(self, name: str, code: types.CodeType, place: int) -> None:
        """Add a module; `place` is of PACKAGE and SITE."""
        made = Module(code, self._strings, self._caches)
        self._modules[name.encode()] = place, made.count, b"".join(made.objects)

    def __contains__(self, name: str) -> bool:
        return name.encode() in self._modules

    def file(self) -> bytes:
        """Return what is read."""
        text, starts = self._strings.text(), self._strings.starts()
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
            _MAGIC, len(self._modules), len(self._strings), at[0], at[2], len(names), at[1], at[3], len(text),
            at[4], len(objects),
        )  # fmt: skip
        return b"".join([head, *parts])
