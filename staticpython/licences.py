"""What a licence asks of the whole interpreter, by its SPDX expression (SPDX specification, annex D)."""

from __future__ import annotations

import re

# With these a program that is linked to the code, or compiled with its headers, need not be under the GPL.
FREE_EXCEPTIONS = (
    "Classpath-exception-2.0",
    "GCC-exception-2.0",
    "GCC-exception-3.1",
    "Linux-syscall-note",
    "u-boot-exception-2.0",
)


def is_gpl(expression: str) -> bool:
    """Return whether what is linked to code of this licence must be under the GPL, LGPL or AGPL, or be relinkable.

    Of `A OR B` we take the free one; `A AND B` holds us to both. An exception that is not known to free us does not.
    Raises ValueError for what is no expression.
    """
    words = re.findall(r"[()]|[^\s()]+", expression)
    gpl = _alternatives(words, expression)
    if words:
        raise ValueError(f"'{expression}' is no SPDX expression: it should end before '{words[0]}'")
    return gpl


def _alternatives(words: list[str], expression: str) -> bool:
    gpl = _conjunction(words, expression)
    while words[:1] == ["OR"]:
        del words[0]
        gpl = _conjunction(words, expression) and gpl
    return gpl


def _conjunction(words: list[str], expression: str) -> bool:
    gpl = _licence(words, expression)
    while words[:1] == ["AND"]:
        del words[0]
        gpl = _licence(words, expression) or gpl
    return gpl


def _licence(words: list[str], expression: str) -> bool:
    def take(what: str) -> str:
        if not words or words[0] in (")", "AND", "OR", "WITH") or (words[0] == "(" and what != "a licence"):
            raise ValueError(f"'{expression}' is no SPDX expression: {what} is missing")
        return words.pop(0)

    name = take("a licence")
    if name == "(":
        gpl = _alternatives(words, expression)
        if words[:1] != [")"]:
            raise ValueError(f"'{expression}' is no SPDX expression: ) is missing")
        del words[0]
        return gpl
    gpl = "GPL" in name.upper()  # LGPL and AGPL too, however it is written
    if words[:1] == ["WITH"]:
        del words[0]
        return take("an exception") not in FREE_EXCEPTIONS and gpl
    return gpl
