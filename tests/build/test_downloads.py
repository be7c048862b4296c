"""What `make dist` writes, taken by the tools it is for: uv installs the archive from a server on this machine."""

from __future__ import annotations

import contextlib
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

import pytest

from staticpython.archive import write_archives
from staticpython.image import write_image
from staticpython.index import UV_CPUS, UV_OPTIONS, write_index
from tests.build.conftest import BuiltTarget, enter_chroot, network_environment

UV = Path(sys.executable).with_name("uv")
SHOW = "import sys, sysconfig; print(sys.version.split()[0], sys.prefix, sysconfig.get_config_var('CC'), sep='\\n')"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Dist:
    """A folder as make dist leaves it, the address where it is served, and the archive of the target."""

    folder: Path
    url: str
    archive: Path
    image: Path

    def uv(self, home: Path, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run uv for a user who has nothing yet, and knows of no Python but what is in the folder."""
        variables = {
            "HOME": str(home),
            "UV_CACHE_DIR": str(home / "cache"),
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_PREFERENCE": "only-managed",
            "UV_PYTHON_DOWNLOADS_JSON_URL": f"{self.url}/downloads.json",
            "NO_PROXY": "127.0.0.1",
            "NO_COLOR": "1",
            "UV_LIBC": "musl",  # else what is for another C library than the machine's is not found
            "PATH": "/usr/bin:/bin",
        }
        inherited = {k: v for k, v in network_environment().items() if not k.startswith("UV_PYTHON")}
        command = [str(UV), *map(str, arguments)]
        environment = inherited | variables | more
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home, timeout=300)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server on this machine that has the files of a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
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
    if target.emulator or target.plan["arch"]["wheel_arch"] != platform.machine():
        pytest.skip("uv installs by itself what is for this machine")
    home = tmp_path_factory.mktemp("home")
    wanted = request(target)
    done = dist.uv(home, "python", "install", series(target))
    assert done.returncode == 0, done.stderr
    assert f"Installed Python {target.plan['version']}" in done.stderr
    assert wanted in done.stderr
    return home


def series(target: BuiltTarget) -> str:
    """What users ask uv for."""
    return str(target.plan["series"])


def request(target: BuiltTarget) -> str:
    """uv's name for exactly this interpreter."""
    if tuple(target.plan["variant"]) not in UV_OPTIONS or not UV_CPUS.fullmatch(target.plan["cpu"]["download"]):
        pytest.skip("uv has no name for an interpreter of this kind")
    variant = "+freethreaded" if target.plan["variant"] else ""
    return f"cpython-{target.plan['version']}{variant}-linux-{target.plan['cpu']['download']}-musl"


def test_the_list_has_the_archive(target: BuiltTarget, dist: Dist) -> None:
    """The entry's hash is that of the file, whichever machine the interpreter is for."""
    entry = json.loads((dist.folder / "downloads.json").read_text())[request(target)]
    assert entry["url"].startswith(dist.url)
    assert entry["sha256"] == hashlib.sha256(dist.archive.read_bytes()).hexdigest()
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=dist.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4, "two archives, the image and the list"


def test_archive_unpacks_to_the_tree(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """tar alone makes of it what was built: content, permissions and times."""
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
    assert version == target.plan["version"]
    assert Path(prefix).is_relative_to(installed)
    assert Path(compiler).is_file(), "uv filled in where it is"
    assert Path(compiler).name == f"{target.triple}-cc"


def test_uv_lists_it(target: BuiltTarget, dist: Dist, installed: Path) -> None:
    done = dist.uv(installed, "python", "list", "--only-installed")
    assert done.stdout.split()[:1] == [request(target)], done.stderr
    found = dist.uv(installed, "python", "find", series(target))
    assert Path(found.stdout.strip()).resolve().is_relative_to(installed)


def test_uv_puts_it_into_path(target: BuiltTarget, dist: Dist, installed: Path) -> None:  # noqa: ARG001
    link = installed / f".local/bin/python{target.plan['series']}"
    assert link.is_symlink()
    assert target.run("-c", SHOW, python=link).splitlines()[0] == target.plan["version"]


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


def test_image(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    """skopeo finds the target's image in the index and copies it; what it holds runs as a container would start it."""
    platform = ["--override-os", "linux", "--override-arch", target.plan["arch"]["oci_arch"]]
    skopeo = shutil.which("skopeo")
    if not skopeo:
        pytest.skip("no skopeo (Debian: skopeo)")
    shown = subprocess.run([skopeo, *platform, "inspect", f"oci-archive:{dist.image}"], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    described = json.loads(shown.stdout)
    assert (described["Os"], described["Architecture"]) == ("linux", target.plan["arch"]["oci_arch"])
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


def refused(target: BuiltTarget, dist: Dist, home: Path, bad: Path, sha256: str) -> str:
    """Let uv install another file than the list's; return what it says. Nothing is installed, half or whole."""
    entries = json.loads((dist.folder / "downloads.json").read_text())
    entries[request(target)] |= {"url": f"{dist.url}/{bad.name}", "sha256": sha256}
    (dist.folder / f"{bad.name}.json").write_text(json.dumps(entries))
    url = f"{dist.url}/{bad.name}.json"
    options = {"UV_PYTHON_DOWNLOADS_JSON_URL": url, "UV_HTTP_RETRIES": "0"}
    done = dist.uv(home, "python", "install", request(target), **options)
    assert done.returncode != 0
    left = [p for p in home.rglob("*") if p.name.startswith("python3") or p.name == request(target)]
    assert left == []
    return done.stderr


@pytest.mark.any_cpu("uv looks at the archive before anything runs")
def test_archive_that_was_cut_off(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    bad = dist.folder / "cut-off.tar.gz"
    bad.write_bytes(dist.archive.read_bytes()[: dist.archive.stat().st_size // 2])
    said = refused(target, dist, tmp_path, bad, hashlib.sha256(dist.archive.read_bytes()).hexdigest())
    assert re.search("unexpected end of file|unexpected EOF|UnexpectedEof", said), said


@pytest.mark.any_cpu("uv looks at the archive before anything runs")
def test_archive_that_is_another_one(target: BuiltTarget, dist: Dist, tmp_path: Path) -> None:
    bad = dist.folder / "another.tar.gz"
    shutil.copy(dist.archive, bad)
    said = refused(target, dist, tmp_path, bad, "0" * 64)
    assert re.search("[Hh]ash mismatch", said), said
