"""Code as marshal writes it, but always the same bytes, whatever else is in the process.

marshal marks each object with more than one reference, in case that it occurs again. Such a reference may be anywhere
in the process. Here only objects that do occur again keep their mark.

The compiler shares equal constants, but not always sets of strings: this depends on which strings were interned before
(intern_constants in Objects/codeobject.c then makes a new set). Here equal sets are one object again.
"""

from __future__ import annotations

import marshal
import types
from typing import Any

MARK = 0x80
# Tags, and how many bytes or objects follow them (the format: Python/marshal.c). With a size of one byte, of four.
BYTES = dict.fromkeys("0NTF.S", 0) | {"i": 4, "I": 8, "g": 8, "y": 16}
TEXTS = {"z": 1, "Z": 1, "a": 4, "A": 4, "u": 4, "t": 4, "s": 4}
GROUPS = {")": 1, "(": 4, "[": 4, "<": 4, ">": 4}
# A code object: numbers of four bytes (n) and objects (o).
CODE = "nnnnnoooooooonoo"


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.marks: list[int] = []  # where the tags of marked objects are
        self.again: list[tuple[int, int]] = []  # where an object occurs again, and which

    def number(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "little", signed=size > 1)

    def read(self) -> None:
        byte = self.data[self.at]
        tag = chr(byte & ~MARK)
        if byte & MARK:
            self.marks.append(self.at)
        self.at += 1
        if tag == "r":
            self.again.append((self.at, self.number(4)))
        elif tag in TEXTS:
            size = self.number(TEXTS[tag])
            self.at += size
        elif tag in GROUPS:
            for _ in range(self.number(GROUPS[tag])):
                self.read()
        elif tag == ":":
            for _ in range(3):
                self.read()
        elif tag == "l":
            digits = abs(self.number(4))
            self.at += 2 * digits
        elif tag == "c":
            for what in CODE:
                if what == "n":
                    self.at += 4
                else:
                    self.read()
        elif tag in BYTES:
            self.at += BYTES[tag]
        else:
            raise ValueError(f"marshal wrote an object of an unknown type: {tag!r}")


def one_form(code: types.CodeType) -> bytes:
    """Return bytes from which marshal.loads() makes equal code; they depend only on the code."""
    return settled(marshal.dumps(_shared(code, {})))


def _shared(what: Any, made: dict[bytes, Any]) -> Any:
    """Return code, or a constant, in which equal sets are one object, and equal tuples too."""
    if isinstance(what, types.CodeType):
        return what.replace(co_consts=tuple(_shared(each, made) for each in what.co_consts))
    if isinstance(what, frozenset):
        return made.setdefault(settled(marshal.dumps(what)), what)
    if isinstance(what, tuple):
        return made.setdefault(settled(marshal.dumps(what)), tuple(_shared(each, made) for each in what))
    return what


def settled(data: bytes) -> bytes:
    """Return the output of marshal.dumps() for code, without unneeded marks; marshal.loads() gives the same code.

    Raises ValueError for types that code does not contain.
    """
    reader = _Reader(data)
    reader.read()
    places = {old: new for new, old in enumerate(sorted({index for _, index in reader.again}))}
    result = bytearray(data)
    for index, at in enumerate(reader.marks):
        if index not in places:
            result[at] &= ~MARK
    for at, index in reader.again:
        result[at : at + 4] = places[index].to_bytes(4, "little")
    return bytes(result)
