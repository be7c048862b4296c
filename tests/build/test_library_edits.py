"""Edits of the standard library's files take effect, whether a module's code is in the executable or in a .pyc."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

pytestmark = pytest.mark.any_cpu("Python code and times of files")

# In the executable: a module, a module in a package, a package, one that start-up imports; then one only in a .pyc.
MODULES = ["textwrap", "json.decoder", "email", "encodings.utf_8", "colorsys", "xml.dom.minidom", "dbm"]
SHOW = "import importlib, sys; print([hasattr(importlib.import_module(n), 'EDITED') for n in sys.argv[1:]])"


def file_of(library: Path, module: str) -> Path:
    base = library.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@pytest.fixture
def copy(target: BuiltTarget, tmp_path: Path) -> Path:
    """A copy that keeps the files' times, as cp -a and tar do."""
    return Path(shutil.copytree(target.tree, tmp_path / "tree", symlinks=True))


@pytest.fixture
def new_copy(target: BuiltTarget, tmp_path: Path) -> Path:
    """A copy whose files have other times, as cp -r makes it."""
    return Path(shutil.copytree(target.tree, tmp_path / "tree", symlinks=True, copy_function=shutil.copyfile))


def library_of(target: BuiltTarget, tree: Path) -> Path:
    return tree / f"lib/python{target.plan.series}"


def run(target: BuiltTarget, tree: Path, *arguments: str, **variables: str) -> str:
    python = tree / target.plan.program
    python.chmod(0o755)
    return target.run(*arguments, python=python, env=clean_environment(**variables))


@pytest.mark.parametrize("kind", ["copy", "new_copy"])
@pytest.mark.parametrize("bytecode", ["", "1"], ids=["writes", "writes-none"])
def test_an_edit_takes_effect(target: BuiltTarget, request: pytest.FixtureRequest, kind: str, bytecode: str) -> None:
    tree = request.getfixturevalue(kind)
    options = {"PYTHONDONTWRITEBYTECODE": bytecode}
    assert run(target, tree, "-c", SHOW, *MODULES, **options) == str([False] * len(MODULES))
    originals = {}
    for module in MODULES:
        file = file_of(library_of(target, tree), module)
        originals[file] = file.read_bytes(), file.stat().st_mtime_ns
        file.write_bytes(originals[file][0] + b"\nEDITED = True\n")
    for _ in range(2):  # from the source, then from the .pyc that the first run wrote
        assert run(target, tree, "-c", SHOW, *MODULES, **options) == str([True] * len(MODULES))
    # Undoing it takes effect, too.
    for file, (text, time) in originals.items():
        file.write_bytes(text)
        os.utime(file, ns=(time, time))
    assert run(target, tree, "-c", SHOW, *MODULES, **options) == str([False] * len(MODULES))


def test_an_edit_of_the_same_size_or_time(target: BuiltTarget, copy: Path) -> None:
    """sed -i keeps the size here; an archive of hot fixes may keep the time."""
    if not target.plan.library:
        pytest.skip("a .pyc does not say how large its source was: docs/differences.md")
    size, time = (file_of(library_of(target, copy), name) for name in ("textwrap", "json.decoder"))
    size.write_text(size.read_text().replace("def dedent(", "def dedemt(", 1))
    before = time.stat()
    time.write_text(time.read_text() + "\nEDITED = True\n")
    os.utime(time, ns=(before.st_atime_ns, before.st_mtime_ns))
    code = "import textwrap, json.decoder; print(hasattr(textwrap, 'dedemt'), json.decoder.EDITED)"
    assert run(target, copy, "-c", code) == "True True"


def test_an_edit_while_the_program_runs(target: BuiltTarget, copy: Path) -> None:
    code = """if 1:
        import importlib, runpy, textwrap
        open(textwrap.__file__, "a").write("\\nEDITED = 1\\n")
        loader = textwrap.__loader__
        names = loader.get_code("textwrap").co_names, runpy.run_module("textwrap")
        print(*("EDITED" in n for n in names), importlib.reload(textwrap).EDITED)
    """
    assert run(target, copy, "-c", code) == "True True 1"


def test_print_in_a_module_that_runs_as_main(target: BuiltTarget, copy: Path) -> None:
    with file_of(library_of(target, copy), "json.tool").open("a") as file:
        file.write("\nprint('edited')\n")
    assert "edited" in run(target, copy, "-c", "import json.tool")


def test_a_module_that_is_removed_is_not_there(target: BuiltTarget, copy: Path) -> None:
    file_of(library_of(target, copy), "textwrap").unlink()
    code = "try: import textwrap\nexcept ModuleNotFoundError as e: print(e.name)"
    assert run(target, copy, "-c", code) == "textwrap"


def test_start_up_modules_are_frozen_as_in_every_cpython(target: BuiltTarget, copy: Path) -> None:
    """CPython itself ignores edits of the modules that it freezes, except with -X frozen_modules=off."""
    for name in ("os", "codecs", "site", "abc", "io", "stat"):
        with file_of(library_of(target, copy), name).open("a") as file:
            file.write("\nEDITED = True\n")
    show = "import sys; print([hasattr(sys.modules[n], 'EDITED') for n in ('os', 'codecs', 'site')])"
    assert run(target, copy, "-c", show) == "[False, False, False]"
    assert run(target, copy, "-X", "frozen_modules=off", "-c", show) == "[True, True, True]"


def test_no_source_is_read_where_nothing_was_changed(target: BuiltTarget, copy: Path) -> None:
    """All files of a tree have one time: those that have it are what was built, and need not be compared."""
    if not target.plan.speedups:
        pytest.skip("built with --no-speedups: sources are compared by their hash, which needs to read them")
    code = """if 1:
        import sys
        opened = []
        sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
        import colorsys, json.tool, xml.dom.minidom
        print([path for path in opened if path.endswith(".py")])
    """
    assert run(target, copy, "-c", code) == "[]"
    times = {path.stat().st_mtime for path in target.stdlib.rglob("*.py")}
    assert len(times) == 1


# Modules in the executable and others; alone in their folder, or in a package.
RIVALS = ["textwrap", "random", "colorsys", "json.tool"]


@pytest.mark.parametrize("module", RIVALS)
def test_what_comes_first_in_a_folder(target: BuiltTarget, copy: Path, module: str) -> None:
    """A package's folder, then an extension module, then the built file: as in any folder."""
    base = library_of(target, copy).joinpath(*module.split("."))
    show = f"import {module} as m; print(getattr(m, 'IS', 'as built'))"
    assert run(target, copy, "-c", show) == "as built"
    extension = base.with_suffix(".so")
    extension.write_text("no library\n")
    attempt = f"try:\n import {module}\nexcept ImportError as error:\n print(error.path)"
    assert run(target, copy, "-c", attempt) == str(extension)
    base.mkdir()
    (base / "__init__.py").write_text("IS = 'a package'\n")
    assert run(target, copy, "-c", show) == "a package"
    shutil.rmtree(base)
    extension.unlink()
    assert run(target, copy, "-c", show) == "as built"


def test_what_is_in_the_executable_serves_a_folder_with_other_times(target: BuiltTarget, new_copy: Path) -> None:
    """Such as pip or `cp -r` make it; unless something there comes before the source."""
    code = """if 1:
        import _imp, sys, textwrap
        from pathlib import Path
        base = Path(textwrap.__file__).with_suffix("")
        check = lambda: _imp.library_check("textwrap", textwrap.__file__)
        print(check(), end=" ")
        for rival in [base, *(base.with_name("textwrap" + suffix) for suffix in _imp.extension_suffixes())]:
            rival.mkdir()
            print(check(), end=" ")
            rival.rmdir()
        print(check())
    """
    if not target.plan.library:
        pytest.skip("no module's code is in the executable")
    first, *rivals, last = run(target, new_copy, "-c", code).split()
    assert first == last == "True"
    assert len(rivals) > 2 and set(rivals) == {"False"}
