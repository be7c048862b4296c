"""examples/: made as their README says, and run without any of their packages installed."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from staticpython.config import ROOT
from tests.build.conftest import BuiltTarget, network_environment

pytestmark = [
    pytest.mark.usefixtures("programs"),
    pytest.mark.any_cpu("bundles with and without libraries are run by test_bundle"),
]


def made(target: BuiltTarget, folder: Path, *names: str) -> Path:
    """A bundle of a copy of an example."""
    shutil.copytree(ROOT / "examples" / names[0], folder / "source")
    source, output = folder.joinpath("source", *names[1:]), folder / names[0]
    words: list[str | Path] = ["-m", "_staticpython", "bundle", source, "-o", output, "--cache", ""]
    target.run(*words, env=network_environment())
    shutil.rmtree(folder / "source")
    return output


def run(target: BuiltTarget, program: Path, *words: str, text: str) -> str:
    done = subprocess.run([*target.emulator, str(program), *words], input=text, capture_output=True, text=True, env={})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.any_cpu("Python code")
def test_table(target: BuiltTarget, tmp_path: Path) -> None:
    program = made(target, tmp_path, "table")
    text = "name,size\na,1\nb,2\n"
    assert re.search(r"name.*size\b.*\n.*\n.*a\b.*1\b", run(target, program, "-", text=text))
    (tmp_path / "columns").symlink_to(program)
    assert run(target, tmp_path / "columns", "-", text=text) == "name\nsize\n"


def has_wheels(target: BuiltTarget) -> None:
    if target.plan.arch.name not in {"x86_64", "aarch64"}:
        pytest.skip("PyPI has no musllinux wheels of what it needs for this CPU")


def test_fit(target: BuiltTarget, tmp_path: Path) -> None:
    has_wheels(target)
    program = made(target, tmp_path, "fit", "fit.py")
    assert run(target, program, text="0 1\n1 3\n2 5\n") == "y = 2 x + 1\n"


def answer(url: str) -> str:
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                return str(reply.read().decode())
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def test_service(target: BuiltTarget, tmp_path: Path) -> None:
    """Two processes answer, and both end with the first one."""
    has_wheels(target)
    program = made(target, tmp_path, "service")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [*target.emulator, str(program), "--port", str(port), "--workers", "2"]
    service = subprocess.Popen(words, env={})
    try:
        assert json.loads(answer(f"http://127.0.0.1:{port}/sum?a=1&b=2")) == {"sum": 3}
        worker = re.search(r"<p>Process (\d+) answers", answer(f"http://127.0.0.1:{port}/"))
        assert worker and int(worker[1]) != service.pid
        service.send_signal(signal.SIGTERM)
        service.wait(timeout=60)
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30)
    finally:
        service.kill()
        service.wait()
