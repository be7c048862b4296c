"""Files that an application extracts (_staticpython/extracted.py); tests/build/test_bundle.py runs it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from _staticpython import extracted


def test_files_that_another_process_removes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed processes left two folders; both are gone when the second one is looked at."""
    for name in (".first", ".second"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1e9, 1e9))
    remove = shutil.rmtree

    def remove_all(*_: object, **__: object) -> None:
        for path in tmp_path.iterdir():
            remove(path)

    monkeypatch.setattr(shutil, "rmtree", remove_all)
    extracted._sweep(str(tmp_path))
    assert not list(tmp_path.iterdir())
