"""Downloads: checked before use, resumed, from the first place that has them."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from staticpython import bump
from staticpython.config import Licence, Package, PyPI, Release
from staticpython.errors import ChecksumError, FetchError
from staticpython.fetch import Places, UnavailableError, _find_in_listing, _locked, fetch

CONTENT = bytes(range(256)) * 1000


class Server(ThreadingHTTPServer):
    """Serves CONTENT at any path that ends in `good.tar`, and an index with one; notes the ranges asked for."""

    ranges: list[str | None]
    busy = 0  # how many requests are told to try again


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name that http.server calls
        assert isinstance(self.server, Server)
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if self.server.busy:
            self.server.busy -= 1
            self.send_error(503)
            return
        if self.path.endswith("/simple/thing/"):
            page = b'<a href="/other.tar">other.tar</a> <a href="../../files/a&amp;b/good.tar#sha256=0">good.tar</a>'
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page)
            return
        if not self.path.endswith("good.tar"):
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.ranges = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def package(*releases: Release) -> Package:
    return Package("thing", "summary", "home", Licence("MIT", []), "data", list(releases))


def release(server: Server, name: str = "good.tar", version: str = "1") -> Release:
    url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
    return Release(version, name, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), [url])


def test_download(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = release(server)
    assert fetch(package(wanted), Places(tmp_path)) == (wanted, wanted.urls[0])
    assert capsys.readouterr().err.split() == ["fetched", "thing", "good.tar", "from", wanted.urls[0]]
    assert (tmp_path / "good.tar").read_bytes() == CONTENT
    assert fetch(package(wanted), Places(tmp_path)) == (wanted, "downloads")
    assert len(server.ranges) == 1, "what is there is not fetched again"


def test_who_is_busy_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.busy = 1
    fetch(package(release(server)), Places(tmp_path))
    assert len(server.ranges) == 2


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with _locked(tmp_path / "new/lock"), (tmp_path / "new/lock").open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_release_whose_size_nobody_knows(server: Server, tmp_path: Path) -> None:
    wanted = dataclasses.replace(release(server), size=0)
    assert fetch(package(wanted), Places(tmp_path)) == (wanted, wanted.urls[0])
    with pytest.raises(ChecksumError, match=f"wanted  sha256 {'0' * 64}, any number of bytes"):
        fetch(package(dataclasses.replace(wanted, sha256="0" * 64)), Places(tmp_path))


def test_download_goes_on_where_it_was_cut_off(server: Server, tmp_path: Path) -> None:
    (tmp_path / "good.tar.part").write_bytes(CONTENT[:1234])
    fetch(package(release(server)), Places(tmp_path))
    assert server.ranges == ["bytes=1234-"]
    assert (tmp_path / "good.tar").read_bytes() == CONTENT


def test_what_is_too_long_to_go_on_with_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "good.tar.part").write_bytes(bytes(len(CONTENT)))
    fetch(package(release(server)), Places(tmp_path))
    assert server.ranges == [None]


def test_more_than_the_file_has_is_not_waited_for(server: Server, tmp_path: Path) -> None:
    short = dataclasses.replace(release(server), size=100)
    with pytest.raises(FetchError, match="sends more bytes than the file has"):
        fetch(package(short), Places(tmp_path))


def test_flipped_byte_in_downloads(server: Server, tmp_path: Path) -> None:
    broken = bytearray(CONTENT)
    broken[1000] ^= 1
    (tmp_path / "good.tar").write_bytes(broken)
    with pytest.raises(ChecksumError, match=f"(?s)not the pinned bytes.*wanted .* {len(CONTENT)} bytes"):
        fetch(package(release(server)), Places(tmp_path))
    assert not (tmp_path / "good.tar").exists(), "make would go on with it"
    assert (tmp_path / "good.tar.wrong").read_bytes() == broken, "the user's file is kept"


def test_wrong_bytes_from_upstream_are_never_used(server: Server, tmp_path: Path) -> None:
    wrong = dataclasses.replace(release(server), sha256="0" * 64)
    with pytest.raises(FetchError, match="not the pinned bytes"):
        fetch(package(wrong), Places(tmp_path))
    assert not (tmp_path / "good.tar").exists()


@pytest.mark.parametrize(("name", "there"), [("good.tar", True), ("gone.tar", False)])
def test_source_release_from_the_index_of_pip(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, there: bool
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_address[1]}/simple")
    wanted = dataclasses.replace(release(server, name), urls=[], pypi=PyPI("thing"))
    if there:
        assert fetch(package(wanted), Places(tmp_path)) == (wanted, "PyPI thing")
        assert (tmp_path / "good.tar").read_bytes() == CONTENT
    else:
        with pytest.raises(FetchError, match="/simple/thing/ lists no gone.tar"):
            fetch(package(wanted), Places(tmp_path))


def test_mirror_comes_first(server: Server, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "good.tar").write_bytes(CONTENT)
    _, origin = fetch(package(release(server)), Places(tmp_path / "downloads", str(mirror)))
    assert origin == f"mirror {mirror}"
    assert server.ranges == []


def test_mirror_by_address_of_a_file_or_without_it(server: Server, tmp_path: Path) -> None:
    wanted = release(server)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    assert fetch(package(wanted), Places(tmp_path / "one", mirror.as_uri())) == (wanted, wanted.urls[0])
    (mirror / "good.tar").write_bytes(CONTENT)
    assert fetch(package(wanted), Places(tmp_path / "two", mirror.as_uri())) == (wanted, f"mirror {mirror.as_uri()}")


PIP = """#!/bin/sh
echo "$@" >>"$0.arguments"
while [ $# -gt 0 ]; do [ "$1" != --dest ] || into=$2; shift; done
cp "$0.whl" "$into/good.whl" || { echo "ERROR: first" >&2; echo "ERROR: no such wheel" >&2; exit 1; }
"""


@pytest.mark.parametrize(("platform", "option"), [("any", ""), ("linux_x", " --platform linux_x")])
def test_a_wheel_comes_by_pip(server: Server, tmp_path: Path, platform: str, option: str) -> None:
    python = tmp_path / "python"
    python.write_text(PIP)
    python.chmod(0o755)
    wanted = dataclasses.replace(release(server, "good.whl"), urls=[], pypi=PyPI("thing", platform))
    places = Places(tmp_path / "downloads", python=str(python))
    with pytest.raises(FetchError, match="PyPI thing: ERROR: no such wheel"):
        fetch(package(wanted), places)
    (tmp_path / "python.whl").write_bytes(CONTENT)
    assert fetch(package(wanted), places) == (wanted, "PyPI thing")
    words = (tmp_path / "python.arguments").read_text().splitlines()[-1]
    assert words.startswith("-m pip download -q --no-deps ") and words.endswith(f"{option} thing==1")
    assert "--only-binary :all:" in words and ("--platform" in words) == bool(option)


def test_a_new_release_is_downloaded_whole_or_not_at_all(server: Server, tmp_path: Path) -> None:
    assert bump.download(release(server).urls[0], tmp_path).read_bytes() == CONTENT
    with pytest.raises(FetchError, match=r"gone.tar: 404"):
        bump.download(release(server, "gone.tar").urls[0], tmp_path)


def test_mirror_by_url(server: Server, tmp_path: Path) -> None:
    mirror = f"http://127.0.0.1:{server.server_address[1]}/mirror/"
    _, origin = fetch(package(release(server)), Places(tmp_path, mirror))
    assert origin.startswith("mirror http")


def test_tampered_mirror_is_an_error(server: Server, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "good.tar").write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(ChecksumError):
        fetch(package(release(server)), Places(tmp_path / "downloads", str(mirror)))


def test_later_release_is_taken_loudly(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = release(server, version="0.9")
    got, _ = fetch(package(release(server, "gone.tar"), old), Places(tmp_path))
    assert got is old
    assert "warning" in capsys.readouterr().err


def test_nowhere_to_be_had(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError) as error:
        fetch(package(release(server, "gone.tar")), Places(tmp_path))
    for word in ("gone.tar cannot be downloaded", "404", "by hand", "--mirror", "sha256"):
        assert word in str(error.value)


def test_unreachable_host_is_said_so(tmp_path: Path) -> None:
    lost = Release("1", "x.tar", 1, "0" * 64, ["http://host.invalid/x.tar"])
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch(package(lost), Places(tmp_path))


def test_debian_file_is_found_by_its_hash() -> None:
    listing = (
        "Package: xz-utils\nVersion: 5.8.1-1\nChecksums-Sha256:\n aaa 1 xz_5.8.1-1.dsc\n bbb 2 xz_5.8.1.orig.tar.xz\n"
        "\nPackage: xz-utils\nVersion: 1:5.8.4-2\nChecksums-Sha256:\n ccc 3 xz_5.8.4.orig.tar.xz\n"
    )
    assert _find_in_listing(listing, "ccc") == ("1:5.8.4-2", "xz_5.8.4.orig.tar.xz")
    with pytest.raises(UnavailableError, match="has a file of this hash"):
        _find_in_listing(listing, "ddd")
