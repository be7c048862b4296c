"""Tell every copy of `packaging` which wheels this interpreter runs: musllinux, then manylinux if requested.

PEP 656 has installers find musl's version by running the program interpreter (PT_INTERP) of
`sys.executable`. A static executable has none, so `packaging._musllinux` would offer no musllinux tag.
packagers.py calls patch() for each copy of the module that is imported.
"""

import posix
import sys

from _staticpython.facts import GLIBC_VERSION, MUSL_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

# The names of PEP 513, 571 and 599 for the tags of glibc 2.5, 2.12 and 2.17.
OLD_NAMES = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


def loads_glibc() -> bool:
    """Do libraries built for glibc load? The loader also reads the environment that the process started with."""
    return bool(GLIBC_VERSION) and posix.environ.get(b"STATICPYTHON_GLIBC") == b"1"


def manylinux_tags(arches: "str | Sequence[str]", version: str = GLIBC_VERSION) -> "Iterator[str]":
    """Yield the platform tags of PEP 600 for one or several machines, the newest first."""
    major, newest = map(int, version.split("."))
    for arch in [arches] if isinstance(arches, str) else arches:
        for minor in range(newest, min(OLD_NAMES) - 1, -1):
            yield f"manylinux_{major}_{minor}_{arch}"
            if minor in OLD_NAMES:
                yield f"{OLD_NAMES[minor]}_{arch}"


def patch(module: "Any") -> None:
    """Make `module._get_musl_version(sys.executable)` answer with our musl's version.

    If libraries built for glibc load, `module.platform_tags` has manylinux tags after its own.
    """
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

    own_tags = getattr(module, "platform_tags", None)
    if own_tags and loads_glibc():

        def platform_tags(arches: "str | Sequence[str]") -> "Iterator[str]":
            yield from own_tags(arches)
            yield from manylinux_tags(arches)

        module.platform_tags = platform_tags
