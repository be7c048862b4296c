"""The interpreter as a wheel: installed with the machine's Python from an index on this machine, by pip and by uv."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import platform
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from staticpython.wheel import MOST_BYTES, distribution, write_wheel
from tests.build.conftest import BuiltTarget, clean_environment
from tests.build.test_downloads import UV, served


@pytest.fixture(scope="module")
def wheel(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The target's wheel, in a folder that is a project's page of an index (PEP 503)."""
    page = tmp_path_factory.mktemp("index") / distribution(target.plan).replace("_", "-")
    page.mkdir()
    return write_wheel(target.plan, target.tree, page)


@pytest.fixture(scope="module")
def index(target: BuiltTarget, wheel: Path) -> Iterator[str]:
    """The address of an index that has the wheel and nothing else."""
    if target.emulator or target.plan.arch.wheel_arch != platform.machine():
        pytest.skip("the machine's Python takes wheels for this machine only")
    with served(wheel.parent.parent) as url:
        yield url


@pytest.fixture(scope="module")
def environment(target: BuiltTarget, index: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment of the machine's Python with the wheel in it."""
    folder = tmp_path_factory.mktemp("environment") / "env"
    base = Path(sys.base_prefix) / "bin/python3"
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True, env=clean_environment())
    name = distribution(target.plan).replace("_", "-")
    # By default pip compiles the tree for the machine's Python, which takes most of the time and is of no use.
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--python", str(folder)]
    install = [*pip, "install", "-q", "--no-compile", "--index-url", index, name]
    done = subprocess.run(install, capture_output=True, text=True, env=clean_environment(NO_PROXY="127.0.0.1"))
    assert done.returncode == 0, done.stderr
    return folder


def static_python(environment: Path, *arguments: str | Path, code: int = 0) -> str:
    """Run the command; return its output, or its error output if it is expected to fail."""
    command = [environment / "bin/static-python", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return (done.stderr if code else done.stdout).strip()


def tree_of(environment: Path) -> Path:
    return Path(static_python(environment, "path")).parent.parent


def test_the_wheel_is_what_its_record_says(target: BuiltTarget, wheel: Path) -> None:
    """PEP 427: RECORD has each other file's SHA-256; programs are executable; an index accepts the wheel."""
    assert wheel.stat().st_size < MOST_BYTES
    with zipfile.ZipFile(wheel) as archive:
        (record,) = (n for n in archive.namelist() if n.endswith(".dist-info/RECORD") and n.count("/") == 1)
        rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(archive.read(record).decode()))}
        assert list(rows) == archive.namelist()
        assert rows.pop(record) == ["", ""]
        for name, (digest, size) in rows.items():
            data = archive.read(name)
            found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (f"sha256={found}", str(len(data))) == (digest, size), name
        program = archive.getinfo(f"static_python/tree/{target.plan.program}")
        assert program.external_attr >> 16 == 0o100755
        info = archive.read(record.replace("RECORD", "WHEEL")).decode()
    tags = {f"py3-none-{tag}" for tag in wheel.stem.rpartition("-")[2].split(".")}
    assert tags == {line.removeprefix("Tag: ") for line in info.splitlines() if line.startswith("Tag: ")}
    assert {tag.split("-")[2][:9] for tag in tags} == {"manylinux", "musllinux"}


def test_it_runs(target: BuiltTarget, environment: Path) -> None:
    show = "import sys; print(sys.version.split()[0], sys.argv)"
    expected = f"{target.plan.version} ['-c', 'path']"
    assert static_python(environment, "-c", show, "path") == expected
    assert static_python(environment, "run", "-c", show, "path") == expected
    module = [str(environment / "bin/python"), "-m", "static_python", "-c", show, "path"]
    assert subprocess.run(module, capture_output=True, text=True).stdout.strip() == expected
    static_python(environment, "-c", "raise SystemExit(7)", code=7)


def test_nothing_is_written(environment: Path, tmp_path: Path) -> None:
    """Nothing is written where it is installed, not even by an environment of it: the folder may be read-only."""

    def state() -> dict[str, int]:
        package = tree_of(environment).parent
        return {str(path): path.stat().st_mtime_ns for path in package.rglob("*") if path.is_file()}

    before = state()
    static_python(environment, "-c", "import asyncio, json, sqlite3, ssl, sysconfig, unittest, zoneinfo")
    static_python(environment, "-m", "venv", "--without-pip", tmp_path / "env")
    shown = subprocess.run([tmp_path / "env/bin/python", "-m", "site"], capture_output=True, text=True)
    assert str(tmp_path / "env/lib") in shown.stdout, shown.stderr
    assert state() == before


def test_nothing_is_installed_beside_it(environment: Path) -> None:
    """pip says what to do instead (PEP 668); an upgrade of the wheel would lose the package."""
    said = static_python(environment, "-m", "pip", "install", "--no-index", "anything", code=1)
    assert said.startswith("error: externally-managed-environment") and "static-python -m venv env" in said


def test_unpack(target: BuiltTarget, environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree as it was built, with links and times, without pip's .pyc files; the folder may exist if it is empty."""
    (tree_of(environment) / "lib/of another Python.pyc").write_bytes(b"")
    (tmp_path / "tree").mkdir()
    static_python(environment, "unpack", tmp_path / "tree")
    assert subprocess.run(["diff", "-r", "--no-dereference", target.tree, tmp_path / "tree"]).returncode == 0
    program = tmp_path / "tree/bin/python3"
    assert program.stat().st_mtime == target.binary.stat().st_mtime
    assert target.run("-c", "print(6 * 7)", python=program) == "42"
    said = static_python(environment, "unpack", tmp_path / "tree", code=1)
    assert said == f"static-python: {tmp_path / 'tree'}: exists and is not an empty folder: name a new one"
    said = static_python(environment, "unpack", tmp_path / "no/tree", code=1)
    assert said == f"static-python: {tmp_path / 'no/tree'}: no such folder: {tmp_path / 'no'}"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert "cannot be replaced: name a new folder in it" in static_python(environment, "unpack", ".", code=1)
    (tmp_path / "here").rmdir()
    monkeypatch.chdir(tmp_path)
    inside = tree_of(environment) / "new"
    said = static_python(environment, "unpack", inside, code=1)
    assert said == f"static-python: {inside}: is inside the package: name a folder elsewhere" and not inside.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_unpack_follows_the_umask(target: BuiltTarget, environment: Path, tmp_path: Path, mask: int) -> None:
    """For each file and folder, the top one as well: as tar(1) does, and cp -r."""
    command = [str(environment / "bin/static-python"), "unpack", str(tmp_path / "tree")]
    subprocess.run(command, check=True, timeout=120, umask=mask)
    paths = [path for path in (tmp_path / "tree", *(tmp_path / "tree").rglob("*")) if not path.is_symlink()]
    found = {path.relative_to(tmp_path / "tree"): path.stat().st_mode & 0o777 for path in paths}
    programs = {path for path in found if (target.tree / path).stat().st_mode & 0o100}
    assert found == {path: (0o777 if path in programs else 0o666) & ~mask for path in found}


def test_unpack_where_no_folder_can_be(environment: Path) -> None:
    said = static_python(environment, "unpack", "/proc/new", code=1)
    assert said == "static-python: /proc: no folder can be made in it: No such file or directory"


STOPPED = """if True:
    import os, shutil, signal, sys
    from static_python import __main__ as command
    copied, copy, number = [], shutil.copy, int(sys.argv.pop())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background ignores it
    def copy_one(source, to):
        copied.append(copy(source, to))
        if len(copied) == 3:
            os.kill(os.getpid(), number)
    shutil.copy = copy_one
    sys.exit(command.main())
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_unpack_is_stopped(environment: Path, tmp_path: Path, number: int) -> None:
    """It removes what it copied, and ends by the signal, as a shell expects; nohup's SIGHUP does not stop it."""
    command = [str(environment / "bin/python"), "-c", STOPPED, "unpack", str(tmp_path / "tree"), str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (-number, "", [])
    if number == signal.SIGHUP:
        subprocess.run(["nohup", *command], check=True, capture_output=True, timeout=120)
        assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_unpack_was_killed(environment: Path, tmp_path: Path) -> None:
    """SIGKILL leaves a folder behind. The next unpack names it: it could be that of another one that still runs."""
    new = str(tmp_path / "tree")
    command = [str(environment / "bin/python"), "-c", STOPPED, "unpack", new, str(int(signal.SIGKILL))]
    assert subprocess.run(command, timeout=120).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    command = [str(environment / "bin/static-python"), "unpack", new]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    says = f"static-python: {left}: left by an unpack that was killed: remove it, unless another one is running\n"
    assert (done.returncode, done.stderr) == (0, says)
    assert sorted(tmp_path.iterdir()) == [left, tmp_path / "tree"]


def test_command_line(environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake is told in one line; help is help, after a command as well."""
    monkeypatch.chdir(tmp_path)
    for arguments in (["help"], ["-h"], ["--help"], ["unpack", "-h"], ["unpack", "--help"], ["path", "--help"]):
        assert static_python(environment, *arguments).startswith("usage: static-python ")
    wrong = "static-python: unpack takes one argument, the new folder: see static-python help"
    for arguments in ([], ["a", "b"], ["--force"]):
        assert static_python(environment, "unpack", *arguments, code=2) == wrong
    said = static_python(environment, "path", "of", code=2)
    assert said == "static-python: path takes no argument: see static-python help"
    assert list(tmp_path.iterdir()) == []


def test_bundle(target: BuiltTarget, environment: Path, tmp_path: Path) -> None:
    """It has the bytes of the tree's own, although pip gave the files another time."""
    (tmp_path / "hello.py").write_text("import sys; print('hello', *sys.argv[1:])\n")
    static_python(environment, "bundle", tmp_path / "hello.py", "-o", tmp_path / "hello", "--cache", "")
    assert subprocess.run([tmp_path / "hello", "you"], capture_output=True, text=True).stdout == "hello you\n"
    ours = ["-m", "_staticpython", "bundle", tmp_path / "hello.py", "-o", tmp_path / "ours/hello", "--cache", ""]
    (tmp_path / "ours").mkdir()
    target.run(*map(str, ours))
    assert (tmp_path / "ours/hello").read_bytes() == (tmp_path / "hello").read_bytes()


def test_what_is_missing_is_named(target: BuiltTarget, environment: Path, tmp_path: Path) -> None:
    """As after a copy that lost files, or their executable bits."""
    copy = tmp_path / "static_python"
    shutil.copytree(tree_of(environment).parent, copy, symlinks=True)
    program = copy / "tree/bin" / target.binary.name
    for says in ("is not executable", "is missing"):
        if program.stat().st_mode & 0o111:
            program.chmod(0o644)
        else:
            program.unlink()
        command = [str(environment / "bin/python"), "-m", "static_python", "-c", "1"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr == f"static-python: {program}: {says}: install static-python again\n"
        done = subprocess.run([*command[:3], "unpack", "tree"], capture_output=True, text=True, cwd=tmp_path)
        assert ("not executable" in done.stderr) == (says == "is not executable")
    done = subprocess.run([*command[:3], "unpack", "tree"], capture_output=True, text=True, cwd=tmp_path)
    assert "files are missing" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["static_python"]


@pytest.mark.parametrize("damage", ["a wrong bit", "cut off"])
def test_a_damaged_wheel(environment: Path, wheel: Path, tmp_path: Path, damage: str) -> None:
    """pip and uv refuse it; what pip has written until then says so, and pip can then install the right one."""
    content, middle = bytearray(wheel.read_bytes()), wheel.stat().st_size // 2
    content[middle] ^= 1
    bad = tmp_path / "bad" / wheel.name
    bad.parent.mkdir()
    bad.write_bytes(content if damage == "a wrong bit" else content[:middle])
    install = ["install", "-q", "--no-compile", "--no-index", "--prefix", str(tmp_path)]
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"]
    uv = [
        str(UV),
        "pip",
        "install",
        "--offline",
        "--no-index",
        "--no-cache",
        "--target",
        str(tmp_path / "uv"),
        str(bad),
    ]
    for command in ([*pip, *install, str(bad)], uv):
        assert subprocess.run(command, capture_output=True, text=True, env=clean_environment()).returncode != 0
    assert not list(tmp_path.glob("uv/static*"))
    started = [str(environment / "bin/python"), "-m", "static_python", "-c", "1"]
    left = list(tmp_path.glob("lib/python3*/site-packages/static_python"))
    assert len(left) == (damage == "a wrong bit")
    for package in left:
        done = subprocess.run(started, capture_output=True, text=True, cwd=package.parent)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1) and "install static-python again" in done.stderr
    subprocess.run([*pip, *install, str(wheel)], check=True, env=clean_environment())
    (site,) = tmp_path.glob("lib/python3*/site-packages")
    subprocess.run(started, check=True, cwd=site)


def test_uvx(target: BuiltTarget, index: str, tmp_path: Path) -> None:
    """It runs without installation, by its name alone; uv's cache stays unchanged."""
    name = distribution(target.plan).replace("_", "-")
    variables = {
        "HOME": str(tmp_path),
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON": str(Path(sys.base_prefix) / "bin/python3"),
        "UV_DEFAULT_INDEX": index,
        "NO_PROXY": "127.0.0.1",
        "PATH": os.environ["PATH"],
    }
    command = [
        str(UV),
        "tool",
        "run",
        "--from",
        name,
        "static-python",
        "-c",
        "import sys; print(sys.version.split()[0])",
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=300)
    assert done.stdout.strip() == target.plan.version, done.stderr
