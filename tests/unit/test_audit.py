"""Sources with a newer release, according to Debian's lists and PyPI's pages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import requests

from staticpython import audit
from staticpython.audit import Answer, ask, newest_in_debian, newest_in_pypi, numbers, sources
from staticpython.fetch import UnavailableError
from staticpython.load import load_facts

LISTING = "\n".join(
    f" {'a' * 64} 100 {name}"
    for name in (
        *(
            "musl_1.2.6.orig.tar.gz",
            "musl_1.2.10.orig.tar.gz",
            "musl_1.2.10-1.debian.tar.xz",
            "musl_1.3.0~rc1.orig.tar.gz",
        ),
    )
)
PAGE = """<a href="../../x/certifi-2026.9.1-py3-none-any.whl#sha256=1">a</a>
<a href="https://h/certifi-2026.10.2.tar.gz#sha256=2">b</a><a href="certifi-2027.1.0rc1.tar.gz">c</a>
<a href="other">d</a>"""


def test_debians_lists() -> None:
    assert newest_in_debian(LISTING) == "musl_1.2.10.orig.tar.gz", "by numbers, no candidate, no packaging"
    assert numbers("libedit_3.1-20250104.orig.tar.gz") < numbers("libedit_3.1-20260512.orig.tar.gz")
    assert numbers("sqlite3_3.53.4.orig.tar.xz") == [3, 53, 4], "the package's own number is none of them"
    with pytest.raises(UnavailableError, match="no such source package"):
        newest_in_debian("")


def test_pypis_pages() -> None:
    assert str(newest_in_pypi(PAGE)) == "2026.10.2"
    with pytest.raises(UnavailableError, match="no release"):
        newest_in_pypi("<html></html>")


def test_every_source_is_asked_for() -> None:
    """Each file that a build may use: a part of another package has none, a variant shares its series' file."""
    facts = load_facts()
    found = [(package.name, release.version) for package, release in sources(facts, [])]
    assert {name for name, _ in found} == {p.name for p in facts.packages.values() if not p.source_of}
    assert {v for n, v in found if n == "cpython"} == {s.releases[0].version for s in facts.series.values()}
    assert [package.name for package, _ in sources(facts, ["musl"])] == ["musl"]


def test_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newer release, none, and a place that cannot be reached, which does not fail the audit."""
    facts = load_facts()
    musl, certifi = (next(iter(sources(facts, [name]))) for name in ("musl", "certifi"))
    monkeypatch.setattr(audit, "_apt", lambda _: ())
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, stdout=LISTING, stderr="")
    )
    assert ask(*musl, tmp_path) == Answer("musl", "1.2.6", "musl_1.2.10.orig.tar.gz", "Debian")

    def unreachable(*_: object, **__: object) -> None:
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(audit, "index_page", lambda *_: "https://example.org/certifi/")
    monkeypatch.setattr(requests, "get", unreachable)
    assert ask(*certifi, tmp_path) == Answer("certifi", certifi[1].version, "?", "no network")
    assert audit.main(["certifi", "--downloads", str(tmp_path)]) == 0
    assert "0 of 1 have a newer release" in capsys.readouterr().out
    assert audit.main(["certify"]) == 2
    assert "did you mean 'certifi'" in capsys.readouterr().err
