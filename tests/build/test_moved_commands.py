"""Commands that pip installs into the tree run after the tree was moved."""

from __future__ import annotations

import base64
import csv
import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

pytestmark = [pytest.mark.usefixtures("programs"), pytest.mark.any_cpu("what pip writes")]

PIP = ["-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-index", "--no-warn-script-location"]
PLACES = ["plain", "a folder with spaces", "long-" * 40]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with an entry point and with a script of the old kind."""
    files = {
        "moved_demo.py": "import sys\ndef main():\n    print('entry', sys.prefix, sys.argv[1:])\n",
        "moved_demo-1.data/scripts/moved-script": "#!python\nimport sys\nprint('script', sys.prefix, sys.argv[1:])\n",
        "moved_demo-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: moved-demo\nVersion: 1\n",
        "moved_demo-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "moved_demo-1.dist-info/entry_points.txt": "[console_scripts]\nmoved-entry = moved_demo:main\n",
    }
    files["moved_demo-1.dist-info/RECORD"] = "".join(f"{n},,\n" for n in [*files, "moved_demo-1.dist-info/RECORD"])
    path = tmp_path / "moved_demo-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100755 if "scripts" in name else 0o100644) << 16
            archive.writestr(info, text)
    return path


def run(script: Path, *arguments: str) -> str:
    done = subprocess.run([script, *arguments], capture_output=True, text=True, env=clean_environment(), timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("place", PLACES)
def test_commands_of_the_tree(target: BuiltTarget, moved: Path, tmp_path: Path, wheel: Path, place: str) -> None:
    first, second = tmp_path / place / "first", tmp_path / place / "second"
    (tmp_path / place).mkdir()
    moved.rename(first)
    target.run(*PIP, wheel, python=first / "bin/python3")
    (tmp_path / "link").symlink_to(second / "bin/moved-entry")
    for tree in (first, second):
        if tree == second:
            first.rename(second)
        for name, kind in (("moved-entry", "entry"), ("moved-script", "script")):
            assert run(tree / "bin" / name, "a b") == f"{kind} {tree} ['a b']"
    assert run(tmp_path / "link", "x") == f"entry {second} ['x']"
    # pip's own list says what was written.
    packages = second / f"lib/python{target.plan.series}/site-packages"
    with (packages / "moved_demo-1.dist-info/RECORD").open(newline="") as file:
        rows = [row for row in csv.reader(file) if "/bin/" in row[0]]
    assert len(rows) == 2
    for name, digest, _ in rows:
        value = hashlib.sha256((packages / name).read_bytes()).digest()
        assert digest == "sha256=" + base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    target.run("-m", "pip", "-q", "uninstall", "-y", "moved-demo", python=second / "bin/python3")
    assert not (second / "bin/moved-entry").exists()


def test_pip_itself(target: BuiltTarget, moved: Path, tmp_path: Path) -> None:
    """As with `pip install -U pip`: the existing pip installs another one."""
    (bundled,) = (target.stdlib / "ensurepip/_bundled").glob("pip-*.whl")
    run(moved / "bin/pip", *PIP[2:], "--force-reinstall", str(bundled))
    other = moved.rename(tmp_path / "other")
    for name in ("pip", "pip3", f"pip{target.plan.series}"):
        assert str(other) in run(other / "bin" / name, "--version")
    # And the new one installs itself again.
    run(other / "bin/pip3", *PIP[2:], "--force-reinstall", str(bundled))
    third = other.rename(tmp_path / "third")
    assert str(third) in run(third / "bin/pip3", "--version")


def test_other_folders_name_the_interpreter(target: BuiltTarget, moved: Path, tmp_path: Path, wheel: Path) -> None:
    """Virtual environments, --target, --prefix and --user are not in the tree, and do not move with it."""
    python = moved / "bin/python3"
    target.run("-m", "venv", tmp_path / "env", python=python)
    target.run(*PIP, wheel, python=tmp_path / "env/bin/python")
    assert run(tmp_path / "env/bin/moved-entry") == f"entry {tmp_path / 'env'} []"
    assert f"{tmp_path}/env/bin/python" in (tmp_path / "env/bin/moved-entry").read_text()
    home = clean_environment(HOME=str(tmp_path / "home"))
    for option, folder in (
        (["--prefix", str(tmp_path / "p")], tmp_path / "p/bin"),
        (["--target", str(tmp_path / "t")], tmp_path / "t/bin"),
        (["--user"], tmp_path / "home/.local/bin"),
    ):
        target.run(*PIP, *option, wheel, python=python, env=home)
        assert str(moved / "bin/python3") in (folder / "moved-entry").read_text()
