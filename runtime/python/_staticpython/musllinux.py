"""Tell every copy of `packaging` that this interpreter runs musllinux wheels.

PEP 656 has installers find musl's version by running the program interpreter (PT_INTERP) of
`sys.executable`. A static executable has none, so `packaging._musllinux` would offer no musllinux tag.
The module is copied into pip, setuptools, wheel, poetry-core, uv and others, and `pip install -U pip`
replaces it: hence an import hook, installed by site.py, instead of a patch of one copy.
"""

import sys

from _staticpython.facts import MUSL_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


class _PatchingLoader:
    """Load a module with its own loader, then patch it."""

    def __init__(self, loader: "Any") -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._loader, name)

    def exec_module(self, module: "Any") -> None:
        """Execute `module`, which then looks as if this class had never been there."""
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        patch(module)


def find_spec(
    hook: object, fullname: str, path: "Sequence[str] | None", target: "ModuleType | None" = None
) -> "ModuleSpec | None":
    """Find `fullname` as if `hook` were not on sys.meta_path; its loader will patch it."""
    for finder in sys.meta_path:
        if finder is hook or not hasattr(finder, "find_spec"):
            continue
        spec = finder.find_spec(fullname, path, target)
        if spec is not None:
            if hasattr(spec.loader, "exec_module"):
                spec.loader = _PatchingLoader(spec.loader)  # type: ignore[assignment]
            return spec
    return None


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
