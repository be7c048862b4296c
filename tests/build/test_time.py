"""strftime, TZ and mktime of libc.a, as the interpreter shows them (patches/musl/0020 to 0022).

The expected values are what CPython on glibc prints.
"""

from __future__ import annotations

from collections.abc import Callable
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


SHOW_ZONE = (
    "import time; print(time.tzname, time.localtime(1720000000).tm_gmtoff, time.localtime(1705320000).tm_gmtoff)"
)


def test_zones_of_the_tree(chroot: Callable[..., str]) -> None:
    """Where the machine has no zones: those of the tree, also when TZ changes."""
    assert chroot("-c", SHOW_ZONE, TZ="Europe/Berlin") == "('CET', 'CEST') 7200 3600"
    assert chroot("-c", SHOW_ZONE, TZ="GB-Eire") == "('GMT', 'BST') 3600 0"
    changed = f"import os, time; os.environ['TZ'] = 'Asia/Tokyo'; time.tzset(); {SHOW_ZONE}"
    assert chroot("-c", changed) == "('JST', 'JST') 32400 32400"
    assert chroot("-c", SHOW_ZONE, TZ="No/Such") == "('UTC', 'UTC') 0 0"
    assert chroot("-c", SHOW_ZONE, TZ="../Europe/Berlin") == "('UTC', 'UTC') 0 0"


def test_folder_of_zones(target: BuiltTarget, tmp_path: Path) -> None:
    """TZDIR comes first."""
    zones = target.stdlib / "_staticpython/tzdata/zoneinfo"
    (tmp_path / "Mine").symlink_to(zones / "Asia/Kolkata")
    (tmp_path / "UTC").symlink_to(zones / "Asia/Tokyo")
    assert answer(target, SHOW_ZONE, TZ="Mine", TZDIR=str(tmp_path)) == "('IST', 'IST') 19800 19800"
    assert answer(target, SHOW_ZONE, TZ="Mine", TZDIR="/nonexistent") == "('UTC', 'UTC') 0 0"
    assert answer(target, SHOW_ZONE, TZ="Asia/Kolkata", TZDIR="/nonexistent") == "('IST', 'IST') 19800 19800"


def test_before_the_only_transition(target: BuiltTarget) -> None:
    """Local mean time: Africa/Lagos has more transitions, Asia/Kathmandu two, Africa/Abidjan one (1912)."""
    zones = target.stdlib / "_staticpython/tzdata/zoneinfo"
    program = "import time; t = time.localtime(-1830384000); print(t.tm_zone, t.tm_gmtoff)"
    assert answer(target, program, TZ="Africa/Abidjan", TZDIR=str(zones)) == "LMT -968"
