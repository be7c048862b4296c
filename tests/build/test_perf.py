"""perf's view of Python functions: -X perf, -X perf_jit, sys.activate_stack_trampoline (patch 0040)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget

# Functions are added to the map at their first call; perf defines its place and format.
MAP = """
import os, sys
def some_function():
    return 1
if "on" in sys.argv:
    sys.activate_stack_trampoline("perf")
    assert sys.is_stack_trampoline_active()
some_function()
path = f"/tmp/perf-{os.getpid()}.map"
lines = open(path).read().splitlines()
os.unlink(path)
entry = next(line for line in lines if ":some_function:" in line or "py::some_function:" in line)
address, size, name = entry.split(" ", 2)
maps = [line.split() for line in open("/proc/self/maps")]
inside = [m for m in maps if int(m[0].split("-")[0], 16) <= int(address, 16) < int(m[0].split("-")[1], 16)]
assert len(inside) == 1 and inside[0][1].startswith("r-x"), inside
print(int(size, 16) > 0, not [m for m in maps if m[1].startswith("rwx")])
"""

TRAMPOLINE = {"x86_64", "aarch64"}  # upstream has no assembly for others


def skip_without(target: BuiltTarget) -> None:
    if target.arch not in TRAMPOLINE:
        pytest.skip(f"CPython has no perf trampoline for {target.arch}")


@pytest.mark.parametrize("way", [("-X", "perf", "-c", MAP), ("-c", MAP, "on")], ids=["option", "call"])
def test_map_names_functions(target: BuiltTarget, way: tuple[str, ...]) -> None:
    skip_without(target)
    if target.emulator:
        pytest.skip("the map of memory under an emulator is the emulator's")
    assert target.run(*way) == "True True"


def test_dump_of_jit(target: BuiltTarget) -> None:
    skip_without(target)
    code = "import os\ndef some_function(): pass\nsome_function()\nprint(f'/tmp/jit-{os.getpid()}.dump')"
    dump = Path(target.run("-X", "perf_jit", "-c", code))
    data = dump.read_bytes()
    dump.unlink()
    assert data[:4] in (b"DTiJ", b"JiTD") and b"some_function" in data


def test_off_where_there_is_none(target: BuiltTarget) -> None:
    code = "import sys\ntry: sys.activate_stack_trampoline('perf'); print('on')\nexcept ValueError: print('off')"
    assert target.run("-c", code) == ("on" if target.arch in TRAMPOLINE else "off")
