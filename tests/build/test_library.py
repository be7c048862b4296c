"""Modules of the standard library whose code is in the executable look as if they came from their files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from staticpython.config import ROOT
from tests.build.conftest import PROGRAMS, BuiltTarget, compile_program


def lines_of(target: BuiltTarget) -> list[str]:
    return (ROOT / f"runtime/library/modules-{target.plan.series}.txt").read_text().splitlines()


def modules_of(target: BuiltTarget) -> dict[str, str]:
    """The executable's modules, each with the name of its file."""
    return {line.split()[0]: line.split()[-1] for line in lines_of(target)}


def first_of(target: BuiltTarget) -> set[str]:
    """The modules that start-up imports."""
    modules = list(modules_of(target))
    return set(modules[: modules.index("site") + 1])


# Compares code by everything that can be read from it.
SHOW_CODE = """
import sys, types
fields = [n for n in dir(types.CodeType) if n.startswith("co_") and n not in ("co_lnotab", "co_lines", "co_positions")]
def show(what, where):
    if type(what) is types.CodeType:
        # Counters in the bytecode, code that has not run.
        yield where, "adaptive", what._co_code_adaptive
        yield where, "lines", list(what.co_lines())
        yield where, "positions", list(what.co_positions())
        for field in fields:
            value = getattr(what, field)
            if not callable(value):
                yield from show(value, f"{where}.{field}")
    elif type(what) in (tuple, frozenset):
        yield where, type(what), len(what)
        for i, item in enumerate(what if type(what) is tuple else sorted(what, key=repr)):
            yield from show(item, f"{where}[{i}]")
    else:
        yield where, type(what), repr(what), type(what) is str and sys._is_interned(what)
"""
COMPARE = (
    SHOW_CODE
    + """
import _imp, os
for name, origin in zip(sys.argv[1::2], sys.argv[2::2]):
    path = os.path.join(sys._stdlib_dir, *origin.split("."))
    path = os.path.join(path, "__init__.py") if _imp.library_find(name) else path + ".py"
    with open(path, "rb") as file:
        expected = compile(file.read(), path, "exec", dont_inherit=True)
    ours = _imp.library_code(name, path)
    for a, b in zip(show(ours, name), show(expected, name), strict=True):
        assert a == b, (a, b)
    assert ours == expected, name
"""
)

COMPARE_RANDOM = (
    SHOW_CODE
    + """
import os, gc
folder = sys.argv[1]
sys.path.insert(0, os.path.dirname(folder))
import reader
with open(os.path.join(folder, "modules.txt")) as file:
    names = file.read().split()
for i, name in enumerate(names):
    path = os.path.join(folder, name + ".py")
    with open(path, "rb") as file:
        expected = compile(file.read(), path, "exec", dont_inherit=True)
    for ours in reader.code(i, path), reader.code(i, path):
        for a, b in zip(show(ours, name), show(expected, name), strict=True):
            # What the compiler interns depends on what was interned before.
            assert a == b or a[:3] == b[:3] and a[3:] == (True,), (a, b)
        assert ours == expected, name
        try:
            exec(ours, {"x": 5, "v": 1, "i": 2})
        except Exception:
            pass
gc.collect()
print(len(names))
"""
)

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
    if not target.plan.library:
        pytest.skip("this profile's executable holds no modules")


def test_list_is_sorted_after_what_start_up_imports(target: BuiltTarget) -> None:
    lines = lines_of(target)
    rest = lines[len(first_of(target)) :]
    assert sorted(rest) == rest
    assert len(modules_of(target)) == len(lines)


def test_code_is_that_of_the_source(target: BuiltTarget) -> None:
    assert target.run("-c", COMPARE, *(word for pair in modules_of(target).items() for word in pair)) == ""


@pytest.mark.any_cpu("C code; test_code_is_that_of_the_source reads the library's modules on each CPU")
def test_random_code_is_that_of_the_source(target: BuiltTarget, seed: int, tmp_path: Path) -> None:
    """The same functions with other modules, which have what the library's modules lack."""
    lib, count = tmp_path / "Lib", "60"
    lib.mkdir()
    (tmp_path / "Include").symlink_to(target.build.parent / "sources/cpython/Include")
    target.run(PROGRAMS / "random_modules.py", str(seed), lib, count)
    freeze = ROOT / "runtime/python/_staticpython/freeze.py"
    target.run(freeze, lib / "modules.txt", lib, tmp_path / "library_modules.h")
    include = target.tree / f"include/python{target.plan.series}"
    folders = [tmp_path, ROOT / "runtime/library", include, include / "internal"]
    flags = ["-shared", "-fPIC", *(f"-I{folder}" for folder in folders)]
    compile_program(target, Path(__file__).parent / "library/reader.c", tmp_path / "reader.so", *flags)
    assert target.run("-c", COMPARE_RANDOM, lib) == count


def test_start_up_imports_what_stands_first(target: BuiltTarget) -> None:
    code = "import sys; print([n for n, m in sys.modules.items() if getattr(m.__spec__, 'origin', '') != 'built-in'])"
    names = set(ast.literal_eval(target.run("-c", code))) - {"__main__", "os.path", "sys", "builtins"}
    assert names == first_of(target)


def test_frozen_modules_keep_their_names(target: BuiltTarget) -> None:
    code = "import importlib, os; print(*(f.__code__.co_filename for f in (importlib.__import__, os.walk)))"
    assert target.run("-c", code) == "<frozen importlib._bootstrap> <frozen os>"
    assert target.run("-B", "-O", "-c", code) == "<frozen importlib._bootstrap> <frozen os>"


def test_other_code_is_frozen_code_too(target: BuiltTarget) -> None:
    code = """if 1:
        import _imp, marshal
        data = marshal.dumps(compile("x = 1", "mine", "exec"))
        print(_imp.get_frozen_object("os", data).co_filename, _imp.get_frozen_object("os").co_filename)
    """
    assert target.run("-c", code) == "mine <frozen os>"


def test_interpreters_in_one_process(target: BuiltTarget) -> None:
    """An interpreter with its own strings, one that shares the main one's, and then the main one."""
    code = """if 1:
        import _interpreters, sys
        text = "import json.decoder, csv, sys; assert sys._is_interned(json.decoder.JSONDecoder.__name__)"
        for config in ("isolated", "legacy") * 2:
            interpreter = _interpreters.create(config)
            assert _interpreters.run_string(interpreter, text) is None, config
            _interpreters.destroy(interpreter)
        exec(text)
        print(json.loads("[1]"), csv.reader.__name__)
    """
    assert target.run("-c", code) == "[1] reader"


def test_no_file_is_read(target: BuiltTarget) -> None:
    assert target.run("-c", OPENED) == "[]"
    assert f"tool.{target.tag}.pyc" in target.run("-X", "frozen_modules=off", "-c", OPENED)


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


@pytest.mark.parametrize("option", [("-O",), ("-X", "no_debug_ranges"), ("--check-hash-based-pycs", "always")])
def test_files_are_read_where_these_are_asked_for(target: BuiltTarget, option: tuple[str, ...]) -> None:
    assert target.run("-B", *option, "-c", "import _imp, json; print(_imp.library_find('json'))") == "None"
