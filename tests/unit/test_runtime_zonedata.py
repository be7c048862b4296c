"""The bundled time zones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_runtime_support import load

zonedata = load("zonedata")


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    zones = tmp_path / "zoneinfo" / "Europe"
    zones.mkdir(parents=True)
    (zones / "Berlin").write_bytes(b"TZif2...")
    (zones.parent / "zone.tab").write_bytes(b"# text")
    (tmp_path / "zones").write_text("Europe/Berlin\nUTC\n", encoding="ascii")
    monkeypatch.setattr(zonedata, "FOLDER", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("bundle")
def test_open_zone() -> None:
    with zonedata.open_zone("Europe/Berlin") as file:
        assert file.read() == b"TZif2..."


@pytest.mark.usefixtures("bundle")
@pytest.mark.parametrize(
    "key",
    [
        "Europe",
        "Europe/Nowhere",
        "zone.tab",
        "../zones",
        "/etc/localtime",
        "Europe/../Europe/Berlin",
        "\0",
        "\ud800",
    ],
)
def test_what_is_no_zone(key: str) -> None:
    assert zonedata.open_zone(key) is None


@pytest.mark.usefixtures("bundle")
def test_zone_names() -> None:
    assert zonedata.zone_names() == {"Europe/Berlin", "UTC"}


def test_no_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zonedata, "FOLDER", str(tmp_path / "nothing"))
    assert zonedata.zone_names() == set()
    assert zonedata.open_zone("UTC") is None


@pytest.mark.usefixtures("bundle")
def test_blocked_with_tzdata(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: dict[str, Any] = sys.modules
    monkeypatch.setitem(modules, "tzdata", None)
    assert zonedata.zone_names() == set()
    assert zonedata.open_zone("Europe/Berlin") is None
