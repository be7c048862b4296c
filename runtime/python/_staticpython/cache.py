"""A bundler's earlier results: modules' code by the source that it was made from, in a file for each package.

A file is used if the user owns it and it has the SHA-256 that it begins with; otherwise it is ignored.
It is written under another name and renamed, so two builds may use it at once: the last one's file stays. Everything
may be removed at any time.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_DIGEST = 32
_FOLDER_DIGEST = "sha256"


def default_folder() -> Path | None:
    """The user's folder for caches; None without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    return Path(base, "static-python/bundle") if os.path.isabs(base) else None


class Cache:
    """Files by their names, each with results by their keys; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def _path(self, name: str) -> Path | None:
        return self._folder / hashlib.sha256(os.fsencode(name)).hexdigest()[:32] if self._folder else None

    def read(self, name: str) -> dict[Any, Any]:
        """The results written under that name; an empty dictionary if the file is missing or damaged."""
        path = self._path(name)
        if path is None:
            return {}
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    return {}
                data = file.read()
        except OSError:
            return {}
        if hashlib.sha256(memoryview(data)[_DIGEST:]).digest() != data[:_DIGEST]:
            return {}
        found: dict[Any, Any] = marshal.loads(memoryview(data)[_DIGEST:])
        return found

    def write(self, name: str, made: dict[Any, Any]) -> None:
        """Write the results, if that is possible."""
        path = self._path(name)
        if path is None:
            return
        data = marshal.dumps(made)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(data).digest() + data)
            temporary.replace(path)
        except OSError:
            pass
        finally:
            with suppress(OSError):
                temporary.unlink()

    def folder(self, name: str, make: Callable[[], Path]) -> Path:
        """The folder kept under that name, if it is complete; otherwise make one, and keep it."""
        if not self._folder:
            return make()
        place = self._folder / name
        if _is_kept(place):
            return place / "packages"
        made = make()
        temporary = self._folder / f".{name}.{os.getpid()}"
        try:
            shutil.copytree(made, temporary / "packages", symlinks=True)
            (temporary / _FOLDER_DIGEST).write_bytes(_digest_of(made))
            if not _is_kept(place):
                shutil.rmtree(place, ignore_errors=True)
                temporary.rename(place)
        except OSError:
            pass
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return made


def _is_kept(place: Path) -> bool:
    try:
        mine = place.stat().st_uid == os.geteuid()
        return mine and (place / _FOLDER_DIGEST).read_bytes() == _digest_of(place / "packages")
    except OSError:
        return False


def _digest_of(folder: Path) -> bytes:
    """Hash all names, kinds and contents in a folder."""
    digest = hashlib.sha256()
    for at, folders, names in os.walk(folder):
        folders.sort()
        for each in sorted([*folders, *names]):
            path = os.path.join(at, each)
            mode = os.lstat(path).st_mode
            content = b""
            if stat.S_ISLNK(mode):
                content = os.fsencode(os.readlink(path))
            elif stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    content = file.read()
            name = os.fsencode(path[len(str(folder)) :])
            digest.update(b"%o %d %d " % (mode & ~0o66, len(name), len(content)) + name + content)
    return digest.digest()


class Kept:
    """Earlier and new results for the files of one package; nothing is read before it is requested."""

    def __init__(self, cache: Cache, package: str) -> None:
        self._cache, self._package = cache, package
        self._before: dict[tuple[str, bytes], Any] | None = None
        self._now: dict[tuple[str, bytes], Any] = {}

    def get(self, kind: str, digest: bytes, make: Callable[[], Any]) -> Any:
        """The result of `make` for the content with that SHA-256; of a type that marshal can write."""
        if self._before is None:
            self._before = self._cache.read(self._package)
        key = kind, digest
        self._now[key] = self._before[key] if key in self._before else make()
        return self._now[key]

    def keep(self) -> None:
        """Keep exactly the results that were requested, if there were any."""
        if self._before is not None and self._now.keys() != self._before.keys():
            self._cache.write(self._package, self._now)
