"""malloc in libc.a against a model of it: random calls in threads and children (``libc/allocator_model.c``).

Some seconds here. For longer, with the seed that a failure printed or another one::

    MODEL_SECONDS=600 MODEL_SEED=1 pytest tests/build/test_allocator_model.py
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.build.conftest import LIBC_CHECKS, BuiltTarget, compile_program


def test_model(target: BuiltTarget, tmp_path: Path) -> None:
    program = compile_program(target, LIBC_CHECKS / "allocator_model.c", tmp_path / "model", "-O2")
    seconds = os.environ.get("MODEL_SECONDS", "8")
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
