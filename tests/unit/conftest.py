"""Fixtures of the unit tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from staticpython.config import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's facts that a test may break."""
    for name in ("configs", "setup_local", "patches", "runtime", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "supported.txt", tmp_path)
    return tmp_path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--sources", action="store_true", help="fail where a source is not in downloads/ instead of skipping"
    )
