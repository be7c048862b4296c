"""strftime, TZ and mktime of libc.a, as the interpreter shows them (patches/musl/0020 to 0050).

test_time_random.py tests random ones. The expected values are those of CPython on glibc.
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
    zones = target.stdlib / "_staticpython/tzdata/zoneinfo"
    program = "import time; print(time.strftime('%z', time.localtime(1705320000)))"
    assert answer(target, program, TZ="W-SU", TZDIR=str(zones)) == "+0300"


SHOW_ZONE = (
    "import time; print(time.tzname, time.localtime(1720000000).tm_gmtoff, time.localtime(1705320000).tm_gmtoff)"
)


def test_zones_of_the_tree(chroot: Callable[..., str]) -> None:
    """If the machine has no zones, the tree's are used, also after TZ changes."""
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


def test_zone_of_a_time(target: BuiltTarget) -> None:
    """%Z is the time's own zone name, for any time; %s is mktime's result, also for a time without an offset."""
    zones = target.stdlib / "_staticpython/tzdata/zoneinfo"
    berlin = {"TZ": "Europe/Berlin", "TZDIR": str(zones)}
    program = "import time; print(time.strftime('%Z|%s', time.localtime(-3000000000)))"
    assert answer(target, program, **berlin) == "LMT|-3000000000"
    program = "import time; print(time.strftime('%Z|%s', (2024, 7, 1, 12, 0, 0, 0, 183, 1)))"
    assert answer(target, program, **berlin) == "CEST|1719828000"
    program = "import datetime; print(datetime.datetime(2024, 7, 1, 12).strftime('%Z|%s'))"
    assert answer(target, program, **berlin) == "|1719828000"
    assert answer(target, "import time; print(time.strftime('%Z', time.gmtime(0)))", **berlin) == "GMT"


def test_summer_time_where_there_is_none(target: BuiltTarget) -> None:
    program = "import time; print(time.mktime((2024, 7, 1, 12, 0, 0, 0, 0, 1)))"
    assert answer(target, program, TZ="UTC0") == "1719831600.0"


def test_summer_time_for_ever(target: BuiltTarget) -> None:
    """Also in the hours between New Year there and in Greenwich."""
    program = (
        "import time; print({time.localtime(1735671600 + 900 * n).tm_isdst for n in range(100)},"
        " time.mktime((2025, 1, 1, 0, 30, 0, 0, 0, -1)))"
    )
    assert answer(target, program, TZ="XXX3YYY,0/0,J365/25") == "{1} 1735698600.0"
    assert answer(target, program, TZ="XXX-9YYY,0/0,J365/25") == "{1} 1735655400.0"


def test_leap_seconds(target: BuiltTarget) -> None:
    """Zones below right/ count them; the last one was at the end of 2016."""
    if not Path("/usr/share/zoneinfo/right/UTC").is_file():
        pytest.skip("the machine has no zones with leap seconds (Debian: the package tzdata-legacy)")
    program = (
        "import time; print([time.strftime('%T', time.localtime(1483228800 + 25 + n)) for n in range(3)],"
        " time.mktime((2017, 1, 1, 0, 0, 0, 0, 0, 0)), time.mktime((2016, 12, 31, 23, 59, 60, 0, 0, 0)))"
    )
    for zone in ("right/UTC", "/usr/share/zoneinfo/right/UTC"):
        assert answer(target, program, TZ=zone) == "['23:59:59', '23:59:60', '00:00:00'] 1483228827.0 1483228826.0"
