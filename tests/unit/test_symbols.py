"""Debug information: which differences between programs are faults, and which are not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from staticpython.errors import UsageError, VerifyError
from staticpython.symbols import build_id, difference, write_symbols
from tests.unit.test_published import plan_of

SOURCE = """\
int number = %d;
int main(void) { return %s; }
"""


def linked(folder: Path, name: str, *options: str, number: int = 1, result: str = "number") -> Path:
    """Compile and link a program."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("this machine has no C compiler to make the file with")
    (folder / "main.c").write_text(SOURCE % (number, result))
    command = [compiler, "-O1", "-g", "-Wl,--build-id=0xabcdef", *options, "main.c", "-o", name]
    subprocess.run(command, cwd=folder, check=True)
    return folder / name


def test_symbols_are_no_difference(tmp_path: Path) -> None:
    stripped, whole = linked(tmp_path, "stripped", "-s"), linked(tmp_path, "whole")
    assert stripped.read_bytes() != whole.read_bytes()
    assert difference(stripped, whole) == ""
    assert build_id(stripped) == build_id(whole) == "abcdef"


@pytest.mark.parametrize(
    ("change", "section"), [({"number": 2}, ".data"), ({"result": "number * number + 3"}, ".text")]
)
def test_what_is_loaded_is_compared(tmp_path: Path, change: dict[str, object], section: str) -> None:
    first, other = linked(tmp_path, "first"), linked(tmp_path, "other", **change)  # type: ignore[arg-type]
    assert difference(first, other) == section


def test_a_section_more_is_a_difference(tmp_path: Path) -> None:
    first = linked(tmp_path, "first", "-Wl,--build-id=none")
    assert difference(first, linked(tmp_path, "other")) != ""
    with pytest.raises(VerifyError, match="first: no build id"):
        build_id(first)


def test_built_without_debug_information(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"generate\.py --symbols, and make"):
        write_symbols(plan_of(), tmp_path, tmp_path, tmp_path)


def test_without_an_interpreter(tmp_path: Path) -> None:
    (tmp_path / "cpython").mkdir()
    (tmp_path / "cpython/Makefile").touch()
    with pytest.raises(UsageError, match=r"python3\.14: no such file: run make first"):
        write_symbols(plan_of(symbols=True), tmp_path, tmp_path, tmp_path)
