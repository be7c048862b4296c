"""Which certificates are trusted by default."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from tests.unit.test_runtime_support import load

certificates = load("certificates")


class Context:
    """Records what is loaded; refuses files that say so."""

    def __init__(self) -> None:
        self.loaded: list[tuple[str, str]] = []

    def load_verify_locations(self, cafile: str | None = None, capath: str | None = None) -> None:
        if cafile and Path(cafile).read_text(encoding="ascii") == "bad":
            raise ssl.SSLError("no certificate or crl found")
        self.loaded.append(("cafile", cafile) if cafile else ("capath", str(capath)))

    def load_openssl_defaults(self) -> None:
        self.loaded.append(("openssl", ""))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no certificates; its candidates are tmp_path/{one,two}.pem and tmp_path/certs."""
    for name in certificates.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(certificates, "FILES", tuple(str(tmp_path / f"{name}.pem") for name in ("one", "two")))
    monkeypatch.setattr(certificates, "FOLDERS", (str(tmp_path / "certs"),))
    monkeypatch.setattr(certificates, "BUNDLED", str(tmp_path / "bundled.pem"))
    (tmp_path / "bundled.pem").write_text("bundled", encoding="ascii")
    (tmp_path / "certs").mkdir()
    return tmp_path


def load_into_context() -> list[tuple[str, str]]:
    context = Context()
    certificates.load(context, context.load_openssl_defaults)
    return context.loaded


def test_bundled_when_the_machine_has_none(machine: Path) -> None:
    (machine / "one.pem").touch()  # an empty file does not count
    (machine / "certs" / "ca-certificates.crt").touch()  # a folder without hashed names does not count
    assert certificates.default_locations() == (str(machine / "bundled.pem"), None)
    assert load_into_context() == [("cafile", str(machine / "bundled.pem"))]


def test_what_cannot_be_read_is_none(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "one.pem").mkdir()
    (machine / "two.pem").write_text("two", encoding="ascii")
    assert certificates.default_locations() == (str(machine / "two.pem"), None)
    access = os.access  # root may read all
    monkeypatch.setattr(os, "access", lambda path, mode: "two" not in str(path) and access(path, mode))
    assert certificates.default_locations() == (str(machine / "bundled.pem"), None)


def test_first_file_of_the_machine(machine: Path) -> None:
    (machine / "two.pem").write_text("two", encoding="ascii")
    assert load_into_context() == [("cafile", str(machine / "two.pem"))]
    (machine / "one.pem").write_text("one", encoding="ascii")
    assert load_into_context() == [("cafile", str(machine / "one.pem"))]


def test_hashed_folder(machine: Path) -> None:
    (machine / "certs" / "0a1b2c3d.0").touch()
    assert certificates.default_locations() == (None, str(machine / "certs"))
    assert load_into_context() == [("capath", str(machine / "certs"))]
    (machine / "one.pem").write_text("one", encoding="ascii")
    assert load_into_context() == [("capath", str(machine / "certs")), ("cafile", str(machine / "one.pem"))]


def test_a_bad_file_is_replaced_by_the_bundled_one(machine: Path) -> None:
    (machine / "one.pem").write_text("bad", encoding="ascii")
    assert load_into_context() == [("cafile", str(machine / "bundled.pem"))]


@pytest.mark.parametrize("name", certificates.ENVIRONMENT)
def test_environment_wins(machine: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (machine / "one.pem").write_text("one", encoding="ascii")
    monkeypatch.setenv(name, "")
    assert load_into_context() == [("openssl", "")]


def test_nothing_at_all_is_no_error(machine: Path) -> None:
    (machine / "bundled.pem").unlink()
    assert load_into_context() == []


@pytest.mark.parametrize(
    ("name", "hashed"), [("0a1b2c3d.0", True), ("0A1b2c3d.0", False), ("0a1b2c3d.pem", False), ("a.0", False)]
)
def test_hashed_names(name: str, hashed: bool) -> None:
    assert certificates._is_hashed(name) is hashed
