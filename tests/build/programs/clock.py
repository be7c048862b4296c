"""Answer questions about times: run by the interpreter that was built, and by one on glibc.

Standard input is JSON: a list of [TZ, formats, seconds, local times], where a format is [text, fields of a time]. The
output is JSON too: for each zone a list of answers of each kind.
"""

import json
import os
import sys
import time
from typing import Any


def formatted(form: str, fields: "list[Any]") -> str:
    """Return strftime's text; eleven fields are a time with a zone's name and offset."""
    moment = time.struct_time(fields) if len(fields) == 11 else tuple(fields)
    return time.strftime(form, moment)


def local(seconds: int) -> "list[Any]":
    """Return localtime's answer."""
    moment = time.localtime(seconds)
    return [*moment, moment.tm_zone, moment.tm_gmtoff, time.strftime("%Z %z", moment)]


def seconds(fields: "list[int]") -> "list[str]":
    """Return mktime's answer, and strftime's %s."""
    try:
        return [str(int(time.mktime(tuple(fields)))), time.strftime("%s", tuple(fields))]  # type: ignore[arg-type]
    except OverflowError:
        return ["none", "none"]


answers = []
for zone, formats, moments, locals_ in json.load(sys.stdin):
    os.environ["TZ"] = zone
    time.tzset()
    answers.append(
        [[formatted(*each) for each in formats], [local(each) for each in moments], [seconds(each) for each in locals_]]
    )
json.dump(answers, sys.stdout)
