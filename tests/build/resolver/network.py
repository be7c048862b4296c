"""A private network for the tests of name resolution: see ``driver.py``."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

SERVICES = """\
http    80/tcp www # WorldWideWeb HTTP
domain  53/tcp
domain  53/udp
sip     5060/sctp
sip     5060/udp
both    600/dccp twice
both    601/udplite
"""
Scenario = dict[str, Any]
Lookup = Callable[[Sequence[Scenario]], list[Any]]


def enter() -> list[str]:
    """Return the command that runs another one in its own namespaces, or skip the test."""
    for options in (["-n", "-m"], ["-r", "-n", "-m"]):
        command = [shutil.which("unshare") or "unshare", *options]
        if shutil.which(command[0]) and subprocess.run([*command, "mount", "-t", "tmpfs", "t", "/etc"]).returncode == 0:
            return command
    pytest.skip("neither root nor unprivileged user namespaces: there can be no network of the test's own here")


def lookup(command: Sequence[str], name: str, timeout: float = 300) -> Lookup:
    """Return a function that runs scenarios with an interpreter, each in its own network, some at the same time."""
    unshare = enter()

    def one(scenario: Scenario) -> Any:
        with tempfile.TemporaryDirectory(prefix=f"resolver-{name}-") as folder:
            Path(folder, "nsswitch.conf").write_text("hosts: files dns\n")
            Path(folder, "services").write_text(SERVICES)
            driver = Path(__file__).with_name("driver.py")
            done = subprocess.run(
                [*unshare, sys.executable, str(driver), folder, *command],
                input=json.dumps(scenario) + "\n",
                capture_output=True,
                text=True,
                timeout=timeout,
                env=clean_environment(),
            )
            assert done.returncode == 0 and not done.stderr, f"{scenario}\n{done.stdout}\n{done.stderr}"
            return json.loads(done.stdout)

    def run(scenarios: Sequence[Scenario]) -> list[Any]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(one, scenarios))

    return run


def of_target(target: BuiltTarget) -> Lookup:
    """Return the function that looks names up with the interpreter that was built."""
    return lookup([*target.emulator, str(target.binary)], target.arch)


def of_glibc() -> Lookup:
    """Return the same function for the interpreter of these tests; skip the test if that is not on glibc."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("these tests are run by an interpreter without glibc: nothing to compare with")
    return lookup([sys.executable], "glibc")
