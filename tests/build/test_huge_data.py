"""Where the data of a program is after it started (runtime/musl/huge_data.h)."""

from __future__ import annotations

from pathlib import Path

import pytest

from staticpython.config import ROOT
from tests.build.conftest import LIBC_CHECKS, BuiltTarget, compile_program, run_program

THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")

# What the memory of None, which is data, is mapped from, and whether the program begins at a multiple of 2 MiB.
MAPPED_FROM = """if 1:
    import os, sys
    maps = [line.split() + [""] for line in open("/proc/self/maps")]
    places = [(*(int(n, 16) for n in m[0].split("-")), os.path.basename(m[5])) for m in maps]
    program = os.path.basename(os.path.realpath(sys.executable))
    aligned = next(start for start, end, name in places if name == program) % 0x200000 == 0
    print(*(name for start, end, name in places if start <= id(None) < end), "yes" if aligned else "no", sep=",")
"""


def expected(file: str, aligned: str) -> str:
    """Return what data is mapped from: the file, or nothing if it can be on a huge page."""
    return "" if aligned == "yes" and THP.exists() and "[never]" not in THP.read_text() else file


@pytest.fixture(scope="module")
def script(target: BuiltTarget) -> Path:
    """The linker script that puts a program's data where a huge page can replace it."""
    script = ROOT / "runtime/interpreter/data.ld"
    if not any(flag.endswith(script.name) for flag in target.plan.ldflags_core):
        pytest.skip("no PIE, or built with --plain, or the linker takes no such script (configs/families)")
    return script


@pytest.mark.parametrize("pages", ["huge", "small"])
def test_all_data_is_there(target: BuiltTarget, script: Path, tmp_path: Path, pages: str) -> None:
    if target.emulator and pages == "small":
        pytest.skip("the emulator knows nothing of huge pages, and starts no programs")
    program = compile_program(target, LIBC_CHECKS / "huge_data.c", tmp_path / "huge_data", f"-Wl,-T,{script}")
    done = run_program(target, program, *(["small"] if pages == "small" else []))
    assert done.returncode == 0, done.stdout + done.stderr
    mapped, aligned = done.stdout.strip().split(",")
    if not target.emulator:
        assert mapped == (expected(program.name, aligned) if pages == "huge" else program.name)


@pytest.mark.usefixtures("script")
@pytest.mark.native_only("the emulator maps files in its own way")
def test_interpreter(target: BuiltTarget) -> None:
    mapped, aligned = target.run("-c", MAPPED_FROM).split(",")
    assert mapped == expected(target.binary.name, aligned)
