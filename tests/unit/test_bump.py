"""A new release is written without losing a comment."""

from __future__ import annotations

import hashlib
import tarfile
from functools import partial
from pathlib import Path

import pytest

from staticpython import bump as module
from staticpython.bump import bump, main
from staticpython.load import load_facts


def test_comments_stay(project: Path) -> None:
    path, file = project / "configs/packages/libedit.yml", project / "libedit-9.tar.gz"
    file.write_bytes(b"new")
    comments = [line for line in path.read_text().splitlines() if "#" in line]
    before = path.read_text()
    bump(path, "9", file, file.name, "https://example.org/libedit-9.tar.gz")
    assert [line for line in path.read_text().splitlines() if "#" in line] == comments
    changed = set(path.read_text().splitlines()) - set(before.splitlines())
    assert len(changed) <= 8, changed
    (release,) = load_facts(project).packages["libedit"].releases
    assert (release.version, release.size) == ("9", 3)
    assert release.sha256 == hashlib.sha256(b"new").hexdigest()
    assert release.debian == "pool/main/libe/libedit/libedit_9.orig.tar.gz"
    assert release.urls == ["https://example.org/libedit-9.tar.gz"], "a snapshot's address names the old bytes"


def test_addresses_get_the_new_version(project: Path) -> None:
    path, file = project / "configs/packages/xz.yml", project / "xz-5.9.0.tar.xz"
    file.write_bytes(b"new")
    before = path.read_text()
    bump(path, "5.9.0", file, file.name, None)
    assert path.read_text().partition("\nkind:")[2] == before.partition("\nkind:")[2], "other keys keep their lines"
    (release, _) = load_facts(project).packages["xz"].releases
    assert release.urls == ["https://github.com/tukaani-project/xz/releases/download/v5.9.0/xz-5.9.0.tar.xz"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["xz", "5.9.0", "nowhere.tar.xz"], "nowhere.tar.xz: is no file"),
        (
            ["xz", "5.9.0", "ARCHIVE/zlib-1.4.tar.gz"],
            "zlib-1.4.tar.gz: is not xz's, whose files begin with xz or xz-utils",
        ),
        (["xz", "5.9.0", "ARCHIVE/xz-5.9.0.txt"], "xz-5.9.0.txt: is no archive that can be unpacked"),
        (["compiler-rt", "1", "x"], "compiler-rt has no releases: it is part of ziglang"),
        (["cpython", "3.14.8t", __file__], "3.14.8t is no version of CPython"),
        (["cpython", "2.7.18", __file__], "unknown series '2.7'"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    for name in ("zlib-1.4.tar.gz", "xz-5.9.0.txt"):
        (tmp_path / name).touch()
    assert main([word.replace("ARCHIVE", str(tmp_path)) for word in arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("version", "code"), [("5.9.0", 0), ("v5.9.0", 3), ("5.8.1", 3)])
def test_what_is_refused_is_not_written(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, version: str, code: int
) -> None:
    monkeypatch.setattr(module, "ROOT", project)
    monkeypatch.setattr(module, "load_facts", partial(load_facts, project))
    path, archive = project / "configs/packages/xz.yml", project / f"xz-{version}.tar.gz"
    tarfile.open(archive, "w:gz").close()
    before = path.read_text()
    assert main(["xz", version, str(archive)]) == code
    assert (path.read_text() == before) == bool(code)
    assert ("releases[" in capsys.readouterr().err) == bool(code)
