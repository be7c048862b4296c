"""A library that may not be executed: the error names the mount and the remedy (runtime/musl/loader.c)."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

SOURCE = "int answer(void) { return 42; }\n"


def in_namespace(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in its own mount namespace, as root there."""
    command = ["unshare", "--mount", "--user", "--map-root-user", "sh", "-ec", script]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=clean_environment())


@pytest.mark.parametrize("folder", ["plain", "with a space"])
def test_error_names_the_mount(target: BuiltTarget, tmp_path: Path, folder: str) -> None:
    if target.emulator:
        pytest.skip("qemu-user maps what it emulates without the right to execute: the kernel lets it through")
    mount, source, library = tmp_path / folder, tmp_path / "answer.c", tmp_path / "answer.so"
    mount.mkdir()
    source.write_text(SOURCE)
    subprocess.run([target.cc, "-shared", "-fPIC", source, "-o", library], check=True)
    quoted = shlex.quote(str(mount))
    start = f"mount -t tmpfs -o noexec none {quoted} && cp {shlex.quote(str(library))} {quoted}"
    if in_namespace(start).returncode:
        pytest.skip("a tmpfs cannot be mounted here: no user namespaces, or forbidden in them")
    code = f"import ctypes; ctypes.CDLL({str(mount / 'answer.so')!r})"
    python = shlex.join([*target.emulator, str(target.binary), "-c", code])
    done = in_namespace(f"{start} && {python}")
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("OSError: ") and "Operation not permitted" in message, message
    assert f"{mount} is mounted noexec" in message and f"remount,exec {mount}" in message, message
    # The same file loads after the remedy was applied.
    remedy = f"mount -o remount,exec {quoted}"
    assert in_namespace(f"{start} && {remedy} && {python}").returncode == 0
