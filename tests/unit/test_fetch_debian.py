"""Debian's ways to a file: apt's lists, and the pool of a mirror whose lists have dropped it."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from staticpython.config import SNAPSHOTS, Licence, Package, Release
from staticpython.errors import FactsError, FetchError
from staticpython.fetch import APT_HELPER, DEBIAN_SUITES, Places, _ways, fetch
from staticpython.load import load_facts

CONTENT = bytes(range(256)) * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NEWER = f"""Package: thing
Binary: thing
Version: 1.3-1
Architecture: any
Directory: pool/main/t/thing
Checksums-Sha256:
 {"1" * 64} 10 thing_1.3-1.dsc
 {"2" * 64} 20 thing_1.3.orig.tar.xz
"""
POOL_PATH = "pool/main/t/thing/thing_1.2.orig.tar.xz"

pytestmark = pytest.mark.skipif(not APT_HELPER.exists(), reason="this machine has no apt, whose ways these are")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(params=["http", "file"])
def mirror(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is the only mirror in apt's settings, with lists that no longer have the file."""
    root = tmp_path / "mirror/debian"
    for suite in DEBIAN_SUITES:
        write_lists(root, suite, NEWER)
    handler = functools.partial(Quiet, directory=str(root.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/debian" if request.param == "http" else root.as_uri()
    (tmp_path / "system.list").write_text(f"deb {url} trixie main\n")
    # Unsigned, so that the test needs no key: the bytes are checked by the pinned hash.
    settings = {
        "Dir::Etc::sourcelist": tmp_path / "system.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": tmp_path / "lists",
        "Acquire::AllowInsecureRepositories": "true",
        "APT::Get::AllowUnauthenticated": "true",
        "Acquire::http::Proxy": "DIRECT",
    }
    (tmp_path / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    yield root
    server.shutdown()
    server.server_close()


def write_lists(root: Path, suite: str, text: str) -> None:
    """Write a suite's list of sources and its Release file."""
    sources = root / f"dists/{suite}/main/source/Sources"
    sources.parent.mkdir(parents=True)
    sources.write_text(text)
    digest, size = hashlib.sha256(text.encode()).hexdigest(), len(text)
    (root / f"dists/{suite}/Release").write_text(
        f"Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\nArchitectures: amd64\nComponents: main\n"
        f"Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {digest} {size} main/source/Sources\n"
    )


def put(root: Path, content: bytes) -> None:
    """Put a file into the mirror's pool."""
    (root / POOL_PATH).parent.mkdir(parents=True)
    (root / POOL_PATH).write_bytes(content)


def thing() -> Package:
    release = Release("1.2", "thing-1.2.tar.xz", len(CONTENT), SHA256, debian=POOL_PATH)
    return Package("thing", "summary", "home", Licence("MIT", []), "data", [release])


def test_the_pool_has_what_the_lists_lack(mirror: Path, tmp_path: Path) -> None:
    put(mirror, CONTENT)
    got, origin = fetch(thing(), Places(tmp_path / "downloads"))
    assert origin.endswith(f"/debian/{POOL_PATH}")
    file = tmp_path / "downloads" / got.file
    assert file.read_bytes() == CONTENT
    assert not file.is_symlink(), "apt makes links to files of a local mirror"


def test_the_pool_is_asked_though_there_are_no_lists(mirror: Path, tmp_path: Path) -> None:
    for suite in DEBIAN_SUITES:
        (mirror / f"dists/{suite}/Release").unlink()
        (mirror / f"dists/{suite}/main/source/Sources").unlink()
    put(mirror, CONTENT)
    _, origin = fetch(thing(), Places(tmp_path / "downloads"))
    assert origin.endswith(POOL_PATH)


def test_other_bytes_in_the_pool_are_never_used(mirror: Path, tmp_path: Path) -> None:
    put(mirror, CONTENT[:-1] + b"!")
    with pytest.raises(FetchError, match=r"(?s)no version in .* has a file of this hash.*" + POOL_PATH):
        fetch(thing(), Places(tmp_path / "downloads"))
    assert not (tmp_path / "downloads/thing-1.2.tar.xz").exists()


@pytest.mark.parametrize("mirror", ["http"], indirect=True)
def test_snapshots_are_asked_last(mirror: Path, tmp_path: Path) -> None:
    urls = [f"{SNAPSHOTS}file/0", "https://example.org/thing.tar.xz"]
    release = Release("1.2", "thing-1.2.tar.xz", len(CONTENT), SHA256, urls, debian=POOL_PATH)
    ways = [way for way, _ in _ways(release, Places(tmp_path))]
    assert [ways[0], ways[1], ways[-1]] == [urls[1], "Debian thing", urls[0]]
    assert len(ways) == 4 and ways[2].endswith(POOL_PATH)
    assert mirror.is_dir()


def test_every_file_of_debian_has_its_snapshot() -> None:
    releases = [r for p in load_facts().packages.values() for r in p.releases if r.debian]
    assert [r.file for r in releases if not any(u.startswith(f"{SNAPSHOTS}file/") for u in r.urls)] == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("bzip2", "'bzip2' is not pool/main/"),
        (
            "pool/main/b/bzip2/bzip2_1.0.7.orig.tar.gz",
            "bzip2_1.0.7.orig.tar.gz is of another version than `file`, bzip2-1.0.8.tar.gz",
        ),
    ],
)
def test_a_wrong_path_is_an_error(project: Path, path: str, message: str) -> None:
    facts = project / "configs/packages/bzip2.yml"
    text = facts.read_text()
    assert "debian: pool/main/b/bzip2/bzip2_1.0.8.orig.tar.gz" in text
    facts.write_text(text.replace("pool/main/b/bzip2/bzip2_1.0.8.orig.tar.gz", path))
    with pytest.raises(FactsError, match=message):
        load_facts(project)
