"""Modules of the standard library whose code is in the executable: as if it had been read from their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from staticpython.config import ROOT
from tests.build.conftest import BuiltTarget

MODULES = (ROOT / "runtime/library/modules.txt").read_text().split()

COMPARE = """
import _imp, importlib.util, marshal, sys
for name in sys.argv[1:]:
    spec = importlib.util.find_spec(name)
    with open(spec.cached, "rb") as file:
        code = marshal.loads(file.read()[16:])
    ours = spec.loader.get_code(name)
    assert _imp.library_find(name) is (spec.submodule_search_locations is not None), name
    assert ours == code, name
    assert ours.co_filename == spec.origin, name
"""

SHOW = """
import json, json.decoder
for module in (json, json.decoder):
    spec = module.__spec__
    print(module.__file__, module.__cached__, getattr(module, "__path__", None), module.__package__)
    print(spec.name, spec.origin, spec.cached, spec.has_location, spec.submodule_search_locations)
    print(type(spec.loader), vars(spec.loader))
    print(module.__loader__.get_source(module.__name__) == open(module.__file__).read())
print(json.JSONDecoder.decode.__code__.co_filename)
"""

OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event in ("open", "os.listdir") else None)
import json.tool
print([path for path in opened if "json" in str(path)])
"""


@pytest.fixture(autouse=True)
def _has_library(target: BuiltTarget) -> None:
    if not target.plan["library"]:
        pytest.skip("this profile's executable holds no modules")


def test_list_is_sorted() -> None:
    assert sorted(set(MODULES)) == MODULES


def test_code_is_that_of_the_files(target: BuiltTarget) -> None:
    assert target.run("-c", COMPARE, *MODULES) == ""


def test_no_file_is_read(target: BuiltTarget) -> None:
    assert target.run("-c", OPENED) == "[]"
    assert "tool.cpython-313.pyc" in target.run("-X", "frozen_modules=off", "-c", OPENED)


def test_other_names_are_not_found(target: BuiltTarget) -> None:
    names = "['json\\0', 'js', 'jsonx', '', '\\udc80', 'json.nothing', '\\xe9']"
    assert target.run("-c", f"import _imp; print({{_imp.library_find(n) for n in {names}}})") == "{None}"


def test_modules_are_as_from_files(target: BuiltTarget) -> None:
    assert target.run("-c", SHOW) == target.run("-X", "frozen_modules=off", "-c", SHOW)


def test_what_comes_first_in_the_path_wins(target: BuiltTarget, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("name = 'mine'\n")
    (tmp_path / "main.py").write_text("import json; print(json.name)\n")
    assert target.run(tmp_path / "main.py") == "mine"
    assert target.run("-c", "import json; print(json.name)", env={"PYTHONPATH": str(tmp_path)}) == "mine"


@pytest.mark.parametrize("option", [("-O",), ("--check-hash-based-pycs", "always")])
def test_files_are_read_where_these_are_asked_for(target: BuiltTarget, option: tuple[str, ...]) -> None:
    assert target.run("-B", *option, "-c", "import _imp, json; print(_imp.library_find('json'))") == "None"
