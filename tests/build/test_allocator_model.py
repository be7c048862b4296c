"""malloc in libc.a against a model of it: random calls in threads and children (``libc/allocator_model.c``).

Some seconds here. For longer, with the seed that a failure printed or another one::

    MODEL_SECONDS=600 MODEL_SEED=1 pytest tests/build/test_allocator_model.py
"""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import LIBC_CHECKS, BuiltTarget, compile_program, run_program

# mimalloc's own checks (mimalloc/types.h): MI_DEBUG=3 checks its data structures' invariants at nearly every step.
# MI_SECURE=4 puts guard pages between runs of blocks. MI_PADDING notices writes beyond a block, but with it blocks do
# not grow in place.
CHECKS = {
    "invariants": ["-DMI_DEBUG=3", "-DMI_SECURE=0", "-DMI_PADDING=0"],
    "guard-pages": ["-DMI_DEBUG=3", "-DMI_SECURE=4", "-DMI_PADDING=0"],
    "padding": ["-DMI_DEBUG=3", "-DMI_SECURE=4", "-DMI_PADDING=1"],
}
OBJECT = "obj/src/malloc/mimalloc/malloc.o"

WRONG = """
#include <stdlib.h>
int main(int argc, char **argv)
{
	char *volatile p = malloc(100);
	if (argc == 1) p[100] = 1;
	free(p);
	if (argc == 2) free(p);
	return 0;
}
"""


def run_model(target: BuiltTarget, program: Path) -> None:
    seconds = os.environ.get("MODEL_SECONDS", "5")
    seed = [os.environ["MODEL_SEED"]] if "MODEL_SEED" in os.environ else []
    # An emulator's own mappings and memory are not the program's.
    emulated = {"EMULATED": "1"} if target.emulator else {}
    done = subprocess.run(
        [*target.emulator, str(program), seconds, *seed],
        capture_output=True,
        text=True,
        timeout=float(seconds) * 5 + 300,
        env={**os.environ, **emulated},
    )
    print(done.stdout)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["ok"]), done.stdout + done.stderr


def test_model(target: BuiltTarget, tmp_path: Path) -> None:
    program = compile_program(target, LIBC_CHECKS / "allocator_model.c", tmp_path / "model", "-O2")
    run_model(target, program)


def compile_malloc(target: BuiltTarget, output: Path, *flags: str) -> Path:
    """Compile malloc as the build did, but with other flags."""
    if target.plan.malloc != "mimalloc":
        pytest.skip(f"built with the malloc {target.plan.malloc}")
    musl = target.build / "musl"
    planned = subprocess.run(["make", "-n", "-B", OBJECT], cwd=musl, capture_output=True, text=True, check=True)
    (command,) = (line for line in planned.stdout.splitlines() if f"-o {OBJECT}" in line)
    arguments = shlex.split(command)[1:]
    arguments[arguments.index(OBJECT)] = str(output)
    subprocess.run([str(target.cc), *arguments, *flags], cwd=musl, capture_output=True, check=True)
    return output


@pytest.mark.parametrize("checks", CHECKS)
def test_model_with_mimallocs_own_checks(target: BuiltTarget, tmp_path: Path, checks: str) -> None:
    malloc = compile_malloc(target, tmp_path / "malloc.o", *CHECKS[checks])
    model, wrong = LIBC_CHECKS / "allocator_model.c", tmp_path / "wrong.c"
    run_model(target, compile_program(target, model, tmp_path / "model", "-O2", str(malloc)))

    # The checks are on.
    wrong.write_text(WRONG, encoding="utf-8")
    program = compile_program(target, wrong, tmp_path / "wrong", str(malloc))
    overflow, twice = run_program(target, program), run_program(target, program, "twice")
    assert ("buffer overflow in heap block" in overflow.stderr) == (checks == "padding")
    assert "double free" in twice.stderr
