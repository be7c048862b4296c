"""malloc in libc.a: what callers may expect of any malloc, and how much memory and time ours takes, with threads.

Everything is compiled with the target's own wrappers and run natively or under the emulator.
The checks are in ``libc/allocator.c``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import LIBC_CHECKS, BuiltTarget, compile_program, run_program, visible_symbols

# All checks of allocator.c. The test fails if this list and the program's differ.
CHECKS = (
    "first_use_in_threads",
    "basics",
    "errors",
    "alignments",
    "reallocs",
    "moves",
    "full",
    "threads",
    "many_threads",
    "inherited",
    "main_leaves",
    "forks",
    "forks_while_freed",
    "zeroed",
    "zeroed_after_growth",
    "goes_back",
    "grows",
    "shrinks",
    "grows_after_a_limit",
    "refused",
    "small_footprint",
    "untouched",
    "limited",
    "tightly_limited",
)
# These figures include an emulator's own memory, and its limits are not the program's.
NATIVE_ONLY = (
    "full",
    "many_threads",
    "inherited",
    "goes_back",
    "grows",
    "shrinks",
    "grows_after_a_limit",
    "refused",
    "small_footprint",
    "untouched",
    "limited",
    "tightly_limited",
)


@pytest.fixture(scope="module")
def program(target: BuiltTarget, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_program(target, LIBC_CHECKS / "allocator.c", tmp_path_factory.mktemp("libc") / "allocator")


def test_all_checks_are_run(target: BuiltTarget, program: Path) -> None:
    assert run_program(target, program).stdout.split() == list(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_check(target: BuiltTarget, program: Path, check: str) -> None:
    if target.emulator and check in NATIVE_ONLY:
        pytest.skip("measures memory: needs a native target")
    if target.plan.malloc != "mimalloc" and check == "moves":
        pytest.skip("built with musl's malloc: each large block is a mapping of its own")
    done = run_program(target, program, check)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "ok\n"


def test_environment_says_nothing_to_it(target: BuiltTarget, program: Path) -> None:
    names = ("VERBOSE", "SHOW_STATS", "SHOW_ERRORS", "RESERVE_OS_MEMORY", "LIMIT_OS_ALLOC")
    done = run_program(target, program, "basics", env={**os.environ, **{f"MIMALLOC_{n}": "1" for n in names}})
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


def test_its_names_are_its_own(target: BuiltTarget, tmp_path: Path) -> None:
    """No name of mimalloc can clash with another copy of it in the program, such as CPython's."""
    source = tmp_path / "whole.c"
    source.write_text("void *mi_malloc(unsigned long n) { return 0; }\nint main(void) { return 0; }\n")
    symbols = visible_symbols(compile_program(target, source, tmp_path / "whole", "-Wl,--export-dynamic"))
    assert {"malloc", "free", "aligned_alloc", "malloc_usable_size", "reallocarray", "valloc"} <= symbols
    assert {s for s in symbols if s.startswith(("mi_", "_mi_"))} == {"mi_malloc"}


def test_program_may_bring_its_own(target: BuiltTarget, tmp_path: Path) -> None:
    source = tmp_path / "own.c"
    source.write_text(
        "#include <stdio.h>\n#include <stdlib.h>\nstatic char memory[100000], *next = memory;\nint calls;\n"
        "void *malloc(size_t n) { calls++; n = (n + 15) & -16; next += n; return next - n; }\n"
        "void *calloc(size_t m, size_t n) { return malloc(m * n); }\n"
        "void *realloc(void *p, size_t n) { return malloc(n); }\nvoid free(void *p) { calls++; }\n"
        'int main(void) { char *line = 0; free(malloc(1)); asprintf(&line, "%d", 5); printf("%d\\n", calls); }\n'
    )
    own = compile_program(target, source, tmp_path / "own", "-D_GNU_SOURCE")
    assert int(run_program(target, own).stdout) >= 3


def test_start_costs_little(target: BuiltTarget, tmp_path: Path) -> None:
    """The first allocation takes a few system calls, and a program without one makes none of them."""
    strace = shutil.which("strace")
    if strace is None or target.emulator:
        pytest.skip("needs strace and a native target")
    calls = []
    for statement in ("", "free(malloc(100));"):
        source = tmp_path / "start.c"
        source.write_text(f"#include <stdlib.h>\nint main(void) {{ {statement} return 0; }}\n")
        program = compile_program(target, source, tmp_path / "start")
        subprocess.run([strace, "-o", str(tmp_path / "log"), str(program)], check=True)
        calls.append([line.split("(")[0] for line in (tmp_path / "log").read_text().splitlines()])
    assert not {"mmap", "mmap2", "brk", "open", "getrandom"} & set(calls[0]), calls
    # In 32 bits of addresses mimalloc does not guess where aligned memory is free: it maps twice and cuts.
    most = 5 if target.plan.arch.elf_class == 64 else 8
    assert 0 < len(calls[1]) - len(calls[0]) <= most, calls
