"""A bundler's cache (runtime/python/_staticpython/cache.py)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from _staticpython.cache import Cache, Kept, default_folder


def made(cache: Cache, *sources: bytes, package: str = "p") -> list[bytes]:
    """Make something from sources; return the sources for which it was not in the cache."""
    calls: list[bytes] = []

    def make(source: bytes) -> Callable[[], bytes]:
        return lambda: calls.append(source) or source.upper()  # type: ignore[func-returns-value]

    kept = Kept(cache, package)
    assert [kept.get("kind", source, make(source)) for source in sources] == [s.upper() for s in sources]
    kept.keep()
    return calls


def test_what_did_not_change_is_not_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new/cache")
    assert made(cache, b"a", b"b") == [b"a", b"b"]
    assert made(cache, b"b", b"a") == []
    assert made(cache, b"a", b"c") == [b"c"]
    # Results that were not requested are dropped; another package has its own file.
    assert made(cache, b"b") == [b"b"]
    assert made(cache, b"b", package="../q") == [b"b"]
    assert made(cache, b"b") == []
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} == {tmp_path / "new/cache"}
    assert (tmp_path / "new/cache").stat().st_mode & 0o777 == 0o700
    # Another kind of result from the same source is a separate entry.
    kept = Kept(cache, "p")
    assert kept.get("other", b"b", lambda: None) is None


def test_files_that_are_not_whole_are_not_taken(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    made(cache, b"a")
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:31], whole[:-1], whole + b"x", bytes([whole[0] ^ 1]) + whole[1:]):
        file.write_bytes(damaged)
        assert made(cache, b"a") == [b"a"]
        assert file.read_bytes() == whole


def test_files_of_others_are_not_taken(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root, who gives files away")
    cache = Cache(tmp_path)
    made(cache, b"a")
    (file,) = tmp_path.iterdir()
    os.chown(file, 65534, 65534)
    assert made(cache, b"a") == [b"a"]


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for cache in (Cache(None), Cache(tmp_path / "file/folder")):
        assert made(cache, b"a") == [b"a"]
        assert made(cache, b"a") == [b"a"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    calls: list[Path] = []

    def make() -> Path:
        folder = tmp_path / f"made{len(calls)}"
        (folder / "bin").mkdir(parents=True)
        (folder / "bin/tool").write_text("tool")
        (folder / "bin/tool").chmod(0o755)
        (folder / "link").symlink_to("bin")
        calls.append(folder)
        return folder

    assert cache.folder("name", make) == tmp_path / "made0"
    kept = cache.folder("name", make)
    assert kept.is_relative_to(tmp_path / "cache") and len(calls) == 1
    assert (kept / "bin/tool").read_text() == "tool" and os.access(kept / "bin/tool", os.X_OK)
    assert (kept / "link").readlink() == Path("bin")
    changes: list[Callable[[], object]] = [
        lambda: (kept / "bin/tool").write_text("other"),
        lambda: (kept / "bin/tool").chmod(0o644),
        (kept / "bin/tool").unlink,
        (kept / "more").touch,
        (kept.parent / "sha256").unlink,
    ]
    for number, change in enumerate(changes, 1):
        change()
        assert cache.folder("name", make) == tmp_path / f"made{number}"
        assert cache.folder("name", make) == kept
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["name"]
    assert Cache(None).folder("name", make) == calls[-1] != kept


def test_the_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    for value, expected in (("/cache", "/cache"), ("relative", "/home/me/.cache"), ("", "/home/me/.cache")):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert default_folder() == Path(expected, "static-python/bundle")
    monkeypatch.setenv("HOME", "relative")
    assert default_folder() is None
