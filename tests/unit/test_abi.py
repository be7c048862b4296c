"""staticpython.abi: how it reads a compiler's answers, and what it reports. tests/build/test_glibc.py compares."""

from __future__ import annotations

import pytest

from staticpython.abi import EXPECTED, Abi, Compared, Difference, _fields, unexpected
from staticpython.config import ROOT
from staticpython.schema import load


def said(compared: Compared, *differences: Difference) -> list[str]:
    return list(unexpected(compared, Abi({}, list(differences))))


def test_what_differs_must_be_expected() -> None:
    compared = Compared(5, 5, {"FTW_D": (1, 2)}, {"struct x.a": ("at 4", "at 8"), "x_t": ("8 bytes", "4 bytes")})
    assert said(compared, Difference("why", constants=["FTW_*"], types=["struct x.?", "x_t"])) == []
    assert said(compared, Difference("why", types=["*"])) == ["constant FTW_D: glibc 1, musl 2"]
    assert said(compared, Difference("why", constants=["*"], types=["x_t"])) == [
        "type struct x.a: glibc at 4, musl at 8"
    ]


@pytest.mark.parametrize("kind", ["constants", "types"])
def test_what_is_expected_must_differ(kind: str) -> None:
    (message,) = said(Compared(5, 5), Difference("why", **{kind: ["B1*"]}))  # type: ignore[arg-type]
    assert message.startswith(f"{kind[:-1]} B1*: is the same in both")


def test_fields_of_a_layout() -> None:
    block = """         0 | struct holder_7
         0 |   struct x v
         0 |     int first
         8 |     struct timeval when
         8 |       time_t tv_sec
        16 |       suseconds_t tv_usec
        24 |     union x::(unnamed at /usr/include/x.h:3:4)
        24 |       long one
        24 |       double other
    32:0-3 |     unsigned int bits
           | [sizeof=40, align=8]
"""
    assert dict(_fields(block)) == {"first": "0", "when": "8", "one": "24", "other": "24", "bits": "32:0-3"}


def test_what_is_said_to_handle_a_difference_is_there() -> None:
    differences = load(EXPECTED, Abi).differences
    files = [d.handled for d in differences if d.handled]
    assert files and [file for file in files if not (ROOT / file).is_file()] == []
    for difference in differences:
        assert difference.reason and (difference.constants or difference.types), difference
