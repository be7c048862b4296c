"""The bundled time zones, for machines with neither /usr/share/zoneinfo nor the tzdata package.

They are the files of the tzdata package on PyPI (IANA's database), in a folder that is not importable. So
`pip install tzdata` brings newer ones, and `pip list` is correct. Code that blocks the import of tzdata
(sys.modules["tzdata"] = None, as in test_zoneinfo) wants only the system's data, so it does not get these.
"""

import sys
from os import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

FOLDER = path.join(path.dirname(__file__), "tzdata")


def _is_blocked() -> bool:
    return sys.modules.get("tzdata", sys) is None


def open_zone(key: str) -> "BinaryIO | None":
    """Open the zone `key`, such as "Europe/Berlin"; None if there is no such zone."""
    if _is_blocked() or path.isabs(key) or ".." in key.split("/"):
        return None
    try:
        file = open(path.join(FOLDER, "zoneinfo", key), "rb")  # noqa: SIM115 (the caller closes it)
    except (OSError, ValueError):  # ValueError: null byte, surrogates
        return None
    if file.read(4) != b"TZif":
        file.close()
        return None
    file.seek(0)
    return file


def zone_names() -> "set[str]":
    """Return the names of all bundled zones, as the tzdata package lists them."""
    if _is_blocked():
        return set()
    try:
        with open(path.join(FOLDER, "zones"), encoding="ascii") as lines:
            return set(lines.read().split())
    except OSError:
        return set()
