"""The output of `make dist`, used by its users' tools: uv installs the archive from a server on this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from staticpython.archive import write_archives
from staticpython.config import ROOT
from staticpython.image import write_image
from staticpython.index import UV_CPUS, UV_OPTIONS, downloads, write_index
from staticpython.published import Archive
from tests.build.conftest import BuiltTarget, enter_chroot, network_environment

UV = Path(sys.executable).with_name("uv")
SHOW = "import sys, sysconfig; print(sys.version.split()[0], sys.prefix, sysconfig.get_config_var('CC'), sep='\\n')"


class Server(SimpleHTTPRequestHandler):
    """Serves a folder's files; below /interrupted/ and /stalled/ it closes the connection, or waits, in the middle."""

    stalled = threading.Event()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        how, _, name = self.path.strip("/").partition("/")
        if how not in {"interrupted", "stalled"}:
            super().do_GET()
            return
        content = (Path(self.directory) / unquote(name)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.close_connection = True
        if how == "stalled":
            self.stalled.set()
            self.rfile.read()  # until the client is gone


@dataclass(frozen=True)
class Dist:
    """A folder as make dist leaves it, the address of its server, and the archive of the target."""

    folder: Path
    url: str
    archive: Path
    image: Path

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """Return the environment of a user without any files, for whom the folder has the only Python."""
        variables = {
            "HOME": str(home),
            "UV_CACHE_DIR": str(home / "cache"),
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_PREFERENCE": "only-managed",
            "UV_PYTHON_DOWNLOADS_JSON_URL": f"{self.url}/downloads.json",
            "NO_PROXY": "127.0.0.1",
            "NO_COLOR": "1",
            "UV_LIBC": "musl",  # otherwise archives for another C library are not found
            "PATH": "/usr/bin:/bin",
        }
        inherited = {k: v for k, v in network_environment().items() if not k.startswith("UV_PYTHON")}
        return inherited | variables | more

    def uv(self, home: Path, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run uv for this user."""
        command, environment = [str(UV), *map(str, arguments)], self.environment(home, **more)
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home, timeout=300)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server on this machine for a folder's files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def dist(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dist]:
    """The archives and the list of a target, made as make dist does, and served."""
    folder = tmp_path_factory.mktemp("dist")
    archive = write_archives(target.plan, target.tree, folder)[1]
    image = write_image([target.plan], folder)
    with served(folder) as url:
        write_index(folder, url)
        yield Dist(folder, url, archive, image)


@pytest.fixture(scope="module")
def installed(target: BuiltTarget, dist: Dist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a user who has let uv install the target's Python."""
    if target.emulator or target.plan.arch.wheel_arch != platform.machine():
        pytest.skip("uv installs by itself what is for this machine")
    home = tmp_path_factory.mktemp("home")
    wanted = request(target)
    done = dist.uv(home, "python", "install", series(target))
    assert done.returncode == 0, done.stderr
    assert f"Installed Python {target.plan.version}" in done.stderr
    assert wanted in done.stderr
    return home


def series(target: BuiltTarget) -> str:
    """What users ask uv for."""
    return str(target.plan.series)


def request(target: BuiltTarget) -> str:
    """uv's name for exactly this interpreter."""
    if tuple(target.plan.variant) not in UV_OPTIONS or not UV_CPUS.fullmatch(target.plan.cpu.download):
        pytest.skip("uv has no name for an interpreter of this kind")
    variant = "+freethreaded" if target.plan.variant else ""
    return f"cpython-{target.plan.version}{variant}-linux-{target.plan.cpu.download}-musl"


def test_the_list_has_the_archive(target: BuiltTarget, dist: Dist) -> None:
    """The entry has the file's hash, for every arch of the interpreter."""
    entry = json.loads((dist.folder / "downloads.json").read_text())[request(target)]
    assert entry["url"].startswith(dist.url)
    assert entry["sha256"] == hashlib.sha256(dist.archive.read_bytes()).hexdigest()
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=dist.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4, "two archives, the image and the list"


@pytest.mark.any_cpu("the list has the same form")
def test_list_for_another_place(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """docs/trust.md's line makes a list of a downloaded one, with which uv looks for the archives beside it."""
    wanted = request(target)
    (line,) = (each for each in (ROOT / "docs/trust.md").read_text().splitlines() if "> here.json" in each)
    shutil.copy(dist.folder / "downloads.json", tmp_path)
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    theirs, ours = (json.loads((tmp_path / name).read_text()) for name in ("downloads.json", "here.json"))
    assert ours == {
        key: entry | {"url": entry["url"].replace(dist.url, tmp_path.as_uri())} for key, entry in theirs.items()
    }
    shutil.copy(dist.archive, tmp_path)
    here = {"UV_PYTHON_DOWNLOADS_JSON_URL": (tmp_path / "here.json").as_uri()}
    done = dist.uv(tmp_path, "python", "install", wanted, **here)
    assert f"Installed Python {target.plan.version}" in done.stderr, done.stderr


def test_archive_unpacks_to_the_tree(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """tar alone unpacks what was built: content, permissions and times."""
    subprocess.run(["tar", "-xzf", dist.archive, "-C", tmp_path, "--no-same-owner"], check=True)
    assert [p.name for p in tmp_path.iterdir()] == ["python"]
    differences = subprocess.run(["diff", "-r", "--no-dereference", target.tree, tmp_path / "python"])
    assert differences.returncode == 0
    assert (tmp_path / "python/bin/python3").stat().st_mtime == target.binary.stat().st_mtime
    assert target.run("-c", "print(6 * 7)", python=tmp_path / "python/bin/python3") == "42"
    with tarfile.open(dist.archive) as tar:
        assert {member.mode for member in tar} == {0o755, 0o644, 0o777}


def test_uv_run(target: BuiltTarget, dist: Dist, installed: Path) -> None:
    done = dist.uv(installed, "run", "--no-project", "--python", series(target), "python", "-c", SHOW)
    assert done.returncode == 0, done.stderr
    version, prefix, compiler = done.stdout.splitlines()
    assert version == target.plan.version
    assert Path(prefix).is_relative_to(installed)
    assert Path(compiler).is_file(), "uv filled in where it is"
    assert Path(compiler).name == f"{target.triple}-cc"


def test_uv_lists_it(target: BuiltTarget, dist: Dist, installed: Path) -> None:
    done = dist.uv(installed, "python", "list", "--only-installed")
    assert done.stdout.split()[:1] == [request(target)], done.stderr
    offered = dist.uv(installed, "python", "list", "--only-downloads")
    assert offered.stdout.split() == [request(target), "<download", "available>"], offered.stderr
    found = dist.uv(installed, "python", "find", series(target))
    assert Path(found.stdout.strip()).resolve().is_relative_to(installed)


def test_uv_puts_it_into_path(target: BuiltTarget, dist: Dist, installed: Path) -> None:  # noqa: ARG001
    link = installed / f".local/bin/python{target.plan.series}"
    assert link.is_symlink()
    assert target.run("-c", SHOW, python=link).splitlines()[0] == target.plan.version


def test_uv_venv_and_numpy(target: BuiltTarget, dist: Dist, installed: Path) -> None:
    done = dist.uv(installed, "venv", "--python", series(target), installed / "env")
    assert done.returncode == 0, done.stderr
    python = installed / "env/bin/python"
    done = dist.uv(installed, "pip", "install", "--python", python, "--only-binary", ":all:", "numpy")
    assert done.returncode == 0, done.stderr
    assert target.run("-c", "import numpy; print(numpy.arange(7).sum())", python=python) == "21"


def test_uv_tool_install(target: BuiltTarget, dist: Dist, installed: Path) -> None:
    done = dist.uv(installed, "tool", "install", "--python", series(target), "pycowsay")
    assert done.returncode == 0, done.stderr
    tool = subprocess.run([installed / ".local/bin/pycowsay", "moo"], capture_output=True, text=True)
    assert "moo" in tool.stdout, tool.stderr


WHERE = "import os, sys; print(os.path.realpath(sys.executable))"


def folder_of(target: BuiltTarget, python: Path) -> str:
    """Return the folder of uv's interpreter to which a command or a venv leads."""
    return Path(target.run("-c", WHERE, python=python)).parents[1].name


@pytest.mark.usefixtures("installed")
def test_uv_upgrades_it_to_a_later_patch_release(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """The command in PATH and a venv get the new interpreter; the venv keeps its packages.

    The earlier release exists here only by name: its archive is the same file.
    """
    archive = Archive.parse(dist.archive.name)
    assert archive
    parts = re.fullmatch(r"(\d+\.\d+\.)(\d+)", archive.version)
    if not parts or parts[2] == "0":
        pytest.skip(f"there is no patch release before {archive.version}")
    before = dataclasses.replace(archive, version=f"{parts[1]}{int(parts[2]) - 1}")
    (dist.folder / before.name).hardlink_to(dist.archive)
    sha256 = hashlib.sha256(dist.archive.read_bytes()).hexdigest()
    old = listed(tmp_path, downloads({before.name: sha256}, dist.url))
    both = listed(tmp_path, downloads({before.name: sha256, archive.name: sha256}, dist.url))
    command = tmp_path / f".local/bin/python{series(target)}"
    names = [request(target).replace(archive.version, each.version) for each in (before, archive)]
    done = dist.uv(tmp_path, "python", "install", series(target), **old)
    assert names[0] in done.stderr
    assert folder_of(target, command) == names[0]
    done = dist.uv(tmp_path, "venv", "--seed", "--python", series(target), tmp_path / "env", **old)
    assert done.returncode == 0, done.stderr
    assert folder_of(target, tmp_path / "env/bin/python") == names[0]
    done = dist.uv(tmp_path, "python", "upgrade", series(target), **both)
    assert done.returncode == 0, done.stderr
    assert names[1] in done.stderr
    assert folder_of(target, command) == names[1]
    assert folder_of(target, tmp_path / "env/bin/python") == names[1]
    assert target.run("-c", "import pip; print(6 * 7)", python=tmp_path / "env/bin/python") == "42"
    again = dist.uv(tmp_path, "python", "upgrade", series(target), **both)
    assert "already on the latest" in again.stderr


@pytest.mark.usefixtures("installed")
def test_uv_upgrades_it_to_a_later_build(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """Our own next release of the same Python."""
    later = another_list(target, dist, tmp_path, build="20991231")
    done = dist.uv(tmp_path, "python", "install", series(target))
    assert done.returncode == 0, done.stderr
    build = tmp_path / ".local/share/uv/python" / request(target) / "BUILD"
    assert build.read_text() == target.plan.release
    done = dist.uv(tmp_path, "python", "upgrade", series(target), **later)
    assert f"~ {request(target)}" in done.stderr
    assert build.read_text() == "20991231"
    again = dist.uv(tmp_path, "python", "upgrade", series(target), **later)
    assert "already on the latest" in again.stderr


def test_image(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """skopeo finds the target's image in the index and copies it; what it holds runs as a container would start it."""
    platform = ["--override-os", "linux", "--override-arch", target.plan.arch.oci_arch]
    skopeo = shutil.which("skopeo")
    if not skopeo:
        pytest.skip("no skopeo (Debian: skopeo)")
    shown = subprocess.run([skopeo, *platform, "inspect", f"oci-archive:{dist.image}"], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    described = json.loads(shown.stdout)
    assert (described["Os"], described["Architecture"]) == ("linux", target.plan.arch.oci_arch)
    copy = [skopeo, *platform, "--insecure-policy", "copy", "-q", f"oci-archive:{dist.image}", f"dir:{tmp_path}/copy"]
    copied = subprocess.run(copy, capture_output=True, text=True)
    assert copied.returncode == 0, copied.stderr
    manifest = json.loads((tmp_path / "copy/manifest.json").read_text())
    config = json.loads((tmp_path / "copy" / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
    (layer,) = (tmp_path / "copy" / each["digest"].removeprefix("sha256:") for each in manifest["layers"])
    root = tmp_path / "root"
    root.mkdir()
    subprocess.run(["tar", "-xzf", layer, "-C", root, "--no-same-owner"], check=True)
    assert [path.name for path in root.iterdir()] == ["python"], "FROM scratch"
    if target.emulator:
        pytest.skip("looked at; it is started in a root folder without an emulator in it")
    environment = dict(word.split("=", 1) for word in config["config"]["Env"])
    command = [*enter_chroot(), str(root), *config["config"]["Cmd"], "-c", "import ssl, sys; print(sys.prefix)"]
    assert subprocess.run(command, capture_output=True, text=True, env=environment).stdout == "/python\n"


@pytest.mark.any_cpu("its digests are checked before anything runs")
@pytest.mark.parametrize("damage", ["a wrong bit", "cut off"])
def test_image_that_is_damaged(target: BuiltTarget, dist: Dist, tmp_path: Path, damage: str) -> None:
    skopeo = shutil.which("skopeo")
    if not skopeo:
        pytest.skip("no skopeo (Debian: skopeo)")
    content, middle = bytearray(dist.image.read_bytes()), dist.image.stat().st_size // 2
    content[middle] ^= 1
    (tmp_path / "bad.oci.tar").write_bytes(content if damage == "a wrong bit" else content[:middle])
    platform = ["--override-os", "linux", "--override-arch", target.plan.arch.oci_arch]
    copy = [skopeo, *platform, "--insecure-policy", "copy", "-q", "oci-archive:bad.oci.tar", "oci-archive:copy.oci.tar"]
    done = subprocess.run(copy, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode != 0
    assert re.search("Digest did not match" if damage == "a wrong bit" else "unexpected EOF", done.stderr), done.stderr
    assert not (tmp_path / "copy.oci.tar").exists()


def another_list(target: BuiltTarget, dist: Dist, home: Path, **changes: Any) -> dict[str, str]:
    """Write a list whose entry for the target differs from dist's; return the environment that makes uv read it."""
    entries = json.loads((dist.folder / "downloads.json").read_text())
    entries[request(target)] |= changes
    return listed(home, entries)


def listed(home: Path, entries: dict[str, Any]) -> dict[str, str]:
    path = home / f"{len(list(home.glob('*.json')))}.json"  # uv caches lists by their addresses
    path.write_text(json.dumps(entries))
    return {"UV_PYTHON_DOWNLOADS_JSON_URL": path.as_uri(), "UV_HTTP_RETRIES": "0"}


def nothing_installed(home: Path) -> bool:
    """Whether uv has left no interpreter, complete or not, and no link to one."""
    return not [path for path in home.rglob("*") if path.name.startswith(("python3", "cpython-"))]


def refused(target: BuiltTarget, dist: Dist, home: Path, **changes: Any) -> str:
    """Let uv install with another list than dist's; return its output. Nothing is installed, not even in part."""
    done = dist.uv(home, "python", "install", request(target), **another_list(target, dist, home, **changes))
    assert done.returncode != 0
    assert nothing_installed(home)
    return done.stderr


@pytest.mark.any_cpu("uv looks at the archive before anything runs")
def test_archive_that_was_cut_off(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    bad = dist.folder / "cut-off.tar.gz"
    bad.write_bytes(dist.archive.read_bytes()[: dist.archive.stat().st_size // 2])
    said = refused(target, dist, tmp_path, url=f"{dist.url}/{bad.name}")
    assert re.search("unexpected end of file|unexpected EOF|UnexpectedEof", said), said


@pytest.mark.any_cpu("uv looks at the archive before anything runs")
def test_archive_that_is_damaged(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """An archive with one wrong bit in the middle."""
    content = bytearray(dist.archive.read_bytes())
    content[len(content) // 2] ^= 1
    (dist.folder / "damaged.tar.gz").write_bytes(content)
    said = refused(target, dist, tmp_path, url=f"{dist.url}/damaged.tar.gz")
    assert re.search("[Hh]ash mismatch|[Ff]ailed to extract archive", said), said


@pytest.mark.any_cpu("uv looks at the archive before anything runs")
def test_archive_that_is_another_one(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    said = refused(target, dist, tmp_path, sha256="0" * 64)
    assert re.search("[Hh]ash mismatch", said), said


@pytest.mark.any_cpu("uv reads the list before anything runs")
def test_archive_of_another_cpu(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    archive = Archive.parse(dist.archive.name)
    assert archive
    request(target)
    other = "riscv64" if platform.machine() != "riscv64" else "x86_64"
    entries = downloads({dataclasses.replace(archive, cpu=other).name: "0" * 64}, dist.url)
    assert [entry["arch"]["family"] for entry in entries.values()] == [other]
    done = dist.uv(tmp_path, "python", "install", series(target), **listed(tmp_path, entries))
    assert done.returncode != 0
    assert f"No download found for request: cpython-{series(target)}" in done.stderr
    assert nothing_installed(tmp_path)


@pytest.mark.any_cpu("it ends before anything runs")
def test_download_that_is_interrupted(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """The server, or the end of uv, interrupts the download: the next try installs."""
    address = f"{dist.url}/{{}}/{dist.archive.name}"
    said = refused(target, dist, tmp_path, url=address.format("interrupted"))
    assert re.search("Failed to extract archive|Failed to download|error decoding response body", said), said
    lists = another_list(target, dist, tmp_path, url=address.format("stalled"))
    command = [str(UV), "python", "install", request(target)]
    with subprocess.Popen(command, env=dist.environment(tmp_path, **lists), stderr=subprocess.PIPE) as uv:
        reached = Server.stalled.wait(120)
        uv.kill()
    assert reached
    assert dist.uv(tmp_path, "python", "list", "--only-installed").stdout == ""
    done = dist.uv(tmp_path, "python", "install", request(target))
    assert done.returncode == 0, done.stderr
    assert not nothing_installed(tmp_path)
