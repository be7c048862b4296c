"""What runs of an application used, as recorder.py wrote it: modules by their names, sources by their paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _staticpython.payload import PayloadError


@dataclass(frozen=True)
class Trace:
    """Names of modules, and paths below the program; also of those that were looked for and not found."""

    names: frozenset[str]

    @classmethod
    def read(cls, files: Sequence[Path]) -> Trace | None:
        """All runs combined; None without files."""
        names: set[str] = set()
        for file in files:
            if not file.is_file():
                raise PayloadError(f"--trace {file}: no such file: run what was made with --record {file}")
            lines = file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
            if "site" not in lines:
                raise PayloadError(f"--trace {file}: not what an executable writes that was made with --record")
            names.update(lines)
        return cls(frozenset(names)) if files else None

    def __contains__(self, name: str) -> bool:
        return name in self.names
