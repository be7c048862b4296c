"""Makes files of an application real ones, for other programs (--extract). A .pth file starts this.

They are written when one of them is needed: into the user's cache folder, in a folder named by the SHA-256 of all of
them. It appears by a rename, so it is there whole or not at all. It is used again if each file has its size, and only
the user and root can write to it or to a folder above it. An extracted module has its real path, but its code is still
taken from the application, as that of extension modules is: the files in the folder are for other programs. Data is
found with real_path().
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType

LIST = "python/extracted"


class NotExtractedError(OSError):
    """A file cannot be extracted: the reason, and what to do."""


class _Files:
    """The files to write, from the list that contents.py makes: a SHA-256, and each file's size, kind and path."""

    def __init__(self) -> None:
        self.program = sys.base_prefix.removesuffix("/python")
        with open(f"{self.program}/{LIST}", encoding="utf-8", errors="surrogateescape") as file:
            self.digest, *lines = file.read().splitlines()
        rows = [line.split(" ", 2) for line in lines]
        self.files = {path: (int(size), kind == "program") for size, kind, path in rows}
        self.tops = {_top(path) for path in self.files}
        self.place = ""

    def ready(self) -> str:
        """The folder that has all files; raises NotExtractedError."""
        if not self.place:
            base = _base()
            place = f"{base}/{self.digest}"
            try:
                if not self._is_whole(place):
                    self._make(base, place)
            except OSError as error:
                raise NotExtractedError(
                    f"{error.filename or base}: {error.strerror}: what other programs need is written there:"
                    " set XDG_CACHE_HOME to a folder of yours"
                ) from None
            self.place = place
        return self.place

    def _is_whole(self, place: str) -> bool:
        import stat

        def is_ours(path: str, kind: int, size: int = -1) -> bool:
            status = os.lstat(path)
            ours = status.st_uid == os.geteuid() and not status.st_mode & 0o022
            return ours and stat.S_IFMT(status.st_mode) == kind and size in {-1, status.st_size}

        try:
            folders = {os.path.dirname(path) for path in self.files}
            return (
                is_ours(place, stat.S_IFDIR)
                and all(is_ours(f"{place}/{path}", stat.S_IFDIR) for path in folders)
                and all(is_ours(f"{place}/{path}", stat.S_IFREG, size) for path, (size, _) in self.files.items())
            )
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _make(self, base: str, place: str) -> None:
        import shutil
        import tempfile

        _sweep(base)
        temporary = tempfile.mkdtemp(prefix=".", dir=base)
        try:
            new = f"{temporary}/new"
            os.mkdir(new, 0o700)
            for path, (_, is_program) in self.files.items():
                self._write(path, f"{new}/{path}", 0o500 if is_program else 0o400)
            while True:
                try:
                    os.rename(new, place)
                    return
                except OSError:
                    # It exists: another process has made it, or it is not whole.
                    if self._is_whole(place):
                        return
                    if not os.path.lexists(place):
                        raise
                with suppress(FileNotFoundError):
                    os.rename(place, tempfile.mkdtemp(dir=temporary) + "/old")
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _write(self, path: str, target: str, mode: int) -> None:
        import shutil

        _make_folder(os.path.dirname(target))
        with open(f"{self.program}/{path}", "rb") as source, open(target, "xb") as file:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)

    def carried(self, path: str) -> str:
        """The path in the application, for a path in the folder."""
        return self.program + path[len(self.place) :] if self.place and path.startswith(f"{self.place}/") else path


def _top(path: str) -> str:
    """The module in site-packages that a file belongs to."""
    return path.partition("/site-packages/")[2].partition("/")[0].removesuffix(".py")


def _make_folder(path: str) -> None:
    """Make a folder, and those above it, for the user only."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        _make_folder(os.path.dirname(path))
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)


def _base() -> str:
    """Make the folder for all such folders; raises NotExtractedError if others could write to it."""
    import ctypes

    at_secure = 23
    if ctypes.CDLL(None).getauxval(at_secure):
        raise NotExtractedError("a set-user-ID program writes no files for other programs")
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        home = os.environ.get("HOME", "")
        if not os.path.isabs(home):
            raise NotExtractedError(
                "there is no folder for what other programs need: set HOME, or XDG_CACHE_HOME to a folder of yours"
            )
        cache = f"{home}/.cache"
    base = f"{cache}/static-python/files"
    try:
        _make_folder(base)
    except OSError as error:
        raise NotExtractedError(
            f"{base}: {error.strerror}: what other programs need is written there: set XDG_CACHE_HOME to a folder of"
            " yours"
        ) from None
    base = os.path.realpath(base)
    parts = base.split("/")
    for count in range(1, len(parts) + 1):
        _check("/".join(parts[:count]) or "/", is_own=count == len(parts))
    return base


def _check(folder: str, *, is_own: bool) -> None:
    """Refuse a folder that others than the user and root can change; in a sticky folder they cannot."""
    status = os.stat(folder)
    if status.st_uid not in {0, os.geteuid()}:
        raise NotExtractedError(
            f"{folder}: it is another user's, who could change what is in it: set XDG_CACHE_HOME to a folder of yours"
        )
    sticky = 0o1000
    if status.st_mode & 0o022 and (is_own or not status.st_mode & sticky):
        raise NotExtractedError(
            f"{folder}: others can write to it: chmod go-w, or set XDG_CACHE_HOME to a folder of yours"
        )


def _sweep(base: str) -> None:
    """Remove the files of killed processes."""
    import shutil
    import time

    with os.scandir(base) as found:
        for entry in found:
            with suppress(FileNotFoundError):  # another process has just finished, or removed it
                if entry.name.startswith(".") and entry.stat(follow_symlinks=False).st_mtime < time.time() - 24 * 3600:
                    shutil.rmtree(entry.path, ignore_errors=True)


class _Loader(SourceFileLoader):
    """A module at its real path, with its code from the application."""

    def get_code(self, fullname: str) -> CodeType | None:
        import _imp

        code = SourceFileLoader(fullname, _state[0].carried(str(self.path))).get_code(fullname)
        _imp._fix_co_filename(code, self.path)  # type: ignore[attr-defined]
        return code


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, *_: object) -> ModuleSpec | None:
        files = _state[0]
        if name.partition(".")[0] not in files.tops:
            return None
        spec = PathFinder.find_spec(name, path and [files.carried(each) for each in path])
        below = _below(files, spec.origin) if spec and spec.origin else ""
        if not spec or below not in files.files or type(spec.loader) is not SourceFileLoader:
            return spec
        try:
            real = f"{files.ready()}/{below}"
        except NotExtractedError as error:
            if not _warned and sys.stderr:
                print(f"{files.program}: warning: {error}", file=sys.stderr)
            _warned.append(str(error))
            return spec
        from importlib.util import spec_from_file_location

        folder = [os.path.dirname(real)] if spec.submodule_search_locations is not None else None
        return spec_from_file_location(name, real, loader=_Loader(name, real), submodule_search_locations=folder)


_state: list[_Files] = []
_warned: list[str] = []


def _below(files: _Files, path: str) -> str:
    """The path relative to the program; empty for other paths."""
    return path.removeprefix(f"{files.program}/") if path.startswith(f"{files.program}/") else ""


def start() -> None:
    """Find modules that are extracted."""
    _state.append(_Files())
    sys.meta_path.insert(0, _Finder)  # type: ignore[arg-type,unused-ignore]


def real_path(path: str | os.PathLike[str]) -> str:
    """Where other programs find a file or folder of the application; raises NotExtractedError.

    Other paths are returned as they are.
    """
    text = os.path.abspath(path)
    if not _state:
        # With python3 -S, or if nothing is extracted.
        try:
            _state.append(_Files())
        except OSError:
            return text
    files = _state[0]
    below = _below(files, text)
    if not below:
        return text
    if below not in files.files and not any(each.startswith(f"{below}/") for each in files.files):
        raise NotExtractedError(f"{text}: it is not extracted: name it by --extract when the application is bundled")
    return f"{files.ready()}/{below}"
