"""Tell every copy of `packaging` that this interpreter runs musllinux wheels.

PEP 656 has installers find musl's version by running the program interpreter (PT_INTERP) of
`sys.executable`. A static executable has none, so `packaging._musllinux` would offer no musllinux tag.
packagers.py calls patch() for each copy of the module that is imported.
"""

import sys

from _staticpython.facts import MUSL_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch(module: "Any") -> None:
    """Make `module._get_musl_version(sys.executable)` answer with our musl's version."""
    original = getattr(module, "_get_musl_version", None)
    if original is None:
        return
    major, minor = map(int, MUSL_VERSION.split(".")[:2])
    make_version = getattr(module, "_MuslVersion", lambda *numbers: numbers)
    version = make_version(major, minor)

    def _get_musl_version(executable: str) -> "Any":
        """Version of the musl that `executable` runs on; our own is inside the executable."""
        if executable == sys.executable:
            return version
        return original(executable)

    if hasattr(original, "cache_clear"):
        _get_musl_version.cache_clear = original.cache_clear  # type: ignore[attr-defined]
    module._get_musl_version = _get_musl_version
