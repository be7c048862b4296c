"""A new release is written without losing a comment."""

from __future__ import annotations

import hashlib
from pathlib import Path

from staticpython.bump import bump
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
