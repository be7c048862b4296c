"""A new release is written without losing a comment."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from staticpython.bump import bump, main
from staticpython.config import load_facts


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
        (["xz", "5.9.0", __file__], "test_bump.py: is no archive that can be unpacked"),
        (["compiler-rt", "1", "x"], "compiler-rt has no releases: it is part of ziglang"),
        (["cpython", "3.14.8t", __file__], "3.14.8t is no version of CPython"),
        (["cpython", "2.7.18", __file__], "unknown series '2.7'"),
    ],
)
def test_mistakes_are_named(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
