"""strftime, TZ and mktime of libc.a, as the interpreter shows them (patches/musl/0020 to 0022).

The expected values are what CPython on glibc prints.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

FORMATS = {
    "Progress 100%": "Progress 100%",
    "%Q|%5Q|%^5Q": "%Q|  %5Q| %^5Q",
    "%k:%M %P|%l": "23:13 pm|11",
    "%_5d|%-5d|%05e|%5a|%010A": "   14|   14|00014|  Tue|000Tuesday",
    "%^a|%#a|%#p|%#Z": "TUE|TUE|pm|est",
    "%Ed|%Od|%OB": "%Ed|14|November",
    "%6Y|%_6Y|%10s": "002023|  2023|1700021600",
}
ZONE = {"TZ": "EST5EDT,M3.2.0,M11.1.0"}


def answer(target: BuiltTarget, program: str, **environment: str) -> str:
    return target.run("-c", program, env=clean_environment(**environment))


@pytest.mark.parametrize("text", FORMATS)
def test_strftime(target: BuiltTarget, text: str) -> None:
    program = f"import time; print(repr(time.strftime({text!r}, time.localtime(1700021600))))"
    assert answer(target, program, **ZONE) == repr(FORMATS[text])


def test_summer_time_without_rule(target: BuiltTarget) -> None:
    program = "import time; print(time.tzname, time.strftime('%H:%M %Z', time.localtime(1705320000)))"
    assert answer(target, program, TZ="AAA5BBB") == "('AAA', 'BBB') 07:00 AAA"


def test_time_that_does_not_exist(target: BuiltTarget) -> None:
    program = "import time; print(time.mktime((2024, 3, 31, 2, 30, 0, 0, 0, -1)))"
    assert answer(target, program, TZ="CET-1CEST,M3.5.0,M10.5.0/3") == "1711848600.0"


def test_name_that_looks_like_a_rule(target: BuiltTarget) -> None:
    if not Path("/usr/share/zoneinfo/W-SU").is_file():
        pytest.skip("the machine has no zone W-SU: needs its tzdata")
    program = "import time; print(time.strftime('%z', time.localtime(1705320000)))"
    assert answer(target, program, TZ="W-SU") == "+0300"
