"""memcpy, memchr, strlen and similar in libc.a: right for every size and alignment, and never a page too far.

The checks are in ``libc/strings.c``; they run natively, and a part of the cases, others each time, under an emulator.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import LIBC_CHECKS, BuiltTarget, compile_program, run_program

# All checks of strings.c. The test fails if this list and the program's differ.
CHECKS = ("memcpy", "memmove", "overlap", "memset", "memcmp", "strcmp", "memchr", "strlen", "strncpy", "memmem")

# On the oldest CPU of these arches, programs use other code paths.
CHOOSE_AT_RUN_TIME = ("x86_64", "i386")


@pytest.fixture
def part(request: pytest.FixtureRequest) -> dict[str, str]:
    """How many of the cases an emulator checks: one of five, or all with `--all`."""
    return {} if request.config.getoption("--all") else {"PART": "5"}


@pytest.fixture(scope="module")
def program(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(target, LIBC_CHECKS / "strings.c", tmp_path_factory.mktemp("libc") / "strings")


def test_all_checks_are_run(target: BuiltTarget, program: Path) -> None:
    assert run_program(target, program).stdout.split() == list(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_check(target: BuiltTarget, program: Path, seed: int, part: dict[str, str], check: str) -> None:
    done = run_program(target, program, check, env={"SEED": str(seed), **(part if target.emulator else {})})
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


@pytest.mark.parametrize("check", CHECKS)
def test_check_on_the_oldest_cpu(
    target: BuiltTarget, program: Path, seed: int, part: dict[str, str], check: str
) -> None:
    if target.arch not in CHOOSE_AT_RUN_TIME:
        pytest.skip("one way through the code on all of its CPUs")
    emulator = shutil.which(target.plan.arch.emulator)
    if emulator is None:
        pytest.skip(f"needs {target.plan.arch.emulator}")
    command = [emulator, "-cpu", target.plan.cpu.emulator, str(program), check]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={"SEED": str(seed), **part})
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
