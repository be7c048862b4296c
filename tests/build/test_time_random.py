"""strftime, localtime and mktime of random times, compared with glibc's (patches/musl/0020 to 0025, 0040 to 0050).

The interpreter that runs these tests is the reference: its strftime and localtime are the host's glibc.
programs/clock.py asks both. glibc is not asked how mktime converts a local time that exists twice or not at all,
because its answer depends on earlier calls: PEP 495's fold=0 is expected. docs/differences.md lists what is left out
here.
"""

from __future__ import annotations

import calendar
import json
import os
import platform
import random
import re
import string
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import PROGRAMS, BuiltTarget, clean_environment

pytestmark = pytest.mark.any_cpu("C code without a word of assembly, natively for 64 bits and on i386 for 32")

CLOCK = PROGRAMS / "clock.py"
RIGHT = Path("/usr/share/zoneinfo/right")
RULES = (
    "UTC0",
    "JST-9",
    "<+0330>-3:30",
    "EST5EDT,M3.2.0,M11.1.0",
    "AAA5BBB",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "IST-1GMT0,M10.5.0,M3.5.0/1",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "EET-2EEST,M3.5.5/0,M10.5.5/0",
    "<-03>3<-02>,M3.5.0/-1,M10.5.0/0",
    "XXX3YYY,J60,J300",
    "XXX3YYY,59/3:30,299/1:15",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
)
# For times without a name glibc uses the last one that it saw in a zone's file, so these zones are rules.
FORMATTED = ("UTC0", "JST-9", "<+0330>-3:30", "EST5EDT,M3.2.0,M11.1.0", "XXX3YYY,J60,J300")
DAY = 86400
Question = tuple[str, list[Any], list[int], list[list[int]]]

CONVERSION = re.compile(r"%(?P<flags>[_\-0^#]*)(?P<width>\d*)(?P<modifier>[EO]?)(?P<letter>.)")
KNOWN = {"": "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%", "E": "cCxXyYGnPprRstTuzZ%", "O": "BbhCdeHIklmMSuUVwWyZ"}


def differs(part: re.Match[str], year: int) -> bool:
    """Whether docs/differences.md lists a conversion."""
    flags, width, letter = part["flags"], part["width"], part["letter"]
    # Releases of glibc differ in %#Z, %-9Z and other changes of the name.
    if letter in "zZ" and (flags or width):
        return True
    # %010s of a negative number: glibc writes zeros before the sign.
    if width and (letter == "F" or (letter == "s" and "0" in flags)):
        return True
    if letter in "cCFGY" and year < 1000:
        return True
    # For an unknown conversion, glibc writes the letter as a capital.
    return bool(set(flags) & set("^#")) and letter.islower() and letter not in KNOWN[part["modifier"]]


def random_format(source: random.Random, zone: str, year: int) -> str:
    """Return one to four conversions with flags, widths and modifiers, and text between them."""
    parts: list[str] = []
    while len(parts) < source.randrange(1, 5):
        flags = "".join(source.choices("_-0^#", k=source.choice((0, 0, 0, 1, 1, 2, 3))))
        width = str(source.choice((source.randrange(1, 6), source.randrange(1, 40)))) if source.random() < 0.3 else ""
        modifier = source.choice(("", "", "", "E", "O"))
        part = CONVERSION.fullmatch(f"%{flags}{width}{modifier}{source.choice(string.ascii_letters + '%%%!. ~')}")
        # E and O are modifiers: the next character would be the conversion. test_local_time tests %s with summer time.
        if part and part["letter"] not in ("EOs" if "," in zone else "EO") and not differs(part, year):
            parts.append(part[0] + source.choice(("", "|", " ", "a", "100")))
    return "".join(parts) + source.choice(("", "", "", "%", "%5", "%-"))


def random_time(source: random.Random) -> list[Any]:
    """Return fields that may contradict each other, with or without a zone's name and offset."""
    year = source.choice((source.randrange(1900, 2100), source.randrange(1000, 10000), source.randrange(1, 99999)))
    fields: list[Any] = [year, source.randrange(1, 13), source.randrange(1, 32)]
    fields += [source.randrange(24), source.randrange(60), source.randrange(62)]
    fields += [source.randrange(7), source.randrange(1, 367), source.choice((-1, 0, 1))]
    if source.random() < 0.5:
        fields += [source.choice(("", "UTC", "CET", "LMT", "aBcDef", "+0545")), source.choice((0, 3600, -18000, 20700))]
    return fields


def offset(moment: int) -> tuple[int, int]:
    """Return glibc's offset, and whether it is summer time."""
    local = time.localtime(moment)
    return local.tm_gmtoff, local.tm_isdst


def changes(start: int) -> Iterator[int]:
    """Yield the times at which local time changes in a year."""
    before = offset(start)
    for day in range(start, start + 366 * DAY, DAY):
        after = offset(day + DAY)
        if after != before:
            low, high = day, day + DAY
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            yield high
        before = after


def expected(fields: list[int], *, leaps: bool) -> str | None:
    """Return mktime's expected answer; None: glibc's; "any": see docs/differences.md."""
    guess = calendar.timegm(tuple(fields))
    zone = {offset(moment) for moment in range(guess - 26 * 3600, guess + 26 * 3600, 1800)}
    moments = {guess - east + leap for east, _ in zone for leap in range(30 if leaps else 1)}
    found = sorted(moment for moment in moments if [*time.localtime(moment)[:6]] == fields[:6])
    if fields[8] >= 0:
        same = [moment for moment in found if bool(offset(moment)[1]) == bool(fields[8])]
        return str(same[0]) if same else None if len(zone) == 1 and not leaps else "any"
    if found:
        return str(found[0])
    return str(guess - offset(guess - 26 * 3600)[0]) if len(zone) == 2 and not leaps else "any"


def run(command: list[str], questions: list[Question], zones: Path) -> list[Any]:
    done = subprocess.run(
        [*command, str(CLOCK)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        timeout=600,
        env=clean_environment(TZDIR=str(zones)),
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    answers: list[Any] = json.loads(done.stdout)
    return answers


@pytest.fixture
def zones(target: BuiltTarget, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the tree's zones, which glibc also reads here."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("the reference is glibc, and these tests are run by a Python that is not on it")
    folder = target.stdlib / "_staticpython/tzdata/zoneinfo"
    with monkeypatch.context() as patch:
        patch.setenv("TZDIR", str(folder))
        patch.setenv("TZ", "UTC0")
        yield folder
    time.tzset()


def compare(target: BuiltTarget, questions: list[Question], zones: Path) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield each zone, question, glibc's answer and ours."""
    theirs, ours = (
        run([sys.executable], questions, zones),
        run([*target.emulator, str(target.binary)], questions, zones),
    )
    for (zone, *kinds), *answers in zip(questions, theirs, ours, strict=True):
        for asked, *both in zip(kinds, *answers, strict=True):
            for each in zip(asked, *both, strict=True):
                yield (zone, *each)


def test_strftime(target: BuiltTarget, zones: Path, seed: int) -> None:
    source = random.Random(seed)
    moments = [random_time(source) for _ in range(3000)]
    questions: list[Question] = [
        (zone, [[random_format(source, zone, moment[0]), moment] for moment in moments], [], []) for zone in FORMATTED
    ]
    wrong = [each for each in compare(target, questions, zones) if each[2] != each[3]]
    assert not wrong, f"{len(wrong)} of {3000 * len(FORMATTED)}: {wrong[:10]}"


def test_local_time(target: BuiltTarget, zones: Path, seed: int) -> None:
    """All zones, and rules; times around each change, and local times with each tm_isdst."""
    source = random.Random(seed)
    files = sorted(path for path in zones.rglob("*") if path.is_file() and path.read_bytes()[:4] == b"TZif")
    leaps = sorted(path for path in RIGHT.rglob("*") if path.is_file())
    names = [str(path.relative_to(zones)) for path in files]
    names += [*RULES * 5, *map(str, source.sample(leaps, min(20, len(leaps))))]
    assert len(names) > 400
    questions: list[Question] = []
    demands: list[str | None] = []
    for name in names:
        os.environ["TZ"] = name
        time.tzset()
        # In glibc, a rule has no summer time before 1970.
        first = 1971 if name in RULES else 1880
        start = int((source.randrange(first, 2100) - 1970) * 365.2425 * DAY)
        moments = [source.randrange(start, 2**32), start]
        locals_ = [time.gmtime(start + source.randrange(366 * DAY))]
        for change in changes(start):
            moments += [change - 1, change, change + source.randrange(-7200, 7200)]
            for around in (change - 1, change):
                near = change + source.randrange(-9000, 9000) + offset(around)[0]
                locals_.append(time.gmtime(near))
        fields = [[*moment[:6], 0, 1, source.choice((-1, -1, 0, 1))] for moment in locals_]
        questions.append((name, [], moments, fields))
        demands += [expected(each, leaps=name.startswith("/")) for each in fields]
    wrong = []
    wanted = iter(demands)
    for zone, asked, glibc, ours in compare(target, questions, zones):
        want = glibc
        if isinstance(asked, list):
            demand = next(wanted)
            if demand == "any":
                continue
            want = [demand, demand] if demand else glibc
        if want != ours:
            wrong.append((zone, asked, want, ours))
    assert not wrong, f"{len(wrong)}: {wrong[:10]}"
