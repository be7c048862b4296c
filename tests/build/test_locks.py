"""Threads in libc.a: locks without atomic instructions for one thread, reused stacks (patches/musl/0013, 0014).

The checks are in ``libc/locks.c``; they run natively or under the emulator.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.conftest import LIBC_CHECKS, BuiltTarget, compile_program, run_program

# All checks of locks.c. The test fails if this list and the program's differ.
CHECKS = ("kinds", "held", "threads", "conditions", "processes", "stacks", "memory", "model", "random_stacks")


@pytest.fixture(scope="module")
def program(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(target, LIBC_CHECKS / "locks.c", tmp_path_factory.mktemp("libc") / "locks")


def test_all_checks_are_run(target: BuiltTarget, program: Path) -> None:
    assert run_program(target, program).stdout.split() == list(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_check(target: BuiltTarget, program: Path, seed: int, check: str) -> None:
    if check == "memory" and target.emulator:
        pytest.skip("measures memory: needs a native target")
    done = run_program(target, program, check, env={"SEED": str(seed)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
