"""runtime/python/_staticpython/starts.py: checks of what a bundle runs, without running it."""

from __future__ import annotations

import ast
import sys
import types
from pathlib import Path

import pytest
from _staticpython.payload import PayloadError
from _staticpython.starts import check_entry, may_define


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def main(): pass", True),
        ("async def main(): pass", True),
        ("class main: pass", True),
        ("main = 1", True),
        ("main: int = 1", True),
        ("if 1:\n    def main(): pass", True),
        ("import main", True),
        ("import main.x", True),
        ("import x.main", False),
        ("import x as main", True),
        ("from x import main", True),
        ("from x import main as other", False),
        ("from x import *", True),
        ("for main in x: pass", True),
        ("def f():\n    global main\n    main = 1", True),
        ("def __getattr__(name): pass", True),
        ("globals()['main'] = 1", True),
        ("import sys\nsys.modules[__name__] = X()", True),
        ("def (", True),
        ("\0", True),
        ("main()", False),
        ("print(main)", False),
        ("def f():\n    main = 1", False),
        ("class C:\n    def main(self): pass", False),
        ("main.x = 1", False),
        ("", False),
    ],
)
def test_what_a_source_may_define(source: str, expected: bool) -> None:
    assert may_define(source.encode(), "main") == expected


def test_no_name_of_a_module_is_said_to_be_missing() -> None:
    """Existing modules, which bind names in more ways than one would think of."""
    given = vars(types.ModuleType("x")).keys() | {"__file__", "__cached__", "__builtins__", "__path__"}
    given |= {"__warningregistry__", "__annotations__"}
    checked = 0
    for name, module in list(sys.modules.items()):
        file = str(getattr(module, "__file__", None))
        if isinstance(module, types.ModuleType) and file.endswith(".py") and checked < 20:
            source = Path(file).read_bytes()
            submodules = {other.rpartition(".")[2] for other in sys.modules if other.rpartition(".")[0] == name}
            names = sorted({n for n in vars(module) if not n.startswith("@")} - given - submodules)[::9]
            assert not [n for n in names if not may_define(source, n)], name
            checked += 1
    assert checked == 20


def test_entry_points(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text("")
    (tmp_path / "app/core.py").write_text("def main(): raise SystemExit('was run')\nclass C: pass\n")
    for entry in ("app.core:main", "app.core:C.x", "app:core.main", "sys:exit", "json:dumps"):
        check_entry(entry, [tmp_path, Path(ast.__file__).parent])
    with pytest.raises(PayloadError, match=r"^app.core:mian: app.core does not define mian$"):
        check_entry("app.core:mian", [tmp_path])
    with pytest.raises(PayloadError, match="no module app.cor in"):
        check_entry("app.cor:main", [tmp_path])
    with pytest.raises(PayloadError, match="an entry point is MODULE:FUNCTION"):
        check_entry("app.core", [tmp_path])
